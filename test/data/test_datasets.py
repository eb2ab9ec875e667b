# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Readers of training data: each by a tiny data set in its layout, whose target is a red box on green."""

import dataclasses
import json
import pickle
import shutil
import struct
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
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
    write_coco,
    write_davis,
    write_got10k,
    write_lasot,
    write_otb,
    write_shards,
    write_youtube_vos,
    xml,
)

from siam_tracker_ros.data import FORMATS, DatasetSettings, check_datasets, read_dataset
from siam_tracker_ros.data.davis import VALIDATION
from siam_tracker_ros.data.problems import Problems
from siam_tracker_ros.data.shards import read_photos
from siam_tracker_ros.errors import DatasetError, InvalidInputError, InvalidSettingError
from siam_tracker_ros.geometry import one_based_to_xywh, pixels_to_xywh
from siam_tracker_ros.settings import make_settings

# Of each track of the training split: its name, its frames' numbers, in which frames the target is, which target it is.
TRACKS = {
    "coco": [("9-1", [0], [1], 0), ("9-2", [0], [1], 1), ("9-3", [0], [1], 0)],
    "davis": [("bear-1", [0, 1, 2, 3], [1, 1, 1, 1], 0), ("bear-2", [0, 1, 2, 3], [1, 1, 1, 1], 1)],
    "got10k": [
        ("GOT-10k_Train_000001", [1, 2, 3, 4], [1, 1, 1, 1], 0),
        ("GOT-10k_Train_000002", [1, 2, 3, 4], [1, 0, 0, 1], 0),
    ],
    "imagenet_det": [
        ("ILSVRC2013_train/n01/a_1/0", [0], [1], 0),
        ("ILSVRC2014_train_0000/a_1/0", [0], [1], 0),
    ],
    "imagenet_vid": [
        ("ILSVRC2015_VID_train_0000/ILSVRC2015_train_00000000/0", [0, 1, 2, 3], [1, 1, 1, 1], 0),
        ("ILSVRC2015_VID_train_0000/ILSVRC2015_train_00000000/1", [0, 1, 3], [1, 1, 1], 1),
    ],
    "lasot": [("cat-1", [1, 2, 3, 4], [1, 0, 1, 0], 0)],
    "otb": [("Car", [0, 1, 2, 3], [1, 1, 1, 1], 0)],
    "sequences": [("car", [0, 1, 2, 3], [1, 1, 1, 0], 0)],
    "shards": [("own-a", [10, 20], [1, 1], 0), ("own-b", [0], [1], 0)],
    "trackingnet": [
        ("TRAIN_0/abc_0", [0, 1, 2, 3], [1, 1, 1, 0], 0),
        ("TRAIN_11/abc_0", [0, 1, 2, 3], [1, 1, 1, 0], 0),
    ],
    "uav123": [
        ("bike1", [1, 2, 3, 4], [1, 1, 1, 1], 0),
        ("car6_1", [1, 2, 3, 4], [1, 1, 1, 1], 0),
        ("car6_2", [487, 488, 489, 490], [1, 1, 0, 1], 0),
    ],
    "vot": [
        ("car", [0, 1, 2, 3], [1, 1, 1, 0], 0),
        ("old", [0, 1, 2, 3], [1, 1, 1, 0], 0),
        ("late-a", [0, 1, 2, 3], [1, 1, 1, 0], 0),
        ("late-b", [2, 3], [1, 1], 1),
    ],
    "youtube_vos": [("abc-1", [0, 5, 10, 15], [1, 1, 1, 1], 0), ("abc-2", [5, 10, 15], [1, 1, 1], 1)],
}
# Number of scenes, where it is not that of the tracks.
SCENES = {"coco": 1, "davis": 1, "imagenet_vid": 1, "uav123": 2, "vot": 3, "youtube_vos": 1}
# By format, where it is not 1 and 0: how far apart the frames' numbers are, and the number of the first.
STEPS = {
    "got10k": (1, 1),
    "imagenet_det": (1, -1),
    "lasot": (1, 1),
    "shards": (10, 0),
    "uav123": (1, 1),
    "youtube_vos": (5, 0),
}
PARTS = {"car6_2": 487}  # and the number of the first frame of a track that begins later


def settings(kind, root, **more):
    return DatasetSettings(kind, str(root), **more)


def report(*datasets):
    with pytest.raises(DatasetError) as raised:
        check_datasets(list(datasets))
    return str(raised.value)


