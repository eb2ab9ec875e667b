# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The command `siam-tracker`.

Answers go to standard output, progress and errors to standard error. Exit status: 0 done, 2 an error that one
sentence explains, 130 stopped with Ctrl-C.

A command is a module with SUMMARY, EXAMPLE, `add_arguments(parser)` and `run(args)`. Torch and OpenCV take more than a
second to import, so a command imports the rest of the package in `run`, not at the head of its file: `--help` and a
mistyped option are answered at once.
"""

import argparse
import io
import os
import sys
import typing
from collections.abc import Sequence

from siam_tracker_ros.cli import bench, calibrate, compare, convert, export, models, play, track, train, vot
from siam_tracker_ros.cli import eval as evaluate
from siam_tracker_ros.errors import SiamTrackerError
from siam_tracker_ros.extras import explain_missing

COMMANDS = {
    "track": track,
    "play": play,
    "eval": evaluate,
    "compare": compare,
    "bench": bench,
    "calibrate": calibrate,
    "train": train,
    "convert": convert,
    "export": export,
    "models": models,
    "vot": vot,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line (without the program's name; None: this process's own); return the exit status."""
    args = make_parser().parse_args(argv)
    try:
        _silence_opencv()
        _print_any_name()
        args.run(args)
        sys.stdout.flush()
    except SiamTrackerError as error:
        return _fail(str(error))
    except ModuleNotFoundError as error:
        return _fail(explain_missing(error))
    except BrokenPipeError:  # the reader of a pipe closed it, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        return _fail(f"{error.filename or 'file'}: {error.strerror or error}")
    except KeyboardInterrupt:
        return 130
    return 0


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line; its result holds the command's function as `run`."""
    parser = _Parser(
        prog="siam-tracker",
        description="Follow one target through a video: one box in; box and confidence out for every frame.",
        epilog="example: siam-tracker track clip.mp4 --box 313,88,342,194 --output tracked.mp4",
    )
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        subparser = subparsers.add_parser(
            name, help=command.SUMMARY, description=command.SUMMARY, epilog=f"example: {command.EXAMPLE}"
        )
        command.add_arguments(subparser)
        subparser.set_defaults(run=command.run)
    return parser


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> typing.NoReturn:
        self.exit(2, f"{self.prog}: error: {message}; see {self.prog} --help\n")


def _silence_opencv() -> None:
    """Leave it to our own sentence to report a file or a camera that does not open."""
    import cv2

    set_level = cv2.setLogLevel if hasattr(cv2, "setLogLevel") else cv2.utils.logging.setLogLevel
    set_level(0)
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")


def _print_any_name() -> None:
    """Print names of files that are not UTF-8 as the bytes that they are."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")


def _fail(sentence: str) -> int:
    print(f"siam-tracker: error: {sentence}", file=sys.stderr)
    return 2
