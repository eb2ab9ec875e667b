# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""SiamRPN++ (Li et al. 2019) as PySOT released it, short-term and long-term."""

import dataclasses
from collections.abc import Iterable

import numpy as np
import torch

from siam_tracker_ros.core.appearance import Region
from siam_tracker_ros.core.crop import (
    SEARCH_SIDE,
    TEMPLATE_SIDE,
    SearchRegion,
    crop_context,
    mean_bgr,
    region_corner,
    region_numbers,
)
from siam_tracker_ros.core.device_request import StepRequest
from siam_tracker_ros.core.device_step import StepFunction
from siam_tracker_ros.core.response import BestBox, ResponseSettings, choice_numbers, clip_to_frame, context_side
from siam_tracker_ros.core.tensors import crops_to_tensor
from siam_tracker_ros.core.tracker import Tracker, TrackResult
from siam_tracker_ros.errors import InvalidSettingError
from siam_tracker_ros.geometry import cxcywh_to_xywh, xywh_to_cxcywh
from siam_tracker_ros.methods.siamrpn.anchors import STRIDE
from siam_tracker_ros.methods.siamrpn.device import SiamRPNStep
from siam_tracker_ros.methods.siamrpn.network import SiamRPN, selective_level
from siam_tracker_ros.methods.siamrpn.proposals import best_proposal, decode_proposals
from siam_tracker_ros.methods.siamrpn.rpn import Kernels
from siam_tracker_ros.settings import setting

LOST_WINDOW_INFLUENCE = 0.001  # a lost target may be anywhere
MAX_POSITION = 1e6  # pixels, and the maximum side; no frame is so large, and no crop can be
MIN_SIDE = 1e-3  # pixels of a target that may be lost


@dataclasses.dataclass(frozen=True)
class SiamRPNSettings(ResponseSettings):
    """How the response becomes a box."""

    search_side: int = setting(
        255,
        "Side of the search crop in pixels of the network's input: 127, as the template, and a multiple of 8 more.",
        191,
        1023,
    )
    long_term: bool = setting(
        False, "Whether a target can be lost: its box then stays, and the search region is larger."
    )
    confidence_low: float = setting(0.8, "A target whose score is below is lost.", 0, 1)
    confidence_high: float = setting(0.998, "A lost target whose score is above is found again.", 0, 1)
    lost_search_side: int = setting(831, "As `search_side`, for a lost target.", 191, 1023)

    def __post_init__(self) -> None:
        for name in ("search_side", "lost_search_side"):
            side = getattr(self, name)
            rest = (side - TEMPLATE_SIDE) % STRIDE
            if rest:
                raise InvalidSettingError(
                    f"setting {name} is {side:g}, expected {TEMPLATE_SIDE} and a multiple of {STRIDE} more, "
                    f"such as {side - rest:g}"
                )


@dataclasses.dataclass(frozen=True, eq=False)
class SiamRPNTarget:
    """A target's state.

    Attributes:
        kernels: kernels of the template.
        fill_bgr: mean colour of the first frame, which fills what lies outside of any frame.
        box_cxcywh: float64 (4,), its last box.
        lost: whether a long-term tracker has lost it. PySOT keeps this in the tracker, where it outlives the target.
    """

    kernels: Kernels
    fill_bgr: np.ndarray
    box_cxcywh: np.ndarray
    lost: bool = False


