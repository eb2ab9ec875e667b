# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A published tracker that answers the same pairs, to learn from: LightFC (Li et al. 2024) in ONNX form."""

import concurrent.futures
import pathlib
import threading

import numpy as np
import torch

from siam_tracker_ros.errors import WeightsError
from siam_tracker_ros.extras import require
from siam_tracker_ros.layers.imagenet import IMAGENET_MEAN_RGB, IMAGENET_STD_RGB
from siam_tracker_ros.methods.lite.network import SEARCH_CELLS, SEARCH_SIDE, TEMPLATE_SIDE

MAP_SHAPES = [(channels, SEARCH_CELLS, SEARCH_CELLS) for channels in (1, 2, 2)]  # of score, size and offset
RGB_MEAN = np.float32(IMAGENET_MEAN_RGB) * 255
RGB_STD = np.float32(IMAGENET_STD_RGB) * 255


class LightFcTeacher:
    """Score map and best box for a pair of crops cut as LightFC cuts them: 2x and 4x the target's root area.

    Args:
        folder: with backbone.onnx and tracking.onnx.

    Raises:
        WeightsError: one of them is missing, damaged or of another network.
        InvalidSettingError: ONNX Runtime is not installed.
    """

    def __init__(self, folder):
        require("the teacher", "onnxruntime")
        self.folder = pathlib.Path(folder)
        for name in ("backbone.onnx", "tracking.onnx"):
            if not (self.folder / name).is_file():
                raise WeightsError(f"no {name} in {self.folder}; expected the teacher's two ONNX files in that folder")
        self._sessions, self._opening = {}, threading.Lock()
        self._check()

    def __call__(self, template_bgr, search_bgr):
        """Return the score map float32 (1, 16, 16), 0..1, and the best box float32 (4,) as cx, cy, w, h, 0..1.

        template_bgr: uint8 (128, 128, 3); search_bgr: uint8 (256, 256, 3).
        """
        score, size, offset = self.search(self.embed(template_bgr), search_bgr)
        row, column = np.unravel_index(score[0].argmax(), score[0].shape)
        return score, cell_box(size, offset, row, column)

    def embed(self, template_bgr):
        """Return what the teacher remembers of a target, float32 (1, 96, 8, 8); uint8 (128, 128, 3) shows it."""
        return self._session("backbone.onnx").run(None, {"template": _to_input(template_bgr)})[0]

    def search(self, features, search_bgr):
        """Look for the target of `embed` in uint8 (256, 256, 3).

        Returns:
            Maps of float32: score (1, 16, 16), 0..1; size (2, 16, 16) as w, h, 0..1 of the crop's side; and offset
            (2, 16, 16) of the centre from the cell's corner in x and y, in cells.
        """
        answer = self._session("tracking.onnx").run(
            None, {"template_features": features, "search": _to_input(search_bgr)}
        )
        return tuple(part[0].astype(np.float32, copy=False) for part in answer)

    def _check(self):
        """Look at a blank pair, so that files of no use are told of now, not later by a process that draws."""
        template_bgr, search_bgr = (np.zeros((side, side, 3), np.uint8) for side in (TEMPLATE_SIDE, SEARCH_SIDE))
        try:
            found = [part.shape for part in self.search(self.embed(template_bgr), search_bgr)]
        except Exception as error:  # ONNX Runtime's errors have no base of their own
            raise WeightsError(
                f"the teacher in {self.folder} cannot be used ({' '.join(str(error).split()[:30])}); "
                "expected LightFC's backbone.onnx and tracking.onnx"
            ) from error
        if found != MAP_SHAPES:
            raise WeightsError(
                f"the teacher in {self.folder} answers with maps {found}, expected {MAP_SHAPES} of score, size and "
                "offset; give LightFC's backbone.onnx and tracking.onnx"
            )
        self._sessions.clear()

    def _session(self, name):
        with self._opening:
            if name not in self._sessions:  # none may cross a fork: each process that draws opens its own
                self._sessions[name] = self._open(name)
            return self._sessions[name]

    def _open(self, name):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        return onnxruntime.InferenceSession(str(self.folder / name), options, providers=["CPUExecutionProvider"])


def cell_box(size, offset, row, column):
    """Return the box (4,) of one cell of the maps that `LightFcTeacher.search` gives: cx, cy, w, h, 0..1, float32."""
    center = (np.array([column, row]) + offset[:, row, column]) / SEARCH_CELLS
    return np.concatenate([center, size[:, row, column]]).astype(np.float32)


def _to_input(image_bgr):
    image = (image_bgr[..., ::-1].astype(np.float32) - RGB_MEAN) / RGB_STD
    return np.ascontiguousarray(image.transpose(2, 0, 1))[None]


class TaughtBatches:
    """Batches of pairs with what a teacher answers to them.

    Args:
        batches: has `draw(step)`, a dictionary of tensors with template (B, 3, 128, 128) and search (B, 3, 256, 256),
            BGR, 0..255.
        teacher: LightFcTeacher.
        threads: pairs that the teacher looks at at once.
    """

    def __init__(self, batches, teacher, threads=1):
        self._batches, self._teacher, self._threads = batches, teacher, threads

    def draw(self, step):
        """The batch of a step, and in it teacher_score float32 (B, 1, 16, 16) and teacher_box float32 (B, 4)."""
        batch = self._batches.draw(step)
        pictures = (_to_bytes(batch[name]) for name in ("template", "search"))
        with concurrent.futures.ThreadPoolExecutor(self._threads) as pool:
            scores, boxes = zip(*pool.map(self._teacher, *pictures))
        device = batch["search"].device
        answers = {"teacher_score": np.stack(scores), "teacher_box": np.stack(boxes)}
        return {**batch, **{name: torch.from_numpy(value).to(device) for name, value in answers.items()}}


def _to_bytes(image_bgr):
    """Pictures (B, 3, H, W) of 0..255 as uint8 (B, H, W, 3)."""
    return image_bgr.round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
