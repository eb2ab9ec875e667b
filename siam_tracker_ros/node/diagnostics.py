# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Health of the node on /diagnostics: one status each for the input, the tracker, and what is told controllers."""

import collections
import dataclasses
import math
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
from siam_tracker_ros.errors import listed

_WINDOW = 300  # newest frames that the percentiles are taken over
MAX_STAMP_AGE_S = 1.0
"""Seconds; an older image is no use in a control loop, and its stamp may be of another clock."""


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
        hang: what is said of a network that does not return, empty while it does.
        left_threads: threads that were left behind in a call that has not returned.
        init_extent: seconds and bytes of the images kept for ~/init.
        target: what is wanted of the messages for controllers, and their inputs.
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
    hang: str
    left_threads: int
    init_extent: tuple[float, int]
    target: "TargetHealth"


@dataclasses.dataclass(frozen=True)
class TargetHealth:
    """State of the messages for controllers at the moment of a report.

    Attributes:
        is_wanted: whether somebody wants any of them.
        is_metric_wanted: whether somebody wants one that needs a camera_info.
        is_pose_wanted: whether somebody wants to know where the target is.
        camera_topic: resolved name of the topic of camera_info.
        depth_topic: that of the depth images.
        depth_silence: why no depth image arrives, empty while they do or are not wanted.
    """

    is_wanted: bool = False
    is_metric_wanted: bool = False
    is_pose_wanted: bool = False
    camera_topic: str = ""
    depth_topic: str = ""
    depth_silence: str = ""


