# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the runtimes answer in place of torch, which of them is chosen, and why."""

import importlib
import json
import subprocess
import sys
import threading
import types
import typing

import numpy as np
import pytest
import torch
from full_disk import no_file_above
from quick_networks import quick_network

from siam_tracker_ros import InvalidSettingError, WeightsError, create_tracker
from siam_tracker_ros.core.graphs import to_array
from siam_tracker_ros.core.loading import read_network
from siam_tracker_ros.core.registry import find_model, list_models, make_tracker_settings
from siam_tracker_ros.core.running import graph_files, ways_to_run
from siam_tracker_ros.core.session import TargetSession
from siam_tracker_ros.demo.scene import Scene
from siam_tracker_ros.executors import RUNTIMES, check_runtime, choice
from siam_tracker_ros.executors.device import prepare_for_inference
from siam_tracker_ros.executors.executor import GraphInput, RuntimeExecutor, TensorGraph, TorchExecutor
from siam_tracker_ros.executors.export import export_graph
from siam_tracker_ros.executors.onnx_runtime import OnnxRuntime
from siam_tracker_ros.executors.openvino import OpenVino
from siam_tracker_ros.executors.runtime import forget_loaded, is_installed, load_shared
from siam_tracker_ros.methods.lite.tracker import LiteTracker

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")


