# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Health of the node for people, on /diagnostics: the input and the tracker, each in one status."""

import collections
import dataclasses
import platform
import threading
import time

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from siam_tracker_ros.core.monitor import TargetState

_WINDOW = 300  # frames that the percentiles look back on
_MAX_STAMP_AGE = 1.0  # seconds; an older image is no use in a control loop


@dataclasses.dataclass(frozen=True)
class Health:
    """What the node knows of itself at the moment of a report.

    Attributes:
        lifecycle: label of the lifecycle state.
        enabled: False while paused.
        topic: resolved name of the image topic.
        state: TargetState.
        target_id: of the target held, or empty.
        model: name of the model.
        device: where the network runs.
        failure: why the node refused to configure, or empty.
    """

    lifecycle: str
    enabled: bool
    topic: str
    state: TargetState
    target_id: str
    model: str
    device: str
    failure: str


class Diagnostics:
    """Collects figures from the image callback and from the worker, and reports them."""

    def __init__(self, node_name):
        self._node_name = node_name
        self._lock = threading.Lock()
        self._received = self._received_before = 0
        self._refused = self._refused_before = 0
        self._skipped = 0
        self._image = ""
        self._stamp_age = 0.0
        self._confidence = float("nan")
        self._input_error = self._tracker_error = ""
        self._last_input_error = "none"
        self._latency_ms = collections.deque(maxlen=_WINDOW)
        self._inference_ms = collections.deque(maxlen=_WINDOW)
        self._reported = time.monotonic()

    def frame_received(self, stamp_age):
        """Count an image message; `stamp_age` is its age at arrival in seconds."""
        with self._lock:
            self._received += 1
            self._stamp_age = stamp_age

    def image_used(self, image):
        """Note an image that was looked at, with a word on it."""
        with self._lock:
            self._image = image
            self._input_error = self._tracker_error = ""

    def image_refused(self, error):
        """Note an image that could not be used, with the sentence why."""
        with self._lock:
            self._refused += 1
            self._input_error = self._last_input_error = error

    def frame_published(self, skipped, observation, latency_ms):
        """Note what was published for a frame: frames skipped before it, the Observation, the latency."""
        with self._lock:
            self._skipped += skipped
            self._confidence = observation.confidence
            self._latency_ms.append(latency_ms)
            if observation.inference_ms:
                self._inference_ms.append(observation.inference_ms)

    def tracker_failed(self, error):
        """Note that the tracker failed on a frame."""
        with self._lock:
            self._tracker_error = error

    def report(self, stamp, health):
        """Return the DiagnosticArray of this moment."""
        array = DiagnosticArray()
        array.header.stamp = stamp
        with self._lock:
            now = time.monotonic()
            rate = (self._received - self._received_before) / max(now - self._reported, 1e-3)
            refused = self._refused - self._refused_before
            self._reported, self._received_before, self._refused_before = now, self._received, self._refused
            array.status = [self._input_status(health, rate, refused), self._tracker_status(health)]
        return array

    def _input_status(self, health, rate, refused):
        if self._input_error:
            level, message = DiagnosticStatus.ERROR, self._input_error
        elif health.lifecycle != "active":
            level, message = DiagnosticStatus.OK, f"not subscribed, the node is {health.lifecycle}"
        elif rate == 0:
            level = DiagnosticStatus.WARN
            message = f"no image on {health.topic}; check the name with `ros2 topic info -v {health.topic}`"
        elif refused:
            level, message = (
                DiagnosticStatus.WARN,
                f"{refused} images not used, the last: {self._last_input_error}",
            )
        elif abs(self._stamp_age) > _MAX_STAMP_AGE:
            level = DiagnosticStatus.WARN
            message = f"images are {self._stamp_age:.3g} s old at arrival; check the clocks and use_sim_time"
        else:
            level, message = DiagnosticStatus.OK, "images arrive"
        return self._status(
            "input",
            level,
            message,
            topic=health.topic,
            image=self._image,
            rate_hz=f"{rate:.1f}",
            received=self._received,
            skipped=self._skipped,
            refused=self._refused,
            stamp_age_ms=f"{self._stamp_age * 1e3:.1f}",
            last_error=self._last_input_error,
        )

    def _tracker_status(self, health):
        if health.failure or self._tracker_error:
            level, message = DiagnosticStatus.ERROR, health.failure or self._tracker_error
        elif health.state == TargetState.LOST:
            level, message = DiagnosticStatus.WARN, "the target is lost"
        elif not health.enabled:
            level, message = DiagnosticStatus.OK, "paused"
        else:
            level, message = DiagnosticStatus.OK, health.state.name.lower()
        return self._status(
            "tracker",
            level,
            message,
            state=health.state.name,
            target_id=health.target_id,
            confidence=f"{self._confidence:.3f}",
            lifecycle=health.lifecycle,
            enabled=health.enabled,
            model=health.model,
            device=health.device,
            **_percentiles("latency", self._latency_ms),
            **_percentiles("inference", self._inference_ms),
        )

    def _status(self, task, level, message, **values):
        return DiagnosticStatus(
            level=level,
            name=f"{self._node_name}: {task}",
            message=message,
            hardware_id=platform.node() or "unknown",
            values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
        )


def _percentiles(name, values_ms):
    if not values_ms:
        return {}
    p50, p95 = np.percentile(values_ms, (50, 95))
    return {f"{name}_p50_ms": f"{p50:.1f}", f"{name}_p95_ms": f"{p95:.1f}"}