def test_every_format_is_tried():
    assert FORMATS.keys() == WRITERS.keys() == TRACKS.keys()


@pytest.mark.parametrize("kind", FORMATS)
def test_tracks_have_their_frames_boxes_and_masks(tmp_path, kind):
    (tracks,) = check_datasets([settings(kind, WRITERS[kind](tmp_path / "set"))])
    found = [(track.name, track.numbers.tolist(), track.present.astype(int).tolist()) for track in tracks]
    assert found == [expected[:3] for expected in TRACKS[kind]]
    assert len({track.scene for track in tracks}) == SCENES.get(kind, len(tracks))
    step, start = STEPS.get(kind, (1, 0))
    for track, (*_, target) in zip(tracks, TRACKS[kind]):
        assert track.video == (len(track) > 1) and track.boxes_xywh.dtype == np.float64
        assert track.dataset == (FORMATS[kind].name or "own") and track.unreadable == 0
        for i in np.flatnonzero(track.present):
            frame = (track.numbers[i] - PARTS.get(track.name, start)) // step
            np.testing.assert_array_equal(track.boxes_xywh[i], box_of(frame, target))
            if target == 0:  # the other is not drawn
                image = track.image_bgr(i)
                assert image.dtype == np.uint8 and image.shape == (HEIGHT, WIDTH, 3)
                red = ((image[..., 2] > 128) & (image[..., 1] < 60)).astype(np.uint8)
                np.testing.assert_allclose(cv2.boundingRect(red), box_of(frame), atol=1)  # JPEG blurs
            assert track.has_mask(i) == (track.mask(i) is not None)
            if track.has_mask(i):
                np.testing.assert_array_equal(track.mask(i), labels(frame, (0, 255) if target else (255,)))
                assert track.mask(i).dtype == np.uint8
        assert np.isnan(track.boxes_xywh[~track.present]).all()
        assert (track.valid_xywh(0) is None) == (kind != "shards")


@pytest.mark.parametrize("kind", FORMATS)
def test_tracks_survive_the_way_to_another_process(tmp_path, kind):
    track = read_dataset(settings(kind, WRITERS[kind](tmp_path / "set")))[0]
    twin = pickle.loads(pickle.dumps(track))
    np.testing.assert_array_equal(twin.image_bgr(0), track.image_bgr(0))
    np.testing.assert_array_equal(twin.boxes_xywh, track.boxes_xywh)


@pytest.mark.parametrize("most, kept", [(1, [1]), (2, [1, 4]), (9, [1, 4])])
def test_frames_are_thinned_among_those_with_the_target(tmp_path, most, kept):
    _, track = read_dataset(settings("got10k", write_got10k(tmp_path), max_frames=most))
    assert track.numbers.tolist() == kept
    assert track.present.all() and len(track.boxes_xywh) == len(kept)
    np.testing.assert_array_equal(track.boxes_xywh[-1], box_of(kept[-1] - 1))


@pytest.mark.parametrize(
    "kind, left_out, kept",
    [
        ("shards", {"own-a": 20}, {"own-a": [10], "own-b": [0]}),
        ("shards", {"own-a": 0}, {"own-b": [0]}),
        ("shards", {"own-a": 11, "own-b": 1}, {"own-a": [10], "own-b": [0]}),
        ("youtube_vos", {"abc-1": 10}, {"abc-1": [0, 5], "abc-2": [5, 10, 15]}),
    ],
)
def test_frames_whose_labels_are_wrong_are_left_out(tmp_path, kind, left_out, kept):
    (tracks,) = check_datasets([settings(kind, WRITERS[kind](tmp_path), leave_out=left_out)])
    assert {track.name: track.numbers.tolist() for track in tracks} == kept


def test_names_that_leave_nothing_out_are_refused(tmp_path):
    said = report(settings("shards", write_shards(tmp_path), leave_out={"own-c": 3, "own-a": 20}))
    assert "has no track own-c to leave out, expected one such as own-" in said and "1 problem" in said


def test_masks_are_thinned_without_decoding_them(tmp_path):
    root = write_youtube_vos(tmp_path)
    (root / "train" / "Annotations" / "abc" / "00005.png").write_bytes(b"junk")
    track = read_dataset(settings("youtube_vos", root, max_frames=2))[0]
    assert track.numbers.tolist() == [0, 15] and track.unreadable == 0


