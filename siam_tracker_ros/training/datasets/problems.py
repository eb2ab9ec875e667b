# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is wrong with training data, gathered so that it is told at once."""

from siam_tracker_ros.errors import DatasetError

SHOWN = 20  # problems that a message lists


class Problems:
    """Problems by file, in the order in which they were found."""

    def __init__(self):
        self.found = []

    def add(self, path, text):
        """Note what is wrong with a file or folder, what was expected and what helps."""
        self.found.append(f"{path}: {text}")

    def __len__(self):
        return len(self.found)

    def raise_any(self):
        """Raise DatasetError that lists the first problems and counts the others; nothing where there are none."""
        if not self.found:
            return
        lines = [f"the training data cannot be used, {len(self.found)} problem{'s' * (len(self.found) > 1)}:"]
        lines += [f"  {problem}" for problem in self.found[:SHOWN]]
        if len(self.found) > SHOWN:
            lines.append(f"  and {len(self.found) - SHOWN} more")
        raise DatasetError("\n".join(lines))
