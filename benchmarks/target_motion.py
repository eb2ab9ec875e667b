# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How well the filter of ~/target describes real motion: its innovations, and what a prediction gains.

It follows the targets of labelled sequences, and filters the rays to their boxes for several values of motion_agility
and motion_noise, as if by a camera with a view of 53 degrees. The first table has the mean and the median of the
normalized innovation squared (2 and 1.39 if all of the model held), and how often the filter started anew because of a
jump. The second one has, for the first values and each sequence, the mean distance in pixels from the centre of a box
to the centre some frames before, as it was then ("held") and as it was predicted.

    ./run exec python benchmarks/target_motion.py SEQUENCES_DIR
"""

import argparse
import itertools
from pathlib import Path

import numpy as np

from siam_tracker_ros import TargetSession, TargetState, create_tracker
from siam_tracker_ros.cli.tables import format_table
from siam_tracker_ros.control.camera import guess_camera
from siam_tracker_ros.control.motion_filter import RayFilter
from siam_tracker_ros.control.target_motion import MotionSettings, look_at
from siam_tracker_ros.data.labelled import TrackFrames, read_videos

NANOSECONDS = 10**9


def follow(session, track, max_frames):
    """Return the boxes (N, 5) of a track's frames while its target is tracked, NaN in others, and the frames' size."""
    boxes = []
    with TrackFrames(track) as frames:
        image_bgr = next(frames)
        session.init(image_bgr, track.boxes_xywh[0])
        for image_bgr in itertools.islice(frames, max_frames):
            observation = session.observe(image_bgr)
            is_tracked = observation.state == TargetState.TRACKING
            boxes.append(observation.box_cxcywht(rotated=False) if is_tracked else np.full(5, np.nan))
    return np.array(boxes), (image_bgr.shape[1], image_bgr.shape[0])


def judge(boxes_cxcywht, size_wh, settings, hertz, lead_frames):
    """Return the innovations of a sequence, NaN for jumps, and pixels (N, 2) from where it was held and predicted."""
    camera, ray_filter = guess_camera(size_wh), RayFilter(settings.motion_agility)
    innovations, distances, is_known = [], [], False
    for frame, box_cxcywht in enumerate(boxes_cxcywht):
        if np.isnan(box_cxcywht).any():
            continue
        time_ns = round(frame * NANOSECONDS / hertz)
        sight = look_at(camera, box_cxcywht)
        deviation = settings.motion_noise * np.sqrt(sight.angular_size.prod())
        innovation = ray_filter.measure(time_ns, sight.center, deviation)
        if is_known:
            innovations.append(innovation)
        is_known = True
        later = boxes_cxcywht[min(frame + lead_frames, len(boxes_cxcywht) - 1)]
        motion = ray_filter.at(time_ns + round(lead_frames * NANOSECONDS / hertz))
        if frame + lead_frames < len(boxes_cxcywht) and np.isfinite(later).all():
            expected_xy = camera.points(motion.ray[None])[0]
            distances.append([np.linalg.norm(place - later[:2]) for place in (box_cxcywht[:2], expected_xy)])
    return np.array(innovations), np.array(distances).reshape(-1, 2)


def main():
    """Print the table."""
    defaults = MotionSettings()
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("sequences", type=Path, metavar="SEQUENCES_DIR")
    parser.add_argument("--model", default="lite_online")
    parser.add_argument("--frames", type=int, default=100, help="frames of each sequence")
    parser.add_argument(
        "--hertz", type=float, default=30.0, help="frames per second that the sequences are taken to have"
    )
    parser.add_argument("--lead", type=int, default=3, help="frames to predict by")
    parser.add_argument("--agility", type=float, nargs="+", default=[defaults.motion_agility], help="rad/s")
    parser.add_argument("--noise", type=float, nargs="+", default=[defaults.motion_noise])
    options = parser.parse_args()
    session = TargetSession(create_tracker(options.model, device="cpu"))
    tracks = read_videos(options.sequences).tracks
    followed = [follow(session, track, options.frames) for track in tracks]
    rows, distances = [], []
    for agility, noise in itertools.product(options.agility, options.noise):
        settings = MotionSettings(agility, noise)
        judged = [judge(*sequence, settings, options.hertz, options.lead) for sequence in followed]
        innovations = np.concatenate([innovations for innovations, _ in judged])
        distances = distances or [distances for _, distances in judged]
        rows.append(
            [f"{value:.3g}" for value in (agility, noise, np.nanmean(innovations), np.nanmedian(innovations))]
            + [f"{np.isnan(innovations).sum()} of {len(innovations)}"]
        )
    print(format_table(["agility", "noise", "mean NIS", "median NIS", "jumps"], rows), "\n")
    rows = [
        [track.name, *(f"{value:.1f}" for value in pixels.mean(axis=0))]
        for track, pixels in zip(tracks, distances)
        if len(pixels)
    ]
    print(format_table(["sequence", "held", "predicted"], rows))


if __name__ == "__main__":
    main()
