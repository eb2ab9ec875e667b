# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest
from demo_testing import sequence_fixture  # noqa: F401

from siam_tracker_ros.demo.clip import camera_clip, rendered_clip, video_clip
from siam_tracker_ros.demo.scene import Scene
from siam_tracker_ros.errors import InvalidInputError

NAN = math.nan


def test_rendered_clip_gives_its_own_truth():
    clip = rendered_clip(duration=0.2)
    assert (clip.source, clip.frames, clip.rate) == ("scene", 6, 30)
    first = Scene(frames=6)[0]
    np.testing.assert_array_equal(clip.box_xywh, first.box_xywh)
    (frame,) = clip.read(1)
    np.testing.assert_array_equal(frame.image_bgr, first.image_bgr)
    np.testing.assert_array_equal(frame.box_xywh, first.box_xywh)
    np.testing.assert_array_equal(frame.distractors_xywh, first.distractors_xywh)
    assert frame.visibility == 1


@pytest.mark.parametrize("rate, duration, frames", [(10, 0.01, 2), (None, 2, 60), (10, 2, 20), (10, None, 360)])
def test_length_of_the_rendered_clip(rate, duration, frames):
    clip = rendered_clip(rate, duration)
    assert clip.frames == len(clip.scene) == frames


def test_labels_beside_a_folder_are_used(sequence):
    clip = video_clip(sequence, duration=0.1, rate=20)
    labels = np.loadtxt(sequence.parent / "groundtruth.txt", delimiter=",")
    np.testing.assert_array_equal(clip.box_xywh, labels[0])
    assert (clip.rate, clip.frames) == (20, 2)
    frames = list(clip.read(5))
    np.testing.assert_array_equal([frame.box_xywh for frame in frames], labels)
    np.testing.assert_array_equal([frame.visibility for frame in frames], [1, 1, 1, NAN, 1])
    assert all(frame.distractors_xywh.shape == (0, 4) for frame in frames)


def test_labels_of_other_frames_are_not_used(sequence):
    (sequence / "5.jpg").write_bytes((sequence / "4.jpg").read_bytes())
    with pytest.raises(InvalidInputError, match="has no labels; give the target: --box"):
        video_clip(sequence)
    clip = video_clip(sequence, (10, 10, 50, 50))
    assert all(np.isnan(frame.visibility) for frame in clip.read(6))


@pytest.mark.parametrize("box", [(0, 0, 0, 9), (NAN, 0, 9, 9), (400, 0, 9, 9)])
def test_bad_box_is_refused_before_anything_starts(sequence, box):
    with pytest.raises(InvalidInputError, match="expected"):
        video_clip(sequence, box)


def test_camera_clip_reads_what_was_recorded(sequence):
    clip = camera_clip(3, (1, 2, 3, 4), duration=2)
    assert (clip.source, clip.live, clip.frames) == ("3", True, 60)
    assert len(list(clip.read(4, recording=sequence))) == 4
