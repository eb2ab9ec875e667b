# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From 16-bit images, as thermal, depth and 10 to 14-bit cameras give them, to the 8 bits that trackers take."""

import cv2
import numpy as np

from siam_tracker_ros.errors import InvalidSettingError, shown

FULL_RANGE = (0, 65535)

_SAMPLES = 16384  # pixels of a frame that are looked at, at most
_PERCENTILES = (0.2, 99.8)
_MARGIN = 0.1  # of the range between the percentiles, on either side: small hot or cold targets keep their texture
_MIN_RANGE = 256  # intensities; a narrower range would amplify noise: one intensity becomes one grey level
_FULL_SHARE = 0.25  # of the 16-bit range; a frame that spans as much is visible without a stretch
_MEMORY = 64  # frames over which the range adapts


class IntensityStretch:
    """Maps the 16-bit images of one stream to 8 bits, such that the used part of the range becomes 0 to 255.

    The range follows percentiles of the frames: their mean at first, then slowly, so that a target keeps its look.
    Frames that span a quarter of the 16-bit range or more keep their high byte. Pixels of 0 and 65535, which mark
    missing or saturated measurements, do not count.

    A stream needs an object of its own.

    Attributes:
        range: lowest and highest intensity, which become 0 and 255; None before a 16-bit image with any contrast.
    """

    def __init__(self, fixed: tuple[int, int] | None = None) -> None:
        """Begin a stream.

        Args:
            fixed: the range, lowest and highest intensity in 0..65535. None: take it from the frames.

        Raises:
            InvalidSettingError: these are not two intensities in rising order.
        """
        self._fixed = fixed is not None
        self._frames = 0
        self._used = False
        self.range: tuple[float, float] | None = None if fixed is None else _check_range(*fixed)

    def to_uint8(self, image: np.ndarray) -> np.ndarray:
        """Return a uint16 image (H, W) or (H, W, C) as uint8 of the same shape, and let the range follow it."""
        self._used = True
        if not self._fixed:
            self._follow(image)
        if self.range is None or self.range == FULL_RANGE:
            return (image >> 8).astype(np.uint8)
        low, high = (round(value) for value in self.range)
        # at least 0, in each channel
        above = cv2.subtract(image, (low,) * 4)  # type: ignore[call-overload]  # the stubs know no scalars
        return cv2.convertScaleAbs(above, alpha=255 / (high - low)).reshape(image.shape)

    def __str__(self) -> str:
        """Describe the range for people; empty before the first 16-bit image."""
        return "{:.0f}..{:.0f}".format(*(self.range or FULL_RANGE)) if self._used else ""

    def _follow(self, image: np.ndarray) -> None:
        found = _used_range(image)
        if found is None:
            return
        self._frames += 1
        if self.range is None:
            self.range = found
        weight = 1 / min(self._frames, _MEMORY)
        low, high = (old + weight * (new - old) for old, new in zip(self.range, found))
        self.range = low, high


def parse_intensity_range(text: str) -> tuple[int, int] | None:
    """Return the fixed range in a text LOW,HIGH; None for `auto`.

    Raises:
        InvalidSettingError: it is neither.
    """
    if text == "auto":
        return None
    try:
        low, high = (int(part) for part in text.split(","))
    except ValueError:
        raise InvalidSettingError(
            f"intensity range is {shown(text)}, expected auto, or the lowest and highest intensity as 7000,9000"
        ) from None
    return _check_range(low, high)


def _check_range(low: int, high: int) -> tuple[int, int]:
    if not FULL_RANGE[0] <= low < high <= FULL_RANGE[1]:
        raise InvalidSettingError(
            f"intensity range is {low:g} to {high:g}, expected the lowest and a higher intensity in 0 to 65535"
        )
    return low, high


def _used_range(image: np.ndarray) -> tuple[float, float] | None:
    """Return the range that an image calls for; None if it has no contrast."""
    # An odd step visits all colours of a Bayer mosaic.
    step = int(np.ceil(np.sqrt(image.shape[0] * image.shape[1] / _SAMPLES))) | 1
    values = image[::step, ::step].ravel()
    values = values[(values > FULL_RANGE[0]) & (values < FULL_RANGE[1])]
    if not values.size:
        return None
    low, high = (float(value) for value in np.percentile(values, _PERCENTILES))
    if low == high:
        return None
    if high - low >= _FULL_SHARE * FULL_RANGE[1]:
        return FULL_RANGE
    margin = max(_MARGIN * (high - low), (_MIN_RANGE - (high - low)) / 2)
    return max(low - margin, FULL_RANGE[0]), min(high + margin, FULL_RANGE[1])
