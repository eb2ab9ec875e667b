# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Validation of a network during training: its tracker makes one pass over labelled sequences."""

import dataclasses
import typing
from collections.abc import Mapping

import torch
from torch import nn

from siam_tracker_ros import create_tracker
from siam_tracker_ros.core.tracker import Tracker
from siam_tracker_ros.data.labelled import read_videos
from siam_tracker_ros.data.problems import Problems
from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.evaluation.check import check_tracks
from siam_tracker_ros.evaluation.metrics import mean_scores, score_boxes
from siam_tracker_ros.evaluation.one_pass import run_one_pass
from siam_tracker_ros.settings import setting


@dataclasses.dataclass(frozen=True)
class ValidationSettings:
    """When and on what a run is validated."""

    sequences: str = setting(
        meaning="Folder of sequences as `siam-tracker eval` reads them; none may be in the training data."
    )
    every: int = setting(1000, "Steps between validations.", 1)
    tracker: dict[str, typing.Any] = setting(
        meaning="Settings of the tracker that differ from its defaults, as `create_tracker` takes them.",
        default_factory=dict,
    )


class Validation:
    """Scores a network by its IoU: the mean over the frames of a sequence, then over the sequences.

    Args:
        settings: when and on what.
        model: name of the model whose tracker runs the network.

    Raises:
        InvalidInputError: there are no sequences, or one has no labelled frame after its first.
        DatasetError: a sequence is incomplete or cannot be tracked from its first frame.
        InvalidSettingError: an unknown model, or settings that its tracker does not have.
    """

    def __init__(self, settings: ValidationSettings, model: str) -> None:
        self.settings, self.model = settings, model
        self.tracks = read_videos(settings.sequences).tracks
        problems = Problems()
        check_tracks(self.tracks, problems)
        problems.raise_any()
        for track in self.tracks:
            if not score_boxes(track.boxes_xywh, track.boxes_xywh).frames:
                raise InvalidInputError(f"{track.name} has no box after its first frame, expected one or more to score")
        self._create_tracker("random", "cpu")  # reports wrong settings before the run

    def __call__(self, network: nn.Module, device: torch.device) -> float:
        """Return the mean IoU, 0..1, of a network on a device; the network is not changed."""
        runs = run_one_pass(self._create_tracker(network.state_dict(), str(device)), self.tracks)
        return mean_scores(run.scores for run in runs).mean_iou

    def _create_tracker(self, weights: str | Mapping[str, torch.Tensor], device: str) -> Tracker:
        how = {"device": device, "precision": "fp32", "runtime": "torch"}  # the same on every machine
        return create_tracker(self.model, weights, **how, **self.settings.tracker)
