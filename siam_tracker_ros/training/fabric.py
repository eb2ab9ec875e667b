# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Lightning Fabric, which gives a run its device, its precision and its other processes."""

import datetime
import logging
import os
import typing
import warnings

import torch

from siam_tracker_ros.errors import InvalidSettingError
from siam_tracker_ros.executors.device import resolve_device
from siam_tracker_ros.extras import require
from siam_tracker_ros.training.task import LoopSettings

if typing.TYPE_CHECKING:
    from lightning_fabric import Fabric

MAX_WAIT = datetime.timedelta(days=1)  # the other processes wait while rank 0 validates


def start_fabric(settings: LoopSettings) -> "Fabric":
    """Start Lightning Fabric for this process: device, precision and, with several processes, data-parallel training.

    Raises:
        InvalidSettingError: a package of the `train` extra is missing, the device does not exist, or there are fewer
            GPUs than processes.
    """
    require("training", "lightning_fabric", "matplotlib", "tensorboard")
    from lightning_fabric import Fabric
    from lightning_fabric.strategies import DDPStrategy

    for name in ("lightning.fabric", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # of kernels with one pixel, which are the same in every memory format
    warnings.filterwarnings("ignore", message="Grad strides do not match bucket view strides")
    device = torch.device(resolve_device(settings.device))
    processes = int(os.environ.get("WORLD_SIZE", 1))  # set by torchrun
    local = int(os.environ.get("LOCAL_WORLD_SIZE", processes))
    if device.type == "cuda" and local > torch.cuda.device_count():
        raise InvalidSettingError(
            f"torchrun started {local} processes on this machine, which has {torch.cuda.device_count()} GPUs, expected "
            "a GPU for each process; lower --nproc-per-node, or set device to cpu"
        )
    # DDP reorders the gradients that it adds after its first step, unless it looks for unused parameters. With three or
    # more processes a CPU then adds them in another order: a resumed run would differ in the last bits.
    unordered = device.type == "cpu" and processes > 2
    data_parallel = DDPStrategy(
        find_unused_parameters=settings.has_unused_parameters or unordered,
        gradient_as_bucket_view=True,
        timeout=MAX_WAIT,
    )
    devices = [device.index or 0] if processes == 1 and device.type == "cuda" else local
    fabric = Fabric(
        accelerator=device.type,
        devices=devices,
        num_nodes=processes // local,
        strategy="auto" if processes == 1 else data_parallel,
        precision="bf16-mixed" if settings.precision == "bf16" else "32-true",
    )
    fabric.launch()
    torch.backends.cudnn.benchmark = device.type == "cuda"  # crops all have the same size
    torch.backends.cudnn.allow_tf32 = settings.precision != "fp32"  # by default convolutions round to ten bits
    return fabric
