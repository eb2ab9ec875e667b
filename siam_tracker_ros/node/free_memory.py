# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What malloc keeps of the memory that was freed.

Images of changing sizes leave free gaps all over its heaps, which glibc gives back only at their ends. The process then
grows, although it holds no more than before.
"""

import ctypes
import functools
from collections.abc import Callable


def give_back() -> None:
    """Give free memory back to the system; it takes some milliseconds. Other C libraries than glibc are left alone."""
    _trim()(0)


@functools.cache
def _trim() -> Callable[[int], int]:
    return getattr(ctypes.CDLL(None), "malloc_trim", lambda _: 0)
