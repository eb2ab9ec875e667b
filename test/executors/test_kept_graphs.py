# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Graphs that OpenVINO compiled earlier: when they are used, when not, and that they compute the same."""

import collections
import logging
import os
import subprocess
import sys

import numpy as np
import pytest
from full_disk import no_file_above

from siam_tracker_ros import WeightsError, create_tracker
from siam_tracker_ros.core.registry import find_model
from siam_tracker_ros.core.running import graph_file_name
from siam_tracker_ros.demo.scene import Scene
from siam_tracker_ros.executors import RUNTIMES, kept_graphs
from siam_tracker_ros.executors import openvino as runtime
from siam_tracker_ros.executors.openvino import OpenVino
from siam_tracker_ros.executors.quantize import quantize_graph
from siam_tracker_ros.executors.runtime import forget_loaded, load_shared, weights_files

onnx = pytest.importorskip("onnx")
pytest.importorskip("openvino")
pytestmark = pytest.mark.usefixtures("one_thread")

CHANNELS = 4
IMAGE = np.random.default_rng(0).random((1, CHANNELS, 16, 16), np.float32)
LITE = find_model("lite")


class CountedCore:
    """OpenVINO's core; it counts what it is asked for."""

    def __init__(self):
        self.calls = collections.Counter()
        self.properties = {}
        self.refuses = False

    def get_property(self, device, name):
        return self.properties.get(name) or real_core().get_property(device, name)

    def read_model(self, graph):
        return real_core().read_model(graph)

    def compile_model(self, *args):
        self.calls["compiled"] += 1
        return real_core().compile_model(*args)

    def import_model(self, *args):
        self.calls["imported"] += 1
        if self.refuses:
            raise RuntimeError("incompatible blob")
        return real_core().import_model(*args)


real_core = runtime._core


@pytest.fixture
def core(nothing_kept, monkeypatch, tmp_path, caplog):
    """A core that keeps what it compiles in an empty folder of this test."""
    caplog.set_level(logging.DEBUG)
    keep, recall = nothing_kept
    monkeypatch.setattr(kept_graphs, "keep", keep)
    monkeypatch.setattr(kept_graphs, "recall", recall)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    counted = CountedCore()
    monkeypatch.setattr(runtime, "_core", lambda: counted)
    return counted


def kept_files(tmp_path):
    return sorted((tmp_path / "cache").rglob("*.*"))


def layer(factor, location=None, folder=None):
    """A layer whose weights are all of one value: its graph, or its file, where the weights are in a file beside it."""
    shape = [1, CHANNELS, 16, 16]
    image, result = (onnx.helper.make_tensor_value_info(name, 1, shape) for name in ("image", "result"))
    values = np.full((CHANNELS, CHANNELS, 3, 3), factor, np.float32)
    weights = onnx.numpy_helper.from_array(values, "weights")
    node = onnx.helper.make_node("Conv", ["image", "weights"], ["result"], "layer", pads=[1, 1, 1, 1])
    graph = onnx.helper.make_graph([node], "layer", [image], [result], [weights])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    if location is None:
        return model.SerializeToString()
    path = folder / "net.layer.onnx"
    (folder / location).parent.mkdir(exist_ok=True)
    onnx.save(model, path, save_as_external_data=True, location=location, size_threshold=0)
    return path


def write_as_before(path, content):
    """Change a file's content, but neither its size nor its time."""
    before = path.stat()
    assert len(content) == before.st_size
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def run(path, threads=1, precision="fp32", inner_names=()):
    (result,) = OpenVino().load(path, threads, precision, inner_names)(IMAGE)
    return np.asarray(result)


