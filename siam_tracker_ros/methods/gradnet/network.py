# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""GradNet (Li et al. 2019): a template that one gradient step of the tracking loss adapts to the target's surroundings.

Two AlexNet backbones as in SiamFC. The search backbone, which is frozen in training, encodes search regions and the
template that never changes. The template backbone makes the template that adapts: the gradient with respect to its
features after stage 2, here called *hidden* features, is added to them.
"""

import collections
import re
from collections.abc import Mapping

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from siam_tracker_ros.core.network import Network, Value, graph
from siam_tracker_ros.core.stage import stage

STRIDE = 8  # pixels per cell
SCORE_CELLS = 17
POSITIVE_RADIUS = 2  # cells around the middle one that are the target's
GRADIENT_GAIN = 1e4  # brings the gradient to the size of the features


def _stage(
    channels_in: int,
    channels_out: int,
    kernel: int,
    stride: int = 1,
    padding: int = 0,
    groups: int = 1,
    pool: bool = False,
    activation: nn.Module | None = None,
) -> nn.Sequential:
    layers = collections.OrderedDict[str, nn.Module]()
    layers["conv"] = nn.Conv2d(channels_in, channels_out, kernel, stride, padding, groups=groups)
    if activation:
        layers["norm"] = nn.BatchNorm2d(channels_out, eps=1e-3, momentum=3e-4)
    if pool:
        layers["pool"] = nn.MaxPool2d(3, 2)  # before the activation, which is monotonic: the same values, fewer cells
    if activation:
        layers["activation"] = activation
    return nn.Sequential(layers)


class Backbone(nn.Module):
    """AlexNet without padding: total stride 8; 127 pixels give 6 x 6 cells, 255 give 22 x 22, of 256 channels."""

    def __init__(self) -> None:
        super().__init__()
        relu = nn.ReLU(inplace=True)
        self.stage1 = _stage(3, 96, 11, stride=2, pool=True, activation=relu)
        self.stage2 = _stage(96, 256, 5, groups=2, pool=True, activation=relu)
        self.stage3 = _stage(256, 384, 3, activation=relu)
        self.stage4 = _stage(384, 384, 3, groups=2, activation=relu)
        self.stage5 = _stage(384, 256, 3, groups=2)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.deepen(self.shallow(image))

    def shallow(self, image: torch.Tensor) -> torch.Tensor:
        """Features after stage 2: (B, 256, 12, 12) for 127 pixels."""
        return self.stage2(self.stage1(image))

    def deepen(self, shallow: torch.Tensor) -> torch.Tensor:
        """Features after stage 5, from those after stage 2."""
        return self.stage5(self.stage4(self.stage3(shallow)))


class GradNetNetwork(Network):
    """Encodes templates and search regions, and adapts a template. Images are BGR, 0..255, (B, 3, side, side)."""

    KEY_RULES = (
        (r"^siamese/scala(\d)/", r"search_backbone.stage\1."),
        (r"^siamese/scala(\d)_z/", r"template_backbone.stage\1."),
        (r"^siamese/t_scala5_zz/", r"gradient_stage."),
        (r"\.conv/weights$", r".conv.weight"),
        (r"\.conv/biases$", r".conv.bias"),
        (r"\.bn/gamma$", r".norm.weight"),
        (r"\.bn/beta$", r".norm.bias"),
        (r"\.bn/moving_mean$", r".norm.running_mean"),
        (r"\.bn/moving_variance$", r".norm.running_var"),
    )
    _LEFT_BY_TRAINING = re.compile(r"/(Momentum|biased|local_step)$|^(Variable(_\d+)?|logistic_loss/.*|adjust/.*)$")

    def __init__(self) -> None:
        super().__init__()
        self.search_backbone = Backbone()
        self.template_backbone = Backbone()
        self.gradient_stage = _stage(256, 256, 3, padding=1, activation=nn.Tanh())

    @classmethod
    def translate_state_dict(cls, state: Mapping[str, Value]) -> dict[str, Value]:
        """Translate TensorFlow's names and kernels (height, width, in, out); drop what only training needs."""
        own = {}
        for name, value in state.items():
            if not cls._LEFT_BY_TRAINING.search(name):
                if name.startswith("siamese/") and getattr(value, "ndim", 0) == 4:
                    order = (3, 2, 0, 1)
                    value = value.transpose(order) if isinstance(value, np.ndarray) else value.permute(order)
                own[cls._translate_key(name)] = value
        return own

    def imagenet_states(self, state: Mapping[str, torch.Tensor]) -> list[tuple[nn.Module, dict[str, torch.Tensor]]]:
        """Return the search backbone with its state from a SiamFC checkpoint in TensorFlow's names."""
        own = self.translate_state_dict(state)
        return [(self.search_backbone, {name.removeprefix("search_backbone."): own[name] for name in own})]

    @graph("backbone", lambda network: ((None, 3, None, None),))
    def encode_search(self, image: torch.Tensor) -> torch.Tensor:
        """Features (B, 256, 22, 22) of search regions of 255 pixels, or (B, 256, 6, 6) of templates of 127."""
        return self.search_backbone(image)

    def encode_hidden(self, image: torch.Tensor) -> torch.Tensor:
        """Hidden features (B, 256, 12, 12) of templates of 127 pixels."""
        return self.template_backbone.shallow(image)

    @stage("head")
    def adapt(self, hidden: torch.Tensor, search: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Take one gradient step of the tracking loss.

        Args:
            hidden: hidden features (1, 256, 12, 12).
            search: features (1, 256, 22, 22) of a search region with the target in its middle.

        Returns:
            The adapted template (1, 256, 6, 6) and its hidden features (1, 256, 12, 12).
        """
        with torch.inference_mode(False), torch.enable_grad():
            variable = hidden.detach().clone().requires_grad_()
            score = correlate(search.detach().clone(), self.template_backbone.deepen(variable))  # (1, 1, 17, 17)
            (gradient,) = torch.autograd.grad(tracking_loss(score), variable)
        adapted = hidden + self.gradient_stage(GRADIENT_GAIN * gradient)
        return self.template_backbone.deepen(adapted), adapted


@stage("head")
def correlate(search: torch.Tensor, templates: torch.Tensor) -> torch.Tensor:
    """Slide templates (T, C, h, w) over search features (B, C, H, W): scores (B, T, H - h + 1, W - w + 1)."""
    return functional.conv2d(search, templates)


def tracking_loss(score: torch.Tensor) -> torch.Tensor:
    """Logistic loss of scores (B, 1, S, S) with the target in the middle; target and background have equal weight.

    The authors' code takes the mean over the cells of a loss that is balanced already, so this loss is S * S times
    smaller than the usual balanced one.
    """
    offset = torch.arange(score.shape[-1], device=score.device) - score.shape[-1] // 2
    positive = offset**2 + offset[:, None] ** 2 <= POSITIVE_RADIUS**2  # (S, S)
    positive = positive.to(score)
    weight = 0.5 * (positive / positive.sum() + (1 - positive) / (1 - positive).sum())
    return -(weight * functional.logsigmoid((2 * positive - 1) * score)).mean()
