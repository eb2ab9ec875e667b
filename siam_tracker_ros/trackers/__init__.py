# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One file a method: `init` and `track`, readable from top to bottom."""
