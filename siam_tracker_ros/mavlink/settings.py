# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What can be set of the MAVLink camera."""

import dataclasses
import typing

from pymavlink.dialects.v20 import common as mavlink

from siam_tracker_ros.errors import InvalidSettingError
from siam_tracker_ros.mavlink.links import parse_connection
from siam_tracker_ros.settings import check_setting, setting, settings_of

_STREAM_TYPES = {
    "rtsp": mavlink.VIDEO_STREAM_TYPE_RTSP,
    "udp": mavlink.VIDEO_STREAM_TYPE_RTPUDP,
    "tcp": mavlink.VIDEO_STREAM_TYPE_TCP_MPEG,
}
_NAME_BYTES, _URI_BYTES = 32, 160  # of the messages' fields


@dataclasses.dataclass(frozen=True)
class MavlinkSettings:
    """Values of all parameters of the node `mavlink_camera`; they are read once."""

    connections: tuple[str, ...] = setting(
        ("udpout:127.0.0.1:14550",),
        "Where ground stations or routers are: `udpout:HOST:PORT`, `udpin:HOST:PORT` to listen there, "
        "`tcp:HOST:PORT`, or a serial device as `/dev/ttyUSB0,57600`.",
        change="at start",
    )
    system_id: int = setting(1, "MAVLink system id, that of the vehicle.", 1, 255, change="at start")
    component_id: int = setting(
        mavlink.MAV_COMP_ID_CAMERA, "MAVLink component id; cameras have 100 to 105.", 7, 255, change="at start"
    )
    model_name: str = setting("siam_tracker", "Name of the camera in ground stations.", change="at start")
    video_uri: str = setting(
        "",
        "Where a ground station finds the video, as `rtsp://HOST/PATH`, `udp://0.0.0.0:5600` or `tcp://HOST:PORT`; "
        "empty: the video is set up by hand there.",
        change="at start",
    )
    video_latency_s: float = setting(
        0.0,
        "Age in seconds of the picture that the operator sees; the target is started on the image of that time. 0: on "
        "the newest image.",
        0,
        10,
        change="at start",
    )
    point_box: typing.Literal["found", "square"] = setting(
        "found",
        "Box around a point that is to be tracked: `found` by the tracker, or a `square` of `point_size`.",
        change="at start",
    )
    point_size: float = setting(
        0.1,
        "Side of that square over the image's width; 0: twice the radius that the ground station sends.",
        0,
        1,
        change="at start",
    )
    status_rate: float = setting(
        5.0,
        "CAMERA_TRACKING_IMAGE_STATUS per second while a target is held, until the ground station sets an interval.",
        0.1,
        100,
        change="at start",
    )
    answer_timeout_s: float = setting(
        5.0, "Seconds that the tracker may take to answer before a command has failed.", 0.1, 60, change="at start"
    )

    def check(self) -> None:
        """Raise InvalidSettingError when a value cannot be used."""
        for name in settings_of(MavlinkSettings):
            check_setting(MavlinkSettings, name, getattr(self, name))
        for address in self.connections:
            parse_connection(address)
        _check_text("model_name", self.model_name, _NAME_BYTES)
        _check_text("video_uri", self.video_uri, _URI_BYTES)
        if self.video_uri and self._scheme() not in _STREAM_TYPES:
            raise InvalidSettingError(
                f"video_uri is '{self.video_uri}', expected one that begins with {', '.join(_STREAM_TYPES)} and ://"
            )

    @property
    def stream_type(self) -> int:
        """VIDEO_STREAM_TYPE of `video_uri`, which must not be empty."""
        return _STREAM_TYPES[self._scheme()]

    def _scheme(self) -> str:
        return self.video_uri.partition("://")[0]


def _check_text(name: str, text: str, max_bytes: int) -> None:
    if not text.isascii() or len(text) > max_bytes:
        raise InvalidSettingError(f"{name} is '{text}', expected at most {max_bytes} characters, all of them ASCII")
