# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the main functions of the nodes share: to start ROS, and to spin until a signal ends it."""

import signal
from collections.abc import Callable
from typing import Any

import rclpy
import rclpy.exceptions
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from siam_tracker_ros.errors import InvalidSettingError
from siam_tracker_ros.node.program import STOP_SIGNALS

PARAMETER_ERRORS = (
    rclpy.exceptions.InvalidParameterTypeException,
    rclpy.exceptions.InvalidParameterValueException,
    InvalidSettingError,
)
"""What a node raises for a parameter on the command line or in a file that it cannot use."""
SIGNAL_PERIOD_S = 0.05  # between two looks for a signal


def note_signals() -> list[int]:
    """Note Ctrl-C and SIGTERM from now on in the list returned, as no exception may strike inside of rclpy."""
    noted: list[int] = []
    for number in STOP_SIGNALS:
        signal.signal(number, lambda number, _: noted.append(number))
    return noted


def init_ros(args: list[str] | None, **options: Any) -> None:
    """Call rclpy.init with these arguments and options.

    Raises:
        InvalidSettingError: the arguments cannot be used, as with a parameter file that is missing or damaged.
    """
    try:
        rclpy.init(args=args, **options)
    except Exception as error:  # rclpy has no public name for what it raises here, and another one in each version
        reason = str(error).partition(", at /")[0].rstrip()  # without the place in the C sources
        raise InvalidSettingError(f"ROS cannot start with these arguments: {reason}") from error


def spin(name: str, make_node: Callable[[], Node], args: list[str] | None, has_last_words: bool = False) -> int:
    """Make a node and spin it until Ctrl-C or SIGTERM.

    Args:
        name: of the node, for a message if it cannot be made.
        make_node: makes the node.
        args: command line arguments; None: those of the process.
        has_last_words: whether the node still publishes when it is destroyed; rclpy's own handlers of the signals would
            shut the context down before.

    Returns:
        The exit status: 1 for arguments or parameters that cannot be used.
    """
    signals = note_signals()
    node = None
    try:
        init_ros(args, **({"signal_handler_options": SignalHandlerOptions.NO} if has_last_words else {}))
        node = make_node()
        if has_last_words:
            while not signals:
                rclpy.spin_once(node, timeout_sec=SIGNAL_PERIOD_S)
        elif not signals:
            rclpy.spin(node)  # which rclpy's own handlers end
    except ExternalShutdownException:
        pass
    except PARAMETER_ERRORS as error:
        rclpy.logging.get_logger(name).fatal(f"{error}; check the parameter file or the command line")
        return 1
    except Exception:
        if rclpy.ok():
            raise  # else something that the shutdown cut off, which is no fault
    finally:
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
    return 0
