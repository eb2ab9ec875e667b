# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`lite`: the small tracker that this package trains and ships."""

import dataclasses

import numpy as np
import torch

from siam_tracker_ros.core.appearance import Region
from siam_tracker_ros.core.crop import crop_context, crops_to_tensor
from siam_tracker_ros.core.mask_shape import full_frame, largest_contour, paint_mask, smallest_rectangle
from siam_tracker_ros.core.method import Method
from siam_tracker_ros.core.response import (
    ResponseSettings,
    clip_to_frame,
    hann_window,
    peak_cell,
    peak_ratio,
    size_change,
)
from siam_tracker_ros.core.tracker import Tracker, TrackResult
from siam_tracker_ros.geometry import cxcywh_to_xywh, xywh_to_corners, xywh_to_cxcywh
from siam_tracker_ros.layers.mobilenet_v2 import STRIDE
from siam_tracker_ros.methods.lite.network import (
    SEARCH_CELLS,
    SEARCH_FACTOR,
    SEARCH_SIDE,
    TEMPLATE_FACTOR,
    TEMPLATE_SIDE,
    LiteNetwork,
    Response,
    Template,
    box_cover,
)
from siam_tracker_ros.settings import setting, with_default

BLACK = (0, 0, 0)  # outside of the frame, as in training
MIN_SIDE = 4.0  # pixels of a target


@dataclasses.dataclass(frozen=True)
class LiteSettings(ResponseSettings):
    """How the response becomes a box."""

    penalty_k: float = with_default(ResponseSettings, "penalty_k", 0.02)
    window_influence: float = setting(
        0.5, "Strength of the Hann window, which lowers scores towards the edge of the search region.", 0, 1
    )
    lr: float = setting(0.8, "Share of a new size that is taken over; the position is taken over whole.", 0, 1)
    hold_score: float = setting(
        0.05, "Below this score the target counts as hidden: its box stays, its mask is empty.", 0, 1
    )
    mask_threshold: float = setting(0.5, "A pixel belongs to the target above this probability.", 0, 1)


@dataclasses.dataclass(frozen=True, eq=False)
class LiteTarget:
    """A target's state: its template and its last box, float64 (4,) as centre x, centre y, width, height."""

    template: Template
    box_cxcywh: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class View:
    """Output of the network for the region around a target's last box.

    Attributes:
        response: the output as tensors.
        score: float64 (16, 16), 0..1, the confidence of each cell.
        boxes_cxcywh: float64 (4, 16, 16), boxes in units of the region's side, from its top left corner.
        side: side of the region in pixels of the frame.
        origin_xy: top left pixel of the region.
    """

    response: Response
    score: np.ndarray
    boxes_cxcywh: np.ndarray
    side: int
    origin_xy: tuple[int, int]


