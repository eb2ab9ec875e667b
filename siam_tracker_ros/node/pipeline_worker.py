# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The thread that owns a Pipeline, and the only way to it from other threads."""

import contextlib
import gc
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Concatenate

import rclpy.task
from rclpy.node import Node

from siam_tracker_ros.node.frame_buffer import Frame, FrameBuffer
from siam_tracker_ros.node.pipeline import Frames, Pipeline, Start
from siam_tracker_ros.node.target_output import DEPTH_BUFFER_BYTES, DEPTH_BUFFER_S
from siam_tracker_ros.node.worker import HungError, Parameters, Result, Worker


class PipelineWorker(Worker):
    """A thread that makes a Pipeline, calls its methods and frees it, and the frames kept for a late init.

    The pipeline is thread-local: other threads cannot reach it, they hand its methods to `call`. The network is thus
    loaded, used and freed in one thread, to which a captured CUDA graph belongs.

    All methods can be called from any thread.
    """

    def __init__(self, max_seconds: float, max_bytes: int, on_hang: Callable[[], None] = lambda: None) -> None:
        """Start the thread.

        Args:
            max_seconds: time over which frames are kept; the newest one always is.
            max_bytes: bound on the bytes of these frames.
            on_hang: see Worker.
        """
        self._own = threading.local()
        self._kept = FrameBuffer(max_seconds, max_bytes)
        self._depths = FrameBuffer(DEPTH_BUFFER_S, DEPTH_BUFFER_BYTES)
        super().__init__(self._process, self._consider, on_hang=on_hang)

    def make(
        self, make_pipeline: Callable[[Frames], Pipeline], load_limit_s: float = 0.0, limit_s: float = 0.0
    ) -> None:
        """Have the thread make its pipeline, before anything else is asked of it, and wait until it has.

        Args:
            make_pipeline: called in the thread with this worker, which has the frames.
            load_limit_s: seconds after which making it hangs, 0 for never.
            limit_s: seconds after which any later work hangs, 0 for never.

        Raises:
            HungError: it takes longer.
            Exception: anything that `make_pipeline` raises.
        """
        self.limit_s = load_limit_s
        try:
            self.submit(self._make, make_pipeline).result()
        except HungError as error:
            raise HungError(
                f"the model is not loaded after {load_limit_s:g} s; raise load_timeout_s if it takes that long, else "
                "check the driver and restart the process"
            ) from error
        self.limit_s = limit_s

    def call(
        self,
        method: Callable[Concatenate[Pipeline, Parameters], Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Future[Result]:
        """Call a method of the pipeline, before the next frame; return the future of its result."""
        return self.submit(lambda: method(self._own.pipeline, *args, **kwargs))

    def offer(self, frame: Frame) -> None:
        """Keep a frame and have the pipeline process it, unless a newer one comes in before its turn."""
        self._kept.append(frame)
        super().offer(frame)

    def offer_depth(self, frame: Frame) -> None:
        """Keep a depth image, and have the pipeline use it if a frame waits for it."""
        self._depths.append(frame)
        self.call(Pipeline.depth_arrived)

    def kept_depths(self) -> list[Frame]:
        """Return the depth images kept, oldest first."""
        return self._depths.snapshot()

    def kept_frames(self) -> list[Frame]:
        """Return the frames kept, oldest first."""
        return self._kept.snapshot()

    def wait_for_next(self, frame: Frame, timeout_s: float) -> None:
        """Wait until a newer frame than this one is kept, all are forgotten, or the time is over."""
        self._kept.wait_for_next(frame, timeout_s)

    def extent(self) -> tuple[float, int]:
        """Return the seconds from the oldest frame kept to the newest, and the bytes of all."""
        return self._kept.extent()

    def forget_frames(self) -> None:
        """Drop all frames and the starts that wait, and wait until the current work is done.

        Work that waits for a frame ends; work that hangs is not waited for.
        """
        self.empty_slots()
        self._kept.clear()
        self._depths.clear()
        with contextlib.suppress(HungError):
            self.submit(lambda: None).result()

    def _make(self, make_pipeline: Callable[[Frames], Pipeline]) -> None:
        self._own.pipeline = make_pipeline(self)
        # A full garbage collection searches all that was imported and loaded: 0.1 s, in which frames are skipped.
        gc.collect()
        gc.freeze()

    def _process(self, frame: Frame, skipped: int) -> None:
        self._own.pipeline.process(frame, skipped)

    def _consider(self, msg: Start) -> None:
        self._own.pipeline.consider(msg)

    def _clean_up(self) -> None:
        vars(self._own).clear()
        gc.collect()
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available():
            torch.cuda.empty_cache()


def awaitable(job: Future[Result], node: Node) -> rclpy.task.Future:
    """Return a future of a job's result that a service callback of the node can await."""
    answer = rclpy.task.Future()

    def pass_on(job: Future[Result]) -> None:  # in the worker's thread
        error = job.exception()
        if error is None:
            answer.set_result(job.result())
        else:
            answer.set_exception(error)
        executor = node.executor
        if executor is not None:
            executor.wake()  # an executor that waits for messages does not notice the answer

    job.add_done_callback(pass_on)
    return answer
