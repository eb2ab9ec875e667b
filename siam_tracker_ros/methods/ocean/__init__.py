# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Ocean (Zhang et al., ECCV 2020), without its online branch."""

from siam_tracker_ros.methods.ocean.method import METHODS

__all__ = ["METHODS"]
