# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The demo: a clip through a real ROS graph, a target tracked in it, and a report on that."""

import contextlib
import signal
import sys
from argparse import Namespace
from collections.abc import Sequence

from siam_tracker_ros.data.box_files import write_results
from siam_tracker_ros.demo.arguments import parse_arguments
from siam_tracker_ros.demo.clip import Clip, camera_clip, rendered_clip, video_clip
from siam_tracker_ros.demo.processes import DemoError
from siam_tracker_ros.demo.report import figures, write_plot, write_video
from siam_tracker_ros.errors import SiamTrackerError
from siam_tracker_ros.node.demo_client import VideoRecorder
from siam_tracker_ros.node.demo_graph import play


def main(args: Sequence[str] | None = None) -> int:
    """Run the demo; return the exit status: 0 done, 1 it failed. A bad command line exits with 2."""
    options = parse_arguments(args)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        _run(options)
    except KeyboardInterrupt:
        print("\nstopped")
    except SiamTrackerError as error:
        return _fail(str(error))
    except OSError as error:
        return _fail(f"{error.filename or 'file'}: {error.strerror or error}")
    return 0


def _fail(message: str) -> int:
    print(f"demo failed: {message}", file=sys.stderr)
    return 1


def _run(options: Namespace) -> None:
    folder = options.output
    folder.mkdir(parents=True, exist_ok=True)
    clip = _open_clip(options)
    print(f"demo: {clip.title}", flush=True)
    recording = folder / "recording.mp4"
    recorder = VideoRecorder(recording, clip.rate) if clip.live else None
    with recorder or contextlib.nullcontext():
        run = play(clip, options, recorder)
    if len(run) == 0:
        raise DemoError("no frame was published after the target was given")
    write_results(folder / "results.txt", run.boxes_xywh, run.confidences)
    if recorder is not None and recorder.error is not None:
        raise DemoError(f"the camera's images could not be recorded: {recorder.error}")
    print("demo: writing the video and the plot", flush=True)
    truth = write_video(folder / "demo.mp4", clip.rate, run, clip.read(len(run), recording))
    write_plot(folder / "demo.png", run, truth)
    result = figures(run, truth)
    print(f"""
{result.table()}

{folder / "demo.mp4"}     video; white: the truth, green, amber, red: tracking, uncertain, lost
{folder / "demo.png"}     IoU, confidence and state over time
{folder / "results.txt"}  x,y,w,h,score of each frame
""")
    print(result.summary(), flush=True)


def _open_clip(options: Namespace) -> Clip:
    timing = {"rate": options.rate, "duration": options.duration}
    if options.camera is not None:
        return camera_clip(options.camera, options.box, **timing)
    if options.video is not None:
        return video_clip(options.video, options.box, **timing)
    return rendered_clip(**timing)


if __name__ == "__main__":
    sys.exit(main())
