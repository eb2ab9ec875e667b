# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Crops from an ImageBank and their augmentation, in batches on the bank's device.

Matrices are affine maps (B, 2, 3) between coordinates that are measured from pixel edges, float64 on the CPU. Tensors
of pixels are on the device.
"""

import dataclasses
import math
from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch.nn import functional

from siam_tracker_ros.training.bank import ImageBank

LUMA_BGR = (0.114, 0.587, 0.299)
BLUR_MARGIN = 16  # pixels of reflected padding for a blur
COVER_POINTS = 16  # a target's box is sampled at 16 x 16 points to measure how much of it is covered


@dataclasses.dataclass(frozen=True, eq=False)
class Layer:
    """A layer that covers an image.

    Attributes:
        image_bgr: float32 (B, 3, H, W), 0..255, premultiplied by the weight.
        weight: float32 (B, 1, H, W), 0..1, share of each pixel that the layer covers; None for 1 everywhere.
        mask: float32 (B, 1, H, W), 0..1, the target's mask times the share of the stored image; None for no mask.
    """

    image_bgr: torch.Tensor
    weight: torch.Tensor | None
    mask: torch.Tensor | None

    @property
    def uncovered(self) -> torch.Tensor:
        """1 - weight, of a layer that has one."""
        assert self.weight is not None
        return 1 - self.weight


def view_matrix(
    center_xy: torch.Tensor,
    side: torch.Tensor,
    out_side: int,
    angle: torch.Tensor | None = None,
    stretch: torch.Tensor | None = None,
    flip: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return affine maps (B, 2, 3) from images to crops of `out_side` pixels that show `side` pixels around a centre.

    Args:
        center_xy, side: (B, 2) and (B,), in pixels of the image.
        out_side: of the crops.
        angle: (B,) in radians.
        stretch: (B,); above 1 makes objects wider and lower in the crop.
        flip: bool (B,); mirrors left and right.
    """
    scale = out_side / side
    angle = torch.zeros_like(scale) if angle is None else angle
    stretch = torch.ones_like(scale) if stretch is None else stretch
    sign = torch.ones_like(scale) if flip is None else 1 - 2 * flip.to(scale.dtype)
    cos, sin = angle.cos(), angle.sin()
    across, down = scale * stretch * sign, scale / stretch
    linear = torch.stack([across * cos, -across * sin, down * sin, down * cos], 1).view(-1, 2, 2)
    return torch.cat([linear, out_side / 2 - linear @ center_xy[:, :, None]], 2)


def map_points(matrix: torch.Tensor, points_xy: torch.Tensor) -> torch.Tensor:
    """Map points (B, K, 2) by affine maps (B, 2, 3)."""
    return points_xy @ matrix[:, :, :2].mT + matrix[:, None, :, 2]


def bounds_cxcywh(points_xy: torch.Tensor) -> torch.Tensor:
    """Return the bounding boxes (B, 4) of points (B, K, 2)."""
    low, high = points_xy.amin(1), points_xy.amax(1)
    return torch.cat([(low + high) / 2, high - low], 1)


def invert(matrix: torch.Tensor) -> torch.Tensor:
    """Return the inverse affine maps (B, 2, 3)."""
    linear = torch.linalg.inv(matrix[:, :, :2])
    return torch.cat([linear, -linear @ matrix[:, :, 2:]], 2)


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
    """The parts of images that crops are made of.

    Attributes:
        low, high: int64 (B, 2), x and y of the first pixel and after the last, inside the image.
        block: int64 (B,), side of the blocks of pixels that are averaged before the image is reduced.
        leaves: bool (B,), whether the crop extends beyond the image.
    """

    low: torch.Tensor
    high: torch.Tensor
    block: torch.Tensor
    leaves: torch.Tensor


