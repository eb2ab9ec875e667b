# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How well a network under training tracks: one pass over labelled sequences through its real tracker."""

import dataclasses
import math
import typing

from siam_tracker_ros import create_tracker
from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.evaluation.metrics import mean_scores, score_boxes
from siam_tracker_ros.evaluation.one_pass import run_one_pass
from siam_tracker_ros.evaluation.sequences import load_sequences


@dataclasses.dataclass(frozen=True)
class ValidationSettings:
    """When and on what a run is validated.

    Attributes:
        sequences: folder of sequences as `siam-tracker eval` reads them, none of which the training data hold.
        every: steps between validations.
        tracker: settings of the tracker in place of its usual ones, as `create_tracker` takes them.
    """

    RANGES: typing.ClassVar = {"every": (1, math.inf)}

    sequences: str
    every: int = 1000
    tracker: dict[str, typing.Any] = dataclasses.field(default_factory=dict)


class Validation:
    """Scores a network by the mean IoU over the frames of a sequence, and their mean over the sequences.

    Args:
        settings: ValidationSettings.
        model: name of the model whose tracker runs the network.

    Raises:
        InvalidInputError: there are no sequences, or one of them is not whole or has no label that counts.
        InvalidSettingError: an unknown model, or settings that its tracker does not take.
    """

    def __init__(self, settings, model):
        self.settings, self.model = settings, model
        self.sequences = load_sequences(settings.sequences)
        for sequence in self.sequences:
            if not score_boxes(sequence.truth_xywh, sequence.truth_xywh).frames:
                raise InvalidInputError(f"{sequence.folder} has no box after its first frame, expected one to score by")
        self._create_tracker("random", "cpu")  # what is wrong is said before the run

    def __call__(self, network, device):
        """Return the mean IoU, 0..1, of a network that is not changed by it, on a torch device."""
        runs = run_one_pass(self._create_tracker(network.state_dict(), str(device)), self.sequences)
        return mean_scores(run.scores for run in runs).mean_iou

    def _create_tracker(self, weights, device):
        how = {"device": device, "precision": "fp32", "runtime": "torch"}  # the same wherever a run goes on
        return create_tracker(self.model, weights, **how, **self.settings.tracker)
