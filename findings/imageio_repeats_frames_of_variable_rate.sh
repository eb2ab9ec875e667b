#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# imageio 2.38.1 with imageio-ffmpeg 0.8.1
# Expected: reading a video yields the frames that it holds, 60, as count_frames() says.
# Seen: where the rate varies (as phones, screen recorders and USB cameras in low light record), the default reader
# yields 118 frames: it fills gaps in time with copies. count_frames() of the same reader still says 60. PyAV 18.1.0,
# and OpenCV, yield the 60.
# Why it matters: labels and predictions are matched with frames by their number. Here the 60th frame of one reader is
# the 40th of the other: half of the sequence is scored against the wrong picture, and a tracker sees a target that
# stands still and jumps. Read with plugin="pyav", or count before use.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  imageio==2.38.1 imageio-ffmpeg==0.8.1 av==18.1.0 numpy==2.4.6

(cd "$folder" && venv/bin/python -) <<'END'
import subprocess
import sys

import imageio.v2
import imageio.v3
import imageio_ffmpeg
import numpy as np


def draw(number):  # a frame that shows its number as bright and dark columns
    bits = [255 * (number >> bit & 1) for bit in range(6)]
    return np.repeat(np.array(bits, np.uint8), 32)[None, :, None].repeat(96, 0).repeat(3, 2)


def number_of(frame):
    return sum(int(frame[48, 16 + 32 * bit].mean() > 128) << bit for bit in range(6))


# 30 frames at 30 Hz, then 30 frames at 10 Hz
command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "192x96"]
command += ["-r", "30", "-i", "-", "-vf", "setpts='if(lt(N,30),N/30,1+(N-30)/10)/TB'", "-fps_mode", "vfr"]
command += ["-c:v", "libx264", "-pix_fmt", "yuv420p", "video.mp4"]
subprocess.run(command, input=b"".join(draw(number).tobytes() for number in range(60)), check=True)

found = {
    "imageio.v3, default": [number_of(frame) for frame in imageio.v3.imiter("video.mp4")],
    "imageio.v2, default": [number_of(frame) for frame in imageio.v2.get_reader("video.mp4")],
    "imageio.v3, plugin pyav": [number_of(frame) for frame in imageio.v3.imiter("video.mp4", plugin="pyav")],
}
for name, numbers in found.items():
    print(f"{name}: {len(numbers)} frames, {len(set(numbers))} different ones, the 60th is number {numbers[59]}")
counted = imageio.v2.get_reader("video.mp4").count_frames()
print("count_frames():", counted)
as_stated = (
    counted == 60
    and found["imageio.v3, plugin pyav"] == list(range(60))
    and all(len(found[name]) > 100 and len(set(found[name])) == 60 for name in found if "default" in name)
)
sys.exit(None if as_stated else "no longer as stated")
END
