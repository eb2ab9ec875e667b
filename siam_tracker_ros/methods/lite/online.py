# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`lite` with an online branch: a correlation filter that learns the target while it is tracked.

The filter is learned as in DiMP (Bhat et al. 2019) from the features of lite's backbone, so that the branch needs no
network and no weights of its own. Its score map is mixed with lite's confidence before the best cell is picked, as in
Ocean (Zhang et al. 2020): the chosen cell must also look like the target in earlier frames.
"""

import concurrent.futures
import contextlib
import dataclasses
import functools
import os
import typing
from collections.abc import Generator

import cv2
import numpy as np

from siam_tracker_ros.core.appearance import Region
from siam_tracker_ros.core.crop import crop_context
from siam_tracker_ros.core.device_request import StepRequest
from siam_tracker_ros.core.graphs import Array, Graphs, to_array
from siam_tracker_ros.core.response import peak_cell, peak_ratio
from siam_tracker_ros.core.sample_memory import SampleMemory
from siam_tracker_ros.core.stage import stage
from siam_tracker_ros.core.tracker import Tracker, TrackResult
from siam_tracker_ros.core.whitening import Whitening
from siam_tracker_ros.executors.blas import one_blas_thread
from siam_tracker_ros.geometry import cxcywh_to_xywh
from siam_tracker_ros.methods.lite.online_filter import (
    FILTER_CELLS,
    SHRINKAGE,
    Floats,
    filter_scores,
    improving,
    result_of,
    whiten_samples,
)
from siam_tracker_ros.methods.lite.shapes import SEARCH_CELLS, SEARCH_SIDE
from siam_tracker_ros.methods.lite.tracker import BLACK, LiteSettings, LiteTarget, LiteTracker, View
from siam_tracker_ros.settings import setting

BLUR_SIGMA_XY = (3.0, 1.0)  # pixels of the crop
MEMORY_SAMPLES = 24
FIRST_ITERATIONS = 12
LATER_ITERATIONS = 1
UPDATE_INTERVAL = 5  # frames
UPDATE_FRAMES = 3  # frames after which what was learned is used
LEARNING_RATE = 0.02
HARD_NEGATIVE_LEARNING_RATE = 0.05
HARD_NEGATIVE_RATIO = 0.45  # second peak of the filter's scores over the first; above it, there is a distractor
LEARN_SCORE = 0.35  # minimum score of a cell, both lite's and the filter's, for a frame to become a sample


@dataclasses.dataclass(frozen=True)
class LiteOnlineSettings(LiteSettings):
    """How the response becomes a box."""

    online_ratio: float = setting(0.5, "Share of the filter's scores in the confidence of each cell.", 0, 1)


@dataclasses.dataclass(frozen=True, eq=False)
class LiteOnlineTarget:
    """A target's state.

    Attributes:
        siamese: the target of the LiteTracker.
        whitening: whitening of the features, from the first frame.
        kernel: (16, 96), the filter.
        memory: samples (1, 16, 16, 96) that the filter is learned from, with boxes in units of the region's side.
        frames: number of frames tracked so far.
        update: the filter that is being learned, or None.
    """

    siamese: LiteTarget
    whitening: Whitening
    kernel: Floats
    memory: SampleMemory[Floats]
    frames: int = 0
    update: "Update | None" = None


@functools.cache
def _learner(process: int) -> concurrent.futures.Executor:
    """The thread that learns in a process; a fork leaves it behind. To start one per filter takes a millisecond."""
    return concurrent.futures.ThreadPoolExecutor(1, "lite-online")


class Update:
    """A filter that is learned beside tracking, in another thread.

    The work is done in two parts, each beside one of the next two frames: threads of the network's runtime wait for
    each other, so a frame with all of it beside it would take half as long again. The filter is used from a fixed frame
    on, and waited for if it is not ready by then: a track does not depend on how fast the machine is. Where there can
    be no thread, as when Python is ending, or it was left behind by a fork, the filter is learned when it is asked for.

    Attributes:
        frame: number of the frame from which on it is used.
    """

    def __init__(self, frame: int, kernel: Floats, memory: SampleMemory[Floats]) -> None:
        self.frame = frame
        self._samples = kernel, memory
        self._part: concurrent.futures.Future[None] | None = None
        self._begin()
        self.go_on()

    def go_on(self) -> None:
        """Do the next part of the work beside what follows."""
        self._wait()
        if self._kernel is None:
            with contextlib.suppress(RuntimeError):
                self._part = _learner(self._process).submit(self._do_part)

    def kernel(self) -> Floats:
        """Return the filter, (16, 96)."""
        self._wait()
        while self._kernel is None:
            self._do_part()
        return self._kernel

    def _begin(self) -> None:
        self._process, self._kernel = os.getpid(), None
        self._parts, self._part = learning(*self._samples, LATER_ITERATIONS), None

    def _wait(self) -> None:
        if self._kernel is not None:
            return
        if self._process != os.getpid():
            self._begin()  # a part may have been half done
        elif self._part is not None:
            self._part.result()

    def _do_part(self) -> None:
        with one_blas_thread():
            try:
                next(self._parts)
            except StopIteration as end:
                self._kernel = end.value

    def __getstate__(self) -> dict[str, typing.Any]:
        return vars(self) | {"_kernel": self.kernel(), "_samples": None, "_parts": None, "_part": None}


class LiteOnlineTracker(Tracker[LiteOnlineTarget]):
    """Runs the graphs of a LiteNetwork; see `create_tracker`.

    Attributes:
        siamese: lite's tracker, which finds the boxes with the same network and settings.
    """

    settings_class = LiteOnlineSettings
    target_class = LiteOnlineTarget
    tile_side = LiteTracker.tile_side
    tile_stride = LiteTracker.tile_stride
    graph_names = LiteTracker.graph_names
    late_names = LiteTracker.late_names
    inner_names = LiteTracker.inner_names
    siamese: LiteTracker
    network: Graphs
    settings: LiteOnlineSettings

    def __init__(self, network: Graphs, settings: LiteOnlineSettings) -> None:
        super().__init__(network, settings)
        self.siamese = LiteTracker(network, settings)

    def _start(self, image_bgr: np.ndarray, box_xywh: np.ndarray) -> LiteOnlineTarget:
        siamese = self.siamese.first_target(image_bgr, box_xywh)
        view = self.siamese.look(image_bgr, siamese)
        siamese = dataclasses.replace(siamese, box_bias=self.siamese.box_bias(image_bgr, siamese, view))
        features, boxes_xywh = self._first_samples(image_bgr, siamese, view)
        whitening = Whitening.of(features, SHRINKAGE)
        samples = np.split(whiten_samples(features, whitening), len(features))
        memory = SampleMemory.of(samples, list(boxes_xywh), MEMORY_SAMPLES)
        nothing = np.zeros((FILTER_CELLS**2, features.shape[-1]), np.float32)
        with one_blas_thread():
            kernel = result_of(learning(nothing, memory, FIRST_ITERATIONS))
        return LiteOnlineTarget(siamese, whitening, kernel, memory)

    def _first_samples(self, image_bgr: np.ndarray, target: LiteTarget, view: View) -> tuple[np.ndarray, np.ndarray]:
        """Features (3, 16, 16, 96) of the first frame as it is, mirrored and blurred, and the target's boxes (3, 4).

        view: of the region around the target.
        """
        box_cxcywh, side = target.box_cxcywh, view.side
        crop, origin_xy = crop_context(image_bgr, box_cxcywh[:2], side, SEARCH_SIDE, BLACK, exact=False)
        sigma_x, sigma_y = BLUR_SIGMA_XY
        blurred = cv2.GaussianBlur(crop, (0, 0), sigmaX=sigma_x, sigmaY=sigma_y)
        changed = (crop[:, ::-1], blurred)  # one after the other, since a batch takes twice the memory
        # Not by the graph `encode`: this one is loaded already.
        outputs = (self.network.search(each[None], target.kernels, target.gate) for each in changed)
        features = np.concatenate([to_array(each) for each in (view.features, *(output[1] for output in outputs))])
        left, top = (box_cxcywh[:2] - box_cxcywh[2:] / 2 - origin_xy) / side
        w, h = box_cxcywh[2:] / side
        boxes_xywh = [(left, top, w, h), (1 - left - w, top, w, h), (left, top, w, h)]
        return np.moveaxis(features, 1, -1), np.array(boxes_xywh)

    def move(self, target: LiteOnlineTarget, box_xywh: np.ndarray) -> LiteOnlineTarget:
        """Return a target as if it had last been seen in another box, float64 (4,), with the same appearance."""
        return dataclasses.replace(target, siamese=self.siamese.move(target.siamese, box_xywh))

    def use_device_step(self, captures: bool = True) -> None:
        """See `Tracker`; the filter stays on the CPU."""
        self.siamese.use_device_step(captures)
        self._device_step = self.siamese._device_step

    def _step_request(self, target: LiteOnlineTarget) -> StepRequest:
        return self.siamese._step_request(target.siamese)

    def first_region(self, image_bgr: np.ndarray, target: LiteOnlineTarget, box_xywh: np.ndarray) -> Region:
        """See `LiteTracker`."""
        return self.siamese.first_region(image_bgr, target.siamese, box_xywh)

    def _input_scale(self, target: LiteOnlineTarget) -> float:
        return self.siamese._input_scale(target.siamese)

    def _encode_tile(self, crop_bgr: np.ndarray) -> Array:
        return self.siamese._encode_tile(crop_bgr)

    def _step(self, image_bgr: np.ndarray, target: LiteOnlineTarget) -> tuple[LiteOnlineTarget, TrackResult]:
        return self._follow(image_bgr, target, may_learn=True)

    def _look(self, image_bgr: np.ndarray, target: LiteOnlineTarget) -> tuple[LiteOnlineTarget, TrackResult]:
        return self._follow(image_bgr, target, may_learn=False)

    def _follow(
        self, image_bgr: np.ndarray, target: LiteOnlineTarget, may_learn: bool
    ) -> tuple[LiteOnlineTarget, TrackResult]:
        view = self.siamese.look(image_bgr, target.siamese)
        kernel, update, frames = target.kernel, target.update, target.frames + 1
        if update is not None and frames >= update.frame:
            kernel, update = update.kernel(), None
        with stage("head"):
            feature = whiten_samples(np.moveaxis(to_array(view.features), 1, -1), target.whitening)  # (1, 16, 16, 96)
            online = filter_scores(feature, kernel)
        ratio = self.settings.online_ratio
        score = (1 - ratio) * view.score + ratio * online
        siamese, result, found = self.siamese.decide(image_bgr, target.siamese, view, score)

        if update is not None:
            update.go_on()
        memory = target.memory
        is_due = False
        if may_learn and found is not None and min(view.score[found.cell], online[found.cell]) >= LEARN_SCORE:
            is_hard = peak_ratio(online, *peak_cell(online)) > HARD_NEGATIVE_RATIO
            is_due = update is None and (is_hard or frames % UPDATE_INTERVAL == 0)
            box_xywh = cxcywh_to_xywh(found.box_cxcywh)
            memory = memory.insert(feature, box_xywh, HARD_NEGATIVE_LEARNING_RATE if is_hard else LEARNING_RATE)
            if is_due:
                update = Update(frames + UPDATE_FRAMES, kernel, memory)
        target = LiteOnlineTarget(siamese, target.whitening, kernel, memory, frames, update)
        return target, dataclasses.replace(result, updated=is_due)


def learning(kernel: Floats, memory: SampleMemory[Floats], iterations: int) -> Generator[None, None, Floats]:
    """Improve a filter (16, 96) on the samples of a memory, see `improving`; return the improved one."""
    boxes_xywh = np.array(memory.boxes_xywh) * SEARCH_CELLS
    centers_xy = boxes_xywh[:, :2] + boxes_xywh[:, 2:] / 2
    return (yield from improving(kernel, np.concatenate(memory.features), centers_xy, memory.weights, iterations))
