# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Ocean (Zhang et al., ECCV 2020) without its online branch, as TracKit and SOTS released it."""

import dataclasses

import numpy as np
import torch

from siam_tracker_ros.core.crop import crop_context, crops_to_tensor, mean_bgr, round_half_up
from siam_tracker_ros.core.method import Method
from siam_tracker_ros.core.response import clip_to_frame, context_side, hann_window, peak_ratio, size_change
from siam_tracker_ros.core.tracker import Tracker, TrackResult
from siam_tracker_ros.geometry import cxcywh_to_xywh, ltrb_to_cxcywh, xywh_to_cxcywh
from siam_tracker_ros.methods.ocean.network import (
    SEARCH_SIDE,
    TEMPLATE_SIDE,
    OceanNetwork,
    Template,
    cell_pixels,
    response_cells,
)
from siam_tracker_ros.settings import setting

SMALL_SHARE = 0.004  # of the first frame's area; below it a target counts as small


@dataclasses.dataclass(frozen=True)
class OceanSettings:
    """How the response becomes a box."""

    penalty_k: float = setting(
        0.062, "Strength of the penalty on changes of size and shape from frame to frame; 0 switches it off.", 0, 1
    )
    window_influence: float = setting(0.38, "Share of the Hann window in what picks the best cell.", 0, 1)
    lr: float = setting(
        0.765, "How much of a new size is taken over at full confidence; position is taken over whole.", 0, 1
    )
    ratio: float = setting(
        0.94,
        "Share of the usual classification in the confidence, the rest is the alignment head's; 1 leaves that head out. "
        "A network without the head ignores it.",
        0,
        1,
    )
    search_side: int = setting(255, "Side of the search crop in pixels of the network's input.", 127, 511)
    small_target_side: int = setting(
        271, "As `search_side`, for targets under 0.4 % of the first frame's area.", 127, 511
    )
    size_smoothing: int = setting(2, "How often the size is smoothed: twice in TracKit, once in SOTS.", 1, 2)


@dataclasses.dataclass(frozen=True, eq=False)
class OceanTarget:
    """A target's state.

    Attributes:
        template: what the network keeps of it.
        fill_bgr: mean colour of the first frame, which fills what lies outside of any frame.
        search_side: side of its search crops in pixels of the network's input.
        box_cxcywh: float64 (4,), its last box; the centre lies in the frame.
    """

    template: Template
    fill_bgr: np.ndarray
    search_side: int
    box_cxcywh: np.ndarray


class OceanTracker(Tracker):
    """Runs an OceanNetwork that is ready for inference; see `create_tracker`."""

    settings_class = OceanSettings
    target_class = OceanTarget

    def _start(self, image_bgr, box_xywh):
        settings = self.settings
        box = xywh_to_cxcywh(box_xywh)
        fill_bgr = mean_bgr(image_bgr)
        side = round(context_side(*box[2:]))
        crop, _ = crop_context(image_bgr, box[:2], side, TEMPLATE_SIDE, fill_bgr, snap=round)
        with torch.inference_mode():
            template = self.network.encode_template(crops_to_tensor(crop[None], self.network))
        height, width = image_bgr.shape[:2]
        is_small = box[2:].prod() / (height * width) < SMALL_SHARE
        search_side = int(settings.small_target_side if is_small else settings.search_side)
        return OceanTarget(template, fill_bgr, search_side, box)

    def _step(self, image_bgr, target):
        return self.follow(image_bgr, target)

    def follow(self, image_bgr, target, blend=None):
        """Find a target in the next frame.

        Args:
            image_bgr: uint8 (H, W, 3).
            target: OceanTarget.
            blend: function from the response (S, S), penalty and window applied, to the one that the best cell is
                picked from; None leaves it as it is.

        Returns:
            The next OceanTarget and the TrackResult.
        """
        settings = self.settings
        center_xy, size_wh = target.box_cxcywh[:2], target.box_cxcywh[2:]
        context = context_side(*size_wh)
        scale = TEMPLATE_SIDE / context  # pixels of the crop to one of the frame
        margin = (target.search_side - TEMPLATE_SIDE) / 2 / scale
        side = round_half_up(context + 2 * margin)
        crop, _ = crop_context(image_bgr, center_xy, side, target.search_side, target.fill_bgr, snap=round)
        with torch.inference_mode():
            score, boxes = self._respond(crops_to_tensor(crop[None], self.network), target.template)
        boxes = boxes / scale  # in pixels of the frame, from the target's last centre

        penalty = np.exp(-settings.penalty_k * (size_change(size_wh, boxes[2:]) - 1))
        window = hann_window(response_cells(target.search_side))  # (S, S)
        response = penalty * score * (1 - settings.window_influence) + window * settings.window_influence
        if blend:
            response = blend(response)
        row, column = np.unravel_index(response.argmax(), response.shape)
        found, best_score = boxes[:, row, column], float(score[row, column])
        rate = (penalty[row, column] * best_score * settings.lr) ** settings.size_smoothing

        box = np.concatenate([center_xy + found[:2], size_wh + rate * (found[2:] - size_wh)])
        box = clip_to_frame(box, image_bgr)
        box_xywh = cxcywh_to_xywh(box)
        box_xywh[:2] = np.maximum(box_xywh[:2], 0)  # the corner alone, the size stays
        result = TrackResult(box_xywh, best_score, peak_ratio=peak_ratio(score, row, column))
        return dataclasses.replace(target, box_cxcywh=box), result

    def _respond(self, image_bgr, template):
        """Confidence (S, S), 0..1, and boxes (4, S, S), as cxcywh in pixels from the crop's middle one, float64."""
        ratio = self.settings.ratio
        response = self.network(image_bgr, template, align=ratio < 1)
        score = torch.sigmoid(response.classification)
        if response.alignment is not None:
            score = ratio * score + (1 - ratio) * torch.sigmoid(response.alignment)
        packed = torch.cat([score, response.box_ltrb], 1)[0].cpu().numpy().astype(np.float64)
        cell = cell_pixels(score.shape[-1]).numpy()
        points = np.stack(np.meshgrid(cell, cell), -1)  # (S, S, 2)
        return packed[0], np.moveaxis(ltrb_to_cxcywh(np.moveaxis(packed[1:], 0, -1), points), -1, 0)


