# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which format a folder of one sequence has."""

import pathlib

from siam_tracker_ros.data import got10k, lasot, otb, trackingnet, vot

# In this order: most have a groundtruth.txt, and the own format nothing else that the others lack.
_CHECKS = {
    "otb": otb.is_sequence,
    "trackingnet": trackingnet.is_sequence,
    "lasot": lasot.is_sequence,
    "got10k": got10k.is_sequence,
    "vot": vot.is_sequence,
}


def kind_of(place: pathlib.Path) -> str | None:
    """Return the name of the format of a folder, None if it is no sequence: a key of `formats.FORMATS`."""
    found = next((kind for kind, is_sequence in _CHECKS.items() if is_sequence(place)), None)
    return found or ("sequences" if (place / "groundtruth.txt").is_file() else None)
