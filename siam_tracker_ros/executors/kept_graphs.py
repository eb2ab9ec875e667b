# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Compiled graphs, kept in files of the user's cache folder: the next start reads them, which is faster.

A file begins with a line that says all that its content depends on, and its checksum. So whatever two processes, a full
disk or another version leave behind is found out, and the graph is compiled again.
"""

import contextlib
import logging
import os
import pathlib
import tempfile
import zlib

from siam_tracker_ros.executors.runtime import weights_files
from siam_tracker_ros.executors.user_cache import cache_folder

logger = logging.getLogger(__name__)

MAX_BYTES = 128 * 2**20  # of all files; those that were not used for the longest time are removed


def describe(graph: pathlib.Path, *conditions: str) -> str:
    """Return in one line what a graph consists of, and what else its compiled form depends on.

    Args:
        graph: file of a graph, in ONNX or in OpenVINO's own format.
        conditions: versions, machine and options.
    """
    files = [graph, *weights_files(graph)]
    return "; ".join([*map(_describe_file, files), *conditions]).replace("\n", " ")


def _describe_file(path: pathlib.Path) -> str:
    content = path.read_bytes()
    # Not a cryptographic digest: its library takes more memory than a graph, and nobody is to be kept out.
    return f"{path.name} of {len(content)} bytes, {path.stat().st_mtime_ns} ns, {zlib.crc32(content):08x}"


def recall(name: str, description: str) -> bytes | None:
    """Return the compiled graph of a name and description; None if there is none that is complete."""
    try:
        path = _path(name, description)
        with open(path, "rb") as file:
            head, compiled = file.readline(), file.read()
    except FileNotFoundError:
        return None
    except (OSError, RuntimeError) as error:
        logger.info("graph %s: what was compiled earlier cannot be read (%s)", name, error)
        return None
    if head != _head(description, compiled):
        logger.info("graph %s: %s is damaged, or of another graph; it is compiled again", name, path)
        return None
    with contextlib.suppress(OSError):  # a file system that is read-only keeps no times
        os.utime(path)
    logger.debug("graph %s: was compiled earlier, %s", name, path)
    return compiled


def keep(name: str, description: str, compiled: bytes | memoryview) -> None:
    """Keep a compiled graph, where that is possible and it has room."""
    if len(compiled) > MAX_BYTES:
        logger.info("graph %s: what was compiled is not kept (%d bytes, at most %d)", name, len(compiled), MAX_BYTES)
        return
    try:
        path = _path(name, description)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not `write_atomic`: another process may write the same file, and what a power cut spoils is compiled again.
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".partial", delete=False) as file:
            try:
                file.write(_head(description, compiled))
                file.write(compiled)
                file.close()
                os.replace(file.name, path)
            except OSError:
                os.unlink(file.name)
                raise
        _make_room(path.parent)
    except (OSError, RuntimeError) as error:  # a robot's file system may be read-only or full; then each start compiles
        logger.info("graph %s: what was compiled is not kept (%s)", name, error)


def _path(name: str, description: str) -> pathlib.Path:
    return cache_folder() / "graphs" / f"{name}-{zlib.crc32(description.encode()):08x}.compiled"


def _head(description: str, compiled: bytes | memoryview) -> bytes:
    return f"{description}; {len(compiled)} bytes, {zlib.crc32(compiled):08x}\n".encode()


def _make_room(folder: pathlib.Path) -> None:
    """Remove what was not used for the longest time until the rest has room, and so what a killed process left."""
    used = sorted(((entry.stat(), entry.path) for entry in os.scandir(folder)), key=lambda item: -item[0].st_mtime_ns)
    total = 0
    for status, path in used:
        total += status.st_size
        if total > MAX_BYTES:
            pathlib.Path(path).unlink(missing_ok=True)