def test_names_and_splits_are_those_of_the_settings(tmp_path):
    (track,) = read_dataset(settings("lasot", write_lasot(tmp_path), name="mine", split="test"))
    assert (track.dataset, track.name) == ("mine", "cat-2")
    (first, _) = read_dataset(settings("shards", write_shards(tmp_path / "shards"), name="mine"))
    assert first.dataset == "mine"


@pytest.mark.parametrize("year", ["2016", "2017"])
def test_each_half_of_davis_comes_alone(tmp_path, year):
    root = write_davis(tmp_path, year)
    for split, sequence in (("train", "bear"), ("val", "dog")):
        tracks = read_dataset(settings("davis", root, split=split))
        assert {track.name.partition("-")[0] for track in tracks} == {sequence}
        assert len(tracks) == {"2016": 1, "2017": 2}[year]
    np.testing.assert_array_equal(tracks[0].boxes_xywh[2], box_of(2))


@pytest.mark.parametrize("year", ["2016", "2017"])
@pytest.mark.parametrize("name", ["blackswan", "gold-fish"])
def test_davis_validation_sequences_are_not_trained_on(tmp_path, year, name):
    said = report(settings("davis", write_davis(tmp_path, year, train=name)))
    assert "train.txt" in said and name in said
    assert len(VALIDATION) == 30


@pytest.mark.parametrize("separator", [",", "\t", " ", ", "])
@pytest.mark.parametrize("start", [1, 247])
def test_otb_boxes_come_with_any_separator_and_first_number(tmp_path, separator, start):
    (track,) = check_datasets([settings("otb", write_otb(tmp_path, separator=separator, start=start))])[0]
    np.testing.assert_array_equal(track.boxes_xywh[3], box_of(3))
    assert track.path(3).name == f"{start + 3:04d}.jpg"


@pytest.mark.parametrize(
    "name, images, first",
    [("David", 299 + FRAMES, 299), ("david", 310, 299), ("Freeman3", 9, 0), ("Football1", FRAMES, 0)],
)
def test_sequences_of_otb_that_are_labelled_in_part(tmp_path, name, images, first):
    for number in range(images):
        write(tmp_path / name / "img" / f"{number + 1:04d}.jpg", b"")
    write(tmp_path / name / "groundtruth_rect.txt", lines(one_based(frame) for frame in range(FRAMES)))
    (track,) = read_dataset(settings("otb", tmp_path))
    assert track.path(0).name == f"{first + 1:04d}.jpg" and len(track) == FRAMES


def test_several_targets_of_a_sequence_of_otb(tmp_path):
    place = write_otb(tmp_path, "Jogging") / "Jogging"
    (place / "groundtruth_rect.txt").rename(place / "groundtruth_rect.1.txt")
    write(place / "groundtruth_rect.2.txt", lines(one_based(frame, 1) for frame in range(FRAMES)))
    first, second = read_dataset(settings("otb", tmp_path))
    assert (first.name, second.name) == ("Jogging.1", "Jogging.2")
    np.testing.assert_array_equal(second.boxes_xywh[1], box_of(1, 1))
    write(place / "groundtruth_rect.1.txt", "\n")  # as in Human4
    assert [track.name for track in read_dataset(settings("otb", tmp_path))] == ["Jogging"]


def test_pictures_of_coco_may_lie_in_images(tmp_path):
    (write_coco(tmp_path) / "train2017").rename(tmp_path / "picts")
    (tmp_path / "images").mkdir()
    (tmp_path / "picts").rename(tmp_path / "images" / "train2017")
    assert len(check_datasets([settings("coco", tmp_path)])[0]) == 3


def test_photos_are_located(tmp_path):
    problems = Problems()
    (photo,) = read_photos(write_shards(tmp_path), problems)
    assert photo.image_bgr().shape == (HEIGHT, WIDTH, 3) and not len(problems)


ODD_BOXES = [
    ("nan,nan,nan,nan", False),
    ("NaN\tNaN\tNaN\tNaN", False),
    ("0,0,0,0", False),
    ("-1,-1,-1,-1", False),
    ("5,5,0,9", False),
    ("5,5,9,-2", False),
    ("inf,5,9,9", False),
    ("-3,-4,20,20", True),
    ("5.5,5.25,1,1", True),
]


