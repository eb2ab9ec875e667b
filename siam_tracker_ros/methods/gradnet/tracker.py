# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""GradNet: two templates, one that never changes and one that gradients of the tracking loss adapt every few frames.

The rules are those of the authors' released tracker, which has more than the paper: the template that never changes
determines the scale and most of the position, and four further rules guard against losing the target.
"""

import dataclasses
from collections.abc import Iterable, Sequence

import cv2
import numpy as np
import torch

from siam_tracker_ros.core.appearance import Region
from siam_tracker_ros.core.crop import SEARCH_SIDE, TEMPLATE_SIDE, crop_context, mean_bgr, region_corner, region_numbers
from siam_tracker_ros.core.device_request import StepRequest
from siam_tracker_ros.core.device_step import DeviceStep, StepFunction
from siam_tracker_ros.core.finite import check_finite
from siam_tracker_ros.core.graphs import to_array
from siam_tracker_ros.core.response import context_side, hann_window, peak_cell, peak_index, peak_ratio
from siam_tracker_ros.core.tensors import crops_to_tensor
from siam_tracker_ros.core.tracker import Tracker, TrackResult
from siam_tracker_ros.geometry import cxcywh_to_xywh, xywh_to_cxcywh
from siam_tracker_ros.methods.gradnet.device import (
    MIDDLE,
    RESPONSE_SIDE,
    UPSAMPLING,
    GradNetStep,
    Pick,
    SearchAnswer,
)
from siam_tracker_ros.methods.gradnet.network import STRIDE, GradNetNetwork, correlate
from siam_tracker_ros.settings import setting

SIDE_LIMITS = np.array([0.2, 5.0])  # of the search region, relative to its first side
SIZE_LIMITS = 1e-6, 1e6  # pixels; they keep the target's size finite

UPDATE_INTERVAL = 5  # frames
UPDATE_RATE = 0.6  # weight of the new hidden features in the moving average
KEPT_SAMPLES = 5
USUAL_FRAMES = 5  # first frames, whose mean peak is the usual one
RELIABLE_PEAK = 0.5  # of the usual one
RETRY_PEAK = 0.4  # of the usual one; below it the template is adapted at once
RETRY_FRAMES = 10  # first frames, in which that happens
RETRY_RATE = 0.7
FREE_FRAME = 9  # frames after the last reliable one, the window is not applied


@dataclasses.dataclass(frozen=True)
class GradNetSettings:
    """How the response becomes a box."""

    penalty_k: float = setting(
        0.97, "Factor on the peaks of the two scales that change the size; 1 switches the penalty off.", 0, 1
    )
    window_influence: float = setting(0.25, "Weight of the cosine window in the response.", 0, 1)
    lr: float = setting(0.59, "Share of a new scale that is taken over; the position is taken over whole.", 0, 1)
    scale_step: float = setting(1.04, "Ratio of neighbouring scales of the pyramid.", 1, 1.5)
    gradient_influence: float = setting(
        0.15, "Weight of the adapted template's response against the fixed one's.", 0, 1
    )


@dataclasses.dataclass(frozen=True, eq=False)
class Place:
    """Centre and size of a target, float64 (2,), and side of the search region, all in pixels."""

    center_xy: np.ndarray
    size_wh: np.ndarray
    side: float


@dataclasses.dataclass(frozen=True, eq=False)
class Sample:
    """A search region with the target in its middle, uint8 (255, 255, 3), and the number and peak of its frame."""

    crop: np.ndarray
    frame: int
    peak: float


@dataclasses.dataclass(frozen=True, eq=False)
class Cut:
    """A search region: its crop, uint8 (255, 255, 3), and its top left corner and its side in pixels of the frame."""

    crop: np.ndarray
    origin_xy: tuple[float, float]
    side: float


@dataclasses.dataclass(frozen=True, eq=False)
class GradNetTarget:
    """A target's state.

    Attributes:
        place: its last place; unlike the box in the result, not rounded.
        first_side: first side of the search region in pixels.
        fill_bgr: (3,), mean colour of the first frame.
        fixed_template, adapted_template: (1, 256, 6, 6).
        hidden: (1, 256, 12, 12), hidden features of the adapted template, a moving average.
        first_peak: peak of the fixed template's response in its own frame.
        frame: number of frames since then in which it might have learned.
        early_peaks: peaks of the first USUAL_FRAMES frames.
        samples: the last reliable ones, at least one.
        window_was_left_out: whether the window has been left out, which happens once.
        look_in_middle: whether the middle of the next frame is searched as well.
    """

    place: Place
    first_side: float
    fill_bgr: np.ndarray
    fixed_template: torch.Tensor
    adapted_template: torch.Tensor
    hidden: torch.Tensor
    first_peak: float
    frame: int = 0
    early_peaks: tuple[float, ...] = ()
    samples: tuple[Sample, ...] = ()
    window_was_left_out: bool = False
    look_in_middle: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class Scores:
    """Answer of the network for the search regions around a place.

    Attributes:
        fixed: raw scores of the fixed template at three scales, (3, 17, 17).
        adapted: raw scores of the adapted template at the middle scale, (17, 17).
        region: features of the search region of the middle scale.
        pick: the best place, where it has been found on a device.
    """

    fixed: np.ndarray
    adapted: np.ndarray
    region: Region | None = None
    pick: Pick | None = None

    @property
    def peak(self) -> float:
        """The highest score of the fixed template."""
        return float(self.fixed.max())


class GradNetTracker(Tracker[GradNetTarget]):
    """Runs a GradNetNetwork that is ready for inference; see `create_tracker`.

    The raw score is a correlation without bounds. The score of a result is the peak of the frame divided by the peak of
    the first frame, cut to 0..1: the similarity to the target's first appearance. It is not a probability. The peak
    ratio is of scores above the lowest one, since a correlation has no natural zero.

    The box is rounded to whole pixels, as in the authors' tracker.
    """

    settings_class = GradNetSettings
    target_class = GradNetTarget
    tile_side = SEARCH_SIDE
    tile_stride = STRIDE
    network: GradNetNetwork
    settings: GradNetSettings

    def __init__(self, network: GradNetNetwork, settings: GradNetSettings) -> None:
        super().__init__(network, settings)
        self._scales = np.array([1 / settings.scale_step, 1.0, settings.scale_step])
        window = hann_window(RESPONSE_SIDE)
        self._window = window / window.sum()  # (272, 272)

    @torch.no_grad()
    def _start(self, image_bgr: np.ndarray, box_xywh: np.ndarray) -> GradNetTarget:
        box = xywh_to_cxcywh(box_xywh)
        fill_bgr = mean_bgr(image_bgr)
        side = round(context_side(*box[2:]))
        template_crop, _ = crop_context(image_bgr, box[:2], side, TEMPLATE_SIDE, fill_bgr, snap=round)
        place = _place(box)
        sample = Sample(self._crop_middle_scale(image_bgr, place, fill_bgr), 0, 0.0)

        template_image = crops_to_tensor(template_crop[None], self.network)
        fixed_template = self.network.encode_search(template_image)
        search = self._encode(sample.crop[None])
        _, hidden = self.network.adapt(self.network.encode_hidden(template_image), search)
        adapted_template, newest = self.network.adapt(hidden, search)  # the regular update, also in frame 0
        return GradNetTarget(
            place=place,
            first_side=place.side,
            fill_bgr=fill_bgr,
            fixed_template=fixed_template,
            adapted_template=adapted_template,
            hidden=_blend(hidden, newest, UPDATE_RATE),
            first_peak=float(correlate(search, fixed_template).max()),
            samples=(sample,),
        )

    def move(self, target: GradNetTarget, box_xywh: np.ndarray) -> GradNetTarget:
        """Return a target as if it had last been seen in another box, float64 (4,), with the same appearance."""
        place = _place(xywh_to_cxcywh(box_xywh))
        place = dataclasses.replace(place, side=float(np.clip(place.side, *(SIDE_LIMITS * target.first_side))))
        return dataclasses.replace(target, place=place, look_in_middle=False)

    def _step_function(self) -> StepFunction:
        return GradNetStep(self.network)

    def _step_request(self, target: GradNetTarget) -> StepRequest:
        return self._request_around(target.place.center_xy, target)

    def _input_scale(self, target: GradNetTarget) -> float:
        return SEARCH_SIDE / target.place.side

    def _fill_bgr(self, target: GradNetTarget) -> Iterable[float]:
        return target.fill_bgr

    @torch.no_grad()
    def _encode_tile(self, crop_bgr: np.ndarray) -> torch.Tensor:
        return self._encode(crop_bgr[None])

    def _step(self, image_bgr: np.ndarray, target: GradNetTarget) -> tuple[GradNetTarget, TrackResult]:
        return self._follow(image_bgr, target, learn=True)

    def _look(self, image_bgr: np.ndarray, target: GradNetTarget) -> tuple[GradNetTarget, TrackResult]:
        return self._follow(image_bgr, target, learn=False)

    @torch.no_grad()
    def _follow(self, image_bgr: np.ndarray, target: GradNetTarget, learn: bool) -> tuple[GradNetTarget, TrackResult]:
        frame = target.frame + 1
        free = _is_free(target)
        window_influence = 0.0 if free else self.settings.window_influence

        scores = self._score_scales(image_bgr, target.place.center_xy, target)
        place, ratio = self._move(target, target.place, scores, window_influence)
        if target.look_in_middle:
            middle_xy = np.array([image_bgr.shape[1] / 2, image_bgr.shape[0] / 2])
            elsewhere = self._score_scales(image_bgr, middle_xy, target)
            if min(elsewhere.peak, elsewhere.adapted.max()) > scores.peak:
                scores, start = elsewhere, dataclasses.replace(place, center_xy=middle_xy)
                place, ratio = self._move(target, start, scores, window_influence)
        box = np.rint(cxcywh_to_xywh(np.concatenate([place.center_xy, place.size_wh]))) + 0.0  # no minus zero

        early_peaks = (*target.early_peaks, scores.peak)[:USUAL_FRAMES] if learn else target.early_peaks
        usual_peak = float(np.mean(early_peaks)) if len(early_peaks) == USUAL_FRAMES else 0.0
        target = dataclasses.replace(
            target,
            place=place,
            window_was_left_out=target.window_was_left_out or free,
            look_in_middle=bool(box[0] + box[2] > image_bgr.shape[1] and scores.peak < RELIABLE_PEAK * usual_peak),
        )
        found_again = scores.peak / target.first_peak if target.first_peak > 0 else 0.0
        result = TrackResult(box, float(np.clip(found_again, 0, 1)), peak_ratio=ratio, region=scores.region)
        if not learn:
            return target, result

        samples, template, hidden = target.samples, target.adapted_template, target.hidden
        reliable = scores.peak >= min(RELIABLE_PEAK * usual_peak, float(np.mean([sample.peak for sample in samples])))
        retry = not reliable and frame < RETRY_FRAMES and scores.peak < RETRY_PEAK * usual_peak
        regular = frame % UPDATE_INTERVAL == 0
        if reliable:
            crop = self._crop_middle_scale(image_bgr, place, target.fill_bgr)
            samples = (*samples, Sample(crop, frame, scores.peak))[-KEPT_SAMPLES:]
        if retry:
            crop = self._crop_middle_scale(image_bgr, place, target.fill_bgr)
            template, hidden = self._adapt(hidden, crop, RETRY_RATE)
        if regular:
            best = max(samples, key=lambda sample: sample.peak)
            template, hidden = self._adapt(hidden, best.crop, UPDATE_RATE)

        target = dataclasses.replace(
            target,
            adapted_template=template,
            hidden=hidden,
            frame=frame,
            early_peaks=early_peaks,
            samples=samples,
        )
        return target, dataclasses.replace(result, updated=retry or regular)

    def _score_scales(self, image_bgr: np.ndarray, center_xy: np.ndarray, target: GradNetTarget) -> Scores:
        """Scores of the search regions around a centre at the three scales."""
        sides = target.place.side * self._scales
        if self._device_step is not None:
            return self._score_on_device(self._device_step, image_bgr, center_xy, target)
        cuts = _cut_pyramid(image_bgr, center_xy, sides, target.fill_bgr)
        features = self._encode(np.stack([cut.crop for cut in cuts]))  # (3, 256, 22, 22)
        templates = torch.cat([target.fixed_template, target.adapted_template])
        scores = correlate(features, templates).cpu().numpy()
        middle = cuts[MIDDLE]
        region = Region(features[MIDDLE], middle.origin_xy, middle.side, STRIDE * middle.side / SEARCH_SIDE)
        return Scores(scores[:, 0], scores[MIDDLE, 1], region)

    def _score_on_device(
        self, step: DeviceStep, image_bgr: np.ndarray, center_xy: np.ndarray, target: GradNetTarget
    ) -> Scores:
        values, (features,) = step(image_bgr, self._request_around(center_xy, target))
        answer = SearchAnswer.unpack(values)
        origin_xy, side = _plan_pyramid(center_xy, target.place.side * self._scales).place(MIDDLE)
        region = Region(features, origin_xy, side, STRIDE * side / SEARCH_SIDE)
        return Scores(answer.fixed, answer.adapted, region, answer.pick)

    def _request_around(self, center_xy: np.ndarray, target: GradNetTarget) -> StepRequest:
        """Return the StepRequest for the regions around a centre."""
        pyramid = _plan_pyramid(center_xy, target.place.side * self._scales)
        corners, inner_sides = zip(*pyramid.regions, strict=True)
        settings = self.settings
        window_influence = 0.0 if _is_free(target) else settings.window_influence
        numbers = [
            *region_numbers(pyramid.corner_xy, pyramid.side, target.fill_bgr),
            pyramid.whole_side,
            *corners,
            *inner_sides,
            settings.penalty_k,
            settings.gradient_influence,
            window_influence,
        ]
        return StepRequest(numbers, [target.fixed_template, target.adapted_template])

    def _move(
        self, target: GradNetTarget, place: Place, scores: Scores, window_influence: float
    ) -> tuple[Place, float]:
        """The place of the peak of scores around another place, and the ratio of the two highest peaks.

        The scales are relative to the target's last place.
        """
        settings = self.settings
        best, row, column = scores.pick or self._pick(scores, window_influence)
        shift_cells = (np.array([column, row]) - RESPONSE_SIDE // 2) / UPSAMPLING
        shift_xy = shift_cells * STRIDE * round(place.side) / SEARCH_SIDE
        scale, lr = self._scales[best], settings.lr
        side = (1 - lr) * place.side + lr * (target.place.side * scale)
        size_wh = (1 - lr) * place.size_wh + lr * (target.place.size_wh * scale)
        moved = Place(
            place.center_xy + shift_xy,
            np.clip(size_wh, *SIZE_LIMITS),
            float(np.clip(side, *(SIDE_LIMITS * target.first_side))),
        )
        above_lowest = scores.fixed[best] - scores.fixed[best].min()
        return moved, peak_ratio(above_lowest, row // UPSAMPLING, column // UPSAMPLING)

    def _pick(self, scores: Scores, window_influence: float) -> Pick:
        """Find the best place: first its scale, then its cell."""
        settings = self.settings
        penalty_k = np.array([settings.penalty_k, 1, settings.penalty_k])
        responses = [_upsample(score) for score in scores.fixed]
        (best,) = peak_index(penalty_k * [response.max() for response in responses])
        response = (1 - settings.gradient_influence) * _normalize(responses[best])
        response = response + settings.gradient_influence * _normalize(_upsample(scores.adapted))
        response = (1 - window_influence) * response + window_influence * self._window
        return Pick(best, *peak_cell(response))

    def _adapt(self, hidden: torch.Tensor, crop: np.ndarray, rate: float) -> tuple[torch.Tensor, torch.Tensor]:
        """The adapted template, and the moving average of its hidden features at a rate."""
        template, newest = self.network.adapt(hidden, self._encode(crop[None]))
        check_finite("adapted template", to_array(template))
        return template, _blend(hidden, newest, rate)

    def _encode(self, crops_bgr: np.ndarray) -> torch.Tensor:
        """Features of search regions, uint8 (B, 255, 255, 3)."""
        return self.network.encode_search(crops_to_tensor(crops_bgr, self.network))

    def _crop_middle_scale(self, image_bgr: np.ndarray, place: Place, fill_bgr: np.ndarray) -> np.ndarray:
        return _crop_pyramid(image_bgr, place.center_xy, place.side * self._scales, fill_bgr, [MIDDLE])[0]


def _place(box_cxcywh: np.ndarray) -> Place:
    """Place of a target in a box, float64 (4,), with the usual search region."""
    size_wh = np.clip(box_cxcywh[2:], *SIZE_LIMITS)
    side = context_side(*size_wh)
    search_side = side + 2 * ((SEARCH_SIDE - TEMPLATE_SIDE) / 2 / (TEMPLATE_SIDE / side))
    return Place(box_cxcywh[:2], size_wh, float(search_side))


def _crop_pyramid(
    image_bgr: np.ndarray,
    center_xy: np.ndarray,
    sides: np.ndarray,
    fill_bgr: Iterable[float],
    wanted: Sequence[int] = (0, 1, 2),
) -> np.ndarray:
    """Crops, uint8 (B, 255, 255, 3), of the wanted ones of three regions around a centre, the smallest first."""
    return np.stack([cut.crop for cut in _cut_pyramid(image_bgr, center_xy, sides, fill_bgr, wanted)])


def _cut_pyramid(
    image_bgr: np.ndarray,
    center_xy: np.ndarray,
    sides: np.ndarray,
    fill_bgr: Iterable[float],
    wanted: Sequence[int] = (0, 1, 2),
) -> list[Cut]:
    """The wanted ones of three regions around a centre, the smallest first."""
    pyramid = _plan_pyramid(center_xy, sides)
    whole, _ = crop_context(image_bgr, center_xy, pyramid.side, pyramid.whole_side, fill_bgr, snap=round)
    middle = (pyramid.whole_side - 1) / 2
    cuts = []
    for index in wanted:
        crop, _ = crop_context(whole, (middle, middle), pyramid.regions[index][1], SEARCH_SIDE, fill_bgr, snap=round)
        cuts.append(Cut(crop, *pyramid.place(index)))
    return cuts


@dataclasses.dataclass(frozen=True)
class Pyramid:
    """Three regions around a centre, the smallest first.

    The largest region is cut and resized to the scale at which the smallest fills 255 pixels. The crops are cut out of
    that.

    Attributes:
        corner_xy, side: top left pixel and side of the largest region.
        whole_side: side that it is resized to.
        regions: corner, the same in x and y, and side of each region in that.
    """

    corner_xy: tuple[int, int]
    side: int
    whole_side: int
    regions: tuple[tuple[int, int], ...]

    def place(self, index: int) -> tuple[tuple[float, float], float]:
        """Top left corner and side of a region in pixels of the frame."""
        (left, top), pixel = self.corner_xy, self.side / self.whole_side
        corner, side = self.regions[index]
        return (left + corner * pixel, top + corner * pixel), side * pixel


def _plan_pyramid(center_xy: np.ndarray, sides: np.ndarray) -> Pyramid:
    sides = np.maximum(np.rint(sides), 1)
    zoom = SEARCH_SIDE / sides[0]
    whole_side = round(zoom * sides[-1])
    middle = (whole_side - 1) / 2
    inner_sides = [round(zoom * side) for side in sides]
    corners = [region_corner((middle, middle), side, round)[0] for side in inner_sides]
    side = int(sides[-1])
    return Pyramid(region_corner(center_xy, side, round), side, whole_side, tuple(zip(corners, inner_sides)))


def _is_free(target: GradNetTarget) -> bool:
    """Whether the window is left out in the next frame of a target."""
    return not target.window_was_left_out and target.frame + 1 - target.samples[-1].frame == FREE_FRAME


def _upsample(score: np.ndarray) -> np.ndarray:
    return cv2.resize(score, (RESPONSE_SIDE, RESPONSE_SIDE), interpolation=cv2.INTER_CUBIC)


def _normalize(response: np.ndarray) -> np.ndarray:
    """A response shifted to a minimum of 0 and scaled to a sum of 1; a flat one becomes 0."""
    response = response - response.min()
    total = response.sum()
    return response / total if total > 0 else response


def _blend(old: torch.Tensor, new: torch.Tensor, rate: float) -> torch.Tensor:
    return (1 - rate) * old + rate * new
