# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Draws batches while the network learns from those before them: in processes of the CPU, or in a stream of the GPU.

Batches are anything with `draw(step)`, a mapping of tensors that depends on the step alone.
"""

import abc
import collections
import concurrent.futures
import itertools

import cv2
import torch
from torch.utils.data import DataLoader, Dataset

from siam_tracker_ros.errors import SiamTrackerError

READY = 2  # batches that each worker has drawn or draws beyond the one asked for


def draw_ahead(batches, steps, device, workers):
    """Batches that the device that learns draws ahead: AheadInStream on CUDA, AheadInProcesses on a CPU."""
    if torch.device(device).type == "cuda":
        return AheadInStream(batches, steps, device)
    return AheadInProcesses(batches, steps, workers)


class _Ahead(abc.ABC):
    def __init__(self):
        self._next_step, self._coming = None, None

    def draw(self, step):
        """The batch of a step; an error in the background is raised here. Steps are best asked for in their order."""
        if step != self._next_step:
            self._coming = None  # those who drew for it end before others begin
            self._coming = self._start(step)
        self._next_step = step + 1
        return next(self._coming)

    @abc.abstractmethod
    def _start(self, first):
        """Iterate over the batches from a step on."""


class AheadInProcesses(_Ahead):
    """Batches that are drawn on the CPU, by processes of one thread each.

    They start by fork, whatever Python's default: so they share what they draw from, gigabytes of pictures or lists of
    millions of frames, where another way to start would give each a copy.

    Args:
        batches: draws on the CPU.
        steps: length of the run; no batch is drawn beyond it.
        workers: processes; 0 draws each batch when it is asked for.
        device: torch device that the batches are put on.
    """

    def __init__(self, batches, steps, workers, device="cpu"):
        super().__init__()
        self._batches, self._steps, self._workers, self._device = batches, steps, workers, torch.device(device)

    def draw(self, step):
        drawn = super().draw(step)
        if isinstance(drawn, SiamTrackerError):
            self._next_step, self._coming = None, None
            raise drawn
        return {name: value.to(self._device, non_blocking=True) for name, value in drawn.items()}

    def _start(self, first):
        loader = DataLoader(
            _BySteps(self._batches),
            batch_size=None,
            sampler=range(first, self._steps),
            num_workers=self._workers,
            multiprocessing_context="fork" if self._workers else None,
            prefetch_factor=READY if self._workers else None,
            pin_memory=self._device.type == "cuda",
        )
        threads = cv2.getNumThreads()
        cv2.setNumThreads(1)  # of OpenCV, for each process; more of them, here, would not survive the fork
        coming = iter(loader)
        cv2.setNumThreads(threads)
        return coming


class AheadInStream(_Ahead):
    """Batches that are drawn on a GPU, in a stream of their own.

    Args:
        batches: draws on the GPU.
        steps: length of the run; no batch is drawn beyond it.
        device: torch device of the GPU.
    """

    def __init__(self, batches, steps, device):
        super().__init__()
        self._batches, self._steps, self._device = batches, steps, device

    def _start(self, first):
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


def is_dead_worker_error(error):
    """Whether an error says that a process that draws was killed.

    It is torch's, which comes wherever the program is, or that of a batch which the process did not live to hand over.
    """
    return isinstance(error, (ConnectionError, EOFError)) or str(error).startswith("DataLoader worker (pid")


class _BySteps(Dataset):
    """Batches as items of a data set.

    An error that one sentence explains comes as an item: torch would make its traceback a part of the sentence.
    """

    def __init__(self, batches):
        self._batches = batches

    def __getitem__(self, step):
        try:
            return self._batches.draw(step)
        except SiamTrackerError as error:
            return error
