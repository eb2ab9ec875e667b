# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The example of a ground station, with the camera itself over UDP."""

import collections
import socket
import threading
import time

import numpy as np
import pytest
from example_modules import load_example
from mavlink_testing import DEADLINE, SIZE_WH, GivenTracker

from siam_tracker_ros.core.monitor import TargetState
from siam_tracker_ros.mavlink.camera import MavlinkCamera, TargetReport
from siam_tracker_ros.mavlink.links import Links
from siam_tracker_ros.mavlink.settings import MavlinkSettings


def test_the_example_marks_a_target_and_tells_of_it():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.bind(("127.0.0.1", 0))
        settings = MavlinkSettings(connections=(f"udpout:127.0.0.1:{opened.getsockname()[1]}",))
        arrived, said, tracker = collections.deque(), [], GivenTracker()
        links = Links(settings.connections, 1, 100, lambda *message: arrived.append(message), lambda sentence: None)
        camera = MavlinkCamera(settings, tracker, links.send, lambda sentence: None, time.monotonic)
        camera.report(TargetReport(TargetState.IDLE, SIZE_WH, None))
        links.start()
        sentences = load_example("ground_station").talk(opened, (0.25, 0.25, 0.5, 0.75))
        station = threading.Thread(target=lambda: said.extend(next(sentences) for _ in range(3)))
        station.start()
        end = time.monotonic() + DEADLINE
        try:
            while station.is_alive():
                assert time.monotonic() < end, said
                camera.tick()
                while arrived:
                    camera.receive(*arrived.popleft())
                if tracker.waiting:
                    tracker.answer()
                    camera.report(TargetReport(TargetState.TRACKING, SIZE_WH, np.array([0.25, 0.25, 0.5, 0.75])))
                time.sleep(0.01)
        finally:
            links.close()
    assert tracker.calls[0] == pytest.approx([0.375, 0.5, 0.25, 0.5])
    assert "the camera answers MAV_RESULT_ACCEPTED" in said
    assert "CAMERA_TRACKING_STATUS_FLAGS_ACTIVE 0.250, 0.250, 0.500, 0.750" in said
