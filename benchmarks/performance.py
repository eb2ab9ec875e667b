# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Speed, start-up and memory: the tables of docs/performance.md.

usage: benchmarks/performance.py [--parts runtimes sizes targets start growth] [--models MODEL ...] [--threads 2]
                                 [--frames 1000] [--seconds 30] [--against FILE.py NAME ...] [--json FILE] [--plot FILE]

    runtimes    each model by each runtime and precision that this machine has
    sizes       lite in frames from 320x240 to 3840x2160, with a target of 80 pixels and one of a fifth of the frame
    targets     1 to 32 targets, each with a tracker of its own, one after the other
    start       wall clock, processor time and memory of whole programs, and of a second tracker in a process; with
                "first", nothing was measured or compiled before
    growth      memory of a program after 1,000 to 10,000 frames of lite_online, with a new target in frames of another
                size every 500
    against     the models beside other trackers; FILE.py is as for benchmarks/compare.py. Only with --against

The runtimes of a model run in turns, and so do all trackers of `against`, so that other programs slow all of them
alike: judge by the ratios. The other parts run one after the other, and want a machine that is idle. A tracker stops
after --seconds. Models without shipped weights get random ones.
"""

import argparse
import importlib.metadata
import importlib.util
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from compare import load_peers

from siam_tracker_ros import create_tracker, list_models
from siam_tracker_ros.cli.tables import format_table
from siam_tracker_ros.core.registry import find_model
from siam_tracker_ros.demo.scene import Scene
from siam_tracker_ros.evaluation.bench import time_in_turns
from siam_tracker_ros.executors import RUNTIMES, TORCH
from siam_tracker_ros.executors.choice import cpu_name
from siam_tracker_ros.executors.device import set_threads
from siam_tracker_ros.executors.runtime import is_installed

PARTS = ("runtimes", "sizes", "targets", "start", "growth")
SIZES_WH = ((320, 240), (640, 480), (1280, 720), (1920, 1080), (3840, 2160))
SMALL_SIDE = 80  # pixels of a target
LARGE_SHARE = 0.2  # of the frame's sides, of a target
TARGETS = (1, 2, 4, 8, 16, 32)
WARM_UP = 20
PERCENTILES = (50, 95, 99)
STARTS = 11
FIRST = ", first"
SECOND_TRACKER = """
import json, resource, time
from siam_tracker_ros import create_tracker
first = create_tracker({model!r})
def memory(): return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() / 2**20
before, start = memory(), time.perf_counter()
second = create_tracker({model!r})
print(json.dumps([1e3 * (time.perf_counter() - start), memory() - before]))
"""
GROWTH_FRAMES = (1000, 2000, 5000, 10_000)
GROWTH = """
import json, resource
from siam_tracker_ros import TargetSession, create_tracker
from siam_tracker_ros.demo.scene import Scene
from siam_tracker_ros.executors.device import set_threads
set_threads({threads})
def memory(): return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() / 1e6
scenes = [Scene(size_wh=size_wh, frames=60) for size_wh in ((640, 480), (320, 240), (1280, 720), (800, 600))]
clips = [([frame.image_bgr for frame in scene], scene[0].box_xywh) for scene in scenes]
session = TargetSession(create_tracker("lite_online", runtime={runtime!r}, precision={precision!r}))
found = {{}}
for number in range(max({frames})):
    frames, box_xywh = clips[number // 500 % len(clips)]
    there_and_back = frames + frames[::-1]
    if number % 500 == 0:
        session.init(frames[0], box_xywh)
    session.observe(there_and_back[number % len(there_and_back)]).mask
    if number + 1 in {frames}:
        found[number + 1] = memory()
print(json.dumps(found))
"""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(usage=(__doc__ or "").partition("usage: ")[2].partition("\n\n")[0])
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=PARTS)
    parser.add_argument("--models", nargs="+", default=[model.name for model in list_models()])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--against", nargs="+", default=[], metavar=("FILE.py", "NAME"))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path)
    args = parser.parse_args()
    set_threads(args.threads)
    report: dict[str, object] = {"machine": machine(args.threads)}
    print(json.dumps(report["machine"], indent=1))
    for part in [*args.parts, *(["against"] if args.against else [])]:
        rows = MEASURES[part](args)
        report[part] = rows
        print(f"\n{part}\n{format_table(list(rows[0]), [list(map(shown, row.values())) for row in rows], left=(0,))}")
    if args.json is not None:
        args.json.write_text(json.dumps(report, indent=1) + "\n")
    if args.plot is not None and "runtimes" in report:
        plot(report["runtimes"], args.plot)
    return 0


def machine(threads: int) -> dict[str, object]:
    """What the figures are of."""
    packages = [name for name in ("numpy", "onnxruntime", "openvino", "torch") if installed(name)]
    return {
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "bf16": "bf16" in RUNTIMES["openvino"].precisions() if is_installed(RUNTIMES["openvino"]) else False,
        "threads": threads,
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "opencv": cv2.__version__,
        **{name: importlib.metadata.version(name) for name in packages},
    }


def installed(name: str) -> bool:
    """Whether a package is installed."""
    return importlib.util.find_spec(name) is not None


def shown(value: object) -> str:
    """A value of a row as text."""
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def make(model: str, runtime: str = "auto", precision: str = "auto"):
    """A tracker of a model on the CPU, with random weights where there are no others."""
    method = find_model(model)
    weights = None if method.shipped_weights is not None else "random"
    settings = method.untrained_settings if weights else {}
    return create_tracker(model, weights, device="cpu", runtime=runtime, precision=precision, **settings)


def scene_frames(size_wh, count, box_side=None):
    """Frames of a moving view, with the target's box in the first; `box_side` scales the picture to that target."""
    scene = Scene(size_wh=(640, 480), frames=min(count, 60))
    frames = [frame.image_bgr for frame in scene]
    box = np.array(scene[0].box_xywh)
    if size_wh != (640, 480) or box_side is not None:
        zoom = 1.0 if box_side is None else box_side / np.sqrt(box[2] * box[3])
        frames, box = zip(*(_window(frame, box, zoom, size_wh) for frame in frames))
        box = box[0]
    there_and_back = [*frames, *frames[::-1]]
    return [there_and_back[number % len(there_and_back)] for number in range(count)], box


def _window(frame, box, zoom, size_wh):
    """A window of a size around the target in a frame that is zoomed."""
    center = (box[:2] + box[2:] / 2) * zoom
    shift = np.array(size_wh) / 2 - center
    to_window = np.array([[zoom, 0, shift[0]], [0, zoom, shift[1]]])
    return cv2.warpAffine(frame, to_window, size_wh, borderMode=cv2.BORDER_REFLECT), np.concatenate(
        [box[:2] * zoom + shift, box[2:] * zoom]
    )


def percentiles(timing) -> dict[str, object]:
    """Columns of a Timing."""
    columns: dict[str, object] = {f"p{percent} ms": timing.percentile_ms(percent) for percent in PERCENTILES}
    return {**columns, "jitter ms": float(np.std(timing.track_ms)), "frames": len(timing.track_ms)}


def measure_runtimes(args) -> list[dict[str, object]]:
    """Each model by each runtime and precision, beside float32 by torch."""
    frames, box = scene_frames((640, 480), 1 + WARM_UP + args.frames)
    rows = []
    for model in args.models:
        trackers = {f"{TORCH} fp32": make(model, TORCH)} if installed("torch") else {}
        for name, runtime in RUNTIMES.items():
            for precision in runtime.precisions() if is_installed(runtime) else ():
                trackers[f"{name} {precision}"] = make(model, name, precision)
        timings = time_in_turns(trackers, frames, box, WARM_UP, limit_s=args.seconds, rest_s=0.02)
        first = next(iter(timings.values())).percentile_ms(50)
        for name, timing in timings.items():
            speed = first / timing.percentile_ms(50)
            rows.append({"model": model, "runtime": name, **percentiles(timing), "speed": speed})
    return rows


def measure_against(args) -> list[dict[str, object]]:
    """Each model as "auto" runs it, beside other trackers in the same process."""
    frames, box = scene_frames((640, 480), 1 + WARM_UP + args.frames)
    file, *names = args.against
    trackers = {model: make(model) for model in args.models} | load_peers(Path(file), names, args.threads)
    timings = time_in_turns(trackers, frames, box, WARM_UP, limit_s=args.seconds, rest_s=0.1)
    first = next(iter(timings.values())).percentile_ms(50)
    return [
        {"tracker": name, **percentiles(timing), "speed": first / timing.percentile_ms(50)}
        for name, timing in timings.items()
    ]


def measure_sizes(args) -> list[dict[str, object]]:
    """The time of lite by the size of the frame and of the target, over that in 640x480 with a target of a fifth."""
    rows, first = [], {}
    for size_wh in SIZES_WH:
        sides = {"80 px": SMALL_SIDE, "a fifth": LARGE_SHARE * np.sqrt(size_wh[0] * size_wh[1])}
        for name, side in sides.items():
            frames, box = scene_frames(size_wh, 1 + WARM_UP + min(args.frames, 200), side)
            for read in (False, True):
                tracker = MaskReader(make("lite")) if read else make("lite")
                (timing,) = time_in_turns({"lite": tracker}, frames, box, WARM_UP, limit_s=args.seconds).values()
                key = "with mask" if read else "box alone"
                if size_wh == (640, 480) and name == "a fifth":
                    first[key] = timing.percentile_ms(50)
                rows.append({"frame": "x".join(map(str, size_wh)), "target": name, "read": key, **percentiles(timing)})
    return [{**row, "over 640x480": row["p50 ms"] / first[row["read"]]} for row in rows]


class MaskReader:
    """A tracker whose user reads the mask and the polygon of every frame."""

    def __init__(self, tracker):
        self._tracker = tracker

    def init(self, image_bgr, box_xywh):
        """Start on a target."""
        self._tracker.init(image_bgr, box_xywh)

    def track(self, image_bgr):
        """Find the target, and draw it."""
        result = self._tracker.track(image_bgr)
        return result if result.mask is None or result.polygon is None else result


def measure_targets(args) -> list[dict[str, object]]:
    """The time of a frame with several targets."""
    frames, box = scene_frames((640, 480), 1 + WARM_UP + 60)
    rows = []
    for count in TARGETS:
        trackers = [make("lite") for _ in range(count)]
        for tracker in trackers:
            tracker.init(frames[0], box)
        times = []
        for image_bgr in frames[1:]:
            start = time.perf_counter()
            for tracker in trackers:
                tracker.track(image_bgr)
            times.append(1e3 * (time.perf_counter() - start))
        median = float(np.median(times[WARM_UP:]))
        rows.append({"targets": count, "p50 ms": median, "ms a target": median / count})
    return rows


def measure_start(args) -> list[dict[str, object]]:
    """Whole programs, in turns: the median of ten starts each, after one that does not count."""
    folder = Path(args.json.parent if args.json else ".") / "performance_frames"
    folder.mkdir(exist_ok=True)
    scene = Scene(size_wh=(640, 480), frames=2)
    for number, frame in enumerate(scene):
        cv2.imwrite(str(folder / f"{number}.png"), frame.image_bgr)
    box = ",".join(f"{value:g}" for value in scene[0].box_xywh)
    command = [sys.executable, "-m", "siam_tracker_ros"]
    track = [*command, "track", str(folder), "--box", box, "--model"]
    programs = {
        "siam-tracker --help": [*command, "--help"],
        **{f"track, 2 frames, {model}": [*track, model] for model in ("lite", "lite_online")},
    }
    for name, runtime in RUNTIMES.items():
        for precision in runtime.precisions() if is_installed(runtime) else ():
            program = [*track, "lite_online", "--runtime", name, "--precision", precision]
            programs |= {f"lite_online, {name} {precision}{when}": program for when in ("", FIRST)}
    runs: dict[str, list[tuple[float, float, float]]] = {name: [] for name in programs}
    for _ in range(STARTS):
        for name, program in programs.items():
            with tempfile.TemporaryDirectory() as empty:
                settings = {"XDG_CACHE_HOME": empty} if name.endswith(FIRST) else {}
                runs[name].append(_run(program, {**os.environ, **settings}))
    rows = []
    for name, measured in runs.items():
        wall, cpu, memory = np.median(measured[1:], 0)
        rows.append({"program": name, "wall s": float(wall), "CPU s": float(cpu), "memory MB": float(memory)})
    for model in ("lite", "lite_online"):
        done = subprocess.run(
            [sys.executable, "-c", SECOND_TRACKER.format(model=model)], capture_output=True, text=True, check=True
        )
        took_ms, mib = json.loads(done.stdout)
        rows.append({"program": f"second {model}", "wall s": took_ms / 1e3, "CPU s": "-", "memory MB": float(mib)})
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    return rows


def measure_growth(args) -> list[dict[str, object]]:
    """The memory of a process by the number of frames that it has tracked, for each runtime and precision."""
    rows = []
    for name, runtime in RUNTIMES.items():
        for precision in runtime.precisions() if is_installed(runtime) else ():
            program = GROWTH.format(threads=args.threads, runtime=name, precision=precision, frames=GROWTH_FRAMES)
            done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
            memory = {f"MB after {frames}": value for frames, value in json.loads(done.stdout).items()}
            rows.append({"lite_online by": f"{name} {precision}", **memory})
    return rows


def _run(program: list[str], environment: dict[str, str]) -> tuple[float, float, float]:
    """Wall clock and processor time in seconds, and the largest memory in MB, of a program."""
    start = time.perf_counter()
    process = subprocess.Popen(program, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    memory = 0.0
    while True:
        done, status, usage = os.wait4(process.pid, os.WNOHANG)
        if done:
            break
        # Not ru_maxrss, which counts what this process had when it started the other one.
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                memory = max(memory, int(line.split()[1]) * 1024 / 1e6)
        time.sleep(0.005)
    if status:
        raise SystemExit(f"{' '.join(program)} failed: {process.stderr.read().decode() if process.stderr else ''}")
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, memory


def plot(rows, path: Path) -> None:
    """Draw the time of each model by each runtime."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    names = [f"{row['model']}, {row['runtime']}" for row in rows]
    figure, axes = pyplot.subplots(figsize=(8, 0.25 * len(rows) + 1))
    axes.barh(names, [row["p50 ms"] for row in rows])
    axes.invert_yaxis()
    axes.set_xlabel("milliseconds a frame (median)")
    figure.tight_layout()
    figure.savefig(path, dpi=120)


MEASURES = {
    "runtimes": measure_runtimes,
    "sizes": measure_sizes,
    "targets": measure_targets,
    "start": measure_start,
    "growth": measure_growth,
    "against": measure_against,
}

if __name__ == "__main__":
    sys.exit(main())
