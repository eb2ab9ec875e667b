# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is measured of a model with its weights: the probability that a box is right, the loss by narrow precisions.

A box is judged by what the tracker and the target's appearance say of it.
"""

import dataclasses
import json
import math
import pathlib
import typing
from collections.abc import Mapping

from siam_tracker_ros.errors import WeightsError
from siam_tracker_ros.outputs import write_atomic

Evidence = Mapping[str, float]  # what speaks for a box and against it, by name
Standing = typing.Literal["tracked", "doubted", "found"]  # of a box, before its frame is judged

STANDINGS: tuple[Standing, ...] = typing.get_args(Standing)

APPEARANCE_EVIDENCE = (  # of trackers with features to search with alone
    "likeness",  # of what is in the box to the target's looks, -1..1
    "first_likeness",  # the same, to its look in the first frame alone
    "strangeness",  # by how much the likeness is below the usual one of this target
    "rival",  # by how much it is likelier a rival, from a margin on
)
EVIDENCE = frozenset(APPEARANCE_EVIDENCE) | {
    "score",  # logit of the tracker's score
    "drop",  # by how much the score is below the usual one of this target
    "peak_ratio",  # second response peak over the first, 0..1
}

MIN_SCORE = 1e-3  # of a score, before its logit

NARROW_PRECISIONS = ("bf16", "int8")  # on a CPU


def logit(score: float) -> float:
    """Logarithm of the odds of a score 0..1, which is first cut to 0.001..0.999."""
    score = min(max(score, MIN_SCORE), 1 - MIN_SCORE)
    return math.log(score / (1 - score))


@dataclasses.dataclass(frozen=True)
class Logistic:
    """A logistic regression.

    Attributes:
        bias: added to the sum.
        factors: of the evidence, by name.
    """

    bias: float
    factors: Mapping[str, float]

    def __call__(self, evidence: Evidence) -> float:
        """Return the probability, 0..1, of evidence that names at least all factors."""
        log_odds = self.bias + sum(factor * evidence[name] for name, factor in self.factors.items())
        return 1 / (1 + math.exp(-min(max(log_odds, -50.0), 50.0)))


@dataclasses.dataclass(frozen=True)
class Calibration:
    """From evidence to the probability that the IoU of a box is above 0.5; and what narrow precisions cost.

    Attributes:
        tracked: for a box next to which the target was tracked in the frame before.
        doubted: for one next to which it was followed on in doubt, or was found not long ago.
        found: for a box at a place that a search has found, or of a target that is LOST: it has to prove more.
        losses: mean IoU that a precision costs in place of float32, by its name; only those that were measured.
    """

    tracked: Logistic = Logistic(0.0, {"score": 1.0})
    doubted: Logistic = Logistic(0.0, {"score": 1.0})
    found: Logistic = Logistic(0.0, {"score": 1.0})
    losses: Mapping[str, float] = dataclasses.field(default_factory=dict, kw_only=True)

    def confidence(self, evidence: Evidence, standing: Standing) -> float:
        """Return the probability, 0..1, that a box of a standing is right."""
        logistic: Logistic = getattr(self, standing)
        return logistic(evidence)

    @classmethod
    def read(cls, path: pathlib.Path) -> "Calibration":
        """Read a file that `write` made.

        Raises:
            WeightsError: it is no such file.
        """
        try:
            parts = json.loads(path.read_text(encoding="utf-8"))
            tracked, doubted, found = (_logistic(parts[name]) for name in STANDINGS)
            return cls(tracked, doubted, found, losses=_losses(parts.get("losses", {})))  # which older files lack
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise WeightsError(
                f"{path} is no calibration ({type(error).__name__}: {error}); remove it, or make it again with "
                "`siam-tracker calibrate`"
            ) from error

    def write(self, path: pathlib.Path) -> None:
        """Write it as JSON."""
        write_atomic(path, (json.dumps(dataclasses.asdict(self), indent=2) + "\n").encode())


def calibration_path(weights: pathlib.Path, model: str) -> pathlib.Path:
    """Return where the calibration of a model with weights is kept: beside a file, or in a folder of graphs."""
    if weights.is_dir():
        return weights / f"{model}.calibration.json"
    return weights.with_name(f"{weights.name}.{model}.calibration.json")


def _logistic(part: Mapping[str, typing.Any]) -> Logistic:
    factors = {str(name): float(factor) for name, factor in part["factors"].items()}
    unknown = factors.keys() - EVIDENCE
    if unknown or not all(map(math.isfinite, [*factors.values(), float(part["bias"])])):
        raise ValueError(f"factors are {factors}, expected finite ones of {', '.join(sorted(EVIDENCE))}")
    return Logistic(float(part["bias"]), factors)


def _losses(part: Mapping[str, typing.Any]) -> dict[str, float]:
    losses = {str(name): float(loss) for name, loss in part.items()}
    if losses.keys() - set(NARROW_PRECISIONS) or not all(map(math.isfinite, losses.values())):
        raise ValueError(f"losses are {losses}, expected finite ones of {', '.join(NARROW_PRECISIONS)}")
    return losses
