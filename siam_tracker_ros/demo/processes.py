# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The nodes of the demo, each in a process of its own."""

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from siam_tracker_ros.errors import SiamTrackerError

_STOP_S = 15  # seconds to end after the interrupt
_LOG_LINES = 8  # last lines of a log that an error quotes


class DemoError(SiamTrackerError):
    """The demo cannot continue."""


class Processes:
    """Processes with a log file each: a context manager that ends them all."""

    def __init__(self, program_folder: Path, log_folder: Path) -> None:
        """Start nothing yet.

        Args:
            program_folder: folder of the programs.
            log_folder: folder of the log files.
        """
        self._program_folder = program_folder
        self._log_folder = log_folder
        self._started: dict[str, subprocess.Popen] = {}

    def __enter__(self) -> "Processes":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, name: str, **parameters: Any) -> None:
        """Start a program with ROS parameters."""
        command = [str(self._program_folder / name), "--ros-args"]
        for key, value in parameters.items():
            command += ["-p", f"{key}:={json.dumps(value)}"]  # JSON is YAML, and keeps "0" a string
        with self.log(name).open("w") as log:
            self._started[name] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in the terminal does not reach it; `stop` interrupts it, once
            )

    def has_finished(self, name: str) -> bool:
        """Return whether a process has ended with status 0.

        Raises:
            DemoError: the process has ended with another status; the message quotes the end of its log.
        """
        status = self._started[name].poll()
        if status:
            lines = self.log(name).read_text(errors="replace").strip().splitlines()[-_LOG_LINES:]
            what = f"{name} ended with status {status}; {self.log(name)} ends with"
            raise DemoError("\n  ".join([what, *lines]))
        return status == 0

    def stop(self) -> None:
        """Interrupt every process that still runs and wait; kill a process that does not end, or on a second Ctrl-C."""
        running = [process for process in self._started.values() if process.poll() is None]
        for process in running:
            process.send_signal(signal.SIGINT)
        deadline = time.monotonic() + _STOP_S
        for process in running:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except (subprocess.TimeoutExpired, KeyboardInterrupt):
                process.kill()
                process.wait()

    def log(self, name: str) -> Path:
        """Return the path of a process's log file."""
        return self._log_folder / f"{name}.log"
