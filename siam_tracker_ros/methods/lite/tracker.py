# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`lite`: the small tracker that this package trains and ships."""

import dataclasses
import typing

import numpy as np

from siam_tracker_ros.core.appearance import Region
from siam_tracker_ros.core.crop import SearchRegion, crop_context, region_corner, region_numbers
from siam_tracker_ros.core.device_request import StepRequest
from siam_tracker_ros.core.finite import check_finite
from siam_tracker_ros.core.graphs import Array, Graphs, to_array
from siam_tracker_ros.core.mask_shape import paint_mask
from siam_tracker_ros.core.outline import DrawnOutline
from siam_tracker_ros.core.response import (
    ResponseSettings,
    choice_numbers,
    clip_to_frame,
    hann_window,
    peak_cell,
    peak_ratio,
    size_change,
)
from siam_tracker_ros.core.stage import stage
from siam_tracker_ros.core.tracker import Tracker, TrackResult
from siam_tracker_ros.geometry import cxcywh_to_xywh, xywh_to_cxcywh
from siam_tracker_ros.methods.lite.looks import LOOK_CELLS, look_steps, look_weights, move_edges
from siam_tracker_ros.methods.lite.shapes import (
    CHANNELS,
    SEARCH_CELLS,
    SEARCH_FACTOR,
    SEARCH_LOOKS,
    SEARCH_SIDE,
    STRIDE,
    TEMPLATE_FACTOR,
    TEMPLATE_LOOKS,
    TEMPLATE_SIDE,
)
from siam_tracker_ros.settings import setting, with_default

if typing.TYPE_CHECKING:  # torch comes with it
    from siam_tracker_ros.core.device_step import StepFunction

BLACK = (0, 0, 0)  # outside of the frame, as in training
MIN_SIDE = 4.0  # pixels of a target
# From where else the network looks at the target in its first frame: to the right and down of it, in units of the root
# of its area, and the scale of the region.
FIRST_LOOKS = ((0.3, 0.2, 1.0), (-0.2, 0.3, 1.0), (0.1, -0.3, 1.1), (-0.3, -0.1, 0.9))
CELL_VALUES = 5 * SEARCH_CELLS**2  # confidence and box of each cell
MAX_DIFFERENCE = 0.6  # of a given box from a found one; above it, another thing was found
LOOK_STEPS = look_steps(np.arange(LOOK_CELLS))


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
    refines: bool = setting(True, "Whether a second look moves the edges of the box that was found.")
    given_box_share: float = setting(
        0.3,
        "Share of the difference between the given box and the one that is found in the same frame, by which later "
        "boxes are changed.",
        0,
        1,
    )
    mask_threshold: float = setting(0.5, "A pixel belongs to the target above this probability.", 0, 1)


@dataclasses.dataclass(frozen=True, eq=False)
class LiteTarget:
    """A target's state.

    Attributes:
        kernels: (1, 64, 96), one correlation kernel per template cell.
        gate: (1, 96, 1, 1), weights of the search channels.
        extent: (1, 48, 16, 16), what lies in and around its box in the template.
        box_cxcywh: float64 (4,), its last box as the head found it, around which it is searched for.
        fitted_cxcywh: float64 (4,), the same box after the second look.
        box_bias: float64 (4,), see `LiteTracker.box_bias`.
    """

    kernels: Array
    gate: Array
    extent: Array
    box_cxcywh: np.ndarray
    fitted_cxcywh: np.ndarray
    box_bias: np.ndarray