class SiamRPNTracker(Tracker[SiamRPNTarget]):
    """Runs a SiamRPN that is ready for inference; see `create_tracker`."""

    settings_class = SiamRPNSettings
    target_class = SiamRPNTarget
    tile_side = SEARCH_SIDE
    tile_stride = STRIDE
    network: SiamRPN
    settings: SiamRPNSettings

    def _start(self, image_bgr: np.ndarray, box_xywh: np.ndarray) -> SiamRPNTarget:
        box, fill_bgr = xywh_to_cxcywh(box_xywh), mean_bgr(image_bgr)
        side = round(context_side(*box[2:]))
        crop, _ = crop_context(image_bgr, box[:2], side, TEMPLATE_SIDE, fill_bgr)
        with torch.inference_mode():
            kernels = self.network.encode_template(crops_to_tensor(crop[None], self.network))
        return SiamRPNTarget(kernels, fill_bgr, box)

    def _step(self, image_bgr: np.ndarray, target: SiamRPNTarget) -> tuple[SiamRPNTarget, TrackResult]:
        settings = self.settings
        center_xy, size_wh = target.box_cxcywh[:2], target.box_cxcywh[2:]
        origin_xy, side, search_side, scale = self._search_region(target)
        if self._device_step is not None:
            values, (selective,) = self._device_step(image_bgr, self._step_request(target))
            best = BestBox.unpack(values)
        else:
            crop, _ = crop_context(image_bgr, center_xy, side, search_side, target.fill_bgr)
            with torch.inference_mode():
                features = self.network.features(crops_to_tensor(crop[None], self.network))
                score, boxes = decode_proposals(*self.network.propose(features, target.kernels))
            best = best_proposal(score, boxes, size_wh * scale, settings.penalty_k, self._window_influence(target))
            selective = selective_level(features)

        box, lost = target.box_cxcywh, False
        if not settings.long_term or best.score >= settings.confidence_low:
            found = best.box_cxcywh / scale
            rate = best.penalty * best.score * settings.lr
            box = np.concatenate([center_xy + found[:2], size_wh * (1 - rate) + found[2:] * rate])
        clipped = clip_to_frame(box, image_bgr)
        if settings.long_term:
            lost = best.score < settings.confidence_low or (target.lost and best.score <= settings.confidence_high)
            center, size = box[:2].clip(-MAX_POSITION, MAX_POSITION), box[2:].clip(MIN_SIDE, MAX_POSITION)
            next_box = np.concatenate([center, size])
        else:
            next_box = clipped
        result = TrackResult(
            cxcywh_to_xywh(clipped),
            best.score,
            peak_ratio=best.peak_ratio,
            region=Region(selective, origin_xy, side, STRIDE * side / search_side),
        )
        return dataclasses.replace(target, box_cxcywh=next_box, lost=lost), result

    def move(self, target: SiamRPNTarget, box_xywh: np.ndarray) -> SiamRPNTarget:
        """Return a target as if it had last been seen in another box, float64 (4,), with the same appearance."""
        return dataclasses.replace(target, box_cxcywh=xywh_to_cxcywh(box_xywh), lost=False)

    def _step_function(self) -> StepFunction:
        return SiamRPNStep(self.network)

    def _step_request(self, target: SiamRPNTarget) -> StepRequest:
        origin_xy, side, search_side, scale = self._search_region(target)
        size_wh = target.box_cxcywh[2:] * scale
        choice = choice_numbers(size_wh, self.settings.penalty_k, self._window_influence(target))
        numbers = [*region_numbers(origin_xy, side, target.fill_bgr), *choice]
        kernels = [kernel for pair in target.kernels for kernel in pair]
        return StepRequest(numbers, kernels, {"search_side": search_side})

    def _search_region(self, target: SiamRPNTarget) -> SearchRegion:
        search_side = int(self.settings.lost_search_side if target.lost else self.settings.search_side)
        context = context_side(*target.box_cxcywh[2:])
        side = max(1, round(context * (search_side / TEMPLATE_SIDE)))
        return SearchRegion(region_corner(target.box_cxcywh[:2], side), side, search_side, TEMPLATE_SIDE / context)

    def _window_influence(self, target: SiamRPNTarget) -> float:
        return LOST_WINDOW_INFLUENCE if target.lost else self.settings.window_influence

    def _input_scale(self, target: SiamRPNTarget) -> float:
        return TEMPLATE_SIDE / float(context_side(*target.box_cxcywh[2:]))

    def _fill_bgr(self, target: SiamRPNTarget) -> Iterable[float]:
        return target.fill_bgr

    def _encode_tile(self, crop_bgr: np.ndarray) -> torch.Tensor:
        with torch.inference_mode():
            return selective_level(self.network.features(crops_to_tensor(crop_bgr[None], self.network)))
