# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import contextlib
import dataclasses
import io
import shutil

import cv2
import numpy as np
import pytest
import torch
from cli_testing import run
from full_disk import no_file_above

from siam_tracker_ros import InvalidSettingError, WeightsError, create_tracker
from siam_tracker_ros.core import exporting
from siam_tracker_ros.core.confidence import Calibration, Logistic, calibration_path
from siam_tracker_ros.core.registry import find_model
from siam_tracker_ros.core.running import graph_files
from siam_tracker_ros.demo.scene import Scene
from siam_tracker_ros.evaluation import precisions
from siam_tracker_ros.executors.onnx_runtime import OnnxRuntime
from siam_tracker_ros.methods.lite.network import LiteNetwork
from siam_tracker_ros.weights.checkpoint import save_weights

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

OWN = Calibration(*[Logistic(-1.0, {"score": 2.0})] * 3)
LITE = find_model("lite")


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
    assert out.count("of torch") == 5 and f"{folder}: give it as weights of lite" in out
    _, expected = track(weights=own_weights, runtime="torch")
    tracker, given = track(weights=folder, runtime=runtime)
    np.testing.assert_allclose(given[:, :5], expected[:, :5], atol=1e-3)
    np.testing.assert_allclose(given[:, 5], expected[:, 5], atol=3)
    assert tracker.calibration == OWN
    _, by_torch = track(weights=folder, runtime="torch")
    np.testing.assert_allclose(by_torch[:, :5], expected[:, :5], atol=1e-3)


@pytest.mark.parametrize("kind", ["onnx", "openvino"])
def test_a_full_disk_is_a_sentence_and_leaves_no_half_a_graph(tmp_path, own_weights, capsys, monkeypatch, kind):
    if kind == "openvino":
        pytest.importorskip("openvino")
    monkeypatch.setattr(exporting, "save_weights", lambda *_: None)  # of another size than the graphs
    with no_file_above(5000):
        status = run("export", "lite", "--weights", own_weights, "--output", tmp_path, "--format", kind, "--no-check")
    assert status == 2
    assert f"error: {tmp_path / 'lite.encode'}" in capsys.readouterr().err
    assert {path.suffix for path in tmp_path.iterdir()} == {".json"}, "the calibrations"


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
    files = graph_files(find_model("siamrpn_alex"), tmp_path)
    assert files.keys() == {"features", "respond"}
    features = OnnxRuntime().load(files["features"], 1, "fp32")
    (seen,) = features(np.zeros((1, 3, 287, 287), np.float32))
    assert seen.shape == (1, 256, 26, 26)
    tracker = create_tracker("siamrpn_alex", weights=tmp_path, device="cpu", runtime="torch")
    expected = create_tracker("siamrpn_alex", weights="random", device="cpu", runtime="torch").network.state_dict()
    for name, value in tracker.network.state_dict().items():
        torch.testing.assert_close(value, expected[name])
    files["respond"].write_bytes(b"damaged")  # the files are run, and not graphs that are made anew
    with pytest.raises(WeightsError, match="siamrpn_alex.respond.onnx cannot be loaded by onnx"):
        create_tracker("siamrpn_alex", weights=tmp_path, device="cpu", runtime="onnx")


@pytest.mark.parametrize("kind", ["onnx", "openvino"])
def test_weights_in_half_the_size_track_alike(tmp_path, own_weights, kind):
    pytest.importorskip(kind.replace("onnx", "onnxruntime"))
    command = "export", "lite", "--weights", own_weights, "--output", tmp_path, "--format", kind
    assert run(*command, "--precision", "fp16") == 0
    weights = tmp_path / f"lite.search.{'bin' if kind == 'openvino' else 'onnx'}"
    assert weights.stat().st_size < 0.6 * 4 * LITE.count_parameters()
    (_, expected), (tracker, given) = track(weights=own_weights, runtime="onnx"), track(weights=tmp_path, runtime=kind)
    assert tracker.precision == "fp32"
    np.testing.assert_allclose(given[:, :4], expected[:, :4], atol=0.1)


@pytest.fixture(scope="module")
def sequences(tmp_path_factory):
    """A labelled sequence as files."""
    folder = tmp_path_factory.mktemp("data") / "rover"
    scene = Scene(size_wh=(320, 240), frames=5)
    (folder / "img").mkdir(parents=True)
    for number, frame in enumerate(scene):
        cv2.imwrite(str(folder / "img" / f"{number:04d}.png"), frame.image_bgr)
    np.savetxt(folder / "groundtruth.txt", [frame.box_xywh for frame in scene], "%g", ",")
    return folder.parent


