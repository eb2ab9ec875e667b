# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the networks have in common: checkpoints, whose names become ours, and the runtime that executes them."""

import re
import typing

from torch import nn

# Files that this package wrote before backbones were called that, the shipped weights among them, are read as well.
FORMER_BACKBONE_NAMES = (r"^((?:online_|search_|template_)?)trunk\.", r"\1backbone.")


class Network(nn.Module):
    """A network that checkpoints of other projects can be loaded into.

    Attributes:
        KEY_RULES: pairs of a regular expression and its replacement, applied in turn to each name of a checkpoint.
            Our own names pass through unchanged.
        ONNX_INPUTS: methods that ONNX Runtime can execute in place of torch, by name, each with the shapes of its
            arguments, None for sizes that vary. They take and return float32 tensors and nothing else, and together are
            nearly all that a frame needs. Empty for a network that only torch executes.
        runtime: what executes these methods, "torch" or "onnx".
    """

    KEY_RULES = ()
    ONNX_INPUTS: typing.ClassVar = {}
    runtime = "torch"

    @classmethod
    def translate_state_dict(cls, state):
        """Translate a state (name to tensor) from any key schema that this network's authors use into ours."""
        return {cls._translate_key(name): value for name, value in state.items()}

    @classmethod
    def _translate_key(cls, name):
        for pattern, replacement in (FORMER_BACKBONE_NAMES, *cls.KEY_RULES):
            name = re.sub(pattern, replacement, name)
        return name

    def imagenet_states(self, state):
        """Return what a network takes of ImageNet weights (name to tensor): pairs of a module and a state for it."""
        return [(self.backbone, self.backbone.imagenet_state(state))]

    @classmethod
    def for_state(cls, state):
        """Make the variant of this network that a state in our schema was saved from; for {} the usual one."""
        return cls()
