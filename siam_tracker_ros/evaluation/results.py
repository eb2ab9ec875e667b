# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Folders of results: what a run left there, to go on from or to compare."""

import dataclasses
import hashlib
import itertools
import json
import shutil
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from siam_tracker_ros.core.confidence import Calibration
from siam_tracker_ros.core.monitor import TargetState
from siam_tracker_ros.data.box_files import read_results
from siam_tracker_ros.data.files import decode_text
from siam_tracker_ros.data.label_maps import read_mask
from siam_tracker_ros.data.problems import Problems
from siam_tracker_ros.data.track import MaskTrack, Track
from siam_tracker_ros.drawing import write_png
from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.evaluation.metrics import mask_iou
from siam_tracker_ros.evaluation.one_pass import DECIMALS, SequenceRun, mask_folder, result_file, state_file
from siam_tracker_ros.evaluation.run_scores import SCORES
from siam_tracker_ros.evaluation.starts import ManyStarts
from siam_tracker_ros.outputs import write_atomic

DESCRIPTION = "run.json"  # of the run that the results are of

Description = Mapping[str, typing.Any]


def describe_run(
    model: str,
    weights: str | None,
    preset: str | None,
    settings: Mapping[str, typing.Any],
    intensity_range: tuple[int, int] | None,
    session: Calibration | None = None,
    starts: ManyStarts | None = None,
) -> Description:
    """Return what two runs must have in common for one to go on from the results of the other.

    Args:
        model, weights, preset, settings: arguments of `create_tracker`.
        intensity_range: see `open_frames`.
        session: calibration of the confidence of a run in which sessions follow the targets; None for another run.
        starts: how the sequences are run; None for one pass.
    """
    path = Path(weights) if weights else None
    digest = hashlib.sha256(path.read_bytes()).hexdigest() if path is not None and path.is_file() else None
    description = {
        "model": model,
        "weights": weights,
        "weights_sha256": digest,
        "preset": preset,
        "settings": settings,
        "intensity_range": intensity_range,
    }
    further = {"session": session, "starts": starts}
    return description | {name: dataclasses.asdict(value) for name, value in further.items() if value is not None}


def check_starts(folder: Path, starts: ManyStarts | None) -> None:
    """Check that the results in a folder, if there are any that a run described, are of the same starts.

    Raises:
        InvalidInputError: they are of others, with which those of this run would be mixed up.
    """
    try:
        found = dict(json.loads((folder / DESCRIPTION).read_bytes())["starts"])
    except (OSError, ValueError, LookupError, TypeError):  # of one pass, or of another tool
        found = None
    if (folder / DESCRIPTION).is_file() and found != (None if starts is None else dataclasses.asdict(starts)):
        there = "one pass" if found is None else " ".join(f"--{name} {value}" for name, value in found.items())
        here = "one pass" if starts is None else f"--every {starts.every} --frames {starts.frames}"
        raise InvalidInputError(
            f"the results in {folder} are of {there}, expected {here} as in this call; give the same starts, or "
            "another folder"
        )


def start_results(folder: Path, tracks: Sequence[Track], description: Description) -> None:
    """Remove older results of the sequences of a new run from its folder, and describe the run there.

    Raises:
        InvalidInputError: there are files of these names which are no run's, such as the labels of the sequences.
    """
    files = [result_file(folder, track.name) for track in tracks]
    files += [*(state_file(folder, track.name) for track in tracks), folder / SCORES]
    masks = [mask_folder(folder, track.name) for track in tracks]
    found = next((path for path in (*files, *masks) if path.exists()), None)
    if found is not None and not (folder / DESCRIPTION).is_file():
        raise InvalidInputError(
            f"{found} is there, but no {DESCRIPTION} of a run that wrote it; give another folder for the results, or "
            "remove it"
        )
    for path in files:
        path.unlink(missing_ok=True)
    for path in masks:
        shutil.rmtree(path, ignore_errors=True)
    write_atomic(folder / DESCRIPTION, json.dumps(description, indent=1).encode() + b"\n")


def read_done(folder: Path, tracks: Sequence[Track], description: Description) -> list[SequenceRun]:
    """Read the results that a run which was stopped left behind; [] if there are none.

    Raises:
        InvalidInputError: they are of another run, or do not fit the sequences.
    """
    tracks = [track for track in tracks if result_file(folder, track.name).is_file()]
    if not tracks:
        return []
    path = folder / DESCRIPTION
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InvalidInputError(
            f"{path} cannot be read ({error}), expected what the results in {folder} are of; leave --resume out to "
            "replace them"
        ) from error
    if found != json.loads(json.dumps(description)):
        raise InvalidInputError(
            f"the results in {folder} are of {_show(found)}, expected {_show(description)} as in this run; "
            "leave --resume out to replace them, or give another folder"
        )
    return [_read_own_run(folder, track, "session" in description) for track in tracks]


