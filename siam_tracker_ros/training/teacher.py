# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A published tracker that answers the same pairs, to learn from: LightFC (Li et al. 2024) in ONNX form."""

import pathlib

import numpy as np

from siam_tracker_ros.errors import WeightsError
from siam_tracker_ros.models.lite import SEARCH_CELLS

RGB_MEAN = np.array([0.485, 0.456, 0.406], np.float32) * 255
RGB_STD = np.array([0.229, 0.224, 0.225], np.float32) * 255


class LightFcTeacher:
    """Score map and best box for a pair of crops cut as LightFC cuts them: 2x and 4x the target's root area."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        for name in ("backbone.onnx", "tracking.onnx"):
            if not (self.folder / name).is_file():
                raise WeightsError(f"no {name} in {self.folder}; expected the teacher's two ONNX files in that folder")
        self._sessions = None

    def __call__(self, template_bgr, search_bgr):
        """Return the score map float32 (1, 16, 16), 0..1, and the best box float32 (4,) as cx, cy, w, h, 0..1.

        template_bgr: uint8 (128, 128, 3); search_bgr: uint8 (256, 256, 3).
        """
        if self._sessions is None:  # sessions cannot cross a fork: each loader process opens its own
            self._sessions = [self._open(name) for name in ("backbone.onnx", "tracking.onnx")]
        backbone, tracking = self._sessions
        features = backbone.run(None, {"template": _to_input(template_bgr)})[0]
        answer = tracking.run(None, {"template_features": features, "search": _to_input(search_bgr)})
        score, size, offset = (part[0] for part in answer)  # (1, 16, 16), (2, 16, 16), (2, 16, 16)
        row, column = np.unravel_index(score[0].argmax(), score[0].shape)
        center = (np.array([column, row]) + offset[:, row, column]) / SEARCH_CELLS
        return score.astype(np.float32), np.concatenate([center, size[:, row, column]]).astype(np.float32)

    def _open(self, name):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        return onnxruntime.InferenceSession(str(self.folder / name), options, providers=["CPUExecutionProvider"])


def _to_input(image_bgr):
    image = (image_bgr[..., ::-1].astype(np.float32) - RGB_MEAN) / RGB_STD
    return np.ascontiguousarray(image.transpose(2, 0, 1))[None]
