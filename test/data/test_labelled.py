# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Folders as evaluation gets them: what they are recognised as, and that the readers are those of training."""

import numpy as np
import pytest
from drawn_datasets import (
    FRAMES,
    HEIGHT,
    WIDTH,
    WRITERS,
    box_of,
    labels,
    lines,
    one_based,
    picture,
    write,
    write_lasot,
    write_otb,
)

from siam_tracker_ros.core.tracker import TrackResult
from siam_tracker_ros.data import DatasetSettings, read_dataset
from siam_tracker_ros.data.kinds import kind_of
from siam_tracker_ros.data.labelled import read_videos
from siam_tracker_ros.data.problems import Problems
from siam_tracker_ros.errors import DatasetError, InvalidInputError, InvalidSettingError
from siam_tracker_ros.evaluation.check import check_tracks
from siam_tracker_ros.evaluation.one_pass import run_one_pass

# By format: the split that is evaluated in what its writer writes, and the one that training reads.
SPLITS = {
    "davis": ("val", "val"),
    "got10k": ("train", "train"),
    "lasot": ("test", "test"),
    "otb": ("", "train"),
    "sequences": ("", "train"),
    "trackingnet": ("train", "train"),
    "uav123": ("train", "train"),
    "vot": ("", "train"),
    "youtube_vos": ("train", "train"),
}


class RedBox:
    """A tracker that sees the target of the generated data: the largest red thing."""

    def init(self, image_bgr, box_xywh):
        pass

    def track(self, image_bgr):
        rows, columns = np.nonzero((image_bgr[..., 2] > 128) & (image_bgr[..., 1] < 60))
        x, y = columns.min(), rows.min()
        return TrackResult(np.array([x, y, columns.max() + 1 - x, rows.max() + 1 - y], float), 0.9)


def figures(tracks):
    runs = run_one_pass(RedBox(), [track for track in tracks if track.present[0]])
    return {run.name: (run.scores.frames, run.scores.mean_iou, run.scores.auc) for run in runs}


@pytest.mark.parametrize("kind", SPLITS)
def test_a_data_set_is_evaluated_on_what_training_reads(tmp_path, kind):
    root = WRITERS[kind](tmp_path / "set")
    evaluated, trained = SPLITS[kind]
    wanted = None if kind != "trackingnet" else "train"
    videos = read_videos(root, wanted)
    expected = read_dataset(DatasetSettings(kind, str(root), split=trained))
    assert (videos.split, set(videos.formats)) == (evaluated, {kind})
    assert sorted(track.name for track in videos.tracks) == sorted(track.name for track in expected)
    by_name = {track.name: track for track in expected}
    for track in videos.tracks:
        np.testing.assert_array_equal(track.boxes_xywh, by_name[track.name].boxes_xywh)
        assert [track.path(i) for i in range(len(track))] == [by_name[track.name].path(i) for i in range(len(track))]
    assert figures(videos.tracks) == figures(expected)
    drawn = [track for track in videos.tracks if track.present[0] and (track.boxes_xywh[0] == box_of(0)).all()]
    assert drawn and all(iou > 0.85 for _, iou, _ in figures(drawn).values())
    problems = Problems()
    check_tracks([track for track in videos.tracks if track.present[0]], problems)
    problems.raise_any()


@pytest.mark.parametrize(
    "kind, part, names",
    [
        ("lasot", "cat", ["cat-1", "cat-2"]),
        ("lasot", "cat/cat-2", ["cat-2"]),
        ("got10k", "train", ["GOT-10k_Train_000001", "GOT-10k_Train_000002"]),
        ("got10k", "train/GOT-10k_Train_000002", ["GOT-10k_Train_000002"]),
        ("otb", "Car", ["Car"]),
        ("sequences", "car", ["car"]),
        ("trackingnet", "TRAIN_0", ["TRAIN_0/abc_0"]),
        ("youtube_vos", "train", ["abc-1", "abc-2"]),
        ("vot", "old", ["old"]),
        ("vot", "late", ["late-a", "late-b"]),
    ],
)
def test_a_part_of_a_data_set_is_recognised(tmp_path, kind, part, names):
    videos = read_videos(WRITERS[kind](tmp_path) / part)
    assert [track.name for track in videos.tracks] == names
    assert set(videos.formats) == {kind}


