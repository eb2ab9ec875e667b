# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a controller needs of a target: its direction, motion and distance. No ROS in here."""
