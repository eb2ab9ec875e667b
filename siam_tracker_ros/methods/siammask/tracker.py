# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""SiamMask (Wang et al. 2019), as its authors and as PySOT released it."""

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
from siam_tracker_ros.core.mask_shape import full_frame, largest_contour, smallest_rectangle, upright_bounds, warp_mask
from siam_tracker_ros.core.response import ResponseSettings, choice_numbers, clip_to_frame, context_side
from siam_tracker_ros.core.tensors import crops_to_tensor
from siam_tracker_ros.core.tracker import Tracker, TrackResult
from siam_tracker_ros.geometry import corners_to_equal_area_cxcywh, cxcywh_to_xywh, xywh_to_corners, xywh_to_cxcywh
from siam_tracker_ros.methods.siammask.device import SiamMaskStep, unpack_mask
from siam_tracker_ros.methods.siammask.network import SiamMask, Template
from siam_tracker_ros.methods.siamrpn.anchors import STRIDE
from siam_tracker_ros.methods.siamrpn.proposals import best_proposal, decode_proposals
from siam_tracker_ros.settings import setting, with_default

FIRST_CELL = 4  # the window of this cell begins at the corner of the search crop; those before begin outside


@dataclasses.dataclass(frozen=True)
class SiamMaskSettings(ResponseSettings):
    """How the response becomes a box and a mask."""

    penalty_k: float = with_default(ResponseSettings, "penalty_k", 0.04)
    window_influence: float = with_default(ResponseSettings, "window_influence", 0.40)
    lr: float = with_default(ResponseSettings, "lr", 1.0)
    mask_threshold: float = setting(0.35, "A pixel belongs to the target above this probability.", 0, 1)
    box_generation: typing.Literal["released", "axis_aligned", "rotated"] = setting(
        "released",
        "Box and polygon of a result, from the largest part of the mask if it has more than 100 pixels. "
        "released: as the authors do, the box of the regression and the smallest rotated rectangle. "
        "axis_aligned: the bounds for both. "
        "rotated: the upright box of the same area as the smallest rotated rectangle, and this rectangle. "
        "Without such a part, both are those of the regression, which always centres the next search region.",
    )


@dataclasses.dataclass(frozen=True, eq=False)
class SiamMaskTarget:
    """A target's state.

    Attributes:
        template: kernels of the template.
        fill_bgr: mean colour of the first frame, which fills what lies outside of any frame.
        box_cxcywh: float64 (4,), its last box, from the regression.
    """

    template: Template
    fill_bgr: np.ndarray
    box_cxcywh: np.ndarray


