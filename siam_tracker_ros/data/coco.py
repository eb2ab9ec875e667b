# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reads COCO (Lin et al. 2014): instances_SPLIT.json and the pictures. A track is one instance in one picture.

Groups that are labelled as a crowd are left out.
"""

import dataclasses
import json

import numpy as np

from siam_tracker_ros.data.files import Files, ListedFiles, noting_faults, read_text
from siam_tracker_ros.data.pictures import read_picture_bgr
from siam_tracker_ros.data.track import Track, known_boxes
from siam_tracker_ros.extras import require

LABELS = {
    "train": "annotations/instances_train2017.json",
    "val": "annotations/instances_val2017.json",
    "train2014": "annotations/instances_train2014.json",
    "val2014": "annotations/instances_val2014.json",
}
_STILL = np.zeros(1, np.int64)  # the numbers of a track of one picture
_WHAT = "images and annotations as of COCO's instances"


@dataclasses.dataclass(frozen=True, eq=False)
class InstanceTrack(Track):
    """An instance in a picture.

    Attributes:
        files: Files with the picture.
        size_wh: of the picture in pixels.
        segmentation: polygons, as a list of arrays x, y, x, y, ..., or a mapping with run lengths; None for no mask.
    """

    dataset: str
    name: str
    numbers: np.ndarray
    boxes_xywh: np.ndarray
    files: Files
    size_wh: tuple[int, int]
    segmentation: list | dict | None

    @property
    def sources(self):
        return (self.files,)

    def path(self, i):
        return self.files.path(self.numbers[i])

    def image_bgr(self, i):
        return read_picture_bgr(self.path(i))

    def has_mask(self, i):
        return self.segmentation is not None

    def mask(self, i):
        return None if self.segmentation is None else _draw(self.segmentation, self.size_wh)


def read(folder, split, name, problems):
    """Read a split; see `formats.Format`."""
    path = folder / LABELS[split]
    text = read_text(path, problems, _WHAT)
    folders = [folder / path.stem.rpartition("_")[2], folder / "images" / path.stem.rpartition("_")[2]]
    pictures = next((place for place in folders if place.is_dir()), folders[0])
    with noting_faults(path, problems, _WHAT):
        labels = {"images": [], "annotations": []} if text is None else json.loads(text)
        images = {image["id"]: _locate(pictures, image) for image in labels["images"]}
        return [
            _track(name, annotation, images[annotation["image_id"]])
            for annotation in labels["annotations"]
            if not annotation.get("iscrowd")
        ]
    return []


def _locate(folder, image):
    """Files and size of a picture."""
    path = folder / image["file_name"]
    return ListedFiles(path.parent, (path.name,)), (int(image["width"]), int(image["height"]))


def _track(name, annotation, image):
    box = np.array(annotation["bbox"], np.float64).reshape(1, 4)
    segmentation = annotation.get("segmentation")
    if isinstance(segmentation, dict):
        segmentation = {"counts": segmentation["counts"], "size": segmentation["size"]}
    if isinstance(segmentation, list):  # an array takes a tenth of the memory of a list of numbers
        segmentation = [np.array(polygon, np.float32) for polygon in segmentation if len(polygon) > 4]
    return InstanceTrack(
        name,
        f"{annotation['image_id']}-{annotation['id']}",
        _STILL,
        known_boxes(box),
        *image,
        segmentation or None,
    )


def _draw(segmentation, size_wh):
    """Fill polygons, or the runs of a mask, as COCO's authors do: uint8 (H, W) of 0 and 255."""
    require("reading COCO's masks", "pycocotools")
    from pycocotools import mask

    width, height = size_wh
    runs = segmentation
    if isinstance(runs, list) or isinstance(runs["counts"], list):
        runs = mask.frPyObjects(segmentation, height, width)
    return mask.decode(mask.merge(runs) if isinstance(runs, list) else runs) * np.uint8(255)