@pytest.mark.parametrize("kind, place", [("otb", "Car"), ("vot", "old"), ("lasot", "cat/cat-1"), ("sequences", "car"),
                                         ("got10k", "train/GOT-10k_Train_000001")])  # fmt: skip
def test_a_sequence_has_the_name_of_its_folder_wherever_one_stands(tmp_path, monkeypatch, kind, place):
    place = WRITERS[kind](tmp_path) / place
    for folder in (place, place / "below"):
        folder.mkdir(exist_ok=True)
        monkeypatch.chdir(folder)
        (track,) = read_videos("." if folder == place else "..").tracks
        assert track.name == place.name
    (tmp_path / "link").symlink_to(place)
    assert read_videos(tmp_path / "link").tracks[0].name == "link"


@pytest.mark.parametrize("above", ["UAV123", "data/UAV123"])
def test_a_data_set_further_down_is_pointed_at(tmp_path, above):
    WRITERS["uav123"](tmp_path / above)
    with pytest.raises(InvalidInputError, match=f"{tmp_path / above} is a data set: give that folder"):
        read_videos(tmp_path)


def test_lasot_without_lists_is_read_whole_and_flags_count(tmp_path):
    root = write_lasot(tmp_path)
    for path in root.glob("*.txt"):
        path.unlink()
    tracks = read_videos(root).tracks
    assert [track.present.tolist() for track in tracks] == [[True, False, True, False]] * 2
    np.testing.assert_array_equal(tracks[0].boxes_xywh[2], box_of(2))


def test_sequences_of_several_formats_in_one_folder_keep_theirs(tmp_path):
    write_lasot(tmp_path)
    for path in tmp_path.glob("*.txt"):
        path.unlink()
    (tmp_path / "cat" / "cat-2" / "full_occlusion.txt").unlink()
    (tmp_path / "cat" / "cat-2" / "out_of_view.txt").unlink()
    write_otb(tmp_path / "cat")
    videos = read_videos(tmp_path)
    assert dict(zip((track.name for track in videos.tracks), videos.formats)) == {
        "Car": "otb", "cat-1": "lasot", "cat-2": "sequences",
    }  # fmt: skip


def write_first_boxes_only(root):
    """The test splits of GOT-10k and TrackingNet."""
    for name in ("GOT-10k_Test_000001", "GOT-10k_Test_000002"):
        for frame in range(FRAMES):
            write(root / "got" / "test" / name / f"{frame + 1:08d}.jpg", picture(frame))
        write(root / "got" / "test" / name / "groundtruth.txt", lines([one_based(0)]))
    write(root / "got" / "test" / "list.txt", "GOT-10k_Test_000001\nGOT-10k_Test_000002\n")
    for frame in range(FRAMES):
        write(root / "net" / "TEST" / "frames" / "x_0" / f"{frame}.jpg", picture(frame))
    write(root / "net" / "TEST" / "anno" / "x_0.txt", lines([box_of(0)]))
    return root


@pytest.mark.parametrize("part, count", [("got", 2), ("got/test", 2), ("net", 1), ("net/TEST", 1)])
def test_test_splits_have_all_frames_and_one_box(tmp_path, part, count):
    tracks = read_videos(write_first_boxes_only(tmp_path) / part).tracks
    assert len(tracks) == count
    for track in tracks:
        assert track.present.tolist() == [True] + [False] * (FRAMES - 1)
        np.testing.assert_array_equal(track.boxes_xywh[0], box_of(0))
        assert figures([track])[track.name][0] == 0


@pytest.mark.parametrize("kind, split", [("got10k", "test"), ("trackingnet", "test")])
def test_nothing_is_trained_on_test_splits(tmp_path, kind, split):
    with pytest.raises(InvalidSettingError, match="'test'"):
        read_dataset(DatasetSettings(kind, str(write_first_boxes_only(tmp_path) / kind[:3]), split=split))


