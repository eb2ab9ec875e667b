# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From an image message to the messages about the targets: the work of the worker's thread."""

import contextlib
import dataclasses
import functools
import math
import time
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import PointStamped
from rclpy.clock import Clock
from rclpy.context import Context
from rclpy.impl.rcutils_logger import RcutilsLogger
from rclpy.publisher import Publisher
from sensor_msgs.msg import CompressedImage, Image, RegionOfInterest
from std_msgs.msg import Header
from vision_msgs.msg import Detection2D

from siam_tracker_ros.control.camera import Camera
from siam_tracker_ros.core.monitor import TargetState
from siam_tracker_ros.core.multi import MultiTracker
from siam_tracker_ros.core.outline import NO_OUTLINE
from siam_tracker_ros.core.pointing import box_at
from siam_tracker_ros.core.session import Observation, TargetSession
from siam_tracker_ros.core.tracker import Tracker
from siam_tracker_ros.drawing import STATE_COLORS_BGR, draw_target, mask_image
from siam_tracker_ros.errors import InvalidInputError, shown
from siam_tracker_ros.executors.device import set_threads
from siam_tracker_ros.image_conversion import compressed_to_bgr, fill_compressed, fill_image, image_to_bgr
from siam_tracker_ros.intensity import IntensityStretch, parse_intensity_range
from siam_tracker_ros.node.annotations import annotate, foxglove_types
from siam_tracker_ros.node.diagnostics import Diagnostics
from siam_tracker_ros.node.frame_buffer import Frame, catch_up_frames, find_frame, is_next_frame
from siam_tracker_ros.node.messages import (
    RESULTS,
    age_ns,
    format_box,
    format_confidence,
    format_error,
    format_stamp,
    stamp_to_ns,
)
from siam_tracker_ros.node.paced_log import PacedLog
from siam_tracker_ros.node.parameters import NodeParameters
from siam_tracker_ros.node.requests import (
    box_from_detection,
    box_from_request,
    check_detection,
    check_numbers,
    point_from_request,
    request_from_point,
    request_from_roi,
)
from siam_tracker_ros.node.status_output import NOTHING, StatusOutput
from siam_tracker_ros.node.target_output import TargetOutput, is_pose_wanted
from siam_tracker_ros.page.pictures import Picture, TargetView
from siam_tracker_ros.result_messages import make_detection, make_detections
from siam_tracker_ros.srv import InitTracker

if typing.TYPE_CHECKING:
    from siam_tracker_ros.page.server import PageServer  # which imports aiohttp

_LOG_PERIOD = 5.0  # seconds between two warnings of one kind
_NEXT_FRAME_S = 2.0  # seconds that an init waits for its frame where that one is the next

Mark: typing.TypeAlias = RegionOfInterest | PointStamped
"""What a person marks on a topic."""
Start: typing.TypeAlias = Detection2D | Mark
"""A message that may start a target, without an answer."""
MARK_TOPICS: dict[str, type[Mark]] = {"~/init_roi": RegionOfInterest, "~/init_point": PointStamped}
"""Topics of marks and their types."""


class TrackerFactory(typing.Protocol):
    """Makes a tracker by the name of its model, as create_tracker does."""

    def __call__(self, model: str, **arguments: Any) -> Tracker:
        """Return a new tracker; `arguments` are those of create_tracker."""


@dataclasses.dataclass
class TargetNames:
    """Names for targets that come without one: target_1, target_2 and so on.

    Attributes:
        used: number of names used.
    """

    used: int = 0

    def next(self) -> str:
        """Return the next name; it counts as used when `used` is raised."""
        return f"target_{self.used + 1}"


@dataclasses.dataclass(frozen=True)
class NodeAccess:
    """What the pipeline uses of its node; all of it can be used in any thread, the names in one at a time.

    Attributes:
        logger: logger of the node.
        clock: clock of the node.
        context: its context, which a shutdown ends.
        diagnostics: figures for /diagnostics.
        image_topic: resolved name of the image topic.
        names: names for targets; those of an earlier pipeline are not used again.
    """

    logger: RcutilsLogger
    clock: Clock
    context: Context
    diagnostics: Diagnostics
    image_topic: str
    names: TargetNames


