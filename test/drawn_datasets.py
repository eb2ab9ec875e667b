# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Tiny data sets, each in its layout on disk, whose target is a red box on green."""

import io
import json
import tarfile

import cv2
import numpy as np
import pytest

WIDTH, HEIGHT, FRAMES = 64, 48, 4
RED, GREEN = (0, 0, 255), (0, 120, 0)


def box_of(frame, target=0):
    """Where a target is in a frame, x, y, w, h."""
    return 8 + 3 * frame, 6 + frame + 22 * target, 14 + frame, 10


def picture(frame, target=0):
    image = np.full((HEIGHT, WIDTH, 3), GREEN, np.uint8)
    x, y, w, h = box_of(frame, target)
    image[y : y + h, x : x + w] = RED
    return image


def labels(frame, values=(1,)):
    """One label a target."""
    label = np.zeros((HEIGHT, WIDTH), np.uint8)
    for target, value in enumerate(values):
        x, y, w, h = box_of(frame, target)
        label[y : y + h, x : x + w] = value
    return label


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, str):
        path.write_text(content)
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        assert cv2.imwrite(str(path), content)
    return path


def write_indexed(path, label):
    """A PNG of labels with a palette, as the video segmentation sets have them."""
    image_module = pytest.importorskip("PIL.Image")
    path.parent.mkdir(parents=True, exist_ok=True)
    image = image_module.fromarray(label, mode=None).convert("P")
    image.putdata(label.ravel().tolist())
    image.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0])
    image.save(path)


def lines(rows, separator=","):
    return "".join(separator.join(f"{value:g}" for value in row) + "\n" for row in rows)


def one_based(frame, target=0):
    x, y, w, h = box_of(frame, target)
    return x + 1, y + 1, w, h


def write_got10k(root, split="train"):
    write(root / split / "list.txt", "GOT-10k_Train_000001\nGOT-10k_Train_000002\n")
    for number in (1, 2):
        place = root / split / f"GOT-10k_Train_{number:06d}"
        for frame in range(FRAMES):
            write(place / f"{frame + 1:08d}.jpg", picture(frame))
        write(place / "groundtruth.txt", lines(one_based(frame) for frame in range(FRAMES)))
        write(place / "absence.label", "0\n1\n0\n0\n" if number == 2 else "0\n" * FRAMES)
        write(place / "cover.label", "8\n8\n0\n3\n" if number == 2 else "8\n" * FRAMES)
    return root


def write_lasot(root):
    for name, list_name in (("cat-1", "training_set.txt"), ("cat-2", "testing_set.txt")):
        write(root / list_name, f"{name}\n")
        place = root / "cat" / name
        for frame in range(FRAMES):
            write(place / "img" / f"{frame + 1:08d}.jpg", picture(frame))
        write(place / "groundtruth.txt", lines(one_based(frame) for frame in range(FRAMES)))
        write(place / "full_occlusion.txt", "0,1,0,0")
        write(place / "out_of_view.txt", "0,0,0,1")
    return root


def write_trackingnet(root):
    for part in ("TRAIN_0", "TRAIN_11"):
        boxes = [box_of(frame) for frame in range(FRAMES)]
        write(root / part / "anno" / "abc_0.txt", lines([*boxes[:-1], (0, 0, 0, 0)]))
        for frame in range(FRAMES):
            write(root / part / "frames" / "abc_0" / f"{frame}.jpg", picture(frame))
    write(root / "TEST" / "anno" / "test_0.txt", lines([box_of(0)]))
    return root


def xml(objects):
    things = "".join(
        f"<object><trackid>{track}</trackid><name>n02</name><bndbox><xmax>{x + w - 1}</xmax><xmin>{x}</xmin>"
        f"<ymax>{y + h - 1}</ymax><ymin>{y}</ymin></bndbox><occluded>0</occluded></object>"
        for track, (x, y, w, h) in objects.items()
    )
    return f"<annotation><folder>f</folder><filename>f</filename>{things}</annotation>"


def write_vid(root):
    for split, snippet in (
        ("train", "ILSVRC2015_VID_train_0000/ILSVRC2015_train_00000000"),
        ("val", "ILSVRC2015_val_00000000"),
    ):
        for frame in range(FRAMES):
            objects = {0: box_of(frame), 1: box_of(frame, 1)}
            if frame == 2:
                del objects[1]
            write(root / "Annotations" / "VID" / split / snippet / f"{frame:06d}.xml", xml(objects))
            write(root / "Data" / "VID" / split / snippet / f"{frame:06d}.JPEG", picture(frame))
    return root


