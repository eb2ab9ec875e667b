# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Draws batches while the network learns from those before them."""

import collections
import concurrent.futures
import itertools

import torch
from torch.utils.data import DataLoader
from torch.utils.data import Dataset

READY = 2  # batches that each worker has drawn or draws beyond the one asked for


class Ahead:
    """Batches that are drawn in the background: on a CPU in processes of one thread each, on CUDA in a stream.

    Args:
        batches: has `draw(step)`, a mapping of tensors on the device, which depends on the step alone.
        steps: length of the run; no batch is drawn beyond it.
        device: torch device.
        workers: processes on a CPU; 0 draws each batch when it is asked for, on CUDA too.
    """

    def __init__(self, batches, steps, device, workers=1):
        self._batches, self._steps, self._device, self._workers = batches, steps, torch.device(device), workers
        self._next_step, self._coming = None, None

    def draw(self, step):
        """The batch of a step; an error in the background is raised here. Steps are best asked for in their order."""
        if not self._workers:
            return self._batches.draw(step)
        if step != self._next_step:
            self._coming = self._in_stream(step) if self._device.type == "cuda" else self._in_processes(step)
        self._next_step = step + 1
        return next(self._coming)

    def _in_processes(self, first):
        loader = DataLoader(
            _BySteps(self._batches),
            batch_size=None,
            sampler=range(first, self._steps),
            num_workers=self._workers,
            prefetch_factor=READY,
        )
        return iter(loader)

    def _in_stream(self, first):
        stream, steps = torch.cuda.Stream(self._device), iter(range(first, self._steps))

        def make(step):
            with torch.cuda.stream(stream):
                return self._batches.draw(step), stream.record_event()

        with concurrent.futures.ThreadPoolExecutor(1, "draw") as pool:
            coming = collections.deque(pool.submit(make, step) for step in itertools.islice(steps, READY))
            while coming:
                batch, event = coming.popleft().result()
                coming.extend(pool.submit(make, step) for step in itertools.islice(steps, 1))
                learning = torch.cuda.current_stream(self._device)
                learning.wait_event(event)
                for value in batch.values():
                    value.record_stream(learning)
                yield batch


class _BySteps(Dataset):
    """Batches as items of a data set."""

    def __init__(self, batches):
        self._batches = batches

    def __getitem__(self, step):
        return self._batches.draw(step)