@dataclasses.dataclass(frozen=True)
class Outputs:
    """Publishers of the results, one a topic. The node makes and destroys them, the pipeline publishes."""

    detection: Publisher
    detections: Publisher
    status: StatusOutput
    mask: Publisher
    mask_compressed: Publisher
    debug_image: Publisher
    debug_image_compressed: Publisher
    target: Publisher
    bearing: Publisher
    target_pose: Publisher
    tf: Publisher | None  # None without a frame for the target
    annotations: Publisher | None  # None without foxglove_msgs


@dataclasses.dataclass(frozen=True, eq=False)
class Started:
    """A target that has been started.

    Attributes:
        stamp: of the frame that it was started in.
        target_id: its name.
        box_xywh: float64 (4,) in pixels of that frame.
    """

    stamp: Time
    target_id: str
    box_xywh: np.ndarray


class Frames(typing.Protocol):
    """The frames and depth images that came in, as a PipelineWorker has them."""

    def kept_frames(self) -> list[Frame]:
        """Return the frames kept for a late init, oldest first."""

    def wait_for_next(self, frame: Frame, timeout_s: float) -> None:
        """Wait until a newer frame than this one is kept, all are forgotten, or the time is over."""

    def waiting_frame(self) -> Frame | None:
        """Return the frame that is processed next, or None; it is one of those kept."""

    def kept_depths(self) -> list[Frame]:
        """Return the depth images kept, oldest first."""

    def still_works(self) -> None:
        """Note that a part of long work is done, which would else count as one that hangs."""


