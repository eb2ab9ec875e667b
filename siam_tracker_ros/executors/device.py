# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Device, precision and threads of a network, and its preparation for inference."""

import typing

import cv2
import torch
from torch.nn.utils.fusion import fuse_conv_bn_eval

from siam_tracker_ros.errors import InvalidSettingError

N = typing.TypeVar("N", bound=torch.nn.Module)


def select_device(device: str | torch.device) -> torch.device:
    """Return the torch device for "auto" (CUDA if available), "cpu", "cuda" or "cuda:N".

    Raises:
        InvalidSettingError: an unknown name, or a CUDA device that this machine or this build of torch lacks.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, number = str(device).partition(":")
    if kind not in ("cpu", "cuda") or (number and not (kind == "cuda" and number.isdigit())):
        raise InvalidSettingError(f"device is {device!r}, expected auto, cpu, cuda or cuda:N")
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise InvalidSettingError(
            f"device is {device!r}, but torch {torch.__version__} sees {torch.cuda.device_count()} CUDA devices; "
            'use "cpu" or "auto", or install a CUDA build of torch'
        )
    return torch.device(kind, int(number or 0)) if kind == "cuda" else torch.device("cpu")


def select_precision(precision: str, device: torch.device, half_allowed: bool = True) -> torch.dtype:
    """Return the torch type for "auto" (half precision on CUDA), "fp32" or "fp16" on a torch device.

    Args:
        precision: one of these names.
        device: where the model runs.
        half_allowed: whether the model can run in half precision; if not, "auto" is "fp32".

    Raises:
        InvalidSettingError: an unknown name, or "fp16" on a CPU or for a model that cannot run in it.
    """
    if precision not in ("auto", "fp32", "fp16"):
        raise InvalidSettingError(f"precision is {precision!r}, expected auto, fp32 or fp16")
    if precision == "fp16" and device.type != "cuda":
        raise InvalidSettingError(f"precision is 'fp16' on device {device.type!r}, but it needs CUDA; use auto or fp32")
    if precision == "fp16" and not half_allowed:
        raise InvalidSettingError("precision is 'fp16', which this model cannot run in; use auto or fp32")
    half = device.type == "cuda" and half_allowed and precision != "fp32"
    return torch.float16 if half else torch.float32


def set_threads(count: int) -> None:
    """Set the number of CPU threads of torch and of OpenCV."""
    torch.set_num_threads(count)
    cv2.setNumThreads(count)


def prepare_for_inference(network: N, device: torch.device, dtype: torch.dtype) -> N:
    """Fold batch norms into the convolutions before them, and move the network; return it in eval mode."""
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
