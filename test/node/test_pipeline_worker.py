# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import threading
import weakref
from types import SimpleNamespace

import pytest

from siam_tracker_ros.node.frame_buffer import Frame
from siam_tracker_ros.node.pipeline_worker import PipelineWorker


class ThreadNotes:
    """A stand-in for a Pipeline that notes in which threads it is made and called."""

    def __init__(self, frames):
        self.frames = frames
        self.threads = [threading.get_ident()]
        self.processed = threading.Event()

    def process(self, frame, skipped):
        self.threads.append(threading.get_ident())
        self.processed.set()

    def note(self):
        self.threads.append(threading.get_ident())
        return list(self.threads)


def frame(number):
    stamp = SimpleNamespace(sec=number, nanosec=0)
    return Frame(SimpleNamespace(data=bytes(10), header=SimpleNamespace(stamp=stamp)))


@pytest.fixture
def worker():
    worker = PipelineWorker(max_seconds=60, max_bytes=20)
    worker.make(ThreadNotes)
    yield worker
    worker.close()


def test_the_pipeline_is_made_and_called_in_one_thread(worker):
    processed = worker.call(lambda pipeline: pipeline.processed).result(10)
    worker.offer(frame(1))
    assert processed.wait(10)
    thread = worker.submit(threading.get_ident).result(10)
    threads = worker.call(ThreadNotes.note).result(10)
    assert threads == [thread] * 3 and thread != threading.get_ident()


def test_the_pipeline_is_freed_in_its_thread_before_the_cache_of_the_device(worker, monkeypatch):
    events = []
    pipeline = worker.call(weakref.ref).result(10)
    weakref.finalize(pipeline(), lambda: events.append(("pipeline", threading.get_ident())))
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.empty_cache", lambda: events.append(("cache", threading.get_ident())))
    thread = worker.submit(threading.get_ident).result(10)
    worker.close()
    assert events == [("pipeline", thread), ("cache", thread)] and pipeline() is None


def test_another_thread_cannot_reach_the_pipeline(worker):
    assert not vars(worker._own)
    worker.close()
    with pytest.raises(RuntimeError, match="closed"):
        worker.call(ThreadNotes.note).result(10)


def test_a_pipeline_that_cannot_be_made_is_told_and_the_thread_ends_with_the_worker():
    before = threading.active_count()
    worker = PipelineWorker(max_seconds=60, max_bytes=20)
    with pytest.raises(ZeroDivisionError):
        worker.make(lambda frames: 1 / 0)
    assert worker.close() and threading.active_count() == before


def test_frames_are_kept_for_a_late_init_until_they_are_forgotten(worker):
    frames = worker.call(lambda pipeline: pipeline.frames).result(10)
    gate = threading.Event()
    worker.submit(gate.wait, 10)
    for number in range(3):
        worker.offer(frame(number))
    assert [kept.msg.header.stamp.sec for kept in frames.kept_frames()] == [1, 2]
    assert frames.waiting_frame() is frames.kept_frames()[-1]
    assert worker.extent()[1] == 20
    gate.set()
    worker.forget_frames()
    assert frames.kept_frames() == [] and frames.waiting_frame() is None
