# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A thread in which torch works alone, for what is left to torch where ONNX Runtime executes a network.

A parallel operation of torch wakes its other threads, which then wait awake for milliseconds for the next one: on the
cores that ONNX Runtime's threads need. And where another program holds a core, torch waits for the thread that should
run on it, now and then for most of a second. Small operations lose more by it than they gain.
"""

import concurrent.futures
import typing
from collections.abc import Callable

import torch

from siam_tracker_ros.executors.executor import R


class LoneThread:
    """Calls functions in a thread of its own, in which torch uses no other."""

    def __init__(self) -> None:
        count = torch.get_num_threads()
        self._executor = concurrent.futures.ThreadPoolExecutor(1, "torch-alone", _use_one_thread)
        self._executor.submit(torch.get_num_threads).result()
        torch.set_num_threads(count)  # what a thread sets is also what threads that come later begin with

    def __call__(self, function: Callable[..., R], *arguments: typing.Any) -> R:
        """Return what the function returns, or raise what it raises."""
        return self._executor.submit(function, *arguments).result()


def _use_one_thread() -> None:
    torch.set_num_threads(1)
    torch.get_num_threads()  # a thread that has not asked yet would take over the next number that any thread sets
