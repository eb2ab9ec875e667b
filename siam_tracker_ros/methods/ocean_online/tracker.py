# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Ocean with its online branch (Zhang et al., ECCV 2020) as TracKit released it.

A classifier that learns the target during tracking (DiMP, Bhat et al. 2019) adds its score map to the Siamese response;
the boxes are those of the Siamese network.
"""

import dataclasses
import enum
from collections.abc import Iterable

import cv2
import numpy as np
import torch

from siam_tracker_ros.core.finite import check_finite
from siam_tracker_ros.core.graphs import to_array
from siam_tracker_ros.core.response import MIN_SIDE, peak_cell
from siam_tracker_ros.core.sample_memory import SampleMemory
from siam_tracker_ros.core.stage import stage
from siam_tracker_ros.core.tracker import Tracker, TrackResult
from siam_tracker_ros.layers.filter_optimizer import FILTER_CELLS, correlate
from siam_tracker_ros.methods.ocean.network import Template
from siam_tracker_ros.methods.ocean.tracker import OceanSettings, OceanTarget, OceanTracker
from siam_tracker_ros.methods.ocean_online.network import (
    CLASSIFIER_CHANNELS,
    PATCH_CELLS,
    PATCH_SIDE,
    OceanOnlineNetwork,
)
from siam_tracker_ros.methods.ocean_online.samples import (
    DROPOUT,
    DROPOUT_SAMPLES,
    MARGIN,
    Draws,
    crop_patch,
    draw,
    first_patches,
)
from siam_tracker_ros.settings import setting, with_default

SEED = 1234  # of a target's first samples, the same for each target, so that runs are reproducible
SEARCH_FACTOR = 4  # side of the patch's region over the mean side of the target in the first frame
FIRST_BATCH = 8  # patches per batch; more do not fit into a CPU's cache
MEMORY_SAMPLES = 250
FIRST_ITERATIONS = 25
LATER_ITERATIONS = 3
UPDATE_INTERVAL = 10  # frames
LEARNING_RATE = 0.0075
HARD_NEGATIVE_LEARNING_RATE = 0.02
HARD_NEGATIVE_SHARE = 0.45  # of the best score; a higher second peak is a distractor
NEIGHBORHOOD = 2.2  # side, over the target's, of the region in which all scores belong to one peak


@dataclasses.dataclass(frozen=True)
class OceanOnlineSettings(OceanSettings):
    """How the response becomes a box."""

    penalty_k: float = with_default(OceanSettings, "penalty_k", 0.06)
    window_influence: float = with_default(OceanSettings, "window_influence", 0.484)
    lr: float = with_default(OceanSettings, "lr", 0.644)
    small_target_side: int = with_default(OceanSettings, "small_target_side", 287)
    online_ratio: float = setting(0.7, "Share of the online classifier's scores in the choice of the best cell.", 0, 1)


class Verdict(enum.Enum):
    """Verdict of the classifier's score map on a frame."""

    NORMAL = enum.auto()
    HARD_NEGATIVE = enum.auto()  # something else looks like the target
    NOT_FOUND = enum.auto()


@dataclasses.dataclass(frozen=True, eq=False)
class OceanOnlineTarget:
    """A target's state.

    Attributes:
        siamese: the target of the OceanTracker.
        kernel: (1, 512, 4, 4), the classifier's filter.
        memory: samples that the filter is learned from.
        center_xy: centre in the frame in which the classifier last found it, in pixels.
        size_wh: size in the frame in which the classifier last learned it, in pixels.
        scale: pixels of the frame per pixel of a patch. It follows the patches that were cut, not the target's size.
        scale_range: minimum and maximum scale.
        frames: number of frames tracked so far in which it might have learned.
    """

    siamese: OceanTarget[Template]
    kernel: torch.Tensor
    memory: SampleMemory[torch.Tensor]
    center_xy: np.ndarray
    size_wh: np.ndarray
    scale: float
    scale_range: tuple[float, float]
    frames: int = 0


