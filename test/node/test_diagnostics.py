# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest
from builtin_interfaces.msg import Time

from siam_tracker_ros.core.monitor import TargetState
from siam_tracker_ros.core.session import Observation
from siam_tracker_ros.node.diagnostics import Diagnostics, Health, TargetHealth

HEALTH = Health(
    lifecycle="active",
    enabled=True,
    topic="/image",
    reliability="reliable",
    silence="",
    loss_remedy="",
    model="lite",
    device="cpu",
    failure="",
    hang="",
    left_threads=0,
    init_extent=(0.0, 0),
    target=TargetHealth(),
)


@pytest.mark.parametrize(
    "age_s, message",
    [
        (0.5, "images arrive"),
        (-0.5, "images arrive"),
        (1.5, "the images' stamps are 1.5 s behind this node's clock at arrival; check the clocks and use_sim_time"),
        (-200, "the images' stamps are 200 s ahead of this node's clock at arrival; check the clocks and use_sim_time"),
    ],
)
def test_stamps_far_from_the_clock_are_told(age_s, message):
    diagnostics = Diagnostics("tracker")
    diagnostics.frame_received(age_s)
    assert diagnostics.report(Time(), HEALTH).status[0].message == message


def tracker_values(diagnostics):
    return {value.key: value.value for value in diagnostics.report(Time(), HEALTH).status[1].values}


def test_what_the_last_frame_said_of_the_target_is_told():
    diagnostics = Diagnostics("tracker")
    before = {"confidence": "nan", "raw_score": "nan", "candidates": "0", "search_progress": "0.00"}
    assert tracker_values(diagnostics).items() >= (before | {"redetections": "0"}).items()
    searched = Observation(
        TargetState.LOST, confidence=0.0321, raw_score=0.25, candidates=3, search_progress=0.5, redetections=2
    )
    diagnostics.frame_published(0, [searched], latency_ms=1.0)
    after = {"confidence": "0.032", "raw_score": "0.250", "candidates": "3", "search_progress": "0.50"}
    assert tracker_values(diagnostics).items() >= (after | {"redetections": "2"}).items()
