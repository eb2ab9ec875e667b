# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One tracker and its target: what is known about the target after each frame. No ROS in here."""

import dataclasses
import math
import time
import typing

import numpy as np
import numpy.typing as npt

from siam_tracker_ros.core.confidence import Evidence, Standing
from siam_tracker_ros.core.monitor import MonitorSettings, TargetMonitor, TargetState
from siam_tracker_ros.core.outline import NO_OUTLINE, Outline
from siam_tracker_ros.core.pursuit import Pursuit
from siam_tracker_ros.core.search import SearchSettings
from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.executors.blas import one_blas_thread
from siam_tracker_ros.geometry import corners_to_cxcywht, xywh_to_cxcywh, xywh_to_xyxy

if typing.TYPE_CHECKING:
    from siam_tracker_ros.core.tracker import Tracker  # which imports torch


@dataclasses.dataclass(frozen=True, eq=False)
class Observation:
    """What one frame says about the target.

    Attributes:
        state: TargetState after this frame.
        box_xywh: float64 (4,) in pixels of the frame, or None if there is no box to act on.
        confidence: 0..1, the probability that the box is right; 0 if the frame could not be searched, NaN without a
            target.
        raw_score: 0..1, the tracker's own score of the box; as the confidence where there is none.
        peak_ratio: second response peak divided by the first, 0..1; NaN if there is none.
        age: frames since init.
        frames_lost: frames in a row in which the state was LOST.
        updated: whether the online model learned on this frame.
        inference_ms: time inside the tracker; 0 if it did not run.
        outline: what `mask`, bool (H, W) or None, and `polygon`, float64 (4, 2) or None, are read from; it may draw
            them when they are first read.
        candidates: number of places that might be the target's, while it is searched for; else 0.
        search_progress: 0..1, share of the frame that the running search has covered; 0 while none runs. A search goes
            on for a few frames after the target was found, since something may look more like it.
        redetections: how often the target was lost and found again since init.
        standing: how much the box had to prove, see `core.confidence.Calibration`; None if no frame was searched.
        evidence: what the confidence was made of, by name, see `core.confidence`.
    """

    state: TargetState
    box_xywh: np.ndarray | None = None
    confidence: float = math.nan
    raw_score: float = math.nan
    peak_ratio: float = math.nan
    age: int = 0
    frames_lost: int = 0
    updated: bool = False
    inference_ms: float = 0.0
    outline: Outline = NO_OUTLINE
    candidates: int = 0
    search_progress: float = 0.0
    redetections: int = 0
    standing: Standing | None = None
    evidence: Evidence = dataclasses.field(default_factory=dict)

    @property
    def mask(self) -> np.ndarray | None:
        return self.outline.mask

    @property
    def polygon(self) -> np.ndarray | None:
        return self.outline.polygon

    def box_cxcywht(self, rotated: bool) -> np.ndarray:
        """Return the box as float64 (5,): turned, if that is asked for and there is a polygon, else upright.

        Without a box, it is NaN.
        """
        if self.box_xywh is None:
            return np.full(5, math.nan)
        if rotated and self.polygon is not None:
            return corners_to_cxcywht(self.polygon)
        return np.append(xywh_to_cxcywh(np.asarray(self.box_xywh, np.float64)), 0.0)


