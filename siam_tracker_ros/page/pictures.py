# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the page shows of one frame, and its message: a JSON header and a JPEG."""

import dataclasses
import json
import math
import struct
import typing
from collections.abc import Sequence

import cv2
import numpy as np

from siam_tracker_ros.core.session import Observation

MAX_SIDE = 1280  # pixels of a picture that is sent; larger images are reduced
JPEG_QUALITY = 80
_OUTLINE_ERROR = 1.0  # pixels by which the outline that is sent may differ from that of the mask


@dataclasses.dataclass(frozen=True, eq=False)
class TargetView:
    """One target in a frame.

    Attributes:
        target_id: its name.
        observation: what the frame says about it.
        candidates_xywh: places in this frame that might be the target's, float64 (4,) each.
    """

    target_id: str
    observation: Observation
    candidates_xywh: Sequence[np.ndarray] = ()


@dataclasses.dataclass(frozen=True, eq=False)
class Picture:
    """One frame as the page shows it. Nothing is drawn or encoded before a viewer gets it.

    Attributes:
        stamp_ns: stamp of the image in nanoseconds, which a box that is drawn in it comes back with.
        image_bgr: uint8 (H, W, 3), which nobody changes any more.
        targets: all targets.
        latency_ms: from the stamp to now; NaN where it is not known.
        paused: whether nothing is tracked until somebody goes on.
        position: number of the frame and number of frames in a recording; None for a camera.
    """

    stamp_ns: int
    image_bgr: np.ndarray
    targets: Sequence[TargetView] = ()
    latency_ms: float = math.nan
    paused: bool = False
    position: tuple[int, int | None] | None = None


def encode_picture(picture: Picture, number: int) -> bytes:
    """Return the message of a picture: four bytes, the length of the header in little-endian order; header; JPEG.

    The header is JSON. Boxes and outlines are in pixels of the image, whose size it states; the JPEG may be smaller.

    Args:
        picture: what to show.
        number: number of the picture.
    """
    image_bgr = picture.image_bgr
    height, width = image_bgr.shape[:2]
    header = {
        "number": number,
        "stamp_ns": str(picture.stamp_ns),
        "size_wh": [width, height],
        "targets": [_describe(target) for target in picture.targets],
        "latency_ms": _rounded(picture.latency_ms),
        "paused": picture.paused,
        "position": picture.position,
    }
    head = json.dumps(header, allow_nan=False, separators=(",", ":")).encode()
    scale = MAX_SIDE / max(width, height)
    if scale < 1:
        size_wh = max(1, round(width * scale)), max(1, round(height * scale))
        image_bgr = cv2.resize(image_bgr, size_wh, interpolation=cv2.INTER_AREA)
    _, jpeg = cv2.imencode(".jpg", image_bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return b"".join((struct.pack("<I", len(head)), head, jpeg.tobytes()))


def _describe(target: TargetView) -> dict[str, typing.Any]:
    seen = target.observation
    return {
        "id": target.target_id,
        "state": seen.state.name,
        "confidence": _rounded(seen.confidence),
        "inference_ms": _rounded(seen.inference_ms),
        "search_progress": _rounded(seen.search_progress),
        "box_xywh": _rounded_box(seen.box_xywh),
        "outline": _outline(seen),
        "candidates_xywh": [_rounded_box(box_xywh) for box_xywh in target.candidates_xywh],
    }


def _outline(seen: Observation) -> list[list[list[float]]]:
    """Return the mask's outline, or the rotated box of a model without masks."""
    if seen.mask is not None:
        return mask_outline(seen.mask)
    return [] if seen.polygon is None else [np.round(seen.polygon, 2).tolist()]


def mask_outline(mask: np.ndarray) -> list[list[list[float]]]:
    """Return the outer contours of a mask, bool (H, W), as lists of points [x, y] in pixels of the frame."""
    contours, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    points = (cv2.approxPolyDP(contour, _OUTLINE_ERROR, True)[:, 0] for contour in contours)
    # A pixel's centre is at i + 0.5 in our convention and at i in OpenCV's.
    return [(part + 0.5).tolist() for part in points]


def _rounded(value: float) -> float | None:
    """Return a number with three decimals, None for one that JSON does not have."""
    return round(float(value), 3) if math.isfinite(value) else None


def _rounded_box(box_xywh: np.ndarray | None) -> list[float] | None:
    """Return a box with two decimals, None for none and for one that is not finite."""
    return np.round(box_xywh, 2).tolist() if box_xywh is not None and np.isfinite(box_xywh).all() else None
