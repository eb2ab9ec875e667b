# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Makes training video out of clips without labels: tracks that a teacher draws the same way there and back.

A target is followed forward from where it was found, then backward from where that ended. A tracker that was led
astray seldom comes back the way it went, so the stretch where both agree can be believed (forward-backward error,
Kalal et al. 2010).
"""

import dataclasses
import math
import pathlib
import re
import typing

import cv2
import numpy as np
from tqdm import tqdm

from siam_tracker_ros.core.crop import crop_context
from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.frames import IMAGE_SUFFIXES, open_frames
from siam_tracker_ros.geometry import cxcywh_to_xywh, iou_xywh, xywh_to_cxcywh, xywh_to_xyxy, xyxy_to_xywh
from siam_tracker_ros.methods.lite.network import (
    SEARCH_CELLS,
    SEARCH_FACTOR,
    SEARCH_SIDE,
    TEMPLATE_FACTOR,
    TEMPLATE_SIDE,
)
from siam_tracker_ros.methods.lite.teacher import cell_box
from siam_tracker_ros.training.shard_writer import ShardWriter
from siam_tracker_ros.training.target_proposals import MAX_SHARED, is_target_box, propose_boxes, shared_part

VIDEO_SUFFIXES = frozenset({".avi", ".gif", ".m4v", ".mkv", ".mov", ".mp4", ".mpg", ".webm"})
FLOW_STEP = 2  # frames between the two whose optical flow is taken
HISTOGRAM_BINS = 8  # a colour
LOOK_SIDE = 48  # pixels of the crops whose difference tells how much a target's looks change
MIN_TARGET_SIDE = 10  # pixels, as in the teacher's own tracker
FINGERPRINT_DIFFERENCE = 30  # of 256 bits, by which two prints of the same picture differ at most
FINGERPRINT_BALANCE = 0.3  # by which the share of rising bits differs from a half at most


@dataclasses.dataclass(frozen=True)
class LabelSettings:
    """How clips are labelled.

    Attributes:
        rate: frames a second that are looked at; of a folder of images every one is.
        clip_frames: at most so many of them, from the clip's start.
        longest_side: larger frames are shrunk to it, pixels.
        scene_change: difference of the colour histograms of two frames, 0..1, above which the scene was cut.
        hop: frames from one search for targets to the next.
        reach: frames over which a target is followed from there.
        targets: most targets a search.
        clip_tracks: most tracks a clip.
        agreement: least IoU of the forward and the backward box in a frame that is kept.
        score: least score of both.
        second_agreement: least IoU with the box of the second opinion.
        min_frames: a shorter stretch is dropped.
        min_samples, max_samples: frames that are stored of a track.
        change: mean grey levels by which the crops of two stored frames differ at least; a target that stands still
            in a still picture has too few such frames, and is dropped.
    """

    RANGES: typing.ClassVar = {
        **dict.fromkeys(("scene_change", "agreement", "score", "second_agreement"), (0.0, 1.0)),
        **dict.fromkeys(("clip_frames", "longest_side", "hop", "targets", "clip_tracks"), (1, math.inf)),
        **dict.fromkeys(("reach", "min_frames", "min_samples", "max_samples"), (2, math.inf)),
        "rate": (0.01, math.inf),
    }

    rate: float = 10.0
    clip_frames: int = 150
    longest_side: int = 1280
    scene_change: float = 0.35
    hop: int = 20
    reach: int = 40
    targets: int = 3
    clip_tracks: int = 6
    agreement: float = 0.7
    score: float = 0.4
    second_agreement: float = 0.5
    min_frames: int = 10
    min_samples: int = 6
    max_samples: int = 12
    change: float = 9.0


@dataclasses.dataclass(frozen=True, eq=False)
class PseudoTrack:
    """A believed stretch of a target's way.

    Attributes:
        start: number of its first frame among those that were looked at.
        boxes_xywh: float64 (N, 4), the mean of the forward and the backward boxes.
        samples: int (K,), positions within the stretch of the frames that are worth storing.
    """

    start: int
    boxes_xywh: np.ndarray
    samples: np.ndarray


class TeacherTracker:
    """Follows one target as LightFC's own tracker does: a Hann window over the scores, no smoothing of the size."""

    def __init__(self, teacher):
        """teacher: has `embed` and `search` as training.teacher.LightFcTeacher."""
        self._teacher = teacher
        wave = np.hanning(SEARCH_CELLS + 2)[1:-1]
        self._window = np.outer(wave, wave)

    def init(self, image_bgr, box_xywh):
        """Remember the target in a box (4,) of an image, uint8 (H, W, 3)."""
        self.box_xywh = np.asarray(box_xywh, np.float64)
        self._features = self._teacher.embed(self._crop(image_bgr, TEMPLATE_FACTOR, TEMPLATE_SIDE)[0])

    def track(self, image_bgr):
        """Return the target's box (4,) in the next image, within its borders, and the score, 0..1."""
        crop, corner_xy, side = self._crop(image_bgr, SEARCH_FACTOR, SEARCH_SIDE)
        score, size, offset = self._teacher.search(self._features, crop)
        row, column = np.unravel_index((score[0] * self._window).argmax(), self._window.shape)
        box = cxcywh_to_xywh(cell_box(size, offset, row, column).astype(np.float64) * side)
        box[:2] += corner_xy
        height, width = image_bgr.shape[:2]
        box_xyxy = xywh_to_xyxy(box)
        first = np.clip(box_xyxy[:2], 0, np.array([width, height]) - MIN_TARGET_SIDE)
        last = np.clip(box_xyxy[2:], first + MIN_TARGET_SIDE, (width, height))
        self.box_xywh = xyxy_to_xywh(np.concatenate([first, last]))
        return self.box_xywh, float(score[0, row, column])

    def _crop(self, image_bgr, factor, out_side):
        side = int(np.ceil(np.sqrt(self.box_xywh[2:].prod()) * factor))
        center_xy = xywh_to_cxcywh(self.box_xywh)[:2] + 0.5  # the region is not half a pixel off, as PySOT's
        crop, corner_xy = crop_context(image_bgr, center_xy, side, out_side, (0, 0, 0), round)
        return crop, corner_xy, side


