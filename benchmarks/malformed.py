# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Malformed input of every kind that the nodes read: valid input of which a part was changed, now and then none.

Each function takes a random.Random and returns one input. Messages are plain values, nested dictionaries of their
fields; `fill` puts them into a message. `benchmarks/fuzz.py` sends them, the tests draw from the same functions.
"""

import functools
import json
import math
import re
import struct
import typing
from collections.abc import Callable, Sequence
from random import Random

import cv2
import numpy as np

from siam_tracker_ros.image_conversion import ENCODINGS

SIZE_WH = (64, 48)
"""Width and height in pixels of the pictures that are changed."""

TEXTS = (
    "",
    " ",
    "\n",
    "two\nlines",
    "tab\there",
    "'\"\\",
    "%s%n{0}{x}",
    "\x00",
    "\x1b[31mred",
    "\u202eright to left",
    "\ufffd\ufffd",
    "é漢字\U0001f680",
    "../../etc/passwd",
    "nan",
    "-1",
    "x" * 300,
    "x" * 100_000,
)
NUMBERS = (math.nan, math.inf, -math.inf, 0.0, -0.0, 5e-324, 1e-310, -1.0, 0.5, 1.0, 1e9, 1e18, 1e308, -1e308)
UNSIGNED = (0, 1, 2, 3, 255, 256, 2**15, 2**16 - 1, 2**16, 2**24, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1)
SIGNED = (0, 1, -1, 2, -(2**31), 2**31 - 1)
MAX_TEXT = 500  # characters of a refusal
FOREIGN = re.compile(r"Traceback|\b\w+(Error|Exception)\b")  # words of Python, not of people
Fields = dict[str, typing.Any]


def fill(msg: typing.Any, fields: Fields) -> typing.Any:
    """Put nested values into a ROS message and return it; a list of dictionaries needs the class of its entries."""
    for name, value in fields.items():
        if isinstance(value, dict):
            fill(getattr(msg, name), value)
        else:
            setattr(msg, name, value)
    return msg


def text_fault(text: str) -> str:
    """Return how a refusal breaks the rule, "" where it does not."""
    if not text.strip():
        return "empty"
    if len(text) >= MAX_TEXT:
        return f"{len(text)} characters"
    if not text.isprintable():
        return "not one line"
    return "words of Python" if FOREIGN.search(text) else ""


# ---- values ----


def text(random: Random) -> str:
    """Some text, odd in most cases."""
    return random.choice((*TEXTS, "".join(chr(random.randrange(1, 0xD800)) for _ in range(random.randrange(40)))))


def number(random: Random, usual: float = 0.0) -> float:
    """A float64: one that is special, of any size, or near a usual one."""
    return random.choice(
        (random.choice(NUMBERS), random.choice((1, -1)) * 10 ** random.uniform(-320, 308), random.gauss(usual, 10))
    )


def single(random: Random) -> float:
    """A float32, as Python's float."""
    value = number(random)
    return value if abs(value) < 3e38 or math.isnan(value) else math.copysign(math.inf, value)


def unsigned(random: Random, bits: int = 32) -> int:
    """An unsigned number of so many bits."""
    return random.choice((random.choice(UNSIGNED), random.getrandbits(32))) % 2**bits


def signed(random: Random) -> int:
    """An int32."""
    return random.choice((random.choice(SIGNED), random.getrandbits(32) - 2**31))


def changed(random: Random, fields: Fields, changes: dict[str, Callable[[Random], typing.Any]]) -> Fields:
    """Return fields of which up to three were changed, none in one of four cases.

    Args:
        random: what decides.
        fields: valid ones.
        changes: what each dotted name may become.
    """
    count = 0 if random.random() < 0.25 else random.randint(1, 3)
    for name in random.sample(list(changes), min(count, len(changes))):
        *way, last = name.split(".")
        inner = fields
        for part in way:
            inner = inner[part]
        inner[last] = changes[name](random)
    return fields


