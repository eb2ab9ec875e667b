# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Prepared crops of 511 pixels, and the augmentation of the published trackers.

The authors' order of random numbers is kept: the same state of the generator gives the same image. The generator is
numpy.random.RandomState, NumPy's legacy generator, as in the authors' code; SiamMask draws uniform numbers from
random.Random. A shift of up to 64 pixels avoids a bias to the centre (spatial aware sampling, SiamRPN++, Li et al.
2019, section 3.1).
"""

import dataclasses
import typing
from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from siam_tracker_ros.core.crop import TEMPLATE_SIDE, mean_bgr
from siam_tracker_ros.core.response import context_side
from siam_tracker_ros.geometry import cxcywh_to_xyxy
from siam_tracker_ros.settings import setting

PREPARED_SIDE = 511
BLUR_SIDES = np.arange(5, 46, 2)

# Principal components of ImageNet's colours in 0..255, rows are red, green and blue (Krizhevsky et al. 2012).
COLOR_DIRECTIONS = np.array(
    [
        [-0.55919361, 0.98062831, -0.41940627],
        [1.72091413, 0.19879334, -1.82968581],
        [4.64467907, 4.73710203, 4.88324118],
    ],
    np.float32,
)


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """Strength of the augmentation of a crop. A method uses some of the probabilities, see `PairTraining.varies`."""

    shift: float = setting(meaning="Maximum shift in x and in y, in pixels.")
    scale: float = setting(
        meaning="Width and height of the view vary independently by a factor of 1 +- scale.", high=0.9
    )
    blur: float = setting(0.0, "Probability that the crop is blurred.", 0, 1)
    flip: float = setting(0.0, "Probability that the crop is mirrored.", 0, 1)
    color: float = setting(1.0, "Probability that the colours of the crop are shifted.", 0, 1)


class Uniform(typing.Protocol):
    """Generator of uniform random numbers: numpy.random.RandomState or random.Random."""

    def random(self) -> float:
        """Return a number in 0..1."""


def prepared_window(box_xyxy: np.ndarray, inclusive: bool = False) -> np.ndarray:
    """Return the square (x1, y1, x2, y2) of an image that the prepared crop of 511 pixels shows.

    inclusive: the box includes the pixel at x2 and y2, as in SiamMask's COCO.
    """
    box = np.asarray(box_xyxy, np.float64)
    center = (box[:2] + box[2:]) / 2
    half = context_side(*(box[2:] - box[:2] + inclusive)) * PREPARED_SIDE / TEMPLATE_SIDE / 2
    return np.concatenate([center - half, center + half])


def prepare_crop(
    image: np.ndarray, box_xyxy: np.ndarray, inclusive: bool = False, fill: np.ndarray | None = None
) -> np.ndarray:
    """Cut the prepared crop (511, 511, 3) of a target.

    fill: padding colour (3,); None for the mean colour of the image.
    """
    fill = mean_bgr(image) if fill is None else fill
    return warp_window(image, prepared_window(box_xyxy, inclusive), PREPARED_SIDE, fill)


def prepare_mask(mask: np.ndarray, box_xyxy: np.ndarray, threshold: float = 0.5, inclusive: bool = False) -> np.ndarray:
    """Cut the prepared mask, bool (511, 511), out of a mask (H, W) of zeros and ones.

    The threshold is 0.5 for COCO and 0.2 for YouTube-VOS, whose images are smaller.
    """
    window = prepared_window(box_xyxy, inclusive)
    return warp_window(mask.astype(np.float32), window, PREPARED_SIDE) > threshold


def prepared_box(size_wh: Sequence[float], side: int = PREPARED_SIDE) -> np.ndarray:
    """Return the target's box x1, y1, x2, y2 in its prepared crop; size_wh is its size in the source image."""
    size = np.asarray(size_wh, np.float64)
    return cxcywh_to_xyxy(np.concatenate([[side // 2] * 2, size * TEMPLATE_SIDE / context_side(*size)]))


def warp_window(image: np.ndarray, window_xyxy: Iterable[float], side: int, fill: float | np.ndarray = 0) -> np.ndarray:
    """Resample a window of an image to (side, side); its corners map to the centres of the corner pixels."""
    x1, y1, x2, y2 = (float(value) for value in window_xyxy)
    a, b = (side - 1) / (x2 - x1), (side - 1) / (y2 - y1)
    matrix = np.array([[a, 0, -a * x1], [0, b, -b * y1]])
    color = tuple(float(value) for value in np.broadcast_to(fill, 3))
    return cv2.warpAffine(image, matrix, (side, side), borderMode=cv2.BORDER_CONSTANT, borderValue=color)


def varied_window(
    image_side: int, side: int, shift_xy: np.ndarray, scale_xy: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the central window of `side` pixels, scaled and shifted as far as the image allows.

    Returns:
        The window x1, y1, x2, y2 and its actual scale (2,).
    """
    scale = np.minimum(scale_xy, image_side / side)
    low = image_side // 2 - side * scale * 0.5
    high = image_side // 2 + side * scale * 0.5
    shift = np.maximum(-low, np.minimum(image_side - 1 - high, shift_xy))
    return np.concatenate([low + shift, high + shift]), scale


def box_in_window(box_xyxy: np.ndarray, window_xyxy: np.ndarray, scale_xy: np.ndarray) -> np.ndarray:
    """Transform a box of the image to a window of the given scale."""
    return (np.asarray(box_xyxy, np.float64) - np.tile(window_xyxy[:2], 2)) / np.tile(scale_xy, 2)


def cross_kernel(side: int, upright_share: float) -> np.ndarray:
    """Return a blur kernel (side, side): a column with the given share of the weight, and a row with the rest."""
    kernel = np.zeros((side, side))
    kernel[:, side // 2] += upright_share / side
    kernel[side // 2] += (1 - upright_share) / side
    return kernel


def shift_color(image: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Shift the colours along ImageNet's principal components by three normal numbers; float32, not clipped."""
    return image - (COLOR_DIRECTIONS @ np.asarray(normal).reshape(3))[::-1].astype(np.float32)


def to_grey(image_bgr: np.ndarray) -> np.ndarray:
    """Return the grey image, with three equal channels."""
    return cv2.cvtColor(cv2.cvtColor(image_bgr, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)


def augment_pysot(
    image_bgr: np.ndarray, box_xyxy: np.ndarray, side: int, augmentation: Augmentation, random: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray]:
    """Augment a prepared crop as PySOT does.

    Args:
        image_bgr: square.
        box_xyxy: of the target in it.
        side: of the view.
        augmentation: its strength.
        random: generator.

    Returns:
        The view, float32 (side, side, 3), about 0..255, and the target's box in it.
    """
    scale = 1 + both_signs(random, 2) * augmentation.scale if augmentation.scale else np.ones(2)
    shift = both_signs(random, 2) * augmentation.shift if augmentation.shift else np.zeros(2)
    window, scale = varied_window(len(image_bgr), side - 1, shift, scale)
    box = box_in_window(box_xyxy, window, scale)
    image: np.ndarray = warp_window(image_bgr, window, side).astype(np.float32)
    if augmentation.color > random.random_sample():
        image = shift_color(image, random.randn(3, 1))
    if augmentation.blur > random.random_sample():
        kernel_side = random.choice(BLUR_SIDES)
        image = cv2.filter2D(image, -1, cross_kernel(kernel_side, random.random_sample()))
    if augmentation.flip and augmentation.flip > random.random_sample():
        image, box = cv2.flip(image, 1), _mirror(box, side)
    return image, box


def both_signs(random: Uniform, count: int) -> np.ndarray:
    """Draw uniform numbers from -1 to 1, one by one."""
    return np.array([random.random() * 2 - 1 for _ in range(count)])


def _mirror(box_xyxy: np.ndarray, side: int) -> np.ndarray:
    x1, y1, x2, y2 = box_xyxy
    return np.array([side - 1 - x2, y1, side - 1 - x1, y2])