@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8"])
def test_the_next_start_computes_the_same_without_compiling(core, tmp_path, precision):
    if precision == "bf16" and precision not in OpenVino().precisions():
        pytest.skip("this CPU has no bfloat16")
    path = tmp_path / "net.layer.onnx"
    graph = layer(0.3)
    if precision == "int8":
        pytest.importorskip("onnxruntime")
        graph = quantize_graph(graph, [(IMAGE,)] * 2)
    path.write_bytes(graph)
    first, second = (run(path, precision=precision) for _ in range(2))
    assert core.calls == {"compiled": 1, "imported": 1}
    (not_kept,) = OpenVino().load(graph, 1, precision)(IMAGE)
    assert core.calls["compiled"] == 2
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, not_kept)


def test_a_track_is_the_same_without_compiling(core):
    scene = Scene(size_wh=(320, 240), frames=7)
    results = []
    for number in range(2):
        forget_loaded()
        tracker = create_tracker("lite_online", device="cpu", runtime="openvino", precision="fp32")
        tracker.init(scene[0].image_bgr, scene[0].box_xywh)
        found = [tracker.track(frame.image_bgr) for frame in list(scene)[1:]]
        results.append([(*result.box_xywh, result.score, result.mask.sum()) for result in found])
        assert core.calls == {"compiled": 4} if number == 0 else {"compiled": 4, "imported": 4}
    assert results[0] == results[1]


