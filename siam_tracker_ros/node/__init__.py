# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The ROS 2 nodes. No other folder imports rclpy or another ROS package."""
