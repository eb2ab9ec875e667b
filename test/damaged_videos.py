# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Videos with frames that cannot be decoded, and videos that are cut off."""

import struct

import numpy as np

from siam_tracker_ros.frames import VideoSink


class MotionJpeg:
    """An AVI file in which each frame of 64 x 48 pixels has one grey level, to be damaged.

    Attributes:
        path: of the file.
    """

    def __init__(self, path, levels):
        self.path = path
        with VideoSink(path, fps=25) as sink:
            for level in levels:
                sink.write(np.full((48, 64, 3), level, np.uint8))
        self._content = path.read_bytes()
        self._frames = []  # offset and size of each frame's data
        place = self._content.index(b"movi") + 4
        while self._content[place : place + 4] == b"00dc":
            (size,) = struct.unpack_from("<I", self._content, place + 4)
            self._frames.append((place + 8, size))
            place += 8 + size + size % 2
        assert len(self._frames) == len(levels)

    def damage(self, frames):
        """Overwrite the data of some frames; return the path."""
        content = bytearray(self._content)
        for offset, size in (self._frames[frame] for frame in frames):
            content[offset : offset + size] = bytes(size)
        self.path.write_bytes(content)
        return self.path

    def cut(self, frames):
        """Cut the file off behind a number of frames; return the path."""
        self.path.write_bytes(self._content[: self._frames[frames][0]])
        return self.path
