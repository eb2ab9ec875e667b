# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import os
import struct

import cv2
import numpy as np
import pytest
from damaged_videos import MotionJpeg
from full_disk import no_file_above

from siam_tracker_ros.errors import IncompleteVideoError, InvalidInputError, InvalidSettingError
from siam_tracker_ros.frames import VideoSink, open_frames


def grey_levels(frames):
    return [int(round(frame.mean())) for frame in frames]


def write_images(folder, names):
    """One small image a name, whose grey level is its place in the list times ten."""
    folder.mkdir(exist_ok=True)
    for i, name in enumerate(names):
        assert cv2.imwrite(str(folder / name), np.full((4, 6, 3), 10 * i, np.uint8))
    return folder


@pytest.fixture
def video(tmp_path):
    path = tmp_path / "clip.mp4"
    with VideoSink(path, fps=12.5) as sink:
        for level in (0, 60, 120, 180, 240):
            sink.write(np.full((48, 64, 3), level, np.uint8))
    return path


def an_empty_folder(tmp_path):
    return tmp_path


def a_folder_without_images(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing to see")
    return tmp_path


def a_folder_of_broken_images(tmp_path):
    (tmp_path / "0.jpg").write_bytes(b"\xff\xd8 not a picture")
    return tmp_path


def a_text_called_mp4(tmp_path):
    path = tmp_path / "clip01.mp4"
    path.write_text("this is no video\n" * 50)
    return path


def an_empty_mp4(tmp_path):
    path = tmp_path / "clip.mp4"
    path.touch()
    return path


def a_single_image(tmp_path):
    write_images(tmp_path, ["one.png"])
    return tmp_path / "one.png"


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda tmp_path: tmp_path / "nowhere.mp4", "nowhere.mp4 does not exist"),
        (an_empty_folder, "no image in it"),
        (a_folder_without_images, "no image in it"),
        (a_folder_of_broken_images, "0.jpg cannot be decoded"),
        (a_text_called_mp4, "clip01.mp4 cannot be read as a video"),
        (an_empty_mp4, "cannot be read as a video"),
        (a_single_image, "single image"),
        (lambda _: "", "frame source is ''"),
        (lambda _: None, "frame source is None"),
        (lambda _: True, "frame source is True"),
        (lambda _: 0.5, "frame source is 0.5"),
        (lambda _: -1, "camera number is -1"),
        (lambda _: 97, "camera 97 gives no picture"),
        (lambda _: np.int64(97), "camera 97 gives no picture"),
        (lambda _: "97", "camera 97 gives no picture"),
    ],
)
def test_a_bad_source_is_refused_when_it_is_opened(make, words, tmp_path):
    with pytest.raises(InvalidInputError, match=words):
        open_frames(make(tmp_path))


@pytest.mark.parametrize(
    "names",
    [
        ["00000000.png", "00000001.png", "00000002.png"],
        ["frame8.png", "frame9.png", "frame10.png", "frame100.png"],
        ["a.bmp", "b.png"],
        ["1-9.png", "1-10.png", "2-1.png"],
        ["left.PNG", "right.png"],
    ],
)
def test_a_folder_comes_in_natural_order(names, tmp_path):
    folder = write_images(tmp_path / "img", names)
    (folder / "Thumbs.db").write_bytes(b"\0")
    with open_frames(folder) as frames:
        assert (frames.fps, frames.live, frames.frame_count) == (0.0, False, len(names))
        assert grey_levels(frames) == [10 * i for i in range(len(names))]
        assert list(frames) == []
        frames.rewind()
        assert len(list(frames)) == len(names)


def test_a_folder_whose_name_is_a_number_needs_a_path(tmp_path, monkeypatch):
    write_images(tmp_path / "7", ["a.png"])
    monkeypatch.chdir(tmp_path)
    with open_frames("./7") as frames:
        assert frames.frame_count == 1


def test_a_broken_image_in_the_middle_is_named_and_not_passed_over(tmp_path):
    write_images(tmp_path, ["1.png", "2.png"])
    (tmp_path / "3.png").write_bytes(b"broken")
    with open_frames(tmp_path) as frames:
        assert len([next(frames), next(frames)]) == 2
        with pytest.raises(InvalidInputError, match="3.png cannot be decoded"):
            next(frames)


