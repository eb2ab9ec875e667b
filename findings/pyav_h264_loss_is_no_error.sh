#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# PyAV 17.1.0 (FFmpeg's h264 decoder), packets of a stream without B-frames as CompressedVideo and FFMPEGPacket have them
# Expected: after a packet that was lost, decoding raises an error, gives no images, or gives images marked corrupt, until
# the next key frame.
# Seen: every image comes, with is_corrupt False, and its pixels are wrong up to the next key frame. Of a packet cut in
# half, that image may be marked, or with err_detect=explode missing, but those after it are not.
# Why it matters: a tracker, or a person who labels, sees moving objects where they were, and cannot know. Video topics
# are recorded best effort, so messages are lost. Send key frames often, and find gaps by the stamps of the messages.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  av==17.1.0 numpy==2.4.6

"$folder/venv/bin/python" - <<'END'
import fractions
import sys

import av
import numpy as np

av.logging.set_level(av.logging.PANIC)
rows, columns = np.mgrid[:240, :320]
texture = (np.sin(rows / 5) * np.cos(columns / 7) * 60 + 128).astype(np.uint8)
images = []
for number in range(24):
    image = np.repeat(np.roll(texture, number, axis=1)[..., None], 3, axis=2)
    image[100:140, 10 * number : 10 * number + 40] = 255  # what is tracked
    images.append(image)

encoder = av.CodecContext.create("libx264", "w")
encoder.width, encoder.height, encoder.pix_fmt = 320, 240, "yuv420p"
encoder.time_base, encoder.framerate = fractions.Fraction(1, 30), fractions.Fraction(30)
encoder.gop_size, encoder.max_b_frames = 12, 0
packets = []
for number, image in enumerate(images):
    frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p")
    frame.pts = number
    packets += encoder.encode(frame)
packets = [(packet.pts, bytes(packet)) for packet in (*packets, *encoder.encode(None))]


def decoded(options, lost):
    decoder = av.CodecContext.create("h264", "r")
    decoder.options = options
    errors, marked, wrong = 0, 0, []
    for number, data in packets:
        if number == lost:
            continue
        packet = av.Packet(data)
        packet.pts = number
        try:
            frames = decoder.decode(packet)
        except av.error.FFmpegError:
            errors += 1
            continue
        for frame in frames:
            marked += frame.is_corrupt
            difference = frame.to_ndarray(format="rgb24").astype(int) - images[frame.pts]
            if np.abs(difference)[90:150].max() > 100:
                wrong.append(frame.pts)
    return errors, marked, wrong


as_stated = True
for options in ({}, {"err_detect": "explode"}):
    for lost, expected in ((None, []), (5, [6, 7, 8, 9, 10, 11])):
        errors, marked, wrong = decoded(options, lost)
        print(f"packet {lost} lost, {options or 'defaults'}: {errors} errors, {marked} marked corrupt, wrong: {wrong}")
        as_stated &= (errors, marked, wrong) == (0, 0, expected)
sys.exit(None if as_stated else "no longer as stated")
END
