# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The teacher of `lite`, a published tracker that runs on the same pairs: LightFC (Li et al. 2024) in ONNX form."""

import concurrent.futures
import os
import pathlib
import threading
import typing

import numpy as np
import torch

from siam_tracker_ros.errors import WeightsError
from siam_tracker_ros.extras import require
from siam_tracker_ros.layers.imagenet import IMAGENET_MEAN_RGB, IMAGENET_STD_RGB
from siam_tracker_ros.methods.lite.shapes import SEARCH_CELLS, SEARCH_SIDE, TEMPLATE_SIDE
from siam_tracker_ros.training.task import Batch, Batches

if typing.TYPE_CHECKING:
    import onnxruntime

MAP_SHAPES = [(channels, SEARCH_CELLS, SEARCH_CELLS) for channels in (1, 2, 2)]  # of score, size and offset
RGB_MEAN = np.array(IMAGENET_MEAN_RGB, np.float32) * 255
RGB_STD = np.array(IMAGENET_STD_RGB, np.float32) * 255


class Teacher(typing.Protocol):
    """A tracker that predicts the targets of a pair; several threads may call it."""

    def __call__(self, template_bgr: np.ndarray, search_bgr: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return maps of float32: score (1, 16, 16), 0..1, and each cell's box (4, 16, 16) as cx, cy, w, h, 0..1.

        template_bgr: uint8 (128, 128, 3); search_bgr: uint8 (256, 256, 3).
        """


class LightFcTeacher:
    """LightFC as a Teacher. Crops are squares of 2 and 4 times the square root of the target's area.

    Args:
        folder: with backbone.onnx and tracking.onnx.

    Raises:
        WeightsError: a file is missing, damaged or of another network.
        InvalidSettingError: ONNX Runtime is not installed.
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        require("the teacher", "onnxruntime")
        self.folder = pathlib.Path(folder)
        for name in ("backbone.onnx", "tracking.onnx"):
            if not (self.folder / name).is_file():
                raise WeightsError(f"no {name} in {self.folder}; expected the teacher's two ONNX files in that folder")
        self._sessions: dict[str, onnxruntime.InferenceSession] = {}
        self._opening = threading.Lock()
        self._check()

    def __call__(self, template_bgr: np.ndarray, search_bgr: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See Teacher."""
        return self.search(self.embed(template_bgr), search_bgr)

    def embed(self, template_bgr: np.ndarray) -> np.ndarray:
        """Return the features of a template, float32 (1, 96, 8, 8); template_bgr: uint8 (128, 128, 3)."""
        return self._session("backbone.onnx").run(None, {"template": _to_input(template_bgr)})[0]

    def search(self, features: np.ndarray, search_bgr: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the maps of Teacher.

        features: of `embed`; search_bgr: uint8 (256, 256, 3).
        """
        score, size, offset = self._maps(features, search_bgr)
        center = (np.indices(score.shape[1:])[::-1] + offset) / SEARCH_CELLS  # offset: from the cell's corner, in cells
        return score, np.concatenate([center, size]).astype(np.float32)

    def _maps(self, features: np.ndarray, search_bgr: np.ndarray) -> list[np.ndarray]:
        """Return the graph's own maps, float32 of the shapes MAP_SHAPES; see `search`."""
        maps = self._session("tracking.onnx").run(
            None, {"template_features": features, "search": _to_input(search_bgr)}
        )
        return [part[0].astype(np.float32, copy=False) for part in maps]

    def _check(self) -> None:
        """Run a blank pair, so that unusable files are reported now, and not later by a data worker."""
        template_bgr, search_bgr = (np.zeros((side, side, 3), np.uint8) for side in (TEMPLATE_SIDE, SEARCH_SIDE))
        try:
            found = [part.shape for part in self._maps(self.embed(template_bgr), search_bgr)]
        except Exception as error:  # ONNX Runtime's errors have no base class of their own
            raise WeightsError(
                f"the teacher in {self.folder} cannot be used ({' '.join(str(error).split()[:30])}); "
                "expected LightFC's backbone.onnx and tracking.onnx"
            ) from error
        if found != MAP_SHAPES:
            raise WeightsError(
                f"the teacher in {self.folder} returns maps {found}, expected {MAP_SHAPES} of score, size "
                "and offset; give LightFC's backbone.onnx and tracking.onnx"
            )
        self._sessions.clear()

    def _session(self, name: str) -> "onnxruntime.InferenceSession":
        with self._opening:
            if name not in self._sessions:  # a session does not survive a fork: each worker opens its own
                self._sessions[name] = self._open(name)
            return self._sessions[name]

    def _open(self, name: str) -> "onnxruntime.InferenceSession":
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        return onnxruntime.InferenceSession(str(self.folder / name), options, providers=["CPUExecutionProvider"])


def _to_input(image_bgr: np.ndarray) -> np.ndarray:
    image = image_bgr.transpose(2, 0, 1)[::-1].astype(np.float32, order="C")
    image -= RGB_MEAN[:, None, None]
    image /= RGB_STD[:, None, None]
    return image[None]


class TaughtBatches:
    """Batches with the predictions of a teacher.

    Args:
        batches: with template (B, 3, 128, 128) and search (B, 3, 256, 256), BGR, 0..255.
        teacher: of the pairs.
        threads: pairs that the teacher processes in parallel.
    """

    def __init__(self, batches: Batches, teacher: Teacher, threads: int = 1) -> None:
        self._batches, self._teacher, self._threads = batches, teacher, threads

    def draw(self, step: int) -> Batch:
        """Return the batch of a step with float32 teacher_score (B, 1, 16, 16) and teacher_boxes (B, 4, 16, 16)."""
        batch = self._batches.draw(step)
        images = (_to_bytes(batch[name]) for name in ("template", "search"))
        with concurrent.futures.ThreadPoolExecutor(self._threads) as pool:
            scores, boxes = zip(*pool.map(self._teacher, *images))
        device = batch["search"].device
        predictions = {"teacher_score": np.stack(scores), "teacher_boxes": np.stack(boxes)}
        return {**batch, **{name: torch.from_numpy(value).to(device) for name, value in predictions.items()}}


def _to_bytes(image_bgr: torch.Tensor) -> np.ndarray:
    """Convert images (B, 3, H, W) of 0..255 to uint8 (B, H, W, 3)."""
    return image_bgr.round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