@pytest.mark.parametrize(
    "stored, expected",
    [
        (np.full((5, 7), 90, np.uint8), (90, 90, 90)),
        (np.full((5, 7, 4), (10, 20, 30, 0), np.uint8), (10, 20, 30)),
        (np.full((5, 7), 90 * 256, np.uint16), (90, 90, 90)),
        (np.full((1, 1, 3), (1, 2, 3), np.uint8), (1, 2, 3)),
    ],
    ids=["grey", "alpha", "16 bit", "one pixel"],
)
def test_every_image_comes_as_bgr(stored, expected, tmp_path):
    assert cv2.imwrite(str(tmp_path / "image.png"), stored)
    with open_frames(tmp_path) as frames:
        image = next(frames)
    assert image.dtype == np.uint8 and image.shape == (*stored.shape[:2], 3)
    assert tuple(image[0, 0]) == expected


def test_a_video_gives_every_frame_once_and_again_after_a_rewind(video):
    with open_frames(str(video)) as frames:
        assert frames.fps == pytest.approx(12.5)
        assert (frames.live, frames.frame_count) == (False, 5)
        for _ in range(2):
            assert grey_levels(frames) == pytest.approx([0, 60, 120, 180, 240], abs=6)
            assert list(frames) == []
            frames.rewind()


LEVELS = [8 * i for i in range(30)]


@pytest.fixture
def motion_jpeg(tmp_path):
    return MotionJpeg(tmp_path / "clip.avi", LEVELS)


@pytest.mark.parametrize(
    "damaged, words",
    [
        ([], None),
        ([0], "1 could not and were skipped: 0 "),
        ([10], "1 could not and were skipped: 10 "),
        ([3, 4, 5, 28], "4 could not and were skipped: 3, 4, 5, 28 "),
        (range(2, 29), "27 could not and were skipped: 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, ... "),
        ([29], "29 frames could be decoded; its container states 30"),
    ],
)
def test_a_frame_that_cannot_be_decoded_is_skipped_and_said(motion_jpeg, damaged, words):
    expected = [level for frame, level in enumerate(LEVELS) if frame not in damaged]
    with open_frames(motion_jpeg.damage(damaged)) as frames:
        for _ in range(2):
            assert grey_levels(frames) == pytest.approx(expected, abs=4)
            assert frames.skipped == len(set(damaged) - {29})
            assert (words in " ".join(frames.remarks)) if words else frames.remarks == ()
            frames.rewind()
            assert frames.skipped == (0 in damaged)


@pytest.mark.parametrize("count", [4, 15, 26])
def test_a_video_that_is_cut_off_is_read_to_the_cut_and_said(motion_jpeg, count):
    levels = []
    with (
        pytest.raises(IncompleteVideoError, match=f"clip.avi was not read to its end, expected 30 .*{count} frames"),
        open_frames(motion_jpeg.cut(count)) as frames,
    ):
        for image in frames:
            levels.append(image.mean())
    assert levels == pytest.approx(LEVELS[:count], abs=4)
    assert frames.remarks


def test_frames_before_the_shown_part_of_an_mp4_are_no_error(video, tmp_path):
    """A cut without encoding leaves frames in front that are stated, but not shown: the edit list passes over them."""
    content = video.read_bytes()
    place = content.index(b"elst")
    assert struct.unpack_from(">I", content, place + 8) == (1,), "one edit"
    edited = bytearray(content)
    scale = struct.unpack_from(">I", content, content.index(b"mdhd") + 16)[0]
    struct.pack_into(">I", edited, place + 16, scale * 2 // 12)  # begin at about the third of five frames
    path = tmp_path / "trimmed.mp4"
    path.write_bytes(edited)
    with open_frames(path) as frames:
        shown = len(list(frames))
        assert 0 < shown < 5 and f"{shown} frames could be decoded; its container states 5" in frames.remarks[0]


@pytest.mark.parametrize("intensity_range, grey", [(None, 230), ((0, 65535), 31), ((7000, 9000), 128)])
def test_sixteen_bit_images_of_a_folder_are_stretched_together(intensity_range, grey, tmp_path):
    ramp = np.linspace(7000, 8000, 64 * 48).reshape(48, 64)
    for i in range(3):
        cv2.imwrite(str(tmp_path / f"{i}.png"), (ramp + i).astype(np.uint16))
    with open_frames(tmp_path, intensity_range) as frames:
        for _ in range(2):
            images = list(frames)
            assert [int(image[-1, -1, 0]) for image in images] == pytest.approx([grey] * 3, abs=4)
            frames.rewind()


def test_sixteen_bit_frames_of_a_video_are_stretched(tmp_path):
    path, ramp = tmp_path / "thermal.avi", np.linspace(7000, 8000, 64 * 48).reshape(48, 64).astype(np.uint16)
    depth = [cv2.VIDEOWRITER_PROP_DEPTH, cv2.CV_16U, cv2.VIDEOWRITER_PROP_IS_COLOR, 0]
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"FFV1"), 25.0, (64, 48), depth)
    if not writer.isOpened():
        pytest.skip("this OpenCV does not write 16-bit video")
    for i in range(3):
        writer.write(ramp + i)
    writer.release()
    for intensity_range, brightest in ((None, 230), ((7000, 9000), 128), ((0, 65535), 31)):
        with open_frames(path, intensity_range) as frames:
            for image_bgr in frames:
                assert image_bgr.shape == (48, 64, 3) and image_bgr.dtype == np.uint8
                assert int(image_bgr[-1, -1, 0]) == pytest.approx(brightest, abs=4)


