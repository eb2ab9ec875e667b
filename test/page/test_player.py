# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The player of `siam-tracker play`, asked by a viewer."""

import asyncio
import contextlib
import signal
import threading
import time

import numpy as np
import pytest
from node_doubles import SquareTracker, scene
from page_testing import ANY_PORT, DEADLINE, Viewer, connected, until

from siam_tracker_ros.core.monitor import TargetState
from siam_tracker_ros.errors import IncompleteVideoError, InvalidInputError
from siam_tracker_ros.frames import FrameSource
from siam_tracker_ros.page.player import Player

COUNT = 12


def center(number):
    return 30.0 + 5 * number, 60.0


class Clip(FrameSource):
    """Frames in which the square moves by 5 pixels a frame.

    Attributes:
        read: how many were read.
        failure: raised after the last frame, when set.
    """

    fps = 200.0

    def __init__(self, images_bgr=None, failure=None):
        self.images_bgr = images_bgr or [scene(center(number)) for number in range(COUNT)]
        self.frame_count = len(self.images_bgr)
        self.failure = failure
        self.rewind()

    def __next__(self):
        if self.read == len(self.images_bgr):
            raise self.failure or StopIteration
        self.read += 1
        return self.images_bgr[self.read - 1]

    def rewind(self):
        self.read = 0


class Camera(FrameSource):
    """Gives a frame whenever a test lets it; `is_awaited` while it is asked for one."""

    live = True

    def __init__(self):
        self.number = -1
        self.gate = threading.Semaphore(1)
        self.is_awaited = False

    def __next__(self):
        self.is_awaited = True
        assert self.gate.acquire(timeout=DEADLINE)
        self.is_awaited = False
        self.number += 1
        return scene(center(self.number % COUNT))


class Playing:
    """A Player that runs in a thread, and what it has kept and saved."""

    def __init__(self, frames, saves=True):
        self.tracker = SquareTracker()
        self.kept = {}
        self.saved = []
        self.failure = None
        self.frames = frames
        save = self._save if saves else None
        self.player = Player(self.tracker, frames, "clip.mp4", ANY_PORT, self.kept.__setitem__, save)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def close(self):
        self.player.close()
        if isinstance(self.frames, Camera):
            self.frames.gate.release()
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive()

    @property
    def boxes(self):
        """Left edge of the box in each frame so far, None without one."""
        return [None if seen.box_xywh is None else seen.box_xywh[0] for seen in self.player.observations]

    def _save(self, observations):
        self.saved.append(len(observations))
        return "saved"

    def _run(self):
        try:
            self.player.run()
        except Exception as error:
            self.failure = error


def test_a_signal_that_does_not_interrupt_the_wait_for_a_command_ends_it():
    player = Player(SquareTracker(), Clip(), "clip.mp4", ANY_PORT, {}.__setitem__, None)

    def interrupt():  # in this thread: the main one goes on waiting
        while not player.observations:
            time.sleep(0.01)
        time.sleep(0.2)  # it is paused and waits
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)

    rescued = threading.Event()
    last_resort = threading.Timer(DEADLINE, lambda: (rescued.set(), player.close()))
    last_resort.start()
    threading.Thread(target=interrupt).start()
    with contextlib.closing(player):
        with pytest.raises(KeyboardInterrupt):
            player.run()
        assert not rescued.is_set(), "it was noticed only when the player was closed"
    last_resort.cancel()


@contextlib.contextmanager
def playing(frames=None, **options):
    run = Playing(frames or Clip(), **options)
    try:
        yield run
    finally:
        run.close()


def watch(run, see):
    """Run `see(viewer)` with a viewer of a player; return its result."""

    async def connect():
        async with connected(run.player.server) as viewer:
            return await see(viewer)

    return asyncio.run(connect())


async def frame(viewer: Viewer, number, paused=None):
    """Wait for the picture of frame `number`, from 1 on; return its header."""
    while True:
        header, _ = await viewer.picture()
        if header["position"][0] == number and paused in (None, header["paused"]):
            return header


def square(number, side=20):
    """The box of the square in a frame, from 0 on."""
    x, y = center(number)
    return [x - side / 2, y - side / 2, side, side]


LEFT = [center(number)[0] - 10 for number in range(COUNT)]


async def start(viewer, header, number):
    """Draw a box in a picture that was seen, at the square of frame `number`."""
    return await viewer.ask("init", stamp_ns=header["stamp_ns"], box_xywh=square(number))


