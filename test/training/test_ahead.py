# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import os

import cv2
import numpy as np
import pytest
import torch

from siam_tracker_ros.errors import DatasetError
from siam_tracker_ros.training.ahead import AheadInProcesses, draw_ahead

STEPS = 5


class Warped:
    """Batches that OpenCV and PyTorch make together, with the process that did, and its threads."""

    def draw(self, step):
        image = np.random.default_rng(step).integers(0, 256, (90, 90, 3), np.uint8)
        image = cv2.warpAffine(image, np.float32([[1, 0.1, 0], [0.1, 1, 0]]), (90, 90))
        made_by = torch.tensor([os.getpid(), cv2.getNumThreads(), torch.get_num_threads()])
        return {"image": torch.from_numpy(image) + 0.5, "made_by": made_by}


class Broken:
    def draw(self, step):
        raise DatasetError(f"no batch {step}") from ValueError("a long story")


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_batches_drawn_ahead_are_the_same(workers):
    before, makers = cv2.getNumThreads(), []
    cv2.setNumThreads(3)
    try:
        ahead = draw_ahead(Warped(), STEPS, "cpu", workers)
        for step in (1, 2, 0, 3, 4):
            drawn = ahead.draw(step)
            assert torch.equal(drawn["image"], Warped().draw(step)["image"])
            makers.append(drawn["made_by"].tolist())
        assert cv2.getNumThreads() == 3
    finally:
        cv2.setNumThreads(before)
    if workers:
        assert all(process != os.getpid() and threads == [1, 1] for process, *threads in makers)


@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_in_the_background_stays_one_sentence(workers):
    with pytest.raises(DatasetError, match="^no batch 2$"):
        AheadInProcesses(Broken(), STEPS, workers).draw(2)
