# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Prepared crops of 511 pixels, and how the published trackers vary them when they learn.

Each author draws in an order of their own, which is kept: with the generator in the same state, the same pictures come
out. A generator is a numpy.random.RandomState, NumPy's legacy one, because that is what they used; SiamMask draws its
uniform numbers from a random.Random. A shift of up to 64 pixels teaches that a target may be anywhere (spatial aware
sampling, SiamRPN++, Li et al. 2019, section 3.1).
"""

import dataclasses
import typing

import cv2
import numpy as np

from siam_tracker_ros.core.crop import mean_bgr
from siam_tracker_ros.core.response import context_side
from siam_tracker_ros.geometry import cxcywh_to_xyxy

PREPARED_SIDE = 511
TEMPLATE_SIDE = 127
BLUR_SIDES = np.arange(5, 46, 2)

# Principal colour directions of ImageNet in 0..255, red, green and blue by row; AlexNet's authors made them known.
COLOR_DIRECTIONS = np.float32(
    [
        [-0.55919361, 0.98062831, -0.41940627],
        [1.72091413, 0.19879334, -1.82968581],
        [4.64467907, 4.73710203, 4.88324118],
    ]
)


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """How far a crop is varied.

    Attributes:
        shift: pixels, at most, in x and in y.
        scale: width and height of the view are 1 +- scale of the usual, each for itself.
        blur, flip, color: how often, 0..1; a method heeds some of them, see `methods.Method`.
    """

    RANGES: typing.ClassVar = {"scale": (0, 0.9), "blur": (0, 1), "flip": (0, 1), "color": (0, 1)}

    shift: float
    scale: float
    blur: float = 0.0
    flip: float = 0.0
    color: float = 1.0


def prepared_window(box_xyxy, inclusive=False):
    """The square (x1, y1, x2, y2) of an image that its prepared crop of 511 pixels shows.

    inclusive: the box's last pixel is at x2, not before it, and counts in its size, as in SiamMask's COCO.
    """
    box = np.asarray(box_xyxy, np.float64)
    center = (box[:2] + box[2:]) / 2
    half = context_side(*(box[2:] - box[:2] + inclusive)) * PREPARED_SIDE / TEMPLATE_SIDE / 2
    return np.concatenate([center - half, center + half])


def prepare_crop(image, box_xyxy, inclusive=False, fill=None):
    """Cut the prepared crop (511, 511, 3) of a target.

    fill: colour (3,) of what lies outside the image; None for the image's mean colour.
    """
    fill = mean_bgr(image) if fill is None else fill
    return warp_window(image, prepared_window(box_xyxy, inclusive), PREPARED_SIDE, fill)


def prepare_mask(mask, box_xyxy, threshold=0.5, inclusive=False):
    """Cut the prepared mask, bool (511, 511), of a mask (H, W) of zeros and ones.

    The threshold is 0.5 for COCO and 0.2 for the smaller pictures of YouTube-VOS.
    """
    window = prepared_window(box_xyxy, inclusive)
    return warp_window(mask.astype(np.float32), window, PREPARED_SIDE) > threshold


def prepared_box(size_wh, side=PREPARED_SIDE):
    """The target's box in its prepared crop as x1, y1, x2, y2; size_wh: the target's in the image it was cut from."""
    size = np.asarray(size_wh, np.float64)
    return cxcywh_to_xyxy(np.concatenate([[side // 2] * 2, size * TEMPLATE_SIDE / context_side(*size)]))


def warp_window(image, window_xyxy, side, fill=0):
    """Show a window of an image in `side` pixels: corners of the window come to lie on the centres of corner pixels."""
    x1, y1, x2, y2 = (float(value) for value in window_xyxy)
    a, b = (side - 1) / (x2 - x1), (side - 1) / (y2 - y1)
    matrix = np.array([[a, 0, -a * x1], [0, b, -b * y1]])
    fill = tuple(float(value) for value in np.broadcast_to(fill, 3))
    return cv2.warpAffine(image, matrix, (side, side), borderMode=cv2.BORDER_CONSTANT, borderValue=fill)


def varied_window(image_side, side, shift_xy, scale_xy):
    """The window (x1, y1, x2, y2) of `side` pixels in the middle of an image, scaled and shifted as far as it allows.

    Returns the window and the scale (2,) that it has.
    """
    scale = np.minimum(scale_xy, image_side / side)
    low = image_side // 2 - side * scale * 0.5
    high = image_side // 2 + side * scale * 0.5
    shift = np.maximum(-low, np.minimum(image_side - 1 - high, shift_xy))
    return np.concatenate([low + shift, high + shift]), scale


def box_in_window(box_xyxy, window_xyxy, scale_xy):
    """Where a box of the image lies in a window that has been scaled."""
    return (np.asarray(box_xyxy, np.float64) - np.tile(window_xyxy[:2], 2)) / np.tile(scale_xy, 2)


def cross_kernel(side, upright_share):
    """Blur kernel (side, side) of one column, which has that share of the weight, and one row."""
    kernel = np.zeros((side, side))
    kernel[:, side // 2] += upright_share / side
    kernel[side // 2] += (1 - upright_share) / side
    return kernel


def shift_color(image, normal):
    """Shift all pixels along ImageNet's colour directions by three normal numbers; float32, not clipped to 0..255."""
    return image - (COLOR_DIRECTIONS @ np.asarray(normal).reshape(3))[::-1].astype(np.float32)


def to_grey(image_bgr):
    """The image without colour, still of three channels."""
    return cv2.cvtColor(cv2.cvtColor(image_bgr, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)


def augment_pysot(image_bgr, box_xyxy, side, augmentation, random):
    """Vary a prepared crop as PySOT does.

    Args:
        image_bgr: uint8, square.
        box_xyxy: the target's in it.
        side: of the view and of the result.
        augmentation: Augmentation.
        random: numpy.random.RandomState.

    Returns:
        The view, float32 (side, side, 3), about 0..255, and the target's box in it.
    """
    scale = 1 + both_signs(random, 2) * augmentation.scale if augmentation.scale else np.ones(2)
    shift = both_signs(random, 2) * augmentation.shift if augmentation.shift else np.zeros(2)
    window, scale = varied_window(len(image_bgr), side - 1, shift, scale)
    box = box_in_window(box_xyxy, window, scale)
    image = warp_window(image_bgr, window, side).astype(np.float32)
    if augmentation.color > random.random_sample():
        image = shift_color(image, random.randn(3, 1))
    if augmentation.blur > random.random_sample():
        kernel_side = random.choice(BLUR_SIDES)
        image = cv2.filter2D(image, -1, cross_kernel(kernel_side, random.random_sample()))
    if augmentation.flip and augmentation.flip > random.random_sample():
        image, box = cv2.flip(image, 1), _mirror(box, side)
    return image, box


def both_signs(random, count):
    """Uniform numbers from -1 to 1, drawn one after the other."""
    return np.array([random.random() * 2 - 1 for _ in range(count)])


def _mirror(box_xyxy, side):
    x1, y1, x2, y2 = box_xyxy
    return np.array([side - 1 - x2, y1, side - 1 - x1, y2])