class Refinement(typing.NamedTuple):
    """Where the network moves the box of a cell.

    Attributes:
        cell: row and column.
        moves: float32 (1, 4), see `move_edges`.
    """

    cell: tuple[int, int]
    moves: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class View:
    """Output of the network for the region around a target's last box.

    Attributes:
        score: float64 (16, 16), 0..1, the confidence of each cell.
        boxes_cxcywh: float64 (4, 16, 16), boxes in units of the region's side, from its top left corner.
        side: side of the region in pixels of the frame.
        origin_xy: top left pixel of the region.
        features: (1, 96, 16, 16), backbone features of the region.
        maps: fused, middle and fine features, from which a box is refined and its mask is drawn.
        refinement: that of the cell that is most likely the best one, if it was computed with the view.
    """

    score: np.ndarray
    boxes_cxcywh: np.ndarray
    side: int
    origin_xy: tuple[int, int]
    features: Array
    maps: tuple[Array, Array, Array]
    refinement: Refinement | None = None

    @property
    def region(self) -> Region:
        """The features and where they lie."""
        return Region(self.features, self.origin_xy, self.side, self.side / SEARCH_CELLS)


class Found(typing.NamedTuple):
    """A target in a view; boxes are float64 (4,) in units of the view's side.

    Attributes:
        cell: the best cell as row, column.
        box_cxcywh: its box.
        fitted_cxcywh: the box after the second look.
    """

    cell: tuple[int, int]
    box_cxcywh: np.ndarray
    fitted_cxcywh: np.ndarray