def _read_own_run(folder: Path, track: Track, has_states: bool) -> SequenceRun:
    """Read the result of one sequence as `run_one_pass` writes it: its first box is the one that was given."""
    run = read_run(folder, track)
    if has_states and run.states is None:
        raise InvalidInputError(
            f"{state_file(folder, track.name)} is missing, expected the states of {track.name}; leave --resume out to "
            "replace the results"
        )
    given, labelled = run.boxes_xywh[0], track.boxes_xywh[0]
    if not np.allclose(given, labelled, rtol=0, atol=2 * 10**-DECIMALS):
        raise InvalidInputError(
            "{} begins with the box ({}), expected ({}) as the labels of {} have it now; leave --resume out to replace "
            "the results, or remove that file".format(
                result_file(folder, track.name),
                *(", ".join(f"{v:g}" for v in box) for box in (given, labelled)),
                track.name,
            )
        )
    return run


def read_all(folder: Path, tracks: Sequence[Track], problems: Problems) -> list[SequenceRun]:
    """Read the results of all sequences in a folder; note what is missing or does not fit."""
    runs = []
    for track in tracks:
        try:
            runs.append(read_run(folder, track))
        except InvalidInputError as error:
            problems.add_error(error)
    return runs


def read_run(folder: Path, track: Track) -> SequenceRun:
    """Read the result of one sequence.

    Raises:
        InvalidInputError: its file is missing or broken, or has another number of lines than there are frames.
    """
    path = result_file(folder, track.name)
    boxes, confidences = read_results(path)
    if len(boxes) != len(track):
        raise InvalidInputError(
            f"{path} has {len(boxes)} lines, expected {len(track)}, one per frame of {track.name}; "
            "check that the results are of these sequences"
        )
    return SequenceRun(
        name=track.name,
        truth_xywh=track.boxes_xywh,
        boxes_xywh=boxes.round(DECIMALS),
        confidences=confidences,
        track_ms=np.empty(0),
        region=_read_region(mask_folder(folder, track.name), track),
        states=_read_states(state_file(folder, track.name), len(track)),
    )


def write_label_maps(folder: Path, results_folder: Path, tracks: Sequence[Track], runs: Sequence[SequenceRun]) -> None:
    """Write the masks in a folder of results as the evaluators of DAVIS and YouTube-VOS read them.

    Each sequence has a folder, each of its frames a PNG file whose pixels are the numbers of the objects, 0 for none.
    Where masks of two objects overlap, the one with the higher confidence counts.

    Args:
        folder: where to write.
        results_folder: that `run_one_pass` wrote; it may lack masks.
        tracks: the sequences that are done, one per object; those of one video in a row.
        runs: their results.
    """
    for _, objects in itertools.groupby(zip(tracks, runs), key=lambda pair: pair[0].scene):
        _write_video(folder, results_folder, list(objects))


def _write_video(folder: Path, results_folder: Path, objects: Sequence[tuple[Track, SequenceRun]]) -> None:
    frames: dict[str, list[tuple[float, int, np.ndarray]]] = {}  # by name: confidence, number and mask of each object
    for track, run in objects:
        for index in range(len(track)):
            frame = track.label_name(index)
            path = mask_folder(results_folder, track.name) / f"{frame}.png"
            mask = track.mask(0) if index == 0 else read_mask(path) if path.is_file() else None
            found = [] if mask is None else [(float(run.confidences[index]), _number(track), mask)]
            frames.setdefault(frame, []).extend(found)
    shapes = [mask.shape for found in frames.values() for *_, mask in found]
    for frame, found in frames.items() if shapes else ():
        labels = np.zeros(shapes[0], np.uint8)
        for _, number, mask in sorted(found, key=lambda claim: claim[0]):
            labels[mask > 0] = number
        write_png(folder / _video_name(objects[0][0]) / f"{frame}.png", labels)


def _number(track: Track) -> int:
    """Return the number of a target among the objects of its video."""
    return track.label or 1 if isinstance(track, MaskTrack) else 1


def _video_name(track: Track) -> str:
    return track.files.folder.name if isinstance(track, MaskTrack) else track.name


def _read_states(path: Path, count: int) -> np.ndarray | None:
    """Return the states of a sequence's frames, int64 (count,); None if there is no file of them."""
    if not path.is_file():
        return None
    names = decode_text(path.read_bytes(), "replace").split()
    strange = [name for name in names if name not in TargetState.__members__]
    if strange or len(names) != count:
        fault = f"the state {strange[0]!r}" if strange else f"{len(names)} states"
        known = ", ".join(TargetState.__members__)
        raise InvalidInputError(f"{path} has {fault}, expected {count} of {known}, one per frame; remove it")
    return np.array([TargetState[name] for name in names])


def _read_region(folder: Path, track: Track) -> float:
    """Return the mean intersection over union of the masks that were written, NaN if there are none."""
    regions = []
    for index in range(1, len(track)) if folder.is_dir() else ():
        path = folder / f"{track.label_name(index)}.png"
        truth = track.mask(index) if path.is_file() else None
        if truth is not None:
            regions.append(mask_iou(truth > 0, read_mask(path) > 0))
    return float(np.mean(regions)) if regions else np.nan


def _show(description: Description) -> str:
    return ", ".join(f"{name} {value}" for name, value in description.items() if value not in (None, {}))
