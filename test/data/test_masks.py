# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The reader of masks, by every kind of image that tools write."""

import numpy as np
import pytest
from PIL import Image

from siam_tracker_ros.data.files import ListedFiles
from siam_tracker_ros.data.label_maps import LabelMaps, read_mask
from siam_tracker_ros.drawing import write_mask
from siam_tracker_ros.errors import InvalidInputError

FIRST = np.zeros((6, 8), np.uint8)  # one object
FIRST[1:4, 2:7] = 1
BOTH = FIRST.copy()  # and another
BOTH[4:6, :3] = 2
DAVIS_PALETTE = [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0] + [0] * 756


def indexed(labels):
    image = Image.fromarray(labels)
    image.putpalette(DAVIS_PALETTE)
    return image


def colours(labels, palette=DAVIS_PALETTE):
    return Image.fromarray(np.reshape(palette, (-1, 3)).astype(np.uint8)[labels])


def grey_in_colours(labels):
    return Image.fromarray(np.repeat(labels[..., None], 3, axis=2))


def transparent(labels):
    return Image.fromarray(np.dstack([np.full((6, 8, 3), 255, np.uint8), (labels > 0) * np.uint8(255)]))


def soft(labels):
    """255 inside, 100 around it: a mask that was resized."""
    around = np.zeros_like(labels)
    around[:5, 1:8] = 100
    return Image.fromarray(np.where(labels > 0, np.uint8(255), around))


ONE = {
    "0 and 1": Image.fromarray(FIRST),
    "0 and 255": Image.fromarray(FIRST * np.uint8(255)),
    "0 and another number": Image.fromarray(FIRST * np.uint8(38)),
    "booleans": Image.fromarray(FIRST > 0),
    "indices of a palette": indexed(FIRST),
    "index 255 of a palette": indexed(FIRST * np.uint8(255)),
    "colours": colours(FIRST),
    "other colours": colours(FIRST, [0, 0, 0, 3, 250, 77] + [0] * 762),
    "grey in colours": grey_in_colours(FIRST * np.uint8(255)),
    "soft edges": soft(FIRST),
    "soft edges in colours": grey_in_colours(np.asarray(soft(FIRST))),
    "16 bits, 0 and 1": Image.fromarray(FIRST.astype(np.uint16)),
    "16 bits, 0 and 65535": Image.fromarray(FIRST.astype(np.uint16) * np.uint16(65535)),
    "transparent around the target": transparent(FIRST),
    "nothing": Image.fromarray(FIRST * np.uint8(0)),
}


@pytest.mark.parametrize("kind", ONE)
def test_a_mask_of_one_target(tmp_path, kind):
    ONE[kind].save(tmp_path / "mask.png")
    mask = read_mask(tmp_path / "mask.png")
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, FIRST * np.uint8(0 if kind == "nothing" else 255))
    box = LabelMaps(ListedFiles(tmp_path, ("mask.png",))).box_xywh(0)
    np.testing.assert_array_equal(box, (np.nan,) * 4 if kind == "nothing" else (2, 1, 5, 3))


@pytest.mark.parametrize("image", [Image.fromarray(BOTH), indexed(BOTH), colours(BOTH), grey_in_colours(BOTH),
                                   Image.fromarray(BOTH.astype(np.uint16))])  # fmt: skip
def test_numbers_of_several_targets(tmp_path, image):
    image.save(tmp_path / "labels.png")
    maps = LabelMaps(ListedFiles(tmp_path, ("labels.png",)))
    np.testing.assert_array_equal(maps.read(0), BOTH)
    for label in (1, 2):
        np.testing.assert_array_equal(maps.mask(0, label), (label == BOTH) * np.uint8(255))
    np.testing.assert_array_equal(maps.box_xywh(0, 2), (0, 4, 3, 2))
    np.testing.assert_array_equal(maps.mask(0), (BOTH > 0) * np.uint8(255))
    assert np.isnan(maps.box_xywh(0, 3)).all()


@pytest.mark.parametrize(
    "write, words",
    [
        (lambda path: path.write_bytes(b"junk"), "cannot be read"),
        (lambda path: path.write_bytes(b""), "cannot be read"),
        (lambda path: None, "cannot be read"),
        (lambda path: Image.fromarray(np.ones((4, 4), np.float32)).save(path, format="TIFF"), "in mode F"),
    ],
)
def test_what_is_no_mask_is_refused_by_name(tmp_path, write, words):
    write(tmp_path / "mask.png")
    with pytest.raises(InvalidInputError, match=rf"mask\.png .*{words}"):
        read_mask(tmp_path / "mask.png")


@pytest.mark.parametrize("value", [1, 255])
def test_written_masks_have_the_value_that_is_asked_for(tmp_path, value):
    write_mask(tmp_path / "new" / "mask.png", FIRST > 0, value)
    with Image.open(tmp_path / "new" / "mask.png") as image:
        assert image.mode == "L"
        np.testing.assert_array_equal(np.asarray(image), FIRST * np.uint8(value))
    np.testing.assert_array_equal(read_mask(tmp_path / "new" / "mask.png"), FIRST * np.uint8(255))
