# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Marks of the stages of a frame, for profilers."""

import contextlib
import sys
import typing

Stage = typing.Literal["crop", "backbone", "head"]


class stage(contextlib.ContextDecorator):  # noqa: N801 - used like a function
    """Mark the time inside as a stage for `torch.profiler`, as a context or a decorator.

    Where no profiler runs in this thread, a mark costs less than a microsecond; `record_function` alone would cost some
    per cent of a frame. `core.network.graph` marks what an executor may run.
    """

    def __init__(self, name: Stage) -> None:
        self._name = name
        self._mark: typing.Any = None

    def _recreate_cm(self) -> "stage":
        return stage(self._name)  # each call of a decorated function has a mark of its own

    def __enter__(self) -> None:
        torch = sys.modules.get("torch")  # no profiler runs where it was never imported
        if torch is not None and torch.autograd._profiler_enabled():
            self._mark = torch.profiler.record_function(self._name)
            self._mark.__enter__()

    def __exit__(self, *exception: typing.Any) -> None:
        if self._mark is not None:
            self._mark.__exit__(*exception)
            self._mark = None
