# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`python -m siam_tracker_ros` is the command `siam-tracker`."""

import sys

from siam_tracker_ros.cli import main

if __name__ == "__main__":
    sys.exit(main())