class LiteTracker(Tracker[LiteTarget]):
    """Runs a LiteNetwork that is ready for inference; see `create_tracker`."""

    settings_class = LiteSettings
    target_class = LiteTarget
    tile_side = SEARCH_SIDE
    tile_stride = STRIDE
    network: LiteNetwork
    settings: LiteSettings

    def __init__(self, network: LiteNetwork, settings: LiteSettings) -> None:
        super().__init__(network, settings)
        self._window = hann_window(SEARCH_CELLS + 2)[1:-1, 1:-1]  # (16, 16)

    def _start(self, image_bgr: np.ndarray, box_xywh: np.ndarray) -> LiteTarget:
        box = xywh_to_cxcywh(box_xywh)
        side = max(1, round(TEMPLATE_FACTOR * np.sqrt(box[2] * box[3])))
        crop, origin_xy = crop_context(image_bgr, box[:2], side, TEMPLATE_SIDE, BLACK)
        in_crop = np.concatenate([(box[:2] - origin_xy) / side, box[2:] / side])
        with torch.inference_mode():
            image = crops_to_tensor(crop[None], self.network)
            cover = box_cover(torch.from_numpy(in_crop[None]).to(image))  # (1, 1, 8, 8)
            template = self.network.encode_template(image, cover)
        return LiteTarget(template, box)

    def _step(self, image_bgr: np.ndarray, target: LiteTarget) -> tuple[LiteTarget, TrackResult]:
        view = self.look(image_bgr, target)
        target, result, _ = self.decide(image_bgr, target, view, view.score)
        return target, result

    def move(self, target: LiteTarget, box_xywh: np.ndarray) -> LiteTarget:
        """Return a target as if it had last been seen in another box, float64 (4,), with the same appearance."""
        return dataclasses.replace(target, box_cxcywh=xywh_to_cxcywh(box_xywh))

    def _input_scale(self, target: LiteTarget) -> float:
        return SEARCH_SIDE / (SEARCH_FACTOR * float(np.sqrt(target.box_cxcywh[2:].prod())))

    def _encode_tile(self, crop_bgr: np.ndarray) -> torch.Tensor:
        with torch.inference_mode():
            *_, features = self.network.backbone_features(crops_to_tensor(crop_bgr[None], self.network))
        return features

    def look(self, image_bgr: np.ndarray, target: LiteTarget) -> View:
        """Run the network on the region around a target's last box."""
        side = max(1, round(SEARCH_FACTOR * np.sqrt(target.box_cxcywh[2:].prod())))
        crop, origin_xy = crop_context(image_bgr, target.box_cxcywh[:2], side, SEARCH_SIDE, BLACK)
        with torch.inference_mode():
            response = self.network(crops_to_tensor(crop[None], self.network), target.template)
            confidence = torch.sigmoid(response.classification) * torch.sigmoid(response.localization)
            packed = torch.cat([confidence, response.box_cxcywh], 1)[0].cpu().numpy().astype(np.float64)
        return View(response, packed[0], packed[1:], side, origin_xy)

    def decide(
        self, image_bgr: np.ndarray, target: LiteTarget, view: View, score: np.ndarray
    ) -> tuple[LiteTarget, TrackResult, tuple[int, int] | None]:
        """Find a target in a view of it.

        Args:
            image_bgr: uint8 (H, W, 3).
            target: the target in the frame before.
            view: output of `look` for this frame.
            score: (16, 16), 0..1, the confidence of each cell; that of the view or a better one.

        Returns:
            The target in this frame, the TrackResult, and the best cell as (row, column), or None if its score is too
            low.
        """
        settings = self.settings
        size_wh, side, origin_xy, boxes = target.box_cxcywh[2:], view.side, view.origin_xy, view.boxes_cxcywh
        penalty = np.exp(-settings.penalty_k * (size_change(size_wh / side, boxes[2:]) - 1))
        response = penalty * score * (1 - settings.window_influence + settings.window_influence * self._window)
        row, column = cell = peak_cell(response)
        best_score = float(score[cell])
        box, part, first_xy = target.box_cxcywh, np.empty((0, 0), bool), (0, 0)
        frame_wh = image_bgr.shape[1], image_bgr.shape[0]
        is_found = best_score >= settings.hold_score
        if is_found:
            found = boxes[:, row, column]
            rate = settings.lr * penalty[cell]
            box = np.concatenate([found[:2] * side + origin_xy, size_wh * (1 - rate) + found[2:] * side * rate])
            probability = self._draw_mask(view.response, found)  # (128, 128)
            part, first_xy = paint_mask(probability, settings.mask_threshold, origin_xy, side, frame_wh)
        contour = largest_contour(part, first_xy)
        next_box = clip_to_frame(box, image_bgr, MIN_SIDE)  # of the next search region; the result's is not clipped
        result = TrackResult(
            cxcywh_to_xywh(box),
            best_score,
            mask=full_frame(part, first_xy, frame_wh),
            polygon=xywh_to_corners(cxcywh_to_xywh(box)) if contour is None else smallest_rectangle(contour),
            peak_ratio=peak_ratio(score, row, column),
            region=Region(view.response.features, origin_xy, side, side / SEARCH_CELLS),
        )
        return LiteTarget(target.template, next_box), result, cell if is_found else None

    def _draw_mask(self, response: Response, box_cxcywh: np.ndarray) -> np.ndarray:
        """Probability float32 (128, 128) of the target in the search region, for a box in units of its side."""
        with torch.inference_mode():
            logits = self.network.mask(response, torch.from_numpy(box_cxcywh[None]).to(response.fused))
            return torch.sigmoid(logits[0, 0]).float().cpu().numpy()


METHODS = (
    Method(
        "lite",
        "small anchor-free network of this project with masks",
        LiteTracker,
        LiteNetwork,
        TEMPLATE_SIDE,
        SEARCH_SIDE,
        frame_gmacs=0.38,
        checkpoint="its own weights, which come with the package",
        has_masks=True,
        preferred_runtimes=("onnx",),
        training="siam_tracker_ros.methods.lite.training:TRAINING",
    ),
)
