# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Crops of a frame that lies on a device: the regions of `core.crop`, sampled there.

All sizes that differ from frame to frame are tensors, so that a captured CUDA graph can be replayed for any region.
The arithmetic is that of `cv2.resize` on uint8: weights of 11 bits, 4 bits dropped between the two directions. Places
are whole numbers throughout, where OpenCV rounds them to float32: the pixels of `crop_context` differ by 1 at most.
"""

import typing

import torch

from siam_tracker_ros.core.stage import stage


class CropRegion(typing.NamedTuple):
    """A square region of a frame, in tensors on its device.

    Attributes:
        corner_xy: int64 (2,), its top left pixel.
        side: int64 (1,), pixels.
        fill_bgr: uint8 (3,), colour of what lies outside of the frame.
    """

    corner_xy: torch.Tensor
    side: torch.Tensor
    fill_bgr: torch.Tensor

    @classmethod
    def of(cls, numbers: torch.Tensor) -> "CropRegion":
        """Return the region of float32 (REGION_NUMBERS,) from `region_numbers`."""
        whole = numbers.long()
        return cls(whole[:2], whole[2:3], whole[3:].to(torch.uint8))


class Taps(typing.NamedTuple):
    """The two source pixels of each pixel along an axis that is resized, and their blend.

    Attributes:
        places: int64 (B, N, 2), from the region's first pixel.
        far: int32 (B, N), weight of the second pixel in 1/2048.
    """

    places: torch.Tensor
    far: torch.Tensor


@stage("crop")
def crop_input(frame_bgr: torch.Tensor, region: CropRegion, out_side: int, dtype: torch.dtype) -> torch.Tensor:
    """The same as `crop_region`, as the input (1, 3, out_side, out_side) of a network of that type."""
    return crop_region(frame_bgr, region, out_side).permute(0, 3, 1, 2).to(dtype)


def crop_region(frame_bgr: torch.Tensor, region: CropRegion, out_side: int) -> torch.Tensor:
    """Cut a region out of a frame and resize it; what lies outside of the frame is filled.

    Args:
        frame_bgr: uint8 (H, W, 3).
        region: the region.
        out_side: side of the crop in pixels.

    Returns:
        The crop, int32 (1, out_side, out_side, 3), 0..255.
    """
    places, far = resize_taps(region.side, out_side, torch.arange(out_side, device=frame_bgr.device)[None])
    return blend(gather(frame_bgr, places.flatten(1), region), far)


def resize_taps(side: torch.Tensor, out_side: int | torch.Tensor, at: torch.Tensor) -> Taps:
    """Taps of pixels of a crop.

    Args:
        side: int64, broadcast with (B, 1), side of the region.
        out_side: side of the crop, a number or as `side`.
        at: int64 (B, N), pixels of the crop.
    """
    position = (2 * at + 1) * side - out_side  # in pixels of the region times 2 * out_side
    first = torch.div(position, 2 * out_side, rounding_mode="floor")
    rest = position - first * (2 * out_side)
    far = torch.round(rest.float() * 1024 / out_side).int()
    places = torch.stack([first, first + 1], -1).clamp(min=0)
    return Taps(torch.minimum(places, (side - 1).unsqueeze(-1)), far)


def gather(frame_bgr: torch.Tensor, places: torch.Tensor, region: CropRegion) -> torch.Tensor:
    """Pixels uint8 (B, N, N, 3) of a frame (H, W, 3) in the rows and columns `places` (B, N) of a region."""
    height, width = frame_bgr.shape[:2]
    columns, rows = places + region.corner_xy[0], places + region.corner_xy[1]
    pixels = frame_bgr[rows.clamp(0, height - 1)[:, :, None], columns.clamp(0, width - 1)[:, None, :]]
    inside = is_within(rows, height)[:, :, None] & is_within(columns, width)[:, None, :]
    return torch.where(inside[..., None], pixels, region.fill_bgr)


def is_within(places: torch.Tensor, count: int | torch.Tensor) -> torch.Tensor:
    """Whether each of the places along an axis is one of the first `count`."""
    return (places >= 0) & (places < count)


def blend(pixels: torch.Tensor, far: torch.Tensor) -> torch.Tensor:
    """Blend the source pixels of a crop.

    Args:
        pixels: (B, 2 * N, 2 * N, 3), 0..255, two rows and two columns for each pixel of the crop.
        far: int32 (B, N), weight of the second in 1/2048.

    Returns:
        int32 (B, N, N, 3), 0..255.
    """
    pixels, near = pixels.int(), 2048 - far
    lines = (pixels[:, :, ::2] * near[:, None, :, None] + pixels[:, :, 1::2] * far[:, None, :, None]) >> 4
    near, far = near[:, :, None, None], far[:, :, None, None]
    return (((lines[:, ::2] * near) >> 16) + ((lines[:, 1::2] * far) >> 16) + 2) >> 2