class OceanOnlineTracker(Tracker[OceanOnlineTarget]):
    """Runs an OceanOnlineNetwork that is ready for inference; see `create_tracker`.

    Attributes:
        siamese: Ocean's tracker, which finds the boxes with the same network and settings.
    """

    settings_class = OceanOnlineSettings
    target_class = OceanOnlineTarget
    tile_side = OceanTracker.tile_side
    tile_stride = OceanTracker.tile_stride
    siamese: OceanTracker
    network: OceanOnlineNetwork
    settings: OceanOnlineSettings

    def __init__(self, network: OceanOnlineNetwork, settings: OceanOnlineSettings) -> None:
        super().__init__(network, settings)
        self.siamese = OceanTracker(network, settings)

    def _start(self, image_bgr: np.ndarray, box_xywh: np.ndarray) -> OceanOnlineTarget:
        return self._start_with(image_bgr, box_xywh, draw(np.random.default_rng(SEED), PATCH_SIDE, CLASSIFIER_CHANNELS))

    def _start_with(self, image_bgr: np.ndarray, box_xywh: np.ndarray, draws: Draws) -> OceanOnlineTarget:
        """Start with given random draws."""
        siamese = self.siamese._start(image_bgr, box_xywh)
        center_xy, size_wh = siamese.box_cxcywh[:2], siamese.box_cxcywh[2:]
        scale = SEARCH_FACTOR * np.sqrt(size_wh.prod()) / PATCH_SIDE
        frame_wh = np.array(image_bgr.shape[1::-1])
        scale_range = scale * (MIN_SIDE / size_wh).max(), scale * (frame_wh / size_wh).min()

        with torch.inference_mode():
            features, shifts_xy = self._first_samples(image_bgr, center_xy.round(), scale, draws)
            boxes_xywh = np.tile(_box_in_patch(center_xy, size_wh, center_xy.round(), scale), (len(features), 1))
            boxes_xywh[:, :2] += shifts_xy
            boxes = torch.from_numpy(boxes_xywh).to(features)
            classifier = self.network.target_classifier
            kernel = classifier.initial_filter(features, boxes)
            kernel, _ = classifier.optimizer(kernel, features, boxes, FIRST_ITERATIONS)
            memory = SampleMemory.of(features.split(1), list(boxes_xywh), MEMORY_SAMPLES)
        return OceanOnlineTarget(siamese, kernel, memory, center_xy, size_wh, scale, scale_range)

    def _first_samples(
        self, image_bgr: np.ndarray, center_xy: np.ndarray, scale: float, draws: Draws
    ) -> tuple[torch.Tensor, np.ndarray]:
        """Features (30, 512, 13, 13) of the first frame's samples, and their shifts (30, 2) in pixels of the patch."""
        like = self.network.patch_mean
        wide_side = int(PATCH_SIDE * (1 + 2 * MARGIN))
        wide, _, _ = crop_patch(image_bgr, center_xy, scale * wide_side, wide_side, like)
        patches, shifts_xy = first_patches(wide, PATCH_SIDE, draws)
        features = [self._encode(batch) for batch in patches.split(FIRST_BATCH)]
        kept = torch.from_numpy(draws.kept_channels / (1 - DROPOUT)).to(like)  # (7, 512)
        features.append(features[0][:1] * kept[:, :, None, None])
        return torch.cat(features), np.pad(shifts_xy, ((0, DROPOUT_SAMPLES), (0, 0)))

    def move(self, target: OceanOnlineTarget, box_xywh: np.ndarray) -> OceanOnlineTarget:
        """Return a target as if it had last been seen in another box, float64 (4,), with the same appearance."""
        siamese = self.siamese.move(target.siamese, box_xywh)
        center_xy, size_wh = siamese.box_cxcywh[:2], siamese.box_cxcywh[2:]
        # In its patch the target stays as large as the filter has learned it.
        scale = target.scale * np.sqrt(size_wh.prod() / target.size_wh.prod())
        scale = float(np.clip(scale, *target.scale_range))
        return dataclasses.replace(target, siamese=siamese, center_xy=center_xy, size_wh=size_wh, scale=scale)

    def _input_scale(self, target: OceanOnlineTarget) -> float:
        return self.siamese._input_scale(target.siamese)

    def _fill_bgr(self, target: OceanOnlineTarget) -> Iterable[float]:
        return self.siamese._fill_bgr(target.siamese)

    def _encode_tile(self, crop_bgr: np.ndarray) -> torch.Tensor:
        return self.siamese._encode_tile(crop_bgr)

    def _step(self, image_bgr: np.ndarray, target: OceanOnlineTarget) -> tuple[OceanOnlineTarget, TrackResult]:
        return self._follow(image_bgr, target, learn=True)

    def _look(self, image_bgr: np.ndarray, target: OceanOnlineTarget) -> tuple[OceanOnlineTarget, TrackResult]:
        return self._follow(image_bgr, target, learn=False)

    def _follow(
        self, image_bgr: np.ndarray, target: OceanOnlineTarget, learn: bool
    ) -> tuple[OceanOnlineTarget, TrackResult]:
        with torch.inference_mode():
            # The response of a filter of even size is half a cell off the target's centre.
            half_cell = (PATCH_CELLS + FILTER_CELLS) % 2 * target.scale * PATCH_SIDE / (2 * PATCH_CELLS)
            patch, patch_center_xy, scale = crop_patch(
                image_bgr, target.center_xy + half_cell, target.scale * PATCH_SIDE, PATCH_SIDE, self.network.patch_mean
            )
            feature = self._encode(patch)
            with stage("head"):
                score = correlate(feature, target.kernel)[0, 0].cpu().numpy()  # (14, 14)
        verdict = judge(score, NEIGHBORHOOD * target.size_wh / scale * PATCH_CELLS / PATCH_SIDE)

        def blend(response: np.ndarray) -> np.ndarray:
            ratio = self.settings.online_ratio
            online = cv2.resize(score, response.shape, interpolation=cv2.INTER_CUBIC)
            return ratio * online + (1 - ratio) * response

        siamese, result = self.siamese.follow(image_bgr, target.siamese, blend)
        center_xy, size_wh = siamese.box_cxcywh[:2], siamese.box_cxcywh[2:]
        if not learn:
            found_xy = target.center_xy if verdict is Verdict.NOT_FOUND else center_xy
            return dataclasses.replace(target, siamese=siamese, center_xy=found_xy), result
        frames = target.frames + 1
        if verdict is Verdict.NOT_FOUND:
            return dataclasses.replace(target, siamese=siamese, frames=frames), result

        is_hard = verdict is Verdict.HARD_NEGATIVE
        is_due = is_hard or frames % UPDATE_INTERVAL == 0
        kernel = target.kernel
        with torch.inference_mode():
            box = _box_in_patch(center_xy, size_wh, patch_center_xy, scale)
            memory = target.memory.insert(feature, box, HARD_NEGATIVE_LEARNING_RATE if is_hard else LEARNING_RATE)
            if is_due:
                boxes = torch.from_numpy(np.array(memory.boxes_xywh)).to(feature)
                weights = torch.from_numpy(memory.weights).to(feature)
                with stage("head"):
                    optimizer = self.network.target_classifier.optimizer
                    kernel, _ = optimizer(kernel, torch.cat(memory.features), boxes, LATER_ITERATIONS, weights)
                check_finite("online filter", to_array(kernel))
        target = dataclasses.replace(
            target,
            siamese=siamese,
            kernel=kernel,
            memory=memory,
            center_xy=center_xy,
            size_wh=size_wh,
            scale=float(np.clip(scale, *target.scale_range)),
            frames=frames,
        )
        return target, dataclasses.replace(result, updated=is_due)

    def _encode(self, patches: torch.Tensor) -> torch.Tensor:
        return self.network.encode_patch(patches.contiguous(memory_format=torch.channels_last))


def judge(score: np.ndarray, neighborhood_wh: np.ndarray) -> Verdict:
    """Return the Verdict of a score map (14, 14), given the size (2,) of a peak's neighbourhood in cells."""
    best = score.max()
    if not best >= 0:
        return Verdict.NOT_FOUND
    row, column = peak_cell(score)
    w, h = neighborhood_wh
    rest = score.copy()
    rest[
        max(0, round(row - h / 2)) : max(0, round(row + h / 2 + 1)),
        max(0, round(column - w / 2)) : max(0, round(column + w / 2 + 1)),
    ] = 0
    return Verdict.HARD_NEGATIVE if rest.max() > max(0, HARD_NEGATIVE_SHARE * best) else Verdict.NORMAL


def _box_in_patch(center_xy: np.ndarray, size_wh: np.ndarray, patch_center_xy: np.ndarray, scale: float) -> np.ndarray:
    """Box of a target in a patch, float64 (4,) as xywh, in the classifier's convention: x = cx - (w - 1) / 2."""
    size_wh = size_wh / scale
    center_xy = (center_xy - patch_center_xy) / scale + (PATCH_SIDE - 1) / 2
    return np.concatenate([center_xy - (size_wh - 1) / 2, size_wh])
