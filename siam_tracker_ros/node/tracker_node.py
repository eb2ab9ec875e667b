# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The tracker as a managed ROS 2 node.

Two threads. The executor's thread takes messages and requests; its image callback only puts the newest frame
into a slot. The worker's thread owns the network: it loads it, starts targets, tracks and publishes.
"""

import gc
import signal
import sys
import time

import rclpy
import rclpy.exceptions
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.executors import ExternalShutdownException
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy, qos_policy_name_from_kind
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.task import Future
from sensor_msgs.msg import CompressedImage, Image
from std_srvs.srv import SetBool, Trigger
from vision_msgs.msg import Detection2D, Detection2DArray

from siam_tracker_ros import create_tracker
from siam_tracker_ros.core.monitor import TargetState
from siam_tracker_ros.core.session import TargetSession
from siam_tracker_ros.drawing import STATE_COLORS_BGR, draw_target, mask_image
from siam_tracker_ros.errors import InvalidInputError, InvalidSettingError, SiamTrackerError
from siam_tracker_ros.executors.device import select_device, set_threads
from siam_tracker_ros.msg import TrackerStatus
from siam_tracker_ros.node.diagnostics import Diagnostics, Health
from siam_tracker_ros.node.image_conversion import compressed_to_bgr, fill_image, image_to_bgr
from siam_tracker_ros.node.messages import (
    NANOSECONDS,
    box_from_request,
    format_confidence,
    format_stamp,
    make_detection,
    make_detections,
    make_status,
    stamp_to_ns,
)
from siam_tracker_ros.node.parameters import change_parameters, declare_parameters, parameter_names, read_parameters
from siam_tracker_ros.node.worker import Frame, FrameBuffer, Worker, catch_up_frames
from siam_tracker_ros.srv import InitTracker

try:
    from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
except ImportError:  # ROS 2 Humble
    from rclpy.qos_event import PublisherEventCallbacks, SubscriptionEventCallbacks

_LOG_PERIOD = 5.0  # seconds between two warnings of one kind


class TrackerNode(LifecycleNode):
    """Follows one target in an image topic. Topics, services and parameters: see the README."""

    def __init__(self, tracker_factory=create_tracker, node_name="tracker", **node_arguments):
        """Create the node, unconfigured.

        Args:
            tracker_factory: called as create_tracker is; it runs in the worker's thread.
            node_name: name of the node.
            node_arguments: further arguments of rclpy.node.Node, as `namespace` or `parameter_overrides`.
        """
        super().__init__(node_name, **node_arguments)
        declare_parameters(self)
        self._settings = read_parameters(self)
        self._warn_of_unknown_parameters()
        self.add_on_set_parameters_callback(self._on_set_parameters)
        self._tracker_factory = tracker_factory
        self._worker = None
        self._session = None
        self._buffer = None
        self._subscription = None
        self._lifecycle_publishers = []
        self._enabled = True
        self._failure = ""
        self._device = ""
        self._targets_named = 0
        self._qos_mismatches = set()
        self._diagnostics = Diagnostics(self.get_name())
        self._diagnostics_publisher = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        # A callback that waits holds up its group; these wait for the worker, the images must not.
        self._waiting_group = MutuallyExclusiveCallbackGroup()
        self.create_service(InitTracker, "~/init", self._on_init, callback_group=self._waiting_group)
        self.create_service(Trigger, "~/reset", self._on_reset, callback_group=self._waiting_group)
        self.create_service(SetBool, "~/enable", self._on_enable)
        # Not the node's clock: with use_sim_time that one stands still until a simulator runs.
        steady_clock = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(self._settings.diagnostics_period, self._report, clock=steady_clock)
        self._autostart_timer = None
        if self._settings.autostart:
            self._autostart_timer = self.create_timer(0.0, self._autostart, clock=steady_clock)

    def on_configure(self, state):
        """Load the model and warm it up; refuse, with the sentence why, when that fails."""
        self._failure = ""
        self._enabled = True
        parameters = self._settings
        started = time.monotonic()
        try:
            parameters.check()
            self._worker = Worker(self._on_frame)
            self._session = self._worker.submit(self._load, parameters).result()
            self._buffer = FrameBuffer(parameters.frame_buffer, parameters.frame_buffer_mb * 10**6)
            self._detection_publisher = self._create_output(Detection2D, "~/detection", 10)
            self._detections_publisher = self._create_output(Detection2DArray, "~/detections", 10)
            self._status_publisher = self._create_output(TrackerStatus, "~/status", 10)
            self._mask_publisher = self._create_output(Image, "~/mask", 1)
            self._debug_publisher = self._create_output(Image, "~/debug_image", 1)
        except Exception as error:  # whatever a broken file or driver raises: the node stays, unconfigured
            self._release()
            return self._refuse(f"cannot configure: {_sentence(error)}")
        runtime, took_s = self._session.tracker.runtime, time.monotonic() - started
        self.get_logger().info(
            f"model {parameters.model} is ready on {self._device} with runtime {runtime} after {took_s:.1f} s"
        )
        return super().on_configure(state)

    def on_activate(self, state):
        """Subscribe to the images."""
        try:
            self._subscribe()
        except Exception as error:  # a QoS override that does not exist, for one
            return self._refuse(f"cannot subscribe to {self._image_topic()}: {_sentence(error)}")
        self.get_logger().info(f"waiting for images on {self._subscription.topic_name}")
        return super().on_activate(state)

    def on_deactivate(self, state):
        """Unsubscribe and keep the target."""
        self._unsubscribe()
        return super().on_deactivate(state)

    def on_cleanup(self, state):
        """Drop the target and free the device."""
        self._release()
        return super().on_cleanup(state)

    def on_shutdown(self, state):
        """Drop everything."""
        self._release()
        return super().on_shutdown(state)

    def on_error(self, state):
        """Drop everything and go back to unconfigured."""
        self._release()
        return super().on_error(state)

    def destroy_node(self):
        """End the worker, then the node."""
        self._release()
        super().destroy_node()

    # In the executor's thread.

    def _warn_of_unknown_parameters(self):
        for name in self._parameter_overrides:  # those of the command line and of parameter files
            if not self.has_parameter(name) and not name.startswith("qos_overrides."):
                self.get_logger().warning(
                    f"parameter '{name}' is ignored, expected one of {', '.join(parameter_names())}"
                )

    def _autostart(self):
        self._autostart_timer.cancel()
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    def _on_set_parameters(self, parameters):
        changes = {p.name: p.value for p in parameters if p.name in parameter_names()}
        if changes:
            try:
                self._settings = change_parameters(self._settings, changes, self._session is not None)
            except InvalidSettingError as error:
                return SetParametersResult(successful=False, reason=str(error))
            if self._session is not None:
                self._worker.submit(self._session.set_monitor_settings, self._settings.monitor_settings())
        return SetParametersResult(successful=True)

    def _on_image(self, msg):
        frame = Frame(msg)
        self._buffer.append(frame)
        self._worker.offer(frame)
        self._diagnostics.frame_received(self._age_ns(msg.header) / NANOSECONDS)

    async def _on_init(self, request, response):
        try:
            self._check_active()
            response.stamp, response.target_id = await self._in_worker(self._init_target, request)
            response.success = True
            response.message = f"target '{response.target_id}' is held"
            if not self._enabled:
                response.message += "; tracking is paused, call ~/enable with true to go on"
            self.get_logger().info(response.message)
        except Exception as error:  # the caller gets an answer whatever happens, and never a false one
            response.success = False
            response.message = _sentence(error)
            self.get_logger().warning(f"init refused: {response.message}")
        return response

    async def _on_reset(self, request, response):
        try:
            target_id = "" if self._session is None else await self._in_worker(self._reset_target)
            response.success = True
            response.message = f"target '{target_id}' is dropped" if target_id else "no target was held"
        except RuntimeError as error:  # the node was cleaned up meanwhile, and the target with it
            response.success = False
            response.message = _sentence(error)
        return response

    def _on_enable(self, request, response):
        self._enabled = request.data
        response.success = True
        response.message = "tracking goes on" if request.data else "tracking is paused, the target is kept"
        return response

    def _report(self):
        session = self._session
        health = Health(
            lifecycle=self._state_machine.current_state[1],
            enabled=self._enabled,
            topic=self._image_topic(),
            state=TargetState.IDLE if session is None else session.state,
            target_id="" if session is None else session.target_id,
            model=self._settings.model,
            device=self._device,
            failure=self._failure,
        )
        self._diagnostics_publisher.publish(self._diagnostics.report(self.get_clock().now().to_msg(), health))

    def _on_incompatible_qos(self, topic, kind, event):
        if topic in self._qos_mismatches:
            return
        self._qos_mismatches.add(topic)
        other = "publisher offers" if kind == "subscription" else "subscriber asks for"
        policy = qos_policy_name_from_kind(event.last_policy_kind).lower()
        self.get_logger().warning(
            f"{topic}: a {other} another {policy} than this node's {kind}, so nothing passes between them; "
            f"set the parameter qos_overrides.{topic}.{kind}.{policy}, or change the other side "
            f"(`ros2 topic info -v {topic}` shows both)"
        )

    def _in_worker(self, function, *args):
        """Run a function in the worker's thread; return an awaitable of its result."""
        answer = Future()

        def pass_on(job):
            if job.exception() is None:
                answer.set_result(job.result())
            else:
                answer.set_exception(job.exception())
            executor = self.executor
            if executor is not None:
                executor.wake()  # it resumes what waits for the answer only when something wakes it

        self._worker.submit(function, *args).add_done_callback(pass_on)
        return answer

    def _refuse(self, failure):
        """Refuse a transition; where the shutdown took the context away meanwhile, that is no fault."""
        if self.context.ok():
            self._failure = failure
            self.get_logger().error(failure)
        return TransitionCallbackReturn.FAILURE

    def _check_active(self):
        state = self._state_machine.current_state[1]
        if state != "active":
            transition = "activate" if state == "inactive" else "configure"
            raise InvalidInputError(
                f"the node is {state}, expected active; run "
                f"`ros2 lifecycle set {self.get_fully_qualified_name()} {transition}` first"
                + (f" ({self._failure})" if self._failure else "")
            )

    def _image_topic(self):
        # The base name is resolved first, so that a remapping of `image` moves both transports.
        suffix = "/compressed" if self._settings.image_transport == "compressed" else ""
        return self.resolve_topic_name("image") + suffix

    def _create_output(self, msg_type, name, depth):
        topic = self.resolve_topic_name(name)
        publisher = self.create_lifecycle_publisher(
            msg_type,
            name,
            _qos(depth, ReliabilityPolicy.RELIABLE),
            event_callbacks=PublisherEventCallbacks(
                incompatible_qos=lambda event: self._on_incompatible_qos(topic, "publisher", event)
            ),
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )
        self._lifecycle_publishers.append(publisher)
        return publisher

    def _subscribe(self):
        topic = self._image_topic()
        self._subscription = self.create_subscription(
            CompressedImage if self._settings.image_transport == "compressed" else Image,
            topic,
            self._on_image,
            _qos(1, ReliabilityPolicy.BEST_EFFORT),
            event_callbacks=SubscriptionEventCallbacks(
                incompatible_qos=lambda event: self._on_incompatible_qos(topic, "subscription", event)
            ),
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )

    def _unsubscribe(self):
        if self._subscription is not None:
            self.destroy_subscription(self._subscription)
            self._subscription = None
            self._worker.drop_frame()
            self._worker.submit(self._buffer.clear).result()  # behind the frame that is being worked on

    def _release(self):
        self._unsubscribe()
        if self._worker is not None:
            self._worker.submit(self._unload).result()
            self._worker.close()
            self._worker = None
        for publisher in self._lifecycle_publishers:
            self.destroy_lifecycle_publisher(publisher)
        self._lifecycle_publishers = []

    # In the worker's thread.

    def _load(self, parameters):
        if parameters.threads:
            set_threads(parameters.threads)
        tracker = self._tracker_factory(parameters.model, **parameters.tracker_arguments())
        session = TargetSession(tracker, parameters.monitor_settings())
        session.warm_up()
        self._device = str(select_device(parameters.device))
        return session

    def _unload(self):
        self._session = None
        gc.collect()
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _init_target(self, request):
        """Start on the target of a request; return the stamp of the frame used and the target's name."""
        frame = self._find_frame(request.header)
        image_bgr = self._to_bgr(frame.msg)
        box_xywh = box_from_request(request, (image_bgr.shape[1], image_bgr.shape[0]))
        target_id = request.target_id or f"target_{self._targets_named + 1}"
        started = time.monotonic()
        self._session.init(image_bgr, box_xywh, target_id, request.class_id or "target")
        self._targets_named += not request.target_id
        self._catch_up(frame, time.monotonic() - started)
        return frame.msg.header.stamp, target_id

    def _find_frame(self, header):
        frames = self._buffer.snapshot()
        if not frames:
            raise InvalidInputError(
                f"no image has come in on {self._image_topic()} yet, expected at least one; check the topic "
                f"with `ros2 topic hz {self._image_topic()}`"
            )
        frame = frames[-1]
        wanted = header.stamp.sec, header.stamp.nanosec
        if wanted != (0, 0):
            frame = next((frame for frame in reversed(frames) if frame.stamp == wanted), None)
            if frame is None:
                first, last = (format_stamp(frames[i].msg.header.stamp) for i in (0, -1))
                raise InvalidInputError(
                    f"no image of stamp {format_stamp(header.stamp)} is kept, expected the stamp of one of "
                    f"the {len(frames)} images from {first} to {last}; use zero for the newest, or raise "
                    "frame_buffer"
                )
        frame_id = frame.msg.header.frame_id
        if header.frame_id and header.frame_id != frame_id:
            raise InvalidInputError(
                f"header.frame_id is '{header.frame_id}', expected '{frame_id}' as in the image, or nothing; "
                "check that the box was drawn in an image of this camera"
            )
        return frame

    def _catch_up(self, frame, seconds_per_frame):
        """Track from a frame to now through the frames kept since, unpublished: they had their turn.

        Frames that come in during one round make the next, which is shorter. The frame that waits in the slot
        is left there: its turn is next.
        """
        while True:
            frames = self._buffer.snapshot()
            waiting = self._worker.waiting_frame()
            later = [other for other in frames if other.received > frame.received and other is not waiting]
            if not later:
                return
            chosen = catch_up_frames(frame, later, seconds_per_frame)
            started = time.monotonic()
            for frame in chosen:
                self._observe(frame.msg)
            seconds_per_frame = (time.monotonic() - started) / len(chosen)
            if len(chosen) == 1:  # as near to now as the network can get
                return

    def _reset_target(self):
        target_id = self._session.target_id
        self._session.reset()
        return target_id

    def _on_frame(self, frame, skipped):
        try:
            self._process(frame.msg, skipped)
        except Exception as error:  # the thread must live; a publisher that the shutdown took away is no fault
            if self.context.ok():
                self.get_logger().error(
                    f"could not publish a frame: {_sentence(error)}", throttle_duration_sec=_LOG_PERIOD
                )

    def _process(self, msg, skipped):
        session, header = self._session, msg.header
        observation, image_bgr = self._observe(msg)
        detection = None
        if observation.box_xywh is not None:
            rotated = self._settings.rotated_box
            detection = make_detection(header, observation, session.target_id, session.class_id, rotated)
            self._detection_publisher.publish(detection)
        self._detections_publisher.publish(make_detections(header, detection))
        latency_ns = self._age_ns(header)
        self._status_publisher.publish(make_status(header, observation, session.target_id, skipped, latency_ns))
        if observation.mask is not None and self._mask_publisher.get_subscription_count() > 0:
            self._mask_publisher.publish(fill_image(Image(), mask_image(observation.mask), "mono8", header))
        if image_bgr is not None and self._debug_publisher.get_subscription_count() > 0:
            self._publish_debug_image(header, image_bgr, observation)
        self._diagnostics.frame_published(skipped, observation, latency_ns / 1e6)

    def _observe(self, msg):
        """Return the Observation of a message and its image, or None where it has none that can be used."""
        image_bgr = None
        try:
            if not self._enabled:
                return self._session.hold(), None
            image_bgr = self._to_bgr(msg)
            observation = self._session.observe(image_bgr)
            self._diagnostics.image_used(_describe(msg, image_bgr))
            return observation, image_bgr
        except InvalidInputError as error:
            self._diagnostics.image_refused(str(error))
            self.get_logger().warning(f"image not used: {error}", throttle_duration_sec=_LOG_PERIOD)
        except Exception as error:  # a fault in a model or driver: said aloud, and the next frame is another chance
            self._diagnostics.tracker_failed(f"the tracker failed: {_sentence(error)}")
            self.get_logger().error(f"the tracker failed: {_sentence(error)}", throttle_duration_sec=_LOG_PERIOD)
        return self._session.miss(), image_bgr

    def _publish_debug_image(self, header, image_bgr, observation):
        image_bgr = image_bgr.copy()  # what came in may be a view of the message
        text = f"{observation.state.name} {format_confidence(observation.confidence)}"
        draw_target(
            image_bgr,
            observation.box_xywh,
            text=text,
            color_bgr=STATE_COLORS_BGR[observation.state],
            mask=observation.mask,
            polygon=observation.polygon,
        )
        self._debug_publisher.publish(fill_image(Image(), image_bgr, "bgr8", header))

    # In either thread.

    def _to_bgr(self, msg):
        return compressed_to_bgr(msg) if self._settings.image_transport == "compressed" else image_to_bgr(msg)

    def _age_ns(self, header):
        return self.get_clock().now().nanoseconds - stamp_to_ns(header.stamp)


