# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Weights files: reading, writing, conversion, and the weights of `lite`."""