@dataclasses.dataclass(frozen=True, eq=False)
class Clip:
    """The frames of a clip that are looked at.

    Attributes:
        frames: list of uint8 (H, W, 3).
        first, step: number of the first in the file, and from one to the next.
        scale: pixels of a frame over pixels of the file's, at most 1.
    """

    frames: list
    first: int
    step: int
    scale: float


@dataclasses.dataclass
class LabelReport:
    """What was done with the clips of a folder.

    Attributes:
        clips, tracks, frames: how many were labelled and written.
        unreadable, held_out: the clips that were left out.
        not_reached: the targets that were named in a frame behind the last that is looked at, as "clip, frame N".
        shards: the files that were written.
    """

    clips: int = 0
    tracks: int = 0
    frames: int = 0
    unreadable: list = dataclasses.field(default_factory=list)
    held_out: list = dataclasses.field(default_factory=list)
    not_reached: list = dataclasses.field(default_factory=list)
    shards: list = dataclasses.field(default_factory=list)


def label_folder(folder, output, teacher, settings, second=None, held_out=None, boxes=None):
    """Label every clip of a folder and write the tracks as shards.

    Args:
        folder: of video files, gifs, and folders of images; each such folder is a clip.
        output: folder to write `tracks-NAME-*.tar` to, NAME being the clips folder's.
        teacher: a LightFcTeacher.
        settings: a LabelSettings.
        second: a tracker with `init` and `track` that must agree, or None.
        held_out: fingerprints of pictures that must not be trained on, as `fingerprints` gives them, or None.
        boxes: where targets are, as `read_start_boxes` gives them; clips that are not named there are left out. None:
            look for what moves.

    Returns:
        A LabelReport.

    Raises:
        InvalidInputError: no clips in the folder, none that can be read, or no track that can be believed.
    """
    folder = pathlib.Path(folder)
    clips = find_clips(folder)
    if boxes is not None:
        names = {path.relative_to(folder).as_posix() for path in clips}
        unknown = sorted(boxes.keys() - names)
        if unknown:
            raise InvalidInputError(f"there is no clip {unknown[0]} in {folder}; a box's clip is its path from there")
        clips = [path for path in clips if path.relative_to(folder).as_posix() in boxes]
    set_name = _plain(folder.resolve().name)
    report = LabelReport()
    with ShardWriter(output, set_name) as writer:
        for clip_number, path in enumerate(tqdm(clips, desc="label", unit="clip", disable=None)):
            name = path.relative_to(folder).as_posix()
            try:
                clip = read_clip(path, settings, 0 if boxes is None else boxes[name][0][0])
            except InvalidInputError:
                report.unreadable.append(name)
                continue
            if held_out is not None and looks_held_out(clip.frames, held_out):
                report.held_out.append(name)
                continue
            report.clips += 1
            starts = None
            if boxes is not None:
                named = [(at, round((at - clip.first) / clip.step), box * clip.scale) for at, box in boxes[name]]
                report.not_reached += [f"{name}, frame {at}" for at, start, _ in named if start >= len(clip.frames)]
                starts = [(start, box) for _, start, box in named]
            for number, track in enumerate(label_clip(clip.frames, teacher, settings, second, starts)):
                shown = [(track.start + at, track.boxes_xywh[at]) for at in track.samples]
                frames = [(clip.first + at * clip.step, clip.frames[at], box, None) for at, box in shown]
                writer.add_track(set_name, f"{clip_number}_{_plain(name)}_{number}", frames)  # names may become alike
                report.tracks += 1
                report.frames += len(frames)
    report.shards = writer.paths
    if len(report.unreadable) == len(clips):
        raise InvalidInputError(f"none of the {len(clips)} clips in {folder} can be read, the first is {clips[0]}")
    if not report.tracks:
        raise InvalidInputError(
            f"no target in the {report.clips} clips of {folder} moves and is followed there and back alike (besides, "
            f"{len(report.unreadable)} cannot be read, {len(report.held_out)} are held out); say where targets are, or "
            "lower change, agreement or score"
        )
    return report


