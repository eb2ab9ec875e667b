# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Training: the trainer, recipes, pairs and losses that methods share, and the bank of images."""
