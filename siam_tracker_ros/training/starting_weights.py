# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Initial weights of a training run: an ImageNet backbone, or the weights of the stage before.

The backbones of torchvision expect other inputs and have other shortcuts than those of the published trackers. Each
backbone's `imagenet_state` adapts the inputs; the shortcut kernels are padded here.
"""

import functools
import os
from collections.abc import Iterable, Mapping

import numpy as np
import torch
from torch import nn

from siam_tracker_ros.core.network import MIN_LIKENESS, Network
from siam_tracker_ros.errors import InvalidSettingError, WeightsError
from siam_tracker_ros.weights.checkpoint import fitting_part, load_backbone_onnx, load_weights, read_weights

TORCHVISION = "torchvision"
NONE = "none"


def start_backbone(network: Network, source: str) -> None:
    """Load ImageNet weights into a network's backbone; for GradNet, SiamFC's weights into its search backbone.

    Args:
        network: to load into.
        source: "torchvision" to download them; the path of a weights file with the names of torchvision or of the
            authors, or of an ONNX graph for a MobileNetV2Backbone; or "none" to keep the backbone as it is.

    Raises:
        InvalidSettingError: torchvision is not installed, or has no such backbone.
        WeightsError: the weights do not fit the backbone.
    """
    if source == NONE:
        return
    if str(source).endswith(".onnx"):
        load_backbone_onnx(network.get_submodule("backbone"), source)
        return
    state = _torchvision_state(network) if source == TORCHVISION else read_weights(source)
    tensors = {name: _tensor(value) for name, value in state.items()}
    fits = functools.partial(_fits_backbone, network)
    for module, own in network.imagenet_states(fitting_part(tensors, fits, f"the ImageNet start {source}")):
        _load(module, own, source)


def start_weights(network: Network, path: str | os.PathLike, learned: Iterable[str]) -> list[str]:
    """Load the weights of another run into a network; weights that learn may be missing.

    Args:
        network: to load into.
        path: of a weights file.
        learned: dotted names of modules and parameters that learn.

    Returns:
        Names of weights in the file that the network lacks.

    Raises:
        WeightsError: a frozen weight is missing from the file, or a weight has another shape.
    """
    learned, own = list(learned), network.state_dict()
    given = network.own_state(read_weights(path), f"weights file {path}")
    missing = [
        name for name in own.keys() - given.keys() if not any(f"{name}.".startswith(f"{part}.") for part in learned)
    ]
    missing = sorted(name for name in missing if not name.endswith("num_batches_tracked"))
    if missing:
        raise WeightsError(
            f"weights file {path} lacks {len(missing)} weights that this run does not learn (first: {missing[0]}); "
            "give the weights of the stage before"
        )
    load_weights(network, {**own, **{name: value for name, value in given.items() if name in own}}, str(path))
    return sorted(given.keys() - own.keys())


def _torchvision_state(network: Network) -> Mapping[str, torch.Tensor]:
    backbone = getattr(network, "backbone", network)
    name = getattr(backbone, "TORCHVISION_WEIGHTS", None)
    if name is None:
        raise InvalidSettingError(
            f'torchvision has no weights for {type(backbone).__name__}; give a weights file, or "none"'
        )
    try:
        from torchvision.models import get_weight
    except (ImportError, RuntimeError) as error:  # the latter if it was built for another torch
        raise InvalidSettingError(
            f'torchvision cannot be used ({error}); pip install ".[train]", or give a weights file'
        ) from error
    return get_weight(name).get_state_dict(progress=True)


def _fits_backbone(network: Network, state: Mapping[str, torch.Tensor]) -> bool:
    """Whether ImageNet weights have most of the weights of each module that they are meant for."""
    return all(
        len(own.keys() & module.state_dict().keys()) >= MIN_LIKENESS * len(module.state_dict())
        for module, own in network.imagenet_states(state)
    )


def _tensor(value: torch.Tensor | np.ndarray) -> torch.Tensor:
    return value if isinstance(value, torch.Tensor) else torch.from_numpy(np.array(value))


def _load(module: nn.Module, state: Mapping[str, torch.Tensor], what: str) -> None:
    """Load the weights of a state that a module has; 1 x 1 kernels are padded to the module's size."""
    own = module.state_dict()
    fitting = {name: _padded(value, own[name].shape) for name, value in state.items() if name in own}
    load_weights(module, fitting, f"the ImageNet start {what}")


def _padded(kernel: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    if kernel.ndim != 4 or kernel.shape[2:] != (1, 1) or shape[2:] == (1, 1):
        return kernel
    wide = kernel.new_zeros(*kernel.shape[:2], *shape[2:])
    wide[:, :, shape[2] // 2, shape[3] // 2] = kernel[:, :, 0, 0]
    return wide
