# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A node as a program: what happens before its modules are imported and after it has ended."""

import importlib
import os
import signal
import sys
import threading
import time
import typing

from siam_tracker_ros.extras import explain_missing

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
END_S = 5.0  # that Python has to end in, once the node has


def run(module: str) -> typing.NoReturn:
    """Run `main` of a module and end the process with its status; a signal that ends it leads to status 0.

    Args:
        module: full name of the module, whose `main` handles the signals while it runs.
    """
    for number in STOP_SIGNALS:  # nothing is there yet that would have to be put in order
        signal.signal(number, lambda *_: os._exit(0))
    try:
        main = importlib.import_module(module).main
    except ModuleNotFoundError as error:
        sys.exit(f"{module.rpartition('.')[2]}: {explain_missing(error)}")
    status = main()
    for number in STOP_SIGNALS:  # while Python ends, a second Ctrl-C would have its default effect: death
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end, args=(status,), daemon=True).start()
    sys.exit(status)


def _end(status: int) -> None:
    """End the process, for which Python waits for threads that may be in a call that does not return."""
    time.sleep(END_S)
    left = ", ".join(thread.name for thread in threading.enumerate() if thread is not threading.current_thread())
    print(f"the process is ended without waiting for its threads any longer: {left}", file=sys.stderr, flush=True)
    os._exit(status)
