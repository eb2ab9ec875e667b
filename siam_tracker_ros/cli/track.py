# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`siam-tracker track`: one target through a video, judged as the ROS node judges it."""

import argparse
import contextlib
import sys
import time
import typing
from collections.abc import Callable, Iterator
from pathlib import Path

from siam_tracker_ros.arguments import box_argument
from siam_tracker_ros.cli.options import (
    add_intensity_range,
    add_masks,
    add_model,
    check_outputs,
    make_tracker,
    prepare_masks,
)
from siam_tracker_ros.errors import InvalidInputError

if typing.TYPE_CHECKING:
    import numpy as np

    from siam_tracker_ros.bags.writer import BagSink
    from siam_tracker_ros.core.session import Observation
    from siam_tracker_ros.core.tracker import Tracker
    from siam_tracker_ros.frames import FrameSource, VideoSink

    Output = Callable[[int, np.ndarray, Observation], None]  # number of the frame, image_bgr, what is seen

SUMMARY = "Track one target through a video file, a folder of images, a ROS 2 bag or a camera."
EXAMPLE = "siam-tracker track clip.mp4 --box 313,88,342,194 --output tracked.mp4 --results boxes.txt"
CAMERA_FPS = 30.0  # of the written video, where the source does not state its own rate


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments and options."""
    parser.add_argument(
        "source",
        metavar="VIDEO|DIR|BAG|CAMERA",
        help="video file, folder of images, sequence of a data set, ROS 2 bag, or camera number",
    )
    parser.add_argument("--topic", default="", help="image topic of a bag that has several")
    parser.add_argument(
        "--box",
        type=box_argument,
        metavar="X,Y,W,H",
        help="the target in the first frame, in pixels from the top left corner; write --box=-4,10,50,60 "
        "where x is below 0 (default: the first label of a sequence of a data set)",
    )
    parser.add_argument(
        "--target", metavar="NAME", help="of a data set, the sequence and target to track, by the name that eval prints"
    )
    add_model(parser)
    add_intensity_range(parser)
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE|BAG",
        help="annotated video to write (.mp4, .mov or .avi), or a bag with what the ROS node publishes (.mcap, or a "
        "name without a dot for a new folder)",
    )
    parser.add_argument(
        "--results",
        type=Path,
        metavar="FILE",
        help="text file to write, one x,y,w,h,score line a frame, nan,nan,nan,nan,score while the target is "
        "lost (default: standard output, unless there is an --output)",
    )
    add_masks(parser)


def run(args: argparse.Namespace) -> None:
    """Track, and write the video, the results and the masks that the options ask for."""
    from siam_tracker_ros.core.monitor import TargetState

    _check_outputs(args)
    count = lost = 0
    interrupted = False
    with contextlib.ExitStack() as stack:
        frames, box_xywh = _open_source(args)
        stack.enter_context(frames)
        outputs = _open_outputs(args, frames, stack)
        tracker = make_tracker(args)
        try:
            for image_bgr, seen in _follow(tracker, _with_progress(frames, _prints_results(args)), box_xywh):
                for write in outputs:
                    write(count + frames.skipped, image_bgr, seen)
                count += 1
                lost += seen.state == TargetState.LOST
        except KeyboardInterrupt:
            if not frames.live:
                raise
            interrupted = True  # the only end that a camera has: its results are complete
    print(f"{count} frames, target lost in {lost} of them", file=sys.stderr)
    for remark in frames.remarks:
        print(remark, file=sys.stderr)
    if interrupted:
        raise KeyboardInterrupt


def _open_outputs(args: argparse.Namespace, frames: "FrameSource", stack: contextlib.ExitStack) -> "list[Output]":
    """Open all that the options ask for, so that what cannot be written is found before the first frame."""
    from siam_tracker_ros.bags.files import names_bag
    from siam_tracker_ros.frames import VideoSink
    from siam_tracker_ros.outputs import pending_lines

    fps = frames.fps or CAMERA_FPS
    outputs: list[Output] = []
    if args.masks is not None:
        outputs.append(_mask_writer(args.masks, args.mask_value))
    if args.results is not None:
        outputs.append(_result_writer(stack.enter_context(pending_lines(args.results))))
    elif _prints_results(args):
        outputs.append(_result_writer(sys.stdout.write))
    if args.output is not None and names_bag(args.output):
        from siam_tracker_ros.bags.writer import BagSink

        outputs.append(_bag_writer(stack.enter_context(BagSink(args.output)), frames, fps))
    elif args.output is not None:
        sink = stack.enter_context(VideoSink(args.output, fps))
        outputs.append(_video_writer(sink))  # the last one: it draws on the image
    return outputs


def _mask_writer(folder: Path, value: int) -> "Output":
    from siam_tracker_ros.drawing import write_mask

    def write(number: int, image_bgr: "np.ndarray", seen: "Observation") -> None:
        if seen.mask is not None:
            write_mask(folder / f"{number:05d}.png", seen.mask, value)

    return write


def _result_writer(write_line: Callable[[str], object]) -> "Output":
    from siam_tracker_ros.data.box_files import result_line

    def write(number: int, image_bgr: "np.ndarray", seen: "Observation") -> None:
        write_line(result_line(seen.box_xywh, seen.confidence))

    return write


def _bag_writer(sink: "BagSink", frames: "FrameSource", fps: float) -> "Output":
    from siam_tracker_ros.frames import FrameHeader

    def write(number: int, image_bgr: "np.ndarray", seen: "Observation") -> None:
        stamp_ns = time.time_ns() if frames.live else round(number / fps * 1e9)
        size_wh = image_bgr.shape[1], image_bgr.shape[0]
        sink.write(frames.header or FrameHeader(stamp_ns, "", stamp_ns), size_wh, seen)

    return write


def _video_writer(sink: "VideoSink") -> "Output":
    from siam_tracker_ros.drawing import STATE_COLORS_BGR, draw_target

    def write(number: int, image_bgr: "np.ndarray", seen: "Observation") -> None:
        caption = f"{seen.state.name.lower()} {seen.confidence:.2f}"
        draw_target(image_bgr, seen.box_xywh, caption, STATE_COLORS_BGR[seen.state], seen.mask, seen.polygon)
        sink.write(image_bgr)

    return write


def _prints_results(args: argparse.Namespace) -> bool:
    return args.results is None and args.output is None


def _open_source(args: argparse.Namespace) -> "tuple[FrameSource, tuple[float, ...]]":
    """Return the frames, and the target's box in the first one: that of `--box`, or the label of a sequence."""
    from siam_tracker_ros.bags.files import is_bag
    from siam_tracker_ros.data.kinds import kind_of
    from siam_tracker_ros.frames import open_frames
    from siam_tracker_ros.images import list_images

    path = Path(args.source)
    wants_label = args.target is not None or args.box is None
    if path.is_dir():
        labelled = args.target is not None or kind_of(path) is not None
        has_frames = bool(list_images(path)) or (is_bag(path) and not labelled)
        # Without --box the label is needed; with it, a labelled sequence only says where its images are.
        if (labelled or not has_frames) if wants_label else (labelled and not has_frames):
            from siam_tracker_ros.data.labelled import TrackFrames, read_target

            track = read_target(path, args.target)
            return TrackFrames(track, args.intensity_range), args.box or tuple(track.boxes_xywh[0].tolist())
    if wants_label:
        raise InvalidInputError(
            f"{args.source} is no labelled sequence, expected --box x,y,w,h with the target in the first frame, and "
            "no --target"
        )
    return open_frames(args.source, args.intensity_range, args.topic), args.box