def test_a_clip_waits_for_a_box_then_plays_to_its_end_and_is_saved():
    with playing() as run:

        async def see(viewer):
            first = await frame(viewer, 1)
            read = run.frames.read
            answer = await start(viewer, first, 0)
            return first, read, answer, await frame(viewer, COUNT, paused=True)

        first, read, answer, last = watch(run, see)
        assert first["paused"] and first["targets"] == [] and read == 1
        assert answer["ok"] and answer["text"] == "the target is held from frame 1 on"
        assert last["position"] == [COUNT, COUNT]
        assert last["targets"][0]["box_xywh"][0] == LEFT[-1]
        assert run.boxes == LEFT
        assert [seen.state for seen in run.player.observations] == [TargetState.TRACKING] * COUNT
        assert list(run.kept) == list(range(COUNT)) and run.saved == [COUNT]


def test_a_correction_in_a_frame_that_has_passed_replaces_what_came_after_it():
    with playing() as run:

        async def see(viewer):
            first = await frame(viewer, 1)
            await viewer.ask("init", stamp_ns=first["stamp_ns"], box_xywh=square(0, side=10))
            last = await frame(viewer, COUNT, paused=True)
            wrong = run.boxes[:]
            fourth = {"stamp_ns": str(round(3 / run.frames.fps * 1e9))}
            answer = await start(viewer, fourth, 3)
            assert (await frame(viewer, COUNT, paused=True))["stamp_ns"] == last["stamp_ns"]
            return wrong, answer

        wrong, answer = watch(run, see)
        assert answer["text"] == "the target is held from frame 4 on"
        assert wrong == [left + 5 for left in LEFT]
        assert run.boxes == wrong[:3] + LEFT[3:]
        assert run.saved == [COUNT, COUNT]


def test_after_the_start_again_the_results_are_shown_and_stay():
    with playing() as run:

        async def see(viewer):
            await start(viewer, await frame(viewer, 1), 0)
            await frame(viewer, COUNT, paused=True)
            ended = await viewer.ask("pause", paused=False)
            again = await viewer.ask("restart")
            header = await frame(viewer, 1, paused=True)
            seen = run.tracker.seen
            await viewer.ask("pause", paused=False)
            last = await frame(viewer, COUNT, paused=True)
            assert run.tracker.seen == seen
            return ended, again, header, last

        ended, again, header, last = watch(run, see)
        assert not ended["ok"] and "go back to the start" in ended["text"]
        assert again["ok"]
        assert header["targets"][0]["box_xywh"][0] == LEFT[0]
        assert last["targets"][0]["box_xywh"][0] == LEFT[-1]
        assert run.boxes == LEFT


def test_without_a_target_the_frames_have_no_box():
    with playing() as run:

        async def see(viewer):
            await start(viewer, await frame(viewer, 1), 0)
            await frame(viewer, COUNT, paused=True)
            await viewer.ask("restart")
            await frame(viewer, 1, paused=True)
            dropped = await viewer.ask("reset")
            await viewer.ask("pause", paused=False)
            return dropped, await frame(viewer, COUNT, paused=True)

        dropped, last = watch(run, see)
        assert dropped["ok"] and last["targets"] == []
        assert run.boxes == LEFT[:1] + [None] * (COUNT - 1)
        assert run.kept[COUNT - 1].state == TargetState.IDLE


@pytest.mark.parametrize(
    ("stamp_ns", "box_xywh", "words"),
    [
        ("1", [10, 10, 20, 20], "no frame of stamp 1 ns is kept, expected that of one of the last"),
        ("0", [500, 10, 20, 20], "outside"),
        ("0", [10, 10, 0.1, 0.1], "box"),
    ],
)
def test_a_box_that_cannot_be_used_is_refused_and_the_target_stays(stamp_ns, box_xywh, words):
    with playing() as run:

        async def see(viewer):
            await start(viewer, await frame(viewer, 1), 0)
            await frame(viewer, COUNT, paused=True)
            return await viewer.ask("init", stamp_ns=stamp_ns, box_xywh=box_xywh)

        refusal = watch(run, see)
        assert not refusal["ok"] and words in refusal["text"]
        assert run.boxes == LEFT


def test_a_failure_of_the_tracker_is_the_answer_to_the_box():
    with playing() as run:

        def fail(*_):
            raise RuntimeError("out of memory")

        run.tracker.start = fail

        async def see(viewer):
            return await start(viewer, await frame(viewer, 1), 0)

        assert watch(run, see)["text"] == "RuntimeError: out of memory"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("lost_confidence", 0.9, "are out of order"),
        ("lost_frames", 0, "lost_frames is 0, expected 1 to 1000"),
        ("lost_frames", 1.5, "expected a whole number"),
        ("lost_frames", "many", "expected a whole number"),
        ("search_share", True, "expected a number"),
    ],
)
def test_a_setting_that_cannot_be_used_is_refused(name, value, words):
    with playing() as run:

        async def see(viewer):
            before = (await viewer.receive("values"))["values"]
            refusal = await viewer.ask("set", name=name, value=value)
            done = await viewer.ask("set", name="lost_frames", value=3)
            after = (await viewer.receive("values"))["values"]
            return refusal, done, before, after

        refusal, done, before, after = watch(run, see)
        assert not refusal["ok"] and words in refusal["text"]
        assert done["text"] == "lost_frames is 3"
        assert after == before | {"lost_frames": 3}