@pytest.fixture(scope="module")
def quantized(tmp_path_factory, sequences):
    """The shipped lite in int8, calibrated with three frames, and what the command has said."""
    folder = tmp_path_factory.mktemp("int8")
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as said:
        patch.setattr(precisions, "SAMPLE_FRAMES", 3)
        assert run("export", "lite", "--output", folder, "--precision", "int8", "--calibrate-with", sequences) == 0
    return folder, said.getvalue()


def test_int8_is_measured_and_its_loss_is_kept(quantized):
    folder, said = quantized
    assert graph_files(LITE, folder).keys() == {"encode_target", "search", "refine", "segment", "encode"}
    assert graph_files(LITE, folder, "int8").keys() == {"search", "refine", "segment"}, "what runs in each frame"
    rows = {tuple(line.split()[:2]): line.split() for line in said.splitlines() if line.startswith(("fp32 ", "int8 "))}
    loss = max(float(row[3]) for (precision, _), row in rows.items() if precision == "int8")
    kept = Calibration.read(calibration_path(folder, "lite"))
    assert kept == dataclasses.replace(kept, losses={"bf16": kept.losses["bf16"], "int8": loss}) and loss < 0.1
    assert f"int8: costs {loss:.4f} mean IoU" in said


@pytest.mark.parametrize("runtime", ["onnx", "openvino"])
def test_int8_tracks_almost_as_float32_does(quantized, runtime):
    pytest.importorskip(runtime.replace("onnx", "onnxruntime"))
    folder, _ = quantized
    tracker, given = track(weights=folder, runtime=runtime, precision="int8")
    exact, expected = track(weights=folder, runtime=runtime, precision="fp32")
    assert (tracker.runtime, tracker.precision, exact.precision) == (runtime, "int8", "fp32")
    assert 0 < np.abs(given[:, :4] - expected[:, :4]).max() < 8
    np.testing.assert_allclose(expected, track(runtime=runtime, precision="fp32")[1], atol=1e-2)


def test_a_new_export_removes_graphs_in_int8_and_their_loss(quantized, tmp_path, capsys):
    folder = shutil.copytree(quantized[0], tmp_path / "lite")
    assert run("export", "lite", "--output", folder, "--no-check") == 0
    assert not graph_files(LITE, folder, "int8")
    assert Calibration.read(calibration_path(folder, "lite")).losses.keys() == {"bf16"}
    with pytest.raises(
        InvalidSettingError, match="'int8', which needs .* `siam-tracker export MODEL --precision int8`"
    ):
        create_tracker("lite", weights=folder, device="cpu", precision="int8")


@pytest.mark.parametrize(
    "options, words",
    [
        (["--precision", "int8"], "give labelled sequences with --calibrate-with SEQUENCES_DIR"),
        (["--precision", "fp16", "--calibrate-with", "."], "is for --precision int8, and precision is fp16; leave one"),
        (["--calibrate-with", "."], "is for --precision int8, and precision is fp32"),
        (["--precision", "int8", "--calibrate-with", "absent"], "absent is not a folder, expected a folder of seq"),
        (["--precision", "int8", "--calibrate-with", "EMPTY"], "has no sequence in it"),
        (["--precision", "bf16"], "invalid choice: 'bf16'"),
    ],
)
def test_what_cannot_be_quantized_is_refused(tmp_path, capsys, options, words):
    (tmp_path / "empty").mkdir()
    options = [tmp_path / "empty" if option == "EMPTY" else option for option in options]
    assert run("export", "lite", "--output", tmp_path / "out", *options) == 2
    assert words in capsys.readouterr().err and not (tmp_path / "out").exists()


@pytest.mark.parametrize("of_the_package", [True, False])
def test_all_models_of_the_weights_get_their_calibration(tmp_path, own_weights, of_the_package):
    kept = calibration_path(tmp_path, "lite_online")
    dataclasses.replace(OWN, losses={"int8": 0.0}).write(kept)  # of what was in the folder before
    weights = LITE.shipped_weights if of_the_package else own_weights
    assert run("export", "lite", "--weights", weights, "--output", tmp_path, "--no-check") == 0
    shipped = Calibration.read(calibration_path(LITE.shipped_weights, "lite_online"))
    assert Calibration.read(kept) == (shipped if of_the_package else dataclasses.replace(shipped, losses={}))


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