class Sums(torch.nn.Module):
    """Two methods of tensors; the weight is there to be seen in the graph."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor([2.0, 3.0, 5.0]).reshape(1, 3, 1, 1), requires_grad=False)

    def total(self, image):
        return (image * self.weight).sum((1, 2, 3))

    def parts(self, image, offset):
        return image + offset, image[:, :1] - offset


@pytest.fixture(params=list(RUNTIMES))
def runtime(request):
    for name in RUNTIMES[request.param].packages:
        pytest.importorskip(name)
    return RUNTIMES[request.param]


def load(runtime, function, *inputs):
    """A function of tensors, run by a runtime."""
    graph = runtime.load(export_graph(function, inputs), 1, "fp32")
    return TensorGraph(graph, returns_tensor=True)


@pytest.mark.parametrize("model", ["lite", "lite_online"])
def test_a_track_is_that_of_torch(runtime, model):
    scene = Scene(size_wh=(320, 240), frames=9)
    trackers = [create_tracker(model, device="cpu", runtime=name, precision="fp32") for name in ("torch", runtime.name)]
    assert [tracker.runtime for tracker in trackers] == ["torch", runtime.name]
    first, *others = (frame.image_bgr for frame in scene)
    for tracker in trackers:
        tracker.init(first, scene[0].box_xywh)
    for image_bgr in others:
        expected, result = (tracker.track(image_bgr) for tracker in trackers)
        assert expected.score > 0.5 and expected.mask.sum() > 100
        np.testing.assert_allclose(result.box_xywh, expected.box_xywh, rtol=0, atol=1e-3)
        assert (result.score, result.peak_ratio) == pytest.approx((expected.score, expected.peak_ratio), abs=1e-4)
        assert (result.mask != expected.mask).sum() <= 2, "only pixels at the threshold may differ"
        np.testing.assert_allclose(result.polygon, expected.polygon, atol=1.5)
        assert result.updated == expected.updated


@pytest.mark.parametrize("shape", [(1, 3, 8, 8), (3, 3, 1, 5)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_size_that_varies_may_be_any(runtime, shape, layout):
    sums = Sums().eval()
    image = torch.rand(shape).to(memory_format=layout)
    total = load(runtime, sums.total, GraphInput("image", (None, 3, None, None)))
    with torch.inference_mode():
        torch.testing.assert_close(total(image), sums.total(image))


@pytest.mark.parametrize(
    ("version", "may_spin"), [("1.15.0", "0"), ("1.25.1", "0"), ("1.26.0", "1"), ("1.31.1", "1"), ("2.0.0", "1")]
)
def test_threads_spin_where_it_can_be_bounded(monkeypatch, version, may_spin):
    onnxruntime = pytest.importorskip("onnxruntime")
    monkeypatch.setattr(onnxruntime, "__version__", version)
    entries = {}
    taken = onnxruntime.SessionOptions.add_session_config_entry

    def note(self, key, value):
        entries[key] = value
        taken(self, key, value)

    monkeypatch.setattr(onnxruntime.SessionOptions, "add_session_config_entry", note)
    load(OnnxRuntime(), Sums().eval().total, GraphInput("image", (1, 3, 4, 4)))
    assert entries["session.intra_op.allow_spinning"] == may_spin
    assert 0 < int(entries["session.intra_op.spin_duration_us"]) <= 100


def test_several_answers_are_a_tuple_and_stay_as_they_are(runtime):
    sums = Sums().eval()
    inputs = (GraphInput("image", (1, 3, 4, 4)), GraphInput("offset", (1, 1, 1, 1)))
    parts = TensorGraph(runtime.load(export_graph(sums.parts, inputs), 1, "fp32"), returns_tensor=False)
    image, offset = torch.rand(1, 3, 4, 4), torch.rand(1, 1, 1, 1)
    answer = parts(image, offset)
    parts(torch.rand(1, 3, 4, 4), torch.rand(1, 1, 1, 1))
    torch.testing.assert_close(answer, sums.parts(image, offset))


class Halves(typing.NamedTuple):
    """Outputs of a graph, which have these names in it."""

    small: torch.Tensor
    large: torch.Tensor


def halves(image):
    return Halves(image / 2, image * 2)


def joined(large, weight):
    return (large * weight).sum((1, 2, 3))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_what_only_another_graph_reads_may_stay_in_the_runtime(runtime, precision):
    if precision not in runtime.precisions():
        pytest.skip("this runtime or this CPU has no bfloat16")
    image, weight = GraphInput("image", (1, 3, 4, 4)), GraphInput("weight", (1, 3, 1, 1))
    joined_inputs = [GraphInput("large", image.shape), weight]
    first = runtime.load(export_graph(halves, [image]), 1, precision, ["large"])
    second = runtime.load(export_graph(joined, joined_inputs), 1, precision, ["large"])
    images = [torch.full(image.shape, value).numpy() for value in (0.25, 1.5)]
    weights = torch.ones(weight.shape).numpy()
    answers = [first(each) for each in images]  # those of the first call stay as they are
    for given, (small, kept) in zip(images, answers):
        assert isinstance(small, np.ndarray) and small.dtype == np.float32
        np.testing.assert_array_equal(small, given / 2)
        assert to_array(kept).dtype == np.float32
        np.testing.assert_array_equal(to_array(kept), given * 2)
        for large in (kept, to_array(kept)):  # the graph that made it may not name its outputs
            np.testing.assert_array_equal(second(large, weights)[0], [(given * 2).sum()])
    if runtime.name == "openvino":
        assert not isinstance(answers[0][1], np.ndarray)
    single = np.zeros(image.shape, np.float32)
    single[0, 0, 0, 0] = 1.005859375  # of bfloat16, 1.0078125 is the nearest and 1 the one below
    assert second(single, weights)[0][0] == (single[0, 0, 0, 0] if precision == "fp32" else 1.0078125)


def test_a_graph_may_be_called_from_several_threads(runtime):
    sums = Sums().eval()
    total = load(runtime, sums.total, GraphInput("image", (None, 3, None, None)))
    images = [torch.rand(1, 3, 64, 64) for _ in range(4)]
    wrong = []

    def work(image):
        expected = sums.total(image)
        wrong.extend(1 for _ in range(50) if not torch.allclose(total(image), expected, rtol=1e-4))

    threads = [threading.Thread(target=work, args=(image,)) for image in images]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize(
    "given, words",
    [
        ([torch.zeros(1, 3, 5, 5)], "invalid dimensions|shape"),
        ([torch.zeros(1, 3, 4, 4, dtype=torch.float64)], "Unexpected input data type|f64, expected f32"),
        ([torch.zeros(1, 3, 4, 4, dtype=torch.uint8)], "Unexpected input data type|u8, expected f32"),
        ([torch.zeros(1, 3, 4, 4)] * 2, r"zip|f32, f32, expected f32"),
        ([], "zip|inputs are none, expected f32"),
    ],
)
def test_what_does_not_fit_the_graph_is_refused(runtime, given, words):
    total = load(runtime, Sums().eval().total, GraphInput("image", (1, 3, 4, 4)))
    total(torch.zeros(1, 3, 4, 4))
    with pytest.raises(Exception, match=words):
        total(*given)


class CheckedRuntime:
    """A runtime that another package might bring: it counts the graphs it loads."""

    name = "checked"
    packages = ()

    def __init__(self):
        self.loaded = 0

    def precisions(self):
        return ("fp32",)

    def load(self, graph, threads, precision, inner_names=()):
        self.loaded += 1
        return OnnxRuntime().load(graph, threads, precision)


@pytest.fixture
def checked(monkeypatch):
    pytest.importorskip("onnxruntime")
    monkeypatch.setitem(RUNTIMES, "checked", CheckedRuntime())
    return RUNTIMES["checked"]


def test_a_new_runtime_is_one_class_and_one_line(checked):
    tracker = create_tracker("siamrpn_alex", weights="random", device="cpu", runtime="checked")
    scene = Scene(size_wh=(160, 120), frames=2)
    tracker.init(scene[0].image_bgr, scene[0].box_xywh)
    tracker.track(scene[1].image_bgr)
    assert tracker.runtime == "checked" and checked.loaded == 2


def test_the_trackers_of_a_process_share_their_graphs_and_free_them(checked):
    trackers = [create_tracker(model, device="cpu", runtime="checked") for model in ("lite", "lite_online", "lite")]
    first = len(LiteTracker.graph_names) - len(LiteTracker.late_names)
    assert checked.loaded == first
    del trackers
    create_tracker("lite", device="cpu", runtime="checked")
    assert checked.loaded == 2 * first
    source = export_graph(Sums().eval().total, [GraphInput("image", (1, 3, 4, 4))])
    kept = load_shared(checked, "total", source, 1, "fp32")
    assert load_shared(checked, "total", source, 1, "fp32") is kept
    assert load_shared(checked, "total", source, 2, "fp32") is not kept


@pytest.mark.parametrize("model", ["lite", "lite_online"])
def test_what_many_tracks_never_need_is_loaded_when_it_is_needed(checked, model):
    session = TargetSession(create_tracker(model, device="cpu", runtime="checked"))
    scene = Scene(size_wh=(160, 120), frames=2)
    session.init(scene[0].image_bgr, scene[0].box_xywh)
    seen = session.observe(scene[1].image_bgr)
    assert checked.loaded == 3
    assert seen.mask.any() and checked.loaded == 4
    session.warm_up()  # as a node does, in which no frame may wait for it
    assert checked.loaded == len(LiteTracker.graph_names)


@pytest.mark.parametrize(
    "runtime, device, precision, words",
    [
        ("ONNX", "cpu", "auto", "runtime is 'ONNX', expected one of auto, torch, onnx, openvino"),
        (
            "onnx",
            "cuda:0",
            "auto",
            "runtime is 'onnx', but it is for the CPU and the device is 'cuda:0'; use device",
        ),
        ("onnx", "cpu", "bf16", "but it computes in fp32 on this CPU and precision is 'bf16'; use precision 'auto'"),
        ("openvino", "cpu", "auto", "openvino cannot be imported .*; run `pip install openvino`, or runtime 'auto'"),
    ],
)
def test_a_runtime_that_cannot_be_is_refused(monkeypatch, runtime, device, precision, words):
    pytest.importorskip("onnxruntime")
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(InvalidSettingError, match=words):
        check_runtime(runtime, device, precision)


def use(monkeypatch, *packages, bf16=False):
    """Let only these runtimes be installed, on a CPU with bfloat16 or without."""
    for name in {"onnxruntime", "openvino"} - set(packages):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(OpenVino, "precisions", lambda self: ("fp32", "bf16") if bf16 else ("fp32",))


@pytest.mark.parametrize(
    "names, bf16, precisions, expected",
    [
        (["onnx"], False, ["fp32"], ["onnx in fp32"]),
        (["onnx", "openvino"], False, ["fp32", "bf16"], ["onnx in fp32", "openvino in fp32"]),
        (["onnx", "openvino"], True, ["fp32", "bf16"], ["onnx in fp32", "openvino in fp32", "openvino in bf16"]),
        (["onnx", "openvino"], True, ["fp32"], ["onnx in fp32", "openvino in fp32"]),
        (["onnx", "openvino"], True, ["bf16"], ["openvino in bf16"]),
        (["onnx", "openvino"], True, ["fp32", "int8"], ["onnx in fp32", "openvino in fp32"]),  # no graphs in int8
        (["openvino", "torch"], True, ["fp32", "bf16"], ["openvino in fp32", "openvino in bf16", "torch in fp32"]),
        (["torch"], True, ["fp32", "bf16"], ["torch in fp32"]),
    ],
)
def test_the_ways_among_which_is_chosen(monkeypatch, names, bf16, precisions, expected):
    use(monkeypatch, "onnxruntime", "openvino", bf16=bf16)
    assert [str(way) for way in ways_to_run(find_model("lite"), None, names, precisions)] == expected


@pytest.mark.parametrize("model", ["lite", "siamrpn_alex"])
@pytest.mark.parametrize("packages", [(), ("onnxruntime",), ("onnxruntime", "openvino")])
def test_bfloat16_is_refused_where_the_cpu_has_none(monkeypatch, model, packages):
    for name in packages:
        pytest.importorskip(name)
    use(monkeypatch, *packages)
    with pytest.raises(InvalidSettingError, match="'bf16', which needs OpenVINO and a CPU with bfloat16"):
        create_tracker(model, weights="random", device="cpu", precision="bf16")


def test_auto_is_torch_where_no_runtime_is_installed(monkeypatch):
    use(monkeypatch)
    tracker = create_tracker("lite", device="cpu")
    assert (tracker.runtime, tracker.precision, tracker.device) == ("torch", "fp32", "cpu")


@pytest.fixture
def measuring(measured, monkeypatch):
    """Measurements that are noted and made up."""
    seen = []

    def measure(trials):
        for run in trials.values():
            run()
        seen.append(list(trials))
        return {name: 1.0 + index for index, name in enumerate(reversed(trials))}  # the last one is the fastest

    monkeypatch.setattr(choice, "measure", measure)
    return seen


def test_auto_measures_once_and_remembers(measuring, monkeypatch, tmp_path):
    for name in ("onnxruntime", "openvino"):
        pytest.importorskip(name)
    monkeypatch.setattr(OpenVino, "precisions", lambda self: ("fp32",))
    chosen = [create_tracker("lite", device="cpu") for _ in range(2)]
    assert measuring == [["onnx in fp32", "openvino in fp32"]]
    assert {(tracker.runtime, tracker.precision) for tracker in chosen} == {("openvino", "fp32")}
    kept = json.loads((tmp_path / "siam_tracker_ros" / "runtimes.json").read_text())
    ((key, entry),) = kept.items()
    assert key.startswith("lite by onnx or openvino in fp32, ") and "openvino 20" in key
    assert entry["times_ms"] == {"openvino in fp32": 1.0, "onnx in fp32": 2.0}


@pytest.mark.parametrize("kept", ["tflite in fp32", "openvino in fp16", "openvino in bf16", "onnx", "torch in fp32"])
def test_a_remembered_way_that_cannot_be_is_measured_again(measuring, monkeypatch, kept):
    """As where two machines with CPUs of one name share the file."""
    for name in ("onnxruntime", "openvino"):
        pytest.importorskip(name)
    use(monkeypatch, "onnxruntime", "openvino")
    monkeypatch.setattr(choice, "recall", lambda key: kept)
    assert create_tracker("lite", device="cpu").runtime == "openvino" and len(measuring) == 1


@pytest.mark.parametrize("where", ["import", "load"])
def test_auto_leaves_out_a_runtime_that_fails(measuring, monkeypatch, caplog, where):
    for name in ("onnxruntime", "openvino"):
        pytest.importorskip(name)

    def fail(*_):
        raise RuntimeError("libopenvino.so: cannot open")

    if where == "import":
        real = importlib.import_module
        monkeypatch.setattr("importlib.import_module", lambda name: real("libopenvino" if name == "openvino" else name))
    else:
        monkeypatch.setattr(OpenVino, "load", fail)
        forget_loaded()
    assert create_tracker("lite", device="cpu").runtime == "onnx"
    if where == "import":
        assert not measuring and "openvino is left out: openvino cannot be imported (No module named" in caplog.text
    else:
        assert "openvino in fp32 is left out, it cannot run lite here" in caplog.text
        with pytest.raises(WeightsError, match="cannot be loaded by openvino: libopenvino.so: cannot open; make"):
            create_tracker("lite", device="cpu", runtime="openvino")


def test_a_folder_of_its_name_is_no_runtime(monkeypatch, tmp_path):
    (tmp_path / "onnx_like").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert not is_installed(types.SimpleNamespace(packages=("onnx_like",)))


@pytest.mark.parametrize("fastest", ["onnx", "openvino", "torch"])
def test_auto_runs_a_torch_network_by_the_fastest(measuring, monkeypatch, fastest):
    for name in ("onnx", "onnxruntime", "openvino"):
        pytest.importorskip(name)
    monkeypatch.setattr(OpenVino, "precisions", lambda self: ("fp32",))
    network = prepare_for_inference(quick_network("siamrcr"), CPU, torch.float32)
    monkeypatch.setattr("siam_tracker_ros.core.running._read_torch_network", lambda *_: network)
    monkeypatch.setattr(choice, "measure", lambda trials: {way: float(fastest not in way) for way in trials})
    tracker = create_tracker("siamrcr", device="cpu")
    assert tracker.runtime == fastest and bool(tracker.network.compiled) == (fastest != "torch")
    scene = Scene(size_wh=(160, 120), frames=2)
    tracker.init(scene[0].image_bgr, scene[0].box_xywh)
    assert np.isfinite(tracker.track(scene[1].image_bgr).box_xywh).all()


@pytest.mark.parametrize("content", [None, b"", b"[1]", b'{"x": 3}', b'{"x": {"times_ms": []}}', b"\xff"])
def test_a_memory_that_is_absent_or_damaged_is_replaced(measuring, tmp_path, content):
    path = tmp_path / "siam_tracker_ros" / "runtimes.json"
    if content is not None:
        path.parent.mkdir()
        path.write_bytes(content)
    assert choice.recall("x") is None
    assert choice.remember("x", {"slow": 3.0, "fast": 1.5}) == choice.recall("x") == "fast"


@pytest.mark.parametrize("folder", ["a file", "relative", "no home"])
def test_a_memory_that_cannot_be_written_is_done_without(measuring, monkeypatch, tmp_path, folder):
    (tmp_path / "file").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", {"a file": str(tmp_path / "file"), "relative": "here"}.get(folder, ""))
    if folder != "a file":

        def no_home():
            raise RuntimeError("Could not determine home directory.")

        monkeypatch.setattr("pathlib.Path.home", no_home)
    assert choice.remember("x", {"slow": 3.0, "fast": 1.5}) == "fast"
    assert choice.recall("x") is None


def test_a_memory_for_which_the_disk_is_full_is_done_without_and_the_older_one_stays(measuring, tmp_path, caplog):
    choice.remember("x", {"slow": 3.0, "fast": 1.5})
    before = choice.cache_path().read_bytes()
    with no_file_above(10), caplog.at_level("INFO"):
        assert choice.remember("y", {"slow": 1.0, "fast": 3.0}) == "slow"
    assert "runtime: the measurement is not kept (" in caplog.text
    assert list(choice.cache_path().parent.iterdir()) == [choice.cache_path()]
    assert choice.cache_path().read_bytes() == before and choice.recall("y") is None


def test_trials_are_timed_in_turns():
    order = []
    times = choice.measure({name: lambda name=name: order.append(name) for name in "ab"})
    assert set(times) == {"a", "b"} and min(times.values()) >= 0
    assert order[:2] == ["a", "b"] and order[2:6] == ["a", "a", "b", "b"] and len(order) == 2 + 4 * choice.MAX_ROUNDS


WITHOUT_TORCH = """
import sys
sys.modules.update(dict.fromkeys({missing!r}))
from siam_tracker_ros import TargetSession, create_tracker, list_models
from siam_tracker_ros.demo.scene import Scene
scene = Scene(size_wh=(320, 240), frames=12)
session = TargetSession(create_tracker())
session.init(scene[0].image_bgr, scene[0].box_xywh)
for number in range(1, 12):
    seen = session.observe(scene[number].image_bgr)
