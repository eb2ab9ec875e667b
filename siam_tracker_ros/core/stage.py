# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Marks of the stages of a frame, for profilers."""

import contextlib
import typing
from collections.abc import Iterator

from torch.profiler import record_function

Stage = typing.Literal["crop", "backbone", "head"]


@contextlib.contextmanager
def stage(name: Stage) -> Iterator[None]:
    """Mark the time inside as a stage, as a context or a decorator, for `torch.profiler`.

    A mark costs some microseconds, whether or not a profiler runs. `core.network.graph` marks what an executor may
    run.
    """
    with record_function(name):
        yield
