# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Sequences of the VOT challenges (Kristan et al. 2016), of all years: one folder per sequence, listed in list.txt.

The frames are color/00000001.jpg, ..., or in the oldest years in the sequence's own folder; the file `sequence` may
name another place. groundtruth.txt, or for several objects groundtruth_NAME.txt, has one region per frame: a rectangle,
the corners of a polygon, or a mask as run lengths; other lines say that the target is not visible or its place is
unknown.
NAME.tag, or in older years NAME.label, has 1 for each frame with an attribute.

The box of a polygon is its bounds, as the challenges' own toolkit converts it, and that of a mask the bounds of its
pixels.
"""

import dataclasses
import pathlib

import cv2
import numpy as np

from siam_tracker_ros.data.files import Files, decode_text, list_images, read_names, read_text
from siam_tracker_ros.data.problems import Problems
from siam_tracker_ros.data.track import FileTrack, Track, known_boxes
from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.images import find, natural_key, read_image_bgr

LIST = "list.txt"
_EXPECTED = "a rectangle, a polygon or a mask per line"


@dataclasses.dataclass(frozen=True, eq=False)
class RegionTrack(FileTrack):
    """Frames whose labels are masks in a text file.

    Attributes:
        regions: object (N,), the line of each frame, a mask as run lengths; "" for a frame without one.
        size_wh: of the frames in pixels.
    """

    regions: np.ndarray = dataclasses.field(default_factory=lambda: np.empty(0, object))
    size_wh: tuple[int, int] = (0, 0)

    def has_mask(self, i: int) -> bool:
        return bool(self.regions[i])

    def mask(self, i: int) -> np.ndarray | None:
        return _draw_mask(self.regions[i], self.size_wh) if self.regions[i] else None


def read(folder: pathlib.Path, split: str, name: str, problems: Problems) -> list[Track]:
    """Read the listed sequences of a folder, or all without a list; see `formats.Reader`."""
    if (folder / LIST).is_file():
        places = [folder / sequence for sequence in read_names(folder / LIST, problems)]
    else:
        places = sorted({path.parent for path in find(folder, "*/groundtruth*.txt")}, key=natural_key)
    return [track for place in places for track in read_sequence(place, name, problems)]


def is_sequence(place: pathlib.Path) -> bool:
    """Whether a folder is a sequence of VOT."""
    if not _label_files(place):
        return False
    return (place / "sequence").is_file() or (place / "color").is_dir() or (place / "00000001.jpg").is_file()


def read_sequence(place: pathlib.Path, name: str, problems: Problems) -> list[Track]:
    """Read the targets of one sequence; see `formats.Format`."""
    labels = _label_files(place)
    if not labels:
        problems.add_missing(place / "groundtruth.txt", _EXPECTED)
    files = list_images(_image_folder(place), problems) if labels else None
    if files is None:
        return []
    tracks = []
    for path in labels:
        own = place.name if path.stem == "groundtruth" else f"{place.name}-{path.stem.removeprefix('groundtruth_')}"
        regions = _read_regions(path, len(files.names), problems)
        if regions is not None:
            tracks.append(_track(name, own, files, *regions))
    return tracks


def read_attributes(folder: pathlib.Path, split: str, track: FileTrack, problems: Problems) -> dict[str, np.ndarray]:
    """Say in which frames of a sequence each attribute holds; see `formats.Format`."""
    images = track.files.folder
    place = images if _label_files(images) else images.parent
    attributes = {}
    for path in sorted([*find(place, "*.tag"), *find(place, "*.label")]):
        lines = decode_text(path.read_bytes(), "replace").splitlines()  # an empty file: in no frame
        marked = {number for number, line in enumerate(lines) if line.strip() == "1"}
        attributes[path.stem.replace("_", " ")] = np.isin(track.numbers, list(marked))
    return attributes


def _label_files(place: pathlib.Path) -> list[pathlib.Path]:
    several = sorted(find(place, "groundtruth_*.txt"), key=natural_key)
    single = place / "groundtruth.txt"
    return several or [single] * single.is_file()


def _image_folder(place: pathlib.Path) -> pathlib.Path:
    """Return the folder of the frames: that of the first channel that the file `sequence` names, or the usual one."""
    described = place / "sequence"
    lines = decode_text(described.read_bytes(), "surrogateescape").splitlines() if described.is_file() else []
    channels = [line.partition("=")[2].strip() for line in lines if line.startswith("channels.")]
    if channels:
        pattern = pathlib.PurePosixPath(channels[0].replace("\\", "/"))
        return place / (pattern.parent if pattern.suffix else pattern)
    return place / "color" if (place / "color").is_dir() or described.is_file() else place


def _read_regions(path: pathlib.Path, count: int, problems: Problems) -> tuple[np.ndarray, np.ndarray] | None:
    """Read boxes, float64 (count, 4), and lines of masks, object (count,); None, and note what is wrong with them."""
    text = read_text(path, problems, _EXPECTED)
    if text is None:
        return None
    lines = text.rstrip().splitlines()
    if len(lines) > count:
        problems.add(path, f"has {len(lines)} regions for {count} images", "at most one region per image")
        return None
    boxes, masks = np.full((count, 4), np.nan), np.full(count, "", object)
    for number, line in enumerate(lines):
        try:
            boxes[number] = _box_xywh(line)
        except ValueError:
            problems.add(path, f"line {number + 1} is {line[:60]!r}", _EXPECTED)
            return None
        if line.startswith("m"):
            masks[number] = line
    return known_boxes(boxes), masks


def _box_xywh(line: str) -> np.ndarray:
    """Return the bounds of a region, NaN for a line that says that there is none; raises ValueError for other lines."""
    if line.startswith("m"):
        x, y, inside = _decode(line)
        if not inside.any():
            return np.full(4, np.nan)
        left, top, width, height = cv2.boundingRect(inside)
        return np.array([x + left, y + top, width, height], np.float64)
    values = np.array(line.replace(",", " ").split(), np.float64)
    if not len(values):
        raise ValueError("the line is empty")
    if len(values) < 4 or np.isnan(values).any():
        return np.full(4, np.nan)
    if len(values) == 4:
        return values
    corners = values.reshape(-1, 2)  # of an odd count: a ValueError
    return np.concatenate([corners.min(axis=0), np.ptp(corners, axis=0)])


def _decode(line: str) -> tuple[int, int, np.ndarray]:
    """Return left, top and the pixels, uint8 (H, W) of 0 and 1, of a mask; raises ValueError if it is none."""
    x, y, width, height, *runs = (int(field) for field in line[1:].replace(",", " ").split())
    pixels = np.repeat(np.arange(len(runs), dtype=np.uint8) % 2, runs)[: width * height]
    pixels = np.pad(pixels, (0, width * height - len(pixels)))  # zeros at the end may be left out
    return x, y, pixels.reshape(height, width)


def _draw_mask(line: str, size_wh: tuple[int, int]) -> np.ndarray:
    """Return a mask in its frame, uint8 (H, W) of 0 and 255."""
    x, y, inside = _decode(line)
    mask = np.zeros(size_wh[::-1], np.uint8)
    visible = inside[max(-y, 0) : max(size_wh[1] - y, 0), max(-x, 0) : max(size_wh[0] - x, 0)]
    mask[max(y, 0) :, max(x, 0) :][: visible.shape[0], : visible.shape[1]] = visible * np.uint8(255)
    return mask


def _track(name: str, own: str, files: Files, boxes: np.ndarray, masks: np.ndarray) -> Track:
    """Return the track from its first frame with a target; an object may appear later than others."""
    numbers = np.arange(len(boxes))
    first = int(np.isfinite(boxes).all(axis=1).argmax())
    numbers, boxes, masks = numbers[first:], boxes[first:], masks[first:]
    if not any(masks):
        return FileTrack(name, own, numbers, boxes, files)
    try:
        height, width = read_image_bgr(files.path(numbers[0])).shape[:2]
    except InvalidInputError:  # which reading the frame reports
        height = width = 0
    return RegionTrack(name, own, numbers, boxes, files, regions=masks, size_wh=(width, height))
