# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Ocean (Zhang et al., ECCV 2020) without its online branch, as TracKit and SOTS released it."""

import abc
import dataclasses
import typing
from collections.abc import Callable, Iterable

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
    round_half_up,
)
from siam_tracker_ros.core.device_request import StepRequest
from siam_tracker_ros.core.device_step import StepFunction
from siam_tracker_ros.core.finite import check_finite
from siam_tracker_ros.core.response import (
    BestBox,
    ResponseSettings,
    choice_numbers,
    clip_to_frame,
    context_side,
    hann_window,
    peak_cell,
    peak_ratio,
    size_change,
)
from siam_tracker_ros.core.tensors import crops_to_tensor
from siam_tracker_ros.core.tracker import Tracker, TrackResult
from siam_tracker_ros.geometry import cxcywh_to_xywh, ltrb_to_cxcywh, xywh_to_cxcywh
from siam_tracker_ros.methods.ocean.device import OceanStep, StepInputs
from siam_tracker_ros.methods.ocean.network import (
    STRIDE,
    AnchorFreeNetwork,
    OceanNetwork,
    Template,
    cell_pixels,
    response_cells,
)
from siam_tracker_ros.settings import setting, with_default

SMALL_SHARE = 0.004  # of the first frame's area; a smaller target counts as small

Kept = typing.TypeVar("Kept")  # the network's template


@dataclasses.dataclass(frozen=True)
class AnchorFreeSettings(ResponseSettings):
    """How a response with one box per cell becomes a box."""

    penalty_k: float = with_default(ResponseSettings, "penalty_k", 0.062)
    window_influence: float = with_default(ResponseSettings, "window_influence", 0.38)
    lr: float = with_default(ResponseSettings, "lr", 0.765)
    search_side: int = setting(255, "Side of the search crop in pixels of the network's input.", 127, 511)
    small_target_side: int = setting(
        271, "As `search_side`, for targets under 0.4 % of the first frame's area.", 127, 511
    )
    size_smoothing: int = setting(2, "How often the size is smoothed: twice in TracKit, once in SOTS.", 1, 2)


@dataclasses.dataclass(frozen=True)
class OceanSettings(AnchorFreeSettings):
    """How the response becomes a box."""

    ratio: float = setting(
        0.94,
        "Share of the usual classification in the confidence; the rest is the alignment head's. 1 switches that head "
        "off. A network without the head ignores it.",
        0,
        1,
    )


@dataclasses.dataclass(frozen=True, eq=False)
class OceanTarget(typing.Generic[Kept]):
    """A target's state.

    Attributes:
        template: the network's template.
        fill_bgr: mean colour of the first frame, which fills what lies outside of any frame.
        search_side: side of its search crops in pixels of the network's input.
        box_cxcywh: float64 (4,), its last box.
    """

    template: Kept
    fill_bgr: np.ndarray
    search_side: int
    box_cxcywh: np.ndarray