def find_source(matrix: torch.Tensor, size_wh: torch.Tensor, side: int) -> Source:
    """Return the parts of images of sizes (B, 2) that crops of `side` pixels need."""
    inverse = invert(matrix)
    block = torch.linalg.det(inverse[:, :, :2]).abs().sqrt().round().long().clamp(min=1)
    corners = torch.tensor([[0, 0], [0, side], [side, 0], [side, side]], dtype=matrix.dtype)
    corners = map_points(inverse, corners.expand(len(matrix), 4, 2))
    low = corners.amin(1).floor().long() - 2 * block[:, None]
    high = corners.amax(1).ceil().long() + 2 * block[:, None]
    leaves = ((low < 0) | (high > size_wh)).any(1)
    low = torch.minimum(low.clamp(min=0), size_wh - 1)
    return Source(low, torch.minimum(high, size_wh).maximum(low + 1), block, leaves)


def warp(
    bank: ImageBank,
    stored: torch.Tensor,
    matrix: torch.Tensor,
    side: int,
    cut_out: torch.Tensor,
    weights: bool = True,
    masks: bool = False,
) -> Layer:
    """Warp images of the bank into a Layer.

    An image that is reduced to less than two thirds is first averaged over blocks of pixels.

    Args:
        bank: of the images.
        stored: int64 (B,), numbers of stored images.
        matrix: (B, 2, 3) from image to layer.
        side: of the layer.
        cut_out: bool (B,), whether the layer contains the target alone or the whole image.
        weights: whether the layer needs a weight, because a target is cut out or an image ends inside the layer.
        masks: whether the layer needs a mask.
    """
    source, inverse = find_source(matrix, bank.size_wh[stored], side), invert(matrix)
    sample = sample_with_opencv if bank.device.type == "cpu" else sample_with_torch
    layers = sample(bank, stored, source, inverse, side, cut_out, weights, masks)
    return Layer(layers[:, :3], layers[:, 3:4] if weights else None, layers[:, 3 + weights :] if masks else None)


