# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a method without training, and a network without a backbone, say when they are asked for it."""

import pytest
from torch import nn

from siam_tracker_ros.core.network import Network
from siam_tracker_ros.core.registry import find_model
from siam_tracker_ros.errors import InvalidSettingError, WeightsError


def test_a_method_without_training_cannot_be_trained():
    with pytest.raises(InvalidSettingError, match="siammask_r50.* is not trained here"):
        find_model("siammask_r50").load_training()


@pytest.mark.parametrize("modules", [{}, {"backbone": nn.Conv2d(3, 8, 3)}])
def test_a_network_without_a_backbone_for_imagenet_weights_says_so(modules):
    network = Network()
    for name, module in modules.items():
        network.add_module(name, module)
    with pytest.raises(WeightsError, match="Network has no backbone that ImageNet weights fit"):
        network.imagenet_states({})
