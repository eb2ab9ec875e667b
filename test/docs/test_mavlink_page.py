# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What docs/mavlink.md says is what the camera and MAVLink do."""

import re

import pages
import pytest

pytest.importorskip("rclpy")
mavlink = pytest.importorskip("pymavlink.dialects.v20.common", reason="MAVLink needs pymavlink")

from siam_tracker_ros.core.monitor import TargetState
from siam_tracker_ros.mavlink.settings import MavlinkSettings
from siam_tracker_ros.node.parameters import parameter_table

PAGE = "docs/mavlink.md"


def test_parameter_table_is_that_of_the_camera():
    _, rest = pages.PAGES[PAGE].split("<!-- parameters: begin -->\n")
    table, _ = rest.split("\n<!-- parameters: end -->")
    assert table == parameter_table(MavlinkSettings)


def test_numbers_of_messages_and_commands_are_those_of_the_dialect():
    text = pages.section(PAGE, "Messages")
    rows = re.findall(r"^\| ([A-Z_]+(?:, [A-Z_]+)*)\b[^|]*\| (\d+(?:, \d+)*) \|", text, flags=re.MULTILINE)
    assert len(rows) > 12
    for names, numbers in rows:
        for name, number in zip(names.split(", "), numbers.split(", ")):
            assert getattr(mavlink, name if name.startswith("MAV_CMD_") else f"MAVLINK_MSG_ID_{name}") == int(number)


def test_states_are_those_of_the_target_and_their_flags_those_of_the_dialect():
    rows = re.findall(r"^\| (\w+)[^|]*\| (\d), (\w+) \|", pages.section(PAGE, "Messages"), flags=re.MULTILINE)
    assert [state for state, _, _ in rows] == [state.name for state in TargetState]
    for _, number, name in rows:
        assert getattr(mavlink, f"CAMERA_TRACKING_STATUS_FLAGS_{name}") == int(number)