@pytest.mark.parametrize("thinned, first", [(1, 487), (3, 163)])
def test_parts_of_uav123_begin_in_their_video(tmp_path, thinned, first):
    root = WRITERS["uav123"](tmp_path, {1: "UAV123", 3: "UAV123_10fps"}[thinned], thinned)
    tracks = {track.name: track for track in read_videos(root).tracks}
    assert tracks["car6_2"].path(0) == tracks["car6_1"].files.folder / f"{first:06d}.jpg"
    assert tracks["bike1"].path(0).name == tracks["car6_1"].path(0).name == "000001.jpg"


def test_uav20l_uses_the_videos_of_uav123(tmp_path):
    root = WRITERS["uav123"](tmp_path)
    (root / "anno" / "UAV20L").mkdir()
    (root / "anno" / "UAV123" / "bike1.txt").rename(root / "anno" / "UAV20L" / "bike1.txt")
    write(root / "anno" / "UAV20L" / "att" / "bike1.txt", "0,0,0,0,0,0,0,0,0,0,1,0\n")  # other ones than in UAV123
    videos = read_videos(root, "uav20l")
    (track,) = videos.tracks
    assert [*videos.read_attributes(Problems())[0]] == ["camera motion"]
    assert track.path(0) == root / "data_seq" / "UAV123" / "bike1" / "000001.jpg"


@pytest.mark.parametrize("kind, expected", [
    ("uav123", {"scale variation": [1, 1, 1, 1], "partial occlusion": [1, 1, 1, 1]}),
    ("lasot", {"full occlusion": [1, 1, 1, 1], "out of view": [1, 1, 1, 1]}),
    ("got10k", {"target: vehicle": [1, 1, 1, 1], "motion: rolling": [1, 1, 1, 1]}),
    ("otb", {"IV": [1, 1, 1, 1], "OCC": [1, 1, 1, 1]}),
    ("vot", {"camera motion": [0, 1, 1, 0]}),
    ("sequences", {}),
])  # fmt: skip
def test_attributes_are_those_in_the_folder(tmp_path, kind, expected):
    root = WRITERS[kind](tmp_path)
    if kind == "got10k":
        info = "[METAINFO]\nurl: x\nobject_class: car\nmajor_class: vehicle\nmotion_class: rolling\n"
        write(root / "train" / "GOT-10k_Train_000001" / "meta_info.ini", info)
    if kind == "otb":
        write(root / "Car" / "attrs.txt", "IV, OCC\n")
    if kind == "vot":
        write(root / "car" / "camera_motion.tag", b"0\n1\n1\n0\n\xe9\n")
    problems = Problems()
    attributes = read_videos(root).read_attributes(problems)
    problems.raise_any()
    assert {name: frames.astype(int).tolist() for name, frames in attributes[0].items()} == expected


@pytest.mark.parametrize(
    "line, expected",
    [
        ("3,4,20,10", (3, 4, 20, 10)),
        ("3.5,4,20,10.25", (3.5, 4, 20, 10.25)),
        ("3\t4\t20\t10", (3, 4, 20, 10)),
        ("3 4 20 10", (3, 4, 20, 10)),
        ("3,4,20,10,", (3, 4, 20, 10)),
        ("5,0,10,5,5,10,0,5", (0, 0, 10, 10)),
        ("5,0,10,5,0,5", (0, 0, 10, 5)),
        ("m3,4,3,2,1,1,1,3", (3, 4, 3, 2)),
        ("m3,4,3,2,4,1", (4, 5, 1, 1)),
        ("m0,0,0,0,0", None),
        ("0", None),
        ("1", None),
        ("nan,nan", None),
        ("nan,nan,nan,nan", None),
        ("nan,nan,nan,nan,nan,nan,nan,nan", None),
    ],
)
def test_regions_of_vot(tmp_path, line, expected):
    root = WRITERS["vot"](tmp_path)
    first = "2,2,8,8"
    write(root / "old" / "groundtruth.txt", "\n".join([first, line]))
    (track,) = read_videos(root / "old").tracks
    np.testing.assert_array_equal(track.boxes_xywh[0], (2, 2, 8, 8))
    np.testing.assert_array_equal(track.boxes_xywh[1], (np.nan,) * 4 if expected is None else expected)
    assert len(track) == FRAMES and not track.present[2:].any()
    if line.startswith("m") and expected:
        assert track.mask(1).sum() == 255 * sum(int(run) for run in line.split(",")[5::2])
        x, y, w, h = expected
        assert track.mask(1)[y : y + h, x : x + w].sum() == track.mask(1).sum()


