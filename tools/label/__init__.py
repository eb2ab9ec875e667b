# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Makes training shards from videos without labels; run it as `python -m tools.label`."""