@pytest.mark.parametrize("line, present", ODD_BOXES)
def test_boxes_that_are_none_mean_that_the_target_is_absent(tmp_path, line, present):
    root = write_otb(tmp_path)
    path = root / "Car" / "groundtruth_rect.txt"
    path.write_text("\n".join([line, *path.read_text().splitlines()[1:]]))
    (track,) = read_dataset(settings("otb", root))
    assert track.present.tolist() == [present, True, True, True]


@pytest.mark.parametrize("kind, absent", [("got10k", [[0] * 4, [0, 1, 1, 0]]), ("lasot", [[0, 1, 0, 1]])])
def test_flags_say_where_the_target_is_absent(tmp_path, kind, absent):
    tracks = read_dataset(settings(kind, WRITERS[kind](tmp_path)))
    assert [track.absent.tolist() for track in tracks] == absent
    for track in tracks:
        np.testing.assert_array_equal(track.present, ~track.absent)


@pytest.mark.parametrize("flags, absent", [(None, None), ("0\n0\n0\n1\n", [0, 0, 0, 1]), ("0,0,0,0", [0, 0, 0, 0])])
def test_own_footage_may_say_where_the_target_is_absent(tmp_path, flags, absent):
    root = WRITERS["sequences"](tmp_path)
    if flags is not None:
        (root / "car" / "absent.txt").write_text(flags)
    (track,) = read_dataset(settings("sequences", root))
    assert (None if track.absent is None else track.absent.tolist()) == absent
    if absent is not None:
        assert track.take([0, 3]).absent.tolist() == [absent[0], absent[3]]


@pytest.mark.parametrize(
    "convert, box, expected",
    [
        (one_based_to_xywh, (1, 1, 640, 480), (0, 0, 640, 480)),
        (one_based_to_xywh, (2.5, 1, 3, 4), (1.5, 0, 3, 4)),
        (pixels_to_xywh, (0, 0, 639, 479), (0, 0, 640, 480)),
        (pixels_to_xywh, (5, 6, 5, 6), (5, 6, 1, 1)),  # one pixel
    ],
)
def test_boxes_by_other_conventions(convert, box, expected):
    np.testing.assert_array_equal(convert(np.array([box], float)), [expected])
    np.testing.assert_array_equal(convert(np.array(box, float)), expected)


STRAYS = {".DS_Store": b"x", "Thumbs.db": b"x", "desktop.ini": b"[.ShellClassInfo]"}
APPLE_DOUBLE = b"\0\5\x16\7\0\2\0\0Mac OS X        " + bytes(26)


@pytest.mark.parametrize("kind", WRITERS)
def test_what_computers_leave_in_folders_is_passed_over(kind, tmp_path):
    expected = read_dataset(settings(kind, WRITERS[kind](tmp_path / "clean")))
    root = WRITERS[kind](tmp_path / "set")
    for folder in [root, *(path for path in root.rglob("*") if path.is_dir())]:
        for path in list(folder.iterdir()):  # as editors and desktops keep copies
            copy = shutil.copytree if path.is_dir() else shutil.copyfile
            copy(path, folder / f".{path.name}")
            if path.is_file():
                write(folder / ".ipynb_checkpoints" / f"{path.stem}-checkpoint{path.suffix}", path.read_bytes())
        doubles = {f"._{path.name}": APPLE_DOUBLE for path in folder.iterdir()}
        for name, content in (STRAYS | doubles).items():
            write(folder / name, content)
    (read,) = check_datasets([settings(kind, root)])
    assert [track.name for track in read] == [track.name for track in expected]
    for track, clean in zip(read, expected):
        np.testing.assert_array_equal(track.numbers, clean.numbers)
        np.testing.assert_array_equal(track.boxes_xywh, clean.boxes_xywh)
        np.testing.assert_array_equal(track.image_bgr(0), clean.image_bgr(0))


@pytest.mark.parametrize("kind", WRITERS)
def test_a_byte_order_mark_is_no_part_of_a_text(kind, tmp_path):
    expected = read_dataset(settings(kind, WRITERS[kind](tmp_path / "clean")))
    root = WRITERS[kind](tmp_path / "set")
    for path in root.rglob("*"):
        if path.suffix in (".json", ".label", ".txt", ".xml"):
            path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    read = read_dataset(settings(kind, root))
    assert [track.name for track in read] == [track.name for track in expected]
    for track, clean in zip(read, expected):
        np.testing.assert_array_equal(track.boxes_xywh, clean.boxes_xywh)


