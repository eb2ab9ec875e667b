# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Problems of training data, collected to be reported together."""

import pathlib

from siam_tracker_ros.errors import DatasetError

SHOWN = 20  # problems that a message lists
BROKEN_SHARE = 0.03  # tolerated share of broken frames in a data set; they are ignored
BROKEN_COUNT = 3  # broken frames that are tolerated in a data set of any size


def too_many_broken(broken: int, frames: int) -> bool:
    """Whether a data set with `broken` out of `frames` frames broken is refused."""
    return broken > max(BROKEN_COUNT, BROKEN_SHARE * frames) or 0 < broken == frames


class Problems:
    """Problems in the order in which they were found, without duplicates."""

    def __init__(self) -> None:
        self._found: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._found)

    def add(self, path: pathlib.Path, fault: str, expected: str, advice: str = "unpack it again") -> None:
        """Note what is wrong with a file or folder, what was expected and what to do."""
        self.add_error(f"{path}: {fault}, expected {expected}; {advice}")

    def add_error(self, error: Exception | str) -> None:
        """Note an error or a message that names the file itself."""
        self._found[str(error)] = None

    def add_missing(self, path: pathlib.Path, expected: str) -> None:
        """Note that a file or folder is missing; names the topmost missing folder above it."""
        highest = [path, *(parent for parent in path.parents if not parent.exists())][-1]
        self.add(highest, "is missing", expected if highest == path else "a folder of the data set")

    def raise_any(self) -> None:
        """Raise a DatasetError that lists the first problems and counts the others, if there are any."""
        if not self._found:
            return
        found = list(self._found)
        lines = [f"the data cannot be used, {len(found)} problem{'s' * (len(found) > 1)}:"]
        lines += [f"  {problem}" for problem in found[:SHOWN]]
        if len(found) > SHOWN:
            lines.append(f"  and {len(found) - SHOWN} more")
        raise DatasetError("\n".join(lines))
