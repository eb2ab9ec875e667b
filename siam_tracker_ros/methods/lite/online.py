# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`lite` with an online branch: a correlation filter that learns the target while it is tracked.

The filter is learned as in DiMP (Bhat et al. 2019) from the features of lite's backbone, so that the branch needs no
network and no weights of its own. Its score map is mixed with lite's confidence before the best cell is picked, as in
Ocean (Zhang et al. 2020): the chosen cell must also look like the target in earlier frames.
"""

import dataclasses

import cv2
import numpy as np
import torch
from torch.nn import functional

from siam_tracker_ros.core.crop import crop_context, crops_to_tensor
from siam_tracker_ros.core.method import Method
from siam_tracker_ros.core.response import peak_cell, peak_ratio
from siam_tracker_ros.core.stage import stage
from siam_tracker_ros.core.tracker import Tracker, TrackResult
from siam_tracker_ros.geometry import cxcywh_to_xywh
from siam_tracker_ros.layers.filter_optimizer import FILTER_CELLS, FilterOptimizer, correlate
from siam_tracker_ros.layers.sample_memory import SampleMemory
from siam_tracker_ros.layers.whitening import Whitening
from siam_tracker_ros.methods.lite.network import SEARCH_CELLS, SEARCH_FACTOR, SEARCH_SIDE, TEMPLATE_SIDE, LiteNetwork
from siam_tracker_ros.methods.lite.tracker import BLACK, LiteSettings, LiteTarget, LiteTracker
from siam_tracker_ros.settings import setting

BLUR_SIGMA_XY = (3.0, 1.0)  # pixels of the crop
MEMORY_SAMPLES = 40
FIRST_ITERATIONS = 12
LATER_ITERATIONS = 2
UPDATE_INTERVAL = 5  # frames
LEARNING_RATE = 0.02
HARD_NEGATIVE_LEARNING_RATE = 0.05
HARD_NEGATIVE_RATIO = 0.45  # second peak of the filter's scores over the first; above it, there is a distractor
LEARN_SCORE = 0.35  # minimum score of a cell, both lite's and the filter's, for a frame to become a sample


@dataclasses.dataclass(frozen=True)
class LiteOnlineSettings(LiteSettings):
    """How the response becomes a box."""

    online_ratio: float = setting(0.5, "Share of the filter's scores in the confidence of each cell.", 0, 1)


@dataclasses.dataclass(frozen=True, eq=False)
class LiteOnlineTarget:
    """A target's state.

    Attributes:
        siamese: the target of the LiteTracker.
        whitening: whitening of the features, from the first frame.
        kernel: (1, 96, 4, 4), the filter.
        memory: samples that the filter is learned from.
        frames: number of frames tracked so far.
    """

    siamese: LiteTarget
    whitening: Whitening
    kernel: torch.Tensor
    memory: SampleMemory
    frames: int = 0


class LiteOnlineTracker(Tracker[LiteOnlineTarget]):
    """Runs a LiteNetwork that is ready for inference; see `create_tracker`.

    Attributes:
        siamese: lite's tracker, which finds the boxes with the same network and settings.
    """

    settings_class = LiteOnlineSettings
    target_class = LiteOnlineTarget
    tile_side = LiteTracker.tile_side
    tile_stride = LiteTracker.tile_stride
    network: LiteNetwork
    settings: LiteOnlineSettings

    def __init__(self, network: LiteNetwork, settings: LiteOnlineSettings) -> None:
        super().__init__(network, settings)
        self.siamese = LiteTracker(network, settings)
        # Boxes are in units of the region's side. Label, mask and weight are the initial ones of DiMP's training.
        self._optimizer = FilterOptimizer(stride=1 / SEARCH_CELLS).requires_grad_(False)
        self._optimizer.to(next(network.parameters()).device)

    def _start(self, image_bgr: np.ndarray, box_xywh: np.ndarray) -> LiteOnlineTarget:
        siamese = self.siamese._start(image_bgr, box_xywh)
        with torch.inference_mode():
            features, boxes_xywh = self._first_samples(image_bgr, siamese.box_cxcywh)
            whitening = Whitening.of(features)
            features = whitening(features)
            nothing = features.new_zeros(1, features.shape[1], FILTER_CELLS, FILTER_CELLS)
            kernel, _ = self._optimizer(nothing, features, boxes_xywh, FIRST_ITERATIONS)
            memory = SampleMemory.of(features, boxes_xywh, MEMORY_SAMPLES)
        return LiteOnlineTarget(siamese, whitening, kernel, memory)

    def _first_samples(self, image_bgr: np.ndarray, box_cxcywh: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Features (3, 96, 16, 16) of the first frame as it is, mirrored and blurred, and the target's boxes (3, 4)."""
        side = max(1, round(SEARCH_FACTOR * np.sqrt(box_cxcywh[2:].prod())))
        crop, origin_xy = crop_context(image_bgr, box_cxcywh[:2], side, SEARCH_SIDE, BLACK)
        sigma_x, sigma_y = BLUR_SIGMA_XY
        blurred = cv2.GaussianBlur(crop, (0, 0), sigmaX=sigma_x, sigmaY=sigma_y)
        crops = crops_to_tensor(np.stack([crop, crop[:, ::-1], blurred]), self.network)
        *_, features = self.network.backbone_features(crops)
        left, top = (box_cxcywh[:2] - box_cxcywh[2:] / 2 - origin_xy) / side
        w, h = box_cxcywh[2:] / side
        boxes_xywh = [(left, top, w, h), (1 - left - w, top, w, h), (left, top, w, h)]
        return features, features.new_tensor(boxes_xywh)

    def move(self, target: LiteOnlineTarget, box_xywh: np.ndarray) -> LiteOnlineTarget:
        """Return a target as if it had last been seen in another box, float64 (4,), with the same appearance."""
        return dataclasses.replace(target, siamese=self.siamese.move(target.siamese, box_xywh))

    def _input_scale(self, target: LiteOnlineTarget) -> float:
        return self.siamese._input_scale(target.siamese)

    def _encode_tile(self, crop_bgr: np.ndarray) -> torch.Tensor:
        return self.siamese._encode_tile(crop_bgr)

    def _step(self, image_bgr: np.ndarray, target: LiteOnlineTarget) -> tuple[LiteOnlineTarget, TrackResult]:
        return self._follow(image_bgr, target, learn=True)

    def _look(self, image_bgr: np.ndarray, target: LiteOnlineTarget) -> tuple[LiteOnlineTarget, TrackResult]:
        return self._follow(image_bgr, target, learn=False)

    def _follow(
        self, image_bgr: np.ndarray, target: LiteOnlineTarget, learn: bool
    ) -> tuple[LiteOnlineTarget, TrackResult]:
        view = self.siamese.look(image_bgr, target.siamese)
        with torch.inference_mode():
            feature = target.whitening(view.response.features)
            online = online_score(feature, target.kernel)
        ratio = self.settings.online_ratio
        score = (1 - ratio) * view.score + ratio * online
        siamese, result, cell = self.siamese.decide(image_bgr, target.siamese, view, score)

        target = dataclasses.replace(target, siamese=siamese, frames=target.frames + 1)
        if not learn or cell is None or min(view.score[cell], online[cell]) < LEARN_SCORE:
            return target, result
        is_hard = peak_ratio(online, *peak_cell(online)) > HARD_NEGATIVE_RATIO
        is_due = is_hard or target.frames % UPDATE_INTERVAL == 0
        with torch.inference_mode():
            box_xywh = torch.from_numpy(cxcywh_to_xywh(view.boxes_cxcywh[:, cell[0], cell[1]])).to(feature)
            rate = HARD_NEGATIVE_LEARNING_RATE if is_hard else LEARNING_RATE
            memory, kernel = target.memory.insert(feature, box_xywh, rate), target.kernel
            if is_due:
                features, boxes_xywh, weights = memory.samples()
                with stage("head"):
                    kernel, _ = self._optimizer(kernel, features, boxes_xywh, LATER_ITERATIONS, weights)
        target = dataclasses.replace(target, memory=memory, kernel=kernel)
        return target, dataclasses.replace(result, updated=is_due)


@stage("head")
def online_score(feature: torch.Tensor, kernel: torch.Tensor) -> np.ndarray:
    """Scores float64 (H, W), 0..1, of the cells of features (1, C, H, W) under a filter (1, C, 4, 4)."""
    corners = correlate(feature, kernel)  # the response of a filter of even size lies on the corners of the cells
    return functional.avg_pool2d(corners, 2, 1)[0, 0].clamp(0, 1).cpu().numpy().astype(np.float64)


METHODS = (
    Method(
        "lite_online",
        "the default: lite with an online branch, a filter that learns the target while it is tracked",
        LiteOnlineTracker,
        LiteNetwork,
        TEMPLATE_SIDE,
        SEARCH_SIDE,
        frame_gmacs=0.38,
        checkpoint="lite's weights, which come with the package",
        weights="lite",
        half_precision=False,  # the optimizer needs float32
        has_masks=True,
        preferred_runtimes=("onnx",),
    ),
)