def sample_with_torch(
    bank: ImageBank,
    stored: torch.Tensor,
    source: Source,
    inverse: torch.Tensor,
    side: int,
    cut_out: torch.Tensor,
    weights: bool,
    masks: bool,
) -> torch.Tensor:
    """Return the pixels of `warp`, (B, 3 to 5, side, side): image, weight, mask; inverse: from layer to image."""
    layers = torch.empty(len(stored), 3 + weights + masks, side, side, device=bank.device)
    for block in source.block.unique().tolist():
        rows = torch.nonzero(source.block == block)[:, 0]
        low, high = source.low[rows], source.high[rows]
        width, height = ((high - low).amax(0).add(block - 1) // block * block).tolist()
        window = torch.zeros(len(rows), layers.shape[1], height, width, device=bank.device)
        for part, number, only_target, (x1, y1), (x2, y2) in zip(
            window, stored[rows].tolist(), cut_out[rows].tolist(), low.tolist(), high.tolist()
        ):
            planes = bank.planes(number)[:, y1:y2, x1:x2]
            _fill(part[:, : y2 - y1, : x2 - x1], planes, only_target, weights, masks)
        if block > 1:
            window = functional.avg_pool2d(window, block)
        to_unit = torch.tensor([2 / width, 2 / height], dtype=torch.float64)
        theta = inverse[rows] * to_unit[:, None]
        theta[:, :, 2] -= low * to_unit + 1
        grid = _pixel_grid(theta.to(bank.device, torch.float32), side)
        sampled = functional.grid_sample(window, grid, align_corners=False)
        if len(rows) == len(stored):
            layers = sampled
        else:
            layers[rows.to(bank.device)] = sampled
    return layers


def _fill(part: torch.Tensor, planes: torch.Tensor, only_target: bool, weights: bool, masks: bool) -> None:
    """Write a part of an image (3 or 4, H, W) into a part of a layer (3 to 5, H, W) of zeros."""
    part[:3] = planes[:3]
    if masks and len(planes) == 4:
        torch.mul(planes[3], 1 / 255, out=part[-1])
    if only_target:
        torch.mul(planes[3], 1 / 255, out=part[3])
        part[:3] *= part[3]
    elif weights:
        part[3] = 1


def sample_with_opencv(
    bank: ImageBank,
    stored: torch.Tensor,
    source: Source,
    inverse: torch.Tensor,
    side: int,
    cut_out: torch.Tensor,
    weights: bool,
    masks: bool,
) -> torch.Tensor:
    """Return nearly what `sample_with_torch` does, of a bank on the CPU, several times as fast.

    Pixels are rounded to whole numbers, weights and masks to multiples of 1/255, and OpenCV before version 5 rounds
    their places to 1/32 of a pixel.
    """
    layers = np.empty((len(stored), 3 + weights + masks, side, side), np.float32)
    # from pixel centres of the layer to those of the window, both measured from the centre of the first pixel
    to_window = inverse.clone()
    to_window[:, :, 2] += inverse[:, :, :2].sum(2) / 2 - source.low
    to_window /= source.block[:, None, None]
    to_window[:, :, 2] -= 0.5
    for layer, number, only_target, (x1, y1), (x2, y2), block, affine in zip(
        layers, stored.tolist(), cut_out.tolist(), source.low.tolist(), source.high.tolist(), source.block.tolist(),
        to_window.numpy(),
    ):  # fmt: skip
        planes = _planes(bank.planes(number)[:, y1:y2, x1:x2].numpy(), only_target, weights, masks)
        if block > 1:
            planes = [_average(plane, block) for plane in planes]
        for first in range(0, len(planes), 4):  # OpenCV is fast with up to four channels
            window = cv2.merge(planes[first : first + 4])
            flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            sampled = cv2.warpAffine(window, affine, (side, side), flags=flags, borderMode=cv2.BORDER_CONSTANT)
            layer[first : first + 4] = cv2.split(sampled)
    layers[:, 3:] *= np.float32(1 / 255)
    return torch.from_numpy(layers)


def _planes(planes: np.ndarray, only_target: bool, weights: bool, masks: bool) -> list[np.ndarray]:
    """Return the planes of a layer, uint8 (H, W) each, from those of an image (3 or 4, H, W)."""
    mask = planes[3] if len(planes) == 4 else np.zeros_like(planes[0])
    image = [plane & mask for plane in planes[:3]] if only_target else list(planes[:3])  # a mask is 0 or 255
    weight = mask if only_target else np.full_like(mask, 255)
    return image + [weight] * weights + [mask] * masks


def _average(plane: np.ndarray, block: int) -> np.ndarray:
    """Return the averages of blocks of pixels; outside of the plane all is 0."""
    below, right = (-side % block for side in plane.shape)
    padded = cv2.copyMakeBorder(plane, 0, below, 0, right, cv2.BORDER_CONSTANT)
    return cv2.resize(padded, (padded.shape[1] // block, padded.shape[0] // block), interpolation=cv2.INTER_AREA)


def _pixel_grid(theta: torch.Tensor, side: int) -> torch.Tensor:
    """Return the source coordinates (B, side, side, 2) of the pixel centres of squares."""
    center = torch.arange(side, device=theta.device) + 0.5
    along_x = theta[:, :, 0, None] * center + theta[:, :, 2, None]  # (B, 2, side)
    along_y = theta[:, :, 1, None] * center
    grid = torch.empty(len(theta), side, side, 2, device=theta.device)
    for axis in range(2):
        torch.add(along_x[:, axis, None, :], along_y[:, axis, :, None], out=grid[..., axis])
    return grid


def photo_background(
    bank: ImageBank, stored: torch.Tensor, start_wh: torch.Tensor, flip: torch.Tensor, side: int
) -> torch.Tensor:
    """Return parts of photos, enlarged by 2, (B, 3, side, side).

    Args:
        bank: of the photos.
        stored: int64 (B,), numbers of stored images.
        start_wh: (B, 2), 0..1, position of the part in the photo, from the left and top to the right and bottom edge.
        flip: bool (B,); mirrors left and right.
        side: of the parts, at most twice that of a photo.
    """
    half = side // 2
    low = (start_wh * (bank.size_wh[stored] - half + 1)).long()
    small = torch.empty(len(stored), 3, half, half, device=bank.device)
    for part, number, (x, y), turned in zip(small, stored.tolist(), low.tolist(), flip.tolist()):
        planes = bank.planes(number)[:3, y : y + half, x : x + half]
        part.copy_(planes.flip(2) if turned else planes)
    return enlarge(small, side)


def enlarge(image_bgr: torch.Tensor, side: int) -> torch.Tensor:
    """Enlarge images (B, 3, H, W) to (B, 3, side, side), bilinear; on a CPU OpenCV does it, in a tenth of the time."""
    if image_bgr.device.type != "cpu":
        return functional.interpolate(image_bgr, size=(side, side), mode="bilinear")
    planes = [cv2.resize(plane, (side, side)) for plane in image_bgr.flatten(0, 1).numpy()]
    return torch.from_numpy(np.stack(planes)).view(*image_bgr.shape[:2], side, side)


def covered_shares(
    bank: ImageBank, stored: torch.Tensor, inverse: torch.Tensor, box_xyxy: torch.Tensor, visible: torch.Tensor
) -> torch.Tensor:
    """Return the share (B, K), 0..1, of a target that a cut-out would cover at each of K positions.

    Args:
        bank: of the images.
        stored: int64 (B,), numbers of the cut-outs' images.
        inverse: (B, K, 2, 3), from the crop to the cut-out's image.
        box_xyxy: (B, 4), the target in pixels of the crop.
        visible: (B, 1, side, side), share of each pixel that shows the target, 0..1, as far as it is known.
    """
    device, side = bank.device, visible.shape[-1]
    low, high = box_xyxy[:, :2].clamp(0, side), box_xyxy[:, 2:].clamp(0, side)
    step = (torch.arange(COVER_POINTS, dtype=torch.float64) + 0.5) / COVER_POINTS
    axes = low[:, :, None] + (high - low)[:, :, None] * step  # (B, 2, 16)
    points = torch.stack(torch.broadcast_tensors(axes[:, 0, None, :], axes[:, 1, :, None]), -1).flatten(1, 2)
    source = points[:, None] @ inverse[..., :2].mT + inverse[..., None, :, 2]  # (B, K, 256, 2)
    size_wh = bank.size_wh[stored][:, None, None]
    inside = ((source >= 0) & (source < size_wh)).all(-1)
    cell = torch.minimum(source.long().clamp(min=0), size_wh - 1)
    mask_start = bank.offset[stored] + 3 * bank.size_wh[stored].prod(1)
    index = mask_start[:, None, None] + cell[..., 1] * size_wh[..., 0] + cell[..., 0]
    alpha = bank.pixels.index_select(0, index.to(device).view(-1)).view(index.shape) > 127
    cell = points.long().clamp(max=side - 1)
    weight = visible.flatten(1).gather(1, (cell[..., 1] * side + cell[..., 0]).to(device))  # (B, 256)
    covered = ((alpha & inside.to(device)) * weight[:, None]).sum(-1)
    return covered / weight.sum(-1, keepdim=True).clamp(min=1e-6)


def paste(
    image_bgr: torch.Tensor,
    visible: torch.Tensor,
    layer_bgr: torch.Tensor,
    uncovered: torch.Tensor,
    corner_xy: Sequence[int],
) -> None:
    """Paste a small layer over an image, in place.

    Args:
        image_bgr: (3, H, W).
        visible: (1, H, W), share of each pixel that shows the target; reduced where the layer covers it.
        layer_bgr: (3, side, side), premultiplied by the weight.
        uncovered: (1, side, side), 1 - weight.
        corner_xy: position of the layer's top left corner, which may lie outside of the image.
    """
    (height, width), side, (x, y) = image_bgr.shape[1:], uncovered.shape[-1], corner_xy
    x1, x2, y1, y2 = max(x, 0), min(x + side, width), max(y, 0), min(y + side, height)
    if x1 < x2 and y1 < y2:
        inner = (..., slice(y1 - y, y2 - y), slice(x1 - x, x2 - x))
        image_bgr[..., y1:y2, x1:x2].mul_(uncovered[inner]).add_(layer_bgr[inner])
        visible[..., y1:y2, x1:x2].mul_(uncovered[inner])


def recoloring(
    contrast: torch.Tensor, brightness: torch.Tensor, casts: torch.Tensor, saturation: torch.Tensor
) -> torch.Tensor:
    """Return affine maps (B, 3, 4) of colours: contrast around 128 and casts (B, 3), brightness, then saturation."""
    gain = contrast[:, None] * casts
    change = torch.cat([torch.diag_embed(gain), (128 * (1 - gain) + brightness[:, None])[:, :, None]], 2)
    return desaturating(saturation) @ change


def desaturating(saturation: torch.Tensor, weights_bgr: torch.Tensor | None = None) -> torch.Tensor:
    """Return linear maps (B, 3, 3) that mix colours with their grey.

    Args:
        saturation: (B,); 0 for grey only, 1 for no change.
        weights_bgr: (B, 3), shares of the colours in the grey; None for those of luma.
    """
    if weights_bgr is None:
        weights_bgr = torch.tensor([LUMA_BGR], dtype=saturation.dtype)
    saturation = saturation[:, None, None]
    return saturation * torch.eye(3, dtype=saturation.dtype) + (1 - saturation) * weights_bgr[:, None]


def negate(change: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Return affine maps of colours (B, 3, 4), with 255 minus each colour in those that are `wanted`, bool (B,)."""
    white = torch.tensor([0, 0, 0, 255], dtype=change.dtype)
    return torch.where(wanted[:, None, None], white - change, change)


def recolor(image_bgr: torch.Tensor, change: torch.Tensor) -> torch.Tensor:
    """Apply affine maps of colours (B, 3, 4) to images (B, 3, H, W), clamped to 0..255."""
    change = change.to(image_bgr.device, image_bgr.dtype)
    changed = torch.baddbmm(change[:, :, 3:], change[:, :, :3], image_bgr.flatten(2))
    return changed.clamp_(0, 255).view_as(image_bgr)


def recolor_layer(layer: Layer, change: torch.Tensor) -> torch.Tensor:
    """Apply affine maps of colours to a Layer with weight; return its image."""
    assert layer.weight is not None
    change = change.to(layer.weight.device, layer.weight.dtype)
    image = torch.matmul(change[:, :, :3], layer.image_bgr.flatten(2)).view_as(layer.image_bgr)
    image = torch.addcmul(image, change[:, :, 3, None, None], layer.weight).clamp_(min=0)
    return torch.minimum(image, 255 * layer.weight)


def coarsen(image_bgr: torch.Tensor, sides: Sequence[int]) -> torch.Tensor:
    """Reduce the resolution of images (B, 3, H, H) to a side each, at the same size."""
    coarse = torch.empty_like(image_bgr)
    for row, side in enumerate(sides):
        small = functional.interpolate(image_bgr[row : row + 1], size=(side, side), mode="bilinear", antialias=True)
        coarse[row : row + 1] = enlarge(small, image_bgr.shape[-1])
    return coarse


def compress(image_bgr: torch.Tensor, quality: int) -> torch.Tensor:
    """Return an image (3, H, W), 0..255, after JPEG at a quality of 1 to 100."""
    pixels = image_bgr.round().byte().permute(1, 2, 0).cpu().numpy()
    _, coded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return torch.from_numpy(cv2.imdecode(coded, cv2.IMREAD_COLOR)).permute(2, 0, 1).to(image_bgr)


def blur(image_bgr: torch.Tensor, sigma: torch.Tensor, motion_xy: torch.Tensor) -> torch.Tensor:
    """Apply Gaussian blur and motion blur to images (B, 3, H, W), by their transfer functions.

    Args:
        image_bgr: 0..255.
        sigma: (B,), of the Gaussian in pixels; 0 for none.
        motion_xy: (B, 2), motion during the exposure in pixels.
    """
    device, size = image_bgr.device, [side + 2 * BLUR_MARGIN for side in image_bgr.shape[2:]]
    padded = functional.pad(image_bgr, (BLUR_MARGIN,) * 4, mode="reflect")
    fy, fx = torch.fft.fftfreq(size[0], device=device)[:, None], torch.fft.rfftfreq(size[1], device=device)
    sigma, motion_xy = (value.to(device, torch.float32)[..., None, None] for value in (sigma, motion_xy))
    transfer = torch.exp(-2 * (math.pi * sigma) ** 2 * (fx**2 + fy**2))
    transfer = transfer * torch.sinc(motion_xy[:, 0] * fx + motion_xy[:, 1] * fy)  # (B, H', W' // 2 + 1)
    blurred = torch.fft.irfft2(torch.fft.rfft2(padded) * transfer[:, None], s=size)
    inner = slice(BLUR_MARGIN, -BLUR_MARGIN)
    return blurred[:, :, inner, inner].clamp(0, 255)
