# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A node as a program: what happens before its modules are imported and after it has ended."""

import importlib
import os
import signal
import sys
import typing

from siam_tracker_ros.extras import explain_missing

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


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
    sys.exit(status)
