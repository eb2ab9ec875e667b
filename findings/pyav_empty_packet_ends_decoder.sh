#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# PyAV 17.1.0, an empty packet in a stream of h264 packets
# Expected: decode(Packet(b"")) gives no image, and the next packets are decoded: an empty message on a topic is a
# message without an image.
# Seen: the empty packet is taken for the end of the video. From then on, decode raises EOFError for every packet, key
# frames too, until flush_buffers is called. EOFError is no InvalidDataError, which damaged packets raise.
# Why it matters: a topic with video may have a message without data, as of a frame that an encoder dropped. A program
# that skips damaged packets ends there, or gets no more images though all that follow are good.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check av==17.1.0 numpy==2.4.6

"$folder/venv/bin/python" - <<'END'
import fractions
import sys

import av
import numpy as np

encoder = av.CodecContext.create("libx264", "w")
encoder.width, encoder.height, encoder.pix_fmt, encoder.gop_size = 128, 96, "yuv420p", 1
encoder.time_base, encoder.options = fractions.Fraction(1, 25), {"tune": "zerolatency"}
data = []
for number in range(4):  # each a key frame
    frame = av.VideoFrame.from_ndarray(np.full((96, 128, 3), 60 * number, np.uint8), format="bgr24")
    frame.pts = number
    data += [bytes(packet) for packet in encoder.encode(frame.reformat(format="yuv420p"))]
data.insert(2, b"")

decoder = av.CodecContext.create("h264", "r")
seen = []
for packet in data:
    try:
        seen.append(len(decoder.decode(av.Packet(packet))))
    except Exception as error:
        seen.append(type(error).__name__)
decoder.flush_buffers()
seen.append(len(decoder.decode(av.Packet(data[-1]))) + len(decoder.decode(None)))
print("images per packet, the third is empty:", *seen)
as_stated = seen[3:] == ["EOFError", "EOFError", 1] and not issubclass(av.error.EOFError, av.error.InvalidDataError)
sys.exit(None if as_stated else "no longer as stated")
END
