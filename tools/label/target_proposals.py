# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Proposes targets in a frame of an unlabelled clip: what moves by itself.

Regions come from the optical flow that the camera's motion does not explain. GrabCut (Rother et al. 2004) finds the
outline of each. Regions that only stand out by their colours are not proposed: most of them were patches of ground.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from siam_tracker_ros.geometry import iou_xywh, xywh_to_xyxy

MAX_SHARE = 0.7  # of the frame that a box may cover
MIN_SIDE = 12  # of a box, in pixels of the frame
FLOW_WIDTH = 320  # pixels of the images that optical flow is computed of
MAX_ELONGATION = 8  # sides of the frame, one over the other
MIN_MOTION = 0.7  # pixels of those images, beyond the camera's motion
MIN_CHANGE = 12  # grey levels of a point that moves
MIN_FILLED = 0.35  # of a moving region's box
MIN_COHERENCE = 0.5  # of a moving region: 0 random directions .. 1 one direction; water and smoke stay below
MAX_SHARED = 0.5  # of the smaller of two boxes
OUTLINE_SIDE = 128  # pixels of the image that an outline is searched in
OUTLINE_STEPS = 3
MIN_WITHIN = 0.7  # of an outline, within the rough region
MIN_COVERED = 0.25  # of the rough region, by its outline
COLORS = 12
MIN_CONTRAST = 0.3  # between the colours within an outline and around it, 0..1


def propose_boxes(image_bgr: np.ndarray, next_bgr: np.ndarray, max_boxes: int) -> np.ndarray:
    """Return boxes around what moves by itself in a frame, the largest first.

    Args:
        image_bgr: uint8 (H, W, 3).
        next_bgr: the frame a fraction of a second later, uint8 (H, W, 3).
        max_boxes: maximum number of boxes.

    Returns:
        float64 (N, 4) as x, y, w, h in pixels of the frame; none covers much of another, and all are `is_target_box`.
    """
    boxes: list[np.ndarray] = []
    for box, region in moving_regions(image_bgr, next_bgr):
        if len(boxes) == max_boxes:
            break
        outline = outline_box(image_bgr, box, region)
        if outline is not None and (not boxes or shared_part(outline, np.array(boxes)).max() <= MAX_SHARED):
            boxes.append(outline)
    return np.array(boxes).reshape(-1, 4)


def is_target_box(box_xywh: np.ndarray, size_wh: Sequence[int]) -> bool:
    """Whether a box (4,) in an image of size (width, height) can be a target: not tiny, not huge, not in a corner."""
    x1, y1, x2, y2 = xywh_to_xyxy(np.asarray(box_xywh))
    width, height = size_wh
    touched = int(x1 <= 1) + int(y1 <= 1) + int(x2 >= width - 1) + int(y2 >= height - 1)
    w, h = box_xywh[2:]
    return bool(touched < 2 and min(w, h) >= MIN_SIDE and w * h <= MAX_SHARE * width * height)


def moving_regions(image_bgr: np.ndarray, next_bgr: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return what moves by itself, the largest first: tuples of box_xywh (4,) and the region in it, uint8 0/1."""
    if min(image_bgr.shape[:2]) * MAX_ELONGATION < max(image_bgr.shape[:2]):
        return []  # optical flow needs a minimum width and height
    small, later = (_to_width(image, FLOW_WIDTH) for image in (image_bgr, next_bgr))
    flow, camera = own_flow(*(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) for image in (small, later)))
    speed = np.linalg.norm(flow, axis=-1)
    back = cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR
    later = cv2.warpAffine(later, camera, later.shape[1::-1], flags=back, borderMode=cv2.BORDER_REPLICATE)
    changed = (cv2.absdiff(small, later).max(-1) > MIN_CHANGE).astype(np.uint8)  # flow smears over even ground
    moves = (speed > max(MIN_MOTION, 3 * np.median(speed))) & (cv2.dilate(changed, np.ones((5, 5), np.uint8)) > 0)
    moves = cv2.morphologyEx(moves.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    moves = cv2.morphologyEx(moves, cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8))
    _, numbers, stats, _ = cv2.connectedComponentsWithStats(moves)
    scale = image_bgr.shape[1] / FLOW_WIDTH
    found = []
    for number in 1 + np.argsort(-stats[1:, cv2.CC_STAT_AREA], kind="stable"):
        x, y, w, h = stats[number, : cv2.CC_STAT_AREA]
        region = numbers[y : y + h, x : x + w] == number
        part = speed[y : y + h, x : x + w]
        region &= part > np.quantile(part[region], 0.9) / 2  # flow fades out over what lies around
        own = flow[y : y + h, x : x + w][region]
        coherence = np.linalg.norm(own.mean(0)) / np.linalg.norm(own, axis=1).mean()
        if region.sum() >= MIN_FILLED * w * h and coherence >= MIN_COHERENCE:
            found.append((np.array([x, y, w, h]) * scale, region.astype(np.uint8)))
    return found


def own_flow(grey: np.ndarray, next_grey: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the optical flow between two grey images minus the camera's, float32 (H, W, 2), and the camera's.

    The camera's motion is an affine map (2, 3) of the first image's pixels to the second's.
    """
    optical_flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow = optical_flow.calc(grey, next_grey, None)  # type: ignore[call-overload]
    height, width = grey.shape
    points = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)  # (H, W, 2)
    some = (slice(4, None, 8), slice(4, None, 8))
    camera, _ = cv2.estimateAffine2D(
        points[some].reshape(-1, 2), (points + flow)[some].reshape(-1, 2), ransacReprojThreshold=0.7
    )
    camera = np.eye(2, 3) if camera is None else camera
    return flow - cv2.transform(points, camera) + points, camera


