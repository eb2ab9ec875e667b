# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The contract of a tracker: `start` and `step`, `init` and `track`, and the result of a frame."""

import abc
import contextlib
import dataclasses
import typing
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from siam_tracker_ros.core.appearance import Region
from siam_tracker_ros.core.confidence import Calibration
from siam_tracker_ros.core.crop import crop_context
from siam_tracker_ros.core.device_request import StepRequest
from siam_tracker_ros.core.finite import check_finite, check_finite_target
from siam_tracker_ros.core.graphs import Graphs
from siam_tracker_ros.core.outline import NO_OUTLINE, FixedOutline, Outline
from siam_tracker_ros.errors import InvalidInputError, NotInitializedError
from siam_tracker_ros.executors.blas import one_blas_thread
from siam_tracker_ros.geometry import check_box_xywh, check_image_bgr

if typing.TYPE_CHECKING:  # torch comes with it, which not every tracker needs
    from siam_tracker_ros.core.device_step import DeviceStep, StepFunction
    from siam_tracker_ros.core.network import Network

Target = typing.TypeVar("Target")


@dataclasses.dataclass(frozen=True, eq=False, init=False)
class TrackResult:
    """Where the target is in one frame.

    Attributes:
        box_xywh: float64 (4,), left, top, width, height in pixels of the frame; it may reach over the frame's edge.
        score: 0..1, the raw confidence: without window and penalty.
        mask: bool (H, W) of the full frame, or None if the model has no masks.
        polygon: float64 (4, 2), corners of a rotated box, or None.
        peak_ratio: 0..1, second response peak divided by the first; near 1, a distractor looks as good as the target.
        updated: whether an online model learned on this frame.
        region: features of the search region, or None if they are not at hand.
        outline: what mask and polygon are read from; it may draw them when they are first read. Until then it holds
            what it draws from, 0.6 MB with `lite`: of many results keep boxes and masks.
    """

    box_xywh: np.ndarray
    score: float
    peak_ratio: float
    updated: bool
    region: Region | None
    outline: Outline

    def __init__(
        self,
        box_xywh: np.ndarray,
        score: float,
        mask: np.ndarray | None = None,
        polygon: np.ndarray | None = None,
        peak_ratio: float = 0.0,
        updated: bool = False,
        region: Region | None = None,
        outline: Outline = NO_OUTLINE,
    ) -> None:
        """Give mask and polygon as they are, or an outline for those that are not given."""
        if mask is not None or polygon is not None:
            outline = FixedOutline(
                outline.mask if mask is None else mask, outline.polygon if polygon is None else polygon
            )
        values = (box_xywh, score, peak_ratio, updated, region, outline)
        for field, value in zip(dataclasses.fields(self), values, strict=True):
            object.__setattr__(self, field.name, value)

    @property
    def mask(self) -> np.ndarray | None:
        return self.outline.mask

    @property
    def polygon(self) -> np.ndarray | None:
        return self.outline.polygon


