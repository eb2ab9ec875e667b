#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# PyAV 17.1.0, its wheel, decoding of AV1 packets without a container
# Expected: CodecContext.create("av1", "r") decodes AV1, as "h264", "hevc" and "vp9" decode their codecs: the name is in
# codecs_available, and the context is made without an error.
# Seen: the first packet raises NotImplementedError, "Function not implemented". "av1" is the decoder that works on
# graphics cards alone. "libdav1d", in the same wheel, decodes the packets; it is what av.open chooses for files.
# Why it matters: AV1 is one of the formats of foxglove_msgs/CompressedVideo and of FFMPEGPacket. Who makes the decoder
# from the message's format, as for the other codecs, gets no image of such a topic. Files with the same video work.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check av==17.1.0 numpy==2.4.6

SVT_LOG=0 "$folder/venv/bin/python" - <<'END'
import fractions
import sys

import av
import numpy as np

encoder = av.CodecContext.create("libsvtav1", "w")
encoder.width, encoder.height, encoder.pix_fmt = 128, 96, "yuv420p"
encoder.time_base, encoder.framerate = fractions.Fraction(1, 25), fractions.Fraction(25)
packets = []
for number in range(3):
    frame = av.VideoFrame.from_ndarray(np.full((96, 128, 3), 80 * number, np.uint8), format="bgr24")
    frame.pts = number
    packets += encoder.encode(frame.reformat(format="yuv420p"))
data = [bytes(packet) for packet in (*packets, *encoder.encode(None))]


def outcome(name):
    decoder = av.CodecContext.create(name, "r")
    try:
        frames = [frame for packet in data for frame in decoder.decode(av.Packet(packet))] + decoder.decode(None)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return f"{len(frames)} images"


seen = {name: outcome(name) for name in ("av1", "libdav1d")}
print(*(f"{name}: {result}" for name, result in seen.items()), sep="\n")
as_stated = "av1" in av.codecs_available and "not implemented" in seen["av1"] and seen["libdav1d"] == "3 images"
sys.exit(None if as_stated else "no longer as stated")
END
