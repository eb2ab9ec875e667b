# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""SiamRPN++ (Li et al., CVPR 2019)."""

from siam_tracker_ros.methods.siamrpn.method import METHODS

__all__ = ["METHODS"]