def _qos(depth, reliability):
    return QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=depth, reliability=reliability)


def _describe(msg, image_bgr):
    encoding = msg.format if isinstance(msg, CompressedImage) else msg.encoding
    return f"{image_bgr.shape[1]}x{image_bgr.shape[0]} {encoding}"


def _sentence(error):
    """Return what an error says; for one that this package does not raise on purpose, its kind as well."""
    return str(error) if isinstance(error, SiamTrackerError) else f"{type(error).__name__}: {error}"


def main(args=None):
    """Run the node until Ctrl-C or SIGTERM; return the exit status."""
    interrupted = []
    for number in (signal.SIGINT, signal.SIGTERM):  # rclpy ends the spin; no exception may strike in between
        signal.signal(number, lambda *_: interrupted.append(True))
    rclpy.init(args=args)
    node = None
    try:
        node = TrackerNode()
        if not interrupted:
            rclpy.spin(node)
    except ExternalShutdownException:
        pass
    except (
        rclpy.exceptions.InvalidParameterTypeException,
        rclpy.exceptions.InvalidParameterValueException,
    ) as error:
        rclpy.logging.get_logger("tracker").fatal(f"{error}; check the parameter file or the command line")
        return 1
    except Exception:
        if rclpy.ok():
            raise  # else something that the shutdown cut off, which is no fault
    finally:
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
    return 0
