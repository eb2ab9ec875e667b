# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`lite_online`, this project's own method, and `lite`, the same without an online branch."""

from siam_tracker_ros.methods.lite.method import METHODS

__all__ = ["METHODS"]
