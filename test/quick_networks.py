# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Networks of the published methods that learn in seconds: a stand-in for the backbone, narrow heads, small inputs."""

import torch
from torch import nn

from siam_tracker_ros.core.registry import find_model, make_tracker_settings
from siam_tracker_ros.data import DatasetSettings, read_dataset
from siam_tracker_ros.executors.device import prepare_for_inference
from siam_tracker_ros.layers.blocks import ConvNorm
from siam_tracker_ros.methods.gradnet.network import GradNetNetwork
from siam_tracker_ros.methods.gradnet.network import _stage as make_gradnet_stage
from siam_tracker_ros.methods.ocean.network import OceanNetwork
from siam_tracker_ros.methods.ocean_online.network import OceanOnlineNetwork
from siam_tracker_ros.methods.siammask.network import SiamMask, SiamMaskBase
from siam_tracker_ros.methods.siamrcr.network import SiamRCRNetwork
from siam_tracker_ros.methods.siamrpn.network import SiamRPN, SiamRPNAlex, SiamRPNResNet50
from siam_tracker_ros.methods.siamrpn.rpn import RegionProposals
from siam_tracker_ros.training.batches import PublishedPairs

WIDTH = 16  # channels of the heads here, of which the published networks have 256
SEARCH_SIDE = 191  # pixels of the search regions here, of which the published ones have 255
CELLS = 17
SIAMRPN = ("siamrpn_alex", "siamrpn_mobilev2", "siamrpn_r50_lt")  # which differ from siamrpn_r50 in their network


class QuickBackbone(nn.Module):
    """As many channels and cells as ResNet50 has, in no time."""

    def __init__(self, stages=4):
        super().__init__()
        self.stem = ConvNorm(3, 64, 7, 2)
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = ConvNorm(64, 256, groups=16)
        self.layer2 = ConvNorm(256, 512, 3, 2, groups=64)
        self.layer3 = ConvNorm(512, 1024, groups=64)
        self.layer4 = ConvNorm(1024, 2048, groups=64)
        self.stages = stages

    def forward(self, image):
        features = [self.stem(image)]
        x = self.pool(features[0])
        for number in range(1, self.stages + 1):
            x = getattr(self, f"layer{number}")(x)
            features.append(x)
        return features


def quick(make_network, stages=3, **arguments):
    network = make_network(**arguments)
    network.backbone = QuickBackbone(stages)
    return network


def quick_alex():
    """AlexNet has no neck: where it is frozen, a random one may narrow its features."""
    backbone = SiamRPNAlex().backbone
    network = SiamRPN(backbone, (0,), [ConvNorm(256, WIDTH, relu=None)], RegionProposals([WIDTH], False))
    network.template_cells = SiamRPNAlex.template_cells
    return network


def quick_online():
    network = quick(OceanOnlineNetwork, 2)
    network.online_backbone = ConvNorm(512, 1024, 3, 2, groups=64)
    return network


QUICK = {
    "siamrpn_alex": quick_alex,
    "siamrpn_r50": lambda: quick(SiamRPNResNet50, 4, widths=(WIDTH,) * 3),
    "siamrpn_r50_otb": lambda: quick(SiamRPNResNet50, 4, widths=(WIDTH,) * 3, weighted=False),
    "siammask_base": lambda: quick(SiamMaskBase, width=WIDTH),
    "siammask_sharp": lambda: quick(SiamMask, width=WIDTH),
    "ocean": lambda: quick(OceanNetwork, channels=WIDTH),
    "ocean_online": quick_online,
    "siamrcr": lambda: quick(SiamRCRNetwork, channels=WIDTH),
    "gradnet": GradNetNetwork,
}


def quick_network(model):
    """A network of a model by name, quick where there is a quick one, that can run in its tracker."""
    if model == "ocean_online":
        network = quick_online()
        network.backbone = QuickBackbone(stages=3)  # its head needs one more than its branch
        return network
    make = QUICK.get({"siammask_r50": "siammask_sharp"}.get(model, model))
    return make() if make else find_model(model).network_class.for_state({})


def thin_backbone():
    """GradNet's backbone with few channels."""
    backbone, relu = GradNetNetwork().search_backbone, nn.ReLU()
    backbone.stage1 = make_gradnet_stage(3, 8, 11, stride=2, pool=True, activation=relu)
    backbone.stage2 = make_gradnet_stage(8, 16, 5, pool=True, activation=relu)
    backbone.stage3 = make_gradnet_stage(16, 16, 3, activation=relu)
    backbone.stage4 = make_gradnet_stage(16, 16, 3, activation=relu)
    backbone.stage5 = make_gradnet_stage(16, 16, 3)
    return backbone


def thin_network(model):
    """A network of a model that runs in no time, with random weights."""
    network = quick_network("siamrpn_r50" if model in SIAMRPN else model)
    if model == "gradnet":
        network.search_backbone, network.template_backbone = thin_backbone(), thin_backbone()
        network.gradient_stage = make_gradnet_stage(16, 16, 3, padding=1, activation=nn.Tanh())
    if model == "ocean_online":
        network.target_classifier.feature = nn.Conv2d(1024, 512, 1, groups=64, bias=False)
        network.target_classifier.initializer = nn.Conv2d(512, 512, 1, groups=64)
    return network


def quick_tracker(model, network=None):
    """A tracker of a model by name, run by torch, with a network or a quick one."""
    method = find_model(model)
    network = prepare_for_inference(network or quick_network(model), torch.device("cpu"), torch.float32)
    if method.tracker_class.graph_names:
        network = network.on_arrays()
    return method.tracker_class(network, make_tracker_settings(method, None, {}))


class Remembering(nn.Module):
    """A frozen module answers to the same pictures what it answered the first time."""

    def __init__(self, module):
        super().__init__()
        self.module, self.known = module, {}

    def forward(self, image):
        pictures = image.sum().item(), image.shape
        if pictures not in self.known:
            with torch.no_grad():
                self.known[pictures] = self.module(image)
        return self.known[pictures]


def remembered(network):
    network.backbone = Remembering(network.backbone)
    return network


def tiny_pairs(recipe, folder):
    datasets = [DatasetSettings("shards", str(folder))]
    return PublishedPairs(recipe, datasets, [read_dataset(settings) for settings in datasets])
