# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Prefetching of batches while the network learns: in CPU processes, or in a CUDA stream of their own."""

import abc
import collections
import concurrent.futures
import itertools
from collections.abc import Iterator

import cv2
import torch
from torch.utils.data import DataLoader, Dataset

from siam_tracker_ros.errors import SiamTrackerError
from siam_tracker_ros.training.task import Batch, Batches

READY = 2  # batches that each worker prefetches beyond the current one


def draw_ahead(batches: Batches, steps: int, device: torch.device | str, workers: int) -> Batches:
    """Prefetch batches that are made on the device that trains: AheadInStream on CUDA, AheadInProcesses on a CPU."""
    if torch.device(device).type == "cuda":
        return AheadInStream(batches, steps, device)
    return AheadInProcesses(batches, steps, workers)


class _Ahead(abc.ABC):
    def __init__(self) -> None:
        self._next_step: int | None = None
        self._coming: Iterator[Batch | SiamTrackerError] | None = None

    def draw(self, step: int) -> Batch:
        """Return the batch of a step; raises what drawing it raised. Prefetching pays when steps come in order."""
        if step != self._next_step or self._coming is None:
            self._coming = None  # end the old workers before new ones start
            self._coming = self._start(step)
        self._next_step = step + 1
        drawn = next(self._coming)
        if isinstance(drawn, SiamTrackerError):
            self._next_step, self._coming = None, None
            raise drawn
        return drawn

    @abc.abstractmethod
    def _start(self, first: int) -> Iterator[Batch | SiamTrackerError]:
        """Iterate over the batches, or the errors in their place, from the step `first` on."""


class AheadInProcesses(_Ahead):
    """Batches that CPU processes of one thread each prefetch.

    The processes start by fork, whatever Python's default. They therefore share the data, gigabytes of images or lists
    of millions of frames, where another start method would copy it for each.

    Args:
        batches: drawn on the CPU.
        steps: length of the run; no batch is drawn beyond it.
        workers: number of processes; 0 to draw each batch when it is due.
        device: that the batches are moved to.
    """

    def __init__(self, batches: Batches, steps: int, workers: int, device: torch.device | str = "cpu") -> None:
        super().__init__()
        self._batches, self._steps, self._workers, self._device = batches, steps, workers, torch.device(device)

    def draw(self, step: int) -> Batch:
        return {name: value.to(self._device, non_blocking=True) for name, value in super().draw(step).items()}

    def _start(self, first: int) -> Iterator[Batch | SiamTrackerError]:
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
        cv2.setNumThreads(1)  # for each process; OpenCV's thread pool does not survive a fork
        coming = iter(loader)
        cv2.setNumThreads(threads)
        return coming


class AheadInStream(_Ahead):
    """Batches that are made on a GPU, prefetched in a CUDA stream of their own.

    Args:
        batches: drawn on the GPU.
        steps: length of the run; no batch is drawn beyond it.
        device: the GPU.
    """

    def __init__(self, batches: Batches, steps: int, device: torch.device | str) -> None:
        super().__init__()
        self._batches, self._steps, self._device = batches, steps, device

    def _start(self, first: int) -> Iterator[Batch]:
        stream, steps = torch.cuda.Stream(self._device), iter(range(first, self._steps))

        def make(step: int) -> tuple[Batch, torch.cuda.Event]:
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


def is_dead_worker_error(error: Exception) -> bool:
    """Whether an error says that a data worker was killed.

    It is torch's own RuntimeError, raised anywhere in the main process, or a broken connection to the worker.
    """
    return isinstance(error, (ConnectionError, EOFError)) or str(error).startswith("DataLoader worker (pid")


class _BySteps(Dataset):
    """Batches as items of a Dataset.

    This package's own errors are returned as items: torch would add a traceback to their message.
    """

    def __init__(self, batches: Batches) -> None:
        self._batches = batches

    def __getitem__(self, step: int) -> Batch | SiamTrackerError:
        try:
            return self._batches.draw(step)
        except SiamTrackerError as error:
            return error