class AnchorFreeTracker(Tracker[OceanTarget[Kept]]):
    """Ocean's procedure, for any network that predicts one box per cell."""

    target_class = OceanTarget
    tile_side = SEARCH_SIDE
    tile_stride = STRIDE
    network: AnchorFreeNetwork
    settings: AnchorFreeSettings

    @abc.abstractmethod
    def _step_inputs(self, template: Kept) -> StepInputs:
        """Return what the AnchorFreeStep of this method is given beside the frame."""

    @abc.abstractmethod
    def _encode(self, image_bgr: torch.Tensor) -> Kept:
        """Return the template of a crop (1, 3, 127, 127)."""

    @abc.abstractmethod
    def _respond(self, features: torch.Tensor, template: Kept, search_side: int) -> tuple[np.ndarray, np.ndarray]:
        """Return confidence and boxes in a search crop of that side, from its features (1, 256, H, W).

        The confidence is float64 (S, S), 0..1. The boxes are float64 (4, S, S) as cxcywh, in pixels from the crop's
        middle pixel.
        """

    def _start(self, image_bgr: np.ndarray, box_xywh: np.ndarray) -> OceanTarget[Kept]:
        settings = self.settings
        box = xywh_to_cxcywh(box_xywh)
        fill_bgr = mean_bgr(image_bgr)
        side = round(context_side(*box[2:]))
        crop, _ = crop_context(image_bgr, box[:2], side, TEMPLATE_SIDE, fill_bgr, snap=round)
        with torch.inference_mode():
            template = self._encode(crops_to_tensor(crop[None], self.network))
        height, width = image_bgr.shape[:2]
        is_small = box[2:].prod() / (height * width) < SMALL_SHARE
        search_side = int(settings.small_target_side if is_small else settings.search_side)
        return OceanTarget(template, fill_bgr, search_side, box)

    def _step(self, image_bgr: np.ndarray, target: OceanTarget[Kept]) -> tuple[OceanTarget[Kept], TrackResult]:
        return self.follow(image_bgr, target)

    def follow(
        self,
        image_bgr: np.ndarray,
        target: OceanTarget[Kept],
        blend: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> tuple[OceanTarget[Kept], TrackResult]:
        """Find a target in the next frame.

        Args:
            image_bgr: uint8 (H, W, 3).
            target: the target in the frame before.
            blend: function of the response (S, S) with penalty and window, which returns the response that the best
                cell is picked from; None: the response as it is.

        Returns:
            The target in this frame and the TrackResult.
        """
        settings = self.settings
        center_xy, size_wh = target.box_cxcywh[:2], target.box_cxcywh[2:]
        origin_xy, side, _, scale = self._search_region(target)
        if self._device_step is not None and blend is None:
            values, (features,) = self._device_step(image_bgr, self._step_request(target))
            best = BestBox.unpack(values)
        else:
            crop, _ = crop_context(image_bgr, center_xy, side, target.search_side, target.fill_bgr, snap=round)
            with torch.inference_mode():
                features = self.network.features(crops_to_tensor(crop[None], self.network))
                score, boxes = self._respond(features, target.template, target.search_side)
            penalty = np.exp(-settings.penalty_k * (size_change(size_wh, boxes[2:] / scale) - 1))
            window = hann_window(response_cells(target.search_side))  # (S, S)
            response = penalty * score * (1 - settings.window_influence) + window * settings.window_influence
            if blend:
                response = blend(response)
            row, column = at = peak_cell(response)
            check_finite("box", boxes[:, row, column])  # infinity would be clipped to the frame
            best = BestBox(
                row, column, boxes[:, row, column], float(score[at]), penalty[at], peak_ratio(score, row, column)
            )
        found = best.box_cxcywh / scale  # in pixels of the frame, from the target's last centre
        rate = (best.penalty * best.score * settings.lr) ** settings.size_smoothing

        box = np.concatenate([center_xy + found[:2], size_wh + rate * (found[2:] - size_wh)])
        box = clip_to_frame(box, image_bgr)
        result = TrackResult(
            cxcywh_to_xywh(box),
            best.score,
            peak_ratio=best.peak_ratio,
            region=Region(features, origin_xy, side, STRIDE * side / target.search_side),
        )
        return dataclasses.replace(target, box_cxcywh=box), result

    def move(self, target: OceanTarget[Kept], box_xywh: np.ndarray) -> OceanTarget[Kept]:
        """Return a target as if it had last been seen in another box, float64 (4,), with the same appearance."""
        return dataclasses.replace(target, box_cxcywh=xywh_to_cxcywh(box_xywh))

    def _step_request(self, target: OceanTarget[Kept]) -> StepRequest:
        origin_xy, side, search_side, scale = self._search_region(target)
        size_wh, settings = target.box_cxcywh[2:] * scale, self.settings
        choice = choice_numbers(size_wh, settings.penalty_k, settings.window_influence)
        inputs = self._step_inputs(target.template)
        numbers = [*region_numbers(origin_xy, side, target.fill_bgr), *choice, *inputs.numbers]
        return StepRequest(numbers, inputs.tensors, {"search_side": search_side, **inputs.options})

    def _search_region(self, target: OceanTarget[Kept]) -> SearchRegion:
        context = context_side(*target.box_cxcywh[2:])
        scale = TEMPLATE_SIDE / context
        margin = (target.search_side - TEMPLATE_SIDE) / 2 / scale
        side = round_half_up(context + 2 * margin)
        return SearchRegion(region_corner(target.box_cxcywh[:2], side, round), side, target.search_side, scale)

    def _input_scale(self, target: OceanTarget[Kept]) -> float:
        return TEMPLATE_SIDE / float(context_side(*target.box_cxcywh[2:]))

    def _fill_bgr(self, target: OceanTarget[Kept]) -> Iterable[float]:
        return target.fill_bgr

    def _encode_tile(self, crop_bgr: np.ndarray) -> torch.Tensor:
        with torch.inference_mode():
            return self.network.features(crops_to_tensor(crop_bgr[None], self.network))


class OceanTracker(AnchorFreeTracker[Template]):
    """Runs an OceanNetwork that is ready for inference; see `create_tracker`."""

    settings_class = OceanSettings
    network: OceanNetwork
    settings: OceanSettings

    def _step_function(self) -> StepFunction:
        return OceanStep(self.network)

    def _step_inputs(self, template: Template) -> StepInputs:
        ratio = self.settings.ratio
        return StepInputs([*template.classification, *template.regression], [ratio], {"align": ratio < 1})

    def _encode(self, image_bgr: torch.Tensor) -> Template:
        return self.network.encode_template(image_bgr)

    def _respond(self, features: torch.Tensor, template: Template, search_side: int) -> tuple[np.ndarray, np.ndarray]:
        ratio = self.settings.ratio
        response = self.network.respond(features, template, search_side, align=ratio < 1)
        score = torch.sigmoid(response.classification)
        if response.alignment is not None:
            score = ratio * score + (1 - ratio) * torch.sigmoid(response.alignment)
        packed = torch.cat([score, response.box_ltrb], 1)[0].cpu().numpy().astype(np.float64)
        cell = cell_pixels(score.shape[-1]).numpy()
        points = np.stack(np.meshgrid(cell, cell), -1)  # (S, S, 2)
        return packed[0], np.moveaxis(ltrb_to_cxcywh(np.moveaxis(packed[1:], 0, -1), points), -1, 0)
