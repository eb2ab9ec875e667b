# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The trackers of this package in the evaluation toolkits of others: vot-toolkit and got10k."""
