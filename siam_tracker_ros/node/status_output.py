# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""~/status: of each frame from the worker's thread, and heartbeats from the executor's, which no network holds up."""

import dataclasses
import threading
import time
from collections.abc import Sequence

from rclpy.clock import Clock
from rclpy.publisher import Publisher
from std_msgs.msg import Header

from siam_tracker_ros.core.monitor import TargetState
from siam_tracker_ros.core.session import Observation
from siam_tracker_ros.node.messages import RESULTS, age_ns
from siam_tracker_ros.result_messages import make_status

NOTHING = Observation(TargetState.IDLE)
"""What a frame says without a target."""


class StatusOutput:
    """Publishes ~/status, and knows what a heartbeat repeats. Thread-safe."""

    def __init__(self, publisher: Publisher, clock: Clock) -> None:
        """Begin without a target and without an image; `clock` tells the age of images."""
        self._publisher = publisher
        self._clock = clock
        self._lock = threading.Lock()
        self._held: list[tuple[str, Observation]] = []
        self._header = Header()  # of the newest image that results were published of
        self._published = time.monotonic()

    def hold(self, held: Sequence[tuple[str, Observation]]) -> None:
        """Note the targets and what is held of them: their names, and an Observation without a box of each."""
        with self._lock:
            self._held = list(held)

    def publish(
        self,
        header: Header,
        named: Sequence[tuple[str, Observation]],
        skipped: int,
        latency_ns: int,
        size_wh: tuple[int, int] | None,
    ) -> None:
        """Publish what a frame says of the targets, see `make_status`; `named` has one entry at least."""
        with self._lock:
            self._header = header
            self._published = time.monotonic()
            for target_id, observation in named:
                self._publisher.publish(
                    make_status(RESULTS, header, observation, target_id, skipped, latency_ns, size_wh)
                )

    def repeat(self, silence_s: float, is_lost: bool) -> None:
        """Publish a heartbeat of each target if nothing has been published for so long.

        is_lost: whether all targets are LOST, whatever was last known of them.
        """
        with self._lock:
            now = time.monotonic()
            if now - self._published < silence_s:
                return
            self._published = now
            latency_ns = age_ns(self._clock, self._header) if self._header != Header() else 0
            for target_id, observation in self._held or [("", NOTHING)]:
                if is_lost and observation.state != TargetState.IDLE:
                    observation = dataclasses.replace(observation, state=TargetState.LOST)
                self._publisher.publish(
                    make_status(RESULTS, self._header, observation, target_id, 0, latency_ns, is_heartbeat=True)
                )