def read_start_boxes(path):
    """Read where targets are from lines of `clip,frame,x,y,w,h`, the clip as its path within the folder of clips.

    Returns:
        Dictionary from clip to a list of (frame, box_xywh float64 (4,)), frames counted from 0 as in the file.

    Raises:
        InvalidInputError: a line that is none of these; the message says which.
    """
    found = {}
    for number, line in enumerate(pathlib.Path(path).read_text().splitlines(), 1):
        parts = line.rsplit(",", 5)
        try:
            clip, frame, box = parts[0], int(parts[1]), np.array(parts[2:], np.float64)
        except (IndexError, ValueError):
            clip = None
        if not clip or box.shape != (4,) or not np.isfinite(box).all() or frame < 0 or box[2:].min() <= 0:
            raise InvalidInputError(f"{path}, line {number} is {line!r}, expected clip,frame,x,y,w,h")
        found.setdefault(clip, []).append((frame, box))
    if not found:
        raise InvalidInputError(f"{path} names no target, expected lines of clip,frame,x,y,w,h")
    return found


def find_clips(folder):
    """Return the clips of a folder, sorted: videos and gifs, and the folders with images in it, at any depth."""
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise InvalidInputError(f"{folder} is no folder, expected one with clips: videos, gifs or folders of images")
    files = [path for path in folder.rglob("*") if path.is_file()]
    clips = {path for path in files if path.suffix.lower() in VIDEO_SUFFIXES}
    clips |= {path.parent for path in files if path.suffix.lower() in IMAGE_SUFFIXES}
    if not clips:
        raise InvalidInputError(
            f"no clips in {folder}, expected videos ({', '.join(sorted(VIDEO_SUFFIXES))}) or folders of images"
        )
    return sorted(clips)


def read_clip(path, settings, frame=0):
    """Return a Clip that looks at the file's frame of this number; raise InvalidInputError where nothing decodes."""
    found, scale = [], 1.0
    with open_frames(path) as source:
        step = max(1, round(source.fps / settings.rate))
        first = frame % step
        for number, image in enumerate(source):
            if number % step != first:
                continue
            scale = min(1.0, settings.longest_side / max(image.shape[:2]))
            if scale < 1:
                image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            found.append(image)
            if len(found) == settings.clip_frames:
                break
    return Clip(found, first, step, scale)


def split_scenes(frames, settings):
    """Return (start, stop) of the stretches of frames without a cut, by the difference of colour histograms."""
    histograms = [_histogram(image) for image in frames]
    cuts = [
        number
        for number in range(1, len(frames))
        if np.abs(histograms[number] - histograms[number - 1]).sum() / 2 > settings.scene_change
        or frames[number].shape != frames[number - 1].shape
    ]
    return list(zip([0, *cuts], [*cuts, len(frames)], strict=True))


def label_clip(frames, teacher, settings, second=None, starts=None):
    """Return the PseudoTracks of a clip.

    frames: list of uint8 (H, W, 3). starts: tuples of frame number and box_xywh (4,), or None to look for what moves.
    """
    tracks = []
    for start, stop in split_scenes(frames, settings):
        for found_at, box in _moving(frames, start, stop, settings) if starts is None else starts:
            if not start <= found_at < stop:
                continue
            if starts is None and (len(tracks) == settings.clip_tracks or _is_followed(tracks, found_at, box)):
                continue
            stretch = frames[found_at : min(stop, found_at + settings.reach)]
            track = label_target(stretch, box, teacher, settings, second)
            if track is not None:
                tracks.append(dataclasses.replace(track, start=track.start + found_at))
    return tracks


def _moving(frames, start, stop, settings):
    """Yield the number of a frame of a scene and the box of something that moves in it."""
    for number in range(start, stop - settings.min_frames + 1, settings.hop):
        later = min(number + FLOW_STEP, stop - 1)
        for box in propose_boxes(frames[number], frames[later], settings.targets):
            yield number, box


