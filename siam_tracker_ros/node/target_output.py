# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The messages for controllers: direction, motion and place of the targets. All of it runs in the worker's thread."""

import dataclasses
import typing
from collections.abc import Callable, Sequence

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseStamped, TransformStamped, Vector3Stamped
from rclpy.publisher import Publisher
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage

from siam_tracker_ros.control.camera import Camera
from siam_tracker_ros.control.depth import depth_of_height, measure_depth, position_at
from siam_tracker_ros.control.target_motion import TargetEstimate, TargetMotion, look_at
from siam_tracker_ros.core.monitor import TargetState
from siam_tracker_ros.core.session import Observation
from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.image_conversion import ImageFields, image_to_depth
from siam_tracker_ros.node.diagnostics import MAX_STAMP_AGE_S, Diagnostics
from siam_tracker_ros.node.frame_buffer import Frame
from siam_tracker_ros.node.messages import RESULTS, format_stamp, stamp_to_ns
from siam_tracker_ros.node.parameters import NodeParameters
from siam_tracker_ros.result_messages import NANOSECONDS, fill_xyz, make_target

DEPTH_BUFFER_S, DEPTH_BUFFER_BYTES = 2.0, 256 * 10**6
"""Bounds on the depth images that are kept until the image of their stamp has been processed."""


class TargetPublishers(typing.Protocol):
    """The publishers that are used here; `tf` is None without a frame for the target."""

    @property
    def target(self) -> Publisher: ...

    @property
    def bearing(self) -> Publisher: ...

    @property
    def target_pose(self) -> Publisher: ...

    @property
    def tf(self) -> Publisher | None: ...


def is_target_wanted(publishers: TargetPublishers) -> bool:
    """Return whether somebody wants any of the messages."""
    topics = publishers.target, publishers.bearing
    return is_pose_wanted(publishers) or any(topic.get_subscription_count() > 0 for topic in topics)


def is_pose_wanted(publishers: TargetPublishers) -> bool:
    """Return whether somebody wants to know where the target is."""
    return publishers.tf is not None or publishers.target_pose.get_subscription_count() > 0


@dataclasses.dataclass(frozen=True, eq=False)
class _Place:
    """A frame whose target is to be found in a depth image that has not come yet."""

    header: Header
    observation: Observation
    camera: Camera
    size_wh: tuple[int, int]


