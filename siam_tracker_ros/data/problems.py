# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is wrong with training data, gathered so that it is told at once."""

from siam_tracker_ros.errors import DatasetError

SHOWN = 20  # problems that a message lists
BROKEN_SHARE = 0.03  # of a data set's frames that may be broken; they are left out
BROKEN_COUNT = 3  # broken frames that a data set of any size may have


def too_many_broken(broken, frames):
    """Whether so many broken frames out of so many speak against a data set."""
    return broken > max(BROKEN_COUNT, BROKEN_SHARE * frames) or 0 < broken == frames


class Problems:
    """Problems by file, in the order in which they were found, each once."""

    def __init__(self):
        self._found = {}

    def __len__(self):
        return len(self._found)

    def add(self, path, fault, expected, advice="unpack it again"):
        """Note what is wrong with a file or folder, what was expected and what helps."""
        self.add_error(f"{path}: {fault}, expected {expected}; {advice}")

    def add_error(self, error):
        """Note an error, or a sentence, that names the file itself."""
        self._found[str(error)] = None

    def add_missing(self, path, expected):
        """Note that a file or folder is not there, and of the folders above it that are not there, the highest."""
        *_, highest = [path, *(parent for parent in path.parents if not parent.exists())]
        self.add(highest, "is missing", expected if highest == path else "a folder of the data set")

    def raise_any(self):
        """Raise DatasetError that lists the first problems and counts the others; nothing where there are none."""
        if not self._found:
            return
        found = list(self._found)
        lines = [f"the training data cannot be used, {len(found)} problem{'s' * (len(found) > 1)}:"]
        lines += [f"  {problem}" for problem in found[:SHOWN]]
        if len(found) > SHOWN:
            lines.append(f"  and {len(found) - SHOWN} more")
        raise DatasetError("\n".join(lines))
