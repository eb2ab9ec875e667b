# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Bags for tests, written with rosbags from messages of every kind that a camera topic has."""

import contextlib
import fractions
import os

import cv2
import numpy as np
from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

from siam_tracker_ros.bags.images import COMPRESSED_IMAGE, COMPRESSED_VIDEO, FFMPEG_PACKET, IMAGE
from siam_tracker_ros.bags.message_types import known_types, make_message

START_NS = 1_700_000_000_000_000_000
STEP_NS = 40_000_000  # 25 images a second
LOGGED_LATE_NS = 3_000_000
LEVELS = (0, 50, 100, 150, 200, 250)


def stamp_ns(number):
    return START_NS + number * STEP_NS


def header(number, frame_id="camera"):
    seconds, nanoseconds = divmod(stamp_ns(number), 10**9)
    stamp = make_message("builtin_interfaces/msg/Time", sec=seconds, nanosec=nanoseconds)
    return make_message("std_msgs/msg/Header", stamp=stamp, frame_id=frame_id)


def grey(level, size_wh=(64, 48)):
    return np.full((*size_wh[::-1], 3), level, np.uint8)


def image(number, image_bgr, encoding="bgr8"):
    height, width = image_bgr.shape[:2]
    data = np.ascontiguousarray(image_bgr).reshape(-1).view(np.uint8)
    step = data.size // height
    return make_message(
        IMAGE, header=header(number), height=height, width=width, encoding=encoding, step=step, data=data
    )


def compressed(number, image_bgr, suffix=".png"):
    data = cv2.imencode(suffix, image_bgr)[1].reshape(-1)
    return make_message(COMPRESSED_IMAGE, header=header(number), format=suffix[1:], data=data)


def compressed_as(number, image_format, data):
    return make_message(COMPRESSED_IMAGE, header=header(number), format=image_format, data=as_bytes(data))


def compressed_video(number, data, video_format="h264"):
    stamped = header(number)
    return make_message(
        COMPRESSED_VIDEO, timestamp=stamped.stamp, frame_id=stamped.frame_id, data=as_bytes(data), format=video_format
    )


def ffmpeg_packet(number, data, encoding="libx264"):
    return make_message(FFMPEG_PACKET, header=header(number), encoding=encoding, data=as_bytes(data))


def as_bytes(data):
    return np.frombuffer(bytes(data), np.uint8)


@contextlib.contextmanager
def usual_scheduling():
    """Give this thread its scheduling back. SVT-AV1 makes that of root real-time, and other processes starve."""
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameters)


@usual_scheduling()
def encode_video(images_bgr, name="libx264", key_frame_every=3, b_frames=0, **options):
    """Return (number of the image, packet) of every packet in the order of the decoder."""
    import av

    codec = av.CodecContext.create(name, "w")
    codec.height, codec.width = images_bgr[0].shape[:2]
    codec.pix_fmt, codec.time_base, codec.framerate = "yuv420p", fractions.Fraction(1, 25), fractions.Fraction(25)
    codec.gop_size, codec.max_b_frames, codec.options = key_frame_every, b_frames, options
    packets = []
    for number, image_bgr in enumerate(images_bgr):
        frame = av.VideoFrame.from_ndarray(image_bgr, format="bgr24").reformat(format="yuv420p")
        frame.pts = number
        packets += codec.encode(frame)
    return [(packet.pts, bytes(packet)) for packet in (*packets, *codec.encode(None))]


def write_bag(path, topics, storage="mcap", compression="none", reliability="RELIABLE"):
    """Write a bag and return its path.

    Args:
        path: its folder.
        topics: messages of each topic; each gets the time of its place, a little after its stamp.
        storage: "mcap" or "sqlite3".
        compression: "none", "message", "file" or, for mcap, "storage".
        reliability: of the publishers.
    """
    no_time = QosTime(0, 0)
    profile = Qos(
        history=QosHistory.KEEP_LAST,
        depth=5,
        reliability=QosReliability[reliability],
        durability=QosDurability.VOLATILE,
        deadline=no_time,
        lifespan=no_time,
        liveliness=QosLiveliness.AUTOMATIC,
        liveliness_lease_duration=no_time,
        avoid_ros_namespace_conventions=False,
    )
    writer = Writer(path, version=8, storage_plugin=StoragePlugin[storage.upper()])
    writer.set_compression(CompressionMode[compression.upper()], CompressionFormat.ZSTD)
    store = known_types()
    with writer:
        for topic, messages in topics.items():
            types = dict.fromkeys(msg.__msgtype__ for msg in messages)
            connections = {
                name: writer.add_connection(topic, name, typestore=store, offered_qos_profiles=[profile])
                for name in types
            }
            for number, msg in enumerate(messages):
                data = store.serialize_cdr(msg, msg.__msgtype__)
                writer.write(connections[msg.__msgtype__], stamp_ns(number) + LOGGED_LATE_NS, data)
    return path
