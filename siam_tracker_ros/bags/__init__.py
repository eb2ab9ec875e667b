# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""ROS 2 bags as a source of frames and as a place for results, read and written with rosbags: without ROS."""
