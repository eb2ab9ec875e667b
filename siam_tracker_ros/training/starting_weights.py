# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What training starts from: a backbone that learned ImageNet, the weights of a stage before.

Backbones of torchvision learned with other inputs and have other shortcuts than those of the published trackers. Each
backbone's `imagenet_state` puts the inputs right; the kernels of shortcuts are widened here.
"""

import numpy as np
import torch

from siam_tracker_ros.errors import InvalidSettingError, WeightsError
from siam_tracker_ros.weights.checkpoint import load_backbone_onnx, load_weights, read_weights

TORCHVISION = "torchvision"
NONE = "none"


def start_backbone(network, source):
    """Put ImageNet weights into a network's backbone; of GradNet, SiamFC's into the search backbone.

    Args:
        network: Network.
        source: "torchvision", which fetches them; the path of a weights file in torchvision's or the authors' names,
            or of an ONNX graph for a MobileNetV2Backbone; or "none" to leave the backbone as it is.

    Raises:
        InvalidSettingError: torchvision is not installed, or it has no such backbone.
        WeightsError: the weights are not the backbone's.
    """
    if source == NONE:
        return
    if str(source).endswith(".onnx"):
        load_backbone_onnx(network.backbone, source)
        return
    state = _torchvision_state(network) if source == TORCHVISION else read_weights(source)
    for module, own in network.imagenet_states({name: _tensor(value) for name, value in state.items()}):
        _load(module, own, source)


def start_weights(network, path, learned):
    """Put the weights of another run into a network; what they are without must be learned from nothing.

    Args:
        network: Network.
        path: of a weights file.
        learned: names of modules and parameters that learn.

    Returns:
        Names of the weights that the network has no use for.

    Raises:
        WeightsError: the file is without a weight that does not learn, or has one of another shape.
    """
    own = network.state_dict()
    given = network.translate_state_dict(read_weights(path))
    lacking = [
        name for name in own.keys() - given.keys() if not any(f"{name}.".startswith(f"{part}.") for part in learned)
    ]
    lacking = sorted(name for name in lacking if not name.endswith("num_batches_tracked"))
    if lacking:
        raise WeightsError(
            f"weights file {path} is without {len(lacking)} weights that this run does not learn (first: "
            f"{lacking[0]}); give those of the stage before"
        )
    load_weights(network, {**own, **{name: value for name, value in given.items() if name in own}}, str(path))
    return sorted(given.keys() - own.keys())


def _torchvision_state(network):
    backbone = getattr(network, "backbone", network)
    name = getattr(backbone, "TORCHVISION_WEIGHTS", None)
    if name is None:
        raise InvalidSettingError(
            f'torchvision has no {type(backbone).__name__} of ours; give a weights file, or "none"'
        )
    try:
        from torchvision.models import get_weight
    except (ImportError, RuntimeError) as error:  # the latter of one that was built for another torch
        raise InvalidSettingError(
            f'torchvision cannot be used ({error}); pip install ".[train]", or give a weights file'
        ) from error
    return get_weight(name).get_state_dict(progress=True)


def _tensor(value):
    return value if isinstance(value, torch.Tensor) else torch.from_numpy(np.array(value))


def _load(module, state, what):
    """Load what a module has of a state; 1 x 1 kernels go into the centre of its larger ones."""
    own = module.state_dict()
    fitting = {name: _widened(value, own[name].shape) for name, value in state.items() if name in own}
    load_weights(module, fitting, f"the ImageNet start {what}")


def _widened(kernel, shape):
    if kernel.ndim != 4 or kernel.shape[2:] != (1, 1) or shape[2:] == (1, 1):
        return kernel
    wide = kernel.new_zeros(*kernel.shape[:2], *shape[2:])
    wide[:, :, shape[2] // 2, shape[3] // 2] = kernel[:, :, 0, 0]
    return wide
