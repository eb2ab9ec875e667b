# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The other processes of the demo."""

import json
import signal
import subprocess
import time

from ament_index_python.packages import get_package_prefix

from siam_tracker_ros.errors import SiamTrackerError

_STOP_S = 15
_LOG_LINES = 8


class DemoError(SiamTrackerError):
    """The demo cannot go on."""


class Processes:
    """Nodes of this package, each in a process with a log file: a context manager that ends them all."""

    def __init__(self, log_folder):
        self._log_folder = log_folder
        self._started = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self, name, **parameters):
        """Start an installed executable of this package, as `ros2 run` does, with ROS parameters."""
        prefix = get_package_prefix("siam_tracker_ros")
        command = [f"{prefix}/lib/siam_tracker_ros/{name}", "--ros-args"]
        for key, value in parameters.items():
            command += ["-p", f"{key}:={json.dumps(value)}"]  # JSON is YAML, and keeps "0" a string
        with self.log(name).open("w") as log:
            # In a session of its own: Ctrl-C does not come from the terminal too, only once, from here.
            streams = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": subprocess.STDOUT}
            self._started[name] = subprocess.Popen(command, start_new_session=True, **streams)

    def has_finished(self, name):
        """Return whether a process has ended with status 0; raise DemoError where it ended otherwise."""
        status = self._started[name].poll()
        if status:
            lines = self.log(name).read_text(errors="replace").strip().splitlines()[-_LOG_LINES:]
            what = f"{name} ended with status {status}; {self.log(name)} ends with"
            raise DemoError("\n  ".join([what, *lines]))
        return status == 0

    def stop(self):
        """Interrupt every process that still runs and wait; kill what does not end, or on a second Ctrl-C."""
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

    def log(self, name):
        """Return the Path of a process's log file."""
        return self._log_folder / f"{name}.log"
