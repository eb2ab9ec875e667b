# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether what a network has computed can be used: NaN and infinity say nothing, and would stay in a target for good.

The numbers are checked where they leave the network, once for each place that reads them: an exported graph may hide
a NaN of its inside, so only what is read can be judged.
"""

import dataclasses
import typing
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from siam_tracker_ros.core.graphs import to_array
from siam_tracker_ros.errors import NetworkOutputError


def check_finite(name: str, values: npt.ArrayLike) -> None:
    """Raise NetworkOutputError where a value of an output is NaN or infinite."""
    finite = np.isfinite(values)
    if not finite.all():
        raise NetworkOutputError(
            f"{finite.size - np.count_nonzero(finite)} of {finite.size} values of the network's {name} are NaN or "
            "infinite, expected finite ones; if it happens again, take precision fp32 or another runtime, and check "
            "the weights"
        )


def check_finite_target(target: typing.Any) -> None:
    """Raise NetworkOutputError where an array or a tensor in a new target has a value that is NaN or infinite."""
    for name, values in _arrays(target):
        check_finite(name, to_array(values))


def _arrays(value: typing.Any, name: str = "") -> Iterator[tuple[str, typing.Any]]:
    """Yield the arrays and tensors in dataclasses and sequences, each with the name of its field."""
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from _arrays(getattr(value, field.name), field.name)
    elif isinstance(value, tuple | list):
        for part in value:
            yield from _arrays(part, name)
    elif isinstance(value, np.ndarray) or hasattr(value, "isfinite"):
        yield name, value
