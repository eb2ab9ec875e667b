# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import queue
import threading
from types import SimpleNamespace

import pytest

from siam_tracker_ros.node.frame_buffer import Frame
from siam_tracker_ros.node.worker import LOOK_S, HungError, Worker


def frame(number=0):
    stamp = SimpleNamespace(sec=number, nanosec=0)
    return Frame(SimpleNamespace(data=bytes(10), header=SimpleNamespace(stamp=stamp)))


@pytest.fixture
def processed():
    return queue.Queue()


@pytest.fixture
def worker(processed):
    worker = Worker(
        lambda frame, skipped: processed.put((frame.msg.header.stamp.sec, skipped, threading.get_ident())),
        processed.put,
    )
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
    assert worker.waiting_frame().msg.header.stamp.sec == 3
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


def test_of_the_starts_of_a_type_only_the_newest_is_handed_on(worker, processed):
    gate = threading.Event()
    worker.submit(gate.wait, 10)
    for number in range(4):
        worker.offer_start(number)
        worker.offer_start(f"point {number}")
    gate.set()
    assert [processed.get(timeout=10) for _ in range(2)] == [3, "point 3"]
    worker.submit(lambda: None).result(10)
    assert processed.empty()


def test_a_flood_of_starts_does_not_stop_the_frames(processed):
    def flood(number):
        processed.put(number)
        if number < 3:
            worker.offer(frame(number))
            worker.offer_start(number + 1)

    worker = Worker(lambda frame, _: processed.put(f"frame {frame.msg.header.stamp.sec}"), flood)
    worker.offer_start(0)
    worked = [processed.get(timeout=10) for _ in range(7)]
    worker.close()
    assert worked == [0, "frame 0", 1, "frame 1", 2, "frame 2", 3]


def test_a_start_comes_before_the_frame_that_waits(worker, processed):
    gate = threading.Event()
    worker.submit(gate.wait, 10)
    worker.offer(frame(1))
    worker.offer_start("detection")
    gate.set()
    assert processed.get(timeout=10) == "detection"
    assert processed.get(timeout=10)[0] == 1


def test_what_is_dropped_is_not_processed(worker, processed):
    gate = threading.Event()
    worker.submit(gate.wait, 10)
    worker.offer(frame(1))
    worker.offer(frame(2))
    worker.offer_start("detection")
    worker.empty_slots()
    worker.offer(frame(3))
    gate.set()
    assert processed.get(timeout=10)[:2] == (3, 0)
    assert processed.empty()


def test_a_failing_job_tells_the_one_who_waits_and_the_thread_lives(worker):
    with pytest.raises(ZeroDivisionError):
        worker.submit(lambda: 1 / 0).result(10)
    assert worker.submit(lambda: 5).result(10) == 5


def test_close_finishes_the_job_that_runs_and_refuses_the_others(processed):
    worker = Worker(lambda *_: None, lambda _: None)
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


LIMIT_S = 0.3


class Hanging:
    """A worker with a limit, and jobs that hang until they are let go."""

    def __init__(self):
        self.changes = queue.Queue()
        self.done = queue.Queue()
        self.gate, self.entered = threading.Event(), threading.Event()
        self.worker = Worker(
            lambda frame, _: self.done.put(frame.msg.header.stamp.sec),
            self.done.put,
            limit_s=LIMIT_S,
            on_hang=lambda: self.changes.put(bool(self.worker.hang)),
        )

    def hang(self):
        self.entered.set()
        assert self.gate.wait(30)
        for _ in range(100):  # Python raises the exception between two of its instructions
            pass
        self.done.put("what came of it")
        return "an answer"


@pytest.fixture
def hanging():
    hanging = Hanging()
    yield hanging
    hanging.gate.set()
    hanging.worker.close()


def test_a_job_that_hangs_is_answered_and_so_are_those_behind_it(hanging):
    jobs = [hanging.worker.submit(hanging.hang), hanging.worker.submit(lambda: 5)]
    assert hanging.changes.get(timeout=10) is True
    jobs.append(hanging.worker.submit(lambda: 6))
    for job in jobs:
        with pytest.raises(HungError, match=r"has not returned for \d+ s, expected an answer within 0.3 s; if it does"):
            job.result(10)


def test_work_that_returns_after_all_is_given_up_and_the_thread_goes_on(hanging):
    job = hanging.worker.submit(hanging.hang)
    assert hanging.changes.get(timeout=10) is True
    hanging.worker.offer(frame(7))
    hanging.gate.set()
    assert hanging.changes.get(timeout=10) is False and hanging.worker.hang == ""
    assert hanging.done.get(timeout=10) == 7, "nothing comes of what was answered as refused"
    assert isinstance(job.exception(0), HungError)
    assert hanging.worker.submit(lambda: 5).result(10) == 5


def test_a_frame_that_hangs_can_be_left_behind_and_ends_by_itself(hanging):
    hanging.worker._on_frame = lambda *_: hanging.hang()
    hanging.worker.offer(frame())
    assert hanging.entered.wait(10)
    assert hanging.worker.close() is False and hanging.worker.is_alive
    with pytest.raises(RuntimeError, match="closed"):
        hanging.worker.submit(lambda: 5).result(0)
    hanging.gate.set()
    assert hanging.worker._ended.wait(10) and hanging.done.empty()
    assert hanging.worker.close() is True
    assert hanging.changes.get(timeout=10) is True and hanging.changes.empty()


def wait_for_looks(worker, count):
    """Wait until the watch has looked so often since the work began, or since it was told that the work goes on."""
    while worker._looks < count:
        threading.Event().wait(0.001)


def test_work_that_goes_on_bit_by_bit_does_not_hang(hanging):
    hanging.worker.limit_s = 1.0

    def work():
        for _ in range(12):
            wait_for_looks(hanging.worker, 1)
            hanging.worker.still_works()
        return "done"

    assert hanging.worker.submit(work).result(30) == "done" and hanging.changes.empty()


def test_waiting_for_work_is_no_hang(hanging):
    wait_for_looks(hanging.worker, 2 * LIMIT_S / LOOK_S)
    assert hanging.worker.submit(lambda: 5).result(10) == 5 and hanging.changes.empty()
