# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A small published tracker that is asked whether it sees the same: NanoTrack v3 (Tao, 2022) in ONNX form.

It costs more than it gives beside LightFC going there and back: of 92 tracks that were looked at one by one it cut the
wrong part off one of 7 with a mistake, and a tenth of the frames off the others. Both trackers mistake the same things.
"""

import pathlib

import numpy as np

from siam_tracker_ros.core.crop import crop_context, mean_bgr
from siam_tracker_ros.errors import WeightsError
from siam_tracker_ros.extras import require
from siam_tracker_ros.geometry import cxcywh_to_xywh, ltrb_to_cxcywh, xywh_to_cxcywh

TEMPLATE_SIDE = 127  # pixels, and the size of the target with context that both crops are scaled by
SEARCH_SIDE = 255
CELLS = 15
STRIDE = 16  # pixels of the search crop
WINDOW_INFLUENCE, PENALTY, SIZE_RATE = 0.455, 0.138, 0.348  # as its authors set them for version 3
MIN_SIDE = 10  # pixels


class NanoTracker:
    """Follows one target as the tracker of PySOT's family does: window, penalty of changes, smoothed size.

    Args:
        folder: with nanotrack_backbone.onnx and nanotrack_head.onnx.

    Raises:
        WeightsError: one of them is missing, damaged or of another network.
        InvalidSettingError: onnx or ONNX Runtime is not installed.
    """

    def __init__(self, folder):
        require("NanoTrack", "onnx", "onnxruntime")
        folder = pathlib.Path(folder)
        paths = [folder / name for name in ("nanotrack_backbone.onnx", "nanotrack_head.onnx")]
        for path in paths:
            if not path.is_file():
                raise WeightsError(f"no {path.name} in {folder}; expected NanoTrack v3's two ONNX files in that folder")
        self._window = np.outer(np.hanning(CELLS), np.hanning(CELLS))
        grid = STRIDE * (np.arange(CELLS) - CELLS // 2)
        self._points_xy = np.stack(np.meshgrid(grid, grid), -1).astype(np.float64)  # (15, 15, 2), from the centre
        try:
            self._backbone, self._head = (_open(path) for path in paths)
            self._smoke_test()
        except Exception as error:  # those of ONNX and its runtime have no base of their own
            raise WeightsError(
                f"the files in {folder} cannot be used ({' '.join(str(error).split()[:30])}); expected NanoTrack v3's"
            ) from error

    def _smoke_test(self):
        self.init(np.zeros((SEARCH_SIDE, SEARCH_SIDE, 3), np.uint8), (100, 100, 50, 50))
        self.track(np.zeros((SEARCH_SIDE, SEARCH_SIDE, 3), np.uint8))

    def init(self, image_bgr, box_xywh):
        """Remember the target in a box (4,) of an image, uint8 (H, W, 3)."""
        self._box_cxcywh = xywh_to_cxcywh(np.asarray(box_xywh, np.float64))
        self._template = self._features(image_bgr, TEMPLATE_SIDE, mean_bgr(image_bgr))

    def track(self, image_bgr):
        """Return the target's box (4,) in the next image and the score, 0..1."""
        search = self._features(image_bgr, SEARCH_SIDE, mean_bgr(image_bgr))
        logits, distances = self._head.run(None, {"input1": self._template, "input2": search})
        score = 1 / (1 + np.exp(logits[0, 0] - logits[0, 1]))  # (15, 15)
        center, size = self._box_cxcywh[:2], self._box_cxcywh[2:]
        scale = TEMPLATE_SIDE / _with_context(size)
        boxes = ltrb_to_cxcywh(distances[0].transpose(1, 2, 0).astype(np.float64), self._points_xy) / scale
        sizes = np.maximum(boxes[..., 2:], 1e-3)
        change = _change(_with_context(sizes) / _with_context(size))
        change *= _change((sizes[..., 0] / sizes[..., 1]) / (size[0] / size[1]))
        penalty = np.exp((1 - change) * PENALTY)
        ranked = penalty * score * (1 - WINDOW_INFLUENCE) + self._window * WINDOW_INFLUENCE
        best = np.unravel_index(ranked.argmax(), ranked.shape)
        rate = penalty[best] * score[best] * SIZE_RATE
        limit_wh = np.array(image_bgr.shape[1::-1])
        center = np.clip(center + boxes[best][:2], 0, limit_wh)
        size = np.clip(size * (1 - rate) + sizes[best] * rate, MIN_SIDE, limit_wh)
        self._box_cxcywh = np.concatenate([center, size])
        return cxcywh_to_xywh(self._box_cxcywh), float(score[best])

    def _features(self, image_bgr, out_side, fill_bgr):
        side = round(_with_context(self._box_cxcywh[2:]) * out_side / TEMPLATE_SIDE)
        crop, _ = crop_context(image_bgr, self._box_cxcywh[:2], side, out_side, fill_bgr)
        image = crop.transpose(2, 0, 1)[None].astype(np.float32)
        return self._backbone.run(None, {"input": image})[0]


def _with_context(size_wh):
    """Root of the area of a target (..., 2) with half its mean side of context on each side."""
    return np.sqrt((size_wh + size_wh.sum(-1, keepdims=True) / 2).prod(-1))


def _change(ratio):
    return np.maximum(ratio, 1 / ratio)


def _open(path):
    """Open a graph for images of any size: it is stored for one, but is fully convolutional."""
    import onnx
    import onnxruntime

    model = onnx.load(str(path))
    for value in [*model.graph.input, *model.graph.output]:
        for axis, dim in enumerate(value.type.tensor_type.shape.dim[2:]):
            dim.ClearField("dim_value")
            dim.dim_param = f"{value.name}_{axis}"
    del model.graph.value_info[:]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
