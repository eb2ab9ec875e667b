# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch

from siam_tracker_ros.errors import WeightsError
from siam_tracker_ros.methods.lite.teacher import LightFcTeacher, TaughtBatches
from siam_tracker_ros.training.ahead import AheadInProcesses

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")


def save_graph(path, inputs, picture, channels, kernel=16):
    """A graph that makes maps of a picture, by name with their channels."""
    helper = onnx.helper
    weights = [np.full((count, 3, kernel, kernel), 0.01, np.float32) for count in channels.values()]
    nodes = [
        helper.make_node("Conv", [picture, f"{name}_weight"], [name], strides=[kernel, kernel]) for name in channels
    ]
    given = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name, shape in inputs.items()]
    answers = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in channels]
    initial = [onnx.numpy_helper.from_array(weight, f"{name}_weight") for name, weight in zip(channels, weights)]
    graph = helper.make_graph(nodes, "graph", given, answers, initial)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)


def save_backbone(folder, kernel=16):
    save_graph(folder / "backbone.onnx", {"template": [1, 3, 128, 128]}, "template", {"features": 96}, kernel)


def save_tracking(folder, score=1):
    inputs = {"template_features": [1, 96, 8, 8], "search": [1, 3, 256, 256]}
    save_graph(folder / "tracking.onnx", inputs, "search", {"score": score, "size": 2, "offset": 2})


@pytest.fixture
def folder(tmp_path):
    """Graphs with the names and shapes of LightFC's."""
    save_backbone(tmp_path)
    save_tracking(tmp_path)
    return tmp_path


class Pictures:
    """Batches of two pairs."""

    def draw(self, step):
        random = torch.Generator().manual_seed(step)
        sides = {"template": 128, "search": 256}
        return {name: torch.rand(2, 3, side, side, generator=random) * 255 for name, side in sides.items()}


def test_a_teacher_answers_every_pair_of_a_batch():
    def teacher(template_bgr, search_bgr):
        assert template_bgr.dtype == np.uint8 and template_bgr.shape == (128, 128, 3)
        assert search_bgr.shape == (256, 256, 3)
        mean = search_bgr.mean(dtype=np.float32)
        return np.full((1, 16, 16), mean), np.full((4, 16, 16), mean)

    batch = TaughtBatches(Pictures(), teacher, threads=2).draw(0)
    assert batch["teacher_score"].shape == (2, 1, 16, 16) and batch["teacher_score"].dtype == torch.float32
    assert batch["teacher_boxes"].shape == (2, 4, 16, 16)
    mean = batch["search"].mean((1, 2, 3))[:, None, None, None].expand(2, 4, 16, 16)
    torch.testing.assert_close(batch["teacher_boxes"], mean, atol=0.6, rtol=0)


def test_boxes_of_a_teacher_lie_where_their_cells_are(folder):
    gray = np.full((256, 256, 3), 128, np.uint8)
    teacher = LightFcTeacher(folder)
    _, boxes = teacher.search(teacher.embed(gray[:128, :128]), gray)
    size = boxes[2, 0, 0]  # all maps of these graphs are alike, so it is the offset, too
    assert size != 0
    cells = np.arange(16, dtype=np.float32)
    np.testing.assert_allclose(boxes[0], np.tile((cells + size) / 16, (16, 1)), rtol=1e-5)
    np.testing.assert_allclose(boxes[1], boxes[0].T, rtol=1e-5)
    np.testing.assert_allclose(boxes[2:], size, rtol=1e-5)


def test_a_teacher_that_was_looked_at_answers_in_a_forked_process(folder):
    teacher = LightFcTeacher(folder)
    assert not teacher._sessions
    batches = TaughtBatches(Pictures(), teacher)
    answered = AheadInProcesses(batches, 1, workers=1).draw(0)
    assert not teacher._sessions
    expected = batches.draw(0)
    assert all(torch.equal(answered[name], value) for name, value in expected.items())


def swap(folder):
    (folder / "tracking.onnx").write_bytes((folder / "backbone.onnx").read_bytes())


@pytest.mark.parametrize(
    "spoil, words",
    [
        (lambda folder: (folder / "backbone.onnx").unlink(), "no backbone.onnx in"),
        (lambda folder: (folder / "backbone.onnx").write_bytes(b""), "cannot be used .*backbone.onnx"),
        (lambda folder: (folder / "tracking.onnx").write_bytes(b"no graph"), "cannot be used .*tracking.onnx"),
        (swap, "cannot be used .*expected LightFC's"),
        (lambda folder: save_backbone(folder, kernel=32), "cannot be used"),
        (lambda folder: save_tracking(folder, score=2), r"maps \[\(2, 16, 16\).*expected \[\(1, 16, 16\)"),
    ],
    ids=["missing", "empty", "damaged", "swapped", "features", "maps"],
)
def test_a_teacher_of_no_use_is_refused(folder, spoil, words):
    spoil(folder)
    with pytest.raises(WeightsError, match=words):
        LightFcTeacher(folder)
