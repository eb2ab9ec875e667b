# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Health of the node on /diagnostics: one status for the input and one for the tracker."""

import collections
import dataclasses
import platform
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from siam_tracker_ros.core.monitor import TargetState
from siam_tracker_ros.core.session import Observation

_WINDOW = 300  # newest frames that the percentiles are taken over
_MAX_STAMP_AGE = 1.0  # seconds; an older image is no use in a control loop


@dataclasses.dataclass(frozen=True)
class Health:
    """State of the node at the moment of a report.

    Attributes:
        lifecycle: label of the lifecycle state.
        enabled: False while tracking is paused.
        topic: resolved name of the image topic.
        reliability: with which the node is subscribed to it, empty if it is not.
        silence: why no image arrives, empty while images do.
        loss_remedy: what to do if images are lost.
        model: name of the model.
        device: device of the network.
        failure: why the node refused a transition, or empty.
        init_extent: seconds and bytes of the images kept for ~/init.
    """

    lifecycle: str
    enabled: bool
    topic: str
    reliability: str
    silence: str
    loss_remedy: str
    model: str
    device: str
    failure: str
    init_extent: tuple[float, int]


class Diagnostics:
    """Figures of the image callback and of the pipeline, and the report of them. Thread-safe."""

    def __init__(self, node_name: str) -> None:
        """Begin to count; `node_name` tells the statuses of several nodes apart."""
        self._node_name = node_name
        self._lock = threading.Lock()
        self._states: dict[str, TargetState] = {}
        self._received = self._received_before = 0
        self._lost = self._lost_before = 0
        self._refused = self._refused_before = 0
        self._skipped = 0
        self._image = self._intensity_range = ""
        self._stamp_age = 0.0
        self._findings = _findings(Observation(TargetState.IDLE))
        self._detections = self._detections_used = 0
        self._detections_refused = self._detections_refused_before = 0
        self._last_detection = self._last_detection_error = "none"
        self._input_error = self._tracker_error = ""
        self._last_input_error = "none"
        self._latency_ms: collections.deque[float] = collections.deque(maxlen=_WINDOW)
        self._inference_ms: collections.deque[float] = collections.deque(maxlen=_WINDOW)
        self._reported = time.monotonic()

    def frame_received(self, stamp_age: float) -> None:
        """Count an image message; `stamp_age` is its age on arrival in seconds."""
        with self._lock:
            self._received += 1
            self._stamp_age = stamp_age

    def images_lost(self, count: int) -> None:
        """Count images that were sent and did not arrive."""
        with self._lock:
            self._lost += count

    def image_used(self, image: str, intensity_range: str) -> None:
        """Note an image that was used; earlier errors are over.

        Args:
            image: its size and encoding.
            intensity_range: intensities of 16-bit images that become black and white; empty before any.
        """
        with self._lock:
            self._image, self._intensity_range = image, intensity_range
            self._input_error = self._tracker_error = ""

    def image_refused(self, error: str) -> None:
        """Count an image that could not be used; `error` says why."""
        with self._lock:
            self._refused += 1
            self._input_error = self._last_input_error = error

    def tracker_failed(self, error: str) -> None:
        """Note that the tracker failed on a frame."""
        with self._lock:
            self._tracker_error = error

    def detection_received(self, shown: str) -> None:
        """Count a message of detections; `shown` says what it holds."""
        with self._lock:
            self._detections += 1
            self._last_detection = shown or "none"

    def detection_used(self) -> None:
        """Count a detection that the target was started on."""
        with self._lock:
            self._detections_used += 1

    def detection_refused(self, error: str) -> None:
        """Count a detection that the target was to be started on and could not; `error` says why."""
        with self._lock:
            self._detections_refused += 1
            self._last_detection_error = error

    def targets_changed(self, states: Mapping[str, TargetState]) -> None:
        """Note the states of the targets by their names, the first one first."""
        with self._lock:
            self._states = dict(states)

    def frame_published(self, skipped: int, observations: Sequence[Observation], latency_ms: float) -> None:
        """Note the results of a frame: frames skipped before it, what it says of each target, the latency."""
        with self._lock:
            self._skipped += skipped
            self._findings = _findings(observations[0])
            self._latency_ms.append(latency_ms)
            inference_ms = sum(observation.inference_ms for observation in observations)
            if inference_ms:
                self._inference_ms.append(inference_ms)

    def report(self, stamp: Time, health: Health) -> DiagnosticArray:
        """Return the DiagnosticArray of this moment; rates are taken since the report before."""
        array = DiagnosticArray()
        array.header.stamp = stamp
        with self._lock:
            now = time.monotonic()
            period = max(now - self._reported, 1e-3)
            received, lost = self._received - self._received_before, self._lost - self._lost_before
            refused = self._refused - self._refused_before
            self._reported, self._received_before, self._lost_before = now, self._received, self._lost
            self._refused_before = self._refused
            detections_refused = self._detections_refused - self._detections_refused_before
            self._detections_refused_before = self._detections_refused
            array.status = [
                self._input_status(health, period, received, lost, refused),
                self._tracker_status(health, detections_refused),
            ]
        return array

    def _input_status(self, health: Health, period: float, received: int, lost: int, refused: int) -> DiagnosticStatus:
        init_reach_s, init_bytes = health.init_extent
        rate, expected_rate = received / period, (received + lost) / period
        if health.lifecycle != "active":
            level, message = DiagnosticStatus.OK, f"not subscribed, the node is {health.lifecycle}"
        elif health.silence and not lost:
            level, message = DiagnosticStatus.WARN, f"no image on {health.topic}; {health.silence}"
        elif self._input_error:
            level, message = DiagnosticStatus.ERROR, self._input_error
        elif lost:
            level = DiagnosticStatus.WARN
            message = f"images are lost: {rate:.1f} of {expected_rate:.1f} Hz arrive; {health.loss_remedy}"
        elif refused:
            level = DiagnosticStatus.WARN
            message = f"{refused} images not used, the last: {self._last_input_error}"
        elif abs(self._stamp_age) > _MAX_STAMP_AGE:
            level = DiagnosticStatus.WARN
            place = "behind" if self._stamp_age > 0 else "ahead of"
            distance = f"{abs(self._stamp_age):.3g} s {place} this node's clock"
            message = f"the images' stamps are {distance} at arrival; check the clocks and use_sim_time"
        else:
            level, message = DiagnosticStatus.OK, "images arrive" if self._received else "waiting for the first image"
        return self._status(
            "input",
            level,
            message,
            topic=health.topic,
            image=self._image,
            intensity_range=self._intensity_range,
            reliability=health.reliability,
            rate_hz=f"{rate:.1f}",
            expected_rate_hz=f"{expected_rate:.1f}",
            received=self._received,
            lost=self._lost,
            skipped=self._skipped,
            refused=self._refused,
            stamp_age_ms=f"{self._stamp_age * 1e3:.1f}",
            init_reach_s=f"{init_reach_s:.3f}",
            init_memory_mb=f"{init_bytes / 1e6:.1f}",
            last_error=self._last_input_error,
        )

    def _tracker_status(self, health: Health, detections_refused: int) -> DiagnosticStatus:
        state = max(self._states.values(), default=TargetState.IDLE)  # of several targets the worst one's
        lost = [target_id for target_id, state in self._states.items() if state == TargetState.LOST]
        if health.failure or self._tracker_error:
            level, message = DiagnosticStatus.ERROR, health.failure or self._tracker_error
        elif lost:
            several = f"{len(lost)} of {len(self._states)} targets are lost: {', '.join(lost)}"
            level, message = DiagnosticStatus.WARN, several if len(self._states) > 1 else "the target is lost"
        elif health.lifecycle != "active":
            level, message = DiagnosticStatus.OK, f"not tracking, the node is {health.lifecycle}"
        elif not health.enabled:
            level, message = DiagnosticStatus.OK, "paused"
        elif health.silence and self._states:
            level = DiagnosticStatus.WARN
            message = f"no image arrives; in the last one the state was {state.name.lower()}"
        elif detections_refused:
            level = DiagnosticStatus.WARN
            message = f"{detections_refused} detections refused, the last: {self._last_detection_error}"
        else:
            level, message = DiagnosticStatus.OK, state.name.lower()
        return self._status(
            "tracker",
            level,
            message,
            state=state.name,
            target_id=", ".join(self._states),
            targets=len(self._states),
            **self._findings,
            detections=self._detections,
            detections_used=self._detections_used,
            detections_refused=self._detections_refused,
            last_detection=self._last_detection,
            last_detection_error=self._last_detection_error,
            lifecycle=health.lifecycle,
            enabled=health.enabled,
            model=health.model,
            device=health.device,
            **_percentiles("latency", self._latency_ms),
            **_percentiles("inference", self._inference_ms),
        )

    def _status(self, task: str, level: bytes, message: str, **values: Any) -> DiagnosticStatus:
        return DiagnosticStatus(
            level=level,
            name=f"{self._node_name}: {task}",
            message=message,
            hardware_id=platform.node() or "unknown",
            values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
        )


def _findings(observation: Observation) -> dict[str, str]:
    """Return what an Observation says of the target besides where it is."""
    return {
        "confidence": f"{observation.confidence:.3f}",
        "raw_score": f"{observation.raw_score:.3f}",
        "candidates": str(observation.candidates),
        "search_progress": f"{observation.search_progress:.2f}",
        "redetections": str(observation.redetections),
    }


def _percentiles(name: str, values_ms: Sequence[float]) -> dict[str, str]:
    if not values_ms:
        return {}
    p50, p95 = np.percentile(values_ms, (50, 95))
    return {f"{name}_p50_ms": f"{p50:.1f}", f"{name}_p95_ms": f"{p95:.1f}"}
