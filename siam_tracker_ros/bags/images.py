# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From a recorded message to its image and header."""

import typing
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from siam_tracker_ros.bags.video import VideoDecoder, find_codec
from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.frames import FrameHeader
from siam_tracker_ros.image_conversion import compressed_to_bgr, image_to_bgr
from siam_tracker_ros.intensity import IntensityStretch
from siam_tracker_ros.result_messages import NANOSECONDS

if typing.TYPE_CHECKING:
    from rosbags.interfaces import Connection

IMAGE = "sensor_msgs/msg/Image"
COMPRESSED_IMAGE = "sensor_msgs/msg/CompressedImage"
COMPRESSED_VIDEO = "foxglove_msgs/msg/CompressedVideo"
FFMPEG_PACKET = "ffmpeg_image_transport_msgs/msg/FFMPEGPacket"
IMAGE_TYPES = (IMAGE, COMPRESSED_IMAGE, COMPRESSED_VIDEO, FFMPEG_PACKET)

_ZSTD_START = b"\x28\xb5\x2f\xfd"


class MessageDecoder:
    """Decoder of one topic, which keeps the range of 16-bit images and what the packets of a video refer to."""

    def __init__(self, connections: "Iterable[Connection]", intensity_range: tuple[int, int] | None = None) -> None:
        """Begin a stream; `intensity_range` is the fixed one of an IntensityStretch."""
        from siam_tracker_ros.bags.message_types import types_of

        self._stores = {connection.msgtype: types_of(connection) for connection in connections}
        self._stretch = IntensityStretch(intensity_range)
        self._video: VideoDecoder | None = None

    def header(self, type_name: str, logged_ns: int, data: bytes) -> FrameHeader:
        """Return the header of a message.

        Raises:
            InvalidInputError: the message is damaged.
        """
        return _header_of(self._deserialize(type_name, data), type_name, logged_ns)

    def decode(self, type_name: str, logged_ns: int, data: bytes) -> Iterator[tuple[FrameHeader, np.ndarray]]:
        """Yield header and image_bgr of every frame that a message completes: one, but for a video with B-frames.

        Args:
            type_name: one of IMAGE_TYPES.
            logged_ns: when it was recorded.
            data: the message.

        Raises:
            InvalidInputError: the message is damaged, or what it holds is not supported.
            InvalidSettingError: it is a video, and PyAV is not installed.
        """
        msg = self._deserialize(type_name, data)
        header = _header_of(msg, type_name, logged_ns)
        if type_name == IMAGE:
            yield header, image_to_bgr(msg, self._stretch)
            return
        stated_format = msg.encoding if type_name == FFMPEG_PACKET else msg.format
        if type_name == COMPRESSED_IMAGE and find_codec(stated_format) in (None, "mjpeg"):
            yield header, compressed_to_bgr(msg, self._stretch)
            return
        if self._video is None:
            self._video = VideoDecoder(stated_format)
        yield from self._video.decode(msg.data, header)

    def flush(self) -> Iterator[tuple[FrameHeader, np.ndarray]]:
        """Yield header and image_bgr of the frames that are complete at the end of the messages."""
        if self._video is not None:
            yield from self._video.flush()

    def _deserialize(self, type_name: str, data: bytes) -> Any:
        if data[:4] == _ZSTD_START:
            raise InvalidInputError("the messages are compressed one by one; give the folder of the bag, not its file")
        try:
            return self._stores[type_name].deserialize_cdr(data, type_name)
        except Exception as error:  # what rosbags raises for damaged data depends on the place of the damage
            raise InvalidInputError(f"{len(data)} bytes are no {type_name}: {error}") from error


def _header_of(msg: Any, type_name: str, logged_ns: int) -> FrameHeader:
    stamp, frame_id = (
        (msg.timestamp, msg.frame_id) if type_name == COMPRESSED_VIDEO else (msg.header.stamp, msg.header.frame_id)
    )
    return FrameHeader(stamp.sec * NANOSECONDS + stamp.nanosec, frame_id, logged_ns)
