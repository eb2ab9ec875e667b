# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import dataclasses
import json
import pathlib
import tarfile

import cv2
import numpy as np
import pytest
from damaged_videos import MotionJpeg

from siam_tracker_ros.data import DatasetSettings, read_dataset
from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.frames import VideoSink
from siam_tracker_ros.geometry import iou_xywh
from tools.label.__main__ import main
from tools.label.clips import find_clips, fingerprints, looks_held_out, read_clip, read_start_boxes, split_scenes
from tools.label.folder import label_folder
from tools.label.pseudo_labels import label_clip, label_target, pick_different
from tools.label.settings import LabelSettings
from tools.label.shard_writer import ShardWriter, context_crop
from tools.label.target_proposals import is_target_box, propose_boxes

pytestmark = pytest.mark.slow

CONFIG = pathlib.Path(__file__).parents[2] / "config" / "train"
SIZE_WH = (240, 160)
SETTINGS = LabelSettings(hop=30, reach=20)


class MatchingTeacher:
    """Finds a template's middle, where the target is, again by correlation; a target keeps its size."""

    def embed(self, template_bgr):
        return template_bgr[32:96, 32:96]

    def search(self, features, search_bgr):
        match = cv2.matchTemplate(search_bgr, features, cv2.TM_CCOEFF_NORMED)  # (193, 193), of top left corners
        y, x = np.unravel_index(match.argmax(), match.shape)
        row, column = (y + 32) // 16, (x + 32) // 16
        score, boxes = np.zeros((1, 16, 16)), np.full((4, 16, 16), 0.25)
        score[0, row, column] = max(match[y, x], 0)
        boxes[:2, row, column] = (x + 32) / 256, (y + 32) / 256
        return score, boxes


