# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The camera protocol: what a ground station asks, and what it is told of the target.

It has neither sockets nor threads, and its clock is given: messages come in by `receive`, what the tracker sees by
`report`, time passes by `tick`, and messages go out by `send`. All of this happens in one thread.
"""

import collections
import dataclasses
import functools
import math
import struct
import typing
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from pymavlink.dialects.v20 import common as mavlink

from siam_tracker_ros.core.monitor import TargetState
from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.mavlink.regions import point_alone, point_box, rectangle_box
from siam_tracker_ros.mavlink.settings import MavlinkSettings
from siam_tracker_ros.mavlink.stations import Sender, Stations

HEARTBEAT_S = 1.0
STALE_S = 1.0  # without news of the tracker, after which its last box is no longer passed on
REPEAT_S = 10.0  # for which the answer to a command is kept for its repetitions
UNCOUNTED_REPEAT_S = 4.0  # the same for one that does not say that it is a repetition; QGroundControl waits for 3 s
_MAX_ANSWERS = 32
_TEXT_BYTES = 50  # of a STATUSTEXT
_COASTING = 8  # CAMERA_TRACKING_STATUS_FLAGS_COASTING, which dialects before 2026 lack
_STATUS_FLAGS = {
    TargetState.IDLE: mavlink.CAMERA_TRACKING_STATUS_FLAGS_IDLE,
    TargetState.TRACKING: mavlink.CAMERA_TRACKING_STATUS_FLAGS_ACTIVE,
    TargetState.UNCERTAIN: _COASTING,
    TargetState.LOST: mavlink.CAMERA_TRACKING_STATUS_FLAGS_ERROR,
}
_TRACKING_COMMANDS = (
    mavlink.MAV_CMD_CAMERA_TRACK_POINT,
    mavlink.MAV_CMD_CAMERA_TRACK_RECTANGLE,
    mavlink.MAV_CMD_CAMERA_STOP_TRACKING,
)
_CAMERA_ID_PARAMS = dict(zip(_TRACKING_COMMANDS, (3, 4, 0)))  # index of the parameter "Target Camera ID"


@dataclasses.dataclass(frozen=True)
class _OldRequest:
    """A deprecated command that requests one message; the indices of its parameters.

    Attributes:
        message_id: of the message.
        flag: index of the parameter that is 1 where the message is wanted, or None.
        instance: index of the parameter that numbers streams or storages, or None.
    """

    message_id: int
    flag: int | None = None
    instance: int | None = None


_OLD_REQUESTS = {
    mavlink.MAV_CMD_REQUEST_CAMERA_INFORMATION: _OldRequest(mavlink.MAVLINK_MSG_ID_CAMERA_INFORMATION, flag=0),
    mavlink.MAV_CMD_REQUEST_CAMERA_SETTINGS: _OldRequest(mavlink.MAVLINK_MSG_ID_CAMERA_SETTINGS, flag=0),
    mavlink.MAV_CMD_REQUEST_STORAGE_INFORMATION: _OldRequest(
        mavlink.MAVLINK_MSG_ID_STORAGE_INFORMATION, flag=1, instance=0
    ),
    mavlink.MAV_CMD_REQUEST_CAMERA_CAPTURE_STATUS: _OldRequest(mavlink.MAVLINK_MSG_ID_CAMERA_CAPTURE_STATUS, flag=0),
    mavlink.MAV_CMD_REQUEST_VIDEO_STREAM_INFORMATION: _OldRequest(
        mavlink.MAVLINK_MSG_ID_VIDEO_STREAM_INFORMATION, instance=0
    ),
    mavlink.MAV_CMD_REQUEST_VIDEO_STREAM_STATUS: _OldRequest(mavlink.MAVLINK_MSG_ID_VIDEO_STREAM_STATUS, instance=0),
}

OnAnswer = Callable[[bool, str], None]
"""Gets whether the tracker has done it, and its sentence."""


class TrackerControl(typing.Protocol):
    """The tracker as the camera sees it. Both methods return at once and call `on_answer` once, now or later."""

    def start(self, box_cxcywh: NDArray[np.float64], on_answer: OnAnswer) -> None:
        """Start on a box_cxcywh in fractions of the image, float64 (4,); where it has no size, find the box there."""

    def stop(self, on_answer: OnAnswer) -> None:
        """Drop the target."""


@dataclasses.dataclass(frozen=True)
class TargetReport:
    """What the tracker says of one image.

    Attributes:
        state: TargetState.
        size_wh: width and height of the image in pixels, or (0, 0) if it was not looked at.
        box_xyxy: the target's box in fractions of the image, float64 (4,), or None.
    """

    state: TargetState
    size_wh: tuple[int, int] = (0, 0)
    box_xyxy: NDArray[np.float64] | None = None


@dataclasses.dataclass(eq=False)
class _Command:
    """A tracking command that was begun.

    Attributes:
        link, sender: where it came from.
        number: MAV_CMD.
        key: what its repetitions have in common with it.
        box_cxcywh: where to start, None to stop.
        at: time at which it was begun, then at which it was answered.
        told: time of the last acknowledgement.
        result: MAV_RESULT; IN_PROGRESS until the tracker has answered.
    """

    link: int
    sender: Sender
    number: int
    key: tuple[Sender, int, bytes]
    box_cxcywh: NDArray[np.float64] | None
    at: float
    told: float
    result: int = mavlink.MAV_RESULT_IN_PROGRESS


class _Refusal(Exception):
    """A command that is answered with another result than ACCEPTED; the sentence may be empty."""

    def __init__(self, result: int, sentence: str = "") -> None:
        super().__init__(sentence)
        self.result = result


class MavlinkCamera:
    """The camera protocol for one tracker.

    Args:
        settings: MavlinkSettings that were checked.
        tracker: the tracker.
        send: sends a message on the link of a number.
        say: gets a sentence for the log when a command is refused.
        clock: returns seconds that never go back.
    """

    def __init__(
        self,
        settings: MavlinkSettings,
        tracker: TrackerControl,
        send: Callable[[int, mavlink.MAVLink_message], None],
        say: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._tracker = tracker
        self._send = send
        self._say = say
        self._clock = clock
        self._links = range(len(settings.connections))
        self._born = self._heartbeat_due = clock()
        self._stations = Stations()
        self._report = TargetReport(TargetState.IDLE)
        self._reported = -math.inf
        self._size_wh = (0, 0)
        self._told_state = [TargetState.IDLE for _ in self._links]
        self._status_due = [self._born for _ in self._links]
        self._begun: collections.deque[_Command] = collections.deque(maxlen=_MAX_ANSWERS)
        self._running: _Command | None = None
        self._waiting: list[_Command] = []
        self._texts = 0
        self._messages: dict[float, Callable[[float], mavlink.MAVLink_message]] = {
            mavlink.MAVLINK_MSG_ID_HEARTBEAT: lambda _: self._heartbeat(),
            mavlink.MAVLINK_MSG_ID_CAMERA_INFORMATION: lambda _: self._information(),
            mavlink.MAVLINK_MSG_ID_CAMERA_SETTINGS: lambda _: self._camera_settings(),
            mavlink.MAVLINK_MSG_ID_STORAGE_INFORMATION: self._storage,
            mavlink.MAVLINK_MSG_ID_CAMERA_CAPTURE_STATUS: lambda _: self._capture_status(),
            mavlink.MAVLINK_MSG_ID_CAMERA_TRACKING_IMAGE_STATUS: lambda _: self._tracking_status(),
        }
        if settings.video_uri:
            self._messages[mavlink.MAVLINK_MSG_ID_VIDEO_STREAM_INFORMATION] = self._stream_information
            self._messages[mavlink.MAVLINK_MSG_ID_VIDEO_STREAM_STATUS] = self._stream_status

    def tick(self) -> None:
        """Let time pass; to be called ten times a second."""
        now = self._clock()
        if now >= self._heartbeat_due:
            self._heartbeat_due = now + HEARTBEAT_S
            for link in self._links:
                self._send(link, self._heartbeat())
        if self._running is not None:
            if now - self._running.at > self._settings.answer_timeout_s:
                sentence = f"the tracker has not answered for {self._settings.answer_timeout_s:g} s; check that it runs"
                self._on_answer(self._running, False, sentence)
            elif now - self._running.told >= 1.0:
                self._acknowledge(self._running)
        if now - self._reported > STALE_S:  # else the reports keep the rate
            self._tell_status()

    def report(self, report: TargetReport) -> None:
        """Take over what the tracker says of one image."""
        self._report = report
        self._reported = self._clock()
        if all(report.size_wh):
            self._size_wh = report.size_wh
        self._tell_status()

    def receive(self, link: int, message: mavlink.MAVLink_message) -> None:
        """Take a message that has come in on a link."""
        sender = message.get_srcSystem(), message.get_srcComponent()
        settings = self._settings
        if sender == (settings.system_id, settings.component_id):
            return  # a router has sent it back
        self._stations.hear(link, sender, self._clock())
        if isinstance(message, mavlink.MAVLink_command_long_message):
            last = message.param5, message.param6, message.param7
        elif isinstance(message, mavlink.MAVLink_command_int_message):
            last = message.x, message.y, message.z
        else:
            return
        system, component = message.target_system, message.target_component
        if system not in (0, settings.system_id) or component not in (0, settings.component_id):
            return
        params = message.param1, message.param2, message.param3, message.param4, *last
        repeated = bool(getattr(message, "confirmation", 0))
        try:
            self._obey(link, sender, message.command, params, repeated)
        except _Refusal as refusal:
            if component or refusal.result != mavlink.MAV_RESULT_UNSUPPORTED:  # meant for others, if sent to all
                self._answer(link, sender, message.command, refusal.result)
                self._refuse(link, str(refusal))

    def _obey(self, link: int, sender: Sender, number: int, params: Sequence[float], repeated: bool) -> None:
        """Carry a command out and acknowledge it; raise _Refusal where it cannot be."""
        if number in _TRACKING_COMMANDS:
            self._track(link, sender, number, params, repeated)
        elif number == mavlink.MAV_CMD_REQUEST_MESSAGE:
            self._request(link, sender, number, params[0], params[1])
        elif number in _OLD_REQUESTS:
            old = _OLD_REQUESTS[number]
            wanted = 1.0 if old.flag is None else params[old.flag]
            if wanted not in (0, 1):
                raise _Refusal(mavlink.MAV_RESULT_DENIED, f"the parameter that asks is {wanted:g}, expected 0 or 1")
            if wanted:
                instance = 0.0 if old.instance is None else params[old.instance]
                self._request(link, sender, number, old.message_id, instance)
            else:
                self._answer(link, sender, number, mavlink.MAV_RESULT_ACCEPTED)
        elif number == mavlink.MAV_CMD_SET_MESSAGE_INTERVAL:
            self._set_interval(link, sender, params[0], params[1])
            self._answer(link, sender, number, mavlink.MAV_RESULT_ACCEPTED)
        else:
            raise _Refusal(mavlink.MAV_RESULT_UNSUPPORTED)

    def _request(self, link: int, sender: Sender, number: int, message_id: float, instance: float) -> None:
        make = self._messages.get(message_id)
        if make is None:
            raise _Refusal(mavlink.MAV_RESULT_UNSUPPORTED)
        message = make(instance)
        self._answer(link, sender, number, mavlink.MAV_RESULT_ACCEPTED)
        self._send(link, message)

    def _set_interval(self, link: int, sender: Sender, message_id: float, interval_us: float) -> None:
        if message_id != mavlink.MAVLINK_MSG_ID_CAMERA_TRACKING_IMAGE_STATUS:
            raise _Refusal(mavlink.MAV_RESULT_UNSUPPORTED)
        if not (interval_us == -1 or 0 <= interval_us < math.inf):
            raise _Refusal(
                mavlink.MAV_RESULT_DENIED,
                f"the interval is {interval_us:g} us, expected 0 for the usual one, -1 for none, or more than 0",
            )
        usual_s = 1 / self._settings.status_rate
        self._stations.set_interval(
            link, sender, math.inf if interval_us == -1 else interval_us / 1e6 if interval_us else usual_s
        )
        self._status_due[link] = self._clock()

    def _track(self, link: int, sender: Sender, number: int, params: Sequence[float], repeated: bool) -> None:
        key = sender, number, struct.pack("<7d", *params)
        earlier = self._find_answer(key, repeated)
        if earlier is not None:
            earlier.link = link
            self._acknowledge(earlier)
            return
        camera_id = params[_CAMERA_ID_PARAMS[number]]
        if not (math.isnan(camera_id) or camera_id in (0, self._settings.component_id)):
            raise _Refusal(
                mavlink.MAV_RESULT_DENIED,
                f"target camera id is {camera_id:g}, expected 0 or that of this camera, {self._settings.component_id}",
            )
        now = self._clock()
        command = _Command(link, sender, number, key, self._read_box(number, params), at=now, told=now)
        if self._running is None:
            self._begin(command)
        elif command.box_cxcywh is None and len(self._waiting) < _MAX_ANSWERS:  # a stop waits for its turn
            self._waiting.append(command)
            self._begun.append(command)
            self._acknowledge(command)
        else:
            raise _Refusal(
                mavlink.MAV_RESULT_TEMPORARILY_REJECTED,
                "another command has not been answered by the tracker yet; mark the target again in a moment",
            )

    def _find_answer(self, key: tuple[Sender, int, bytes], repeated: bool) -> _Command | None:
        """Return the command that this one repeats, because its acknowledgement was lost or is not there yet.

        Repetitions count up. Stations that do not count repeat a command at once, with nothing in between; starting
        once more on a box from which the target has moved away would lose it.
        """
        now = self._clock()
        for command in reversed(self._begun):
            if command.key != key:
                continue
            if command.result == mavlink.MAV_RESULT_IN_PROGRESS or (repeated and now - command.at <= REPEAT_S):
                return command
            has_started = command.box_cxcywh is not None and command.result == mavlink.MAV_RESULT_ACCEPTED
            is_newest = command is self._begun[-1] and now - command.at <= UNCOUNTED_REPEAT_S
            return command if has_started and is_newest and self._shown().state != TargetState.LOST else None
        return None

    def _read_box(self, number: int, params: Sequence[float]) -> NDArray[np.float64] | None:
        """Return the box_cxcywh of a command, None for one that stops."""
        if number == mavlink.MAV_CMD_CAMERA_STOP_TRACKING:
            return None
        has_image = all(self._size_wh)
        size_wh = self._size_wh if has_image else (1000, 1000)  # what no image could mend is denied first
        try:
            if number == mavlink.MAV_CMD_CAMERA_TRACK_RECTANGLE:
                box_cxcywh = rectangle_box(params[:4], size_wh)
            elif self._settings.point_box == "found":
                box_cxcywh = point_alone(params[:2])
            else:
                box_cxcywh = point_box(params[:2], params[2], self._settings.point_size, size_wh)
        except InvalidInputError as error:
            raise _Refusal(mavlink.MAV_RESULT_DENIED, str(error)) from error
        if not has_image:
            raise _Refusal(
                mavlink.MAV_RESULT_TEMPORARILY_REJECTED,
                "no image has come from the tracker yet; check that the tracker and its camera run, then mark the "
                "target again",
            )
        return box_cxcywh

    def _begin(self, command: _Command) -> None:
        command.at = self._clock()
        self._running = command
        if command not in self._begun:
            self._begun.append(command)
        self._acknowledge(command)
        on_answer = functools.partial(self._on_answer, command)
        if command.box_cxcywh is None:
            self._tracker.stop(on_answer)
        else:
            self._tracker.start(command.box_cxcywh, on_answer)

    def _on_answer(self, command: _Command, success: bool, sentence: str) -> None:
        if command is not self._running:
            return  # too late: it has been said that it failed
        self._running = None
        command.at = self._clock()
        command.result = mavlink.MAV_RESULT_ACCEPTED if success else mavlink.MAV_RESULT_FAILED
        self._acknowledge(command)
        if not success:
            self._refuse(command.link, sentence)
        if self._waiting:
            self._begin(self._waiting.pop(0))

    def _acknowledge(self, command: _Command) -> None:
        command.told = self._clock()
        self._answer(command.link, command.sender, command.number, command.result)

    def _answer(self, link: int, sender: Sender, number: int, result: int) -> None:
        progress = 255 if result == mavlink.MAV_RESULT_IN_PROGRESS else 0  # 255: not known
        system, component = sender
        self._send(
            link,
            mavlink.MAVLink_command_ack_message(
                number, result, progress=progress, target_system=system, target_component=component
            ),
        )

    def _refuse(self, link: int, sentence: str) -> None:
        """Tell people why, on the link and in the log; an empty sentence is none."""
        if not sentence:
            return
        self._say(f"MAVLink command refused: {sentence}")
        text = sentence.encode("ascii", errors="replace")
        # one that is not full is the last, so a text of whole messages ends with an empty one
        number = self._texts % 65535 + 1 if len(text) >= _TEXT_BYTES else 0
        self._texts += 1
        for part in range(len(text) // _TEXT_BYTES + 1):
            content = text[part * _TEXT_BYTES : (part + 1) * _TEXT_BYTES]
            self._send(link, mavlink.MAVLink_statustext_message(mavlink.MAV_SEVERITY_WARNING, content, number, part))

    def _tell_status(self) -> None:
        """Send the target's status on the links on which it is due; a change of its state is told at once."""
        now, state = self._clock(), self._shown().state
        for link in self._links:
            is_held = state != TargetState.IDLE or self._told_state[link] != TargetState.IDLE
            usual_s = 1 / self._settings.status_rate if is_held else math.inf
            interval_s = self._stations.interval_s(link, usual_s, now)
            has_changed = state != self._told_state[link]
            if interval_s == math.inf or not (has_changed or now >= self._status_due[link]):
                continue
            late = now - self._status_due[link]
            self._status_due[link] = now + interval_s - (late if 0 <= late < interval_s else 0)
            self._told_state[link] = state
            self._send(link, self._tracking_status())

    def _shown(self) -> TargetReport:
        """Return what is known of the target now: without news of the tracker, that a target is not seen."""
        if self._report.state == TargetState.IDLE or self._clock() - self._reported <= STALE_S:
            return self._report
        return TargetReport(TargetState.LOST)

    def _tracking_status(self) -> mavlink.MAVLink_message:
        shown = self._shown()
        is_held = shown.state != TargetState.IDLE
        corners_xyxy = [math.nan] * 4  # not known
        if shown.box_xyxy is not None:
            left, top, right, bottom = np.clip(shown.box_xyxy, 0, 1).tolist()
            if left < right and top < bottom:  # else it lies outside of the image
                corners_xyxy = [left, top, right, bottom]
        is_known = not math.isnan(corners_xyxy[0])
        return mavlink.MAVLink_camera_tracking_image_status_message(
            _STATUS_FLAGS[shown.state],
            mavlink.CAMERA_TRACKING_MODE_RECTANGLE if is_held else mavlink.CAMERA_TRACKING_MODE_NONE,
            mavlink.CAMERA_TRACKING_TARGET_DATA_IN_STATUS if is_known else 0,
            math.nan,
            math.nan,
            math.nan,
            *corners_xyxy,
        )

    def _heartbeat(self) -> mavlink.MAVLink_message:
        is_alive = self._clock() - self._reported <= STALE_S
        return mavlink.MAVLink_heartbeat_message(
            mavlink.MAV_TYPE_CAMERA,
            mavlink.MAV_AUTOPILOT_INVALID,
            0,
            0,
            mavlink.MAV_STATE_ACTIVE if is_alive else mavlink.MAV_STATE_STANDBY,
            3,  # the version of MAVLink's messages
        )

    def _information(self) -> mavlink.MAVLink_message:
        flags = mavlink.CAMERA_CAP_FLAGS_HAS_TRACKING_POINT | mavlink.CAMERA_CAP_FLAGS_HAS_TRACKING_RECTANGLE
        if self._settings.video_uri:
            flags |= mavlink.CAMERA_CAP_FLAGS_HAS_VIDEO_STREAM
        width, height = self._resolution_wh()
        return mavlink.MAVLink_camera_information_message(
            self._boot_ms(),
            b"siam_tracker_ros".ljust(32, b"\0"),
            self._settings.model_name.encode().ljust(32, b"\0"),
            0,  # version of the firmware, focal length and size of the sensor: not known
            math.nan,
            math.nan,
            math.nan,
            width,
            height,
            0,
            flags,
            0,
            b"",
        )

    def _camera_settings(self) -> mavlink.MAVLink_message:
        return mavlink.MAVLink_camera_settings_message(
            self._boot_ms(), mavlink.CAMERA_MODE_VIDEO, zoomLevel=math.nan, focusLevel=math.nan
        )

    def _storage(self, instance: float) -> mavlink.MAVLink_message:
        _check_instance("storage", instance)
        return mavlink.MAVLink_storage_information_message(
            self._boot_ms(), 1, 0, mavlink.STORAGE_STATUS_NOT_SUPPORTED, *[math.nan] * 5
        )

    def _capture_status(self) -> mavlink.MAVLink_message:
        return mavlink.MAVLink_camera_capture_status_message(self._boot_ms(), 0, 0, 0.0, 0, 0.0)  # it records nothing

    def _stream_information(self, instance: float) -> mavlink.MAVLink_message:
        _check_instance("video stream", instance)
        width, height = self._resolution_wh()
        return mavlink.MAVLink_video_stream_information_message(
            1,
            1,
            self._settings.stream_type,
            mavlink.VIDEO_STREAM_STATUS_FLAGS_RUNNING,
            0.0,  # rate of frames and bits, rotation and field of view: not known
            width,
            height,
            0,
            0,
            0,
            self._settings.model_name.encode(),
            self._settings.video_uri.encode(),
        )

    def _stream_status(self, instance: float) -> mavlink.MAVLink_message:
        _check_instance("video stream", instance)
        width, height = self._resolution_wh()
        return mavlink.MAVLink_video_stream_status_message(
            1, mavlink.VIDEO_STREAM_STATUS_FLAGS_RUNNING, 0.0, width, height, 0, 0, 0
        )

    def _resolution_wh(self) -> tuple[int, int]:
        """Size of the images in pixels, 0 if not known or too large for the messages."""
        return self._size_wh if max(self._size_wh) < 2**16 else (0, 0)

    def _boot_ms(self) -> int:
        return int(1000 * (self._clock() - self._born)) % 2**32


def _check_instance(what: str, instance: float) -> None:
    if instance not in (0, 1):
        raise _Refusal(mavlink.MAV_RESULT_DENIED, f"{what} {instance:g} is not there, expected 1, or 0 for all")
