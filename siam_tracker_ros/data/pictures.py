# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Decodes the pictures of data sets."""

import cv2
import numpy as np

from siam_tracker_ros.errors import InvalidInputError


def read_picture_bgr(path):
    """Read a picture as uint8 (H, W, 3); raises InvalidInputError where it is missing or broken."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be read ({error}), expected a picture; unpack it again") from error
    return decode_picture(content, path)


def decode_picture(content, source, flags=cv2.IMREAD_COLOR):
    """Decode bytes by one of cv2's IMREAD flags; raises InvalidInputError that names the source where they are broken.

    A JPEG that was cut short is refused: cv2.imread would make up its lower part.
    """
    image = cv2.imdecode(np.frombuffer(content, np.uint8), flags) if content else None
    if image is None:
        raise InvalidInputError(f"{source} cannot be decoded, expected a whole picture; unpack or fetch it again")
    return image