def mutated(random: Random, data: bytes) -> bytes:
    """Return bytes of which some were changed, most often near the beginning, cut off, repeated or put in."""
    changed = bytearray(data)
    for _ in range(random.choice((0, 1, 1, 1, 2, 4, 16))):
        size = len(changed)
        place = random.randrange(min(size, 80) if random.random() < 0.6 else size) if size else 0
        kind = random.randrange(6)
        if kind == 0 and size:
            changed[place] ^= 1 << random.randrange(8)
        elif kind == 1:
            changed[place : place + 4] = random.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff"))
        elif kind == 2:
            changed[place : place + 2] = struct.pack(random.choice("<>") + "H", random.getrandbits(16))
        elif kind == 3:
            del changed[place:]
        elif kind == 4:
            changed[place:place] = changed[place : place + random.randrange(64)]
        else:
            changed[place:place] = random.randbytes(random.randrange(16))
    return bytes(changed)


def header(random: Random, stamp: tuple[int, int] = (0, 0), frame_id: str = "") -> Fields:
    """The fields of a std_msgs/Header, changed in one of four cases."""
    fields = {"stamp": {"sec": stamp[0], "nanosec": stamp[1]}, "frame_id": frame_id}
    if random.random() < 0.25:
        changed(random, fields, {"stamp.sec": signed, "stamp.nanosec": unsigned, "frame_id": text})
    return fields


# ---- images ----