@pytest.mark.parametrize("kind", ["got10k", "lasot"])
def test_a_list_may_name_what_is_not_utf_8(kind, tmp_path):
    root = WRITERS[kind](tmp_path)
    (path,) = root.glob({"got10k": "*/list.txt", "lasot": "training_set.txt"}[kind])
    old = path.read_text().split()[0]
    new = b"caf\xe9-1"
    next(root.rglob(old)).rename(next(root.rglob(old)).parent / new.decode("utf-8", "surrogateescape"))
    if kind == "lasot":
        (root / "cat").rename(root / b"caf\xe9".decode("utf-8", "surrogateescape"))
    path.write_bytes(new + b"\n")
    ((track,),) = check_datasets([settings(kind, root)])
    assert track.name.encode("utf-8", "surrogateescape") == new
    assert track.image_bgr(0).shape == (HEIGHT, WIDTH, 3)


def tagged(jpeg, orientation):
    """The JPEG with an EXIF tag of orientation."""
    body = b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">HHHIHH", 1, 0x0112, 3, 1, orientation, 0) + bytes(4)
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def state_size(path, width=WIDTH, height=HEIGHT):
    """Write the size into a label file of ImageNet."""
    size = f"<size><width>{width}</width><height>{height}</height></size>"
    path.write_text(path.read_text().replace("<object>", f"{size}<object>", 1))


@pytest.mark.parametrize("orientation", [3, 6, 8])
@pytest.mark.parametrize("kind", ["coco", "davis", "imagenet_det", "imagenet_vid", "youtube_vos"])
def test_pictures_are_turned_as_their_labels_are(kind, orientation, tmp_path):
    root = WRITERS[kind](tmp_path)
    for path in root.rglob("*.xml"):
        state_size(path)
    expected = [track.image_bgr(0) for track in read_dataset(settings(kind, root))]
    for path in [path for path in root.rglob("*") if path.suffix in (".jpg", ".JPEG")]:
        path.write_bytes(tagged(path.read_bytes(), orientation))
    (tracks,) = check_datasets([settings(kind, root)])
    for track, image_bgr in zip(tracks, expected, strict=True):
        np.testing.assert_array_equal(track.image_bgr(0), image_bgr)


@pytest.mark.parametrize("kind", ["coco", "imagenet_det", "imagenet_vid"])
def test_a_picture_of_another_size_than_its_labels_is_refused(kind, tmp_path):
    root = WRITERS[kind](tmp_path)
    for path in root.rglob("*.xml"):
        state_size(path)
    for path in root.rglob("*"):
        if path.suffix in (".jpg", ".JPEG"):
            write(path, cv2.imread(str(path))[:-1])
    assert "has 64 x 47 pixels, expected 64 x 48 as its labels state" in report(settings(kind, root))


def remove(*parts):
    return lambda root: [path.unlink() for path in root.glob("/".join(parts))]


def replace(parts, content):
    return lambda root: [write(path, content) for path in list(root.glob(parts)) or [root / parts]]


def cut(parts, share=0.5):
    return lambda root: [
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)]) for path in root.glob(parts)
    ]