def texture(seed, size_wh, low, high):
    noise = np.random.default_rng(seed).integers(low, high, (size_wh[1] // 4, size_wh[0] // 4, 3), dtype=np.uint8)
    return cv2.resize(noise, size_wh, interpolation=cv2.INTER_CUBIC)


def draw_clip(frames=24, speed_xy=(5, 1), pan=1, vanish=None, seed=0):
    """A textured square on a textured ground that the camera pans over: frames, and the square's true boxes."""
    width, height = SIZE_WH
    ground = texture(seed, (width + 200, height), 60, 130)
    square = texture(seed + 1, (36, 36), 120, 255)
    images, boxes = [], []
    for number in range(frames):
        image = ground[:, pan * number : pan * number + width].copy()
        x, y = 20 + speed_xy[0] * number, 40 + speed_xy[1] * number
        if vanish is None or number < vanish:
            image[y : y + 36, x : x + 36] = square[:, : max(0, width - x)]
        images.append(image)
        boxes.append((x, y, 36, 36))
    return images, np.array(boxes, float)


def write_clip(path, images):
    path.mkdir(parents=True)
    for number, image in enumerate(images):
        cv2.imwrite(str(path / f"{number:03d}.png"), image)
    return path


@pytest.mark.parametrize("pan", [0, 2])
def test_what_moves_is_proposed_whatever_the_camera_does(pan):
    images, boxes = draw_clip(pan=pan)
    found = propose_boxes(images[5], images[7], max_boxes=3)
    assert iou_xywh(found[0], boxes[5]) > 0.7
    assert len(propose_boxes(images[5], images[7], max_boxes=1)) == 1


@pytest.mark.parametrize("pan", [0, 2])
def test_nothing_is_proposed_where_nothing_moves_by_itself(pan):
    images, _ = draw_clip(pan=pan, vanish=0)
    assert propose_boxes(images[5], images[7], max_boxes=3).shape == (0, 4)


def test_even_pictures_and_odd_sizes_are_no_error():
    for shape in [(8, 8, 3), (300, 11, 3), (11, 300, 3)]:
        assert len(propose_boxes(np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8), max_boxes=3)) == 0


@pytest.mark.parametrize(
    ("box", "usable"),
    [
        ((50, 50, 30, 30), True),
        ((0, 50, 30, 30), True),
        ((0, 0, 30, 30), False),  # touches two sides
        ((50, 50, 30, 11), False),
        ((5, 5, 230, 150), False),
        ((100, -5, 30, 170), False),
    ],
)
def test_targets_are_neither_tiny_nor_huge_nor_in_a_corner(box, usable):
    assert is_target_box(np.array(box, float), SIZE_WH) == usable


def test_a_moving_square_is_labelled():
    images, boxes = draw_clip()
    (track,) = label_clip(images, MatchingTeacher(), SETTINGS)
    stretch = slice(track.start, track.start + len(track.boxes_xywh))
    assert len(track.boxes_xywh) >= 15
    assert iou_xywh(track.boxes_xywh, boxes[stretch]).min() > 0.6
    assert 6 <= len(track.samples) <= 12
    assert (np.diff(track.samples) > 0).all()
    assert track.samples[-1] < len(track.boxes_xywh)


def test_a_given_box_is_followed_and_nothing_else():
    images, boxes = draw_clip()
    (track,) = label_clip(images, MatchingTeacher(), SETTINGS, starts=[(4, boxes[4])])
    assert track.start == 4
    assert iou_xywh(track.boxes_xywh, boxes[4 : 4 + len(track.boxes_xywh)]).min() > 0.9
    assert label_clip(images, MatchingTeacher(), SETTINGS, starts=[]) == []


def test_a_still_target_in_a_still_picture_teaches_nothing():
    images, boxes = draw_clip(speed_xy=(0, 0), pan=0)
    assert label_target(images, boxes[0], MatchingTeacher(), SETTINGS) is None
    assert pick_different(images, boxes, SETTINGS).tolist() == [0]


def test_a_track_ends_where_its_target_vanishes():
    images, boxes = draw_clip(vanish=14)
    track = label_target(images, boxes[0], MatchingTeacher(), SETTINGS)
    assert len(track.boxes_xywh) == 14
    assert label_target(images, boxes[0], MatchingTeacher(), dataclasses.replace(SETTINGS, min_frames=15)) is None


def test_a_way_that_is_not_the_same_back_is_not_believed():
    class Astray(MatchingTeacher):
        """Slides off the target to the right, however it is followed."""

        def search(self, features, search_bgr):
            score, boxes = super().search(features, search_bgr)
            boxes[0] += 1.5 / 16
            return score, boxes

    images, boxes = draw_clip(speed_xy=(2, 1))
    assert label_target(images, boxes[0], Astray(), SETTINGS) is None


def test_scenes_are_cut_where_the_colours_change():
    first, _ = draw_clip(frames=12)
    second = [255 - image // 2 for image in draw_clip(frames=13, seed=7)[0]]
    assert split_scenes(first + second, SETTINGS) == [(0, 12), (12, 25)]
    for track in label_clip(first + second, MatchingTeacher(), SETTINGS):
        assert track.start + len(track.boxes_xywh) <= 12 or track.start >= 12


def test_clips_of_a_folder_become_shards(tmp_path):
    images, _ = draw_clip()
    clips = tmp_path / "my clips"
    write_clip(clips / "a-b.c", images)
    write_clip(clips / "held", draw_clip(seed=3)[0])
    (clips / "broken.mp4").write_bytes(b"no video")
    with VideoSink(clips / "film.avi", 30.0) as sink:
        for image in images:
            sink.write(image)
    held_out = fingerprints(write_clip(tmp_path / "test" / "held", draw_clip(seed=3)[0]).parent)
    report = label_folder(clips, tmp_path / "shards", MatchingTeacher(), SETTINGS, held_out=held_out)
    assert (report.clips, report.unreadable, report.held_out) == (2, ["broken.mp4"], ["held"])
    assert [path.name for path in report.shards] == ["tracks-my_clips-00.tar"]
    with tarfile.open(report.shards[0]) as shard:
        names = shard.getnames()
        label = json.load(shard.extractfile(next(name for name in names if name.endswith(".json"))))
        crop = cv2.imdecode(np.frombuffer(shard.extractfile(names[0]).read(), np.uint8), cv2.IMREAD_COLOR)
    assert len(names) == 2 * report.frames
    assert report.frames >= 6 * report.tracks > 0
    assert (label["set"], label["track"], label["kind"]) == ("my_clips", "0_a_b_c_0", "video")
    assert crop.shape == (*label["size"], 3)
    assert list(tmp_path.rglob("*.part")) == []
    with pytest.raises(InvalidInputError, match="exists already"):
        label_folder(clips, tmp_path / "shards", MatchingTeacher(), SETTINGS)


def test_clips_of_like_names_are_tracks_of_their_own(tmp_path):
    for number, name in enumerate(("a b", "a_b", "\u732b", "\u72d7")):
        write_clip(tmp_path / "clips" / name, draw_clip(seed=number)[0])
    report = label_folder(tmp_path / "clips", tmp_path / "shards", MatchingTeacher(), SETTINGS)
    tracks = read_dataset(DatasetSettings("shards", str(tmp_path / "shards")))
    assert len(tracks) == report.tracks >= 4
    for track in tracks:
        assert (np.diff(track.numbers) > 0).all(), "frames of one clip each"


def test_named_targets_start_where_they_are_named_or_in_the_nearest_frame(tmp_path):
    images, boxes = draw_clip(frames=60, speed_xy=(2, 1))
    (tmp_path / "clips").mkdir()
    with VideoSink(tmp_path / "clips" / "film.avi", 30.0) as sink:
        for image in images:
            sink.write(image)
    settings = dataclasses.replace(SETTINGS, clip_frames=15, min_frames=3, min_samples=2)
    named = {"film.avi": [(at, boxes[at]) for at in (11, 15, 19, 55)]}  # looked at are frames 2, 5, 8 to 44
    report = label_folder(tmp_path / "clips", tmp_path / "shards", MatchingTeacher(), settings, boxes=named)
    assert report.not_reached == ["film.avi, frame 55"]
    tracks = read_dataset(DatasetSettings("shards", str(tmp_path / "shards")))
    assert [track.numbers[0] for track in tracks] == [11, 14, 20]


def test_even_pictures_are_not_taken_for_held_out_ones(tmp_path):
    images, _ = draw_clip(frames=6)
    black = np.zeros_like(images[0])
    prints = fingerprints(write_clip(tmp_path / "a", [black] * 5 + images[5:]))
    assert prints.shape == (1, 256)
    assert looks_held_out([black, cv2.resize(images[5], (480, 300))], prints)
    assert not looks_held_out([black, images[0][:, ::-1].copy()], prints)
    assert not looks_held_out([black], prints)


def test_folders_without_anything_to_label_are_refused(tmp_path):
    with pytest.raises(InvalidInputError, match="is no folder"):
        find_clips(tmp_path / "missing")
    with pytest.raises(InvalidInputError, match="no clips"):
        find_clips(tmp_path)
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    with pytest.raises(InvalidInputError, match="none of the 1 clips"):
        label_folder(tmp_path, tmp_path / "out", MatchingTeacher(), SETTINGS)
    write_clip(tmp_path / "still", draw_clip(speed_xy=(0, 0), pan=0)[0])
    with pytest.raises(InvalidInputError, match="moves and is followed"):
        label_folder(tmp_path, tmp_path / "out", MatchingTeacher(), SETTINGS)
    with pytest.raises(InvalidInputError, match="no clip other.mp4"):
        label_folder(tmp_path, tmp_path / "out", MatchingTeacher(), SETTINGS, boxes={"other.mp4": []})


def test_frames_are_thinned_out_and_shrunk(tmp_path):
    images, _ = draw_clip(frames=12)
    with VideoSink(tmp_path / "film.avi", 30.0) as sink:
        for image in images:
            sink.write(image)
    clip = read_clip(tmp_path / "film.avi", LabelSettings(longest_side=120))
    assert (len(clip.frames), clip.first, clip.step, clip.scale) == (4, 0, 3, 0.5)
    for frame, first in ((9, 0), (10, 1), (11, 2)):
        clip = read_clip(tmp_path / "film.avi", LabelSettings(longest_side=120), frame)
        assert (len(clip.frames), clip.first) == (4, first)
    assert clip.frames[0].shape == (80, 120, 3)


def test_a_damaged_frame_is_passed_over_and_a_cut_video_is_used_to_the_cut(tmp_path):
    video = MotionJpeg(tmp_path / "film.avi", [20 * number for number in range(12)])
    settings = LabelSettings(rate=25 / 3)
    clip = read_clip(video.damage([4]), settings)
    assert [round(frame.mean(), -1) for frame in clip.frames] == [0, 60, 120, 180]
    assert "11 frames could be decoded, 1 could not and were skipped: 4 " in clip.remarks[0]
    clip = read_clip(video.cut(7), settings)
    assert [round(frame.mean(), -1) for frame in clip.frames] == [0, 60, 120]
    assert "7 frames could be decoded; its container states 12" in clip.remarks[0]


def test_what_computers_leave_in_folders_is_no_clip(tmp_path):
    write_clip(tmp_path / "a", draw_clip(frames=2)[0])
    for name in ("._film.mp4", "b/._0001.png", "__MACOSX/a/._0001.png", ".Trash/c/0001.png", "d/.DS_Store"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"\0\5\x16\7")
    assert find_clips(tmp_path) == [tmp_path / "a"]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_start_boxes_are_read_by_line(tmp_path, mark):
    path = tmp_path / "boxes.txt"
    path.write_bytes(mark + b"a, b.mp4,3,1,2,30,40\na, b.mp4,9,1,2,30,40.5\n")
    boxes = read_start_boxes(path)
    assert [(frame, box.tolist()) for frame, box in boxes["a, b.mp4"]] == [(3, [1, 2, 30, 40]), (9, [1, 2, 30, 40.5])]


def test_the_listed_targets_of_lite_can_be_read():
    boxes = read_start_boxes(CONFIG / "lite_clips.csv")
    assert len(boxes) == 83 and sum(len(starts) for starts in boxes.values()) == 117


@pytest.mark.parametrize("line", ["", "a.mp4", "a.mp4,x,1,2,3,4", "a.mp4,0,1,2,0,4", "a.mp4,0,nan,2,3,4", ",0,1,2,3,4"])
def test_start_boxes_that_are_none_are_refused(tmp_path, line):
    path = tmp_path / "boxes.txt"
    path.write_text(f"a.mp4,0,1,2,3,4\n{line}\n")
    with pytest.raises(InvalidInputError, match="line 2"):
        read_start_boxes(path)


@pytest.mark.parametrize(
    ("box", "side"),
    [
        ((100, 80, 10, 10), 108),
        ((300, 200, 15, 15), 108),
        ((300, 200, 17, 16), 216),
        ((300, 200, 40, 60), 432),
        ((0, 0, 1, 1), 108),
        ((-20, 380, 60, 40), 432),
    ],
)
def test_crops_show_the_target_with_its_context(box, side):
    image = np.zeros((400, 640, 3), np.uint8)
    x, y, w, h = box
    image[max(y, 0) : y + h, max(x, 0) : x + w] = 255
    crop, (cx, cy, cw, ch), (vx, vy, vw, vh), mask = context_crop(image, box, image[..., 0].copy())
    assert crop.shape == (side, side, 3)
    assert abs(cx + cw / 2 - side / 2) <= 3 * side / 100
    assert np.sqrt((cw + (cw + ch) / 2) * (ch + (cw + ch) / 2)) / side == pytest.approx(1 / 3.4, rel=0.1)
    assert 0 <= vx <= vx + vw <= side
    assert 0 <= vy <= vy + vh <= side
    bright = np.argwhere(crop[..., 0] > 128)
    inside = max(vx, cx), max(vy, cy), min(vx + vw, cx + cw), min(vy + vh, cy + ch)
    found = (*bright.min(0)[::-1], *(bright.max(0)[::-1] + 1))
    assert np.abs(np.subtract(found, inside)).max() <= 3
    assert np.mean((mask > 0) != (crop[..., 0] > 127)) == 0


def test_shards_are_closed_when_they_are_full(tmp_path):
    images, boxes = draw_clip(frames=2)
    with ShardWriter(tmp_path, "x", max_bytes=1000) as writer:
        for number in range(2):
            writer.add_track("x", str(number), [(0, images[0], boxes[0], np.full(SIZE_WH[::-1], 255, np.uint8))])
    assert [path.name for path in writer.paths] == ["tracks-x-00.tar", "tracks-x-01.tar"]
    with tarfile.open(writer.paths[1]) as shard:
        assert shard.getnames() == ["x-1-0.webp", "x-1-0.png", "x-1-0.json"]


def test_a_shard_that_an_error_interrupts_is_not_left(tmp_path):
    images, boxes = draw_clip(frames=2)
    with pytest.raises(AttributeError), ShardWriter(tmp_path, "x") as writer:
        writer.add_track("x", "0", [(0, images[0], boxes[0], None), (1, None, boxes[0], None)])
    assert not list(tmp_path.iterdir()) and not writer.paths


def test_the_command_names_what_is_missing(tmp_path, capsys):
    write_clip(tmp_path / "clips" / "a", draw_clip(frames=2)[0])
    arguments = [str(tmp_path / "clips"), str(tmp_path / "out"), "--teacher", str(tmp_path)]
    assert main(arguments) == 2
    assert "no backbone.onnx" in capsys.readouterr().err
    assert main([*arguments, "--set", "agreement=1.5"]) == 2
    assert "agreement is 1.5" in capsys.readouterr().err
