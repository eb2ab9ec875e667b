# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One thread for numpy's matrix products while a frame is tracked.

They are small. With more threads a product wakes them, and they spin for a while on the cores that the network's
threads need: on two cores a frame of `lite_online` took 15 ms with two threads in BLAS and 11 ms with one.
"""

import contextlib
import functools
import threading
import typing
from collections.abc import Iterable, Iterator

from threadpoolctl import ThreadpoolController

_lock = threading.Lock()
_inside = 0  # how many are inside; the number of threads belongs to the process, not to a thread
_before: list[int] = []  # numbers of threads to go back to


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """Let numpy's BLAS use one thread inside. It may be nested, and be open in several threads at a time."""
    global _inside
    with _lock:
        _inside += 1
        if _inside == 1:
            _before[:] = [library.num_threads for library in _libraries()]
            _set_threads([1] * len(_before))
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                _set_threads(_before)


def _set_threads(counts: Iterable[int]) -> None:
    for library, count in zip(_libraries(), counts):
        library.set_num_threads(count)
        # Since threadpoolctl 3.8, the first thread that sets a number for OpenBLAS owns it, and those of other threads
        # do nothing. Here the lock says whose turn it is.
        release = getattr(library, "clear_controlling_thread", None)
        if release is not None:
            release(force=True)


@functools.cache
def _libraries() -> tuple[typing.Any, ...]:
    """The BLAS libraries of this process; those that are loaded later are not numpy's."""
    import numpy  # noqa: F401

    return tuple(ThreadpoolController().select(user_api="blas").lib_controllers)