GOT = "train/GOT-10k_Train_000001"
# By format: what is done to the data set, and what the report names.
DAMAGE = [
    ("got10k", remove(GOT, "00000003.jpg"), [f"{GOT}: lacks 1 labelled file", "00000003.jpg"]),
    ("got10k", remove(GOT, "*.jpg"), [f"{GOT}: lacks 4 labelled files", "00000003.jpg, ..."]),
    ("got10k", remove(GOT, "*"), [f"{GOT}/groundtruth.txt: is missing"]),
    ("got10k", replace("train/list.txt", "other\n"), ["train/other: is missing"]),
    ("got10k", replace("train/list.txt", "\n"), ["list.txt: is empty"]),
    ("got10k", replace(f"{GOT}/groundtruth.txt", ""), [f"{GOT}/groundtruth.txt: is empty"]),
    ("got10k", replace(f"{GOT}/groundtruth.txt", "1,2,3\n"), ["groundtruth.txt: line 1 is '1,2,3'"]),
    ("got10k", replace(f"{GOT}/groundtruth.txt", "1,2,3,4\n1,2,3\n"), ["groundtruth.txt: line 2 is '1,2,3'"]),
    ("got10k", replace(f"{GOT}/groundtruth.txt", "1,2,3,4\n\n1,2,3,4\n"), ["groundtruth.txt: line 2 is ''"]),
    ("got10k", replace(f"{GOT}/groundtruth.txt", "a,b,c,d\n"), ["groundtruth.txt: line 1 is 'a,b,c,d'"]),
    ("got10k", replace(f"{GOT}/groundtruth.txt", b"\xff\xfe\x00"), ["groundtruth.txt: cannot be read"]),
    ("got10k", replace(f"{GOT}/absence.label", "0\n0\n0\n"), ["absence.label: has 3 whole numbers, expected 4"]),
    ("got10k", replace(f"{GOT}/cover.label", "8\n8\nnan\n0.5\n"), ["cover.label: has 2 whole numbers, expected 4"]),
    ("got10k", remove(GOT, "cover.label"), ["cover.label: is missing"]),
    ("got10k", cut("train/*/*.jpg"), [f"{GOT}/00000001.jpg cannot be decoded", "8 unusable frames of 8"]),
    (
        "got10k",
        replace("train/*/*.jpg", np.zeros((5, 5, 3), np.uint8)),
        ["lies outside, expected one that fits its 5 x 5 pixels"],
    ),
    ("lasot", remove("cat/cat-1/out_of_view.txt"), ["cat-1/out_of_view.txt: is missing"]),
    ("lasot", replace("cat/cat-1/full_occlusion.txt", "0,1"), ["full_occlusion.txt: has 2 whole numbers, expected 4"]),
    ("lasot", replace("training_set.txt", "dog-1\ndog-2\n"), ["1 problem", "dog: is missing"]),
    ("lasot", remove("cat/cat-1/img/*2.jpg"), ["cat-1/img: lacks 1 labelled file"]),
    ("trackingnet", remove("TRAIN_0/anno/abc_0.txt"), ["TRAIN_0/anno: holds no boxes"]),
    ("trackingnet", lambda root: (root / "TRAIN_0/frames").rename(root / "x"), ["TRAIN_0/frames: is missing"]),
    ("imagenet_vid", cut("Annotations/VID/train/*/*/000001.xml"), ["000001.xml: cannot be read"]),
    ("imagenet_vid", replace("Annotations/VID/train/*/*/000002.xml", xml({0: (0, 0, 9, 9)})[:-40]), ["000002.xml"]),
    ("imagenet_vid", remove("Data/VID/train/*/*/000003.JPEG"), ["00000000: lacks 1 labelled file", "000003.JPEG"]),
    (
        "imagenet_vid",
        replace("Annotations/VID/train/*/*/x.xml", xml({0: box_of(0)})),
        ["called", "000000.xml, 000001.xml"],
    ),
    ("imagenet_det", remove("Data/DET/train/*/*/*.JPEG"), ["ILSVRC2013_train/n01: lacks 1 labelled file", "a_1.JPEG"]),
    ("imagenet_det", replace("Annotations/DET/train/*/a_1.xml", "<a><object/></a>"), ["a_1.xml: cannot be read"]),
    ("coco", cut("annotations/*.json"), ["instances_train2017.json: is not JSON"]),
    ("coco", replace("annotations/*.json", "{}"), ["instances_train2017.json: has no 'images'"]),
    ("coco", replace("annotations/*.json", "[]"), ["instances_train2017.json: cannot be understood"]),
    ("coco", remove("train2017/*.jpg"), ["train2017: lacks 1 labelled file", "000000000009.jpg"]),
    ("youtube_vos", remove("train/Annotations/abc/00010.png"), ["Annotations/abc: lacks 1 labelled file", "00010.png"]),
    ("youtube_vos", cut("train/Annotations/abc/*.png"), ["00000.png cannot be read"]),
    ("youtube_vos", replace("train/meta.json", '{"videos": {"abc": {}}}'), ["meta.json: has no 'objects'"]),
    ("davis", remove("JPEGImages/480p/bear/00002.jpg"), ["JPEGImages/480p/bear: lacks 1 labelled file"]),
    ("davis", remove("Annotations/480p/bear/*.png"), ["Annotations/480p/bear: is empty"]),
    ("davis", cut("Annotations/480p/bear/00000.png"), ["bear/00000.png cannot be read"]),
    ("davis", remove("ImageSets/*/train.txt"), ["2017/train.txt: is missing"]),
    ("davis", replace("ImageSets/2017/train.txt", "bear\nbear/a.jpg x\n"), ["train.txt: has the line 'bear/a.jpg x'"]),
    ("otb", remove("Car/img/0003.jpg"), ["groundtruth_rect.txt: has 4 boxes for 3 images"]),
    ("otb", remove("Car/img/*"), ["Car/img: holds no image"]),
    ("otb", replace("Car/groundtruth_rect.txt", "\n"), ["groundtruth_rect.txt: is empty"]),
    ("sequences", remove("car/img/frame9.png"), ["3 images in img and 4 in groundtruth.txt"]),
    ("sequences", replace("car/mask/*.png", np.zeros((9, 9), np.uint8)), ["its mask is 9 x 9 pixels"]),
    ("shards", cut("tracks-00.tar"), ["tracks-00.tar: "]),
    ("shards", replace("tracks-00.tar", b"junk" * 300), ["tracks-00.tar: cannot be read"]),
    ("shards", replace("index.json", "{}"), ["index.json: cannot be read"]),
    ("sequences", replace("car/absent.txt", "0\n0\n1\n"), ["car/absent.txt: has 3 whole numbers, expected 4"]),
    ("sequences", replace("car/absent.txt", ""), ["car/absent.txt: is empty"]),
    ("sequences", replace("car/absent.txt", "0\n2\n0\n1\n"), ["car/absent.txt: number 2 is 2, expected 0, or 1 where"]),
    ("sequences", replace("car/absent.txt", "0\n1\n0\n1\n"), ["car/absent.txt: number 2 is 1, and there is a box"]),
    ("shards", replace("tracks-00.tar", b""), ["tracks-00.tar: cannot be read"]),
]


