# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""SiamRCR (Peng et al., IJCAI 2021)."""

from siam_tracker_ros.methods.siamrcr.method import METHODS

__all__ = ["METHODS"]