@pytest.mark.parametrize("x, y", [(0, 0), (-2, 3), (61, -1), (-3, -2), (70, 50), (3, 60), (-9, 0)])
def test_a_mask_of_vot_is_cut_at_the_edges_of_its_frame(tmp_path, x, y):
    root = WRITERS["vot"](tmp_path)
    write(root / "old" / "groundtruth.txt", f"2,2,8,8\nm{x},{y},5,3,0,15\n3,3,8,8\n")
    (track,) = read_videos(root / "old").tracks
    expected = np.zeros((HEIGHT, WIDTH), np.uint8)
    expected[max(y, 0) : max(y + 3, 0), max(x, 0) : max(x + 5, 0)] = 255
    np.testing.assert_array_equal(track.mask(1), expected)


@pytest.mark.parametrize("line", ["m3,4,3", "m3,4,3,2,a", "1,2,3,4,5", "a,b,c,d", ""])
def test_lines_that_are_no_region_are_named(tmp_path, line):
    root = WRITERS["vot"](tmp_path)
    write(root / "old" / "groundtruth.txt", f"2,2,8,8\n{line}\n3,3,8,8\n")
    with pytest.raises(DatasetError, match=r"old/groundtruth.txt: line 2 is"):
        read_videos(root)


def test_a_sequence_of_another_format_is_not_taken_for_own_footage(tmp_path):
    write_lasot(tmp_path)
    with pytest.raises(DatasetError, match="is a sequence in the format lasot.*set format to lasot"):
        read_dataset(DatasetSettings("sequences", str(tmp_path / "cat")))
    assert kind_of(tmp_path / "cat" / "cat-1") == "lasot"


def test_the_missing_lists_of_lasot_are_named_with_their_source(tmp_path):
    root = write_lasot(tmp_path)
    (root / "training_set.txt").unlink()
    with pytest.raises(DatasetError, match=r"no training_set.txt.*get training_set.txt .* from the results page"):
        read_dataset(DatasetSettings("lasot", str(root)))


@pytest.mark.parametrize("split, words", [("test", "expected one of train"), ("nonsense", "expected one of train")])
def test_a_split_that_is_not_there_is_refused(tmp_path, split, words):
    with pytest.raises(InvalidSettingError, match=words):
        read_videos(WRITERS["got10k"](tmp_path), split)


def test_a_split_of_what_has_none_is_refused(tmp_path):
    with pytest.raises(InvalidSettingError, match="has no splits"):
        read_videos(WRITERS["otb"](tmp_path), "train")


def test_a_folder_of_nothing_known_is_refused(tmp_path):
    write(tmp_path / "a" / "b.txt", "x")
    with pytest.raises(InvalidInputError, match="has no sequence in it"):
        read_videos(tmp_path)


# By format: a frame that is not the first, and the file with the boxes of its sequence.
FRAME_AND_LABELS = {
    "got10k": ("train/GOT-10k_Train_000001/00000003.jpg", "train/GOT-10k_Train_000001/groundtruth.txt"),
    "lasot": ("cat/cat-2/img/00000003.jpg", "cat/cat-2/groundtruth.txt"),
    "trackingnet": ("TRAIN_0/frames/abc_0/2.jpg", "TRAIN_0/anno/abc_0.txt"),
    "uav123": ("data_seq/UAV123/bike1/000003.jpg", "anno/UAV123/bike1.txt"),
}


def said_of(root, kind):
    problems = Problems()
    check_tracks(read_videos(root, "train" if kind == "trackingnet" else None, problems).tracks, problems)
    with pytest.raises(DatasetError) as raised:
        problems.raise_any()
    return str(raised.value)


