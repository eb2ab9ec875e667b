# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a target looks like in the features of a network, what looks like it, and how much.

Features are whitened with the statistics of the first frame around the target: what all of its surroundings have in
common says nothing. A box is described by its whitened features in 2 x 2 quarters, so that the layout counts as well:
a mirrored copy is not the same. Likeness is the cosine of two descriptions.
"""

import dataclasses
import functools
import typing

import cv2
import numpy as np
import numpy.typing as npt

from siam_tracker_ros.core.finite import check_finite
from siam_tracker_ros.core.whitening import Whitening

SAMPLES = 4  # a side of the grid of points in a box
SHRINKAGE = 0.5  # of the mean variance, added to each: one frame tells little of directions that hardly vary
MIN_ENERGY = 1e-5
RIVAL_MARGIN = 0.15  # of likeness to the target over likeness to a rival, below which a box is a rival's
PEAK_RADIUS = 2  # cells around a peak that belong to it

Description = npt.NDArray[np.float32]  # (D,), of length 1


@dataclasses.dataclass(frozen=True, eq=False)
class Region:
    """Features of a square region of a frame.

    Attributes:
        source: (1, C, S, S) or (C, S, S), a tensor on any device or an array.
        origin_xy: top left corner of the region in pixels of the frame.
        side: side of the region in pixels of the frame.
        cell: distance of two cells in pixels of the frame; the cells lie around the region's middle.
    """

    source: typing.Any
    origin_xy: tuple[float, float]
    side: float
    cell: float

    @functools.cached_property
    def features(self) -> npt.NDArray[np.float32]:
        """The features as an array (S, S, C): of float32 on the CPU a view, since most frames need few of the cells.

        Raises:
            NetworkOutputError: one is NaN or infinite.
        """
        array = self.source if isinstance(self.source, np.ndarray) else self.source.float().cpu().numpy()
        check_finite("features", array)
        return array.reshape(array.shape[-3:]).transpose(1, 2, 0)

    @property
    def first_xy(self) -> npt.NDArray[np.float64]:
        """Centre of the first cell in pixels of the frame."""
        margin = (self.side - (self.features.shape[0] - 1) * self.cell) / 2
        return np.asarray(self.origin_xy, np.float64) + margin

    def sample(self, box_xywh: np.ndarray) -> npt.NDArray[np.float32]:
        """Features (16, C) at 4 x 4 points of a box, bilinear; points outside take the nearest cell."""
        features, steps = self.features, (np.arange(SAMPLES) + 0.5) / SAMPLES
        at = (box_xywh[:2, None] + box_xywh[2:, None] * steps - self.first_xy[:, None]) / self.cell  # (2, 4) in cells
        at = at.clip(0, features.shape[0] - 1)
        low = np.minimum(at.astype(int), features.shape[0] - 2)
        (x, y), (right, down) = low, (at - low).astype(np.float32)
        rows = features[y] * (1 - down)[:, None, None] + features[y + 1] * down[:, None, None]  # (4, S, C)
        points = rows[:, x] * (1 - right)[:, None] + rows[:, x + 1] * right[:, None]  # (4, 4, C)
        return points.reshape(SAMPLES**2, -1)


@dataclasses.dataclass(frozen=True, eq=False)
class Peak:
    """A place that looks like the target.

    Attributes:
        box_xywh: float64 (4,) in pixels of the frame.
        description: of this box.
        likeness: -1..1, to the target.
    """

    box_xywh: np.ndarray
    description: Description
    likeness: float


@dataclasses.dataclass(frozen=True, eq=False)
class Appearance:
    """Appearance of a target: a value, to which `remember` adds.

    Attributes:
        whitening: of the features.
        first: description in the first frame; it is never replaced.
        mean: (C,), mean whitened feature of the box in the first frame, of length 1.
        memory: descriptions in later trusted frames, the oldest first.
        rivals: descriptions of what looked like the target while that was seen elsewhere, the oldest first.
        max_memory, max_rivals: how many are kept.
    """

    whitening: Whitening
    first: Description
    mean: npt.NDArray[np.float32]
    memory: tuple[Description, ...] = ()
    rivals: tuple[Description, ...] = ()
    max_memory: int = 12
    max_rivals: int = 24

    @classmethod
    def of(cls, region: Region, box_xywh: np.ndarray) -> "Appearance":
        """Appearance of the target in a box of a region around it."""
        whitening = Whitening.of(region.features, SHRINKAGE)
        points = whitening(region.sample(box_xywh))
        return cls(whitening, _describe(points), _unit(points.mean(0)))

    def describe(self, region: Region, box_xywh: np.ndarray) -> Description:
        """Describe a box of a region."""
        return _describe(self.whitening(region.sample(box_xywh)))

    def likeness(self, description: Description) -> float:
        """Highest likeness to the target in any frame that is remembered, -1..1."""
        return _highest((self.first, *self.memory), description)

    def first_likeness(self, description: Description) -> float:
        """Likeness to the target in the first frame, -1..1."""
        return float(self.first @ description)

    def rivalry(self, description: Description) -> float:
        """Highest likeness to a rival, -1..1; 0 where none is known."""
        return max(0.0, _highest(self.rivals, description)) if self.rivals else 0.0

    def rival_excess(self, description: Description, likeness: float) -> float:
        """How much more a description looks like a rival than like the target, from a small margin on; at least 0."""
        return max(0.0, self.rivalry(description) - likeness + RIVAL_MARGIN)

    def remember(self, description: Description) -> "Appearance":
        """Return the appearance that knows one more look of the target."""
        return dataclasses.replace(self, memory=_kept(self.memory, description, self.max_memory))

    def remember_rival(self, description: Description) -> "Appearance":
        """Return the appearance that knows one more rival."""
        return dataclasses.replace(self, rivals=_kept(self.rivals, description, self.max_rivals))

    def peaks(self, region: Region, size_wh: np.ndarray, max_peaks: int, min_likeness: float) -> list[Peak]:
        """Find the places of a region that look most like the target.

        The map is the correlation of the whitened features with the target's mean feature, averaged over a box.

        Args:
            region: features of a part of the frame.
            size_wh: size of the target in pixels of the frame.
            max_peaks: maximum number of places.
            min_likeness: minimum likeness of a place's box to the target.

        Returns:
            Places with the highest likeness first.
        """
        white = self.whitening(region.features)  # (S, S, C)
        norm = np.sqrt((white**2).sum(-1)) + MIN_ENERGY
        response = box_mean((white @ self.mean) / norm, np.maximum(1, size_wh / region.cell))
        found = []
        for _ in range(max_peaks):
            row, column = divmod(int(response.argmax()), response.shape[1])
            if not np.isfinite(response[row, column]):
                break
            center_xy = region.first_xy + region.cell * (np.array([column, row]) + _subcell(response, row, column))
            box_xywh = np.concatenate([center_xy - size_wh / 2, size_wh])
            description = self.describe(region, box_xywh)
            found.append(Peak(box_xywh, description, self.likeness(description)))
            rows, columns = (slice(max(0, at - PEAK_RADIUS), at + PEAK_RADIUS + 1) for at in (row, column))
            response[rows, columns] = -np.inf
        return sorted((peak for peak in found if peak.likeness >= min_likeness), key=lambda peak: -peak.likeness)


def box_mean(values: np.ndarray, size_wh: np.ndarray) -> np.ndarray:
    """Mean of values (S, S) over a box around each cell; the size (2,) is in cells and need not be whole."""
    w, h = (max(1, 2 * round((float(side) - 1) / 2) + 1) for side in size_wh)
    return cv2.blur(values.astype(np.float32), (w, h), borderType=cv2.BORDER_REFLECT)


def _subcell(response: np.ndarray, row: int, column: int) -> npt.NDArray[np.float64]:
    """Place of a peak between the cells as x, y, -0.5..0.5, by a parabola through its neighbours."""

    def shift(line: np.ndarray, index: int) -> float:
        if not 0 < index < len(line) - 1 or not np.isfinite(line[index - 1 : index + 2]).all():
            return 0.0
        before, peak, after = (float(value) for value in line[index - 1 : index + 2])
        curvature = before - 2 * peak + after
        return 0.0 if curvature >= 0 else float(np.clip((before - after) / (2 * curvature), -0.5, 0.5))

    return np.array([shift(response[row], column), shift(response[:, column], row)])


def _describe(points: np.ndarray) -> Description:
    """Description of whitened features (16, C) of a box."""
    half = SAMPLES // 2
    quarters = points.reshape(2, half, 2, half, -1).mean((1, 3))  # (2, 2, C)
    return _unit(quarters.ravel())


def _unit(vector: np.ndarray) -> npt.NDArray[np.float32]:
    return (vector / (np.linalg.norm(vector) + MIN_ENERGY)).astype(np.float32)


def _highest(known: tuple[Description, ...], description: Description) -> float:
    return max(float(other @ description) for other in known)


def _kept(known: tuple[Description, ...], new: Description, limit: int) -> tuple[Description, ...]:
    """Add a description; of more than the limit, the one that is most like its newer neighbour goes."""
    known = (*known, new)
    if len(known) <= limit:
        return known
    likeness = [float(a @ b) for a, b in zip(known, known[1:])]
    gone = int(np.argmax(likeness))
    return known[:gone] + known[gone + 1 :]
