# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The demo without ROS: clips, the processes of the nodes, and the report."""
