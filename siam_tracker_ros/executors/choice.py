# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The fastest way to run a network on this machine: measured once, and kept in a file of the user's cache folder."""

import datetime
import importlib.metadata
import json
import logging
import pathlib
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence

from siam_tracker_ros.executors.runtime import available_threads
from siam_tracker_ros.executors.user_cache import cache_folder
from siam_tracker_ros.outputs import write_atomic

logger = logging.getLogger(__name__)

MIN_ROUNDS, MAX_ROUNDS = 3, 15
LIMIT_S = 1.0  # after which no further round begins
PACKAGES = ("onnxruntime", "openvino", "torch")


def measure(trials: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Run all trials in turns, so that other programs slow all of them alike; return the median time of each in ms."""
    for run in trials.values():
        run()
    times: dict[str, list[float]] = {name: [] for name in trials}
    deadline = time.perf_counter() + LIMIT_S
    for number in range(MAX_ROUNDS):
        if number >= MIN_ROUNDS and time.perf_counter() > deadline:
            break
        for name, run in trials.items():
            run()  # the first one after another library's threads have worked is slower
            start = time.perf_counter()
            run()
            times[name].append(1e3 * (time.perf_counter() - start))
    return {name: statistics.median(values) for name, values in times.items()}


def key(model: str, names: Sequence[str], precisions: Sequence[str]) -> str:
    """What a measurement holds for: the model, what may run it and how, the CPU, the threads and the versions."""
    versions = [f"{name} {_version(name)}" for name in PACKAGES]
    asked = f"{model} by {' or '.join(names)} in {' or '.join(precisions)}"
    return ", ".join([asked, cpu_name(), f"{available_threads()} threads", *versions])


def recall(key: str) -> str | None:
    """Return the way that was fastest when it was measured; None if it was not measured yet."""
    entry = _read().get(key)
    times_ms = entry.get("times_ms") if isinstance(entry, dict) else None
    if not isinstance(times_ms, dict) or not times_ms or not all(isinstance(ms, float) for ms in times_ms.values()):
        return None
    return min(times_ms, key=lambda name: times_ms[name])


def remember(key: str, times_ms: Mapping[str, float]) -> str:
    """Keep a measurement, and return the way that was fastest."""
    fastest = min(times_ms, key=lambda name: times_ms[name])
    listed = ", ".join(f"{name} {value:.2f} ms" for name, value in sorted(times_ms.items(), key=lambda item: item[1]))
    logger.info("runtime: %s is the fastest here (time per frame: %s)", fastest, listed)
    day = datetime.date.today().isoformat()
    known = {**_read(), key: {"times_ms": {name: round(value, 3) for name, value in times_ms.items()}, "day": day}}
    try:
        path = cache_path()
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, (json.dumps(known, indent=1) + "\n").encode())
    except (OSError, RuntimeError) as error:  # a robot's file system may be read-only; then each start measures
        logger.info("runtime: the measurement is not kept (%s)", error)
    return fastest


def cache_path() -> pathlib.Path:
    """Return the file of all measurements; raises RuntimeError where the user has no home folder."""
    return cache_folder() / "runtimes.json"


def _read() -> dict[str, object]:
    try:
        known = json.loads(cache_path().read_text(encoding="utf-8"))
    except (OSError, RuntimeError, ValueError):  # none yet, or a damaged one, which the next measurement replaces
        return {}
    return known if isinstance(known, dict) else {}


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "-"


def cpu_name() -> str:
    """Return the name of this machine's CPU, as far as it is known."""
    try:
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("model name", "Model")):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
