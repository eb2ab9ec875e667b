# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

from siam_tracker_ros.node import free_memory

MB = 10**6


def own_memory():
    """Resident bytes of this process that are its own."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))


def test_memory_that_is_free_between_what_is_held_is_given_back():
    free_memory.give_back()
    blocks = [b"\1" * 50_000 for _ in range(2000)]  # 100 MB, in a heap
    held = blocks[::100]
    del blocks
    before = own_memory()
    free_memory.give_back()
    assert own_memory() < before - 60 * MB and len(held) == 20


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr("ctypes.CDLL", lambda _: object())
    free_memory._trim.cache_clear()
    free_memory.give_back()
    free_memory._trim.cache_clear()
