# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import sys
from pathlib import Path

# At the end of the path: an installed siam_tracker_ros has generated messages, which the sources of this checkout lack.
sys.path.append(str(Path(__file__).resolve().parents[2]))