def _follow(
    tracker: "Tracker", frames: Iterator["np.ndarray"], box_xywh: tuple[float, ...]
) -> Iterator[tuple["np.ndarray", "Observation"]]:
    """Yield image and Observation of every frame, judged as the node judges them.

    A frame of another size is said and yielded in the size of the first one, without a box.
    """
    import cv2
    import numpy as np
    from tqdm import tqdm

    from siam_tracker_ros.core.monitor import MonitorSettings
    from siam_tracker_ros.core.session import Observation, TargetSession

    session = TargetSession(tracker, MonitorSettings())
    image_bgr = next(frames)
    session.init(image_bgr, box_xywh, target_id="", class_id="")
    yield image_bgr, Observation(session.state, np.array(box_xywh), confidence=1.0)
    size_wh = said_wh = image_bgr.shape[1], image_bgr.shape[0]
    for number, image_bgr in enumerate(frames, start=1):
        own_wh = image_bgr.shape[1], image_bgr.shape[0]
        try:
            seen = session.observe(image_bgr)
        except InvalidInputError as error:  # as the node does
            if own_wh != said_wh:
                tqdm.write(f"frame {number}: {error}", file=sys.stderr)
            image_bgr, seen = cv2.resize(image_bgr, size_wh), session.miss()
        said_wh = own_wh
        yield image_bgr, seen


def _with_progress(frames: "FrameSource", prints_results: bool) -> Iterator["np.ndarray"]:
    """Iterate over frames with a progress bar on a terminal, unless results are printed there."""
    from tqdm import tqdm

    hidden = True if prints_results and sys.stdout.isatty() else None  # None: tqdm looks for a terminal
    return iter(tqdm(frames, total=frames.frame_count, unit="frame", disable=hidden))


def _check_outputs(args: argparse.Namespace) -> None:
    """Refuse, before the source is opened, outputs that would destroy the input or that the model does not have."""
    check_outputs(args.source, args.output, args.results, args.masks)
    if args.output is not None and args.results is not None and args.output.resolve() == args.results.resolve():
        raise InvalidInputError(f"{args.output} is named for the video and for the results; give one another name")
    prepare_masks(args)
