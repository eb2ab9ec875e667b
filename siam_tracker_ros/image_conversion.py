# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Conversion between image messages and NumPy arrays, without cv_bridge.

A `bgr8` image is not copied: the array is a view of the message's data.
"""

import dataclasses
import re
import typing
from typing import Any

import cv2
import numpy as np

from siam_tracker_ros.errors import InvalidInputError, shortened, shown
from siam_tracker_ros.images import decode_bgr
from siam_tracker_ros.intensity import IntensityStretch


class ImageFields(typing.Protocol):
    """The fields of sensor_msgs/Image."""

    header: Any
    height: int
    width: int
    encoding: str
    is_bigendian: int
    step: int
    data: Any


class CompressedImageFields(typing.Protocol):
    """The fields of sensor_msgs/CompressedImage."""

    header: Any
    format: str
    data: Any


@dataclasses.dataclass(frozen=True)
class _Layout:
    """Memory layout of an encoding, and the OpenCV conversion from it to BGR; None: it is BGR.

    Attributes:
        rows: rows in memory for every two rows of the image, colour planes included.
        even: the sides that have to be even, since pixels share a colour sample: "", "width" or "width and height".
    """

    channels: int
    channel_bytes: int = 1
    to_bgr: int | None = None
    rows: int = 2
    even: str = ""


# OpenCV names a Bayer pattern by the second and third pixel of the second row, ROS by the first four pixels: RGGB in
# ROS is BG in OpenCV.
_BAYER_TO_BGR = {
    "bayer_rggb": cv2.COLOR_BayerBG2BGR,
    "bayer_bggr": cv2.COLOR_BayerRG2BGR,
    "bayer_gbrg": cv2.COLOR_BayerGR2BGR,
    "bayer_grbg": cv2.COLOR_BayerGB2BGR,
}

_COLOR_TO_BGR = {
    "bgr": (3, None),
    "rgb": (3, cv2.COLOR_RGB2BGR),
    "bgra": (4, cv2.COLOR_BGRA2BGR),
    "rgba": (4, cv2.COLOR_RGBA2BGR),
    "mono": (1, cv2.COLOR_GRAY2BGR),
}

_NV24 = "nv24"

_LAYOUTS = {
    "8UC1": _Layout(1, 1, cv2.COLOR_GRAY2BGR),
    "8UC3": _Layout(3),
    "8UC4": _Layout(4, 1, cv2.COLOR_BGRA2BGR),
    "16UC1": _Layout(1, 2, cv2.COLOR_GRAY2BGR),
    "uyvy": _Layout(2, 1, cv2.COLOR_YUV2BGR_UYVY, even="width"),
    "yuv422": _Layout(2, 1, cv2.COLOR_YUV2BGR_UYVY, even="width"),
    "yuyv": _Layout(2, 1, cv2.COLOR_YUV2BGR_YUY2, even="width"),
    "yuv422_yuy2": _Layout(2, 1, cv2.COLOR_YUV2BGR_YUY2, even="width"),
    "nv12": _Layout(1, 1, cv2.COLOR_YUV2BGR_NV12, rows=3, even="width and height"),
    "nv21": _Layout(1, 1, cv2.COLOR_YUV2BGR_NV21, rows=3, even="width and height"),
    _NV24: _Layout(1, rows=6),
    **{f"{name}8": _Layout(channels, 1, code) for name, (channels, code) in _COLOR_TO_BGR.items()},
    **{f"{name}16": _Layout(channels, 2, code) for name, (channels, code) in _COLOR_TO_BGR.items()},
    **{f"{name}8": _Layout(1, 1, code) for name, code in _BAYER_TO_BGR.items()},
    **{f"{name}16": _Layout(1, 2, code) for name, code in _BAYER_TO_BGR.items()},
}

# From Y, U, V to B, G, R by BT.601 in video range, as OpenCV converts the other YUV encodings; it does not know nv24.
_YUV_TO_BGR = np.array([[1.164, 2.018, 0.0], [1.164, -0.391, -0.813], [1.164, 0.0, 1.596]])
_YUV_OFFSETS = np.array([16.0, 128.0, 128.0])

ENCODINGS = tuple(sorted(_LAYOUTS))
"""Names of the encodings that `image_to_bgr` converts without cv_bridge."""

_DEPTH_UNITS = {"16UC1": (2, 1e-3), "mono16": (2, 1e-3), "32FC1": (4, 1.0)}  # bytes, metres of the value 1

_FORMAT = re.compile(r"\s*(\w+)\s*;\s*\w+ compressed\s*(\w*)")  # of image_transport: source; codec compressed target


@dataclasses.dataclass(frozen=True, eq=False)
class DepthImage:
    """Depths along the optical axis.

    Attributes:
        values: uint16 or float32 (H, W), in the byte order of the message; what is 0, negative or not finite is not
            measured.
        unit_m: metres of the value 1.
    """

    values: np.ndarray
    unit_m: float


def image_to_bgr(msg: ImageFields, stretch: IntensityStretch | None = None) -> np.ndarray:
    """Return a sensor_msgs/Image as image_bgr, uint8 (height, width, 3).

    A `bgr8` image is a view of the message: treat it as read-only.

    Args:
        msg: the message.
        stretch: of the stream that a 16-bit image belongs to. None: of this image alone.

    Raises:
        InvalidInputError: the message contradicts itself, or its encoding cannot be converted here.
    """
    if msg.height == 0 or msg.width == 0:
        raise InvalidInputError(
            f"image is {msg.width} x {msg.height} pixels, expected at least 1 x 1; check the camera driver"
        )
    layout = _LAYOUTS.get(msg.encoding)
    if layout is None:
        return _convert_with_cv_bridge(msg)
    if ("width" in layout.even and msg.width % 2) or ("height" in layout.even and msg.height % 2):
        raise InvalidInputError(
            f"image is {msg.width} x {msg.height} in encoding {msg.encoding}, which needs even sides; "
            "crop it, or publish it as bgr8"
        )
    rows = _rows(msg, layout)
    if msg.encoding == _NV24:
        return _nv24_to_bgr(rows, msg.width, msg.height)
    pixels = rows[:, : msg.width * layout.channels * layout.channel_bytes]
    if layout.channel_bytes == 2:
        pixels = np.ascontiguousarray(pixels).view(">u2" if msg.is_bigendian else "<u2").astype(np.uint16, copy=False)
        pixels = (IntensityStretch() if stretch is None else stretch).to_uint8(pixels)
    pixels = pixels.reshape(len(rows), msg.width, layout.channels) if layout.channels > 1 else pixels
    return pixels if layout.to_bgr is None else cv2.cvtColor(pixels, layout.to_bgr)


def image_to_depth(msg: ImageFields) -> DepthImage:
    """Return a sensor_msgs/Image of depths as a DepthImage: 16UC1 in millimetres, or 32FC1 in metres.

    Raises:
        InvalidInputError: the message contradicts itself, or its encoding is not that of depths.
    """
    if msg.encoding not in _DEPTH_UNITS:
        raise InvalidInputError(
            f"the encoding of the depth image is {shown(msg.encoding)}, expected 16UC1 with millimetres or 32FC1 with "
            "metres; check the topic"
        )
    channel_bytes, unit_m = _DEPTH_UNITS[msg.encoding]
    pixels = np.ascontiguousarray(_rows(msg, _Layout(1, channel_bytes))[:, : msg.width * channel_bytes])
    order, kind = ">" if msg.is_bigendian else "<", "u" if channel_bytes == 2 else "f"
    return DepthImage(pixels.view(f"{order}{kind}{channel_bytes}"), unit_m)


def compressed_to_bgr(msg: CompressedImageFields, stretch: IntensityStretch | None = None) -> np.ndarray:
    """Return a sensor_msgs/CompressedImage as image_bgr, uint8 (height, width, 3).

    JPEG, PNG and other formats that OpenCV reads are recognized by their content. The format field says which order
    of colours was compressed, as image_transport writes it: "rgb8; jpeg compressed bgr8" holds blue first,
    "rgb8; tiff compressed " red first as its source, "bayer_rggb8; png compressed " the pattern of the sensor. Without
    such words, the file has the usual order. An orientation tag in the file is ignored: pixels stay where the camera
    has them.

    Args:
        msg: the message.
        stretch: of the stream that a 16-bit image belongs to. None: of this image alone.

    Raises:
        InvalidInputError: the data is empty, cut off, or not an image that can be decoded. A JPEG damaged in its
            middle is not detected and decodes to wrong pixels; only a reliable link prevents that.
    """
    data = np.frombuffer(msg.data, np.uint8)
    what = f"compressed image of {data.size} bytes, format {shown(msg.format)},"
    if "compressedDepth" in msg.format:
        raise InvalidInputError(f"{what} is a depth image, expected jpeg or png of a colour or grey camera")
    if data.size == 0:
        raise InvalidInputError(f"{what} has no data, expected a jpeg or png file; check the publisher")
    image = decode_bgr(data, what, turn=False, stretch=stretch)
    named = _FORMAT.match(msg.format.lower())
    compressed = (named[2] or named[1]) if named else ""
    if compressed.startswith("rgb"):
        return cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    if compressed.startswith("bayer_"):
        to_bgr = _BAYER_TO_BGR.get(compressed.rstrip("0123456789"))
        return image if to_bgr is None else cv2.cvtColor(cv2.extractChannel(image, 0), to_bgr)
    return image


def fill_image(msg: ImageFields, image: np.ndarray, encoding: str, header: Any) -> Any:
    """Fill an empty sensor_msgs/Image from a uint8 array and return it.

    Args:
        msg: Image with no data yet.
        image: uint8 (H, W) for `mono8`, uint8 (H, W, 3) for `bgr8`.
        encoding: `mono8` or `bgr8`.
        header: std_msgs/Header of the result, not copied.

    Raises:
        ValueError: the array has another type or shape.
    """
    channels = {"mono8": 1, "bgr8": 3}[encoding]
    if image.dtype != np.uint8 or image.shape[2:] != (() if channels == 1 else (channels,)):
        raise ValueError(f"image is {image.dtype} {image.shape}, expected uint8 for {encoding}")
    msg.header = header
    msg.height, msg.width = image.shape[:2]
    msg.encoding = encoding
    msg.is_bigendian = 0
    msg.step = msg.width * channels
    # The setter of `data` checks the pixels one by one; filling the existing array is one copy.
    msg.data.frombytes(np.ascontiguousarray(image).data)
    return msg


def fill_compressed(
    msg: CompressedImageFields, image: np.ndarray, encoding: str, header: Any, jpeg_quality: int
) -> Any:
    """Fill an empty sensor_msgs/CompressedImage as image_transport's plugin does, and return it.

    Args:
        msg: CompressedImage with no data yet.
        image: uint8 (H, W) for `mono8`, which becomes a PNG, without loss; uint8 (H, W, 3) for `bgr8`, a JPEG.
        encoding: `mono8` or `bgr8`.
        header: std_msgs/Header of the result, not copied.
        jpeg_quality: 1..100.
    """
    # The plugin names the order of a JPEG's colours; of a grey PNG it names nothing, and leaves the space before it.
    codec, msg.format = {
        "mono8": (".png", "mono8; png compressed "),
        "bgr8": (".jpg", "bgr8; jpeg compressed bgr8"),
    }[encoding]
    _, content = cv2.imencode(codec, image, [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality] if codec == ".jpg" else [])
    msg.header = header
    msg.data.frombytes(content.data)
    return msg


def _rows(msg: ImageFields, layout: _Layout) -> np.ndarray:
    """Return the rows of an image with their padding, uint8 (rows, step), as a view."""
    row_bytes = msg.width * layout.channels * layout.channel_bytes
    if msg.step < row_bytes:
        raise InvalidInputError(
            f"image step is {msg.step} bytes, expected at least {row_bytes} for {msg.width} pixels of "
            f"{msg.encoding}; check the publisher's step and encoding"
        )
    rows = msg.height * layout.rows // 2
    data = np.frombuffer(msg.data, np.uint8)
    if data.size < rows * msg.step:
        raise InvalidInputError(
            f"image has {data.size} bytes, expected {rows * msg.step} for {msg.width} x {msg.height} pixels "
            f"of {msg.encoding} at step {msg.step}; check the publisher, and the link for lost data"
        )
    return data[: rows * msg.step].reshape(rows, msg.step)


def _nv24_to_bgr(rows: np.ndarray, width: int, height: int) -> np.ndarray:
    """Convert a plane of Y and one of U, V, U, V, ... of the same resolution, uint8 (3 height, step)."""
    colour = rows[height:].reshape(height, -1)[:, : 2 * width].reshape(height, width, 2)
    yuv = cv2.merge([rows[:height, :width], colour[..., 0], colour[..., 1]])
    return cv2.transform(yuv, np.column_stack([_YUV_TO_BGR, -_YUV_TO_BGR @ _YUV_OFFSETS]))


def _convert_with_cv_bridge(msg: ImageFields) -> np.ndarray:
    """Convert an encoding outside ENCODINGS with cv_bridge, where it is installed."""
    expected = f"expected one of {', '.join(ENCODINGS)}"
    try:
        from cv_bridge import CvBridge
    except (ImportError, AttributeError) as error:  # AttributeError: built for another major version of NumPy
        raise InvalidInputError(
            f"image encoding is {shown(msg.encoding)}, {expected}; publish one of these, or install cv_bridge "
            f"({shortened(str(error))})"
        ) from error
    try:
        return np.ascontiguousarray(CvBridge().imgmsg_to_cv2(msg, "bgr8"))
    except Exception as error:  # cv_bridge raises its own error type and, for broken data, many others
        raise InvalidInputError(
            f"image encoding is {shown(msg.encoding)}, {expected}, and cv_bridge cannot convert it either: "
            f"{shortened(str(error))}"
        ) from error
