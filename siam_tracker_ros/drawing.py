# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Draw a target onto a frame, in place: only the pixels that change are touched."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from siam_tracker_ros.core.monitor import TargetState
from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.geometry import check_image_bgr, xywh_to_corners

GREEN = (80, 220, 60)  # BGR
AMBER = (0, 190, 255)
RED = (60, 60, 235)
GREY = (190, 190, 190)
STATE_COLORS_BGR = {
    TargetState.IDLE: GREY,
    TargetState.TRACKING: GREEN,
    TargetState.UNCERTAIN: AMBER,
    TargetState.LOST: RED,
}
FONT = cv2.FONT_HERSHEY_SIMPLEX
SUBPIXEL_BITS = 3  # OpenCV draws lines at fractions of 1/8 pixel
FAR = 30000.0  # corners further out are moved in: OpenCV's drawing overflows beyond about 2 ** 15 pixels


def draw_target(
    image_bgr: np.ndarray,
    box_xywh: ArrayLike | None,
    text: str = "",
    color_bgr: Sequence[int] = GREEN,
    mask: np.ndarray | None = None,
    polygon: ArrayLike | None = None,
) -> None:
    """Draw a target's mask, box, rotated box and caption onto a frame, in place.

    Args:
        image_bgr: uint8 (H, W, 3), changed.
        box_xywh: left, top, width, height in pixels; None or NaN draws no box, and the caption stands in the
            frame's top left corner.
        text: caption, one line, ASCII (OpenCV's font has no other characters).
        color_bgr: blue, green, red, each 0..255.
        mask: bool or uint8 (H, W), tinted where not zero; or None.
        polygon: (N, 2) corners in pixels, drawn in place of the box; or None.

    Raises:
        InvalidInputError: the image is not uint8 (H, W, 3) or is read-only, or the mask has another size.
    """
    check_image_bgr(image_bgr)
    if not image_bgr.flags.writeable:
        raise InvalidInputError("image is read-only, expected one that can be drawn on; pass image_bgr.copy()")
    if mask is not None:
        _tint(image_bgr, np.asarray(mask), color_bgr)
    corners = polygon
    if corners is None and box_xywh is not None:
        corners = xywh_to_corners(box_xywh)
    anchor = (0.0, 0.0)
    if corners is not None and np.isfinite(corners).all():
        corners = np.clip(np.asarray(corners, dtype=np.float64), -FAR, FAR)
        _outline(image_bgr, corners, color_bgr)
        anchor = corners.min(axis=0)
    if text:
        _caption(image_bgr, text, anchor, color_bgr)


def mask_image(mask: np.ndarray, value: int = 255) -> np.ndarray:
    """Return a mask, bool (H, W), as an image: uint8 (H, W), `value` (1..255) on the target and 0 elsewhere."""
    return mask.view(np.uint8) * np.uint8(value)


def write_mask(path: Path, mask: np.ndarray, value: int = 255) -> None:
    """Write a mask, bool (H, W), as a PNG file; its folder is made where needed.

    Args:
        path: file to write, ending in .png.
        mask: bool (H, W).
        value: of the target's pixels, 1..255; the others are 0.

    Raises:
        InvalidInputError: the file cannot be written.
    """
    write_png(path, mask_image(mask, value))


def write_png(path: Path, image: np.ndarray) -> None:
    """Write an image, uint8 (H, W), as a PNG file; its folder is made where needed.

    Raises:
        InvalidInputError: the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _, content = cv2.imencode(".png", image)
    try:
        path.write_bytes(content.tobytes())  # cv2.imwrite takes no names that are not UTF-8
    except OSError as error:
        raise InvalidInputError(
            f"{path} cannot be written ({error.strerror}); check the folder's rights and the space on the disk"
        ) from error


def ink_bgr(color_bgr: Sequence[int]) -> tuple[int, int, int]:
    """Return black or white, whichever can be read on a colour."""
    brightness = np.dot(color_bgr, (0.114, 0.587, 0.299))
    return (0, 0, 0) if brightness > 110 else (255, 255, 255)


def _line_width(image_bgr: np.ndarray) -> int:
    return max(1, round(min(image_bgr.shape[:2]) / 240))


def _tint(image_bgr: np.ndarray, mask: np.ndarray, color_bgr: Sequence[int]) -> None:
    if mask.shape != image_bgr.shape[:2]:
        raise InvalidInputError(f"mask is {mask.shape}, expected {image_bgr.shape[:2]}, the frame's height and width")
    mask = (mask != 0).view(np.uint8)
    x, y, w, h = cv2.boundingRect(mask)
    if w == 0:
        return
    part, inside = image_bgr[y : y + h, x : x + w], mask[y : y + h, x : x + w]
    chosen = inside.astype(bool)
    part[chosen] = part[chosen] // 2 + np.array(color_bgr, dtype=np.uint8) // 2
    contours, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE, offset=(x, y))
    cv2.drawContours(image_bgr, contours, -1, color_bgr, 1)


def _outline(image_bgr: np.ndarray, corners: NDArray[np.float64], color_bgr: Sequence[int]) -> None:
    # A pixel's centre is at i + 0.5 in our convention and at i in OpenCV's.
    points = np.round((corners - 0.5) * 2**SUBPIXEL_BITS).astype(np.int32)
    cv2.polylines(image_bgr, [points], True, color_bgr, _line_width(image_bgr), cv2.LINE_AA, SUBPIXEL_BITS)


def _caption(image_bgr: np.ndarray, text: str, anchor: Sequence[float], color_bgr: Sequence[int]) -> None:
    """Draw dark or light letters on a filled bar above the anchor, or as near to it as the frame allows."""
    height, width = image_bgr.shape[:2]
    line = _line_width(image_bgr)
    scale = max(0.4, min(height, width) / 900)
    (text_w, text_h), base = cv2.getTextSize(text, FONT, scale, line)
    bar_w, bar_h = text_w + 2 * line, text_h + base + 2 * line
    left = int(np.clip(anchor[0], 0, max(0, width - bar_w)))
    top = int(np.clip(anchor[1] - bar_h - line, 0, max(0, height - bar_h)))
    cv2.rectangle(image_bgr, (left, top), (left + bar_w, top + bar_h), color_bgr, cv2.FILLED)
    cv2.putText(image_bgr, text, (left + line, top + line + text_h), FONT, scale, ink_bgr(color_bgr), line, cv2.LINE_AA)