def label_target(frames, box_xywh, teacher, settings, second=None):
    """Follow the target in a box of the first frame there and back.

    Returns:
        A PseudoTrack of the longest stretch that can be believed, or None where there is none that teaches anything.
    """
    there = follow(TeacherTracker(teacher), frames, box_xywh, settings.score)
    if len(there) < settings.min_frames or len(pick_different(frames, there, settings)) < settings.min_samples:
        return None  # before the way back is paid for
    back = follow(TeacherTracker(teacher), frames[: len(there)][::-1], there[-1], settings.score)[::-1]
    came_back = len(there) - len(back)
    believed = np.zeros(len(there), bool)
    believed[came_back:] = iou_xywh(there[came_back:], back) >= settings.agreement
    boxes = there.copy()
    boxes[came_back:] = (there[came_back:] + back) / 2
    start, stop = _longest_run(believed)
    if second is not None and start < stop:
        opinion = follow(second, frames[start:stop], boxes[start], 0.0)
        agrees = iou_xywh(opinion, boxes[start : start + len(opinion)]) >= settings.second_agreement
        first, last = _longest_run(agrees)
        start, stop = start + first, start + last
    if stop - start < settings.min_frames:
        return None
    samples = pick_different(frames[start:stop], boxes[start:stop], settings)
    return PseudoTrack(start, boxes[start:stop], samples) if len(samples) >= settings.min_samples else None


def follow(tracker, frames, box_xywh, min_score):
    """Follow a target until the score falls below the least, or the box is none of a target any more.

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


def pick_different(frames, boxes_xywh, settings):
    """Return the positions of frames in which the target or what is around it looks different, spread evenly."""
    looks = []
    chosen = []
    for position, box in enumerate(boxes_xywh):
        side = max(1, round(SEARCH_FACTOR / 2 * np.sqrt(box[2:].prod())))
        crop, _ = crop_context(frames[position], xywh_to_cxcywh(box)[:2], side, side, (0, 0, 0))
        look = cv2.resize(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY), (LOOK_SIDE, LOOK_SIDE), interpolation=cv2.INTER_AREA)
        look = look.astype(np.float32) - look.mean()
        if not looks or np.abs(np.array(looks) - look).mean((1, 2)).min() >= settings.change:
            looks.append(look)
            chosen.append(position)
    if len(chosen) > settings.max_samples:
        chosen = np.array(chosen)[np.linspace(0, len(chosen) - 1, settings.max_samples).round().astype(int)]
    return np.array(chosen, int)


def fingerprints(folder):
    """Return what tells the pictures in a folder of clips from others, bool (N, 256), for every fifth frame."""
    settings = LabelSettings(rate=1e9, clip_frames=100_000)
    found = [_fingerprints(read_clip(clip, settings).frames[::5]) for clip in find_clips(folder)]
    return np.concatenate(found)


def looks_held_out(frames, held_out):
    """Whether one of the frames is a picture of `fingerprints`, be it scaled, compressed or a little changed."""
    differ = (_fingerprints(frames)[:, None] != held_out[None]).sum(-1)  # (frames, pictures)
    return bool((differ <= FINGERPRINT_DIFFERENCE).any())


def _fingerprints(images_bgr):
    """Where brightness rises from left to right in each picture, shrunk to 16 rows of 16 steps: bool (N, 256).

    Even pictures and masks have hardly any rise, or hardly any fall, and tell nothing: they are passed over.
    """
    prints = np.zeros((0, 256), bool)
    for image in images_bgr:
        small = cv2.resize(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), (17, 16), interpolation=cv2.INTER_AREA)
        rises = (small[:, 1:] > small[:, :-1]).ravel()
        if abs(rises.mean() - 0.5) < FINGERPRINT_BALANCE:
            prints = np.concatenate([prints, rises[None]])
    return prints


def _plain(text):
    """A name of letters, digits and underscores: keys of samples are split at dashes and dots."""
    return re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")


def _histogram(image_bgr):
    small = cv2.resize(image_bgr, (96, 54), interpolation=cv2.INTER_AREA)
    bins = (small // (256 // HISTOGRAM_BINS)).reshape(-1, 3).astype(int) @ [HISTOGRAM_BINS**2, HISTOGRAM_BINS, 1]
    return np.bincount(bins, minlength=HISTOGRAM_BINS**3) / len(bins)


def _is_followed(tracks, number, box_xywh):
    """Whether one of the tracks shows in a frame what a new box shows."""
    for track in tracks:
        at = number - track.start
        if 0 <= at < len(track.boxes_xywh) and shared_part(box_xywh, track.boxes_xywh[at : at + 1])[0] > MAX_SHARED:
            return True
    return False


def _longest_run(flags):
    """Return (start, stop) of the longest stretch of True in bool (N,); (0, 0) where there is none."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(int), [0]])))
    if not len(edges):
        return 0, 0
    runs = edges.reshape(-1, 2)
    return tuple(runs[np.diff(runs).ravel().argmax()].tolist())