print(seen.state.name, seen.mask is not None, seen.polygon is not None, len(list_models()), session.tracker.runtime)
"""


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_lite_tracks_without_torch(runtime):
    pytest.importorskip(runtime)
    missing = ["torch", "onnx", *({"onnxruntime", "openvino"} - {runtime})]
    program = WITHOUT_TORCH.format(missing=missing)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300)
    name = {"onnxruntime": "onnx", "openvino": "openvino"}[runtime]
    assert done.stdout.split() == ["TRACKING", "True", "True", str(len(list_models())), name], done.stderr


def test_what_needs_torch_says_so_where_it_is_missing():
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "from siam_tracker_ros import InvalidSettingError, create_tracker\n"
        "for arguments in ({'model': 'ocean'}, {'runtime': 'torch'}, {'weights': 'x.pth'}, {'device': 'cuda'}):\n"
        "    try:\n"
        "        create_tracker(**arguments)\n"
        "    except InvalidSettingError as error:\n"
        "        print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300)
    lines = done.stdout.splitlines()
    assert len(lines) == 4 and all("needs torch, which is not installed" in line for line in lines), done


def test_the_shipped_graphs_are_those_of_the_shipped_weights(tmp_path):
    """A retrained or changed network needs new graphs: tools/ship_graphs.py."""
    pytest.importorskip("onnx")
    method = find_model("lite")
    network = prepare_for_inference(read_network(method, None), CPU, torch.float32)
    files = graph_files(method, method.shipped_weights.parent)
    assert files.keys() == network.graphs().keys()
    for name, (function, inputs) in network.graphs().items():
        tensors = [torch.rand([size or 1 for size in given.shape]) for given in inputs]
        tensors = [
            (255 * tensor).to(torch.uint8) if given.dtype == "uint8" else tensor
            for tensor, given in zip(tensors, inputs)
        ]
        with torch.inference_mode():
            answer = function(*tensors)
        expected = [answer] if isinstance(answer, torch.Tensor) else answer
        answers = OnnxRuntime().load(files[name], 1, "fp32")(*(tensor.numpy() for tensor in tensors))
        for given, right in zip(answers, expected, strict=True):
            np.testing.assert_allclose(given, right.numpy(), rtol=1e-3, atol=1e-3)
        assert files[name].stat().st_size < 100_000, "the weights are in the file of weights alone"


def test_what_only_graphs_of_lite_read_has_the_same_name_in_each():
    onnx = pytest.importorskip("onnx")
    method = find_model("lite")
    files = graph_files(method, method.shipped_weights.parent)
    graphs = {name: onnx.load(str(files[name]), load_external_data=False).graph for name in files}
    assert {value.name for value in graphs["search"].output} > set(LiteTracker.inner_names)
    for name in ("refine", "segment"):
        assert [value.name for value in graphs[name].input][:3] == list(LiteTracker.inner_names)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, model, search_side",
    [
        ("onnx", "siamrpn_alex", 287),
        ("onnx", "siamrpn_r50", 271),
        ("onnx", "siammask_base", None),
        ("onnx", "siammask_sharp", None),
        ("onnx", "ocean", 287),
        ("onnx", "ocean_online", 255),
        ("onnx", "siamrcr", 271),
        ("onnx", "gradnet", None),
        ("openvino", "siamrpn_alex", 287),
        ("openvino", "siammask_base", None),
        ("openvino", "siamrcr", 271),
        ("openvino", "gradnet", None),
    ],
)
def test_every_network_is_run_by_the_runtimes(name, model, search_side):
    """Sizes that vary are other than those that the graphs were made with."""
    for package in ("onnx", *RUNTIMES[name].packages):
        pytest.importorskip(package)
    trackers = []
    for executor in (TorchExecutor(), RuntimeExecutor(RUNTIMES[name])):
        torch.manual_seed(0)
        network = prepare_for_inference(quick_network(model), CPU, torch.float32)
        network.run_by(executor)
        method = find_model(model)
        settings = make_tracker_settings(method, None, {"search_side": search_side} if search_side else {})
        trackers.append(method.tracker_class(network, settings))
    assert not trackers[0].network.compiled and trackers[1].network.compiled
    scene = Scene(size_wh=(320, 240), frames=3)
    targets = [tracker.start(scene[0].image_bgr, scene[0].box_xywh) for tracker in trackers]
    for frame in list(scene)[1:]:
        steps = [tracker.step(frame.image_bgr, target) for tracker, target in zip(trackers, targets)]
        targets = [target for target, _ in steps]
        expected, result = (result for _, result in steps)
        np.testing.assert_allclose(result.box_xywh, expected.box_xywh, rtol=0, atol=1e-2)
        assert result.score == pytest.approx(expected.score, abs=1e-4)


def test_torch_gets_the_threads_that_were_asked_for_before_it_was_imported():
    program = (
        "import sys\n"
        "from siam_tracker_ros import create_tracker\n"
        "from siam_tracker_ros.executors.device import set_threads\n"
        "set_threads(1)\n"
        "assert 'torch' not in sys.modules\n"
        "create_tracker('lite', runtime='torch', device='cpu')\n"
        "import torch\n"
        "print(torch.get_num_threads())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300)
    assert done.stdout.split() == ["1"], done.stderr


def test_the_number_of_threads_that_the_user_gives_torch_later_stays():
    program = (
        "from siam_tracker_ros import create_tracker\n"
        "from siam_tracker_ros.executors.device import set_threads\n"
        "set_threads(1)\n"
        "create_tracker('lite', runtime='torch', device='cpu')\n"
        "import torch\n"
        "torch.set_num_threads(3)\n"
        "create_tracker('lite', runtime='torch', device='cpu')\n"
        "print(torch.get_num_threads())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300)
    assert done.stdout.split() == ["3"], done.stderr