def outline_box(image_bgr: np.ndarray, box_xywh: np.ndarray, region: np.ndarray) -> np.ndarray | None:
    """Return the bounds (4,) of the object in a rough region, or None where nothing stands out from its surroundings.

    region: uint8 0/1 of any size, stretched over the box. It is the outline where GrabCut finds something else.
    """
    size_wh = image_bgr.shape[1::-1]
    if not is_target_box(box_xywh, size_wh):
        return None
    center, half = box_xywh[:2] + box_xywh[2:] / 2, box_xywh[2:]
    x1, y1 = np.floor(np.clip(center - half, 0, None)).astype(int)
    x2, y2 = np.ceil(np.clip(center + half, None, size_wh)).astype(int)
    scale = min(1.0, OUTLINE_SIDE / max(x2 - x1, y2 - y1))
    around = cv2.resize(image_bgr[y1:y2, x1:x2], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    scale_xy = np.array(around.shape[1::-1]) / (x2 - x1, y2 - y1)
    region_xywh = np.concatenate([box_xywh[:2] - (x1, y1), box_xywh[2:]]) * np.tile(scale_xy, 2)
    rough = _paint(region, region_xywh, around.shape[:2])
    outline = _grab(around, rough)
    common = (outline & rough).sum()
    if not common or common < MIN_WITHIN * outline.sum() or common < MIN_COVERED * rough.sum():
        outline = rough
    if not outline.any() or _color_contrast(around, outline) < MIN_CONTRAST:
        return None
    x, y, w, h = cv2.boundingRect(outline.astype(np.uint8))
    box = np.concatenate([np.array([x, y]) / scale_xy + (x1, y1), np.array([w, h]) / scale_xy])
    return box if is_target_box(box, size_wh) else None


def shared_part(box_xywh: np.ndarray, others_xywh: np.ndarray) -> np.ndarray:
    """Intersection of a box (4,) with others (N, 4) over the area of the smaller of the two, (N,), 0..1."""
    first, second = np.asarray(box_xywh, np.float64), np.asarray(others_xywh, np.float64)
    areas = first[2:].prod(), second[:, 2:].prod(-1)
    iou = iou_xywh(first, second)
    return iou * (areas[0] + areas[1]) / (1 + iou) / np.minimum(*areas)


def _to_width(image: np.ndarray, width: int) -> np.ndarray:
    height = round(width * image.shape[0] / image.shape[1])
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def _paint(region: np.ndarray, box_xywh: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A region stretched over a box within an image of shape (height, width): bool of that shape."""
    x1, y1, x2, y2 = xywh_to_xyxy(box_xywh).round().astype(int).clip(0, (*shape[::-1], *shape[::-1])).tolist()
    painted = np.zeros(shape, bool)
    if x2 > x1 and y2 > y1:
        painted[y1:y2, x1:x2] = cv2.resize(region, (x2 - x1, y2 - y1), interpolation=cv2.INTER_NEAREST) > 0
    return painted


def _grab(image_bgr: np.ndarray, rough: np.ndarray) -> np.ndarray:
    """The largest part that GrabCut separates from its surroundings, bool (H, W), given its rough place."""
    height, width = rough.shape
    reach = np.ones((height // 6 * 2 + 1, width // 6 * 2 + 1), np.uint8)
    near = cv2.dilate(rough.astype(np.uint8), reach) > 0
    if near.all() or not rough.any():
        return np.zeros_like(rough)
    labels = np.where(rough, cv2.GC_PR_FGD, np.where(near, cv2.GC_PR_BGD, cv2.GC_BGD)).astype(np.uint8)
    cv2.setRNGSeed(0)  # its colour models start at random
    background, foreground, unused = np.zeros((1, 65)), np.zeros((1, 65)), (0, 0, 0, 0)
    cv2.grabCut(image_bgr, labels, unused, background, foreground, OUTLINE_STEPS, cv2.GC_INIT_WITH_MASK)
    outline = cv2.morphologyEx((labels == cv2.GC_PR_FGD).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, numbers, stats, _ = cv2.connectedComponentsWithStats(outline)
    return numbers == 1 + stats[1:, cv2.CC_STAT_AREA].argmax() if count > 1 else np.zeros_like(rough)


def _color_contrast(image_bgr: np.ndarray, part: np.ndarray) -> float:
    """How much the colours of a part, bool (H, W), differ from those around it: 0 the same .. 1 none in common."""
    lab = cv2.cvtColor(image_bgr, cv2.COLOR_BGR2LAB).reshape(-1, 3).astype(np.float32)
    start = np.empty((len(lab), 1), np.int32)
    start[np.argsort(lab[:, 0], kind="stable"), 0] = np.arange(len(lab)) * COLORS // len(lab)
    stop = (cv2.TERM_CRITERIA_MAX_ITER, 6, 0)
    _, colors, _ = cv2.kmeans(lab, COLORS, start, stop, 1, cv2.KMEANS_USE_INITIAL_LABELS)
    colors = colors.reshape(part.shape)
    ring = (cv2.dilate(part.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0) & ~part
    inside, outside = (np.bincount(colors[of], minlength=COLORS) / max(1, of.sum()) for of in (part, ring))
    return float(np.abs(inside - outside).sum() / 2)