def write_det(root):
    for place in ("ILSVRC2013_train/n01", "ILSVRC2014_train_0000"):
        write(root / "Annotations" / "DET" / "train" / place / "a_1.xml", xml({None: box_of(1)}))
        write(root / "Data" / "DET" / "train" / place / "a_1.JPEG", picture(1))
    return root


def write_coco(root):
    pytest.importorskip("pycocotools")
    x, y, w, h = box_of(0)
    polygon = [[x, y, x + w, y, x + w, y + h, x, y + h]]
    runs = np.diff(np.flatnonzero(np.diff(labels(0, (0, 1)).T.ravel(), prepend=0, append=0)), prepend=0).tolist()
    runs += [WIDTH * HEIGHT - sum(runs)]
    sized = {"image_id": 9, "iscrowd": 0, "category_id": 1}
    content = {
        "images": [{"id": 9, "file_name": "000000000009.jpg", "width": WIDTH, "height": HEIGHT}],
        "annotations": [
            {"id": 1, **sized, "bbox": box_of(0), "segmentation": polygon},
            {"id": 2, **sized, "bbox": box_of(0, 1), "segmentation": {"counts": runs, "size": [HEIGHT, WIDTH]}},
            {"id": 3, **sized, "bbox": box_of(0), "segmentation": []},
            {"id": 4, **sized, "iscrowd": 1, "bbox": [0, 0, 60, 40], "segmentation": {}},
        ],
    }
    write(root / "annotations" / "instances_train2017.json", json.dumps(content))
    write(root / "train2017" / "000000000009.jpg", picture(0))
    return root


def write_youtube_vos(root):
    numbers = [5 * frame for frame in range(FRAMES)]
    for frame, number in enumerate(numbers):
        write(root / "train" / "JPEGImages" / "abc" / f"{number:05d}.jpg", picture(frame))
        write_indexed(root / "train" / "Annotations" / "abc" / f"{number:05d}.png", labels(frame, (1, 2)))
    frames = [f"{number:05d}" for number in numbers]
    objects = {"1": {"category": "a", "frames": frames}, "2": {"category": "b", "frames": frames[1:]}}
    write(root / "train" / "meta.json", json.dumps({"videos": {"abc": {"objects": objects}}}))
    return root


def write_davis(root, year="2017", train="bear"):
    for name in (train, "dog"):
        for frame in range(FRAMES):
            write(root / "JPEGImages" / "480p" / name / f"{frame:05d}.jpg", picture(frame))
            path = root / "Annotations" / "480p" / name / f"{frame:05d}.png"
            if year == "2017":
                write_indexed(path, labels(frame, (1, 2)))
            else:
                write(path, labels(frame, (255,)))
    pair = "/JPEGImages/480p/{0}/{1:05d}.jpg /Annotations/480p/{0}/{1:05d}.png \n"
    for name, split in ((train, "train"), ("dog", "val")):
        listed = f"{name}\n" if year == "2017" else "".join(pair.format(name, frame) for frame in range(FRAMES))
        write(root / "ImageSets" / {"2017": "2017", "2016": "480p"}[year] / f"{split}.txt", listed)
    return root


def write_otb(root, name="Car", separator=",", start=1, images=FRAMES):
    for number in range(images):
        write(root / name / "img" / f"{start + number:04d}.jpg", picture(max(number - images + FRAMES, 0)))
    write(root / name / "groundtruth_rect.txt", lines((one_based(frame) for frame in range(FRAMES)), separator))
    return root


def write_sequences(root):
    for frame in range(FRAMES):
        write(root / "car" / "img" / f"frame{frame + 8}.png", picture(frame))
        write(root / "car" / "mask" / f"{frame + 1:06d}.png", labels(frame, (255,)))
    boxes = lines(box_of(frame) for frame in range(FRAMES - 1)) + "nan,nan,nan,nan\n"
    write(root / "car" / "groundtruth.txt", boxes)
    return root


