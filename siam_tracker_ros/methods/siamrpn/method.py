# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""SiamRPN++ with three backbones: settings that its authors published, and where they publish weights."""

from siam_tracker_ros.core.crop import SEARCH_SIDE, TEMPLATE_SIDE
from siam_tracker_ros.core.method import Method


def preset(penalty_k: float, window_influence: float, lr: float, **others: float) -> dict[str, float]:
    """Published settings: those of ResponseSettings by position, others by name."""
    return {"penalty_k": penalty_k, "window_influence": window_influence, "lr": lr, **others}


ALEX = preset(0.16, 0.40, 0.30, search_side=287)
MOBILENET = preset(0.04, 0.40, 0.50)
RESNET = preset(0.05, 0.42, 0.38, long_term=False)
RESNET_OTB = preset(0.24, 0.50, 0.25, long_term=False)
LONG_TERM = preset(0.05, 0.28, 0.22, long_term=True, confidence_low=0.8, confidence_high=0.998)
RESNET_PRESETS = {
    "vot2016": RESNET,
    "vot2018": RESNET,
    "vot2019": RESNET,
    "otb": RESNET_OTB,
    "otb2015": RESNET_OTB,
    "lt": LONG_TERM,
    "vot2018_lt": LONG_TERM,
    # Of the configurations that PySOT trains with.
    "16gpu": preset(0.01, 0.40, 0.38, long_term=False),
    "8gpu": preset(0.04, 0.44, 0.33, long_term=False),
    "otb_8gpu": RESNET_OTB,
}
MODEL_ZOO = "https://github.com/STVIR/pysot/blob/master/MODEL_ZOO.md"

METHODS = (
    Method(
        name="siamrpn_alex",
        description="SiamRPN++ with AlexNet, the fastest of the family",
        tracker_class="siam_tracker_ros.methods.siamrpn.tracker:SiamRPNTracker",
        network_class="siam_tracker_ros.methods.siamrpn.network:SiamRPNAlex",
        template_side=TEMPLATE_SIDE,
        search_side=287,
        frame_gmacs=6.45,
        defaults=ALEX,
        presets={name: ALEX for name in ("vot2016", "vot2018", "vot2019", "otb", "otb2015", "16gpu")},
        checkpoint="PySOT's siamrpn_alex_dwxcorr or siamrpn_alex_dwxcorr_otb",
        published=MODEL_ZOO,
        training="siam_tracker_ros.methods.siamrpn.training:ALEXNET",
    ),
    Method(
        name="siamrpn_mobilev2",
        description="SiamRPN++ with MobileNetV2 of width 1.4 and three levels",
        tracker_class="siam_tracker_ros.methods.siamrpn.tracker:SiamRPNTracker",
        network_class="siam_tracker_ros.methods.siamrpn.network:SiamRPNMobileNetV2",
        template_side=TEMPLATE_SIDE,
        search_side=SEARCH_SIDE,
        frame_gmacs=6.91,
        defaults=MOBILENET,
        presets={name: MOBILENET for name in ("vot2016", "vot2018", "vot2019")},
        checkpoint="PySOT's siamrpn_mobilev2_l234_dwxcorr",
        published=MODEL_ZOO,
    ),
    Method(
        name="siamrpn_r50",
        description="SiamRPN++ with ResNet-50 and three levels",
        tracker_class="siam_tracker_ros.methods.siamrpn.tracker:SiamRPNTracker",
        network_class="siam_tracker_ros.methods.siamrpn.network:SiamRPNResNet50",
        template_side=TEMPLATE_SIDE,
        search_side=SEARCH_SIDE,
        frame_gmacs=48.7,
        defaults=RESNET,
        presets=RESNET_PRESETS,
        checkpoint="PySOT's siamrpn_r50_l234_dwxcorr, with _otb or _lt",
        published=MODEL_ZOO,
        training="siam_tracker_ros.methods.siamrpn.training:RESNET",
        variants={"siamrpn_r50_otb": "siam_tracker_ros.methods.siamrpn.network:SiamRPNResNet50Otb"},
    ),
    Method(
        name="siamrpn_r50_lt",
        description="SiamRPN++ with ResNet-50 that searches for a lost target in a larger region",
        tracker_class="siam_tracker_ros.methods.siamrpn.tracker:SiamRPNTracker",
        network_class="siam_tracker_ros.methods.siamrpn.network:SiamRPNResNet50LongTerm",
        template_side=TEMPLATE_SIDE,
        search_side=SEARCH_SIDE,
        frame_gmacs=51.6,
        defaults=LONG_TERM,
        presets=RESNET_PRESETS,
        checkpoint="PySOT's siamrpn_r50_l234_dwxcorr_lt",
        published=MODEL_ZOO,
        untrained_settings={"confidence_low": 0.0},  # never lost, so never searched for in the larger region
    ),
)