class SiamMaskTracker(Tracker[SiamMaskTarget]):
    """Runs a SiamMask that is ready for inference, by the rules of its authors' code; see `create_tracker`.

    Attributes:
        snap: rounding of a crop's corner.
        mask_border: value of the mask in the frame around the mask's window.
        clips_polygon: whether a polygon from the regression is the clipped box.
    """

    settings_class = SiamMaskSettings
    target_class = SiamMaskTarget
    tile_side = SEARCH_SIDE
    tile_stride = STRIDE
    network: SiamMask
    settings: SiamMaskSettings
    snap: Callable[[float], int] = staticmethod(round)
    mask_border = -1.0
    clips_polygon = False

    def _start(self, image_bgr: np.ndarray, box_xywh: np.ndarray) -> SiamMaskTarget:
        box, fill_bgr = xywh_to_cxcywh(box_xywh), mean_bgr(image_bgr)
        side = round(context_side(*box[2:]))
        crop, _ = crop_context(image_bgr, box[:2], side, TEMPLATE_SIDE, fill_bgr, self.snap)
        with torch.inference_mode():
            template = self.network.encode_template(crops_to_tensor(crop[None], self.network))
        return SiamMaskTarget(template, fill_bgr, box)

    def _step(self, image_bgr: np.ndarray, target: SiamMaskTarget) -> tuple[SiamMaskTarget, TrackResult]:
        settings = self.settings
        center_xy, size_wh = target.box_cxcywh[:2], target.box_cxcywh[2:]
        origin_xy, side, _, scale = self._search_region(target)
        if self._device_step is not None:
            values, (features,) = self._device_step(image_bgr, self._step_request(target))
            best, probability = unpack_mask(values)
        else:
            crop, _ = crop_context(image_bgr, center_xy, side, SEARCH_SIDE, target.fill_bgr, self.snap)
            with torch.inference_mode():
                response = self.network(crops_to_tensor(crop[None], self.network), target.template)
                score, boxes = decode_proposals(response.logits, response.offsets)
                best = best_proposal(score, boxes, size_wh * scale, settings.penalty_k, settings.window_influence)
                logits = self.network.mask(response, target.template, best.row, best.column)
                probability = torch.sigmoid(logits[0]).float().cpu().numpy()  # (127, 127) or (63, 63)
            features = response.features[-1]

        found = best.box_cxcywh / scale
        rate = best.penalty * best.score * settings.lr
        unclipped = np.concatenate([center_xy + found[:2], size_wh * (1 - rate) + found[2:] * rate])
        box = clip_to_frame(unclipped, image_bgr)

        zoom = side / SEARCH_SIDE  # pixels of the frame per pixel of the crop
        cell_xy = np.array([best.column, best.row]) - FIRST_CELL
        # The corner of the mask's window; that of the crop is not rounded here.
        corner_xy = center_xy - side / 2 + cell_xy * STRIDE * zoom
        frame_wh = image_bgr.shape[1], image_bgr.shape[0]
        values, first_xy = warp_mask(probability, corner_xy, TEMPLATE_SIDE * zoom, frame_wh, self.mask_border)
        part = values > settings.mask_threshold
        contour = largest_contour(part, first_xy)

        box_xywh = cxcywh_to_xywh(box)
        polygon = xywh_to_corners(box_xywh if self.clips_polygon else cxcywh_to_xywh(unclipped))
        if contour is not None and settings.box_generation == "axis_aligned":
            box_xywh = upright_bounds(contour)
            polygon = xywh_to_corners(box_xywh)
        elif contour is not None:
            polygon = smallest_rectangle(contour)
            if settings.box_generation == "rotated":
                box_xywh = cxcywh_to_xywh(corners_to_equal_area_cxcywh(polygon))
        result = TrackResult(
            box_xywh,
            best.score,
            mask=full_frame(part, first_xy, frame_wh),
            polygon=polygon,
            peak_ratio=best.peak_ratio,
            region=Region(features, origin_xy, side, STRIDE * zoom),
        )
        return dataclasses.replace(target, box_cxcywh=box), result

    def move(self, target: SiamMaskTarget, box_xywh: np.ndarray) -> SiamMaskTarget:
        """Return a target as if it had last been seen in another box, float64 (4,), with the same appearance."""
        return dataclasses.replace(target, box_cxcywh=xywh_to_cxcywh(box_xywh))

    def _step_function(self) -> StepFunction:
        return SiamMaskStep(self.network)

    def _step_request(self, target: SiamMaskTarget) -> StepRequest:
        origin_xy, side, _, scale = self._search_region(target)
        size_wh, settings = target.box_cxcywh[2:] * scale, self.settings
        choice = choice_numbers(size_wh, settings.penalty_k, settings.window_influence)
        (kernels,) = target.template.proposals
        numbers = [*region_numbers(origin_xy, side, target.fill_bgr), *choice]
        return StepRequest(numbers, [*kernels, target.template.mask])

    def _search_region(self, target: SiamMaskTarget) -> SearchRegion:
        context = context_side(*target.box_cxcywh[2:])
        side = max(1, round(context * (SEARCH_SIDE / TEMPLATE_SIDE)))
        origin_xy = region_corner(target.box_cxcywh[:2], side, self.snap)
        return SearchRegion(origin_xy, side, SEARCH_SIDE, TEMPLATE_SIDE / context)

    def _input_scale(self, target: SiamMaskTarget) -> float:
        return TEMPLATE_SIDE / float(context_side(*target.box_cxcywh[2:]))

    def _fill_bgr(self, target: SiamMaskTarget) -> Iterable[float]:
        return target.fill_bgr

    def _encode_tile(self, crop_bgr: np.ndarray) -> torch.Tensor:
        with torch.inference_mode():
            return self.network.features(crops_to_tensor(crop_bgr[None], self.network))[-1]


class PySOTSiamMaskTracker(SiamMaskTracker):
    """The same by the rules of PySOT's code."""

    snap = staticmethod(round_half_up)
    mask_border = 0.0
    clips_polygon = True
