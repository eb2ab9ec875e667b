# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What training starts from: a backbone that learned ImageNet, the weights of a stage before.

Backbones of torchvision learned with other inputs and have other shortcuts than those of the published trackers. Both are
put right here: the same picture gives the same features as far as padding and dilation are the same.
"""

import re

import numpy as np
import torch

from siam_tracker_ros.errors import InvalidSettingError, WeightsError
from siam_tracker_ros.layers.alexnet import AlexNet, alexnet_keys
from siam_tracker_ros.layers.mobilenet_v2 import MobileNetV2Backbone, WideMobileNetV2, wide_mobilenet_keys
from siam_tracker_ros.layers.resnet import ResNet50, backbone_keys
from siam_tracker_ros.methods.gradnet.network import GradNetNetwork
from siam_tracker_ros.methods.ocean_online.network import IMAGENET_MEAN_RGB, IMAGENET_STD_RGB
from siam_tracker_ros.weights.checkpoint import load_backbone_onnx, load_weights, read_weights

TORCHVISION = "torchvision"
NONE = "none"
TORCHVISION_WEIGHTS = {
    ResNet50: "ResNet50_Weights.IMAGENET1K_V1",
    MobileNetV2Backbone: "MobileNet_V2_Weights.IMAGENET1K_V1",
}
NORM_EPS = 1e-5


def start_backbone(network, source):
    """Put ImageNet weights into a network's backbone; of GradNet SiamFC's into the search backbone.

    Args:
        network: of `models`.
        source: "torchvision", which fetches them; the path of a weights file in torchvision's or the authors' names,
            or of an ONNX graph for a MobileNetV2Backbone; or "none" to leave the backbone as it is.

    Raises:
        InvalidSettingError: torchvision is not installed, or it has no such backbone.
        WeightsError: the weights are not the backbone's.
    """
    if source == NONE:
        return
    if isinstance(network, GradNetNetwork):
        state = GradNetNetwork.search_backbone_state(read_weights(source))
        load_weights(network.search_backbone, {n: v for n, v in state.items() if n.startswith("stage")}, source)
        return
    kind = type(network.backbone)
    if kind is MobileNetV2Backbone and str(source).endswith(".onnx"):
        load_backbone_onnx(network.backbone, source)
        return
    state = _torchvision_state(kind) if source == TORCHVISION else read_weights(source)
    state = {name: _tensor(value) for name, value in state.items()}
    if kind is MobileNetV2Backbone:
        _load(network.backbone, _folded(state, network.backbone), source)
        return
    if kind is ResNet50 and _is_torchvisions(state):
        state = {**state, **_for_raw_bgr(state)}
    names = {ResNet50: backbone_keys, AlexNet: alexnet_keys, WideMobileNetV2: wide_mobilenet_keys}[kind](
        "imagenet", "own"
    )
    own = {_renamed(f"imagenet.{name}", names).removeprefix("own."): value for name, value in state.items()}
    _load(network.backbone, own, source)
    if hasattr(network, "online_backbone"):
        stage = {name.removeprefix("layer3."): value for name, value in own.items() if name.startswith("layer3.")}
        _load(network.online_backbone, stage, source)


def start_weights(network, path, learned):
    """Put the weights of another run into a network; what they are without must be learned from nothing.

    Args:
        network: of `models`.
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


def _torchvision_state(kind):
    if kind not in TORCHVISION_WEIGHTS:
        raise InvalidSettingError(f'torchvision has no {kind.__name__} of ours; give a weights file, or "none"')
    try:
        from torchvision.models import get_weight
    except (ImportError, RuntimeError) as error:  # the latter of one that was built for another torch
        raise InvalidSettingError(
            f'torchvision cannot be used ({error}); pip install ".[train]", or give a weights file'
        ) from error
    return get_weight(TORCHVISION_WEIGHTS[kind]).get_state_dict(progress=True)


def _tensor(value):
    return value if isinstance(value, torch.Tensor) else torch.from_numpy(np.array(value))


def _renamed(name, rules):
    for pattern, replacement in rules:
        name = re.sub(pattern, replacement, name)
    return name


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


def _is_torchvisions(state):
    """The authors' files have 3 x 3 shortcuts and are fed as the trackers are; torchvision's have 1 x 1 ones."""
    shortcut = state.get("layer2.0.downsample.0.weight")
    return shortcut is not None and shortcut.shape[2:] == (1, 1)


def _for_raw_bgr(state):
    """The first layer for BGR in 0..255, exactly as it answers to normalized RGB; it is not padded."""
    kernel, mean, std = state["conv1.weight"], torch.tensor(IMAGENET_MEAN_RGB), torch.tensor(IMAGENET_STD_RGB)
    kernel = kernel / std[:, None, None]
    constant = (kernel * mean[:, None, None]).sum((1, 2, 3))
    return {
        "conv1.weight": (kernel / 255).flip(1),
        "bn1.running_mean": state["bn1.running_mean"] + constant,
    }


def _by_number(name):
    return [(part.isdecimal(), int(part) if part.isdecimal() else part) for part in name.split(".")]


def _folded(state, backbone):
    """Convolutions for BGR, with their norms folded in, of torchvision's MobileNetV2, in the names of our backbone."""
    norms = {}
    for name in sorted(state, key=_by_number):  # files do not keep the layers' order
        folder, _, number = name.removesuffix(".weight").rpartition(".")
        norm = f"{folder}.{int(number) + 1}" if name.endswith(".weight") and number.isdecimal() else None
        if state[name].ndim == 4 and f"{norm}.running_var" in state:
            norms[name] = norm
    layers = [name for name, module in backbone.named_modules() if isinstance(module, torch.nn.Conv2d)]
    folded = {}
    for index, (name, norm, layer) in enumerate(zip(norms, norms.values(), layers)):
        weight, bias, mean, variance = (
            state[f"{norm}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")
        )
        gain = weight / (variance + NORM_EPS).sqrt()
        kernel = state[name] * gain[:, None, None, None]
        folded[f"{layer}.weight"] = kernel.flip(1) if index == 0 else kernel
        folded[f"{layer}.bias"] = bias - mean * gain
    return folded
