# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0

import struct

import cv2
import numpy as np
import pytest

from siam_tracker_ros.errors import IncompleteVideoError
from siam_tracker_ros.frames import VideoSink, open_frames
from siam_tracker_ros.video_container import is_cut_off, is_mp4


def box(name, content, wide=False):
    """A box of an MP4 file."""
    size = len(content) + (16 if wide else 8)
    return (struct.pack(">I4sQ", 1, name, size) if wide else struct.pack(">I4s", size, name)) + content


FTYP = box(b"ftyp", b"isom\0\0\2\0")


def riff(stated, held):
    return b"RIFF" + struct.pack("<I", stated) + b"AVI " + bytes(held - 4)


def matroska(size, held):
    """A file with a size of its segment as it is written, and so many bytes in the segment."""
    return b"\x1a\x45\xdf\xa3\x84abcd\x18\x53\x80\x67" + size + bytes(held)


@pytest.mark.parametrize(
    "content, cut",
    [
        (b"", False),
        (b"RIFF", True),
        (b"GIF89a", False),
        (riff(100, 100), False),
        (riff(100, 99), True),
        (riff(0, 100), False),  # a recorder that was switched off wrote no size
        (riff(100, 300), False),  # of more than 1 GB, further parts follow
        (FTYP, False),
        (FTYP[:-1], True),
        (FTYP + box(b"mdat", bytes(50)), False),
        (FTYP + box(b"mdat", bytes(50))[:-1], True),
        (FTYP + box(b"mdat", bytes(50), wide=True), False),
        (FTYP + box(b"mdat", bytes(50), wide=True)[:-1], True),
        (FTYP + struct.pack(">I4s", 0, b"mdat") + bytes(50), False),  # up to the end of the file
        (FTYP + b"\0\0\0\5rubbish", False),
        (matroska(b"\xe4", 100), False),
        (matroska(b"\xe4", 99), True),
        (matroska(b"\x40\x64", 100), False),
        (matroska(b"\x01\0\0\0\0\0\0\x64", 99), True),
        (matroska(b"\x01" + b"\xff" * 7, 10), False),  # left open, as live recordings leave it
        (matroska(b"\xff", 10), False),
        (b"\x1a\x45\xdf\xa3", False),
        (b"\x1a\x45\xdf\xa3\x84abcd", False),
    ],
)
def test_a_file_that_is_shorter_than_it_says(content, cut, tmp_path):
    path = tmp_path / "clip"
    path.write_bytes(content)
    assert is_cut_off(path) == cut
    assert is_mp4(path) == content.startswith(FTYP[:8])


@pytest.mark.parametrize("name", ["clip.avi", "clip.mkv", "clip.webm"])
@pytest.mark.parametrize("share", [0.4, 0.7, 0.95])
def test_a_cut_is_noticed_however_short_the_video_is(name, share, tmp_path):
    path = tmp_path / name
    codec = cv2.VideoWriter.fourcc(*("VP80" if name == "clip.webm" else "MJPG"))
    writer = cv2.VideoWriter(str(path), codec, 25.0, (64, 48))
    if not writer.isOpened():
        pytest.skip(f"this OpenCV does not write {name}")
    noise = np.random.default_rng(0).integers(0, 256, (30, 48, 64, 3), dtype=np.uint8)
    for image_bgr in noise:
        writer.write(image_bgr)
    writer.release()
    content = path.read_bytes()
    with open_frames(path) as frames:
        assert len(list(frames)) == 30 and frames.remarks == ()
    path.write_bytes(content[: int(share * len(content))])
    with open_frames(path) as frames, pytest.raises(IncompleteVideoError, match=f"{name} was not read to its end"):
        list(frames)


@pytest.mark.skipif(not hasattr(cv2, "CAP_PROP_PTS"), reason="this OpenCV does not tell when a video begins")
def test_a_whole_video_whose_stamps_begin_late_is_read_to_its_end(tmp_path):
    """Matroska states when the last frame ends, counted from 0."""
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "late.mkv"), "w") as file:
        stream = file.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for number in range(10):
            frame = av.VideoFrame(64, 48, "yuvj420p")
            frame.pts = 250 + number
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    with open_frames(tmp_path / "late.mkv") as frames:
        assert len(list(frames)) == 10


def test_a_whole_file_is_not_cut_off(tmp_path):
    for name in ("clip.avi", "clip.mov", "clip.mp4"):
        with VideoSink(tmp_path / name, 10) as sink:
            sink.write(np.zeros((48, 64, 3), np.uint8))
        assert not is_cut_off(tmp_path / name)
        assert is_mp4(tmp_path / name) == (name != "clip.avi")
