# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Training processes that one start makes on a CPU, instead of torchrun: one for each core.

One process with several threads waits at every layer until all of them are done. Several processes with a thread each
wait once per step, for the mean of their gradients. They are forked when the data are read and share them, where
torchrun's processes would each read gigabytes of images.
"""

import ctypes
import logging
import multiprocessing
import os
import pathlib
import signal
import tempfile
import time
import traceback
import typing
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess

import cv2
import torch

from siam_tracker_ros.errors import InvalidSettingError, SiamTrackerError
from siam_tracker_ros.executors.device import resolve_device
from siam_tracker_ros.training.fabric import MAX_WAIT
from siam_tracker_ros.training.task import LoopSettings

T = typing.TypeVar("T")
Report = tuple[float, Exception | None, typing.Any]  # when a process ended, why if it failed, and its result

SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of Linux
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # options of glibc's mallopt


class KilledProcessError(Exception):
    """A training process was killed."""


def count_processes(settings: LoopSettings) -> int:
    """Return how many processes this start makes; 1 under torchrun, which has started them, and on a GPU.

    Raises:
        InvalidSettingError: several processes are asked for there.
    """
    device = torch.device(resolve_device(settings.device))
    under_torchrun = "WORLD_SIZE" in os.environ
    if device.type == "cpu" and not under_torchrun:
        return settings.processes or settings.usual_processes(len(os.sched_getaffinity(0)))
    if settings.processes not in (None, 1):
        where = "under torchrun" if under_torchrun else f"on {device}"
        raise InvalidSettingError(
            f"processes is {settings.processes} {where}, expected 1 or null: it is for a start on a CPU; "
            "torchrun --nproc-per-node says how many processes train on GPUs"
        )
    return 1


def run_processes(count: int, work: Callable[[], T]) -> T:
    """Fork processes that train together, each with one thread; return what `work` returns in rank 0.

    They find what torchrun would tell them: their rank in the environment, and a process group. When one of them fails
    or is killed, or this process is interrupted or killed, all end.

    Raises:
        SiamTrackerError: the one that a process raised first.
        KilledProcessError: a process was killed.
        RuntimeError: a process raised something else first; the message is its traceback.
    """
    context = multiprocessing.get_context("fork")
    receivers: list[Connection] = []
    processes: list[ForkProcess] = []
    # The pools of threads of torch and OpenCV do not survive a fork, and a process that then ends them waits for ever.
    threads = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory(prefix="siam_tracker_train_") as folder:
        try:
            for rank in range(count):
                receiver, sender = context.Pipe(duplex=False)
                arguments = (rank, count, pathlib.Path(folder) / "meeting", sender, work)
                process = context.Process(target=_run, args=arguments)
                process.start()
                processes.append(process)
                sender.close()  # only the process has it now, so that its end is seen
                receivers.append(receiver)
            _wait(processes)
            codes = [process.exitcode for process in processes]
        finally:
            for process in processes:
                process.kill()
            for process in processes:
                process.join()
            torch.set_num_threads(threads[0])
            cv2.setNumThreads(threads[1])
    reports = [_read(receiver) for receiver in receivers]
    for rank, (code, report) in enumerate(zip(codes, reports)):
        if code and report is None:
            raise KilledProcessError(f"training process {rank} of {count} was killed ({_name(code)})")
    ended = sorted(filter(None, reports), key=lambda report: report[0])
    for _, failure, _ in ended:
        if failure is not None:
            raise failure  # those of the others follow from the first one
    return next(result for _, _, result in ended if result is not None)


def _wait(processes: list[ForkProcess]) -> None:
    """Wait until all processes have ended, or one has failed."""
    running = list(processes)
    while running and not any(process.exitcode for process in processes):
        wait([process.sentinel for process in running])
        running = [process for process in running if process.exitcode is None]


def _read(receiver: Connection) -> Report | None:
    """Return the report of a process; None if it was killed before."""
    try:
        return receiver.recv()
    except (EOFError, OSError):
        return None


def _name(code: int) -> str:
    """Return the name of the signal that ended a process, or its exit code."""
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _run(rank: int, count: int, meeting: pathlib.Path, sender: Connection, work: Callable[[], typing.Any]) -> None:
    """Work as one of several processes and send a Report, with the result of rank 0."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends all
    parent = multiprocessing.parent_process()
    library = ctypes.CDLL(None)
    library.prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    if hasattr(library, "mallopt"):  # keep freed memory: a tenth of a step went into zeroing the same pages again
        library.mallopt(TRIM_THRESHOLD, 2**30)
        library.mallopt(MMAP_THRESHOLD, 2**30)
    if parent is None or os.getppid() != parent.pid:
        return
    failure: Exception | None = None
    result = None
    try:
        if rank:
            logging.getLogger("siam_tracker_ros").setLevel(logging.ERROR)
        _join_group(rank, count, meeting)
        result = work()
    except SiamTrackerError as error:
        failure = error
    except Exception:
        failure = RuntimeError(f"training process {rank} of {count} failed:\n{traceback.format_exc()}")
    sender.send((time.monotonic(), failure, None if rank else result))
    if failure is not None:
        os._exit(1)


def _join_group(rank: int, count: int, meeting: pathlib.Path) -> None:
    as_torchrun = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count, "GROUP_RANK": 0}
    os.environ.update({name: str(value) for name, value in as_torchrun.items()})
    os.environ["TORCHELASTIC_RUN_ID"] = "none"  # torchrun's own default, by which Lightning Fabric knows it
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # whatever name and address the machine has
    store = torch.distributed.FileStore(str(meeting), count)
    torch.distributed.init_process_group("gloo", store=store, rank=rank, world_size=count, timeout=MAX_WAIT)
