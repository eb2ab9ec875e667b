# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Speed of the models on a GPU, and whether their boxes are those of the CPU, in one run.

usage: benchmarks/gpu.py [--device cuda] [--models MODEL ...] [--targets 1 4 16] [--frames 300] [--seconds 1.5]
                         [--warm-up 20] [--agreement 10] [--limit 240] [--json FILE]

    speed       time of `track` in 640x480: with and without CUDA graphs, in float16 and in float32
    agreement   each of these beside the usual step on the CPU, from the same boxes: differences of boxes and scores
    targets     time of a frame with several targets of one tracker, with CUDA graphs in the usual precision: all in one
                batch, and beside it one after the other
    upload      time of a frame's way to the GPU by the frame's size

It needs this package with PyTorch, and no ROS. A measurement ends after --frames or --seconds. After --limit seconds no
further model begins; the report names those that are left out. A model that fails has its error in the report, and the
exit status is 1. Models without shipped weights get random ones. With --device cpu the script itself is tried: the step
for a GPU runs on the CPU, and the times say nothing.
"""

import argparse
import itertools
import json
import platform
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from siam_tracker_ros import create_tracker
from siam_tracker_ros.cli.tables import format_table
from siam_tracker_ros.core.device_step import Upload
from siam_tracker_ros.core.registry import find_model
from siam_tracker_ros.demo.scene import Scene
from siam_tracker_ros.executors import CUDA_GRAPH, TORCH
from siam_tracker_ros.executors.choice import cpu_name
from siam_tracker_ros.executors.device import resolve_device

Row = dict[str, Any]

MODELS = (
    "siamrpn_r50",
    "siamrpn_mobilev2",
    "siamrpn_alex",
    "siammask_sharp",
    "ocean",
    "siamrcr",
    "gradnet",
    "lite",
    "ocean_online",
    "lite_online",
)
SIZE_WH = (640, 480)
UPLOAD_SIZES_WH = ((640, 480), (1280, 720), (1920, 1080), (3840, 2160))
PERCENTILES = (50, 95, 99)
TARGET_DISTANCE = 12.0  # pixels between the boxes of several targets


def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(usage=(__doc__ or "").partition("usage: ")[2].partition("\n\n")[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--targets", nargs="+", type=int, default=(1, 4, 16))
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--warm-up", type=int, default=20)
    parser.add_argument("--agreement", type=int, default=10)
    parser.add_argument("--limit", type=float, default=240)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args(arguments)
    started = time.perf_counter()
    device = resolve_device(args.device)
    report: dict[str, Any] = {"machine": machine(device), "left_out": []}
    print(json.dumps(report["machine"], indent=1), flush=True)
    report["upload"] = [measure_upload(size_wh, device, args.frames, args.seconds) for size_wh in UPLOAD_SIZES_WH]
    show("upload", report["upload"])
    report["speed"], report["targets"], report["errors"] = [], [], []
    for model in args.models:
        if time.perf_counter() - started > args.limit:
            report["left_out"].append(model)
            continue
        try:
            speed, targets = measure_model(model, device, args, report["upload"][0]["p50 ms"])
        except Exception as error:  # the other models are measured all the same
            report["errors"].append({"model": model, "error": f"{type(error).__name__}: {error}"})
            continue
        report["speed"] += speed
        report["targets"] += targets
        show(model, speed)
        show(f"{model}, targets", targets)
    report["took s"] = time.perf_counter() - started
    for failed in report["errors"]:
        print(f"\n{failed['model']} failed: {failed['error']}", file=sys.stderr)
    if report["left_out"]:
        print(f"\nleft out after {args.limit:g} s: {', '.join(report['left_out'])}")
    if args.json is not None:
        args.json.write_text(json.dumps(report, indent=1) + "\n")
    return 1 if report["errors"] else 0


def machine(device: str) -> Row:
    """What the figures are of."""
    packages: Row = {"python": platform.python_version(), "torch": torch.__version__, "opencv": cv2.__version__}
    if device == "cpu":
        return {"device": f"{cpu_name()}, to try this script", **packages}
    properties = torch.cuda.get_device_properties(device)
    return {
        "device": properties.name,
        "memory GB": round(properties.total_memory / 1e9, 1),
        "capability": f"{properties.major}.{properties.minor}",
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "tf32 in convolutions": torch.backends.cudnn.allow_tf32,
        "cpu": cpu_name(),
        **packages,
    }


def show(title: str, rows: list[Row]) -> None:
    """Print rows as a table."""
    lines = [[f"{value:.3f}" if isinstance(value, float) else str(value) for value in row.values()] for row in rows]
    print(f"\n{title}\n{format_table(list(rows[0]), lines, left=(0,))}", flush=True)


def make(model: str, device: str, runtime: str, precision: str):
    """A tracker of a model; on a CPU with the step for a GPU."""
    weights = None if find_model(model).shipped_weights is not None else "random"
    settings = find_model(model).untrained_settings if weights else {}
    runtime = TORCH if device == "cpu" else runtime
    tracker = create_tracker(model, weights, device=device, precision=precision, runtime=runtime, **settings)
    if device == "cpu":
        tracker.use_device_step()
    return tracker


def make_usual(model: str):
    """A tracker of a model with the usual step, in float32 on the CPU, and with the same weights as others."""
    weights = None if find_model(model).shipped_weights is not None else "random"
    settings = find_model(model).untrained_settings if weights else {}
    return create_tracker(model, weights, device="cpu", precision="fp32", runtime=TORCH, **settings)


def timed(run: Callable[[], object], frames: int, seconds: float, warm_up: int) -> np.ndarray:
    """Milliseconds of each run but the first ones; `run` ends when the device has finished."""
    for _ in range(warm_up):
        run()
    times_ms: list[float] = []
    deadline = time.perf_counter() + seconds
    while len(times_ms) < frames and (not times_ms or time.perf_counter() < deadline):
        start = time.perf_counter()
        run()
        times_ms.append(1e3 * (time.perf_counter() - start))
    return np.array(times_ms)


def percentiles(times_ms: np.ndarray) -> Row:
    """Columns of some times."""
    return {f"p{percent} ms": float(np.percentile(times_ms, percent)) for percent in PERCENTILES}


def measure_upload(size_wh: tuple[int, int], device: str, frames: int, seconds: float) -> Row:
    """The time in which a frame of a size is on the device."""
    image_bgr = np.random.default_rng(0).integers(0, 256, (size_wh[1], size_wh[0], 3), dtype=np.uint8)
    upload = Upload(image_bgr.shape, torch.uint8, torch.device(device))

    def run() -> None:
        upload(image_bgr)
        if device != "cpu":
            torch.cuda.synchronize(device)

    return {"frame": "x".join(map(str, size_wh)), **percentiles(timed(run, frames, min(seconds, 1.0), 3))}


def endless(frames: list[np.ndarray]) -> Iterator[np.ndarray]:
    """The frames there and back again."""
    return itertools.cycle([*frames, *frames[-2:0:-1]])


def measure_model(model: str, device: str, args, upload_ms: float) -> tuple[list[Row], list[Row]]:
    """Rows of speed and agreement, one for each way, and of several targets."""
    scene = Scene(size_wh=SIZE_WH, frames=40)
    frames, box = [frame.image_bgr for frame in scene], np.array(scene[0].box_xywh)
    reference = usual_track(make_usual(model), frames[: 1 + args.agreement], box)
    precisions = ("fp16", "fp32") if device != "cpu" and find_model(model).half_precision else ("fp32",)
    runtimes = (CUDA_GRAPH, TORCH) if device != "cpu" else (TORCH,)
    speed, targets = [], []
    for precision, runtime in itertools.product(precisions, runtimes):
        tracker = make(model, device, runtime, precision)
        if runtime == CUDA_GRAPH and not tracker.has_device_step:
            continue  # nothing is captured of the usual step
        agreement = compare(tracker, frames[: 1 + args.agreement], box, reference)
        if device != "cpu":
            torch.cuda.reset_peak_memory_stats(device)
        tracker.init(frames[0], box)
        images = endless(frames[1:])
        times_ms = timed(lambda: tracker.track(next(images)), args.frames, args.seconds, args.warm_up)  # noqa: B023
        row = {
            "model": model,
            "runtime": tracker.runtime if tracker.has_device_step else f"{tracker.runtime}, usual step",
            "precision": tracker.precision,
            "frames/s": 1e3 / float(times_ms.mean()),
            **percentiles(times_ms),
            "upload share": upload_ms / float(np.median(times_ms)),
            **agreement,
            "memory MB": torch.cuda.max_memory_allocated(device) / 1e6 if device != "cpu" else "-",
        }
        speed.append(row)
        if not targets:
            targets = measure_targets(model, tracker, frames, box, args)
    return speed, targets


def usual_track(tracker, frames: list[np.ndarray], box_xywh: np.ndarray) -> list:
    """Results of the usual step on the CPU."""
    tracker.init(frames[0], box_xywh)
    return [tracker.track(image_bgr) for image_bgr in frames[1:]]


def compare(tracker, frames: list[np.ndarray], box_xywh: np.ndarray, reference: list) -> Row:
    """Differences to the usual track, each frame from the box that it had."""
    target = tracker.start(frames[0], box_xywh)
    boxes, scores = [], []
    for number, (image_bgr, expected) in enumerate(zip(frames[1:], reference, strict=True)):
        if number > 0:
            target = tracker.move(target, reference[number - 1].box_xywh)
        target, result = tracker.step(image_bgr, target)
        boxes.append(np.abs(result.box_xywh - expected.box_xywh).max())
        scores.append(abs(result.score - expected.score))
    return {
        "box px, median": float(np.median(boxes)),
        "box px, max": float(np.max(boxes)),
        "score, max": float(np.max(scores)),
    }


def measure_targets(model: str, tracker, frames: list[np.ndarray], box_xywh: np.ndarray, args) -> list[Row]:
    """Rows of the time of a frame with several targets, in one batch and one after the other."""
    rows: list[Row] = []
    for count in args.targets:
        boxes = [
            box_xywh + [TARGET_DISTANCE * (number % 4), TARGET_DISTANCE * (number // 4), 0, 0]
            for number in range(count)
        ]
        targets = [tracker.start(frames[0], box) for box in boxes]
        images = endless(frames[1:])

        def run(together: bool, targets=targets, images=images) -> None:
            image_bgr = next(images)
            with tracker.sharing(image_bgr, targets if together else ()):
                targets[:] = [tracker.step(image_bgr, target)[0] for target in targets]

        times_ms, in_turn_ms = (
            timed(lambda: run(together), args.frames, args.seconds / 2, min(args.warm_up, 5))  # noqa: B023
            for together in (True, False)
        )
        rows.append(
            {
                "model": model,
                "targets": count,
                **percentiles(times_ms),
                "frames/s": 1e3 / float(times_ms.mean()),
                "in turn p50 ms": float(np.median(in_turn_ms)),
            }
        )
    first = rows[0]["p50 ms"]
    return [{**row, "over the first": row["p50 ms"] / first} for row in rows]


if __name__ == "__main__":
    sys.exit(main())
