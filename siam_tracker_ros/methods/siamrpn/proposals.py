# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The choice of one region proposal of the response, in SiamRPN++ and SiamMask."""

import numpy as np
import torch

from siam_tracker_ros.core.finite import check_finite
from siam_tracker_ros.core.response import BestBox, hann_window, peak_index, peak_ratio, size_change
from siam_tracker_ros.methods.siamrpn.anchors import anchor_grid

MAX_EXPONENT = 88.0  # the largest in single precision; it keeps sizes finite, whatever a network predicts


def decode_proposals(logits: torch.Tensor, offsets: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Scores and boxes of all anchors.

    Args:
        logits: (1, 10, S, S), five of the background, then five of the target.
        offsets: (1, 20, S, S), five of each of x, y, width and height, relative to the anchor.

    Returns:
        float64 (5, S, S), 0..1, and float64 (4, 5, S, S) as cxcywh in pixels of the search crop, from its middle.
    """
    packed = torch.cat([logits, offsets], 1)[0].cpu().double().unflatten(0, (6, -1))  # (6, 5, S, S)
    score = torch.softmax(packed[:2], 0)[1].numpy()
    offset = packed[2:].numpy()
    anchors = anchor_grid(score.shape[-1])
    centers = anchors[:2] + anchors[2:] * offset[:2]
    sizes = anchors[2:] * np.exp(np.clip(offset[2:], -MAX_EXPONENT, MAX_EXPONENT))
    return score, np.concatenate([centers, sizes])


def best_proposal(
    score: np.ndarray, boxes: np.ndarray, size_wh: np.ndarray, penalty_k: float, window_influence: float
) -> BestBox:
    """Pick the box with the highest score after penalty and window.

    Args:
        score: (5, S, S) from `decode_proposals`.
        boxes: (4, 5, S, S) from `decode_proposals`.
        size_wh: last size of the target in pixels of the search crop.
        penalty_k: strength of the penalty on changes of size and shape.
        window_influence: 0..1, share of the Hann window.
    """
    penalty = np.exp(-penalty_k * (size_change(size_wh, boxes[2:]) - 1))
    response = penalty * score * (1 - window_influence) + hann_window(score.shape[-1]) * window_influence
    anchor, row, column = peak_index(response)
    check_finite("box", boxes[:, anchor, row, column])  # infinity would be clipped to the frame
    best_score = score[anchor, row, column]
    peaks = score.max(0)
    peaks[row, column] = best_score
    return BestBox(
        row,
        column,
        boxes[:, anchor, row, column],
        float(best_score),
        float(penalty[anchor, row, column]),
        peak_ratio(peaks, row, column),
    )