def test_a_camera_of_sixteen_bits_is_not_reduced_to_its_high_bytes(monkeypatch):
    class ThermalCamera:
        """What OpenCV's capture does for a V4L2 device that delivers Y16."""

        def __init__(self, number):
            self.converts = True

        def get(self, prop):
            return {cv2.CAP_PROP_FOURCC: int.from_bytes(b"Y16 ", "little")}.get(prop, -1.0)

        def set(self, prop, value):
            assert prop == cv2.CAP_PROP_CONVERT_RGB
            self.converts = bool(value)

        def read(self):
            grey = np.linspace(7000, 8000, 64 * 48).reshape(48, 64).astype(np.uint16)
            return True, np.dstack([grey >> 8] * 3).astype(np.uint8) if self.converts else grey

        def release(self):
            pass

    monkeypatch.setattr(cv2, "VideoCapture", ThermalCamera)
    with open_frames(0) as frames:
        image_bgr = next(frames)
    assert image_bgr.shape == (48, 64, 3) and np.ptp(image_bgr) > 200


def test_a_bad_intensity_range_is_refused(tmp_path):
    with pytest.raises(InvalidSettingError, match="9000 to 7000"):
        open_frames(write_images(tmp_path / "img", ["1.png"]), (9000, 7000))


def test_a_video_whose_name_is_not_utf_8_is_refused_by_name(video):
    path = video.with_name(b"caf\xe9.mp4".decode("utf-8", "surrogateescape"))
    video.rename(path)
    with pytest.raises(InvalidInputError, match=r"caf\\udce9.mp4' is not UTF-8.*rename"):
        open_frames(path)
    with pytest.raises(InvalidInputError, match=r"caf\\udce9.mp4' is not UTF-8.*rename"):
        VideoSink(path, 25)


def test_a_video_in_a_folder_that_is_not_utf_8_is_refused_as_well(video, monkeypatch):
    folder = video.parent / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    monkeypatch.chdir(folder)
    video.rename("clip.mp4")
    with pytest.raises(InvalidInputError, match="is not UTF-8"):
        open_frames("clip.mp4")
    with pytest.raises(InvalidInputError, match="is not UTF-8"):
        VideoSink("new.mp4", 25)
    assert [path.name for path in folder.iterdir()] == ["clip.mp4"]


@pytest.mark.parametrize("name", ["12:30:05.mp4", "file:clip.mp4", "clip%03d.mp4", "-i.mp4", "a b#c?.mp4"])
def test_a_video_is_found_by_its_name_and_never_taken_for_an_address(name, video, monkeypatch):
    monkeypatch.chdir(video.parent)
    video.rename(name)
    with open_frames(name) as frames:
        assert len(list(frames)) == 5


def test_a_source_can_be_closed_twice(video, tmp_path):
    frames = open_frames(video)
    frames.close()
    frames.close()


