# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Device and threads of a network, and its preparation for inference. Torch is imported where it is needed."""

import ctypes
import re
import sys
import typing

import cv2

from siam_tracker_ros.errors import InvalidSettingError, shown
from siam_tracker_ros.extras import require

if typing.TYPE_CHECKING:
    import torch

N = typing.TypeVar("N", bound="torch.nn.Module")

NVIDIA_DRIVERS = ("libcuda.so.1", "nvcuda.dll")


def resolve_device(device: str) -> str:
    """Return "cpu" or "cuda:N" for "auto" (CUDA if torch can use it), "cpu", "cuda" or "cuda:N".

    Raises:
        InvalidSettingError: an unknown name, or a CUDA device that this machine or this build of torch lacks.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", device):
        raise InvalidSettingError(f"device is {shown(device)}, expected auto, cpu, cuda or cuda:N")
    if device == "cpu" or (device == "auto" and not _has_nvidia_driver()):
        return "cpu"
    if device == "auto":
        try:
            import torch
        except ImportError:
            return "cpu"
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    require(f"device {device!r}", "torch", extra="torch")
    import torch

    number = int(device.partition(":")[2] or 0)
    if number >= torch.cuda.device_count():
        raise InvalidSettingError(
            f"device is {device!r}, but torch {torch.__version__} sees {torch.cuda.device_count()} CUDA devices; "
            'use "cpu" or "auto", or install a CUDA build of torch'
        )
    return f"cuda:{number}"


_pending_threads: list[int] = []  # the number for torch, as long as torch is not imported


def set_threads(count: int) -> None:
    """Set the number of CPU threads of OpenCV, of graphs that are loaded from now on, and of torch."""
    cv2.setNumThreads(count)
    _pending_threads[:] = [count]
    if "torch" in sys.modules:
        apply_pending_threads()


def apply_pending_threads() -> None:
    """Give torch the number of threads that was asked for before torch was imported; a later one is the user's own."""
    import torch

    while _pending_threads:
        torch.set_num_threads(_pending_threads.pop())


def _has_nvidia_driver() -> bool:
    for name in NVIDIA_DRIVERS:
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
        return True
    return False


def prepare_for_inference(network: N, device: "torch.device", dtype: "torch.dtype") -> N:
    """Fold batch norms into the convolutions before them, and move the network; return it in eval mode."""
    import torch
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    network.eval().requires_grad_(False)
    for module in list(network.modules()):
        if isinstance(module, torch.nn.Sequential):
            for index in range(len(module) - 1):
                conv, norm = module[index], module[index + 1]
                if isinstance(conv, torch.nn.Conv2d) and isinstance(norm, torch.nn.BatchNorm2d):
                    module[index] = fuse_conv_bn_eval(conv, norm)
                    module[index + 1] = torch.nn.Identity()
    # torch documents memory_format for Module.to, but leaves it out of its overloads.
    return network.to(device=device, dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