@pytest.mark.parametrize("kind, damage, named", DAMAGE)
def test_damage_is_named_by_file(tmp_path, kind, damage, named):
    root = WRITERS[kind](tmp_path / "set")
    damage(root)
    said = report(settings(kind, root))
    for part in named:
        assert part in said
    assert "expected" in said and str(root) in said


def drop(extension):
    return lambda key, members: key.endswith("20") and members.pop(extension)


def forget(name):
    return lambda key, members: key.endswith("20") and members["json"].pop(name)


@pytest.mark.parametrize(
    "change, named",
    [
        (drop("webp"), "sample own-a-20 has no .webp"),
        (drop("json"), "sample own-a-20 has no .json"),
        *((forget(name), f"own-a-20.json has no '{name}'") for name in ("set", "frame", "box_xywh", "valid_xywh")),
        (lambda key, members: members.update(webp=b""), "own-a-10.webp cannot be decoded"),
        (lambda key, members: members["json"].update(box_xywh=[1, 2]), "own-a-10.json cannot be read"),
        (lambda key, members: members["json"].update(box_xywh=[900, 2, 3, 4]), "lies outside"),
    ],
)
def test_samples_of_shards_with_something_missing(tmp_path, change, named):
    said = report(settings("shards", write_shards(tmp_path, change)))
    assert named in said and "tracks-00.tar" in said


def test_masks_of_0_and_1_in_shards_are_read_as_those_in_files(tmp_path):
    mask = cv2.imencode(".png", labels(0, (1,)))[1].tobytes()
    tracks = read_dataset(settings("shards", write_shards(tmp_path, lambda _, members: members.update(png=mask))))
    for track in tracks:
        np.testing.assert_array_equal(track.mask(0), labels(0, (255,)))


def test_a_shard_that_was_cut_between_members_is_found(tmp_path):
    path = write_shards(tmp_path) / "tracks-00.tar"
    with tarfile.open(path) as shard:
        last = shard.getmembers()[-1]
    path.write_bytes(path.read_bytes()[: last.offset])
    assert f"{path}: was cut after sample own-b-0" in report(settings("shards", tmp_path))


def test_shards_are_compared_with_their_index(tmp_path):
    size = (write_shards(tmp_path) / "tracks-00.tar").stat().st_size
    sizes = {"tracks-00.tar": {"bytes": size}, "photos-00.tar": {"bytes": 7}, "tracks-01.tar": {"bytes": 5}}
    write(tmp_path / "index.json", json.dumps({"shards": sizes}))
    said = report(settings("shards", tmp_path))
    assert "2 problems" in said and "photos-00.tar: has" in said and "tracks-01.tar: is missing" in said


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("level", ["above", "below", "nothing", "missing", "file"])
def test_another_level_of_a_data_set_is_told(tmp_path, kind, level):
    root = WRITERS[kind](tmp_path / "data" / "set")
    inner = next(path for path in sorted(root.iterdir(), reverse=True) if path.is_dir()) if kind != "shards" else root
    empty = tmp_path / "other"
    given = {
        "above": tmp_path / "data",
        "below": inner,
        "nothing": empty,
        "missing": tmp_path / "absent",
        "file": tmp_path / "file",
    }[level]
    empty.mkdir()
    write(tmp_path / "file", "")
    if given == root:
        return
    said = report(settings(kind, given))
    assert f"{given}: " in said and kind in said
    assert (f"set path to {root}, which has it" in said) == (level in ("above", "below"))


