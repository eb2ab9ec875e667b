# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The scores of a run in one file, and pairing those of two runs start by start."""

import dataclasses
import functools
import hashlib
import json
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.evaluation.resampling import Estimate, estimate
from siam_tracker_ros.evaluation.starts import HALVES, ManyStarts
from siam_tracker_ros.outputs import write_atomic

ALL = "all"
SCORES = "scores.json"  # in a folder of results
SHOWN = 5  # names that a message lists


@dataclasses.dataclass(frozen=True)
class StartScores:
    """Scores of one run from a start.

    Attributes:
        first: index of the frame in which the box was given.
        frames: number of frames that count.
        mean_iou: over these; None if none counts.
        lost: whether the target is lost at the end, see `FrameScores.is_lost`; None if no frame counts.
        labels: digest of the labels, see `digest`.
    """

    first: int
    frames: int
    mean_iou: float | None
    lost: bool | None
    labels: str


@dataclasses.dataclass(frozen=True)
class RunScores:
    """Scores of a run of a tracker over sequences.

    Attributes:
        starts: how they were run; None for one pass.
        halves: of HALVES, by name of the sequence.
        sequences: scores of the starts of each sequence, by its name.
    """

    starts: ManyStarts | None
    halves: Mapping[str, str]
    sequences: Mapping[str, tuple[StartScores, ...]]

    def values(self, name: str) -> np.ndarray:
        """Return the mean IoU of each start of a sequence, float64 (starts,), NaN where no frame counts."""
        return np.array([start.mean_iou for start in self.sequences[name]], np.float64)

    def within(self, half: str) -> "RunScores":
        """Return those of the sequences in one of HALVES."""
        return dataclasses.replace(
            self, sequences={name: own for name, own in self.sequences.items() if self.halves[name] == half}
        )

    @functools.cached_property
    def estimates(self) -> dict[str, Estimate]:
        """The mean IoU over ALL sequences and over each of HALVES."""
        return _estimates({name: self.values(name) for name in self.sequences}, self.halves)

    def figures(self) -> dict[str, typing.Any]:
        """Return the mean IoU and its interval, over all and over each half, as what json.dumps takes."""
        return {
            label: {
                "sequences": own.sequences,
                "starts": own.starts,
                "mean_iou": own.mean if own.starts else None,
                "interval": [own.low, own.high] if own.sequences > 1 else None,
            }
            for label, own in self.estimates.items()
        }

    def write(self, folder: Path) -> None:
        """Write SCORES into a folder of results."""
        content = {"mean": self.figures(), **dataclasses.asdict(self)}
        write_atomic(folder / SCORES, json.dumps(content, indent=1).encode() + b"\n")

    @classmethod
    def read(cls, path: Path) -> "RunScores":
        """Read the scores in a folder of results, or a file of scores.

        Raises:
            InvalidInputError: there are none, or they cannot be read.
        """
        path = path / SCORES if path.is_dir() else path
        if not path.is_file():
            raise InvalidInputError(
                f"{path} does not exist, expected the scores that siam-tracker eval --results writes at its end"
            )
        try:
            content = json.loads(path.read_bytes())
            return cls(
                starts=None if content["starts"] is None else ManyStarts(**content["starts"]),
                halves={name: _half(content["halves"][name]) for name in content["sequences"]},
                sequences={
                    name: tuple(_start_scores(start) for start in starts)
                    for name, starts in content["sequences"].items()
                },
            )
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise InvalidInputError(
                f"{path} cannot be read ({error!r}), expected the scores that siam-tracker eval --results writes; run "
                "it again with --resume"
            ) from error


def _estimates(values: Mapping[str, np.ndarray], halves: Mapping[str, str]) -> dict[str, Estimate]:
    return {
        label: estimate([own for name, own in values.items() if label in (ALL, halves[name])])
        for label in (ALL, *HALVES)
    }


def estimate_differences(first: RunScores, second: RunScores) -> dict[str, Estimate]:
    """Return the mean difference of the IoU, second run less first, over ALL sequences and over each of HALVES.

    Args:
        first, second: of the same starts of the same sequences, see `check_pairs`.
    """
    values = {name: second.values(name) - first.values(name) for name in first.sequences}
    return _estimates(values, first.halves)


def _half(half: typing.Any) -> str:
    if half not in HALVES:
        raise ValueError(f"half is {half!r}")
    return half


def _start_scores(values: Mapping[str, typing.Any]) -> StartScores:
    scores = StartScores(**values)
    return scores if scores.mean_iou is None else dataclasses.replace(scores, mean_iou=float(scores.mean_iou))


def digest(truth_xywh: np.ndarray) -> str:
    """Return 16 characters that are the same for the same labels (N, 4), to a thousandth of a pixel."""
    numbers = (truth_xywh.round(3) + 0.0).tolist()  # -0 is 0
    return hashlib.sha256(json.dumps(numbers).encode()).hexdigest()[:16]


def check_pairs(first: RunScores, second: RunScores) -> None:
    """Check that two runs are of the same starts of the same sequences with the same labels.

    Raises:
        InvalidInputError: says what differs, first run before second.
    """
    if first.starts != second.starts:
        shown = [str(run.starts or "one pass from the first frame") for run in (first, second)]
        raise InvalidInputError(
            f"the runs do not pair: {shown[0]}, and {shown[1]}; expected the same for both; run one of them again"
        )
    own, other = first.sequences, second.sequences
    shared = sorted(own.keys() & other.keys())
    found = {
        "only the first run has": sorted(own.keys() - other.keys()),
        "only the second run has": sorted(other.keys() - own.keys()),
        "other starts in": [name for name in shared if _column(own[name], "first") != _column(other[name], "first")],
    }
    found["other labels in"] = [
        name
        for name in shared
        if name not in found["other starts in"] and _column(own[name], "labels") != _column(other[name], "labels")
    ]
    faults = [f"{fault} {_list(names)}" for fault, names in found.items() if names]
    if faults:
        raise InvalidInputError(
            f"the runs do not pair: {'; '.join(faults)}; expected the same sequences, starts and labels; run eval on "
            "the same data for both"
        )


def _column(starts: Sequence[StartScores], name: str) -> list[typing.Any]:
    return [getattr(start, name) for start in starts]


def _list(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + f" and {len(names) - SHOWN} more" * (len(names) > SHOWN)
