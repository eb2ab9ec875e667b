# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How far a mean over sequences can be trusted: intervals by bootstrap.

Sequences are drawn again with replacement, and the starts of each of them too (Davison and Hinkley 1997, section 3.8).
The second step makes intervals a little wider. Those of the first alone are too narrow for few sequences.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

DRAWS = 10_000
PERCENTILES = (2.5, 97.5)


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A mean over sequences.

    Attributes:
        sequences, starts: numbers of those that have a value.
        mean: over the starts of a sequence, then over the sequences; NaN without any.
        low, high: ends of the 95 % interval; NaN for fewer than two sequences.
    """

    sequences: int
    starts: int
    mean: float
    low: float
    high: float

    @property
    def is_told_from_chance(self) -> bool:
        """Whether, for a mean difference, the interval does not hold 0."""
        return self.low > 0 or self.high < 0


def estimate(values: Sequence[np.ndarray]) -> Estimate:
    """Return the mean and its interval; the same values always give the same ones.

    Args:
        values: of each sequence, float64 (starts,). NaN is no value; a sequence without values does not count.
    """
    known = [own[np.isfinite(own)] for own in values]
    known = [own for own in known if len(own)]
    starts = sum(map(len, known))
    if not known:
        return Estimate(0, 0, np.nan, np.nan, np.nan)
    mean = float(np.mean([own.mean() for own in known]))
    if len(known) < 2:
        return Estimate(len(known), starts, mean, np.nan, np.nan)
    low, high = np.percentile(_draw_means(known), PERCENTILES).tolist()
    return Estimate(len(known), starts, mean, low, high)


def _draw_means(values: Sequence[np.ndarray]) -> np.ndarray:
    """Return the means of DRAWS samples, float64 (DRAWS,)."""
    random, count = np.random.default_rng(0), len(values)
    times = random.multinomial(count, np.full(count, 1 / count), size=DRAWS)  # that each sequence is drawn
    total = np.zeros(DRAWS)
    for own, drawn in zip(values, times.T):
        means = own[random.integers(len(own), size=(drawn.sum(), len(own)))].mean(axis=1)
        total += np.bincount(np.repeat(np.arange(DRAWS), drawn), means, DRAWS)
    return total / count
