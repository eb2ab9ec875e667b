# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`lite`, this project's own method, and `lite_online`."""

from siam_tracker_ros.methods.lite import online, tracker

METHODS = (*tracker.METHODS, *online.METHODS)
