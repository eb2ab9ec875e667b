# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest
from builtin_interfaces.msg import Time

from siam_tracker_ros.node.diagnostics import Diagnostics, Health

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
    init_extent=(0.0, 0),
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
