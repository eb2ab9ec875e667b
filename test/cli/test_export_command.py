# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch
from cli_testing import run

from siam_tracker_ros import InvalidSettingError, WeightsError, create_tracker
from siam_tracker_ros.core.confidence import Calibration, Logistic, calibration_path
from siam_tracker_ros.core.registry import find_model
from siam_tracker_ros.core.running import graph_files
from siam_tracker_ros.demo.scene import Scene
from siam_tracker_ros.executors.onnx_runtime import OnnxRuntime
from siam_tracker_ros.methods.lite.network import LiteNetwork
from siam_tracker_ros.weights.checkpoint import save_weights

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

OWN = Calibration(*[Logistic(-1.0, {"score": 2.0})] * 3)


@pytest.fixture(scope="module")
def own_weights(tmp_path_factory):
    """Weights of lite that are not the shipped ones, with a calibration."""
    path = tmp_path_factory.mktemp("weights") / "own.safetensors"
    torch.manual_seed(5)
    save_weights(LiteNetwork(), path)
    OWN.write(calibration_path(path, "lite"))
    return path


def track(**arguments):
    scene = Scene(size_wh=(320, 240), frames=4)
    tracker = create_tracker("lite", device="cpu", **arguments)
    tracker.init(scene[0].image_bgr, scene[0].box_xywh)
    results = [tracker.track(scene[number].image_bgr) for number in range(1, 4)]
    return tracker, np.array([[*result.box_xywh, result.score, result.mask.sum()] for result in results])


@pytest.mark.parametrize("kind, runtime", [("onnx", "onnx"), ("onnx", "openvino"), ("openvino", "openvino")])
def test_what_is_exported_tracks_as_its_weights_do(tmp_path, own_weights, capsys, kind, runtime):
    if runtime == "openvino":
        pytest.importorskip("openvino")
    folder = tmp_path / "own"
    assert run("export", "lite", "--weights", own_weights, "--output", folder, "--format", kind) == 0
    out = capsys.readouterr().out
    assert out.count("of torch") == 4 and f"{folder}: give it as weights of lite" in out
    _, expected = track(weights=own_weights, runtime="torch")
    tracker, given = track(weights=folder, runtime=runtime)
    np.testing.assert_allclose(given[:, :5], expected[:, :5], atol=1e-3)
    np.testing.assert_allclose(given[:, 5], expected[:, 5], atol=3)
    assert tracker.calibration == OWN
    _, by_torch = track(weights=folder, runtime="torch")
    np.testing.assert_allclose(by_torch[:, :5], expected[:, :5], atol=1e-3)


def test_openvinos_own_format_is_for_openvino_alone(tmp_path, own_weights):
    pytest.importorskip("openvino")
    assert run("export", "lite", "--weights", own_weights, "--output", tmp_path, "--format", "openvino") == 0
    with pytest.raises(InvalidSettingError, match="for OpenVINO and the runtime is onnx; use runtime"):
        create_tracker("lite", weights=tmp_path, device="cpu", runtime="onnx")


def test_an_export_replaces_one_of_another_format(tmp_path, own_weights):
    pytest.importorskip("openvino")
    assert run("export", "lite", "--output", tmp_path, "--format", "openvino") == 0
    assert run("export", "lite", "--weights", own_weights, "--output", tmp_path) == 0
    _, expected = track(weights=own_weights, runtime="onnx")
    np.testing.assert_allclose(track(weights=tmp_path, runtime="onnx")[1][:, :5], expected[:, :5], atol=1e-3)


def test_a_published_model_is_exported_with_its_weights(tmp_path, capsys):
    assert run("export", "siamrpn_alex", "--weights", "random", "--output", tmp_path) == 0
    method = find_model("siamrpn_alex")
    files = graph_files(method, tmp_path)
    assert files.keys() == {"features", "respond"}
    features = OnnxRuntime().load(files["features"], 1, "fp32")
    (seen,) = features(np.zeros((1, 3, 287, 287), np.float32))
    assert seen.shape == (1, 256, 26, 26)
    tracker = create_tracker("siamrpn_alex", weights=tmp_path, device="cpu", runtime="torch")
    expected = create_tracker("siamrpn_alex", weights="random", device="cpu", runtime="torch").network.state_dict()
    for name, value in tracker.network.state_dict().items():
        torch.testing.assert_close(value, expected[name])


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["siamfoo"], "model is 'siamfoo', expected one of"),
        (["ocean"], "no weights come with ocean"),
        (["lite", "--weights", "absent.pth"], "no weights file"),
    ],
)
def test_what_cannot_be_exported_is_refused(tmp_path, capsys, arguments, words):
    assert run("export", *arguments, "--output", tmp_path / "out") == 2
    assert words in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_a_file_is_no_folder_to_write(tmp_path, capsys):
    (tmp_path / "out").write_text("kept")
    assert run("export", "lite", "--output", tmp_path / "out") == 2
    assert "out is a file, expected the name of a folder" in capsys.readouterr().err
    assert (tmp_path / "out").read_text() == "kept"


def test_a_graph_that_computes_something_else_is_not_kept(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("siam_tracker_ros.core.exporting.MAX_DIFFERENCE", -1.0)
    assert run("export", "lite", "--output", tmp_path) == 2
    assert "computes something else than torch: the largest difference is" in capsys.readouterr().err
    assert not list(tmp_path.glob("*.onnx"))


def test_a_folder_without_graphs_is_refused(tmp_path):
    with pytest.raises(
        WeightsError, match="no file lite.encode_target.onnx; give the folder that `siam-tracker export"
    ):
        create_tracker("lite", weights=tmp_path, device="cpu")


@pytest.mark.parametrize("content", [b"", b"no graph at all"])
def test_a_damaged_graph_is_refused(tmp_path, content):
    assert run("export", "lite", "--output", tmp_path, "--no-check") == 0
    (tmp_path / "lite.search.onnx").write_bytes(content)
    with pytest.raises(WeightsError, match=r"lite.search.onnx cannot be loaded by onnx: .*; make it again with `siam-"):
        create_tracker("lite", weights=tmp_path, device="cpu", runtime="onnx")
    (tmp_path / "lite.segment.onnx").unlink()
    with pytest.raises(WeightsError, match="has no file lite.segment.onnx"):
        create_tracker("lite", weights=tmp_path, device="cpu")
