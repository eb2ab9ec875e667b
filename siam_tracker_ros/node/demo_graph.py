# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The ROS graph of the demo: `video_publisher` and `tracker_node` in processes of their own, and their client here."""

import contextlib
import math
import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import rclpy
from ament_index_python.packages import get_package_prefix
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions

from siam_tracker_ros.demo.clip import Clip
from siam_tracker_ros.demo.processes import DemoError, Processes
from siam_tracker_ros.demo.report import LiveRun
from siam_tracker_ros.node.demo_client import DemoClient, VideoRecorder

_START_S = 120  # for the processes to import, load and find each other on a slow machine
_ANSWER_S = 30
_LAST_ANSWER_S = 3


def play(clip: Clip, options: Namespace, recorder: VideoRecorder | None) -> LiveRun:
    """Play a clip through the graph and track its target; Ctrl-C ends it early once there is a target.

    Args:
        clip: the frames, and the target's box in the first.
        options: model, weights and device of the tracker; output, the folder for the logs.
        recorder: gets the images of a camera.

    Raises:
        DemoError: a process failed or did not answer in time.
    """
    # Without rclpy's own signal handlers Ctrl-C does not end the context while the client uses it.
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    try:
        with Processes(_program_folder(), options.output) as processes:
            graph = _Graph(processes, recorder)
            print("demo: starting tracker_node and video_publisher", flush=True)
            graph.start(clip, model=options.model, weights=options.weights, device=options.device)
            graph.give_target(clip.box_xywh)
            with contextlib.suppress(KeyboardInterrupt):
                graph.wait_for_end()
        return graph.close()
    finally:
        rclpy.try_shutdown()


def _program_folder() -> Path:
    return Path(get_package_prefix("siam_tracker_ros"), "lib", "siam_tracker_ros")


class _Graph:
    """The client and the two processes."""

    def __init__(self, processes: Processes, recorder: VideoRecorder | None) -> None:
        self._processes = processes
        self._client = DemoClient(recorder)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._client)

    def start(self, clip: Clip, **tracker_parameters: Any) -> None:
        """Start both processes and wait for the first image."""
        started = time.monotonic()
        self._processes.start("tracker_node", **tracker_parameters)
        self._processes.start(
            "video_publisher",
            source=clip.source,
            restamp=True,  # the report compares stamps with the time of receipt
            rate=clip.rate,
            frames=clip.frames,
            wait_for_subscribers=2,  # the tracker and the client
        )
        self._wait(lambda: self._client.is_connected, _START_S, "the tracker")
        if self._client.has_company:
            raise DemoError("another tracker or camera runs here; end it, or set another ROS_DOMAIN_ID")
        self._client.subscribe_to_images()
        self._wait(lambda: self._client.first_header is not None, _START_S, "the first image")
        print(f"demo: the first image is there after {time.monotonic() - started:.1f} s", flush=True)

    def give_target(self, box_xywh: Sequence[float]) -> None:
        """Give the tracker its target in the first image."""
        answer = self._client.request_init(box_xywh)
        self._wait(answer.done, _ANSWER_S, "the answer of /tracker/init")
        response = answer.result()
        if not response.success:
            raise DemoError(f"/tracker/init refused the box: {response.message}")
        self._client.note_start(response, box_xywh)
        print(f"demo: /tracker/init says: {response.message}", flush=True)

    def wait_for_end(self) -> None:
        """Wait until the publisher has ended and the tracker has answered for the last frame."""
        self._wait(lambda: self._processes.has_finished("video_publisher"), math.inf, "the end of the clip")
        last_call = time.monotonic() + _LAST_ANSWER_S
        self._wait(lambda: self._client.answered_last or time.monotonic() > last_call, math.inf, "an answer")

    def close(self) -> LiveRun:
        """End the client and return what it recorded."""
        self._executor.shutdown()
        self._client.destroy_node()
        return self._client.live_run()

    def _wait(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        """Spin until a condition holds; raise DemoError after `seconds`, or when a process has failed."""
        deadline = time.monotonic() + seconds
        tracker_log, publisher_log = (self._processes.log(name) for name in ("tracker_node", "video_publisher"))
        while not condition():
            self._executor.spin_once(timeout_sec=0.1)
            self._processes.has_finished("video_publisher")
            if self._processes.has_finished("tracker_node"):
                raise DemoError(f"tracker_node ended by itself; see {tracker_log}")
            if self._client.tracker_fault:
                raise DemoError(f"tracker_node reports: {self._client.tracker_fault}")
            if time.monotonic() > deadline:
                raise DemoError(f"{what} did not come within {seconds} s; see {tracker_log} and {publisher_log}")