def test_problems_of_all_data_sets_are_told_at_once(tmp_path):
    good, bad, gone = write_lasot(tmp_path / "a"), write_coco(tmp_path / "b"), tmp_path / "c"
    (bad / "train2017" / "000000000009.jpg").unlink()
    said = report(settings("lasot", good), settings("coco", bad), settings("davis", gone))
    assert "2 problems" in said and f"{bad}/train2017: " in said and f"{gone}: is missing" in said
    assert str(good) not in said


def test_many_problems_are_counted(tmp_path):
    names = [f"seq{number}" for number in range(25)]
    write(tmp_path / "train" / "list.txt", "\n".join(names))
    said = report(settings("got10k", tmp_path))
    assert "25 problems" in said and "seq19:" in said and "seq20" not in said and said.endswith("and 5 more")


def test_few_broken_frames_do_not_stop_a_run(tmp_path):
    root = tmp_path / "Long"
    for number in range(40):
        write(root / "img" / f"{number:04d}.png", picture(0))
    write(root / "groundtruth_rect.txt", lines([one_based(0)] * 40))
    write(root / "img" / "0007.png", b"junk")
    (track,) = check_datasets([settings("otb", tmp_path)])[0]
    with pytest.raises(InvalidInputError, match=r"0007\.png"):
        track.image_bgr(7)
    for number in (17, 27, 37):
        write(root / "img" / f"{number:04d}.png", b"")
    said = report(settings("otb", tmp_path))
    assert "0017.png" in said and "one of 4 unusable frames of 40" in said


def test_a_broken_mask_costs_one_frame(tmp_path):
    root = write_youtube_vos(tmp_path)
    write(root / "train" / "Annotations" / "abc" / "00005.png", b"junk")
    first = read_dataset(settings("youtube_vos", root))[0]
    assert first.present.tolist() == [True, False, True, True] and first.unreadable == 1
    with pytest.raises(InvalidInputError, match=r"00005\.png"):
        first.mask(1)


def test_a_mask_in_colours_is_refused(tmp_path):
    root = write_youtube_vos(tmp_path)
    write(root / "train" / "Annotations" / "abc" / "00005.png", picture(0))
    with pytest.raises(InvalidInputError, match=r"00005\.png has colours, expected the numbers of objects"):
        read_dataset(settings("youtube_vos", root))[0].mask(1)


@pytest.mark.parametrize("change, named", [({"format": "voc"}, "'voc'.*got10k"), ({"split": "test"}, "'test'.*train")])
def test_unknown_formats_and_splits_are_refused(tmp_path, change, named):
    with pytest.raises(InvalidSettingError, match=named):
        read_dataset(dataclasses.replace(settings("got10k", tmp_path), **change))


def test_the_recipe_of_lite_leaves_out_the_second_car(shared_data):
    """The box of UAV123's car14 at 10 frames per second is on another car from frame 298 on."""
    recipe = yaml.safe_load((Path(__file__).parents[2] / "config" / "train" / "lite.yaml").read_text())
    shards = next(dataset for dataset in recipe["data"]["datasets"] if dataset["path"] == "data/train")
    (tracks,) = check_datasets([make_settings(DatasetSettings, {**shards, "path": str(shared_data / "train")}, "test")])
    (car,) = (track for track in tracks if track.name == "UAV123_10fps-car14_1")
    assert (len(car), car.numbers.max()) == (23, 261)
    assert sum(map(len, tracks)) == 16615 - 13


def test_the_published_shards_read_whole(shared_data):
    (tracks,) = check_datasets([settings("shards", shared_data / "train")])
    assert (len(tracks), sum(map(len, tracks)), sum(track.video for track in tracks)) == (10415, 16615, 797)
    assert all(track.present.all() for track in tracks)
