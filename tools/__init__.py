# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Programs for work on this project, run from a checkout and not installed."""
