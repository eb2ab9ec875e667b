# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Decoding the images of data sets."""

import pathlib

import cv2
import numpy as np

from siam_tracker_ros.errors import InvalidInputError


def read_image_bgr(path: pathlib.Path) -> np.ndarray:
    """Read an image as uint8 (H, W, 3); raises InvalidInputError if it is missing or broken."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be read ({error}), expected an image; unpack it again") from error
    return decode_image(content, path)


def decode_image(content: bytes, source: object, flags: int = cv2.IMREAD_COLOR) -> np.ndarray:
    """Decode an image with one of cv2's IMREAD flags.

    A truncated JPEG is refused; cv2.imread would fill its lower part with grey.

    Raises:
        InvalidInputError: it is broken; the message names the source.
    """
    image = cv2.imdecode(np.frombuffer(content, np.uint8), flags) if content else None
    if image is None:
        raise InvalidInputError(f"{source} cannot be decoded, expected an intact image; unpack or fetch it again")
    return image