def test_a_setting_counts_from_the_next_frame_on():
    with playing(Clip([scene(center(0)), *[scene(None)] * (COUNT - 1)])) as run:

        async def see(viewer):
            await viewer.ask("set", name="lost_frames", value=3)
            await start(viewer, await frame(viewer, 1), 0)
            await frame(viewer, COUNT, paused=True)

        watch(run, see)
        states = [seen.state for seen in run.player.observations]
        assert states.index(TargetState.LOST) == 3


def test_a_frame_of_another_size_has_no_box():
    images_bgr = [scene(center(number)) for number in range(4)]
    images_bgr[2] = scene(center(2), (200, 100))
    with playing(Clip(images_bgr)) as run:

        async def see(viewer):
            await start(viewer, await frame(viewer, 1), 0)
            third = await frame(viewer, 3)
            await frame(viewer, 4, paused=True)
            return third

        assert watch(run, see)["size_wh"] == [200, 100]
        assert run.boxes[:3] == LEFT[:2] + [None]


def test_a_video_that_is_cut_off_stays_open_and_is_told_at_the_end():
    with playing(Clip(failure=IncompleteVideoError("cut off"))) as run:

        async def see(viewer):
            await start(viewer, await frame(viewer, 1), 0)
            await frame(viewer, COUNT, paused=True)
            return await viewer.ask("restart")

        assert watch(run, see)["ok"]
    assert str(run.failure) == "cut off"


def test_an_image_that_cannot_be_read_ends_it():
    with playing(Clip(failure=InvalidInputError("0012.png is damaged"))) as run:

        async def see(viewer):
            await start(viewer, await frame(viewer, 1), 0)

        watch(run, see)
        run._thread.join(DEADLINE)
        assert str(run.failure) == "0012.png is damaged"
        assert run.boxes == LEFT


@pytest.mark.parametrize("saves", [False, True])
def test_what_cannot_be_done_is_not_offered(saves):
    with playing(Camera(), saves=saves) as run:

        async def see(viewer):
            return await viewer.receive("offer")

        assert watch(run, see)["commands"] == ["init", "reset", "pause", "set"] + ["save"] * saves
    with playing(saves=saves) as run:
        assert watch(run, see)["commands"] == ["init", "reset", "pause", "set", "restart"] + ["save"] * saves


def test_a_camera_does_not_wait_and_while_paused_nothing_is_looked_for():
    with playing(Camera()) as run:

        async def picture(viewer, number):
            """Let the camera take a frame; return its header."""
            run.frames.gate.release()
            stamp_ns = str(round(number / 30 * 1e9))
            while (header := (await viewer.picture())[0])["stamp_ns"] != stamp_ns:
                pass
            return header

        async def ask(viewer, type, **fields):
            """Ask, then let the camera take a frame: commands are looked at between two of them."""
            await until(lambda: run.frames.is_awaited)
            answer = asyncio.ensure_future(viewer.ask(type, **fields))
            await until(lambda: not run.player._commands.empty())
            run.frames.gate.release()
            return await answer

        async def see(viewer):
            header, _ = await viewer.picture()
            assert header["position"] is None and not header["paused"]
            second = await picture(viewer, 1)
            answer = await ask(viewer, "init", stamp_ns=second["stamp_ns"], box_xywh=square(1))
            tracked = await picture(viewer, 3)
            await ask(viewer, "pause", paused=True)
            paused = await picture(viewer, 5)
            return answer, tracked, paused

        answer, tracked, paused = watch(run, see)
    assert answer["ok"]
    assert tracked["targets"][0]["state"] == "TRACKING"
    assert paused["paused"] and paused["targets"][0]["state"] == "UNCERTAIN"
    assert paused["targets"][0]["box_xywh"] is None
    boxes = run.boxes
    assert boxes[0] is None and boxes[1:4] == LEFT[1:4] and boxes[5] is None


def test_frames_are_kept_within_bounds(monkeypatch):
    monkeypatch.setattr("siam_tracker_ros.page.player.KEPT_BYTES", 3 * scene(None).nbytes)
    with playing() as run:

        async def see(viewer):
            first = await frame(viewer, 1)
            await start(viewer, first, 0)
            await frame(viewer, COUNT, paused=True)
            return await start(viewer, first, 0)

        assert "expected that of one of the last 3" in watch(run, see)["text"]
        assert np.array_equal(run.player._kept[-1].image_bgr, run.frames.images_bgr[-1])
