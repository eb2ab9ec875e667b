# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The demo: a clip through a real ROS graph, with a target followed in it.

`video_publisher` and `tracker_node` run as processes of their own. This one gives the tracker the target's
box, writes down what comes back, and afterwards makes figures, an annotated video and a plot of it.
"""

import argparse
import contextlib
import math
import signal
import sys
import time
from pathlib import Path

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions

from siam_tracker_ros.cli.arguments import box_argument
from siam_tracker_ros.demo.clip import camera_clip, rendered_clip, video_clip
from siam_tracker_ros.demo.processes import DemoError, Processes
from siam_tracker_ros.demo.report import Truth, annotate, figures, write_plot
from siam_tracker_ros.errors import SiamTrackerError
from siam_tracker_ros.evaluation.sequences import write_results
from siam_tracker_ros.frames import VideoSink
from siam_tracker_ros.node.demo_client import DemoClient, VideoRecorder

_START_S = 120  # for the processes to import, load and find each other on a slow machine
_ANSWER_S = 30
_LAST_ANSWER_S = 3


def main(args=None):
    """Run the demo; return the exit status: 0 done, 1 it failed. A bad command line exits with 2."""
    options = _parse(args)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        _run(options)
    except KeyboardInterrupt:
        print("\nstopped")
    except SiamTrackerError as error:
        return _fail(error)
    except OSError as error:
        return _fail(f"{error.filename or 'file'}: {error.strerror or error}")
    return 0


def _fail(sentence):
    print(f"demo failed: {sentence}", file=sys.stderr)
    return 1


def _parse(args):
    parser = argparse.ArgumentParser(
        prog="demo",
        description="Play a clip through ROS 2, follow a target in it, and show how well and how fast.",
        epilog="examples: demo; demo --video a.mp4 --box 313,88,342,194; demo --camera 0 --box 99,50,90,90",
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--video", metavar="FILE_OR_DIR", help="a video file or a folder of images")
    source.add_argument("--camera", type=int, metavar="N", help="the number of a camera")
    parser.add_argument("--box", type=box_argument, metavar="X,Y,W,H", help="the target in the first frame in pixels")
    parser.add_argument("--model", default="lite", help="name of the model (default: lite)")
    parser.add_argument("--weights", default="", metavar="FILE", help="default: the model's own")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    parser.add_argument("--rate", type=_positive, metavar="HZ", help="frames a second; default: the source's")
    parser.add_argument(
        "--duration", type=_positive, metavar="S", help="seconds; default: 10, all of a video, 20 of a camera"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("demo_output"), metavar="DIR", help="folder for what it writes"
    )
    options = parser.parse_args(args)
    if options.camera is not None and options.box is None:
        parser.error("--camera needs --box x,y,w,h, the target in the first frame")
    if options.box is not None and options.camera is None and options.video is None:
        parser.error("--box goes with --video or --camera; in the rendered clip the target is known")
    return options


def _positive(text):
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number


def _run(options):
    folder = options.output
    folder.mkdir(parents=True, exist_ok=True)
    clip = _open_clip(options)
    print(f"demo: {clip.title}", flush=True)
    recording = folder / "recording.mp4"
    recorder = VideoRecorder(recording, clip.rate) if clip.live else None
    with recorder or contextlib.nullcontext():
        run = _play(clip, options, recorder)
    if recorder is not None and recorder.error is not None:
        raise DemoError(f"the camera's images could not be recorded: {recorder.error}")
    if len(run) == 0:
        raise DemoError("no frame was published after the target was given")
    print("demo: writing the video and the plot", flush=True)
    truth = _write_video(folder / "demo.mp4", clip, run, recording)
    write_plot(folder / "demo.png", run, truth)
    write_results(folder / "results.txt", run.boxes_xywh, run.confidences)
    _print_report(figures(run, truth), folder)


def _open_clip(options):
    timing = {"rate": options.rate, "duration": options.duration}
    if options.camera is not None:
        return camera_clip(options.camera, options.box, **timing)
    if options.video is not None:
        return video_clip(options.video, options.box, **timing)
    return rendered_clip(**timing)


def _play(clip, options, recorder):
    """Play the clip through the graph and return the LiveRun; Ctrl-C ends it early once there is a target."""
    # Without rclpy's own signal handlers Ctrl-C does not take the context away from under the client.
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    try:
        client = DemoClient(recorder)
        executor = SingleThreadedExecutor()
        executor.add_node(client)
        with Processes(options.output) as processes:
            wait = _make_wait(executor, processes, client)
            _start(clip, options, processes, client, wait)
            with contextlib.suppress(KeyboardInterrupt):
                wait(lambda: processes.has_finished("video_publisher"), math.inf, "the end of the clip")
                last_call = time.monotonic() + _LAST_ANSWER_S
                wait(lambda: client.answered_last or time.monotonic() > last_call, math.inf, "an answer")
        executor.shutdown()
        client.destroy_node()
        return client.live_run()
    finally:
        rclpy.try_shutdown()


def _make_wait(executor, processes, client):
    """Return wait(condition, seconds, what), which spins and raises DemoError when anything goes wrong."""

    def wait(condition, seconds, what):
        deadline = time.monotonic() + seconds
        while not condition():
            executor.spin_once(timeout_sec=0.1)
            processes.has_finished("video_publisher")
            if processes.has_finished("tracker_node"):
                raise DemoError(f"tracker_node ended by itself; see {processes.log('tracker_node')}")
            if client.tracker_fault:
                raise DemoError(f"tracker_node reports: {client.tracker_fault}")
            if time.monotonic() > deadline:
                raise DemoError(
                    f"waited {seconds} s for {what} in vain; see {processes.log('tracker_node')} and "
                    f"{processes.log('video_publisher')}"
                )

    return wait


def _start(clip, options, processes, client, wait):
    """Start both processes, wait for the first image, and give the tracker its target."""
    print("demo: starting tracker_node and video_publisher", flush=True)
    started = time.monotonic()
    processes.start("tracker_node", model=options.model, weights=options.weights, device=options.device)
    processes.start(
        "video_publisher",
        source=clip.source,
        rate=clip.rate,
        frames=clip.frames,
        wait_for_subscribers=2,  # the tracker and the client
    )
    wait(lambda: client.is_connected, _START_S, "the tracker")
    if client.has_company:
        raise DemoError("another tracker or camera runs here; end it, or set another ROS_DOMAIN_ID")
    client.subscribe_to_images()
    wait(lambda: client.first_header is not None, _START_S, "the first image")
    print(f"demo: the first image is there after {time.monotonic() - started:.1f} s", flush=True)
    answer = client.request_init(clip.box_xywh)
    wait(answer.done, _ANSWER_S, "the answer of /tracker/init")
    if not answer.result().success:
        raise DemoError(f"/tracker/init refused the box: {answer.result().message}")
    client.note_start(answer.result(), clip.box_xywh)
    print(f"demo: /tracker/init says: {answer.result().message}", flush=True)


def _write_video(path, clip, run, recording):
    """Write the annotated video; return the Truth, which for the rendered clip comes with its frames."""
    truth = Truth(np.full((len(run), 4), np.nan), np.full(len(run), np.nan))
    with VideoSink(path, clip.rate) as sink:
        for index, (image_bgr, box_xywh, visibility) in enumerate(clip.read(len(run), recording)):
            truth.boxes_xywh[index], truth.visibility[index] = box_xywh, visibility
            annotate(image_bgr, run, index, box_xywh)
            sink.write(image_bgr)
    return truth


def _print_report(result, folder):
    p50, p95, p99 = result.latency_ms
    rest50, rest95 = result.overhead_ms
    print(f"""
frames    {result.frames} published; with the target {result.processed} received, {result.dropped} dropped
latency   p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms, from image stamp to receipt of the detection
          inference {result.inference_ms:.1f} ms; all the rest p50 {rest50:.1f} ms, p95 {rest95:.1f} ms
losses    {result.lost_in_view} with the target in full view, {result.lost_hidden} while it was hidden
accuracy  mean IoU {result.mean_iou:.3f} over the {result.iou_frames} frames with a known target in view

{folder / "demo.mp4"}     video; white: the truth, green, amber, red: tracking, uncertain, lost
{folder / "demo.png"}     IoU and confidence over time
{folder / "results.txt"}  x,y,w,h,score of each frame
""")
    print(result.summary(), flush=True)


if __name__ == "__main__":
    sys.exit(main())
