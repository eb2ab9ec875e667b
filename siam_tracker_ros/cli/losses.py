# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What precisions cost on labelled sequences, measured and printed by the commands that write it down."""

import typing
from collections.abc import Callable, Sequence

from siam_tracker_ros.cli.tables import format_table

if typing.TYPE_CHECKING:
    from siam_tracker_ros.core.running import Running
    from siam_tracker_ros.core.tracker import Tracker
    from siam_tracker_ros.data.track import Track


def measure_losses(
    make: "Callable[[Running], Tracker]", ways: "Sequence[Running]", tracks: "Sequence[Track]"
) -> dict[str, float]:
    """Print a table of what ways to run a model cost, and return the loss of mean IoU by the names of the precisions.

    Args:
        make: makes the tracker of a way.
        ways: the first one is in float32.
        tracks: labelled sequences.
    """
    from tqdm import tqdm

    from siam_tracker_ros.core.running import Running
    from siam_tracker_ros.evaluation.precisions import COST_COLUMNS, cost_rows, losses, measure_costs

    made = [make(way) for way in ways]
    trackers = {Running(tracker.runtime, tracker.precision): tracker for tracker in made}
    total = len(trackers) * sum(map(len, tracks))
    with tqdm(total=total, desc="precisions", unit="frame", disable=None) as progress:
        costs = measure_costs(trackers, tracks, progress.update)
    print(format_table(COST_COLUMNS, cost_rows(costs), left=(0, 1)))
    return losses(costs)


def describe_loss(loss: float) -> str:
    """Say what a loss of mean IoU means for the choice of a precision."""
    from siam_tracker_ros.core.running import MAX_LOSS

    if loss <= MAX_LOSS:
        return f"costs {loss:.4f} mean IoU; precision auto takes it where it is faster"
    return f"costs {loss:.4f} mean IoU, more than {MAX_LOSS}; precision auto does not take it"
