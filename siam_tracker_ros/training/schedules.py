# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Learning rates of the published recipes, constant within an epoch."""

import dataclasses
import math

import numpy as np

from siam_tracker_ros.errors import InvalidSettingError
from siam_tracker_ros.settings import setting

MIN_RATE = 1e-12  # schedules take the logarithm


def log_rates(first: float, last: float, epochs: int) -> np.ndarray:
    """Return rates (epochs,) that change by a constant factor per epoch."""
    return np.logspace(math.log10(first), math.log10(last), epochs)


@dataclasses.dataclass(frozen=True)
class WarmUp:
    """The first epochs: rates rise from `start` by a constant factor per epoch; the next epoch would reach `end`."""

    start: float = setting(meaning="Rate of the first epoch.", low=MIN_RATE)
    end: float = setting(meaning="Rate that one more epoch of the warm-up would have.", low=MIN_RATE)
    epochs: int = setting(5, "Length of the warm-up.", 1)

    def rates(self) -> np.ndarray:
        return self.start * (self.end / self.start) ** (np.arange(self.epochs) / self.epochs)


@dataclasses.dataclass(frozen=True)
class Schedule:
    """Learning rates of a run."""

    epochs: int = setting(meaning="Length of the run, warm-up included.")
    first: float = setting(meaning="Rate of the first epoch after the warm-up.", low=MIN_RATE)
    last: float = setting(
        meaning="Rate of the last epoch. From `first` to `last`, rates change by a constant factor per epoch.",
        low=MIN_RATE,
    )
    warm_up: WarmUp | None = setting(None, "Rates of the first epochs; None for no warm-up.")
    base: float | None = setting(
        None,
        "Rate of a group with multiplier 1 in the first epoch after the warm-up; None for `first`. PySOT's AlexNet has "
        "half the rate of its table.",
    )

    def __post_init__(self) -> None:
        min_epochs = 1 if self.warm_up is None else 1 + self.warm_up.epochs
        if self.epochs < min_epochs:
            hint = "" if self.warm_up is None else "; they include those of warm_up, which may be null"
            raise InvalidSettingError(f"epochs is {self.epochs}, expected {min_epochs} or more{hint}")

    def table(self) -> np.ndarray:
        """Return the rates (epochs,) as the authors list them."""
        warm_up = self.warm_up.rates() if self.warm_up else np.empty(0)
        return np.concatenate([warm_up, log_rates(self.first, self.last, self.epochs - len(warm_up))])

    def rate(self, epoch: int, multiplier: float = 1.0) -> float:
        """Return the rate of a group in an epoch, counted from 0."""
        base = self.first if self.base is None else self.base
        return float(self.table()[epoch]) * base * multiplier / self.first
