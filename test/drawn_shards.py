# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A little shard of drawn pictures to train on: textured rectangles on blurred backgrounds, or bright ellipses."""

import io
import json
import tarfile

import cv2
import numpy as np

TARGETS, FRAMES = 8, 3
SIDE = 432  # pixels of a crop


def draw_crop(target, frame):
    """A target in the middle of its crop, uint8 (432, 432, 3), its box_xywh and its mask."""
    random = np.random.default_rng((target, frame))
    background = cv2.resize(random.integers(0, 256, (12, 12, 3), dtype=np.uint8), (SIDE, SIDE))
    thing = np.random.default_rng(target).integers(0, 256, (3, 3, 3), dtype=np.uint8)
    width = 54 + 3 * target
    height = 128 - width
    x, y = (SIDE - width) // 2, (SIDE - height) // 2
    background[y : y + height, x : x + width] = cv2.resize(thing, (width, height), interpolation=cv2.INTER_NEAREST)
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[y : y + height, x : x + width] = 255
    return background, (x, y, width, height), mask


def draw_ellipse(target, frame):
    """The same of an ellipse of one bright colour on a dark background, which is easily told from it."""
    random = np.random.default_rng((target, frame))
    image = cv2.resize(random.integers(0, 100, (6, 6, 3), dtype=np.uint8), (SIDE, SIDE))
    width = 54 + 3 * target
    mask = np.zeros((SIDE, SIDE), np.uint8)
    cv2.ellipse(mask, ((SIDE / 2 - 0.5, SIDE / 2 - 0.5), (width, 128 - width), 0), 255, -1)
    image[mask > 0] = np.random.default_rng(target).integers(150, 256, 3, dtype=np.uint8)
    return image, cv2.boundingRect(mask), mask


def write_shard(path, broken=(), draw=draw_crop, masks=True):
    """Write three frames of each of eight targets; of those in `broken`, (target, frame), the picture is cut short."""
    with tarfile.open(path, "w") as tar:
        for target in range(TARGETS):
            for frame in range(FRAMES):
                image, box, mask = draw(target, frame)
                label = {"set": "drawn", "track": str(target), "frame": 5 * frame, "box_xywh": box, "kind": "video"}
                label["valid_xywh"] = (0, 0, SIDE, SIDE)
                picture = cv2.imencode(".webp", image)[1].tobytes()
                files = {
                    "webp": picture[:100] if (target, frame) in broken else picture,
                    "png": cv2.imencode(".png", mask)[1].tobytes(),
                    "json": json.dumps(label).encode(),
                }
                if not masks:
                    del files["png"]
                for extension, content in files.items():
                    member = tarfile.TarInfo(f"drawn-{target}-{5 * frame}.{extension}")
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))