class Tracker(abc.ABC, typing.Generic[Target]):
    """Follows targets with one network, which is shared and stateless.

    `start` and `step` are pure functions: a target is a value that holds its whole state and is never changed. `init`
    and `track` hold one target and follow it.

    A subclass names the class of its targets in its bases, `Tracker[XTarget]`, and annotates `network` and `settings`.
    One whose targets learn overrides `_look`. One that can be moved and whose network has features to correlate sets
    `tile_side` and overrides `move`, `_input_scale` and `_encode_tile`, so that a lost target can be searched for. One
    that can do the work of a frame on a GPU overrides `_step_function`, and `_step_request` for several in a batch.

    Attributes:
        tile_side: side in pixels of the network's input in which features of a part of a frame are computed; 0 if the
            tracker has none.
        tile_stride: pixels of that input per cell of the features.
        settings_class: class of the settings.
        target_class: class of the targets.
        graph_names: graphs that it calls, if its network is Graphs, which need no torch.
        late_names: those of them that many tracks never need; they are loaded when they are first called.
        inner_names: outputs of these graphs which only others of them read, as inputs of the same names. They may stay
            where the graphs run.
        siamese: of one whose targets learn, the tracker that finds their boxes, whose own learn nothing; else None.
        network: ready for inference.
        settings: of `settings_class`.
    """

    settings_class: typing.ClassVar[type]
    target_class: typing.ClassVar[type]
    tile_side: typing.ClassVar[int] = 0
    tile_stride: typing.ClassVar[int] = 8
    graph_names: typing.ClassVar[tuple[str, ...]] = ()
    late_names: typing.ClassVar[tuple[str, ...]] = ()
    inner_names: typing.ClassVar[tuple[str, ...]] = ()
    siamese: "Tracker | None" = None
    network: "Network | Graphs"
    settings: typing.Any
    _device_step: "DeviceStep | None" = None

    def __init__(self, network: "Network | Graphs", settings: typing.Any) -> None:
        self.network = network
        self.settings = settings
        self.calibration = Calibration()
        self._target: Target | None = None

    @property
    def runtime(self) -> str:
        """Name of what runs the network."""
        return self.network.runtime if self._device_step is None else self._device_step.runtime

    @property
    def precision(self) -> str:
        """What the network is computed in: "fp32", "fp16", "bf16" or "int8"."""
        return self.network.precision

    @property
    def device(self) -> str:
        """Where the network runs, "cpu" or "cuda:N"."""
        return self.network.device

    def use_device_step(self, captures: bool = True) -> None:
        """Do the whole work of a frame where the network lies, if the method can; made for a GPU.

        Its pixels are those of the usual step but for rounding, its choice of the best box is made in float32.

        Args:
            captures: whether it is captured as CUDA graphs, on a GPU.
        """
        function = self._step_function()
        if function is not None:
            from siam_tracker_ros.core.device_step import DeviceStep

            self._device_step = DeviceStep(function, self.device, captures)

    @property
    def has_device_step(self) -> bool:
        """Whether the whole work of a frame is done where the network lies, see `use_device_step`."""
        return self._device_step is not None

    @contextlib.contextmanager
    def sharing(self, image_bgr: np.ndarray, targets: Iterable[Target] = ()) -> Iterator[None]:
        """A context in which an image is not changed, so that the steps of several targets in it may share work.

        Args:
            image_bgr: uint8 (H, W, 3).
            targets: those that will probably be looked for in it. With a device step, the first one that is looked for
                is so together with the others, in one batch; each other target is looked for alone.
        """
        step = self._device_step
        requests = [] if step is None else [self._step_request(target) for target in targets]
        announced = [request for request in requests if request is not None]
        with one_blas_thread(), contextlib.nullcontext() if step is None else step.unchanged(image_bgr, announced):
            yield

    def start(self, image_bgr: np.ndarray, box_xywh: npt.ArrayLike) -> Target:
        """Return a new target.

        Args:
            image_bgr: uint8 (H, W, 3).
            box_xywh: left, top, width, height in pixels of the image.

        Raises:
            InvalidInputError: the image or the box cannot be used.
            NetworkOutputError: the network has computed NaN or infinity.
        """
        image_bgr = check_image_bgr(image_bgr)
        box_xywh = check_box_xywh(box_xywh, (image_bgr.shape[1], image_bgr.shape[0]))
        with one_blas_thread():
            target = self.network.call(self._start, image_bgr, box_xywh)
        check_finite_target(target)
        return target

    def step(self, image_bgr: np.ndarray, target: Target, learn: bool = True) -> tuple[Target, TrackResult]:
        """Find a target in the next frame; return the target after it, and the TrackResult.

        Args:
            image_bgr: uint8 (H, W, 3).
            target: from `start`, `step` or `move` of a tracker of this class.
            learn: whether the target may learn its appearance from this frame.

        Raises:
            InvalidInputError: the image cannot be used, or the target is of another tracker.
            NetworkOutputError: the network has computed NaN or infinity.
        """
        if type(target) is not self.target_class:
            raise InvalidInputError(
                f"target is {type(target).__name__}, expected {self.target_class.__name__}; give what start or step of "
                f"{type(self).__name__} returned"
            )
        step = self._step if learn else self._look
        with one_blas_thread():
            target, result = self.network.call(step, check_image_bgr(image_bgr), target)
        check_finite("box, score and second peak", (*result.box_xywh, result.score, result.peak_ratio))
        return target, result

    def move(self, target: Target, box_xywh: np.ndarray) -> Target:
        """Return a target as if it had last been seen in another box, float64 (4,), with the same appearance."""
        raise NotImplementedError(f"{type(self).__name__} cannot move a target; it sets no tile_side")

    def region(
        self, image_bgr: np.ndarray, target: Target, center_xy: npt.ArrayLike, target_scale: float = 1.0
    ) -> Region:
        """Compute the features of a part of a frame at the scale at which the network sees a target.

        Args:
            image_bgr: uint8 (H, W, 3), checked.
            target: sets the scale by its size.
            center_xy: middle of the part in pixels of the frame.
            target_scale: size of the target looked for over its last size.
        """
        return self.network.call(self._region, image_bgr, target, np.asarray(center_xy), target_scale)

    def first_region(self, image_bgr: np.ndarray, target: Target, box_xywh: np.ndarray) -> Region:
        """Compute the features of the region around a target in its first frame, in which its box is given."""
        return self.region(image_bgr, target, box_xywh[:2] + box_xywh[2:] / 2)

    def tile_extent(self, target: Target, target_scale: float = 1.0) -> int:
        """Side in pixels of the frame of the part that `region` sees."""
        return max(1, round(self.tile_side / self._input_scale(target) * target_scale))

    def init(self, image_bgr: np.ndarray, box_xywh: npt.ArrayLike) -> None:
        """Hold a new target, which `start` makes of the same arguments.

        Raises:
            InvalidInputError: the image or the box cannot be used; the old target is still held.
            NetworkOutputError: the network has computed NaN or infinity; the old target is still held.
        """
        self._target = self.start(image_bgr, box_xywh)

    def track(self, image_bgr: np.ndarray) -> TrackResult:
        """Find the target in the next frame, uint8 (H, W, 3).

        Raises:
            InvalidInputError: the image cannot be used; the target is unchanged.
            NetworkOutputError: the network has computed NaN or infinity; the target is unchanged.
            NotInitializedError: no `init` has succeeded yet.
        """
        if self._target is None:
            raise NotInitializedError("track was called before init; call init(image_bgr, box_xywh) first")
        self._target, result = self.step(image_bgr, self._target)
        return result

    @abc.abstractmethod
    def _start(self, image_bgr: np.ndarray, box_xywh: np.ndarray) -> Target:
        """Return a new target, from an image and a box, float64 (4,), that have been checked."""

    @abc.abstractmethod
    def _step(self, image_bgr: np.ndarray, target: Target) -> tuple[Target, TrackResult]:
        """Return the target after this frame and the TrackResult."""

    def _look(self, image_bgr: np.ndarray, target: Target) -> tuple[Target, TrackResult]:
        """The same as `_step`, but the target learns nothing."""
        return self._step(image_bgr, target)

    def _step_function(self) -> "StepFunction | None":
        """The function of a DeviceStep, which must not refer to this tracker; None if the method has none."""
        return None

    def _step_request(self, target: Target) -> StepRequest | None:
        """Return what that function needs to look for a target in the next frame; None to look for each one alone."""
        return None

    def _region(self, image_bgr: np.ndarray, target: Target, center_xy: np.ndarray, target_scale: float) -> Region:
        side = self.tile_extent(target, target_scale)
        crop, origin_xy = crop_context(image_bgr, center_xy, side, self.tile_side, self._fill_bgr(target))
        return Region(self._encode_tile(crop), origin_xy, side, self.tile_stride * side / self.tile_side)

    def _input_scale(self, target: Target) -> float:
        """Pixels of the network's input per pixel of the frame."""
        raise NotImplementedError(f"{type(self).__name__} sets tile_side, so it must override _input_scale as well")

    def _fill_bgr(self, target: Target) -> Iterable[float]:
        """Colour (3,) of what lies outside of the frame."""
        return (0, 0, 0)

    def _encode_tile(self, crop_bgr: np.ndarray) -> typing.Any:
        """Features (1, C, S, S) of a crop, uint8 (tile_side, tile_side, 3)."""
        raise NotImplementedError(f"{type(self).__name__} sets tile_side, so it must override _encode_tile as well")