def image(random: Random, encodings: Sequence[str] = ENCODINGS) -> Fields:
    """The fields of a sensor_msgs/Image of up to 64 x 48 pixels."""
    small = random.choice(((1, 1), (2, 2), (random.randint(1, 64), random.randint(1, 48))))
    width, height = small if random.random() < 0.25 else SIZE_WH
    step = width * 8 + random.choice((0, 0, 1, 16))  # enough for each encoding
    fields = {
        "header": header(random),
        "width": width,
        "height": height,
        "encoding": random.choice(encodings),
        "is_bigendian": random.choice((0, 1)),
        "step": step,
        "data": random.randbytes(step * height * 3),
    }
    size = len(fields["data"])
    changes = {
        "width": unsigned,
        "height": unsigned,
        "step": unsigned,
        "is_bigendian": lambda random: unsigned(random, 8),
        "encoding": lambda random: random.choice((text(random), "jpeg", "8UC5", "64FC1", "32FC3", "BGR8", "bgr8 ")),
        "data": lambda random: fields["data"][: random.choice((0, 1, size // 3, size - 1, random.randrange(size)))],
    }
    return changed(random, fields, changes)


def depth(random: Random) -> Fields:
    """The fields of a sensor_msgs/Image of depths."""
    fields = image(random, ("16UC1", "32FC1", "16UC1", "32FC1", "mono16", "64FC1", "bgr8"))
    if random.random() < 0.5 and fields["data"]:
        values = np.frombuffer(fields["data"], np.uint8).copy()
        values[: len(values) // 4 * 4].view(np.float32)[::2] = random.choice((math.nan, math.inf, -1.0, 0.0, 1e38))
        fields["data"] = values.tobytes()
    return fields


@functools.cache
def files() -> dict[str, bytes]:
    """A picture in every format that this OpenCV writes, by the names of the formats."""
    width, height = SIZE_WH
    picture = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint32) // 64 * 64
    kinds = {
        name: (f".{name}", np.uint8) for name in ("jpg", "png", "webp", "bmp", "ppm", "tiff", "gif", "avif", "jp2")
    }
    kinds |= {"ras": (".ras", np.uint8), "png16": (".png", np.uint16), "tiff16": (".tiff", np.uint16)}
    kinds |= {"tiff32": (".tiff", np.float32), "hdr": (".hdr", np.float32), "pfm": (".pfm", np.float32)}
    written = {}
    for name, (suffix, dtype) in kinds.items():
        if cv2.haveImageWriter(suffix):
            written[name] = cv2.imencode(suffix, picture.astype(dtype))[1].tobytes()
    return written


def encode_png(image_bgr: np.ndarray) -> bytes:
    """Return an image as a PNG file."""
    return cv2.imencode(".png", image_bgr)[1].tobytes()


def compressed(random: Random) -> Fields:
    """The fields of a sensor_msgs/CompressedImage."""
    name = random.choice(list(files()))
    formats = (
        "jpeg",
        "png",
        "rgb8; jpeg compressed bgr8",
        "bayer_rggb8; png compressed ",
        "16UC1; compressedDepth png",
    )
    kind = random.choice((*formats, text(random)))
    return {"header": header(random), "format": kind, "data": mutated(random, files()[name])}


def camera_info(random: Random) -> Fields:
    """The fields of a sensor_msgs/CameraInfo."""
    fx, fy, cx, cy = 60.0, 60.0, 32.0, 24.0
    models = {"plumb_bob": 5, "rational_polynomial": 8, "thin_prism": 12, "equidistant": 4, "fisheye": 4, "": 0}
    model = random.choice(list(models))
    fields = {
        "header": header(random),
        "width": SIZE_WH[0],
        "height": SIZE_WH[1],
        "distortion_model": model,
        "d": [random.gauss(0, 0.1) for _ in range(models[model])],
        "k": [fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0],
        "r": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        "p": [fx, 0.0, cx, 0.0, 0.0, fy, cy, 0.0, 0.0, 0.0, 1.0, 0.0],
        "binning_x": 0,
        "binning_y": 0,
        "roi": {"x_offset": 0, "y_offset": 0, "width": 0, "height": 0, "do_rectify": False},
    }

    def some_numbers(name: str) -> Callable[[Random], list[float]]:
        def change(random: Random) -> list[float]:
            values = list(fields[name])
            for place in random.sample(range(len(values)), random.randint(0, len(values))):
                values[place] = number(random)
            return values

        return change

    window = ("width", "height", "binning_x", "binning_y", "roi.x_offset", "roi.y_offset", "roi.width", "roi.height")
    changes = {name: unsigned for name in window} | {name: some_numbers(name) for name in "dkrp"}
    changes |= {
        "distortion_model": lambda random: random.choice((text(random), "kannala_brandt4", "plumb_bob8")),
        "d": lambda random: [number(random) for _ in range(random.choice((0, 1, 3, 4, 5, 8, 12, 14, 15, 5000)))],
    }
    return changed(random, fields, changes)


# ---- requests ----


def bbox(random: Random) -> Fields:
    """The fields of a vision_msgs/BoundingBox2D in a picture of SIZE_WH."""
    fields = {"center": {"position": {"x": 32.0, "y": 24.0}, "theta": 0.0}, "size_x": 12.0, "size_y": 10.0}
    names = ("center.position.x", "center.position.y", "center.theta", "size_x", "size_y")
    return changed(random, fields, {name: number for name in names})


def init(random: Random) -> Fields:
    """The fields of an InitTracker request."""
    return {
        "header": header(random),
        "bbox": bbox(random),
        "normalized": random.random() < 0.3,
        "target_id": random.choice(("", "car", text(random))),
        "class_id": random.choice(("", "car", text(random))),
    }


def remove(random: Random) -> Fields:
    """The fields of a RemoveTarget request."""
    return {"target_id": random.choice(("car", text(random)))}


def enable(random: Random) -> Fields:
    """The fields of a SetBool request."""
    return {"data": random.random() < 0.5}


def detection(random: Random) -> Fields:
    """The fields of a vision_msgs/Detection2D; `results` are dictionaries."""
    results = [
        {
            "hypothesis": {
                "class_id": random.choice(("car", text(random))),
                "score": random.choice((0.9, number(random))),
            }
        }
        for _ in range(random.choice((0, 1, 1, 1, 3)))
    ]
    return {
        "header": header(random),
        "results": results,
        "bbox": bbox(random),
        "id": random.choice(("", "7", text(random))),
    }


def detections(random: Random) -> Fields:
    """The fields of a vision_msgs/Detection2DArray; `detections` are dictionaries. One of a hundred has thousands."""
    some = [detection(random) for _ in range(random.choice((0, 1, 2, 8)))]
    many = some * 1000 if random.random() < 0.01 else some
    return {"header": header(random), "detections": many}


def parameter(random: Random, defaults: dict[str, typing.Any]) -> tuple[str, typing.Any]:
    """Name and value of a parameter: of its default's type in half of the cases, else of any."""
    name = random.choice(list(defaults))
    if random.random() < 0.5:
        default = defaults[name]
        usual: dict[type, Callable[[], typing.Any]] = {
            bool: lambda: not default,
            int: lambda: random.choice((default, default + 1, 0, -1, 2**63 - 1)),
            float: lambda: random.choice((default, default * random.random(), number(random))),
            str: lambda: random.choice((default, "auto", "7000,9000", text(random))),
        }
        return name, usual[type(default)]() if type(default) in usual else [text(random)]
    kinds: tuple[Callable[[], typing.Any], ...] = (
        lambda: random.random() < 0.5,
        lambda: random.choice((0, 1, -1, 10**6, -(2**63), 2**63 - 1)),
        lambda: number(random),
        lambda: text(random),
        lambda: "[" * random.choice((1, 100, 500)),
        lambda: f"lr={text(random)}",
        lambda: "lr=" + "[" * random.choice((1, 100, 500)),
        lambda: f"{unsigned(random)},{unsigned(random)}",
    )
    value = random.choice(kinds)()
    if random.random() < 0.2:
        value = [value] * random.choice((1, 2, 100))
    return random.choice((name, text(random))), value


def target(random: Random) -> Fields:
    """The fields of a siam_tracker_ros/Target, as the follower reads it."""
    fields = {
        "header": header(random),
        "target_id": "target_1",
        "state": 1,
        "confidence": 0.9,
        "age": 10,
        "latency": {"sec": 0, "nanosec": 10**7},
        "prediction": {"sec": 0, "nanosec": 0},
        "bbox": bbox(random),
        "is_metric": True,
        "ray": {"x": 0.1, "y": -0.1, "z": math.sqrt(0.98)},
        "angular_width": 0.1,
        "angular_height": 0.1,
        "angular_velocity_covariance": [1e-4] * 9,
    }
    numbers = ("ray.x", "ray.y", "ray.z", "angular_width", "angular_height")
    changes: dict[str, Callable[[Random], typing.Any]] = {name: number for name in numbers} | {
        "confidence": single,
        "target_id": text,
        "state": lambda random: unsigned(random, 8),
        "age": unsigned,
        "latency.sec": signed,
        "prediction.sec": signed,
        "prediction.nanosec": unsigned,
        "angular_velocity_covariance": lambda random: [number(random) for _ in range(9)],
    }
    return changed(random, fields, changes)


def status(random: Random) -> Fields:
    """The fields of a siam_tracker_ros/TrackerStatus, as the MAVLink camera reads it."""
    fields = {
        "header": header(random),
        "state": 1,
        "target_id": "operator",
        "confidence": 0.9,
        "image_width": SIZE_WH[0],
        "image_height": SIZE_WH[1],
    }
    changes: dict[str, Callable[[Random], typing.Any]] = {
        "state": lambda random: unsigned(random, 8),
        "target_id": text,
        "confidence": single,
        "image_width": unsigned,
        "image_height": unsigned,
    }
    return changed(random, fields, changes)


# ---- the operator's page ----


def page_message(random: Random) -> str | bytes:
    """A message of a viewer: text, or bytes."""
    requests: tuple[Fields, ...] = (
        {"type": "init", "id": 1, "stamp_ns": "0", "box_xywh": [26, 19, 12, 10], "target_id": ""},
        {"type": "set", "id": 2, "name": "lost_confidence", "value": 0.2},
        {"type": "set", "id": 2, "name": "intensity_range", "value": "auto"},
        {"type": "set", "id": 2, "name": "detection_class", "value": "car"},
        {"type": "pause", "id": 3, "paused": False},
        {"type": "reset", "id": 4},
        {"type": "restart", "id": 5},
        {"type": "seen"},
    )
    fields = dict(random.choice(requests))
    names = fields if random.random() < 0.3 else [name for name in fields if name not in ("type", "id")]
    changed(random, fields, {name: json_value for name in names})
    whole = json.dumps(fields)
    kinds: tuple[Callable[[], str | bytes], ...] = (
        lambda: whole,
        lambda: whole,
        lambda: whole,
        lambda: mutated(random, whole.encode()).decode(errors="replace"),
        lambda: mutated(random, whole.encode()),
        lambda: json.dumps(json_value(random)),
        lambda: random.choice("[{") * random.choice((1, 500, 4000)),
        lambda: whole + " " * random.choice((1, 5000, 200_000)),
        lambda: text(random),
    )
    return random.choice(kinds)()


def json_value(random: Random) -> typing.Any:
    """Some value of JSON, with what Python adds to it: NaN and Infinity."""
    return random.choice(
        (
            None,
            True,
            False,
            number(random),
            10 ** random.randrange(400),
            -1,
            text(random),
            "\ud800",
            [],
            {},
            [number(random) for _ in range(4)],
            [[[[]]]],
            {"type": "init"},
        )
    )


def http_request(random: Random) -> bytes:
    """A request over HTTP, of bytes."""
    place = random.choice(("/", "/", "/socket", "/socket", "/../etc/passwd", "/%00", "/" + "x" * 20_000, "*", ""))
    whole = (
        f"{random.choice(('GET', 'GET', 'GET', 'POST', 'X' * 9000, ''))} {place} HTTP/1.1\r\n"
        f"Host: {random.choice(('localhost', 'localhost', 'localhost', '[', 'evil.example', ''))}\r\n"
        f"Content-Length: {random.choice((0, 0, 0, -1, 10, 10**9, 'x'))}\r\n"
        f"{random.choice(('Upgrade: websocket', 'Connection: close', 'Transfer-Encoding: chunked', ': '))}\r\n"
        f"Sec-WebSocket-Key: {random.choice(('', 'dGhlIHNhbXBsZSBub25jZQ==', '*'))}\r\n"
        f"Sec-WebSocket-Version: {random.choice((13, 8, 'x'))}\r\n\r\n"
    )
    return whole.encode() if random.random() < 0.5 else mutated(random, whole.encode())


# ---- MAVLink ----


def mavlink_message(random: Random) -> typing.Any:
    """A message of any id of the dialect `common`, with random fields; half of them are commands for this camera."""
    from pymavlink.dialects.v20 import common as mavlink

    commands = (mavlink.MAVLink_command_long_message, mavlink.MAVLink_command_int_message)
    own = (
        mavlink.MAV_CMD_CAMERA_TRACK_POINT,
        mavlink.MAV_CMD_CAMERA_TRACK_RECTANGLE,
        mavlink.MAV_CMD_CAMERA_STOP_TRACKING,
        mavlink.MAV_CMD_REQUEST_MESSAGE,
        mavlink.MAV_CMD_SET_MESSAGE_INTERVAL,
        mavlink.MAV_CMD_REQUEST_CAMERA_INFORMATION,
        mavlink.MAV_CMD_REQUEST_STORAGE_INFORMATION,
    )
    kind = random.choice(commands) if random.random() < 0.5 else random.choice(list(mavlink.mavlink_map.values()))
    values = {}
    for name, field, length in zip(kind.fieldnames, kind.fieldtypes, _lengths(kind)):
        values[name] = _field(random, field, length)
    if kind in commands:
        values |= {"command": random.choice((*own, values["command"]))}
        values |= {"target_system": random.choice((0, 1, 1, 1, values["target_system"]))}
        values |= {"target_component": random.choice((0, 100, 100, 100, values["target_component"]))}
        if random.random() < 0.5:
            values |= {f"param{i}": random.choice((0.2, 0.4, 0.6, 259.0, 275.0, 1.0)) for i in (1, 2, 3, 4)}
    return kind(**values)


def mavlink_bytes(random: Random) -> bytes:
    """A frame of MAVLink 1 or 2, or of up to three, changed in half of the cases."""
    from pymavlink.dialects.v20 import common as mavlink

    frames = []
    for _ in range(random.choice((1, 1, 1, 3))):
        system, component = random.choice(((255, 190), (random.randrange(256), random.randrange(256))))
        encoder = mavlink.MAVLink(None, system, component)
        message = mavlink_message(random)
        frames.append(message.pack(encoder, force_mavlink1=message.get_msgId() < 256 and random.random() < 0.3))
    whole = b"".join(frames)
    return whole if random.random() < 0.5 else mutated(random, whole)


def _lengths(kind: type) -> list[int]:
    """The number of entries of each field of a message class, 0 for one that is no array, in the order of its names."""
    by_name = dict(zip(kind.ordered_fieldnames, kind.array_lengths))
    return [by_name[name] for name in kind.fieldnames]


def _field(random: Random, kind: str, length: int) -> typing.Any:
    """A value of a field of MAVLink."""
    if kind == "char":
        return random.randbytes(length or 1)

    def one() -> float | int:
        if kind in ("float", "double"):
            return single(random) if kind == "float" else number(random)
        bits = int("".join(filter(str.isdigit, kind)) or 8)
        value = unsigned(random) if bits <= 32 else random.getrandbits(64)
        value %= 2**bits
        return value if kind.startswith("u") else value - 2 ** (bits - 1)

    return [one() for _ in range(length)] if length else one()
