# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""GradNet (Li et al., ICCV 2019)."""

from siam_tracker_ros.methods.gradnet.method import METHODS

__all__ = ["METHODS"]
