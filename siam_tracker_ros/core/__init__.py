# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What every method shares: the tracker contract, the method record, the registry, one target's session and state."""
