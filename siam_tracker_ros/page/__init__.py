# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The operator's page: pictures to browsers, and what people ask for there. No ROS in here."""
