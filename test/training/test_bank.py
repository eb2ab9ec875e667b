# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0

import cv2
import numpy as np
import pytest
import torch
from drawn_bank import DrawnTrack, Photo, bank_of, drawn

from siam_tracker_ros.data import DatasetSettings
from siam_tracker_ros.data.stored_squares import square_side, stored_side
from siam_tracker_ros.errors import DatasetError, InvalidInputError, InvalidSettingError
from siam_tracker_ros.geometry import iou_xywh
from siam_tracker_ros.training.bank import PHOTO_SIDES, BankSettings, ImageBank, cut_context


def test_frames_that_show_no_target_are_left_out():
    bank = bank_of(drawn([[40, 40, 20, 20], [np.nan] * 4, [42, 40, 20, 20]]), drawn([[30, 40, 30, 20]], name="1"))
    assert (len(bank), bank.photos) == (3, 0)
    assert bank.length.tolist() == [2, 1] and bank.first.tolist() == [0, 2] and bank.track.tolist() == [0, 0, 1]


def test_a_bank_of_nothing_is_refused():
    with pytest.raises(DatasetError, match="no frame"):
        bank_of(drawn([[np.nan] * 4]))


@pytest.mark.parametrize("box", [(50, 50, 40, 40), (150, 100, 90, 30), (2, 2, 30, 60), (10, 10, 4, 4), (50, 50, 1, 1)])
def test_frames_are_cut_round_their_targets(box):
    track = drawn([box], size_wh=(640, 480))
    image, mask, stored = cut_context(track.image_bgr(0), track.mask(0), np.array(box, float))
    context = square_side(np.array(box, float))
    assert image.shape[:2] == mask.shape
    assert max(image.shape) <= max(2 * context, 108) * 1.2, "enlarged at most twice, or stored at 108"
    assert max(image.shape) <= 432
    assert mask.any()
    if min(box[2:]) > 10:
        found = np.array(cv2.boundingRect(mask), float)
        assert iou_xywh(found, stored) > 0.93
        assert stored[2] / stored[3] == pytest.approx(box[2] / box[3], rel=0.03)


@pytest.mark.parametrize("side", [31.8, 40, 63.3, 100])
def test_a_stored_square_is_never_larger_than_was_reserved(side):
    bank = bank_of(drawn([[300.3, 200.7, side, side]] * 4, size_wh=(1280, 720)))
    assert len(bank) == 4 and bank.size_wh.max() == stored_side(np.array([0, 0, side, side]))


def test_a_box_beyond_its_frame_has_no_context():
    with pytest.raises(InvalidInputError, match="outside"):
        cut_context(np.zeros((50, 50, 3), np.uint8), None, np.array([500.0, 500, 10, 10]))


def test_prepared_crops_are_kept_as_they_are_without_their_margins():
    track = drawn([[40, 40, 20, 30]], valid=(10, 20, 80, 60))
    bank = bank_of(track)
    assert bank.size_wh.tolist() == [[80, 60]]
    assert bank.box_xywh.tolist() == [[30, 20, 20, 30]]
    planes = bank.planes(0).numpy()
    np.testing.assert_array_equal(planes[:3].transpose(1, 2, 0), track.image_bgr(0)[20:80, 10:90])
    np.testing.assert_array_equal(planes[3], track.mask(0)[20:80, 10:90])


def test_outlines_bound_the_mask_or_the_ellipse_in_the_box():
    bank = bank_of(*(drawn([[40, 30, 20, 30]], valid=(0, 0, 108, 108), masks=masks) for masks in (True, False)))
    for sample in range(2):
        outline = bank.outline_xy[sample]
        bounds = torch.cat([outline.amin(0), outline.amax(0) - outline.amin(0)])
        torch.testing.assert_close(bounds, torch.tensor([40.0, 30, 20, 30], dtype=torch.float64))
    corners = {(40.0, 30.0), (60.0, 30.0), (40.0, 60.0), (60.0, 60.0)}
    assert {tuple(point) for point in bank.outline_xy[0].tolist()} == corners
    assert not corners & {tuple(point) for point in bank.outline_xy[1].tolist()}


def test_a_mask_of_something_else_does_not_change_the_box():
    class Stray(DrawnTrack):
        def mask(self, i):
            mask = np.zeros((108, 108), np.uint8)
            mask[:5, :5] = 255
            return mask

    box = [40.0, 40, 20, 20]
    bank = bank_of(Stray("drawn", "0", np.arange(1), np.array([box]), valid=(0, 0, 108, 108)))
    assert bank.outline_xy.amin().item() == pytest.approx(40)


def test_an_empty_mask_is_none():
    class Empty(DrawnTrack):
        def mask(self, i):
            return np.zeros((108, 108), np.uint8)

    bank = bank_of(Empty("drawn", "0", np.arange(1), np.array([[40.0, 40, 20, 20]])))
    assert bank.has_mask.tolist() == [False] and len(bank.planes(0)) == 3


@pytest.mark.parametrize("size_wh", [(300, 200), (200, 300), (1000, 130), (30, 20), (1, 1)])
def test_photos_have_about_one_size(size_wh):
    bank = bank_of(drawn([[40, 40, 20, 20]]), photos=[Photo(size_wh)])
    assert bank.photos == 1
    assert bank.size_wh[1].min() == PHOTO_SIDES[0] and bank.size_wh[1].max() <= PHOTO_SIDES[1]
    assert len(bank.planes(1)) == 3


def test_broken_pictures_are_skipped_and_counted(caplog):
    good = drawn([[40, 40, 20, 20]] * 6, broken=(2, 3))
    gone = drawn([[40, 40, 20, 20]], name="1", broken=(0,))
    bank = bank_of(gone, good)
    assert len(bank) == 4 and bank.length.tolist() == [4]
    assert "3 of 7 images of drawn are broken, among them 1/0.png" in caplog.text


def test_too_many_broken_pictures_are_refused():
    with pytest.raises(DatasetError, match=r"4 of 5 images of drawn .*0/1.png"):
        bank_of(drawn([[40, 40, 20, 20]] * 5, broken=(1, 2, 3, 4)))


@pytest.mark.parametrize("unreadable, refused", [(3, False), (4, True)])
def test_labels_that_cannot_be_read_are_counted(caplog, unreadable, refused):
    class Unread(DrawnTrack):
        @property
        def unreadable(self):
            return unreadable

    boxes = np.array([[40.0, 40, 20, 20]] * 9 + [[np.nan] * 4] * unreadable)
    track = Unread("drawn", "0", np.arange(len(boxes)), boxes)
    if refused:
        with pytest.raises(DatasetError, match="4 of 13 labels of drawn cannot be read"):
            bank_of(track)
    else:
        assert len(bank_of(track)) == 9 and "3 of 12 labels of drawn cannot be read" in caplog.text


def test_a_bank_that_is_too_large_is_refused_before_anything_is_decoded():
    track = drawn([[40, 40, 20, 20]] * 6, broken=range(6))
    with pytest.raises(InvalidSettingError, match="max_frames of the data sets to 2"):
        bank_of(track, memory_gib=2.5 * 216**2 * 4 / 2**30)


def test_what_is_missing_is_told_at_once(tmp_path):
    datasets = [DatasetSettings(kind, str(tmp_path / kind)) for kind in ("shards", "got10k")]
    with pytest.raises(DatasetError, match=r"3 problems(?s:.*)nowhere(?s:.*)/shards: (?s:.*)/got10k: "):
        ImageBank.read(BankSettings(datasets, photos=str(tmp_path / "nowhere")))
