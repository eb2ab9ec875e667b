# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""GradNet's search of a frame where its network lies, see `core.device_step`."""

import typing

import numpy as np
import torch
from torch.nn import functional

from siam_tracker_ros.core.crop import REGION_NUMBERS, SEARCH_SIDE
from siam_tracker_ros.core.device_crop import CropRegions, blend, gather, is_within, resize_taps
from siam_tracker_ros.core.device_response import window_on
from siam_tracker_ros.core.stage import stage
from siam_tracker_ros.methods.gradnet.network import SCORE_CELLS, GradNetNetwork, correlate

SCALES = 3  # regions of a frame
MIDDLE = 1  # index of the one that changes nothing
UPSAMPLING = 16  # factor, of the response
RESPONSE_SIDE = SCORE_CELLS * UPSAMPLING
PYRAMID_NUMBERS = 1 + 2 * SCALES


class Pick(typing.NamedTuple):
    """The best place of a response.

    Attributes:
        scale: index of the region.
        row, column: cell of the upsampled response.
    """

    scale: int
    row: int
    column: int


class SearchAnswer(typing.NamedTuple):
    """What a GradNetStep says of a frame.

    Attributes:
        pick: the best place.
        fixed: raw scores of the fixed template at three scales, (3, 17, 17).
        adapted: raw scores of the adapted template at the middle scale, (17, 17).
    """

    pick: Pick
    fixed: np.ndarray
    adapted: np.ndarray

    @classmethod
    def unpack(cls, values: np.ndarray) -> "SearchAnswer":
        """Return the answer that a GradNetStep packed into values."""
        scores = values[3:].reshape(SCALES + 1, SCORE_CELLS, SCORE_CELLS)
        return cls(Pick(*values[:3].astype(int).tolist()), scores[:SCALES], scores[SCALES])


class GradNetStep:
    """From a frame to the scores of three regions, and to the best place, of each target.

    Args:
        network: ready for inference, in float32.
    """

    def __init__(self, network: GradNetNetwork) -> None:
        self._network = network

    def __call__(
        self,
        frame_bgr: torch.Tensor,
        numbers: torch.Tensor,
        fixed_template: torch.Tensor,
        adapted_template: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the values of SearchAnswers, and the features (B, 256, 22, 22) of the middle regions.

        Args:
            frame_bgr: uint8 (H, W, 3).
            numbers: (B, N), those of the largest region; of `crop_pyramids`; factor on the peaks of the scales that
                change the size, weight of the adapted template, weight of the window.
            fixed_template, adapted_template: (B, 256, 6, 6).
        """
        region, pyramid, settings = numbers.tensor_split([REGION_NUMBERS, REGION_NUMBERS + PYRAMID_NUMBERS], 1)
        crops = crop_pyramids(frame_bgr, CropRegions.of(region), pyramid)
        features = self._network.encode_search(crops.permute(0, 3, 1, 2).to(fixed_template.dtype))
        features = features.unflatten(0, (-1, SCALES))  # (B, 3, 256, 22, 22)
        templates = torch.stack([fixed_template, adapted_template], 1)
        scores = torch.stack([correlate(*each) for each in zip(features, templates, strict=True)])  # (B, 3, 2, 17, 17)
        scores = torch.cat([scores[:, :, 0], scores[:, MIDDLE, 1:]], 1).float()
        return torch.cat([pick_places(scores, settings), scores.flatten(1)], 1), features[:, MIDDLE]


@stage("crop")
def crop_pyramids(frame_bgr: torch.Tensor, regions: CropRegions, numbers: torch.Tensor) -> torch.Tensor:
    """Cut three regions around each centre out of a frame, by way of the largest one, as the tracker's pyramid does.

    Args:
        frame_bgr: uint8 (H, W, 3).
        regions: the largest one of each three in the frame.
        numbers: float32 (B, PYRAMID_NUMBERS): side that the largest region is resized to; corners of the three regions
            in that; their sides.

    Returns:
        int32 (3 * B, 255, 255, 3), 0..255.
    """
    whole_side, corners, sides = numbers.long().tensor_split([1, 1 + SCALES], 1)
    whole_side = whole_side.expand(-1, SCALES).reshape(-1, 1)  # (3 * B, 1)
    corners, sides, regions = corners.reshape(-1, 1), sides.reshape(-1, 1), regions.repeated(SCALES)
    at = torch.arange(SEARCH_SIDE, device=frame_bgr.device)[None]
    outer = resize_taps(sides, SEARCH_SIDE, at)
    places = outer.places.flatten(1) + corners  # (3 * B, 510), in the resized region
    inner = resize_taps(regions.side, whole_side, torch.minimum(places.clamp(min=0), whole_side - 1))
    whole = blend(gather(frame_bgr, inner.places.flatten(1), regions), inner.far)  # (3 * B, 510, 510, 3)
    inside = is_within(places, whole_side)
    inside = inside[:, :, None] & inside[:, None, :]
    return blend(torch.where(inside[..., None], whole, regions.fill_bgr[:, None, None].int()), outer.far)


def pick_places(scores: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
    """Find the best places as GradNetTracker does, in float32.

    Args:
        scores: float32 (B, 4, 17, 17), of the fixed template at three scales, and of the adapted one.
        numbers: float32 (B, 3), see GradNetStep.

    Returns:
        float32 (B, 3), scale, row and column.
    """
    penalty_k, gradient_influence, window_influence = numbers[..., None, None].unbind(1)  # (B, 1, 1) each
    upsampled = functional.interpolate(scores, scale_factor=float(UPSAMPLING), mode="bicubic")  # (B, 4, 272, 272)
    peaks = upsampled[:, :SCALES].amax((2, 3))
    factors = torch.cat([penalty_k, torch.ones_like(penalty_k), penalty_k], 1)[..., 0]
    scale = (factors * peaks).argmax(1)
    of_each = torch.arange(len(scale), device=scale.device)
    fixed, adapted = (_normalized(response) for response in (upsampled[of_each, scale], upsampled[:, SCALES]))
    response = (1 - gradient_influence) * fixed + gradient_influence * adapted
    window = window_on(scores.device, RESPONSE_SIDE)
    response = (1 - window_influence) * response + window_influence * (window / window.sum())
    place = response.flatten(1).argmax(1)
    row = torch.div(place, RESPONSE_SIDE, rounding_mode="floor")
    return torch.stack([scale, row, place % RESPONSE_SIDE], 1).float()


def _normalized(response: torch.Tensor) -> torch.Tensor:
    """Responses (B, H, W), each shifted to a minimum of 0 and scaled to a sum of 1; a flat one becomes 0."""
    response = response - response.amin((1, 2), keepdim=True)
    total = response.sum((1, 2), keepdim=True)
    return torch.where(total > 0, response / total, response)
