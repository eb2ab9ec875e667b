# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The tracker as a managed ROS 2 node: parameters, lifecycle, services and QoS.

Images are tracked in by a Pipeline in a thread of its own. Everything in this file runs in the executor's thread.
"""

import dataclasses
import functools
import time
import typing
from collections.abc import Callable
from typing import Any

import cv2
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped, Vector3Stamped
from rcl_interfaces.msg import SetParametersResult
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.lifecycle import LifecyclePublisher, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy, qos_policy_name_from_kind
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription
from rclpy.timer import Timer
from sensor_msgs.msg import CompressedImage, Image
from std_srvs.srv import SetBool, Trigger
from tf2_msgs.msg import TFMessage
from vision_msgs.msg import Detection2D, Detection2DArray

from siam_tracker_ros import create_tracker
from siam_tracker_ros.control.camera import Camera
from siam_tracker_ros.errors import InvalidInputError, InvalidSettingError, listed, shown
from siam_tracker_ros.executors.runtime import forget_loaded
from siam_tracker_ros.extras import require
from siam_tracker_ros.msg import Target, TrackerStatus
from siam_tracker_ros.node.annotations import foxglove_types
from siam_tracker_ros.node.detections import best_detection, describe_detections
from siam_tracker_ros.node.diagnostics import Diagnostics, Health, TargetHealth
from siam_tracker_ros.node.frame_buffer import Frame
from siam_tracker_ros.node.free_memory import give_back
from siam_tracker_ros.node.image_subscription import ImageSubscription, QosOverrides
from siam_tracker_ros.node.managed_node import ManagedNode
from siam_tracker_ros.node.messages import age_ns, format_box, format_error, format_stamp, stamp_to_ns
from siam_tracker_ros.node.paced_log import PacedLog
from siam_tracker_ros.node.parameters import (
    NodeParameters,
    change_parameters,
    declare_parameters,
    parameter_names,
    read_parameters,
)
from siam_tracker_ros.node.pipeline import (
    MARK_TOPICS,
    Mark,
    NodeAccess,
    Outputs,
    Pipeline,
    Started,
    TargetNames,
    TrackerFactory,
)
from siam_tracker_ros.node.pipeline_worker import PipelineWorker, awaitable
from siam_tracker_ros.node.rclpy_private import lifecycle_label, override_names
from siam_tracker_ros.node.spinning import spin
from siam_tracker_ros.node.status_output import StatusOutput
from siam_tracker_ros.node.target_inputs import TargetInputs
from siam_tracker_ros.node.target_output import is_pose_wanted, is_target_wanted
from siam_tracker_ros.result_messages import NANOSECONDS
from siam_tracker_ros.srv import InitTracker, RemoveTarget

if typing.TYPE_CHECKING:
    from siam_tracker_ros.node.operator_page import OperatorPage  # which imports aiohttp

try:
    from rclpy.event_handler import PublisherEventCallbacks
except ImportError:  # ROS 2 Humble
    from rclpy.qos_event import PublisherEventCallbacks


_GIVE_BACK_S = 30.0  # between two times at which free memory is given back
_LOOKS_PER_HEARTBEAT = 5  # whether one is due, so that it is late by a fifth of its period at most
_START_TOPICS = {"~/init_detection": Detection2D, "~/init_detections": Detection2DArray, **MARK_TOPICS}


class TrackerNode(ManagedNode):
    """Follows one target in an image topic. docs/ros.md lists its topics, services and parameters."""

    def __init__(
        self, tracker_factory: TrackerFactory = create_tracker, node_name: str = "tracker", **node_arguments: Any
    ) -> None:
        """Create the node, unconfigured.

        Args:
            tracker_factory: makes the tracker, in the pipeline's thread.
            node_name: name of the node.
            node_arguments: further arguments of rclpy.node.Node, such as `namespace` or `parameter_overrides`.
        """
        # set before anything that can raise: rclpy may call destroy_node then
        self._worker: PipelineWorker | None = None  # while configured
        self._page: OperatorPage | None = None  # while configured, if there is to be one
        self._subscription: ImageSubscription | None = None  # while active
        self._start_subscriptions: list[Subscription] = []  # while active
        self._target_inputs: TargetInputs | None = None  # while active
        self._heartbeat: Timer | None = None  # while active
        self._outputs: Outputs | None = None  # while configured
        self._lifecycle_publishers: list[LifecyclePublisher] = []
        self._left_behind: list[PipelineWorker] = []  # in a call that has not returned
        super().__init__(node_name, **node_arguments)
        declare_parameters(self, NodeParameters)
        self._settings = read_parameters(self, NodeParameters)
        self._warn_of_unknown_parameters()
        self.add_on_set_parameters_callback(self._on_set_parameters)
        self._tracker_factory = tracker_factory
        self._log = PacedLog(self.get_logger())  # of what clients and publishers cause
        self._enabled = True
        self._camera: Camera | None = None
        self._failure = ""
        self._device = ""
        self._names = TargetNames()
        self._last_stamp = Time()
        self._jumped_back = False
        self._qos_mismatches: set[str] = set()
        self._diagnostics = Diagnostics(self.get_fully_qualified_name().lstrip("/"))
        self._diagnostics_publisher = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        # A callback that waits blocks its group. These wait for the pipeline, and images must come in meanwhile.
        self._waiting_group = MutuallyExclusiveCallbackGroup()
        self.create_service(InitTracker, "~/init", self._on_init, callback_group=self._waiting_group)
        self.create_service(InitTracker, "~/init_point", self._on_init_point, callback_group=self._waiting_group)
        self.create_service(Trigger, "~/reset", self._on_reset, callback_group=self._waiting_group)
        self.create_service(RemoveTarget, "~/remove_target", self._on_remove, callback_group=self._waiting_group)
        self.create_service(SetBool, "~/enable", self._on_enable)
        self.create_timer(self._settings.diagnostics_period, self._report, clock=self.steady_clock)
        self.create_timer(_GIVE_BACK_S, give_back, clock=self.steady_clock)
        if self._settings.autostart:
            self.start_by_itself()

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model and warm it up; refuse, and say why, when that fails."""
        self._failure = ""
        self._enabled = True
        self._camera = None
        started = time.monotonic()
        try:
            self._settings.check()
            self._worker = PipelineWorker(
                self._settings.frame_buffer_s, self._settings.frame_buffer_mb * 10**6, self._on_hang
            )
            self._load_pipeline(self._worker)
            self._device, runtime = self._worker.call(Pipeline.runs_on).result()
            self._outputs = self._create_outputs()
            self._worker.call(Pipeline.publish_on, self._outputs).result()
            if self._settings.operator_page:
                self._page = self._start_page()
                self._worker.call(Pipeline.show_on, self._page.server).result()
        except Exception as error:  # anything that a damaged file or a driver raises: the node stays, unconfigured
            self._release()
            return self._refuse(f"cannot configure: {format_error(error)}")
        took_s = time.monotonic() - started
        self.get_logger().info(
            f"model {self._settings.model} is ready on {self._device} with runtime {runtime} after {took_s:.1f} s"
        )
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe to the images, and to what starts a target."""
        if hang := self._hang():
            return self._refuse(f"cannot activate: {hang}")
        try:
            self._subscription = self._subscribe()
        except Exception as error:  # such as an invalid QoS override
            return self._refuse(f"cannot subscribe to {self._image_topic()}: {format_error(error)}")
        try:
            self._subscribe_to_starts()
        except Exception as error:
            self._unsubscribe()
            return self._refuse(f"cannot subscribe to one of {', '.join(_START_TOPICS)}: {format_error(error)}")
        self._target_inputs = self._receive_target_inputs()
        if self._settings.heartbeat_period > 0:
            period_s = self._settings.heartbeat_period / _LOOKS_PER_HEARTBEAT
            self._heartbeat = self.create_timer(period_s, self._on_heartbeat, clock=self.steady_clock)
        self.get_logger().info(f"waiting for images on {self._subscription.topic}")
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe and keep the target."""
        self._unsubscribe()
        return super().on_deactivate(state)

    def _warn_of_unknown_parameters(self) -> None:
        images = [self._image_topic(transport) for transport in ("raw", "compressed")]
        starts = [self.resolve_topic_name(name) for name in _START_TOPICS]
        outputs = [self._output_topic(field.name) for field in dataclasses.fields(Outputs)]
        depth = [self.resolve_topic_name("depth")]
        qos_overrides = QosOverrides(images + starts + depth, outputs)
        for name in override_names(self):
            if self.has_parameter(name) or name in qos_overrides.names:
                continue
            if "qos_overrides" in name or "/" in name:
                expected = (
                    "the full name of a topic of this node and one of its policies; the closest that exists is "
                    f"'{qos_overrides.closest(name)}'"
                )
            else:
                setting = name.rpartition(".")[2]
                expected = (
                    f"one of {', '.join(parameter_names())}; a setting of the model is given as "
                    f'settings:=["{setting}=VALUE"]'
                )
            self.get_logger().warning(f"parameter '{name}' is ignored, expected {expected}")

    def _load_pipeline(self, worker: PipelineWorker) -> None:
        node = NodeAccess(
            logger=self.get_logger(),
            clock=self.get_clock(),
            context=self.context,
            diagnostics=self._diagnostics,
            image_topic=self._image_topic(),
            names=self._names,
        )
        settings = self._settings
        make_pipeline = functools.partial(Pipeline, self._tracker_factory, settings, node)
        worker.make(make_pipeline, settings.load_timeout_s, settings.hang_timeout_s)

    def _start_page(self) -> "OperatorPage":
        require("operator_page", "aiohttp", extra="page")
        from siam_tracker_ros.node.operator_page import NodeServices, OperatorPage

        services = NodeServices(self._on_init, self._on_reset, self._on_enable)
        page = OperatorPage(self, services, self._settings, self._image_topic())
        address, _, token = page.server.url.partition("#")  # a log is no place for a token
        hint = ", and #token= with operator_page_token after it" if token else ""
        self.get_logger().info(f"the operator's page is {address}{hint}")
        return page

    def _release(self) -> None:
        """Unsubscribe, end the pipeline and the page, drop the publishers; in any state."""
        self._unsubscribe()
        if self._worker is not None:
            if not self._worker.close():
                self._left_behind = [worker for worker in (*self._left_behind, self._worker) if worker.is_alive]
                forget_loaded()  # a fresh network must not wait for what the thread has
                self.get_logger().error(
                    "a thread is left behind in a network call that does not return; it keeps the memory of its model "
                    "until the call returns or the process ends"
                )
            self._worker = None
            self._diagnostics.targets_changed({})
        self._outputs = None
        if self._page is not None:
            self._page.close()
            self._page = None
        for publisher in self._lifecycle_publishers:
            self.destroy_lifecycle_publisher(publisher)
        self._lifecycle_publishers = []

    def _refuse(self, failure: str) -> TransitionCallbackReturn:
        """Refuse a transition; if a shutdown ended the context meanwhile, that is no fault."""
        if self.context.ok():
            self._failure = failure
            self.get_logger().error(failure)
        return TransitionCallbackReturn.FAILURE

    def _on_set_parameters(self, parameters: list[Parameter]) -> SetParametersResult:
        changes = {p.name: p.value for p in parameters if p.name in parameter_names()}
        if changes:
            try:
                self._settings = change_parameters(self._settings, changes, self._worker is not None)
            except InvalidSettingError as error:
                return SetParametersResult(successful=False, reason=str(error))
            if self._worker is not None:
                self._worker.call(Pipeline.set_parameters, self._settings)
            if self._page is not None:
                self._page.set_parameters(self._settings)
        return SetParametersResult(successful=True)

    async def _on_init(self, request: InitTracker.Request, response: InitTracker.Response) -> InitTracker.Response:
        return await self._answer_start(Pipeline.start_target, request, response)

    async def _on_init_point(
        self, request: InitTracker.Request, response: InitTracker.Response
    ) -> InitTracker.Response:
        return await self._answer_start(Pipeline.start_at_point, request, response, says_box=True)

    async def _answer_start(
        self,
        method: Callable[[Pipeline, InitTracker.Request], Started],
        request: InitTracker.Request,
        response: InitTracker.Response,
        says_box: bool = False,
    ) -> InitTracker.Response:
        """Start on the target of a request and say so."""
        try:
            started = await awaitable(self._active_worker().call(method, request), self)
            response.stamp, response.target_id = started.stamp, started.target_id
            response.success = True
            response.message = f"target {shown(response.target_id)} is held"
            if says_box:
                response.message += f" in {format_box(started.box_xywh)}"
            if request.header.stamp not in (Time(), response.stamp):
                response.message += f", from the image nearest to the stamp, that of {format_stamp(response.stamp)}"
            if not self._enabled:
                response.message += "; tracking is paused, call ~/enable with true to go on"
            self._log.info(response.message)
        except Exception as error:  # the caller gets an answer in any case, and never a wrong one
            response.success = False
            response.message = format_error(error)
            self._log.warning(f"init refused: {response.message}")
        return response

    async def _on_reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        try:
            dropped: list[str] = []
            if self._worker is not None:
                dropped = await awaitable(self._worker.call(Pipeline.drop_targets), self)
            names = listed(list(map(shown, dropped)))
            response.success = True
            response.message = f"target {names} is dropped" if len(dropped) == 1 else f"targets {names} are dropped"
            if not dropped:
                response.message = "no target was held"
        except Exception as error:  # the node was cleaned up meanwhile, or the network hangs
            response.success = False
            response.message = format_error(error)
        return response

    async def _on_remove(self, request: RemoveTarget.Request, response: RemoveTarget.Response) -> RemoveTarget.Response:
        try:
            if self._worker is None:
                raise InvalidInputError(self._unready("inactive or active"))
            await awaitable(self._worker.call(Pipeline.drop_target, request.target_id), self)
            response.success = True
            response.message = f"target {shown(request.target_id)} is dropped"
        except Exception as error:  # the caller gets an answer in any case
            response.success = False
            response.message = format_error(error)
        return response

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        if self._worker is None:  # configuring would enable again
            response.success, response.message = False, self._unready("inactive or active")
            return response
        self._enabled = request.data
        self._worker.call(Pipeline.set_enabled, request.data)
        response.success = True
        response.message = (
            "tracking goes on" if request.data else "data is false: tracking is paused, the target is kept"
        )
        self._log.info(response.message)
        return response

    def _on_image(self, msg: Image | CompressedImage) -> None:
        if self._worker is not None:
            self._worker.offer(Frame(msg))
        self._note_stamp(msg.header.stamp)
        self._diagnostics.frame_received(age_ns(self.get_clock(), msg.header) / NANOSECONDS)

    def _on_heartbeat(self) -> None:
        if self._outputs is not None:
            self._outputs.status.repeat(self._settings.heartbeat_period, is_lost=bool(self._hang()))

    def _hang(self) -> str:
        """Return what is said of a network that does not return; empty while it does."""
        worker = self._worker
        return "" if worker is None else worker.hang

    def _on_hang(self) -> None:
        """Say at once that the network hangs, or has returned after all; called in the worker's threads."""
        hang = self._hang()
        if hang:
            self.get_logger().error(hang)
        elif (worker := self._worker) is not None:
            worker.call(Pipeline.set_parameters, self._settings)  # which may have changed meanwhile
            worker.call(Pipeline.set_enabled, self._enabled)
            worker.call(Pipeline.set_camera, self._camera)
            self.get_logger().warning("the network has returned after all; requests since then were refused")
        executor = self.executor
        if executor is not None and self.context.ok():
            executor.create_task(self._report)
            executor.wake()

    def _on_camera(self, camera: Camera | None, error: str) -> None:
        if error:
            self._log.warning(f"{error}; until then no direction is known")
        self._camera = camera
        size = "" if camera is None else "{} x {} pixels".format(*camera.size_wh)
        self._diagnostics.camera_received(size, error)
        if self._worker is not None:
            self._worker.call(Pipeline.set_camera, camera)

    def _on_depth(self, msg: Image) -> None:
        if self._worker is not None:
            self._worker.offer_depth(Frame(msg))

    def _on_detection(self, msg: Detection2D) -> None:
        self._on_detections(Detection2DArray(header=msg.header, detections=[msg]))

    def _on_detections(self, msg: Detection2DArray) -> None:
        self._diagnostics.detection_received(describe_detections(msg))
        settings = self._settings
        if settings.detection_init == "never" or self._worker is None:
            return
        detection = best_detection(msg, settings.detection_class, settings.detection_min_score)
        if detection is not None:
            self._worker.offer_start(detection)

    def _on_mark(self, msg: Mark) -> None:
        self._diagnostics.mark_received()
        if self._worker is not None:
            self._worker.offer_start(msg)

    def _note_stamp(self, stamp: Time) -> None:
        """Say so, once, when the stamps of the images jump back."""
        before, self._last_stamp = self._last_stamp, stamp
        back_ns = stamp_to_ns(before) - stamp_to_ns(stamp)
        if back_ns > 0 and not self._jumped_back:
            self._jumped_back = True
            self.get_logger().warning(
                f"the stamps of the images jump back by {back_ns / NANOSECONDS:.3g} s, from {format_stamp(before)} to "
                f"{format_stamp(stamp)}: a recording that loops, a simulation that was reset, or two publishers on one "
                "topic. Tracking goes on in the order of arrival and the target is kept; call ~/reset if it is another "
                "scene. This is said once"
            )

    def _on_incompatible_qos(self, topic: str, kind: str, event: Any) -> None:
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

    def _report(self) -> None:
        subscription = self._subscription
        health = Health(
            lifecycle=lifecycle_label(self),
            enabled=self._enabled,
            topic=self._image_topic(),
            reliability=subscription.reliability if subscription else "",
            silence=subscription.silence if subscription else "",
            loss_remedy=subscription.loss_remedy if subscription else "",
            model=self._settings.model,
            device=self._device,
            failure=self._failure,
            hang=self._hang(),
            left_threads=sum(worker.is_alive for worker in self._left_behind),
            init_extent=(0.0, 0) if self._worker is None else self._worker.extent(),
            target=self._target_health(),
        )
        self._diagnostics_publisher.publish(self._diagnostics.report(self.get_clock().now().to_msg(), health))

    def _target_health(self) -> TargetHealth:
        inputs, outputs = self._target_inputs, self._outputs
        if inputs is None or outputs is None:
            return TargetHealth()
        return TargetHealth(
            is_wanted=is_target_wanted(outputs),
            is_metric_wanted=is_pose_wanted(outputs) or outputs.bearing.get_subscription_count() > 0,
            is_pose_wanted=is_pose_wanted(outputs),
            camera_topic=inputs.camera_topic,
            depth_topic=inputs.depth_topic,
            depth_silence=inputs.depth_silence,
        )

    def _active_worker(self) -> PipelineWorker:
        if lifecycle_label(self) != "active" or self._worker is None:
            raise InvalidInputError(self._unready("active"))
        return self._worker

    def _unready(self, expected: str) -> str:
        """Return a refusal that names the lifecycle state and the way out of it."""
        state = lifecycle_label(self)
        if state == "finalized":
            advice = "a finalized node cannot be activated again, start a new one"
        else:
            transition = "activate" if state == "inactive" else "configure"
            advice = f"run `ros2 lifecycle set {self.get_fully_qualified_name()} {transition}` first"
        failure = f" ({self._failure})" if self._failure else ""
        return f"the node is {state}, expected {expected}; {advice}{failure}"

    def _image_topic(self, transport: str = "") -> str:
        """Return the resolved name of the topic of a transport, by default of the one in use."""
        is_compressed = (transport or self._settings.image_transport) == "compressed"
        return self._compressed_topic("image") if is_compressed else self.resolve_topic_name("image")

    def _compressed_topic(self, base: str) -> str:
        """Return the resolved name of the topic of the transport `compressed`."""
        # The base name is resolved first, so that a remapping of it moves both transports; the whole name is resolved
        # as well, as create_subscription does, since it may be remapped too.
        return self.resolve_topic_name(f"{self.resolve_topic_name(base)}/compressed")

    def _camera_info_topic(self) -> str:
        """Return the resolved name of the topic of camera_info: beside the images, unless it is remapped."""
        name = self.resolve_topic_name("camera_info")
        if name != self.resolve_topic_name("camera_info", only_expand=True):
            return name
        return self.resolve_topic_name(f"{self.resolve_topic_name('image').rpartition('/')[0]}/camera_info")

    def _receive_target_inputs(self) -> TargetInputs:
        outputs, depth_topic = self._outputs, self.resolve_topic_name("depth")
        assert outputs is not None
        return TargetInputs(
            self,
            self._camera_info_topic(),
            depth_topic,
            self._settings.images_are_rectified,
            wants_camera=lambda: is_target_wanted(outputs),
            wants_depth=lambda: is_pose_wanted(outputs) and self._settings.target_height_m == 0,
            on_camera=self._on_camera,
            on_depth=self._on_depth,
            on_incompatible_qos=functools.partial(self._on_incompatible_qos, depth_topic, "subscription"),
        )

    def _create_outputs(self) -> Outputs:
        return Outputs(
            detection=self._create_output(Detection2D, "detection", 10),
            detections=self._create_output(Detection2DArray, "detections", 10),
            status=StatusOutput(self._create_output(TrackerStatus, "status", 10), self.get_clock()),
            mask=self._create_output(Image, "mask", 1),
            mask_compressed=self._create_output(CompressedImage, "mask_compressed", 1),
            debug_image=self._create_output(Image, "debug_image", 1),
            debug_image_compressed=self._create_output(CompressedImage, "debug_image_compressed", 1),
            target=self._create_output(Target, "target", 1),
            bearing=self._create_output(Vector3Stamped, "bearing", 1),
            target_pose=self._create_output(PoseStamped, "target_pose", 1),
            tf=self._create_output(TFMessage, "tf", 100) if self._settings.tf_frame else None,
            annotations=self._create_annotations(),
        )

    def _create_annotations(self) -> LifecyclePublisher | None:
        types = foxglove_types()
        if types is None:
            self.get_logger().debug(
                "~/annotations is not published, as foxglove_msgs cannot be imported; it comes with the ROS package "
                "foxglove_msgs"
            )
            return None
        return self._create_output(types.ImageAnnotations, "annotations", 1)

    def _output_topic(self, name: str) -> str:
        """Return the resolved name of the topic of a field of Outputs."""
        if name.endswith("_compressed"):
            return self._compressed_topic(f"~/{name.removesuffix('_compressed')}")
        return self.resolve_topic_name("/tf" if name == "tf" else f"~/{name}")

    def _create_output(self, msg_type: type, name: str, depth: int) -> LifecyclePublisher:
        """Make the publisher of a field of Outputs."""
        topic = self._output_topic(name)
        publisher = self.create_lifecycle_publisher(
            msg_type,
            topic,
            QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=depth, reliability=ReliabilityPolicy.RELIABLE),
            event_callbacks=PublisherEventCallbacks(
                incompatible_qos=functools.partial(self._on_incompatible_qos, topic, "publisher")
            ),
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )
        self._lifecycle_publishers.append(publisher)
        return publisher

    def _subscribe(self) -> ImageSubscription:
        topic = self._image_topic()
        return ImageSubscription(
            self,
            topic,
            CompressedImage if self._settings.image_transport == "compressed" else Image,
            on_image=self._on_image,
            on_lost=self._diagnostics.images_lost,
            on_incompatible_qos=functools.partial(self._on_incompatible_qos, topic, "subscription"),
        )

    def _subscribe_to_starts(self) -> None:
        callbacks = {Detection2D: self._on_detection, Detection2DArray: self._on_detections}
        # Best effort hears every publisher, and the messages are small.
        qos = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
        qos_overrides = QoSOverridingOptions.with_default_policies()
        for topic, msg_type in _START_TOPICS.items():
            self._start_subscriptions.append(
                self.create_subscription(
                    msg_type, topic, callbacks.get(msg_type, self._on_mark), qos, qos_overriding_options=qos_overrides
                )
            )

    def _unsubscribe(self) -> None:
        for subscription in self._start_subscriptions:
            self.destroy_subscription(subscription)
        self._start_subscriptions = []
        if self._heartbeat is not None:
            self.destroy_timer(self._heartbeat)
            self._heartbeat = None
        if self._target_inputs is not None:
            self._target_inputs.close()
            self._target_inputs = None
        if self._subscription is not None:
            self._subscription.close()
            self._subscription = None
        if self._worker is not None:
            self._worker.forget_frames()


def main(args: list[str] | None = None) -> int:
    """Run the node until Ctrl-C or SIGTERM; return the exit status."""
    # OpenCV writes lines of its own for each image that it cannot decode; the node says it in one, now and then.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    return spin("tracker", TrackerNode, args)
