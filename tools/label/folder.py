# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Labels the clips of a folder."""

import dataclasses
import pathlib
import re
from collections.abc import Sequence

import numpy as np
from tqdm import tqdm

from siam_tracker_ros.errors import InvalidInputError
from tools.label.clips import Clip, StartBoxes, find_clips, looks_held_out, read_clip
from tools.label.pseudo_labels import Teacher, label_clip
from tools.label.settings import LabelSettings
from tools.label.shard_writer import ShardWriter


@dataclasses.dataclass
class LabelReport:
    """What was done with the clips of a folder.

    Attributes:
        clips, tracks, frames: how many were labelled and written.
        unreadable, held_out: the clips that were left out.
        not_reached: the listed targets whose frame lies after the last used frame, as "clip, frame N".
        remarks: sentences about frames that are missing in clips that were labelled.
        shards: the files that were written.
    """

    clips: int = 0
    tracks: int = 0
    frames: int = 0
    unreadable: list[str] = dataclasses.field(default_factory=list)
    held_out: list[str] = dataclasses.field(default_factory=list)
    not_reached: list[str] = dataclasses.field(default_factory=list)
    remarks: list[str] = dataclasses.field(default_factory=list)
    shards: list[pathlib.Path] = dataclasses.field(default_factory=list)


def label_folder(
    folder: str | pathlib.Path,
    output: str | pathlib.Path,
    teacher: Teacher,
    settings: LabelSettings,
    held_out: np.ndarray | None = None,
    boxes: StartBoxes | None = None,
) -> LabelReport:
    """Label every clip of a folder and write the tracks as shards.

    Args:
        folder: of video files, gifs, and folders of images; each such folder is a clip.
        output: folder to write `tracks-NAME-*.tar` to, where NAME is the name of the folder of clips.
        teacher: tracks the targets.
        settings: how.
        held_out: fingerprints of images that must not be trained on, as `fingerprints` returns them, or None.
        boxes: where targets are, as `read_start_boxes` returns them; other clips are left out. None: search for what
            moves.

    Raises:
        InvalidInputError: the folder has no clips, none can be read, or no target is tracked alike in both directions.
    """
    folder = pathlib.Path(folder)
    clips = {path.relative_to(folder).as_posix(): path for path in find_clips(folder)}
    if boxes is not None:
        unknown = sorted(boxes.keys() - clips.keys())
        if unknown:
            raise InvalidInputError(f"there is no clip {unknown[0]} in {folder}; a box's clip is its path from there")
        clips = {name: path for name, path in clips.items() if name in boxes}
    set_name = _plain(folder.resolve().name)
    report = LabelReport()
    with ShardWriter(output, set_name) as writer:
        for clip_number, (name, path) in enumerate(tqdm(clips.items(), desc="label", unit="clip", disable=None)):
            listed = None if boxes is None else boxes[name]
            try:
                clip = read_clip(path, settings, 0 if listed is None else listed[0][0])
            except InvalidInputError:
                report.unreadable.append(name)
                continue
            if held_out is not None and looks_held_out(clip.frames, held_out):
                report.held_out.append(name)
                continue
            report.clips += 1
            report.remarks += clip.remarks
            starts = None if listed is None else _starts(listed, clip, name, report)
            for number, track in enumerate(label_clip(clip.frames, teacher, settings, starts)):
                shown = [(track.start + at, track.boxes_xywh[at]) for at in track.samples]
                frames = [(clip.first + at * clip.step, clip.frames[at], box, None) for at, box in shown]
                # The number keeps tracks apart where two clips' names become the same.
                writer.add_track(set_name, f"{clip_number}_{_plain(name)}_{number}", frames)
                report.tracks += 1
                report.frames += len(frames)
    report.shards = writer.paths
    if len(report.unreadable) == len(clips):
        raise InvalidInputError(
            f"none of the {len(clips)} clips in {folder} can be read, the first is {next(iter(clips.values()))}"
        )
    if not report.tracks:
        raise InvalidInputError(
            f"no target in the {report.clips} clips of {folder} moves and is followed there and back alike (besides, "
            f"{len(report.unreadable)} cannot be read, {len(report.held_out)} are held out); say where targets are, or "
            "lower change, agreement or score"
        )
    return report


def _starts(
    listed: Sequence[tuple[int, np.ndarray]], clip: Clip, name: str, report: LabelReport
) -> list[tuple[int, np.ndarray]]:
    """Listed targets in a clip's used frames: frame number and box_xywh (4,); those after the last are reported."""
    starts = [(round((at - clip.first) / clip.step), box * clip.scale) for at, box in listed]
    last = len(clip.frames) - 1
    report.not_reached += [f"{name}, frame {at}" for (at, _), (start, _) in zip(listed, starts) if start > last]
    return starts


def _plain(text: str) -> str:
    """A name of letters, digits and underscores: keys of samples are split at dashes and dots."""
    return re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")
