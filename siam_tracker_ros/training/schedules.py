# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Learning rates of the published recipes, constant within an epoch."""

import dataclasses
import math
import typing

import numpy as np

from siam_tracker_ros.errors import InvalidSettingError

MIN_RATE = 1e-12  # rates are logarithmic


def log_rates(first, last, epochs):
    """Rates (epochs,) that fall or rise by the same factor from one epoch to the next."""
    return np.logspace(math.log10(first), math.log10(last), epochs)


@dataclasses.dataclass(frozen=True)
class WarmUp:
    """The first epochs, whose rates rise by the same factor each; the last one stays short of `end` by that factor."""

    RANGES: typing.ClassVar = {"start": (MIN_RATE, math.inf), "end": (MIN_RATE, math.inf), "epochs": (1, math.inf)}

    start: float
    end: float
    epochs: int = 5

    def rates(self):
        return self.start * (self.end / self.start) ** (np.arange(self.epochs) / self.epochs)


@dataclasses.dataclass(frozen=True)
class Schedule:
    """Learning rates of a run.

    Attributes:
        epochs: length of the run, warm-up included.
        first, last: rates of the first epoch after the warm-up and of the last one; logarithmic between.
        warm_up: WarmUp or None.
        base: rate that a group with multiplier 1 has in the first epoch after the warm-up; None for `first`. PySOT's
            AlexNet has half of its table's.
    """

    RANGES: typing.ClassVar = {name: (MIN_RATE, math.inf) for name in ("first", "last")}

    epochs: int
    first: float
    last: float
    warm_up: WarmUp | None = None
    base: float | None = None

    def __post_init__(self):
        least = 1 if self.warm_up is None else 1 + self.warm_up.epochs
        if self.epochs < least:
            hint = "" if self.warm_up is None else "; the others are of warm_up, which may be null"
            raise InvalidSettingError(f"epochs is {self.epochs}, expected {least} or more{hint}")

    def table(self):
        """The rates (epochs,) as the authors list them."""
        warm_up = self.warm_up.rates() if self.warm_up else np.empty(0)
        return np.concatenate([warm_up, log_rates(self.first, self.last, self.epochs - len(warm_up))])

    def rate(self, epoch, multiplier=1.0):
        """The rate of a group in an epoch, which counts from 0."""
        base = self.first if self.base is None else self.base
        return float(self.table()[epoch]) * base * multiplier / self.first
