# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the demo shows: the clip, the report, the processes. No ROS in here."""
