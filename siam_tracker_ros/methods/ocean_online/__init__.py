# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Ocean with its online branch (Zhang et al., ECCV 2020)."""

from siam_tracker_ros.methods.ocean_online.method import METHODS

__all__ = ["METHODS"]