class LiteTracker(Tracker[LiteTarget]):
    """Runs the graphs of a LiteNetwork; see `create_tracker`."""

    settings_class = LiteSettings
    target_class = LiteTarget
    tile_side = SEARCH_SIDE
    tile_stride = STRIDE
    graph_names = ("encode_target", "search", "refine", "segment", "encode")
    late_names = ("segment", "encode")
    inner_names = ("fused", "middle", "fine")
    network: Graphs
    settings: LiteSettings

    def __init__(self, network: Graphs, settings: LiteSettings) -> None:
        super().__init__(network, settings)
        self._window = hann_window(SEARCH_CELLS + 2)[1:-1, 1:-1]  # (16, 16)

    def _start(self, image_bgr: np.ndarray, box_xywh: np.ndarray) -> LiteTarget:
        target = self.first_target(image_bgr, box_xywh)
        return dataclasses.replace(target, box_bias=self.box_bias(image_bgr, target))

    def first_target(self, image_bgr: np.ndarray, box_xywh: np.ndarray) -> LiteTarget:
        """Return a target without a `box_bias`; box_xywh: float64 (4,), where it is."""
        box = xywh_to_cxcywh(box_xywh)
        side = max(1, round(TEMPLATE_FACTOR * np.sqrt(box[2] * box[3])))
        crop, origin_xy = crop_context(image_bgr, box[:2], side, TEMPLATE_SIDE, BLACK, exact=False)
        in_crop = np.concatenate([(box[:2] - origin_xy) / side, box[2:] / side])
        weights = (_look_weights(in_crop, cells) for cells in TEMPLATE_LOOKS)
        kernels, gate, extent = self.network.encode_target(crop[None], in_crop[None].astype(np.float32), *weights)
        return LiteTarget(kernels, gate, extent, box, box, box_bias=np.zeros(4))

    def box_bias(self, image_bgr: np.ndarray, target: LiteTarget, view: View | None = None) -> np.ndarray:
        """Return how a target's given box differs from what the network finds in the same frame, times a setting.

        Some people draw boxes tightly, some loosely, some around a part; boxes of later frames are changed alike. The
        network looks at the target from several places, and the median counts.

        Args:
            image_bgr: its first frame.
            target: of `first_target`.
            view: output of `look` for them, where it is at hand.

        Returns:
            float64 (4,): distance of the centres in units of the found size, and logarithm of the ratio of the sizes.
        """
        share, given = self.settings.given_box_share, target.box_cxcywh
        if share == 0:
            return np.zeros(4)
        views = [view or self.look(image_bgr, target)]
        for x, y, scale in FIRST_LOOKS:
            moved = np.concatenate([given[:2] + np.array([x, y]) * np.sqrt(given[2:].prod()), given[2:] * scale])
            views.append(self.look(image_bgr, dataclasses.replace(target, box_cxcywh=moved)))
        differences = []
        for view in views:
            row, column = peak_cell(view.score)
            found = self._refined(target, view, (row, column)) * view.side
            center_xy, size_wh = found[:2] + view.origin_xy, found[2:]
            difference = np.concatenate([(given[:2] - center_xy) / size_wh, np.log(given[2:] / size_wh)])
            if np.abs(difference).max() < MAX_DIFFERENCE:
                differences.append(difference)
        return share * np.median(differences, 0) if differences else np.zeros(4)

    def _step(self, image_bgr: np.ndarray, target: LiteTarget) -> tuple[LiteTarget, TrackResult]:
        view = self.look(image_bgr, target)
        target, result, _ = self.decide(image_bgr, target, view, view.score)
        return target, result

    def move(self, target: LiteTarget, box_xywh: np.ndarray) -> LiteTarget:
        """Return a target as if it had last been seen in another box, float64 (4,), with the same appearance."""
        box = xywh_to_cxcywh(box_xywh)
        return dataclasses.replace(target, box_cxcywh=box, fitted_cxcywh=box)

    def first_region(self, image_bgr: np.ndarray, target: LiteTarget, box_xywh: np.ndarray) -> Region:
        """See `Tracker`; the graph that follows the target sees the same."""
        return self.look(image_bgr, target).region

    def _step_function(self) -> "StepFunction":
        from siam_tracker_ros.methods.lite.device import LiteStep

        return LiteStep(self.network)

    def _step_request(self, target: LiteTarget) -> StepRequest:
        origin_xy, side, _, _ = _search_region(target)
        size_wh, settings = target.box_cxcywh[2:] / side, self.settings
        choice = choice_numbers(size_wh, settings.penalty_k, settings.window_influence)
        numbers = [*region_numbers(origin_xy, side, BLACK), *choice]
        return StepRequest(numbers, [target.kernels, target.gate, target.extent])

    def _input_scale(self, target: LiteTarget) -> float:
        return _search_region(target).scale

    def _encode_tile(self, crop_bgr: np.ndarray) -> Array:
        (features,) = self.network.encode(crop_bgr[None])
        return features

    def look(self, image_bgr: np.ndarray, target: LiteTarget) -> View:
        """Run the network on the region around a target's last box."""
        origin_xy, side, _, _ = _search_region(target)
        refinement = None
        if self._device_step is not None:
            values, (fused, middle, fine) = self._device_step(image_bgr, self._step_request(target))
            cells, rest = values[:CELL_VALUES], values[CELL_VALUES:]
            refinement = Refinement(divmod(int(rest[0]), SEARCH_CELLS), rest[None, 1:5])
            features = rest[5:].reshape(1, CHANNELS, SEARCH_CELLS, SEARCH_CELLS)
        else:
            crop, _ = crop_context(image_bgr, target.box_cxcywh[:2], side, SEARCH_SIDE, BLACK, exact=False)
            with stage("backbone"):
                cells, features, fused, middle, fine = self.network.search(crop[None], target.kernels, target.gate)
        cells = to_array(cells).reshape(5, SEARCH_CELLS, SEARCH_CELLS).astype(np.float64)
        return View(cells[0], cells[1:], side, origin_xy, features, (fused, middle, fine), refinement)

    def decide(
        self, image_bgr: np.ndarray, target: LiteTarget, view: View, score: np.ndarray
    ) -> tuple[LiteTarget, TrackResult, Found | None]:
        """Find a target in a view of it.

        Args:
            image_bgr: uint8 (H, W, 3).
            target: the target in the frame before.
            view: output of `look` for this frame.
            score: (16, 16), 0..1, the confidence of each cell; that of the view or a better one.

        Returns:
            The target in this frame, the TrackResult, and what was found, or None if the best cell's score is too low.
        """
        settings = self.settings
        size_wh, side, origin_xy = target.box_cxcywh[2:], view.side, view.origin_xy
        penalty = np.exp(-settings.penalty_k * (size_change(size_wh / side, view.boxes_cxcywh[2:]) - 1))
        response = penalty * score * (1 - settings.window_influence + settings.window_influence * self._window)
        row, column = cell = peak_cell(response)
        best_score = float(score[cell])
        box, fitted, found = target.box_cxcywh, target.fitted_cxcywh, None
        if best_score >= settings.hold_score:
            found = self._fit(target, view, cell)
            rate = settings.lr * penalty[cell]
            size = size_wh * (1 - rate) + found.box_cxcywh[2:] * side * rate
            box = np.concatenate([found.box_cxcywh[:2] * side + origin_xy, size])
            size = size * found.fitted_cxcywh[2:] / found.box_cxcywh[2:]
            fitted = np.concatenate([found.fitted_cxcywh[:2] * side + origin_xy, size])
        frame_wh = image_bgr.shape[1], image_bgr.shape[0]
        box_xywh = cxcywh_to_xywh(fitted)
        result = TrackResult(
            box_xywh,
            best_score,
            peak_ratio=peak_ratio(score, row, column),
            region=view.region,
            outline=DrawnOutline(lambda: self._draw(view, found, frame_wh), box_xywh, frame_wh),
        )
        next_box = clip_to_frame(box, image_bgr, MIN_SIDE)  # of the next search region; the result's is not clipped
        return dataclasses.replace(target, box_cxcywh=next_box, fitted_cxcywh=fitted), result, found

    def _fit(self, target: LiteTarget, view: View, cell: tuple[int, int]) -> Found:
        """Return what was found in a cell, with its box as the second look and the given box would have it.

        The next search region follows the box before that: with the fitted one, errors would add up over frames.
        """
        box = view.boxes_cxcywh[:, cell[0], cell[1]]
        fitted, bias = self._refined(target, view, cell), target.box_bias
        center_xy, size_wh = fitted[:2], fitted[2:]
        return Found(cell, box, np.concatenate([center_xy + bias[:2] * size_wh, size_wh * np.exp(bias[2:])]))

    def _refined(self, target: LiteTarget, view: View, cell: tuple[int, int]) -> np.ndarray:
        """Return the box of a cell of a view, (4,) in units of its side, with its edges where the target ends."""
        box_cxcywh = view.boxes_cxcywh[:, cell[0], cell[1]]
        if not self.settings.refines:
            return box_cxcywh
        if view.refinement is not None and view.refinement.cell == cell:
            moves = view.refinement.moves
        else:
            weights = (_look_weights(box_cxcywh, cells) for cells in SEARCH_LOOKS)
            with stage("head"):
                moves = to_array(self.network.refine(*view.maps, *weights, target.extent)[0])
        check_finite("refinement", moves)
        center, size = move_edges(box_cxcywh[None], moves.astype(np.float64))
        return np.concatenate([center, size], 1)[0]

    def _draw(self, view: View, found: Found | None, frame_wh: tuple[int, int]) -> tuple[np.ndarray, tuple[int, int]]:
        """Return the part of a frame's mask that holds what was found; an empty one for nothing."""
        if found is None:
            return np.empty((0, 0), bool), (0, 0)
        with stage("head"):
            (probability,) = self.network.segment(*view.maps, found.fitted_cxcywh[None].astype(np.float32))
        probability = to_array(probability)[0, 0]  # (128, 128)
        return paint_mask(probability, self.settings.mask_threshold, view.origin_xy, view.side, frame_wh)


def _search_region(target: LiteTarget) -> SearchRegion:
    root = float(np.sqrt(target.box_cxcywh[2:].prod()))
    side = max(1, round(SEARCH_FACTOR * root))
    return SearchRegion(
        region_corner(target.box_cxcywh[:2], side), side, SEARCH_SIDE, SEARCH_SIDE / SEARCH_FACTOR / root
    )


def _look_weights(box_cxcywh: np.ndarray, cells: int) -> np.ndarray:
    """Weights float32 (1, 2, 16, cells) of a box (4,), see `look_weights`."""
    return look_weights(box_cxcywh[None], LOOK_STEPS, np.arange(cells)).astype(np.float32)
