# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Messages of a bag as Python classes, for bags that bring no definitions and for those that are written."""

import functools
import types
import typing
from typing import Any

import numpy as np
from rosbags.interfaces import MessageDefinitionFormat, Nodetype
from rosbags.typesys import Stores, TypesysError, get_types_from_msg, get_typestore

from siam_tracker_ros.errors import InvalidInputError

if typing.TYPE_CHECKING:
    from rosbags.interfaces import Connection
    from rosbags.typesys.store import Typestore

DEFINITIONS = {
    "ffmpeg_image_transport_msgs/msg/FFMPEGPacket": """
        std_msgs/Header header
        int32 width
        int32 height
        string encoding
        uint64 pts
        uint8 flags
        bool is_bigendian
        uint8[] data
    """,
    "foxglove_msgs/msg/CompressedVideo": """
        builtin_interfaces/Time timestamp
        string frame_id
        uint8[] data
        string format
    """,
    "siam_tracker_ros/msg/TrackerStatus": """
        uint8 IDLE=0
        uint8 TRACKING=1
        uint8 UNCERTAIN=2
        uint8 LOST=3
        std_msgs/Header header
        uint8 state
        string target_id
        float32 confidence
        float32 peak_ratio
        uint32 age
        uint32 frames_lost
        uint32 frames_skipped
        bool updated
        builtin_interfaces/Duration latency
        float32 inference_ms
        float32 raw_score
        uint16 candidates
        float32 search_progress
        uint32 redetections
        bool is_heartbeat
        uint32 image_width
        uint32 image_height
    """,
    "vision_msgs/msg/BoundingBox2D": """
        vision_msgs/Pose2D center
        float64 size_x
        float64 size_y
    """,
    "vision_msgs/msg/Detection2D": """
        std_msgs/Header header
        vision_msgs/ObjectHypothesisWithPose[] results
        vision_msgs/BoundingBox2D bbox
        string id
    """,
    "vision_msgs/msg/Detection2DArray": """
        std_msgs/Header header
        vision_msgs/Detection2D[] detections
    """,
    "vision_msgs/msg/ObjectHypothesis": """
        string class_id
        float64 score
    """,
    "vision_msgs/msg/ObjectHypothesisWithPose": """
        vision_msgs/ObjectHypothesis hypothesis
        geometry_msgs/PoseWithCovariance pose
    """,
    "vision_msgs/msg/Point2D": """
        float64 x
        float64 y
    """,
    "vision_msgs/msg/Pose2D": """
        vision_msgs/Point2D position
        float64 theta
    """,
}
"""Definitions that are used here and that rosbags does not bring, by the name of the type."""


@functools.cache
def known_types() -> "Typestore":
    """Return the types of ROS itself and those of DEFINITIONS."""
    store = get_typestore(Stores.ROS2_HUMBLE)
    for name, text in DEFINITIONS.items():
        store.register(get_types_from_msg(text, name))
    return store


def types_of(connection: "Connection") -> "Typestore":
    """Return the types that a topic's messages consist of: those in the bag, or the known ones where it has none.

    Raises:
        InvalidInputError: those in the bag cannot be read.
    """
    if connection.msgdef.format != MessageDefinitionFormat.MSG:
        return known_types()
    store = get_typestore(Stores.EMPTY)
    try:
        store.register(get_types_from_msg(connection.msgdef.data, connection.msgtype))
    except TypesysError as error:
        raise InvalidInputError(
            f"the definition of {connection.msgtype} in the bag is damaged, expected the text of its .msg file"
        ) from error
    return store


def make_message(type_name: str, **fields: Any) -> Any:
    """Return a message of a known type with the given fields, the others zero or empty."""
    if type_name == "geometry_msgs/msg/Quaternion":  # rosbags drops the only default value that is not 0
        fields = {"w": 1.0, **fields}
    store = known_types()
    _, definition = store.fielddefs[type_name]
    values = {name: fields.pop(name) if name in fields else _default(kind) for name, kind in definition}
    if fields:
        raise TypeError(f"{type_name} has no field {', '.join(fields)}")
    return store.types[type_name](**values)


def _default(kind: Any) -> Any:
    """Return the default value of a field, which rosbags describes by the kind of node and its details."""
    node, detail = kind
    if node == Nodetype.NAME:
        return make_message(detail)
    if node == Nodetype.BASE:
        return {"string": "", "bool": False}.get(detail[0], 0.0 if detail[0].startswith("float") else 0)
    (element_node, element), length = detail
    if element_node == Nodetype.BASE and element[0] != "string":
        return np.zeros(length if node == Nodetype.ARRAY else 0, element[0])
    return []


RESULTS = types.SimpleNamespace(
    **{
        name.rpartition("/")[2]: functools.partial(make_message, name)
        for name in (
            "builtin_interfaces/msg/Duration",
            "builtin_interfaces/msg/Time",
            "sensor_msgs/msg/Image",
            "siam_tracker_ros/msg/TrackerStatus",
            "std_msgs/msg/Header",
            "vision_msgs/msg/Detection2D",
            "vision_msgs/msg/Detection2DArray",
            "vision_msgs/msg/ObjectHypothesisWithPose",
        )
    }
)
"""The classes that `result_messages` makes messages of, and those that belong to them."""
