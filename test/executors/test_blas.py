# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How many threads numpy's BLAS has while a frame is tracked, and afterwards."""

import threading

import pytest
from threadpoolctl import ThreadpoolController

from siam_tracker_ros import TargetSession, create_tracker
from siam_tracker_ros.demo.scene import Scene
from siam_tracker_ros.executors.blas import one_blas_thread
from siam_tracker_ros.methods.lite import online, online_filter


@pytest.fixture(autouse=True)
def two_blas_threads():
    """As many as the smallest machine has."""
    libraries = ThreadpoolController().select(user_api="blas")
    if not libraries.lib_controllers:
        pytest.skip("numpy has a BLAS here that threadpoolctl does not know")
    with libraries.limit(limits=2):
        yield


def counts():
    return {library["num_threads"] for library in ThreadpoolController().select(user_api="blas").info()}


def in_a_new_thread(function):
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


def test_it_is_one_inside_in_any_thread_and_as_before_outside():
    seen = []

    def enter():
        with one_blas_thread():
            seen.append(counts())

    before = counts()
    for call in (enter, lambda: in_a_new_thread(enter), enter, lambda: in_a_new_thread(enter)):
        call()
        assert counts() == before
    assert seen == [{1}] * 4


def test_it_stays_one_while_any_thread_is_inside():
    before, inside, leave = counts(), threading.Event(), threading.Event()

    def stay():
        with one_blas_thread():
            inside.set()
            leave.wait(30)

    thread = threading.Thread(target=stay)
    with one_blas_thread():
        thread.start()
        assert inside.wait(30)
    assert counts() == {1}
    leave.set()
    thread.join()
    assert counts() == before


def test_an_error_inside_gives_the_threads_back():
    before = counts()
    with pytest.raises(ValueError), one_blas_thread():
        raise ValueError
    assert counts() == before


def test_tracking_and_learning_use_one_thread(monkeypatch):
    seen = {}

    def noting(name, function):
        def run(*arguments):
            seen.setdefault(name, set()).update(counts())
            return function(*arguments)

        return run

    monkeypatch.setattr(online, "filter_scores", noting("tracking", online_filter.filter_scores))
    monkeypatch.setattr(online_filter, "correlate_adjoint", noting("learning", online_filter.correlate_adjoint))
    scene = Scene(size_wh=(320, 240), frames=14)
    session = TargetSession(create_tracker("lite_online", device="cpu"))
    session.init(scene[0].image_bgr, scene[0].box_xywh)
    updates = [session.observe(scene[number].image_bgr).updated for number in range(1, 14)]
    assert any(updates) and seen == {"tracking": {1}, "learning": {1}}
