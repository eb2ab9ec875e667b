# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which paths are bags; what reads and writes them is imported only where there is one."""

from pathlib import Path

METADATA, METADATA_KEY = "metadata.yaml", b"rosbag2_bagfile_information"
SUFFIX = ".mcap"  # of a bag in a single file that is written
_STORAGE_SUFFIXES = (SUFFIX, ".db3")


def is_bag(path: Path) -> bool:
    """Return whether a path is meant as a bag: a file of a bag, or a folder with one or with a bag's metadata.yaml."""
    if path.is_dir():
        metadata = path / METADATA  # other programs, too, write files of this name
        has_metadata = metadata.is_file() and METADATA_KEY in metadata.read_bytes()
        return has_metadata or any(map(is_storage, path.iterdir()))
    return is_storage(path) or path.suffix == ".bag"


def names_bag(path: Path) -> bool:
    """Return whether the name of an output means a bag: it ends in .mcap, or it has no suffix."""
    return path.suffix in ("", SUFFIX)


def is_storage(path: Path) -> bool:
    """Return whether a file has the name of one that holds a bag's messages, compressed or not."""
    return path.suffix in _STORAGE_SUFFIXES or path.name.endswith(
        tuple(f"{suffix}.zstd" for suffix in _STORAGE_SUFFIXES)
    )
