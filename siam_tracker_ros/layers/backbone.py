# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the backbones have in common: weights of ImageNet classifiers, and names that differ between checkpoints."""

import re
import typing
from collections.abc import Iterable, Mapping

import torch

KeyRules = tuple[tuple[str, str], ...]  # regular expressions with their replacements, applied in turn


@typing.runtime_checkable
class Backbone(typing.Protocol):
    """A module that weights of an ImageNet classifier fit.

    Attributes:
        TORCHVISION_WEIGHTS: torchvision's name of such weights, or None.
    """

    TORCHVISION_WEIGHTS: typing.ClassVar[str | None]

    def imagenet_state(self, state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return ImageNet weights, in torchvision's or the authors' names, as a state of this module."""
        ...


class BackboneKeys(typing.Protocol):
    """Makes the renaming rules of a backbone."""

    def __call__(self, official: str, own: str = "backbone") -> KeyRules:
        """Return rules from the names below `official` in a checkpoint to the names below `own`."""
        ...


def rename_key(name: str, rules: Iterable[tuple[str, str]]) -> str:
    """Apply renaming rules to the name of a weight."""
    for pattern, replacement in rules:
        name = re.sub(pattern, replacement, name)
    return name


def rename_imagenet(state: Mapping[str, torch.Tensor], backbone_keys: BackboneKeys) -> dict[str, torch.Tensor]:
    """Rename the published trackers' ImageNet weights to a backbone's own names.

    Args:
        state: mapping of name to tensor, in the names of the ImageNet files.
        backbone_keys: the backbone's renaming rules.
    """
    rules = backbone_keys("imagenet", "own")
    return {rename_key(f"imagenet.{name}", rules).removeprefix("own."): value for name, value in state.items()}