def _preset(penalty_k, lr, window_influence, search_side, small_target_side, ratio=1.0, size_smoothing=2):
    return {
        "penalty_k": penalty_k,
        "lr": lr,
        "window_influence": window_influence,
        "search_side": search_side,
        "small_target_side": small_target_side,
        "ratio": ratio,
        "size_smoothing": size_smoothing,
    }


def _sots_preset(*values):
    return _preset(*values, size_smoothing=1)


VOT2018_ON = _preset(0.187, 0.800, 0.640, 271, 287)
VOT2019_ON = _preset(0.060, 0.644, 0.484, 255, 287)

# The alignment head is left out wherever the authors leave it out: on all benchmarks but VOT.
PRESETS = {
    "vot2018": _preset(0.021, 0.730, 0.321, 255, 271, ratio=0.93),
    "vot2019": _preset(0.062, 0.765, 0.380, 255, 271, ratio=0.94),
    # VOT without the alignment head: the settings of the online variant, as its authors advise.
    "vot2018_noa": VOT2018_ON,
    "vot2019_noa": VOT2019_ON,
    "vot2020_noa": VOT2019_ON,
    "vot2018_on": VOT2018_ON,
    "vot2019_on": VOT2019_ON,
    "otb2015": _preset(0.087, 0.408, 0.366, 271, 271),
    "got10k": _preset(0.022, 0.799, 0.118, 255, 255),
    "lasot": _preset(0.110, 0.700, 0.200, 255, 255),
    # Not the authors': SiameseTracking4UAV's.
    "uav123": _preset(0.080, 0.305, 0.440, 127, 287),
    # SOTS trained Ocean anew, without alignment, and chose settings for that checkpoint.
    "sots_otb2015": _sots_preset(0.109, 0.519, 0.200, 271, 287),
    "sots_vot2019": _sots_preset(0.042, 0.654, 0.443, 255, 287),
    "sots_got10k": _sots_preset(0.023, 0.800, 0.160, 255, 287),
    "sots_lasot": _sots_preset(0.109, 0.519, 0.200, 271, 287),
    "sots_trackingnet": _sots_preset(0.109, 0.519, 0.200, 271, 287),
    "sots_tnl2k": _sots_preset(0.034, 0.313, 0.284, 271, 287),
    "sots_uav123": _sots_preset(0.034, 0.313, 0.284, 271, 287),
    "sots_nfs30": _sots_preset(0.144, 0.720, 0.153, 255, 287),
    "sots_tc128": _sots_preset(0.134, 0.300, 0.284, 271, 271),
    "sots_totb": _sots_preset(0.133, 0.385, 0.383, 255, 287),
}

METHODS = (
    Method(
        name="ocean",
        description="Ocean: anchor-free, with the object-aware alignment head where the checkpoint has one",
        tracker_class=OceanTracker,
        network_class=OceanNetwork,
        template_side=TEMPLATE_SIDE,
        search_side=SEARCH_SIDE,
        frame_gmacs=20.5,
        presets=PRESETS,
        checkpoint="TracKit's OceanV.pth or OceanNoOA.pth, or SOTS's Ocean.pth",
        published="https://github.com/researchmm/TracKit or https://github.com/JudasDie/SOTS",
        half_precision=False,
        training="siam_tracker_ros.methods.ocean.training:TRAINING",
    ),
)