class TargetOutput:
    """Publishes what a controller needs of the targets of each frame; costs nothing while nobody wants it."""

    def __init__(
        self, parameters: NodeParameters, diagnostics: Diagnostics, depth_frames: Callable[[], Sequence[Frame]]
    ) -> None:
        """Begin without a camera.

        Args:
            parameters: those of the node.
            diagnostics: is told why there is no direction or place.
            depth_frames: returns the depth images kept.
        """
        self._parameters = parameters
        self._diagnostics = diagnostics
        self._depth_frames = depth_frames
        self._camera: Camera | None = None
        self._view: tuple[Camera | None, tuple[int, int]] | None = None  # that the motions are of
        self._motions: dict[str, TargetMotion] = {}
        self._awaited: _Place | None = None

    def set_parameters(self, parameters: NodeParameters) -> None:
        """Take over the parameters that can change while the node is configured."""
        self._parameters = parameters
        for motion in self._motions.values():
            motion.set_settings(parameters)

    def set_camera(self, camera: Camera | None) -> None:
        """Take over the camera of the frames to come; None if it is not known."""
        self._camera = camera

    def forget(self, target_id: str) -> None:
        """Forget the motion of a target that is started anew."""
        self._motions.pop(target_id, None)

    def publish(
        self,
        publishers: TargetPublishers,
        header: Header,
        size_wh: tuple[int, int] | None,
        named: Sequence[tuple[str, Observation]],
        latency_ns: int,
    ) -> None:
        """Publish the messages of a frame.

        Args:
            publishers: where to.
            header: that of the frame.
            size_wh: width and height of the frame; None if it was not looked at.
            named: names of the targets and what the frame says of them; without a target an empty name and an idle
                Observation.
            latency_ns: time since the stamp of the frame.
        """
        self._give_up_waiting()
        if not is_target_wanted(publishers):
            self._motions.clear()
            return
        if size_wh is not None:
            self._look(size_wh)
        rotated = self._parameters.rotated_box
        lead_ns = self._lead_ns(latency_ns)
        estimates = [self._observe(header, target_id, observation, lead_ns) for target_id, observation in named]
        for (target_id, observation), estimate in zip(named, estimates):
            publishers.target.publish(
                make_target(RESULTS, header, observation, target_id, estimate, latency_ns, rotated)
            )
        self._motions = {target_id: motion for target_id, motion in self._motions.items() if target_id in dict(named)}
        _, first = named[0]
        if first.state != TargetState.TRACKING:  # neither of these messages could say so
            return
        if np.isfinite(estimates[0].ray).all():
            publishers.bearing.publish(
                Vector3Stamped(header=header, vector=fill_xyz(Vector3Stamped().vector, estimates[0].ray))
            )
        camera = None if self._view is None else self._view[0]
        if is_pose_wanted(publishers) and camera is not None and size_wh is not None:
            self._locate(publishers, _Place(header, first, camera, size_wh))

    def depth_arrived(self, publishers: TargetPublishers) -> None:
        """Publish the place of the newest frame's target, if it waits for the depth image that has come."""
        if self._awaited is not None:
            self._locate(publishers, self._awaited)

    def _look(self, size_wh: tuple[int, int]) -> None:
        """Take over the camera for frames of a size, unless it has another one."""
        camera, fault = self._camera, ""
        if camera is not None:
            try:
                camera.check_size(size_wh)
            except InvalidInputError as error:
                camera, fault = None, str(error)
        self._diagnostics.camera_used(fault)
        if self._view != (camera, size_wh):
            self._view = camera, size_wh
            self._motions.clear()

    def _lead_ns(self, latency_ns: int) -> int:
        """Return how far to predict; not at all if the stamp cannot be of this clock."""
        is_plausible = 0 < latency_ns <= MAX_STAMP_AGE_S * NANOSECONDS
        return latency_ns if self._parameters.predict_to_now and is_plausible else 0

    def _observe(self, header: Header, target_id: str, observation: Observation, lead_ns: int) -> TargetEstimate:
        if self._view is None or observation.state == TargetState.IDLE:
            return TargetEstimate(is_metric=self._view is not None and self._view[0] is not None)
        if target_id not in self._motions:
            self._motions[target_id] = TargetMotion(self._parameters, *self._view)
        box_cxcywht = observation.box_cxcywht(self._parameters.rotated_box)
        is_trusted = observation.state == TargetState.TRACKING
        return self._motions[target_id].observe(stamp_to_ns(header.stamp), box_cxcywht, is_trusted, lead_ns)

    def _locate(self, publishers: TargetPublishers, place: _Place) -> None:
        """Publish where the target is, or wait for the depth image."""
        self._awaited = None
        try:
            if not place.header.frame_id:
                raise InvalidInputError(
                    "the images have no frame_id, expected the camera's optical frame, in which the place of the "
                    "target is told; set it in the camera driver"
                )
            depth_m = self._depth_m(place)
        except InvalidInputError as error:
            self._diagnostics.place_unknown(str(error))
            return
        if depth_m is None:
            self._awaited = place
            return
        sight = look_at(place.camera, place.observation.box_cxcywht(self._parameters.rotated_box))
        position = position_at(sight.center, depth_m)
        if not np.isfinite(position).all():
            self._diagnostics.place_unknown("the lens model has no direction at the target's box")
            return
        pose = PoseStamped(header=place.header)
        fill_xyz(pose.pose.position, position)
        publishers.target_pose.publish(pose)
        if publishers.tf is not None:
            transform = TransformStamped(header=place.header, child_frame_id=self._parameters.tf_frame)
            fill_xyz(transform.transform.translation, position)
            publishers.tf.publish(TFMessage(transforms=[transform]))
        self._diagnostics.place_known(depth_m)

    def _depth_m(self, place: _Place) -> float | None:
        """Return the depth of a target in metres; None while its depth image has not come.

        Raises:
            InvalidInputError: the depth image does not tell it.
        """
        observation, height_m = place.observation, self._parameters.target_height_m
        if height_m > 0:
            sight = look_at(place.camera, observation.box_cxcywht(rotated=False))
            return depth_of_height(sight.upper, sight.lower, height_m)
        frame = self._depth_frame(place.header.stamp)
        if frame is None or observation.box_xywh is None:
            return None
        depth = image_to_depth(typing.cast(ImageFields, frame.msg))
        return measure_depth(depth, place.size_wh, observation.box_xywh, observation.mask)

    def _depth_frame(self, stamp: Time) -> Frame | None:
        """Return the depth image nearest to a stamp, if it is near enough."""
        stamp_ns = stamp_to_ns(stamp)
        nearest = min(self._depth_frames(), key=lambda frame: abs(frame.stamp_ns - stamp_ns), default=None)
        if nearest is None or abs(nearest.stamp_ns - stamp_ns) > self._parameters.depth_tolerance_s * NANOSECONDS:
            return None
        return nearest

    def _give_up_waiting(self) -> None:
        if self._awaited is None:
            return
        stamp = self._awaited.header.stamp
        self._awaited = None
        frames = self._depth_frames()
        received = "none has come"
        if frames:
            nearest = min(frames, key=lambda frame: abs(frame.stamp_ns - stamp_to_ns(stamp)))
            received = f"the nearest has {format_stamp(nearest.msg.header.stamp)}"
        self._diagnostics.place_unknown(
            f"no depth image of the stamp {format_stamp(stamp)}, {received}, expected one within "
            f"{self._parameters.depth_tolerance_s:g} s; check the depth camera, or raise depth_tolerance_s"
        )
