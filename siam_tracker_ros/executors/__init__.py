# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What runs the graphs of a network: torch, or one of RUNTIMES. A new runtime is a file here and an entry."""

from siam_tracker_ros.errors import InvalidSettingError, shown
from siam_tracker_ros.executors.onnx_runtime import OnnxRuntime
from siam_tracker_ros.executors.openvino import OpenVino
from siam_tracker_ros.executors.runtime import Runtime, fault

TORCH = "torch"
CUDA_GRAPH = "cuda_graph"  # torch, with the work of a frame captured as a CUDA graph
RUNTIMES: dict[str, Runtime] = {"onnx": OnnxRuntime(), "openvino": OpenVino()}


def check_runtime(name: str, device: str, precision: str) -> None:
    """Check the name of a runtime, and that it can run here.

    Args:
        name: "auto", "torch", "cuda_graph" or one of RUNTIMES.
        device: "cpu" or "cuda:N".
        precision: "auto", "fp32", "fp16", "bf16" or "int8".

    Raises:
        InvalidSettingError: an unknown name, or a runtime that cannot run on this device in this precision.
    """
    if name not in ("auto", TORCH, CUDA_GRAPH, *RUNTIMES):
        known = ", ".join(["auto", TORCH, *RUNTIMES, CUDA_GRAPH])
        raise InvalidSettingError(f"runtime is {shown(name)}, expected one of {known}")
    if name == CUDA_GRAPH and device == "cpu":
        raise InvalidSettingError(f"runtime is {name!r} on device 'cpu', but it needs CUDA; use runtime 'auto'")
    reason = fault(RUNTIMES[name], device, precision) if name in RUNTIMES else None
    if reason is not None:
        raise InvalidSettingError(f"runtime is {name!r}, but {reason}, or runtime 'auto' or '{TORCH}'")
