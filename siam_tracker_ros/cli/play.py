# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`siam-tracker play`: draw the box in a browser, watch it being followed, correct it."""

import argparse
import sys
import typing
from pathlib import Path

from siam_tracker_ros.cli.options import (
    add_intensity_range,
    add_masks,
    add_model,
    check_outputs,
    make_tracker,
    prepare_masks,
)

if typing.TYPE_CHECKING:
    from siam_tracker_ros.core.session import Observation

SUMMARY = "Play a video, a folder of images, a ROS 2 bag or a camera in a browser, and track what you mark there."
EXAMPLE = "siam-tracker play clip.mp4 --results boxes.txt"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments and options."""
    parser.add_argument(
        "source", metavar="VIDEO|DIR|BAG|CAMERA", help="video file, folder of images, ROS 2 bag, or camera number"
    )
    parser.add_argument("--topic", default="", help="image topic of a bag that has several")
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to serve the page on (default: this machine alone)"
    )
    parser.add_argument("--port", type=int, default=8642, help="TCP port; 0 for any that is free (default: 8642)")
    parser.add_argument(
        "--token", default="", help="what a viewer has to know (default: a new one, where others can reach the host)"
    )
    parser.add_argument(
        "--results",
        type=Path,
        metavar="FILE",
        help="text file to write, one x,y,w,h,score line a frame, nan,nan,nan,nan,score while the target is lost, with "
        "nan as the score while there is none",
    )
    add_masks(parser)
    add_intensity_range(parser)
    add_model(parser)


def run(args: argparse.Namespace) -> None:
    """Serve the page until Ctrl-C; write the results and the masks that the options ask for."""
    import secrets
    from contextlib import closing, suppress

    from siam_tracker_ros.extras import require

    require("the page", "aiohttp", extra="page")
    from siam_tracker_ros.core.monitor import TargetState
    from siam_tracker_ros.frames import open_frames
    from siam_tracker_ros.outputs import PendingFile
    from siam_tracker_ros.page.access import Access, is_this_machine
    from siam_tracker_ros.page.player import Player

    check_outputs(args.source, args.results, args.masks)
    if args.results is not None:
        PendingFile(args.results).settle(complete=False)  # refused now if it cannot be written
    prepare_masks(args)
    token = args.token or ("" if is_this_machine(args.host) else secrets.token_urlsafe(16))
    access = Access(args.host, args.port, token)
    access.check()

    def save(observations: "list[Observation]") -> str:
        return _write_results(args.results, observations)

    with open_frames(args.source, args.intensity_range, args.topic) as frames:
        player = Player(
            make_tracker(args),
            frames,
            Path(args.source).name,
            access,
            keep=lambda number, seen: _keep_mask(args.masks, args.mask_value, number, seen),
            save=None if args.results is None else save,
        )
        try:
            with closing(player), suppress(KeyboardInterrupt):  # the only end that the page has
                print(f"open {player.server.url} in a browser; Ctrl-C ends", flush=True)
                player.run()
        finally:
            if args.results is not None:
                save(player.observations)
            states = [seen.state for seen in player.observations]
            tracked = sum(state != TargetState.IDLE for state in states)
            lost = sum(state == TargetState.LOST for state in states)
            print(f"{len(states)} frames, a target in {tracked} of them, lost in {lost}", file=sys.stderr)
            for remark in frames.remarks:
                print(remark, file=sys.stderr)


def _write_results(path: Path, observations: "list[Observation]") -> str:
    from siam_tracker_ros.data.box_files import result_line
    from siam_tracker_ros.outputs import pending_lines

    with pending_lines(path) as write_line:
        for seen in observations:
            write_line(result_line(seen.box_xywh, seen.confidence))
    return f"the results of {len(observations)} frames are in {path.name}"


def _keep_mask(folder: Path | None, value: int, number: int, seen: "Observation") -> None:
    """Write the mask of a frame, in place of an earlier one."""
    from siam_tracker_ros.drawing import write_mask

    if folder is None:
        return
    path = folder / f"{number:05d}.png"
    if seen.mask is not None:
        write_mask(path, seen.mask, value)
    else:
        path.unlink(missing_ok=True)