def change_weights(path, core, monkeypatch):
    weights = path.parent / "net.weights"
    write_as_before(weights, np.full(weights.stat().st_size // 4, 0.5, np.float32).tobytes())


def change_time(path, core, monkeypatch):
    os.utime(path.parent / "net.weights", ns=(1, 1))


def change_graph(path, core, monkeypatch):
    write_as_before(path, path.read_bytes().replace(b"layer", b"Layer"))


def change_version(path, core, monkeypatch):
    monkeypatch.setattr("openvino.get_version", lambda: "2031.0.0")


def change_cpu(path, core, monkeypatch):
    core.properties["OPTIMIZATION_CAPABILITIES"] = ["FP32"]


@pytest.mark.parametrize("change", [change_weights, change_time, change_graph, change_version, change_cpu])
def test_a_change_is_compiled_anew(core, monkeypatch, tmp_path, change):
    path = layer(0.3, "net.weights", tmp_path)
    before = run(path)
    change(path, core, monkeypatch)
    after = run(path)
    assert core.calls == {"compiled": 2}
    np.testing.assert_allclose(after, before * (0.5 / 0.3 if change is change_weights else 1), rtol=1e-5)


@pytest.mark.parametrize("threads, precision", [(2, "fp32"), (1, "bf16")])
def test_other_options_are_compiled_anew(core, tmp_path, threads, precision):
    path = layer(0.3, "net.weights", tmp_path)
    run(path)
    run(path, threads, precision)
    run(path)
    assert core.calls == {"compiled": 2, "imported": 1}


def test_other_outputs_for_other_graphs_are_compiled_anew(core, tmp_path):
    if "bf16" not in OpenVino().precisions():
        pytest.skip("this CPU has no bfloat16")
    path = layer(0.3, "net.weights", tmp_path)
    before = run(path, precision="bf16")
    inner, again = (run(path, precision="bf16", inner_names=["result"]) for _ in range(2))
    assert core.calls == {"compiled": 2, "imported": 1}
    np.testing.assert_allclose(inner, before, rtol=2**-7)
    np.testing.assert_array_equal(inner, again)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: b"\n",
        lambda content: content[: len(content) // 2],
        lambda content: content + b"\0",
        lambda content: b"\xff" + content[1:],
        lambda content: content[:-1] + bytes([content[-1] ^ 1]),
        lambda content: content[:-1000] + bytes([content[-1000] ^ 64]) + content[-999:],
        lambda content: content.replace(b"net.layer", b"net.other", 1),
    ],
)
def test_what_is_damaged_is_compiled_anew(core, tmp_path, caplog, damage):
    path = layer(0.3, "net.weights", tmp_path)
    expected = run(path)
    (kept,) = kept_files(tmp_path)
    whole = kept.read_bytes()
    kept.write_bytes(damage(whole))
    np.testing.assert_array_equal(run(path), expected)
    assert core.calls == {"compiled": 2} and "is damaged, or of another graph; it is compiled again" in caplog.text
    run(path)
    assert core.calls == {"compiled": 2, "imported": 1}


def test_what_openvino_refuses_is_compiled_anew(core, tmp_path, caplog):
    path = layer(0.3, "net.weights", tmp_path)
    expected = run(path)
    core.refuses = True
    np.testing.assert_array_equal(run(path), expected)
    assert core.calls == {"compiled": 2, "imported": 1}
    assert "OpenVINO does not take what it compiled earlier (incompatible blob)" in caplog.text


@pytest.mark.parametrize("where", ["a file", "no home", "a full disk", "a folder"])
def test_where_nothing_can_be_kept_it_is_compiled_each_time(core, monkeypatch, tmp_path, caplog, where):
    path = layer(0.3, "net.weights", tmp_path)
    expected = run(path)
    (kept,) = kept_files(tmp_path)
    kept.unlink()
    if where == "a folder":
        kept.mkdir()
    elif where == "a file":
        monkeypatch.setenv("XDG_CACHE_HOME", str(path))
    elif where == "no home":

        def no_home():
            raise RuntimeError("Could not determine home directory.")

        monkeypatch.setenv("XDG_CACHE_HOME", "")
        monkeypatch.setattr("pathlib.Path.home", no_home)
    for _ in range(2):
        with no_file_above(500) if where == "a full disk" else no_file_above(2**30):
            np.testing.assert_array_equal(run(path), expected)
    assert core.calls == {"compiled": 3}
    assert caplog.text.count("what was compiled is not kept") == 2
    assert kept_files(tmp_path) == ([kept] if where == "a folder" else []), "no part of a file is left"


def test_files_that_change_meanwhile_are_not_kept(core, monkeypatch, tmp_path):
    path = layer(0.3, "net.weights", tmp_path)
    compile_model = core.compile_model

    def compile_and_change(*args):
        model = compile_model(*args)
        change_weights(path, core, monkeypatch)
        return model

    monkeypatch.setattr(core, "compile_model", compile_and_change)
    run(path)
    assert kept_files(tmp_path) == []


def test_a_graph_that_openvino_does_not_give_is_run_all_the_same(core, monkeypatch, tmp_path, caplog):
    path = layer(0.3, "net.weights", tmp_path)
    expected = run(path)
    (kept,) = kept_files(tmp_path)
    kept.unlink()

    def export_model(self, stream):
        raise RuntimeError("not implemented")

    monkeypatch.setattr("openvino.CompiledModel.export_model", export_model, raising=False)
    np.testing.assert_array_equal(run(path), expected)
    assert "OpenVINO does not give what it compiled (not implemented)" in caplog.text and kept_files(tmp_path) == []


def test_graphs_in_memory_are_not_kept(core, tmp_path):
    run(layer(0.3))
    assert core.calls == {"compiled": 1} and kept_files(tmp_path) == []


@pytest.mark.parametrize("location", ["net.weights", "deep/net.weights", f"{'é' * 99}.weights", "a b;c\n.weights"])
def test_the_weights_are_found(core, tmp_path, location):
    path = layer(0.3, location, tmp_path)
    before = kept_graphs.describe(path)
    assert "\n" not in before
    weights = tmp_path / location
    assert weights_files(path) == [weights]
    write_as_before(weights, bytes(weights.stat().st_size))
    assert kept_graphs.describe(path) != before


def test_the_weights_of_openvinos_own_format_are_found(core, tmp_path):
    import openvino

    path = tmp_path / "net.layer.xml"
    openvino.save_model(real_core().read_model(layer(0.3)), path, compress_to_fp16=False)
    np.testing.assert_array_equal(run(path), run(path))
    weights = path.with_suffix(".bin")
    write_as_before(weights, bytes(weights.stat().st_size))
    assert not run(path).any()
    assert core.calls == {"compiled": 2, "imported": 1}


def test_the_shipped_graphs_have_their_weights_in_one_file():
    folder = LITE.shipped_weights.parent
    for name in LITE.tracker_class.graph_names:
        path = folder / graph_file_name(LITE, name)
        assert weights_files(path) == [LITE.shipped_weights]


@pytest.mark.parametrize("name", list(RUNTIMES))
def test_a_graph_with_other_weights_is_not_shared(tmp_path, name):
    for package in RUNTIMES[name].packages:
        pytest.importorskip(package)
    path = layer(0.3, "net.weights", tmp_path)
    first = load_shared(RUNTIMES[name], "layer", path, 1, "fp32")
    assert load_shared(RUNTIMES[name], "layer", path, 1, "fp32") is first
    (before,) = first(IMAGE)
    weights = tmp_path / "net.weights"
    weights.write_bytes(bytes(weights.stat().st_size))
    os.utime(weights, ns=(1, 1))
    (after,) = load_shared(RUNTIMES[name], "layer", path, 1, "fp32")(IMAGE)
    assert before.any() and not after.any()


def test_weights_that_are_missing_are_named(core, tmp_path):
    path = layer(0.3, "net.weights", tmp_path)
    (tmp_path / "net.weights").unlink()
    with pytest.raises(WeightsError, match="net.layer.onnx cannot be loaded by openvino: .*; make it again"):
        load_shared(OpenVino(), "layer", path, 1, "fp32")
    assert kept_files(tmp_path) == []


def test_what_was_not_used_for_the_longest_time_makes_room(core, monkeypatch, tmp_path):
    for name in "abc":
        kept_graphs.keep(name, "", bytes(100))
    (folder,) = {path.parent for path in kept_files(tmp_path)}
    (folder / "killed.partial").write_bytes(bytes(100))
    for number, path in enumerate(kept_files(tmp_path)):
        os.utime(path, ns=(number, number))
    assert kept_graphs.recall("a", "") == bytes(100)
    monkeypatch.setattr(kept_graphs, "MAX_BYTES", 400)
    kept_graphs.keep("d", "", bytes(100))
    assert [path.name[0] for path in kept_files(tmp_path)] == ["a", "d", "k"]
    kept_graphs.keep("e", "", bytes(100))
    assert [path.name[0] for path in kept_files(tmp_path)] == ["a", "d", "e"]
    kept_graphs.keep("f", "", bytes(500))
    assert [path.name[0] for path in kept_files(tmp_path)] == ["a", "d", "e"], "what has no room is not kept"


KEEP_AND_RECALL = """
import os, sys
from siam_tracker_ros.executors import RUNTIMES, kept_graphs
sys.stdin.readline()
for number in range(200):
    kept_graphs.keep("graph", "description", bytes(100_000))
    assert kept_graphs.recall("graph", "description") == bytes(100_000), number
print(*os.listdir(os.environ["XDG_CACHE_HOME"] + "/siam_tracker_ros/graphs"))
"""


def test_several_processes_may_keep_the_same_graph(tmp_path):
    command = [sys.executable, "-c", KEEP_AND_RECALL]
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, env=environment, **pipes) for _ in range(2)]
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    names = [process.communicate(timeout=100)[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert len(min(names, key=len)) == 1, "of the last one to end, no partial file is left"


WITHOUT_CONVERTER = """
import os, sys
from siam_tracker_ros.executors import RUNTIMES
from siam_tracker_ros.executors.runtime import fault
assert fault(RUNTIMES["openvino"], "cpu") is None
import openvino
assert "openvino.tools.ovc" not in sys.modules and not os.listdir(os.environ["HOME"])
os.environ["CI"] = "true"  # its converter then sends nothing
assert not hasattr(openvino, "convert_models")
from openvino import convert_model
assert convert_model is openvino.convert_model is sys.modules["openvino.tools.ovc"].convert_model
"""


def test_openvino_is_imported_without_its_converter_until_a_program_asks_for_it(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "CI"} | {"HOME": str(tmp_path)}
    command = [sys.executable, "-c", WITHOUT_CONVERTER]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