class Pipeline:
    """One tracker, its targets, and the messages about them.

    Attributes:
        targets: the tracker and the sessions of its targets.
    """

    _outputs: Outputs  # from publish_on, before the first frame

    def __init__(
        self, tracker_factory: TrackerFactory, parameters: NodeParameters, node: NodeAccess, frames: Frames
    ) -> None:
        """Load the model and warm it up.

        Args:
            tracker_factory: makes the tracker.
            parameters: checked parameters.
            node: logger, clock and the like.
            frames: frames kept and frame that waits.

        Raises:
            Exception: anything that a damaged file or a driver raises.
        """
        if parameters.threads:
            set_threads(parameters.threads)
        tracker = tracker_factory(parameters.model, **parameters.tracker_arguments())
        TargetSession(tracker).warm_up()
        self.targets = MultiTracker(
            tracker, parameters.max_targets, parameters.monitor_settings(), parameters.search_settings()
        )
        self._parameters = parameters
        self._node = node
        self._frames = frames
        self._log = PacedLog(node.logger)  # of the states
        self._enabled = True
        self._page: PageServer | None = None
        self._noted: dict[str, TargetState] = {}  # states of the targets, as they were logged
        self._stamp = Time()  # of the newest image that was looked at
        self._target_output = TargetOutput(parameters, node.diagnostics, frames.kept_depths)
        self._target_share: float | None = None  # side of the last target over the image's shorter side
        self._stream: tuple[str, ...] = ()  # what the images have been so far
        self._stretch = IntensityStretch()  # of that stream

    def runs_on(self) -> tuple[str, str]:
        """Return the device and the runtime of the network."""
        tracker = self.targets.tracker
        return tracker.device, f"{tracker.runtime} in {tracker.precision}"

    def publish_on(self, outputs: Outputs) -> None:
        """Publish the results of the frames to come."""
        self._outputs = outputs

    def show_on(self, page: "PageServer") -> None:
        """Show the frames to come on a page."""
        self._page = page

    def set_parameters(self, parameters: NodeParameters) -> None:
        """Take over the parameters that can change while the node is configured."""
        if parameters.intensity_range != self._parameters.intensity_range:
            self._stream = ()
        self._parameters = parameters
        self.targets.set_monitor_settings(parameters.monitor_settings())
        self.targets.set_search_settings(parameters.search_settings())
        self._target_output.set_parameters(parameters)

    def set_camera(self, camera: Camera | None) -> None:
        """Take over the camera of the images; None if it is not known."""
        self._target_output.set_camera(camera)

    def depth_arrived(self) -> None:
        """Use a depth image that the newest frame waits for."""
        with self._publishing("the place of the target"):
            self._target_output.depth_arrived(self._outputs)

    def set_enabled(self, enabled: bool) -> None:
        """Track in the frames to come, or only hold the targets."""
        self._enabled = enabled

    def start_target(self, request: InitTracker.Request) -> Started:
        """Start on the box of a request and track its target up to now.

        It is one more target, or takes the place of the one of its name; where `max_targets` is 1, of any.

        Raises:
            InvalidInputError: the request, its frame or the image cannot be used, or there are as many targets as there
                may be; the targets held before are kept.
        """
        check_numbers(request)
        return self._start(
            request.header,
            lambda image_bgr: box_from_request(request, _size_wh(image_bgr)),
            request.target_id,
            request.class_id,
        )

    def start_at_point(self, request: InitTracker.Request) -> Started:
        """Start on the box that is found around the centre of a request's box, as `start_target` does on a given one.

        Raises:
            InvalidInputError: see `start_target`.
        """
        check_numbers(request)
        share = self._target_share or self._parameters.point_square
        return self._start(
            request.header,
            lambda image_bgr: box_at(
                self.targets.tracker,
                image_bgr,
                point_from_request(request, _size_wh(image_bgr)),
                share,
                on_look=self._frames.still_works,
            ),
            request.target_id,
            request.class_id,
        )

    def consider(self, msg: Start) -> None:
        """Start on the target of a message that gets no answer, if it is wanted; a refusal is logged and counted."""
        if isinstance(msg, Detection2D):
            self._consider_detection(msg)
        else:
            self._take_mark(msg)

    def _take_mark(self, mark: Mark) -> None:
        try:
            if isinstance(mark, RegionOfInterest):
                started = self.start_target(request_from_roi(mark))
            else:
                started = self.start_at_point(request_from_point(mark))
            self._node.diagnostics.mark_used()
            self._node.logger.info(
                f"target {shown(started.target_id)} is held, from {format_box(started.box_xywh)} that was marked",
                throttle_duration_sec=_LOG_PERIOD,
            )
        except Exception as error:  # as for a detection
            self._node.diagnostics.mark_refused(format_error(error))
            self._node.logger.warning(f"mark refused: {format_error(error)}", throttle_duration_sec=_LOG_PERIOD)

    def _consider_detection(self, detection: Detection2D) -> None:
        """The first target that was lost makes room for it, and gives it its name if the detection has none."""
        if not self._wants_detection():
            return
        held = self.targets.get(detection.id)
        if held is not None and held.state != TargetState.LOST and self._parameters.detection_init == "when_lost":
            return
        all_lost = [session.target_id for session in self.targets if session.state == TargetState.LOST]
        lost = detection.id if held is not None else next(iter(all_lost), "")
        target_id = detection.id or lost
        try:
            check_detection(detection)
            hypothesis = detection.results[0].hypothesis
            started = self._start(
                detection.header,
                lambda image_bgr: box_from_detection(detection, _size_wh(image_bgr)),
                target_id,
                hypothesis.class_id,
                lost,
            )
            self._node.diagnostics.detection_used()
            self._node.logger.info(
                f"target {shown(started.target_id)} is held, from a detection of class "
                f"{shown(hypothesis.class_id)} with score {hypothesis.score:.2f}",
                throttle_duration_sec=_LOG_PERIOD,
            )
        except Exception as error:  # a fault of a model or driver too: the thread must live, and more detections come
            self._node.diagnostics.detection_refused(format_error(error))
            self._node.logger.warning(f"detection refused: {format_error(error)}", throttle_duration_sec=_LOG_PERIOD)

    def drop_targets(self) -> list[str]:
        """Drop all targets; return their names."""
        dropped = [session.target_id for session in self.targets]
        self.targets.clear()
        self._note_targets(self._stamp, {})
        return dropped

    def drop_target(self, target_id: str) -> None:
        """Drop one target.

        Raises:
            InvalidInputError: there is no such target.
        """
        self.targets.remove(target_id)
        self._note_targets(self._stamp, {})

    def process(self, frame: Frame, skipped: int) -> None:
        """Track in a frame and publish the results; `skipped` frames were dropped before it."""
        with self._publishing("a frame"):
            observed, image_bgr = self._observe(frame.msg, tuple(self.targets), self._wanted_outlines())
            self._publish(frame.msg.header, skipped, observed, image_bgr)
            if self._page is not None:
                self._show(self._page, frame.msg, observed, image_bgr)

    @contextlib.contextmanager
    def _publishing(self, what: str) -> Iterator[None]:
        """Report any error: the thread must live. Publishers that a shutdown took away are no fault."""
        failure = ""
        try:
            yield
        except Exception as error:
            if self._node.context.ok():
                failure = f"could not publish {what}: {format_error(error)}"
                self._node.logger.error(failure, throttle_duration_sec=_LOG_PERIOD)
        self._node.diagnostics.published(what, failure)

    def _wants_detection(self) -> bool:
        mode = self._parameters.detection_init
        has_lost = any(session.state == TargetState.LOST for session in self.targets)
        return self._enabled and (mode == "always" or (mode == "when_lost" and (has_lost or len(self.targets) == 0)))

    def _start(
        self,
        header: Header,
        read_box: Callable[[np.ndarray], np.ndarray],
        target_id: str,
        class_id: str,
        instead_of: str = "",
    ) -> Started:
        """Start on a target and track it up to now.

        Args:
            header: names the frame.
            read_box: returns box_xywh in pixels for the image_bgr of the frame, or refuses.
            target_id, class_id: names of the target; empty: those for a target without names.
            instead_of: name of the target that makes room for it; a single target always does.

        Raises:
            InvalidInputError: the box, the frame or the image cannot be used; the targets held before are kept.
        """
        frame = self._find_frame(header)
        image_bgr = self._to_bgr(frame.msg)
        box_xywh = read_box(image_bgr)
        names = self._node.names
        while not target_id and self.targets.get(names.next()) is not None:  # a client gave a target this name
            names.used += 1
        started = time.monotonic()
        if self.targets.max_targets == 1:
            instead_of = next((session.target_id for session in self.targets), "")
        session = self.targets.add(
            image_bgr,
            box_xywh,
            target_id or names.next(),
            class_id or self._parameters.class_id,
            instead_of=instead_of,
        )
        names.used += not target_id
        # Where the place of another target is taken, that is one change of state, not two.
        if instead_of in self._noted and self.targets.get(instead_of) is None:
            self._noted[session.target_id] = self._noted.pop(instead_of)
        self._target_output.forget(session.target_id)
        self._note_targets(frame.msg.header.stamp, {session.target_id: 1.0})
        self._catch_up(session, frame, time.monotonic() - started)
        return Started(frame.msg.header.stamp, session.target_id, box_xywh)

    def _find_frame(self, header: Header) -> Frame:
        """Return the frame that a request names; where that is the next one to come, wait for it."""
        frames = self._frames.kept_frames()
        if is_next_frame(frames, header):
            self._frames.wait_for_next(frames[-1], _NEXT_FRAME_S)
            frames = self._frames.kept_frames()
        return find_frame(frames, header, self._node.image_topic)

    def _catch_up(self, session: TargetSession, frame: Frame, seconds_per_frame: float) -> None:
        """Track a target through the frames kept since an old one, without publishing: that turn of theirs is over.

        Frames that come in during one round make up the next, which is shorter. The frame that waits in the slot is
        left out: it is processed next.
        """
        while True:
            frames = self._frames.kept_frames()
            waiting = self._frames.waiting_frame()
            later = [other for other in frames if other.received > frame.received and other is not waiting]
            if not later:
                return
            chosen = catch_up_frames(frame, later, seconds_per_frame)
            started = time.monotonic()
            for frame in chosen:
                self._observe(frame.msg, (session,))
            seconds_per_frame = (time.monotonic() - started) / len(chosen)
            if len(chosen) == 1:  # as near to now as the network can get
                return

    def _observe(
        self, msg: Image | CompressedImage, sessions: Sequence[TargetSession], outlines: Sequence[str] = ()
    ) -> tuple[list[tuple[TargetSession, Observation]], np.ndarray | None]:
        """Return what a message says of some targets, and its image unless paused or not usable.

        outlines: what of the targets' outlines is drawn as well.
        """
        image_bgr, fault, has_failed = None, "", False
        try:
            if not self._enabled:
                return [(session, session.hold()) for session in sessions], None
            image_bgr = self._to_bgr(msg)
        except Exception as error:  # an image that is not usable, or no memory for it: another one will come
            fault = format_error(error)
        observed = []
        with contextlib.nullcontext() if image_bgr is None else self.targets.sharing(image_bgr, sessions):
            for session in sessions:
                self._frames.still_works()
                observation = None
                try:
                    if image_bgr is not None:
                        observation = session.observe(image_bgr)
                        for name in outlines:  # which may be drawn when they are first read, and may fail
                            getattr(observation, name)
                except InvalidInputError as error:
                    fault = str(error)
                except Exception as error:  # a fault of a model or driver is reported; the next frame is another chance
                    has_failed = True
                    failure = f"the tracker failed: {format_error(error)}"
                    self._node.diagnostics.tracker_failed(failure)
                    self._node.logger.error(failure, throttle_duration_sec=_LOG_PERIOD)
                    if observation is not None:  # the box is good
                        observation = dataclasses.replace(observation, outline=NO_OUTLINE)
                observed.append((session, observation or session.miss()))
        if fault:
            self._node.diagnostics.image_refused(fault)
            self._node.logger.warning(f"image not used: {fault}", throttle_duration_sec=_LOG_PERIOD)
        elif image_bgr is not None and not has_failed:
            self._node.diagnostics.image_used(_describe(msg, image_bgr), str(self._stretch))
        self._note_targets(
            msg.header.stamp, {session.target_id: observation.confidence for session, observation in observed}
        )
        return observed, image_bgr

    def _wanted_outlines(self) -> list[str]:
        """Return what of the targets' outlines will be published: "polygon", "mask"."""
        outputs = self._outputs
        drawn = (outputs.mask, outputs.mask_compressed, outputs.debug_image, outputs.debug_image_compressed)
        wants_mask = _is_wanted(*drawn, outputs.annotations) or is_pose_wanted(outputs)
        names = {"polygon": self._parameters.rotated_box, "mask": wants_mask}
        return [name for name, is_wanted in names.items() if is_wanted]

    def _publish(
        self,
        header: Header,
        skipped: int,
        observed: Sequence[tuple[TargetSession, Observation]],
        image_bgr: np.ndarray | None,
    ) -> None:
        outputs, rotated = self._outputs, self._parameters.rotated_box
        detections = [
            make_detection(RESULTS, header, observation, session.target_id, session.class_id, rotated)
            for session, observation in observed
            if observation.box_xywh is not None
        ]
        if observed and observed[0][1].box_xywh is not None:
            outputs.detection.publish(detections[0])
        outputs.detections.publish(make_detections(RESULTS, header, detections))
        latency_ns = age_ns(self._node.clock, header)
        size_wh = None if image_bgr is None else _size_wh(image_bgr)
        named = [(session.target_id, observation) for session, observation in observed] or [("", NOTHING)]
        outputs.status.publish(header, named, skipped, latency_ns, size_wh)
        self._target_output.publish(outputs, header, size_wh, named, age_ns(self._node.clock, header))
        observations = [observation for _, observation in named]
        self._note_size(size_wh, observations)
        # drawn and encoded if somebody looks
        masks = _masks(observations) if _is_wanted(outputs.mask, outputs.mask_compressed) else []
        if masks:
            union = functools.reduce(np.logical_or, masks)  # of a single target its mask itself, not a copy
            self._publish_image(outputs.mask, outputs.mask_compressed, mask_image(union), "mono8", header)
        if image_bgr is not None and _is_wanted(outputs.debug_image, outputs.debug_image_compressed):
            drawn_bgr = _draw(image_bgr, observations)
            self._publish_image(outputs.debug_image, outputs.debug_image_compressed, drawn_bgr, "bgr8", header)
        if outputs.annotations is not None and _is_wanted(outputs.annotations):
            outputs.annotations.publish(annotate(foxglove_types(), header.stamp, named, size_wh, rotated))
        self._node.diagnostics.frame_published(skipped, observations, latency_ns / 1e6)

    def _publish_image(
        self, raw: Publisher, compressed: Publisher, image: np.ndarray, encoding: str, header: Header
    ) -> None:
        """Publish an image on its topic and on that of image_transport's plugin, where somebody subscribes."""
        if _is_wanted(raw):
            raw.publish(fill_image(Image(), image, encoding, header))
        if _is_wanted(compressed):
            quality = self._parameters.jpeg_quality
            compressed.publish(fill_compressed(CompressedImage(), image, encoding, header, quality))

    def _note_size(self, size_wh: tuple[int, int] | None, observations: Sequence[Observation]) -> None:
        """Remember how large a target is, for a square around a point."""
        for observation in observations:
            if size_wh is not None and observation.box_xywh is not None and observation.state == TargetState.TRACKING:
                self._target_share = math.sqrt(observation.box_xywh[2:].prod()) / min(size_wh)

    def _show(
        self,
        page: "PageServer",
        msg: Image | CompressedImage,
        observed: Sequence[tuple[TargetSession, Observation]],
        image_bgr: np.ndarray | None,
    ) -> None:
        if not self._enabled and page.is_watched:  # the pictures go on, so that a new box can be drawn
            with contextlib.suppress(InvalidInputError):  # which is said once tracking goes on
                image_bgr = self._to_bgr(msg)
        if image_bgr is None:
            return
        views = [
            TargetView(session.target_id, seen, session.candidates_xywh if seen.candidates else ())
            for session, seen in observed
        ]
        latency_ms = age_ns(self._node.clock, msg.header) / 1e6
        page.show(Picture(stamp_to_ns(msg.header.stamp), image_bgr, views, latency_ms, not self._enabled))

    def _note_targets(self, stamp: Time, confidences: Mapping[str, float]) -> None:
        """Tell the diagnostics what the targets are now, and log the states that have changed.

        confidences: those that are known, by the targets' names.
        """
        before, self._stamp = self._noted, stamp
        self._noted = {session.target_id: session.state for session in self.targets}
        self._node.diagnostics.targets_changed(self._noted)
        self._outputs.status.hold([(session.target_id, session.hold()) for session in self.targets])
        for target_id in {**before, **self._noted}:
            old, new = (states.get(target_id, TargetState.IDLE) for states in (before, self._noted))
            if new == old:
                continue
            change = (
                f"{target_id}: {old.name} -> {new.name} (confidence "
                f"{format_confidence(confidences.get(target_id, math.nan))}, image of {format_stamp(stamp)})"
            )
            if new == TargetState.LOST:
                self._log.warning(change)
            else:
                self._log.info(change)

    def _to_bgr(self, msg: Image | CompressedImage) -> np.ndarray:
        stream = _stream(msg)
        if stream != self._stream:  # another camera, whose intensities are others
            self._stream = stream
            self._stretch = IntensityStretch(parse_intensity_range(self._parameters.intensity_range))
        if isinstance(msg, CompressedImage):
            return compressed_to_bgr(msg, self._stretch)
        return image_to_bgr(msg, self._stretch)


