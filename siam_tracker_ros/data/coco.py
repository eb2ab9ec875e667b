# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""COCO (Lin et al. 2014): instances_SPLIT.json and the images. A track is one instance in one image.

Instances that are labelled as a crowd are ignored.
"""

import dataclasses
import json
import pathlib
import typing

import numpy as np

from siam_tracker_ros.data.files import Files, ListedFiles, noting_faults, read_text
from siam_tracker_ros.data.problems import Problems
from siam_tracker_ros.data.track import Track, known_boxes
from siam_tracker_ros.extras import require
from siam_tracker_ros.images import read_labelled_bgr
from siam_tracker_ros.intensity import IntensityStretch

LABELS = {
    "train": "annotations/instances_train2017.json",
    "val": "annotations/instances_val2017.json",
    "train2014": "annotations/instances_train2014.json",
    "val2014": "annotations/instances_val2014.json",
}
_STILL = np.zeros(1, np.int64)  # frame numbers of a track of one image
_WHAT = "images and annotations like COCO's instances"

Segmentation = list[np.ndarray] | dict[str, typing.Any]


@dataclasses.dataclass(frozen=True, eq=False)
class InstanceTrack(Track):
    """An instance in an image.

    Attributes:
        files: the image.
        size_wh: of the image in pixels.
        segmentation: polygons, as a list of arrays x, y, x, y, ..., or a run-length encoding as a mapping with `counts`
            and `size`; None for no mask.
    """

    dataset: str
    name: str
    numbers: np.ndarray
    boxes_xywh: np.ndarray
    files: Files
    size_wh: tuple[int, int]
    segmentation: Segmentation | None

    @property
    def sources(self) -> tuple[Files, ...]:
        return (self.files,)

    def path(self, i: int) -> pathlib.Path:
        return self.files.path(self.numbers[i])

    def image_bgr(self, i: int, stretch: IntensityStretch | None = None) -> np.ndarray:
        return read_labelled_bgr(self.path(i), self.size_wh)

    def has_mask(self, i: int) -> bool:
        return self.segmentation is not None

    def mask(self, i: int) -> np.ndarray | None:
        return None if self.segmentation is None else _draw(self.segmentation, self.size_wh)


def read(folder: pathlib.Path, split: str, name: str, problems: Problems) -> list[Track]:
    """Read a split; see `formats.Reader`."""
    path = folder / LABELS[split]
    text = read_text(path, problems, _WHAT)
    folders = [folder / path.stem.rpartition("_")[2], folder / "images" / path.stem.rpartition("_")[2]]
    image_folder = next((place for place in folders if place.is_dir()), folders[0])
    with noting_faults(path, problems, _WHAT):
        labels = {"images": [], "annotations": []} if text is None else json.loads(text)
        images = {image["id"]: _locate(image_folder, image) for image in labels["images"]}
        return [
            _track(name, annotation, images[annotation["image_id"]])
            for annotation in labels["annotations"]
            if not annotation.get("iscrowd")
        ]
    return []


def _locate(folder: pathlib.Path, image: dict[str, typing.Any]) -> tuple[Files, tuple[int, int]]:
    """Return the file of an image, and its size."""
    path = folder / image["file_name"]
    return ListedFiles(path.parent, (path.name,)), (int(image["width"]), int(image["height"]))


def _track(name: str, annotation: dict[str, typing.Any], image: tuple[Files, tuple[int, int]]) -> Track:
    box = np.array(annotation["bbox"], np.float64).reshape(1, 4)
    segmentation = annotation.get("segmentation")
    if isinstance(segmentation, dict):
        segmentation = {"counts": segmentation["counts"], "size": segmentation["size"]}
    if isinstance(segmentation, list):  # arrays take a tenth of the memory of lists
        segmentation = [np.array(polygon, np.float32) for polygon in segmentation if len(polygon) > 4]
    return InstanceTrack(
        name,
        f"{annotation['image_id']}-{annotation['id']}",
        _STILL,
        known_boxes(box),
        *image,
        segmentation or None,
    )


def _draw(segmentation: Segmentation, size_wh: tuple[int, int]) -> np.ndarray:
    """Rasterize a segmentation with COCO's own code: uint8 (H, W) of 0 and 255."""
    require("reading COCO's masks", "pycocotools")
    from pycocotools import mask

    width, height = size_wh
    runs: typing.Any = segmentation
    if isinstance(runs, list) or isinstance(runs["counts"], list):
        runs = mask.frPyObjects(segmentation, height, width)
    return mask.decode(mask.merge(runs) if isinstance(runs, list) else runs) * np.uint8(255)
