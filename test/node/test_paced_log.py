# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
from siam_tracker_ros.node.paced_log import PacedLog


class Lines:
    """A logger that keeps its lines."""

    def __init__(self):
        self.infos, self.warnings = [], []
        self.info, self.warning = self.infos.append, self.warnings.append


def test_a_flood_is_cut_to_a_burst_and_a_rate_and_says_so():
    lines, now = Lines(), [100.0]
    log = PacedLog(lines, burst=3, per_second=2.0, clock=lambda: now[0])
    for number in range(1000):
        log.warning(f"line {number}")
    assert lines.warnings == ["line 0", "line 1", "line 2"]
    now[0] += 0.4
    log.info("too soon")
    now[0] += 0.2
    log.info("later")
    assert lines.infos == ["later (998 lines like this were left out before)"]
    now[0] += 3600
    for number in range(4):
        log.info(str(number))
    assert lines.infos[1:] == ["0", "1", "2"], "what was saved up is no more than a burst"
