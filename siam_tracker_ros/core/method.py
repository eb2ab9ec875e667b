# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is known of a model before it is made."""

import dataclasses
import pathlib

import torch

WEIGHTS_FOLDER = pathlib.Path(__file__).resolve().parent.parent / "weights"


@dataclasses.dataclass(frozen=True, eq=False)
class Method:
    """A model that `create_tracker` makes.

    Attributes:
        name: what `create_tracker` takes.
        description: one line.
        tracker_class: the tracker; its `settings_class` names its settings.
        network_class: the network, a `models.network.Network`.
        template_side, search_side: sides of the network's inputs in pixels.
        frame_gmacs: billions of multiplications and additions that the network does for a frame.
        defaults: settings that differ from those of the settings class: what the authors use for general video.
        presets: published settings by name, each a mapping of what differs from the defaults.
        checkpoint: which files its weights come from.
        published: where the authors publish them.
        weights: the model whose weights it takes, where that is another one.
        half_precision: whether it may run in half precision.
    """

    name: str
    description: str
    tracker_class: type
    network_class: type
    template_side: int
    search_side: int
    frame_gmacs: float
    defaults: dict = dataclasses.field(default_factory=dict)
    presets: dict = dataclasses.field(default_factory=dict)
    checkpoint: str = ""
    published: str = ""
    weights: str = ""
    half_precision: bool = True

    @property
    def shipped_weights(self):
        """Path of the weights that come with the package, or None."""
        path = WEIGHTS_FOLDER / f"{self.weights or self.name}.safetensors"
        return path if path.is_file() else None

    @property
    def has_masks(self):
        """Whether its tracker says which pixels are the target's."""
        return "mask_threshold" in self.tracker_class.settings_class.RANGES

    @property
    def runtimes(self):
        """What can execute its network: "torch", and "onnx" for ONNX Runtime."""
        return ("torch", "onnx") if self.network_class.ONNX_INPUTS else ("torch",)

    def count_parameters(self):
        """Number of the network's parameters."""
        with torch.device("meta"):
            network = self.network_class.for_state({})
        return sum(parameter.numel() for parameter in network.parameters())
