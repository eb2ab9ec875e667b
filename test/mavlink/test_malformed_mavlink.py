# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Malformed MAVLink, from bytes to what the camera answers."""

from random import Random

import hypothesis.strategies as st
from hypothesis import given, settings
from mavlink_testing import Bench, mavlink, parser

from benchmarks import malformed

LINK = 0


@settings(derandomize=True, max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1).map(Random))
def test_frames_are_taken_or_refused_with_a_sentence(random):
    bench, stream = Bench(), parser()
    for _ in range(10):
        for message in stream.parse_buffer(malformed.mavlink_bytes(random)) or ():
            if not isinstance(message, (mavlink.MAVLink_bad_data, mavlink.MAVLink_unknown)):
                bench.camera.receive(LINK, message)
        bench.now += 0.3
        bench.camera.tick()
        while bench.tracker.waiting:
            bench.tracker.answer(random.random() < 0.5, "it is another one")
    assert all(malformed.text_fault(sentence) == "" for sentence in bench.said)