@dataclasses.dataclass
class _Starts:
    """Counts of the messages on topics that may start a target.

    Attributes:
        received, used, refused: numbers of them so far.
        refused_before: `refused` at the last report.
        last_error: why the last one was refused.
    """

    received: int = 0
    used: int = 0
    refused: int = 0
    refused_before: int = 0
    last_error: str = "none"

    def refuse(self, error: str) -> None:
        """Count one that was refused."""
        self.refused += 1
        self.last_error = error

    def take_refused(self) -> int:
        """Return how many were refused since this was asked last."""
        refused, self.refused_before = self.refused - self.refused_before, self.refused
        return refused

    def values(self, name: str) -> dict[str, Any]:
        """Return the counts under names that begin with that of the messages."""
        return {
            f"{name}s": self.received,
            f"{name}s_used": self.used,
            f"{name}s_refused": self.refused,
            f"last_{name}_error": self.last_error,
        }


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
        self._detections, self._marks = _Starts(), _Starts()
        self._last_detection = "none"
        self._input_error = self._tracker_error = ""
        self._publishing_errors: dict[str, str] = {}  # by what could not be published
        self._last_input_error = "none"
        self._latency_ms: collections.deque[float] = collections.deque(maxlen=_WINDOW)
        self._inference_ms: collections.deque[float] = collections.deque(maxlen=_WINDOW)
        self._reported = time.monotonic()
        self._camera = self._camera_error = self._camera_misfit = ""
        self._place_error = ""
        self._depth_m = math.nan

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

    def published(self, what: str, error: str) -> None:
        """Note why something could not be published; empty if it was."""
        with self._lock:
            self._publishing_errors[what] = error

    def detection_received(self, shown: str) -> None:
        """Count a message of detections; `shown` says what it holds."""
        with self._lock:
            self._detections.received += 1
            self._last_detection = shown or "none"

    def detection_used(self) -> None:
        """Count a detection that the target was started on."""
        with self._lock:
            self._detections.used += 1

    def detection_refused(self, error: str) -> None:
        """Count a detection that the target was to be started on and could not; `error` says why."""
        with self._lock:
            self._detections.refuse(error)

    def mark_received(self) -> None:
        """Count a message of what a person marks."""
        with self._lock:
            self._marks.received += 1

    def mark_used(self) -> None:
        """Count a mark that a target was started on."""
        with self._lock:
            self._marks.used += 1

    def mark_refused(self, error: str) -> None:
        """Count a mark that a target was to be started on and could not; `error` says why."""
        with self._lock:
            self._marks.refuse(error)

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

    def camera_received(self, camera: str, error: str) -> None:
        """Note what the newest camera_info describes, or why it describes nothing; two empty texts for none."""
        with self._lock:
            self._camera, self._camera_error, self._camera_misfit = camera, error, ""

    def camera_used(self, misfit: str) -> None:
        """Note why the images are not those of the camera; empty if they are."""
        with self._lock:
            self._camera_misfit = misfit

    def place_known(self, depth_m: float) -> None:
        """Note that the place of the target was published."""
        with self._lock:
            self._depth_m, self._place_error = depth_m, ""

    def place_unknown(self, error: str) -> None:
        """Note why the place of the target is not known."""
        with self._lock:
            self._depth_m, self._place_error = math.nan, error

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
            array.status = [
                self._input_status(health, period, received, lost, refused),
                self._tracker_status(health),
                self._target_status(health.target),
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
        elif abs(self._stamp_age) > MAX_STAMP_AGE_S:
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

    def _tracker_status(self, health: Health) -> DiagnosticStatus:
        state = max(self._states.values(), default=TargetState.IDLE)  # of several targets the worst one's
        refused = [
            f"{count} {name} refused, the last: {starts.last_error}"
            for name, starts in (("marks", self._marks), ("detections", self._detections))
            if (count := starts.take_refused())
        ]
        lost = [target_id for target_id, state in self._states.items() if state == TargetState.LOST]
        errors = (health.failure, health.hang, self._tracker_error, *self._publishing_errors.values())
        if any(errors):
            level, message = DiagnosticStatus.ERROR, next(filter(None, errors))
        elif lost:
            several = f"{len(lost)} of {len(self._states)} targets are lost: {listed(lost)}"
            level, message = DiagnosticStatus.WARN, several if len(self._states) > 1 else "the target is lost"
        elif health.lifecycle != "active":
            level, message = DiagnosticStatus.OK, f"not tracking, the node is {health.lifecycle}"
        elif not health.enabled:
            level, message = DiagnosticStatus.OK, "paused"
        elif health.silence and self._states:
            level = DiagnosticStatus.WARN
            message = f"no image arrives; in the last one the state was {state.name.lower()}"
        elif refused:
            level, message = DiagnosticStatus.WARN, "; ".join(refused)
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
            **self._detections.values("detection"),
            last_detection=self._last_detection,
            **self._marks.values("mark"),
            lifecycle=health.lifecycle,
            enabled=health.enabled,
            model=health.model,
            device=health.device,
            left_threads=health.left_threads,
            **_percentiles("latency", self._latency_ms),
            **_percentiles("inference", self._inference_ms),
        )

    def _target_status(self, health: TargetHealth) -> DiagnosticStatus:
        if not health.is_wanted:
            level, message = DiagnosticStatus.OK, "nobody asks for it"
        elif self._camera_error or self._camera_misfit:
            level, message = DiagnosticStatus.ERROR, self._camera_error or self._camera_misfit
        elif not self._camera:
            level = DiagnosticStatus.WARN if health.is_metric_wanted else DiagnosticStatus.OK
            message = (
                f"no camera_info on {health.camera_topic}, so no direction is known; publish it there, or remap "
                "camera_info"
            )
        elif health.is_pose_wanted and health.depth_silence:
            level = DiagnosticStatus.WARN
            message = (
                f"no depth image on {health.depth_topic}; {health.depth_silence}; or set target_height_m, the height "
                "of the target"
            )
        elif health.is_pose_wanted and self._place_error:
            level, message = DiagnosticStatus.WARN, self._place_error
        else:
            level, message = DiagnosticStatus.OK, "directions are known"
        return self._status(
            "target",
            level,
            message,
            camera_topic=health.camera_topic,
            camera=self._camera,
            depth_topic=health.depth_topic,
            depth_m=f"{self._depth_m:.3f}",
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
