# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The toy's tracker: the box goes where the score is highest, its size stays."""

import dataclasses

import numpy as np
import torch

from siam_tracker_ros.core.crop import crop_context, mean_bgr
from siam_tracker_ros.core.response import clip_to_frame, context_side, hann_window, peak_ratio
from siam_tracker_ros.core.tensors import crops_to_tensor
from siam_tracker_ros.core.tracker import Tracker, TrackResult
from siam_tracker_ros.geometry import cxcywh_to_xywh, xywh_to_cxcywh
from siam_tracker_ros.settings import setting
from toy_method.network import SCORE_CELLS, SEARCH_SIDE, STRIDE, TEMPLATE_SIDE, ToyNetwork


@dataclasses.dataclass(frozen=True)
class ToySettings:
    """How the response becomes a box."""

    window_influence: float = setting(0.3, "Share of the Hann window in what picks the best cell.", 0, 1)


@dataclasses.dataclass(frozen=True, eq=False)
class ToyTarget:
    """A target: features (1, 16, 15, 15) of its template and its last box, float64 (4,)."""

    template: torch.Tensor
    box_cxcywh: np.ndarray


class ToyTracker(Tracker[ToyTarget]):
    """Runs a ToyNetwork."""

    settings_class = ToySettings
    target_class = ToyTarget
    network: ToyNetwork
    settings: ToySettings

    @torch.inference_mode()
    def _start(self, image_bgr: np.ndarray, box_xywh: np.ndarray) -> ToyTarget:
        box = xywh_to_cxcywh(box_xywh)
        side = max(1, round(context_side(*box[2:])))
        crop, _ = crop_context(image_bgr, box[:2], side, TEMPLATE_SIDE, mean_bgr(image_bgr))
        return ToyTarget(self.network.encode(crops_to_tensor(crop[None], self.network)), box)

    @torch.inference_mode()
    def _step(self, image_bgr: np.ndarray, target: ToyTarget) -> tuple[ToyTarget, TrackResult]:
        zoom = context_side(*target.box_cxcywh[2:]) / TEMPLATE_SIDE  # pixels of the frame to one of the crop
        side = max(1, round(zoom * SEARCH_SIDE))
        crop, _ = crop_context(image_bgr, target.box_cxcywh[:2], side, SEARCH_SIDE, mean_bgr(image_bgr))
        logits = self.network(crops_to_tensor(crop[None], self.network), target.template)
        score = torch.sigmoid(logits)[0].double().numpy()  # (17, 17)
        influence = self.settings.window_influence
        response = (1 - influence) * score + influence * hann_window(SCORE_CELLS)
        row, column = divmod(int(response.argmax()), SCORE_CELLS)
        shift_xy = (np.array([column, row]) - SCORE_CELLS // 2) * STRIDE * zoom
        box = np.concatenate([target.box_cxcywh[:2] + shift_xy, target.box_cxcywh[2:]])
        result = TrackResult(cxcywh_to_xywh(box), float(score[row, column]), peak_ratio=peak_ratio(score, row, column))
        return ToyTarget(target.template, clip_to_frame(box, image_bgr)), result
