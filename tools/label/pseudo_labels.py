# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Tracks in unlabelled clips: what a teacher follows the same way forward and backward.

A target is tracked forward from where it was found, then backward from where that ended. A tracker that drifted seldom
returns along the same path, so the stretch where both agree is kept (forward-backward error, Kalal et al. 2010).
"""

import dataclasses
import typing
from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from siam_tracker_ros.core.crop import crop_context
from siam_tracker_ros.geometry import cxcywh_to_xywh, iou_xywh, xywh_to_cxcywh, xywh_to_xyxy, xyxy_to_xywh
from siam_tracker_ros.methods.lite.shapes import (
    SEARCH_CELLS,
    SEARCH_FACTOR,
    SEARCH_SIDE,
    TEMPLATE_FACTOR,
    TEMPLATE_SIDE,
)
from tools.label.clips import split_scenes
from tools.label.settings import LabelSettings
from tools.label.target_proposals import MAX_SHARED, is_target_box, propose_boxes, shared_part

FLOW_STEP = 2  # frames between the two whose optical flow is taken
LOOK_SIDE = 48  # pixels of the crops whose difference measures how much a target's appearance changes
MIN_TARGET_SIDE = 10  # pixels, as in the teacher's own tracker


class Teacher(typing.Protocol):
    """A Siamese tracker's network, as `siam_tracker_ros.methods.lite.teacher.LightFcTeacher`."""

    def embed(self, template_bgr: np.ndarray) -> np.ndarray:
        """Return features of a template crop, uint8 (128, 128, 3)."""
        ...

    def search(self, features: np.ndarray, search_bgr: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return maps of a crop, uint8 (256, 256, 3): score (1, 16, 16), 0..1, and box (4, 16, 16), cxcywh, 0..1."""
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class PseudoTrack:
    """A stretch of a target's path on which forward and backward tracking agree.

    Attributes:
        start: number of its first frame among the clip's used frames.
        boxes_xywh: float64 (N, 4), the mean of the forward and the backward boxes.
        samples: int (K,), positions within the stretch of the frames that are worth storing.
    """

    start: int
    boxes_xywh: np.ndarray
    samples: np.ndarray


class TeacherTracker:
    """Tracks one target as LightFC's own tracker does: a Hann window over the scores, no smoothing of the size."""

    def __init__(self, teacher: Teacher) -> None:
        self._teacher = teacher
        wave = np.hanning(SEARCH_CELLS + 2)[1:-1]
        self._window = np.outer(wave, wave)

    def init(self, image_bgr: np.ndarray, box_xywh: np.ndarray) -> None:
        """Start on the target in a box (4,) of an image, uint8 (H, W, 3)."""
        self.box_xywh = np.asarray(box_xywh, np.float64)
        self._features = self._teacher.embed(self._crop(image_bgr, TEMPLATE_FACTOR, TEMPLATE_SIDE)[0])

    def track(self, image_bgr: np.ndarray) -> tuple[np.ndarray, float]:
        """Return the target's box (4,) in the next image, within its borders, and the score, 0..1."""
        crop, corner_xy, side = self._crop(image_bgr, SEARCH_FACTOR, SEARCH_SIDE)
        score, boxes = self._teacher.search(self._features, crop)
        row, column = np.unravel_index((score[0] * self._window).argmax(), self._window.shape)
        box = cxcywh_to_xywh(boxes[:, row, column].astype(np.float64) * side)
        box[:2] += corner_xy
        height, width = image_bgr.shape[:2]
        box_xyxy = xywh_to_xyxy(box)
        first = np.clip(box_xyxy[:2], 0, np.array([width, height]) - MIN_TARGET_SIDE)
        last = np.clip(box_xyxy[2:], first + MIN_TARGET_SIDE, (width, height))
        self.box_xywh = xyxy_to_xywh(np.concatenate([first, last]))
        return self.box_xywh, float(score[0, row, column])

    def _crop(self, image_bgr: np.ndarray, factor: float, out_side: int) -> tuple[np.ndarray, tuple[int, int], int]:
        """Crop around the last box, top left pixel and side of its region in the image."""
        side = int(np.ceil(np.sqrt(self.box_xywh[2:].prod()) * factor))
        center_xy = xywh_to_cxcywh(self.box_xywh)[:2] + 0.5  # the region is not half a pixel off, as PySOT's
        crop, corner_xy = crop_context(image_bgr, center_xy, side, out_side, (0, 0, 0), round)
        return crop, corner_xy, side


def label_clip(
    frames: Sequence[np.ndarray],
    teacher: Teacher,
    settings: LabelSettings,
    starts: Sequence[tuple[int, np.ndarray]] | None = None,
) -> list[PseudoTrack]:
    """Return the PseudoTracks of a clip.

    Args:
        frames: of uint8 (H, W, 3).
        teacher: tracks the targets.
        settings: how.
        starts: pairs of frame number and box_xywh (4,) of the targets; None to search for what moves.
    """
    tracks: list[PseudoTrack] = []
    for start, stop in split_scenes(frames, settings):
        for found_at, box in _moving(frames, start, stop, settings) if starts is None else starts:
            if not start <= found_at < stop:
                continue
            if starts is None and (len(tracks) == settings.clip_tracks or _is_tracked(tracks, found_at, box)):
                continue
            stretch = frames[found_at : min(stop, found_at + settings.reach)]
            track = label_target(stretch, box, teacher, settings)
            if track is not None:
                tracks.append(dataclasses.replace(track, start=track.start + found_at))
    return tracks


def _moving(
    frames: Sequence[np.ndarray], start: int, stop: int, settings: LabelSettings
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the number of a frame of a scene and the box of something that moves in it."""
    for number in range(start, stop - settings.min_frames + 1, settings.hop):
        later = min(number + FLOW_STEP, stop - 1)
        for box in propose_boxes(frames[number], frames[later], settings.targets):
            yield number, box


def label_target(
    frames: Sequence[np.ndarray], box_xywh: np.ndarray, teacher: Teacher, settings: LabelSettings
) -> PseudoTrack | None:
    """Track the target in a box of the first frame forward and backward.

    Returns:
        A PseudoTrack of the longest stretch on which both agree; None where it is too short or changes too little.
    """
    forward = follow(TeacherTracker(teacher), frames, box_xywh, settings.score)
    if len(forward) < settings.min_frames or len(pick_different(frames, forward, settings)) < settings.min_samples:
        return None  # before the way back is paid for
    reversed_frames = frames[: len(forward)][::-1]
    backward = follow(TeacherTracker(teacher), reversed_frames, forward[-1], settings.score)[::-1]
    returned = len(forward) - len(backward)  # first frame that the way back reached
    agrees = np.zeros(len(forward), bool)
    agrees[returned:] = iou_xywh(forward[returned:], backward) >= settings.agreement
    boxes = forward.copy()
    boxes[returned:] = (forward[returned:] + backward) / 2
    start, stop = _longest_run(agrees)
    if stop - start < settings.min_frames:
        return None
    samples = pick_different(frames[start:stop], boxes[start:stop], settings)
    return PseudoTrack(start, boxes[start:stop], samples) if len(samples) >= settings.min_samples else None


def follow(tracker: TeacherTracker, frames: Sequence[np.ndarray], box_xywh: np.ndarray, min_score: float) -> np.ndarray:
    """Track a target until its score falls below the minimum or its box is no longer plausible.

    Returns:
        Boxes float64 (N, 4) of the first N frames, 1 <= N <= len(frames); the first is the one given.
    """
    height, width = frames[0].shape[:2]
    tracker.init(frames[0], box_xywh)
    boxes = [np.asarray(box_xywh, np.float64)]
    for image in frames[1:]:
        box, score = tracker.track(image)
        if score < min_score or not is_target_box(box, (width, height)):
            break
        boxes.append(box)
    return np.array(boxes)


def pick_different(frames: Sequence[np.ndarray], boxes_xywh: np.ndarray, settings: LabelSettings) -> np.ndarray:
    """Return positions, int (K,), of frames in which target or surroundings look different, spread evenly."""
    looks: list[np.ndarray] = []
    chosen: list[int] = []
    for position, box in enumerate(boxes_xywh):
        side = max(1, round(SEARCH_FACTOR / 2 * np.sqrt(box[2:].prod())))
        crop, _ = crop_context(frames[position], xywh_to_cxcywh(box)[:2], side, side, (0, 0, 0))
        grey = cv2.resize(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY), (LOOK_SIDE, LOOK_SIDE), interpolation=cv2.INTER_AREA)
        look = grey.astype(np.float32) - grey.mean()
        if not looks or np.abs(np.array(looks) - look).mean((1, 2)).min() >= settings.change:
            looks.append(look)
            chosen.append(position)
    positions = np.array(chosen, int)
    if len(positions) > settings.max_samples:
        positions = positions[np.linspace(0, len(positions) - 1, settings.max_samples).round().astype(int)]
    return positions


def _is_tracked(tracks: Sequence[PseudoTrack], number: int, box_xywh: np.ndarray) -> bool:
    """Whether one of the tracks covers a new box in the frame of this number."""
    for track in tracks:
        at = number - track.start
        if 0 <= at < len(track.boxes_xywh) and shared_part(box_xywh, track.boxes_xywh[at : at + 1])[0] > MAX_SHARED:
            return True
    return False


def _longest_run(flags: np.ndarray) -> tuple[int, int]:
    """Return (start, stop) of the longest stretch of True in bool (N,); (0, 0) where there is none."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(int), [0]])))
    if not len(edges):
        return 0, 0
    runs = edges.reshape(-1, 2)
    start, stop = runs[np.diff(runs).ravel().argmax()].tolist()
    return start, stop