class TargetSession:
    """One target at a time, followed by one tracker.

    How a target is held in doubt, searched for and found again: `core/pursuit.py`, `core/search.py`. When it counts as
    lost: `core/monitor.py`.

    Attributes:
        tracker: the tracker.
        target_id, class_id: names that the target was given at `init`; "" without a target.
    """

    _target: typing.Any
    _pursuit: Pursuit | None
    _age: int
    _frames_lost: int
    _redetections: int
    _was_lost: bool

    def __init__(
        self,
        tracker: "Tracker",
        monitor_settings: MonitorSettings = MonitorSettings(),
        search_settings: SearchSettings = SearchSettings(),
    ) -> None:
        self.tracker = tracker
        self.target_id = ""
        self.class_id = ""
        self._monitor = TargetMonitor(monitor_settings)
        self._search_settings = search_settings
        self.reset()

    @property
    def state(self) -> TargetState:
        """State after the last frame."""
        return self._monitor.state

    @property
    def next_target(self) -> typing.Any:
        """The target as it will be looked for in the next frame; None without one, or if a search may move it."""
        return None if self._pursuit is None or self._pursuit.is_searching else self._target

    @property
    def candidates_xywh(self) -> list[np.ndarray]:
        """Places that might be the target's in the frame observed last, float64 (4,) each, the likeliest first."""
        pursuit = self._pursuit
        return [] if pursuit is None or pursuit.search is None else [c.box_xywh for c in pursuit.search.candidates]

    def set_monitor_settings(self, settings: MonitorSettings) -> None:
        """Judge the next frames by other settings."""
        self._monitor.settings = settings

    def set_search_settings(self, settings: SearchSettings) -> None:
        """Search the next frames by other settings."""
        self._search_settings = settings
        if self._pursuit is not None and self._pursuit.search is not None:
            self._pursuit.search.settings = settings

    def warm_up(self) -> None:
        """Run the tracker once on a made-up image, so that no target waits for what is loaded when it is first used."""
        image_bgr = np.full((480, 640, 3), 127, np.uint8)
        image_bgr[200:280, 280:360] = np.arange(80, dtype=np.uint8)[:, None]
        target = self.tracker.start(image_bgr, (280, 200, 80, 80))
        for _ in range(2):
            target, result = self.tracker.step(image_bgr, target)
        _ = result.mask  # which some trackers draw when it is read
        if self.tracker.tile_side:
            self.tracker.region(image_bgr, target, (320, 240))  # as a lost target is searched for

    @one_blas_thread()
    def init(self, image_bgr: np.ndarray, box_xywh: npt.ArrayLike, target_id: str = "", class_id: str = "") -> None:
        """Start on a new target.

        Args:
            image_bgr: uint8 (H, W, 3).
            box_xywh: left, top, width, height in pixels of the image.
            target_id, class_id: names to keep for the target.

        Raises:
            InvalidInputError: the image or the box cannot be used; the old target is still held.
            NetworkOutputError: the network has computed NaN or infinity; the old target is still held.
        """
        target = self.tracker.start(image_bgr, box_xywh)
        box_xywh = np.array(box_xywh, dtype=np.float64)
        pursuit = Pursuit(self.tracker, self._search_settings, image_bgr, target, box_xywh)
        self._begin((image_bgr.shape[1], image_bgr.shape[0]), target, pursuit)
        self.target_id, self.class_id = target_id, class_id
        self._monitor.start()
        self._last = Observation(TargetState.TRACKING, confidence=1.0, raw_score=1.0, peak_ratio=0.0)

    def reset(self) -> None:
        """Drop the target."""
        self.target_id = self.class_id = ""
        self._begin((0, 0), None, None)
        self._monitor.stop()
        self._last = Observation(TargetState.IDLE)

    @one_blas_thread()
    def observe(self, image_bgr: np.ndarray) -> Observation:
        """Find the target in the next frame; without a target, return an idle Observation.

        Raises:
            InvalidInputError: the image has another size than the one that the target was marked in. A box means
                nothing there, so the target is LOST; it is searched for again when the old size comes back.
            NetworkOutputError: the network has computed NaN or infinity; `miss` says what that means for the target.
        """
        pursuit = self._pursuit
        if pursuit is None:
            return self._last
        size_wh = image_bgr.shape[1], image_bgr.shape[0]
        try:
            check_same_size(size_wh, self._size_wh)
        except InvalidInputError:
            self._monitor.lose()
            raise
        started = time.perf_counter()
        settings = self._monitor.settings
        target = pursuit.next_place(image_bgr, self._target, settings)
        target, result = self.tracker.step(image_bgr, target, learn=self.state == TargetState.TRACKING)
        verdict = pursuit.judge(image_bgr, target, result, self.state)
        visible = _visible_fraction(result.box_xywh, size_wh)
        state = self._monitor.update(verdict.confidence, visible, verdict.ambiguous, verdict.elsewhere)
        self._count(state)
        self._target = pursuit.settle(image_bgr, target, result, verdict, state, self._was_lost, settings)
        inference_ms = (time.perf_counter() - started) * 1e3
        lost = state == TargetState.LOST
        self._last = Observation(
            state=state,
            box_xywh=None if lost else result.box_xywh,
            confidence=verdict.confidence,
            raw_score=result.score,
            peak_ratio=result.peak_ratio,
            age=self._age,
            frames_lost=self._frames_lost,
            updated=result.updated,
            inference_ms=inference_ms,
            outline=NO_OUTLINE if lost else result.outline,
            candidates=0 if pursuit.search is None else len(pursuit.search.candidates),
            search_progress=self._search_progress,
            redetections=self._redetections,
            standing=verdict.standing,
            evidence=verdict.evidence,
        )
        return self._last

    def miss(self) -> Observation:
        """Return the Observation of a frame that could not be used; it counts as a frame without the target."""
        if self.state == TargetState.IDLE:
            return self._last
        self._count(self._monitor.update(math.nan))
        self._last = self._unseen(self.state)
        return self._last

    def hold(self) -> Observation:
        """Return the Observation of a frame that is skipped on purpose: no box, no confidence, at best UNCERTAIN."""
        if self.state == TargetState.IDLE:
            return self._last
        return self._unseen(max(self.state, TargetState.UNCERTAIN))

    def _unseen(self, state: TargetState) -> Observation:
        """Return the Observation of a frame in which nothing was looked for; a search goes on with the next frame."""
        return Observation(
            state,
            confidence=0.0,
            raw_score=0.0,
            age=self._age,
            frames_lost=self._frames_lost,
            search_progress=self._search_progress,
            redetections=self._redetections,
        )

    @property
    def _search_progress(self) -> float:
        pursuit = self._pursuit
        return 0.0 if pursuit is None or pursuit.search is None else pursuit.search.progress

    def _begin(self, size_wh: tuple[int, int], target: typing.Any, pursuit: Pursuit | None) -> None:
        self._size_wh = size_wh  # of the image that the target was marked in
        self._target = target
        self._pursuit = pursuit
        self._age = self._frames_lost = self._redetections = 0
        self._was_lost = False

    def _count(self, state: TargetState) -> None:
        self._age += 1
        self._frames_lost = self._frames_lost + 1 if state == TargetState.LOST else 0
        if state == TargetState.LOST:
            self._was_lost = True
        elif state == TargetState.TRACKING and self._was_lost:
            self._was_lost, self._redetections = False, self._redetections + 1


def check_same_size(size_wh: tuple[int, int], marked_size_wh: tuple[int, int]) -> None:
    """Check the size of an image that a target is to be found in: a box means nothing in another one.

    Raises:
        InvalidInputError: it is not the size of the image that the target was marked in.
    """
    if size_wh != marked_size_wh:
        raise InvalidInputError(
            "image is {} x {} pixels, expected {} x {} as when the target was marked; the target is lost "
            "until that size returns or a new box is given".format(*size_wh, *marked_size_wh)
        )


def _visible_fraction(box_xywh: np.ndarray, size_wh: tuple[int, int]) -> float:
    """Return the fraction of a box's area that lies in the image, 0..1; 0 for a box without area."""
    box_xyxy = xywh_to_xyxy(np.asarray(box_xywh, dtype=np.float64))
    inside_wh = np.minimum(box_xyxy[2:], size_wh) - np.maximum(box_xyxy[:2], 0)
    area = box_xywh[2] * box_xywh[3]
    return float(inside_wh.clip(0).prod() / area) if area > 0 else 0.0
