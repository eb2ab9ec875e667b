# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import queue
import threading
from types import SimpleNamespace

import pytest

from siam_tracker_ros.node.frame_buffer import Frame, FrameBuffer, catch_up_frames
from siam_tracker_ros.node.worker import Worker


def frame(number=0, size=10):
    stamp = SimpleNamespace(sec=number, nanosec=0)
    return Frame(SimpleNamespace(data=bytes(size), header=SimpleNamespace(stamp=stamp)))


@pytest.fixture
def processed():
    return queue.Queue()


@pytest.fixture
def worker(processed):
    worker = Worker(lambda frame, skipped: processed.put((frame.stamp[0], skipped, threading.get_ident())))
    yield worker
    worker.close()


def test_frames_and_jobs_run_in_one_thread(worker, processed):
    worker.offer(frame())
    thread = worker.submit(threading.get_ident).result(10)
    assert processed.get(timeout=10) == (0, 0, thread)
    assert thread != threading.get_ident()


def test_only_the_newest_frame_is_processed_and_the_others_are_counted(worker, processed):
    gate = threading.Event()
    worker.submit(gate.wait, 10)
    for number in range(4):
        worker.offer(frame(number))
    assert worker.waiting_frame().stamp == (3, 0)
    gate.set()
    assert processed.get(timeout=10)[:2] == (3, 3)
    worker.offer(frame(4))
    assert processed.get(timeout=10)[:2] == (4, 0)
    assert worker.waiting_frame() is None


def test_jobs_come_before_the_frame_that_waits_and_in_order(worker, processed):
    gate = threading.Event()
    worker.submit(gate.wait, 10)
    worker.offer(frame(1))
    jobs = [worker.submit(processed.put, name) for name in "ab"]
    gate.set()
    [job.result(10) for job in jobs]
    assert [processed.get(timeout=10) for _ in range(2)] == ["a", "b"]
    assert processed.get(timeout=10)[0] == 1


def test_a_dropped_frame_is_not_processed(worker, processed):
    gate = threading.Event()
    worker.submit(gate.wait, 10)
    worker.offer(frame(1))
    worker.offer(frame(2))
    worker.drop_frame()
    worker.offer(frame(3))
    gate.set()
    assert processed.get(timeout=10)[:2] == (3, 0)
    assert processed.empty()


def test_a_failing_job_tells_the_one_who_waits_and_the_thread_lives(worker):
    with pytest.raises(ZeroDivisionError):
        worker.submit(lambda: 1 / 0).result(10)
    assert worker.submit(lambda: 5).result(10) == 5


def test_close_finishes_the_job_that_runs_and_refuses_the_others(processed):
    worker = Worker(lambda *_: None)
    started, gate = threading.Event(), threading.Event()
    running = worker.submit(lambda: started.set() or gate.wait(10))
    waiting = worker.submit(lambda: 5)
    assert started.wait(10)
    closing = threading.Thread(target=worker.close)
    closing.start()
    with pytest.raises(RuntimeError, match="closed"):
        waiting.result(10)
    gate.set()
    closing.join(10)
    assert running.result(0) is True
    with pytest.raises(RuntimeError, match="closed"):
        worker.submit(lambda: 5).result(0)
    worker.close()


@pytest.mark.parametrize(
    "max_frames, max_bytes, sizes, kept",
    [
        (3, 1000, [], []),
        (3, 1000, [10] * 5, [2, 3, 4]),
        (9, 30, [10] * 5, [2, 3, 4]),
        (9, 29, [10] * 5, [3, 4]),
        (9, 5, [10] * 5, [4]),
        (1, 1000, [10] * 5, [4]),
        (0, 1000, [10] * 2, [1]),
        (9, 30, [10, 10, 30], [2]),
        (9, 30, [31, 0, 0], [1, 2]),
    ],
)
def test_the_buffer_is_bounded_and_keeps_the_newest(max_frames, max_bytes, sizes, kept):
    buffer = FrameBuffer(max_frames, max_bytes)
    for number, size in enumerate(sizes):
        buffer.append(frame(number, size))
    assert [f.stamp[0] for f in buffer.snapshot()] == kept
    buffer.clear()
    assert buffer.snapshot() == []
    buffer.append(frame(7, max_bytes))
    assert [f.stamp[0] for f in buffer.snapshot()] == [7]


@pytest.mark.parametrize(
    "frames, seconds_per_frame, chosen",
    [
        (1, 0.001, [1]),
        (1, 9.0, [1]),
        (8, 0.0, [1, 2, 3, 4, 5, 6, 7, 8]),
        (8, 0.05, [1, 2, 3, 4, 5, 6, 7, 8]),
        (8, 0.1, [2, 4, 6, 8]),
        (8, 0.2, [4, 8]),
        (8, 0.3, [8]),
        (8, 9.0, [8]),
        (7, 0.1, [2, 4, 7]),
    ],
)
def test_frames_to_catch_up_are_even_and_end_at_the_last(frames, seconds_per_frame, chosen):
    start, *later = [Frame(number, received=number / 10) for number in range(frames + 1)]
    assert [frame.msg for frame in catch_up_frames(start, later, seconds_per_frame)] == chosen
