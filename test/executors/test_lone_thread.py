# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import gc
import threading

import numpy as np
import pytest
import torch

from siam_tracker_ros import create_tracker
from siam_tracker_ros.demo.scene import Scene
from siam_tracker_ros.executors.lone_thread import LoneThread

pytestmark = pytest.mark.slow


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def in_a_new_thread(function):
    answers = []
    thread = threading.Thread(target=lambda: answers.append(function()))
    thread.start()
    thread.join()
    return answers[0]


def test_torch_works_alone_in_it_and_as_before_elsewhere(three_threads):
    call = LoneThread()
    assert call(torch.get_num_threads) == 1
    assert torch.get_num_threads() == 3
    assert in_a_new_thread(torch.get_num_threads) == 3
    torch.set_num_threads(2)
    assert call(torch.get_num_threads) == 1


def test_it_answers_and_raises_as_the_function_does(three_threads):
    call = LoneThread()
    assert call(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        call(divmod, 7, 0)
    assert call(divmod, 9, 2) == (4, 1)
    assert call(threading.get_ident) == call(threading.get_ident) != threading.get_ident()


def test_its_thread_ends_with_it(three_threads):
    call = LoneThread()
    thread = call(threading.current_thread)
    assert thread.is_alive()
    del call
    gc.collect()
    thread.join(10)
    assert not thread.is_alive()


@pytest.mark.parametrize(("runtime", "expected"), [("torch", 3), ("onnx", 1), ("openvino", 1)])
def test_torch_works_alone_beside_a_runtime(three_threads, monkeypatch, runtime, expected):
    if runtime != "torch":
        pytest.importorskip("onnx")
        pytest.importorskip({"onnx": "onnxruntime"}.get(runtime, runtime))
    tracker = create_tracker("siamrpn_alex", weights="random", device="cpu", runtime=runtime)
    counts = []
    for name in ("encode_template", "propose"):
        method = getattr(tracker.network, name)
        monkeypatch.setattr(
            tracker.network, name, lambda *args, method=method: counts.append(torch.get_num_threads()) or method(*args)
        )
    scene = Scene(size_wh=(160, 120), frames=3)
    tracker.init(scene[0].image_bgr, np.array(scene[0].box_xywh))
    for frame in list(scene)[1:]:
        tracker.track(frame.image_bgr)
    assert counts == [expected] * 3
    assert torch.get_num_threads() == 3
