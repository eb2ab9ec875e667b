# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Ocean's network with the online branch: a classifier after DiMP (Bhat et al. 2019) on a stage of its own.

The Siamese network and the branch share the backbone up to its second stage, but not the input: the branch normalizes
its patches as ImageNet classifiers do. The branch replaces the alignment head.
"""

from collections.abc import Callable, Mapping

import torch
from torch import nn

from siam_tracker_ros.core.network import Self, State, graph
from siam_tracker_ros.layers.filter_optimizer import FILTER_CELLS, FilterOptimizer
from siam_tracker_ros.layers.imagenet import IMAGENET_MEAN_RGB, IMAGENET_STD_RGB
from siam_tracker_ros.layers.prroi_pooling import prroi_pool
from siam_tracker_ros.layers.resnet import make_stage
from siam_tracker_ros.methods.ocean.network import OceanNetwork

PATCH_SIDE = 224  # pixels of the branch's input
PATCH_STRIDE = 16  # pixels of a patch per feature cell
PATCH_CELLS = 13
STAGE_CHANNELS = 1024
CLASSIFIER_CHANNELS = 512
MIN_ENERGY = 1e-5


class TargetClassifier(nn.Module):
    """Distinguishes target and background by a correlation filter of 4 x 4 cells, learned during tracking."""

    def __init__(self) -> None:
        super().__init__()
        self.feature = nn.Conv2d(STAGE_CHANNELS, CLASSIFIER_CHANNELS, 3, padding=1, bias=False)
        self.initializer = nn.Conv2d(CLASSIFIER_CHANNELS, CLASSIFIER_CHANNELS, 3, padding=1)
        self.optimizer = FilterOptimizer(PATCH_STRIDE)

    def forward(self, stage_features: torch.Tensor) -> torch.Tensor:
        """Classifier features (N, 512, H, W) of stage features (N, 1024, H, W), each sample with the same energy."""
        x = self.feature(stage_features)
        energy = x.square().sum((1, 2, 3), keepdim=True) + MIN_ENERGY
        values_per_channel_and_tap = x[0].numel() / (CLASSIFIER_CHANNELS * FILTER_CELLS**2)
        return x * (values_per_channel_and_tap / energy).sqrt()

    def initial_filter(self, features: torch.Tensor, boxes_xywh: torch.Tensor) -> torch.Tensor:
        """Filter (1, 512, 4, 4): mean over samples (N, 512, H, W) of the features in their boxes (N, 4)."""
        return prroi_pool(self.initializer(features), boxes_xywh, FILTER_CELLS, PATCH_STRIDE).mean(0, keepdim=True)


class OceanOnlineNetwork(OceanNetwork):
    """OceanNetwork without alignment head, with the stage and the classifier of the online branch.

    Attributes:
        online_backbone: the branch's own third stage, 1024 channels, stride 16.
        target_classifier: the classifier.
        patch_mean, patch_std: (1, 3, 1, 1), RGB, 0..1.
    """

    patch_mean: torch.Tensor
    patch_std: torch.Tensor

    KEY_RULES = (
        (r"^classifier\.feature_extractor\.0\.", "target_classifier.feature."),
        (r"^classifier\.filter_initializer\.filter_conv\.", "target_classifier.initializer."),
        (r"^classifier\.filter_optimizer\.label_map_predictor\.weight$", "target_classifier.optimizer.label"),
        (r"^classifier\.filter_optimizer\.target_mask_predictor\.0\.weight$", "target_classifier.optimizer.mask"),
        (
            r"^classifier\.filter_optimizer\.spatial_weight_predictor\.weight$",
            "target_classifier.optimizer.spatial_weight",
        ),
        (r"^classifier\.filter_optimizer\.", "target_classifier.optimizer."),
        *OceanNetwork.KEY_RULES,
        (r"^backbone\.layeronline\.", "online_backbone."),
    )

    def __init__(self) -> None:
        super().__init__(align=False)
        self.online_backbone = make_stage(512, STAGE_CHANNELS // 4, 6, stride=2)
        self.target_classifier = TargetClassifier()
        for name, values in (("patch_mean", IMAGENET_MEAN_RGB), ("patch_std", IMAGENET_STD_RGB)):
            self.register_buffer(name, torch.tensor(values).reshape(1, 3, 1, 1), persistent=False)

    @classmethod
    def for_state(cls: Callable[..., Self], state: State) -> Self:
        return cls()

    def imagenet_states(self, state: Mapping[str, torch.Tensor]) -> list[tuple[nn.Module, dict[str, torch.Tensor]]]:
        own = self.backbone.imagenet_state(state)
        stage = {name.removeprefix("layer3."): value for name, value in own.items() if name.startswith("layer3.")}
        return [(self.backbone, own), (self.online_backbone, stage)]

    @graph("backbone", lambda network: ((None, 3, PATCH_SIDE, PATCH_SIDE),))
    def encode_patch(self, patch_rgb: torch.Tensor) -> torch.Tensor:
        """Classifier features (N, 512, 13, 13) of patches (N, 3, 224, 224), RGB, 0..255."""
        return self.target_classifier(self.encode_stage(patch_rgb))

    def encode_stage(self, patch_rgb: torch.Tensor) -> torch.Tensor:
        """The online stage's features (N, 1024, 13, 13) of patches (N, 3, 224, 224), RGB, 0..255."""
        backbone = self.backbone
        x = backbone.pool(backbone.stem((patch_rgb / 255 - self.patch_mean) / self.patch_std))
        return self.online_backbone(backbone.layer2(backbone.layer1(x)))