@pytest.mark.parametrize(
    "name, fps, words",
    [
        ("out.gif", 30, "does not name a video file"),
        ("out", 30, "does not name a video file"),
        ("missing/out.mp4", 30, "missing does not exist"),
        ("out.mp4", 0, "frame rate is 0"),
        ("out.mp4", -5, "frame rate is -5"),
        ("out.mp4", float("nan"), "frame rate is nan"),
    ],
)
def test_a_bad_video_file_is_refused_before_the_first_frame(name, fps, words, tmp_path):
    with pytest.raises(InvalidInputError, match=words):
        VideoSink(tmp_path / name, fps)


def test_a_sink_refuses_what_it_cannot_write(tmp_path):
    with VideoSink(tmp_path / "out.mp4", 10) as sink:
        sink.write(np.zeros((48, 64, 3), np.uint8))
        with pytest.raises(InvalidInputError, match="64 x 50 pixels, expected 64 x 48"):
            sink.write(np.zeros((50, 64, 3), np.uint8))
        with pytest.raises(InvalidInputError, match="expected uint8"):
            sink.write(np.zeros((48, 64), np.uint8))
        sink.write(np.zeros((48, 64, 3), np.uint8))
    with open_frames(tmp_path / "out.mp4") as frames:
        assert len(list(frames)) == 2


@pytest.mark.parametrize("name", ["out.mp4", "out.avi"])
@pytest.mark.parametrize("size_wh", [(65, 49), (65, 48), (64, 49), (64, 48)])
def test_a_frame_of_odd_sides_keeps_its_last_column_and_row(name, size_wh, tmp_path):
    width, height = size_wh
    image = np.zeros((height, width, 3), np.uint8)
    image[:, width // 2 :] = image[height // 2 :] = 200
    with VideoSink(tmp_path / name, 10) as sink:
        sink.write(image)
    with open_frames(tmp_path / name) as frames:
        (read,) = frames
    assert read.shape[:2] == (height + height % 2, width + width % 2)
    assert np.abs(read[:height, :width].astype(int) - image).mean() < 12


@pytest.mark.parametrize(
    "name, fps, written",
    [
        ("out.mp4", 200 / 3, 66.67),
        ("out.mp4", 66.667, 66.67),
        ("out.mov", 120.1234, 120.12),
        ("out.mp4", 30000 / 1001, 29.97),
        ("out.avi", 200 / 3, 66.667),
        ("out.mp4", 0.5, 0.5),
    ],
)
def test_a_video_is_written_at_the_nearest_rate_that_its_container_can_state(name, fps, written, tmp_path, caplog):
    with VideoSink(tmp_path / name, fps) as sink:
        for level in (0, 100, 200):
            sink.write(np.full((48, 64, 3), level, np.uint8))
    with open_frames(tmp_path / name) as frames:
        assert frames.fps == pytest.approx(written, abs=1e-3)
        assert len(list(frames)) == 3
    said = f"is written at {sink.fps:g} frames a second" in caplog.text
    assert said == (abs(fps - written) > 1e-3)


@pytest.mark.parametrize("name, fps", [("out.mp4", 0.001), ("out.mp4", 1e6)])
def test_a_rate_that_no_container_can_state_is_refused_at_once(name, fps, tmp_path):
    with pytest.raises(InvalidInputError, match="cannot be written as video at"):
        VideoSink(tmp_path / name, fps)
    assert list(tmp_path.iterdir()) == []


def test_a_path_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "taken.mp4").mkdir()
    with pytest.raises(InvalidInputError, match="taken.mp4 is a folder"):
        VideoSink(tmp_path / "taken.mp4", 10)


@pytest.mark.parametrize("name", ["out.mp4", "out.avi"])
@pytest.mark.parametrize("limit_bytes", [100, 50_000])
def test_a_video_that_the_disk_has_no_room_for_is_an_error_and_replaces_nothing(name, limit_bytes, tmp_path):
    (tmp_path / name).write_text("older")
    noise = np.random.default_rng(0).integers(0, 256, (20, 240, 320, 3), dtype=np.uint8)
    with no_file_above(limit_bytes), pytest.raises(InvalidInputError, match="the space on the disk"):  # noqa: SIM117
        with VideoSink(tmp_path / name, 10) as sink:
            for image in noise:
                sink.write(image)
    assert (tmp_path / name).read_text() == "older"


def test_a_sink_without_frames_leaves_no_file(tmp_path):
    with VideoSink(tmp_path / "out.avi", 10):
        pass
    assert list(tmp_path.iterdir()) == []
