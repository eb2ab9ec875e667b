# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A log of what others cause, which they cannot flood."""

import time
from collections.abc import Callable
from typing import Any


class PacedLog:
    """Logs some lines at once and then a few each second; a line says how many were left out before it."""

    def __init__(
        self,
        logger: Any,
        burst: int = 100,
        per_second: float = 2.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with all lines of a burst.

        Args:
            logger: of rclpy.
            burst: lines that may come at once.
            per_second: lines each second after that.
            clock: returns seconds that never go back.
        """
        self._logger = logger
        self._burst, self._per_second, self._clock = burst, per_second, clock
        self._lines = float(burst)  # that may come now
        self._counted = clock()
        self._left_out = 0

    def info(self, line: str) -> None:
        """Log what has happened."""
        if self._may_log():
            self._logger.info(line + self._gap())

    def warning(self, line: str) -> None:
        """Log what should not have happened."""
        if self._may_log():
            self._logger.warning(line + self._gap())

    def _may_log(self) -> bool:
        now = self._clock()
        self._lines = min(self._burst, self._lines + (now - self._counted) * self._per_second)
        self._counted = now
        if self._lines < 1:
            self._left_out += 1
            return False
        self._lines -= 1
        return True

    def _gap(self) -> str:
        left_out, self._left_out = self._left_out, 0
        return f" ({left_out} lines like this were left out before)" if left_out else ""
