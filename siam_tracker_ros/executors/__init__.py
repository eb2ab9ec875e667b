# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Executors, which run the graphs of a network. A new one is a file here and an entry of EXECUTORS."""

from collections.abc import Sequence

import torch

from siam_tracker_ros.errors import InvalidSettingError
from siam_tracker_ros.executors.executor import Executor, TorchExecutor
from siam_tracker_ros.executors.onnx_runtime import OnnxRuntimeExecutor

EXECUTORS: tuple[type[Executor], ...] = (TorchExecutor, OnnxRuntimeExecutor)


def select_executor(runtime: str, device: torch.device, preferred: Sequence[str] = ()) -> Executor:
    """Make an executor.

    Args:
        runtime: name of an executor, or "auto".
        device: where it runs.
        preferred: names that "auto" tries before PyTorch, the best one first.

    Raises:
        InvalidSettingError: an unknown name, or an executor that cannot run on this device here.
    """
    known = {executor.name: executor for executor in EXECUTORS}
    if runtime == "auto":
        usable = (name for name in preferred if known[name].fault(device) is None)
        return known[next(usable, TorchExecutor.name)]()
    if runtime not in known:
        raise InvalidSettingError(f"runtime is {runtime!r}, expected one of auto, {', '.join(known)}")
    fault = known[runtime].fault(device)
    if fault is not None:
        raise InvalidSettingError(f"runtime is {runtime!r}, but {fault}, or runtime 'auto' or 'torch'")
    return known[runtime]()
