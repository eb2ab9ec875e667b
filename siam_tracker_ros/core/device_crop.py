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


class CropRegions(typing.NamedTuple):
    """Square regions of a frame, in tensors on its device.

    Attributes:
        corner_xy: int64 (B, 2), the top left pixel of each.
        side: int64 (B, 1), pixels.
        fill_bgr: uint8 (B, 3), colour of what lies outside of the frame.
    """

    corner_xy: torch.Tensor
    side: torch.Tensor
    fill_bgr: torch.Tensor

    @classmethod
    def of(cls, numbers: torch.Tensor) -> "CropRegions":
        """Return the regions of float32 (B, REGION_NUMBERS) from `region_numbers`."""
        whole = numbers.long()
        return cls(whole[:, :2], whole[:, 2:3], whole[:, 3:].to(torch.uint8))

    def repeated(self, times: int) -> "CropRegions":
        """Return each region several times, one after the other."""
        return CropRegions(*(part[:, None].expand(-1, times, -1).flatten(0, 1) for part in self))


class Taps(typing.NamedTuple):
    """The two source pixels of each pixel along an axis that is resized, and their blend.

    Attributes:
        places: int64 (B, N, 2), from the region's first pixel.
        far: int32 (B, N), weight of the second pixel in 1/2048.
    """

    places: torch.Tensor
    far: torch.Tensor


@stage("crop")
def crop_input(frame_bgr: torch.Tensor, regions: CropRegions, out_side: int, dtype: torch.dtype) -> torch.Tensor:
    """The same as `crop_regions`, as the input (B, 3, out_side, out_side) of a network of that type."""
    return crop_regions(frame_bgr, regions, out_side).permute(0, 3, 1, 2).to(dtype)


def crop_regions(frame_bgr: torch.Tensor, regions: CropRegions, out_side: int) -> torch.Tensor:
    """Cut regions out of a frame and resize them; what lies outside of the frame is filled.

    Args:
        frame_bgr: uint8 (H, W, 3).
        regions: the regions.
        out_side: side of the crops in pixels.

    Returns:
        The crops, int32 (B, out_side, out_side, 3), 0..255.
    """
    places, far = resize_taps(regions.side, out_side, torch.arange(out_side, device=frame_bgr.device)[None])
    return blend(gather(frame_bgr, places.flatten(1), regions), far)


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


def gather(frame_bgr: torch.Tensor, places: torch.Tensor, regions: CropRegions) -> torch.Tensor:
    """Pixels uint8 (B, N, N, 3) of a frame (H, W, 3) in the rows and columns `places` (B, N) of regions."""
    height, width = frame_bgr.shape[:2]
    columns, rows = places + regions.corner_xy[:, :1], places + regions.corner_xy[:, 1:]
    pixels = frame_bgr[rows.clamp(0, height - 1)[:, :, None], columns.clamp(0, width - 1)[:, None, :]]
    inside = is_within(rows, height)[:, :, None] & is_within(columns, width)[:, None, :]
    return torch.where(inside[..., None], pixels, regions.fill_bgr[:, None, None])


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
