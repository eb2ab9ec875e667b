# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How well the box that is found around a click fits the target, beside squares around the click.

It clicks in frames of labelled sequences: at the middle of the box, and at random points of the target: of its mask, or
of the middle half of its box where there is none. The table has the mean IoU with the labelled box, and the share of
clicks with an IoU above 0.5, for `box_at`, for squares of fixed shares of the image's shorter side, and for the square
of the side that fits the label best, as a person might set it for each target.

    ./run exec python benchmarks/point_clicks.py SEQUENCES_DIR ...
"""

import argparse
from pathlib import Path

import numpy as np

from siam_tracker_ros import create_tracker
from siam_tracker_ros.core.pointing import box_at
from siam_tracker_ros.data.labelled import read_videos
from siam_tracker_ros.geometry import iou_xywh

SHARES = (0.1, 0.15, 0.25, 0.4)
RANDOM_CLICKS = 3  # in each frame
MIDDLE, RANDOM = "middle of the box", "random point of the target"


def squares_at(click_xy, sides):
    """Boxes (N, 4) around a click."""
    sides = np.asarray(sides, dtype=np.float64)[:, None]
    return np.concatenate([click_xy - sides / 2, sides, sides], axis=1)


def make_clicks(box_xywh, mask, rng):
    """Yield what was clicked, and the point (x, y)."""
    yield MIDDLE, box_xywh[:2] + box_xywh[2:] / 2
    rows, columns = np.nonzero(mask) if mask is not None else ((), ())
    for _ in range(RANDOM_CLICKS):
        if len(rows):
            i = rng.integers(len(rows))
            yield RANDOM, np.array([columns[i] + 0.5, rows[i] + 0.5])
        else:
            yield RANDOM, box_xywh[:2] + box_xywh[2:] * rng.uniform(0.25, 0.75, 2)


def judge(tracker, image_bgr, box_xywh, click_xy):
    """Return the IoU of the box that each way gives, by its name."""
    side = min(image_bgr.shape[:2])
    found = {"`box_at`": iou_xywh(box_at(tracker, image_bgr, click_xy, SHARES[2]), box_xywh)}
    for share in SHARES:
        (found[f"square of {share}"],) = iou_xywh(squares_at(click_xy, [share * side]), box_xywh)
    found["square of the best side"] = iou_xywh(squares_at(click_xy, np.geomspace(4, side, 100)), box_xywh).max()
    return found


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("sequences", type=Path, nargs="+", metavar="SEQUENCES_DIR")
    parser.add_argument("--model", default="lite_online")
    parser.add_argument("--frames", type=int, default=5, help="frames of each sequence")
    options = parser.parse_args()
    tracker, rng, found = create_tracker(options.model, device="cpu"), np.random.default_rng(0), {}
    for track in (track for folder in options.sequences for track in read_videos(folder).tracks):
        track = track.spread(options.frames)
        for i, box_xywh in enumerate(track.boxes_xywh):
            image_bgr, mask = track.image_bgr(i), track.mask(i)
            corner_xy = np.array(image_bgr.shape[1::-1]) - 0.5
            for kind, click_xy in make_clicks(box_xywh, mask, rng):
                for way, iou in judge(tracker, image_bgr, box_xywh, np.clip(click_xy, 0, corner_xy)).items():
                    found.setdefault(way, {MIDDLE: [], RANDOM: []})[kind].append(iou)
    print(f"| box | {MIDDLE} | {RANDOM} |\n|---|---|---|")
    for way, kinds in found.items():
        cells = [f"{np.mean(ious):.2f}, {np.mean(np.array(ious) > 0.5):.0%}" for ious in kinds.values()]
        print(f"| {way} | {' | '.join(cells)} |")
    print(f"clicks: {', '.join(str(len(ious)) for ious in kinds.values())}")


if __name__ == "__main__":
    main()
