# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A thread in which torch uses no other threads, for the work that is left to torch beside ONNX Runtime.

A parallel operation of torch wakes its other threads. They then spin for milliseconds, waiting for the next operation,
on the cores that the threads of ONNX Runtime need. If another program occupies a core, torch waits for the thread that
should run on it, sometimes for most of a second. Small operations lose more by this than they gain.
"""

import concurrent.futures
import typing
from collections.abc import Callable

import torch

from siam_tracker_ros.executors.executor import R


class LoneThread:
    """Calls functions in a thread of its own, in which torch uses one thread."""

    def __init__(self) -> None:
        count = torch.get_num_threads()
        self._executor = concurrent.futures.ThreadPoolExecutor(1, "torch-alone", _use_one_thread)
        self._executor.submit(torch.get_num_threads).result()
        torch.set_num_threads(count)  # threads that start later inherit what a thread sets

    def __call__(self, function: Callable[..., R], *arguments: typing.Any) -> R:
        """Return the result of the function, or raise its exception."""
        return self._executor.submit(function, *arguments).result()


def _use_one_thread() -> None:
    torch.set_num_threads(1)
    torch.get_num_threads()  # a thread that has not asked yet would adopt the next number that any thread sets