def _size_wh(image_bgr: np.ndarray) -> tuple[int, int]:
    return image_bgr.shape[1], image_bgr.shape[0]


def _stream(msg: Image | CompressedImage) -> tuple[str, ...]:
    """Return what the images of one stream have in common."""
    if isinstance(msg, CompressedImage):
        return msg.header.frame_id, msg.format
    return msg.header.frame_id, msg.encoding, f"{msg.width}x{msg.height}"


def _describe(msg: Image | CompressedImage, image_bgr: np.ndarray) -> str:
    encoding = msg.format if isinstance(msg, CompressedImage) else msg.encoding
    return f"{image_bgr.shape[1]}x{image_bgr.shape[0]} {encoding}"


def _is_wanted(*publishers: Publisher | None) -> bool:
    return any(publisher is not None and publisher.get_subscription_count() > 0 for publisher in publishers)


def _masks(observations: Iterable[Observation]) -> list[np.ndarray]:
    return [mask for mask in (observation.mask for observation in observations) if mask is not None]


def _draw(image_bgr: np.ndarray, observations: Iterable[Observation]) -> np.ndarray:
    """Return a copy of an image with the targets drawn; the image itself may be a view of the message."""
    image_bgr = image_bgr.copy()
    for observation in observations:
        draw_target(
            image_bgr,
            observation.box_xywh,
            text=f"{observation.state.name} {format_confidence(observation.confidence)}",
            color_bgr=STATE_COLORS_BGR[observation.state],
            mask=observation.mask,
            polygon=observation.polygon,
        )
    return image_bgr