@pytest.mark.parametrize("kind", FRAME_AND_LABELS)
def test_a_missing_frame_is_found_before_a_run(tmp_path, kind):
    root = WRITERS[kind](tmp_path)
    path = root / FRAME_AND_LABELS[kind][0]
    path.unlink()
    said = said_of(root, kind)
    assert f"{path.parent}: lacks 1 labelled file" in said and path.name in said


@pytest.mark.parametrize("line, words", [("nan,nan,nan,nan", "expected one with which tracking starts"),
                                         ("0,0,0,0", "expected one with which tracking starts"),
                                         ("900,9,9,9", "lies outside the 64 x 48 image")])  # fmt: skip
@pytest.mark.parametrize("kind", FRAME_AND_LABELS)
def test_a_first_box_that_is_none_is_found_before_a_run(tmp_path, kind, line, words):
    root = WRITERS[kind](tmp_path)
    path = root / FRAME_AND_LABELS[kind][1]
    path.write_text("\n".join([line, *path.read_text().splitlines()[1:]]))
    said = said_of(root, kind)
    assert words in said and "first frame" in said


@pytest.mark.parametrize("kind, path", [("davis", "Annotations/480p/dog/00002.png"),
                                        ("youtube_vos", "train/Annotations/abc/00010.png")])  # fmt: skip
def test_a_later_mask_that_is_damaged_is_found_before_a_run(tmp_path, kind, path):
    path = WRITERS[kind](tmp_path) / path
    path.write_bytes(path.read_bytes()[:60])
    assert "-1: 1 of its 4 masks cannot be read" in said_of(tmp_path, kind)


def test_sequences_of_one_name_are_told_apart(tmp_path):
    for place in ("a", "b"):
        write_otb(tmp_path / place)
    assert "2 sequences are called Car" in said_of(tmp_path, "otb")


def hide_later_masks(folder):
    """Keep what the test splits of segmentation data sets have: the mask of the frame in which an object appears."""
    for path in sorted(folder.iterdir())[1:]:
        path.unlink()


@pytest.mark.parametrize("kind, split", [("davis", "test-dev"), ("youtube_vos", "valid")])
def test_splits_with_first_masks_alone(tmp_path, kind, split):
    root = WRITERS[kind](tmp_path)
    if kind == "davis":
        (root / "ImageSets" / "2017" / "val.txt").rename(root / "ImageSets" / "2017" / "test-dev.txt")
        hide_later_masks(root / "Annotations" / "480p" / "dog")
    else:
        (root / "train").rename(root / "valid")
        hide_later_masks(root / "valid" / "Annotations" / "abc")
    problems = Problems()
    videos = read_videos(root, split, problems)
    check_tracks(videos.tracks, problems)
    problems.raise_any()
    assert len(videos.tracks) == 2 and len({track.scene for track in videos.tracks}) == 1
    for target, track in enumerate(videos.tracks):
        assert track.name.endswith(f"-{target + 1}") and track.present.tolist() == [True, False, False, False]
        np.testing.assert_array_equal(track.boxes_xywh[0], box_of(0, target))
        assert track.has_mask(0) and track.mask(0).any() and track.mask(1) is None
    assert figures(videos.tracks).keys() == {track.name for track in videos.tracks}
    with pytest.raises(InvalidSettingError, match=split):
        read_dataset(DatasetSettings(kind, str(root), split=split))


def test_an_object_that_appears_later_is_tracked_from_there(tmp_path):
    root = WRITERS["youtube_vos"](tmp_path)
    (root / "train").rename(root / "valid")
    place = root / "valid" / "Annotations" / "abc"
    hide_later_masks(place)
    write(place / "00000.png", labels(0, (1,)))
    write(place / "00010.png", labels(2, (0, 2)))
    first, second = read_videos(root).tracks
    assert first.numbers.tolist() == [0, 5, 10, 15] and second.numbers.tolist() == [10, 15]
    np.testing.assert_array_equal(second.boxes_xywh[0], box_of(2, 1))
