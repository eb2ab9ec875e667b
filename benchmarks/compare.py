#!/usr/bin/env python3
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Compare models with other trackers on labelled sequences: how fast they are and how well they follow.

All of them get the same frames, resized to 640x480, and work in turns of ten frames, so that whatever else
the machine does slows all of them alike. Before each turn is a short rest: the threads of other runtimes go on
spinning for some 50 ms after their last frame, and would slow the first frames of whoever comes next.
"""

import argparse
import importlib.util
import sys
from pathlib import Path

import cv2
import numpy as np
import torch
from tqdm import tqdm

from siam_tracker_ros import TrackResult, create_tracker
from siam_tracker_ros.cli.tables import format_table
from siam_tracker_ros.data.labelled import read_videos
from siam_tracker_ros.errors import InvalidInputError, SiamTrackerError
from siam_tracker_ros.evaluation.bench import OpenCvTracker, time_in_turns
from siam_tracker_ros.evaluation.metrics import mean_scores, score_boxes

SIZE_WH = (640, 480)
WARM_UP = 5  # frames of each sequence that are not timed
REST_S = 0.1  # before each turn


class Peer:
    """A tracker with `init(image, box)` and `update(image)` -> box, behind the two verbs of our own."""

    def __init__(self, peer):
        self._peer = peer

    def init(self, image_bgr, box_xywh):
        self._peer.init(image_bgr, box_xywh)

    def track(self, image_bgr):
        return TrackResult(np.array(self._peer.update(image_bgr), dtype=np.float64), score=np.nan)


def load_peers(path, names, threads):
    """Make peers with the function `create(name, threads)` of a Python file."""
    spec = importlib.util.spec_from_file_location("peers", path)
    if spec is None or not path.is_file():
        raise InvalidInputError(f"{path} is no Python file, expected one with a function create(name, threads)")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {name: Peer(module.create(name, threads)) for name in names}


def read_resized(track, max_frames):
    """Read a track's frames at SIZE_WH, and its labels (N, 4) in the pixels of these."""
    frames_bgr = []
    for index in range(min(len(track), max_frames or len(track))):
        image_bgr = track.image_bgr(index)
        scale = np.divide(SIZE_WH, image_bgr.shape[1::-1])
        frames_bgr.append(cv2.resize(image_bgr, SIZE_WH, interpolation=cv2.INTER_AREA))
    return frames_bgr, track.boxes_xywh[: len(frames_bgr)] * np.tile(scale, 2)


def compare(trackers, tracks, max_frames):
    """Run all trackers over all tracks; return the rows of the table, speeds relative to the first."""
    times, scores = ({name: [] for name in trackers} for _ in range(2))
    for track in tqdm(tracks, unit="sequence", disable=None):
        frames_bgr, truth_xywh = read_resized(track, max_frames)
        for name, timing in time_in_turns(trackers, frames_bgr, truth_xywh[0], WARM_UP, rest_s=REST_S).items():
            times[name].append(timing.track_ms)
            scores[name].append(score_boxes(truth_xywh, np.vstack([truth_xywh[:1], timing.boxes_xywh])))
    track_ms = {name: np.concatenate(parts) for name, parts in times.items()}
    first_ms = next(iter(track_ms.values())).mean()
    return [
        [
            name,
            f"{mean_scores(scores[name]).mean_iou:.3f}",
            f"{1e3 / track_ms[name].mean():.1f}",
            f"{np.percentile(track_ms[name], 50):.1f}",
            f"{np.percentile(track_ms[name], 95):.1f}",
            f"{first_ms / track_ms[name].mean():.2f}",
        ]
        for name in trackers
    ]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog="example: benchmarks/compare.py data/sequences --baselines csrt --peers peers.py nanotrack",
    )
    parser.add_argument("sequences", type=Path, help="folder of sequences, as for siam-tracker eval")
    parser.add_argument("--models", nargs="+", default=["lite"], help="our models (default: lite)")
    parser.add_argument("--baselines", nargs="+", default=[], help="trackers of OpenCV: csrt, kcf, mil")
    parser.add_argument(
        "--peers",
        nargs="+",
        default=[],
        metavar=("FILE.py", "NAME"),
        help="a Python file whose function create(name, threads) makes a tracker, and the names to make",
    )
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (default: 2)")
    parser.add_argument("--frames", type=int, help="use at most so many frames of each sequence")
    args = parser.parse_args()
    cv2.setNumThreads(args.threads)
    torch.set_num_threads(args.threads)
    try:
        trackers = {name: create_tracker(name, device="cpu") for name in args.models}
        trackers.update({name: OpenCvTracker(name) for name in args.baselines})
        if args.peers:
            trackers.update(load_peers(Path(args.peers[0]), args.peers[1:], args.threads))
        rows = compare(trackers, read_videos(args.sequences).tracks, args.frames)
    except SiamTrackerError as error:
        print(f"compare: error: {error}", file=sys.stderr)
        return 2
    print(f"{SIZE_WH[0]}x{SIZE_WH[1]}, {args.threads} CPU threads, {WARM_UP} frames a sequence to warm up")
    header = ["tracker", "mean IoU", "frames/s", "p50 ms", "p95 ms", f"speed / {args.models[0]}"]
    print(format_table(header, rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
