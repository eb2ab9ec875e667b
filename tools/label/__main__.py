# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The program `python -m tools.label`.

The result goes to standard output, progress, left out clips and errors to standard error. Exit status: 0 done, 2 an
error that one sentence explains, 130 stopped with Ctrl-C.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from siam_tracker_ros.cli.options import add_set
from siam_tracker_ros.errors import SiamTrackerError
from siam_tracker_ros.methods.lite.teacher import LightFcTeacher
from siam_tracker_ros.settings import make_settings
from tools.label.clips import fingerprints, read_start_boxes
from tools.label.folder import LabelReport, label_folder
from tools.label.settings import LabelSettings

PROGRAM = "python -m tools.label"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line (without the program's name; None: this process's own); return the exit status."""
    args = make_parser().parse_args(argv)
    try:
        _show(_label(args))
    except SiamTrackerError as error:
        return _fail(str(error))
    except OSError as error:
        return _fail(f"{error.filename or 'file'}: {error.strerror or error}")
    except KeyboardInterrupt:
        return 130
    return 0


def _fail(sentence: str) -> int:
    print(f"{PROGRAM}: error: {sentence}", file=sys.stderr)
    return 2


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Make training shards from clips without labels: targets that a teacher tracks alike forward and "
        "backward.",
        epilog=f"example: {PROGRAM} clips shards --teacher lightfc --held-out data/sequences",
    )
    parser.add_argument("clips", type=Path, metavar="CLIPS", help="folder of videos, gifs and folders of images")
    parser.add_argument("output", type=Path, metavar="OUT", help="folder to write tracks-CLIPS-*.tar to")
    parser.add_argument("--teacher", required=True, metavar="DIR", help="folder of LightFC's two ONNX files")
    parser.add_argument(
        "--boxes",
        type=Path,
        metavar="FILE",
        help="where the targets are, one clip,frame,x,y,w,h line each (default: search for what moves)",
    )
    parser.add_argument(
        "--held-out",
        type=Path,
        metavar="DIR",
        help="folder of test sequences: clips that show one of them are left out",
    )
    add_set(parser, "overrides", "a setting of the labelling, as reach=60; may be repeated")
    return parser


def _label(args: argparse.Namespace) -> LabelReport:
    settings = make_settings(LabelSettings, dict(args.overrides), "--set")
    return label_folder(
        args.clips,
        args.output,
        LightFcTeacher(args.teacher),
        settings,
        held_out=None if args.held_out is None else fingerprints(args.held_out),
        boxes=None if args.boxes is None else read_start_boxes(args.boxes),
    )


def _show(report: LabelReport) -> None:
    reasons = {
        "cannot be read": report.unreadable,
        "is held out": report.held_out,
        "lies after the last frame that is used (see clip_frames)": report.not_reached,
    }
    for reason, names in reasons.items():
        for name in names:
            print(f"left out, because it {reason}: {name}", file=sys.stderr)
    for remark in report.remarks:
        print(remark, file=sys.stderr)
    shards = ", ".join(str(path) for path in report.shards)
    print(f"{shards}: {report.tracks} tracks, {report.frames} frames from {report.clips} clips")


if __name__ == "__main__":
    sys.exit(main())