def write_uav123(root, part="UAV123", thinned=1):
    """A whole video, and the two parts of another, whose second begins at frame 3 * 487 / 3 = 487 or 163."""
    start = {1: 487, 3: 163}[thinned]
    for video, first in (("bike1", 1), ("car6", 1), ("car6", start)):
        for frame in range(FRAMES):
            write(root / "data_seq" / part / video / f"{first + frame:06d}.jpg", picture(frame))
    for name in ("bike1", "car6_1", "car6_2"):
        boxes = [one_based(frame) for frame in range(FRAMES)]
        boxes[2] = (np.nan,) * 4 if name == "car6_2" else boxes[2]
        write(root / "anno" / part / f"{name}.txt", lines(boxes))
        write(root / "anno" / part / "att" / f"{name}.txt", "1,0,0,0,0,1,0,0,0,0,0,0\n")
    return root


def region(kind, frame, target=0):
    """A line of VOT's ground truth."""
    x, y, w, h = box_of(frame, target)
    if kind == "mask":
        return f"m{x},{y},{w},{h},0,{w * h}"
    corners = (x, y + h / 2, x + w / 2, y, x + w, y + h / 2, x + w / 2, y + h)  # of a square that is turned
    return ",".join(f"{value:g}" for value in ((x, y, w, h) if kind == "rectangle" else corners))


def write_vot(root):
    write(root / "list.txt", "car\nold\nlate\n")
    for place, images, kind in (("car", "color/", "mask"), ("old", "", "polygon"), ("late", "color/", "rectangle")):
        for frame in range(FRAMES):
            write(root / place / f"{images}{frame + 1:08d}.jpg", picture(frame))
        regions = [region(kind, frame) for frame in range(FRAMES)]
        write(root / place / "groundtruth.txt", "\n".join([*regions[:3], "0"]))
    (root / "late" / "groundtruth.txt").unlink()
    write(root / "late" / "groundtruth_a.txt", "\n".join(region("rectangle", frame) for frame in range(3)))
    others = [region("rectangle", frame, 1) for frame in (2, 3)]
    write(root / "late" / "groundtruth_b.txt", "\n".join(["nan,nan,nan,nan", "nan", *others]))
    write(root / "car" / "sequence", "channels.color=color/%08d.jpg\nfps=30\nlength=4\n")
    write(root / "car" / "camera_motion.tag", "0\n1\n1\n0\n")
    write(root / "old" / "occlusion.label", "0\n0\n1\n")
    return root


def add(shard, name, content):
    member = tarfile.TarInfo(name)
    member.size = len(content)
    shard.addfile(member, io.BytesIO(content))


def shard_label(track, frame, **more):
    return {
        "set": "own", "track": track, "frame": frame, "box_xywh": box_of(frame), "valid_xywh": [0, 0, WIDTH, 40],
        "kind": "video", **more,
    }  # fmt: skip


def write_shards(root, change=None):
    """Two tracks; `change` is called with key and members before they are written."""
    root.mkdir(parents=True, exist_ok=True)
    with tarfile.open(root / "tracks-00.tar", "w") as shard:
        for track, frame in (("a", 20), ("a", 10), ("b", 0)):
            number = frame // 10
            members = {
                "webp": cv2.imencode(".webp", picture(number), [cv2.IMWRITE_WEBP_QUALITY, 101])[1].tobytes(),
                "json": shard_label(track, frame, box_xywh=box_of(number)),
                "png": cv2.imencode(".png", labels(number, (255,)))[1].tobytes(),
            }
            key = f"own-{track}-{frame}"
            if change is not None:
                change(key, members)
            members["json"] = json.dumps(members["json"]).encode() if "json" in members else None
            for extension, content in members.items():
                if content is not None:
                    add(shard, f"{key}.{extension}", content)
    with tarfile.open(root / "photos-00.tar", "w") as shard:
        add(shard, "p.webp", cv2.imencode(".webp", picture(0))[1].tobytes())
        add(shard, "p.json", b"{}")
    return root


WRITERS = {
    "coco": write_coco,
    "davis": write_davis,
    "got10k": write_got10k,
    "imagenet_det": write_det,
    "imagenet_vid": write_vid,
    "lasot": write_lasot,
    "otb": write_otb,
    "sequences": write_sequences,
    "shards": write_shards,
    "trackingnet": write_trackingnet,
    "uav123": write_uav123,
    "vot": write_vot,
    "youtube_vos": write_youtube_vos,
}
