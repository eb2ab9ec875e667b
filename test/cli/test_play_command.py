# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import asyncio
import itertools
import re
import signal
import subprocess
import sys
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from cli_testing import run
from page_testing import connected

from siam_tracker_ros.data.box_files import read_results
from siam_tracker_ros.demo.scene import Scene, SceneSource

FRAMES = 8
BOX = [406.0, 245, 41, 56]  # of the target in the first frame of the rendered scene


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips") / "clip"
    folder.mkdir()
    for number, image_bgr in enumerate(itertools.islice(SceneSource(Scene()), FRAMES)):
        cv2.imwrite(str(folder / f"{number}.png"), image_bgr)
    return folder


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--host", "0.0.0.0", "--token", "short"], "token has 5 characters, expected at least 16"),
        (["--results", "missing/boxes.txt"], "folder missing does not exist"),
        (["--masks", "masks", "--model", "ocean"], "model ocean has no masks to write"),
        (["--topic", "/image"], "is not a bag"),
        (["--host", "203.0.113.1", "--token", "x" * 16], "the page cannot be served on 203.0.113.1, port 8642"),
        (["--port", "70000"], "port is 70000, expected 0 to 65535"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_played(arguments, words, clip, created, capsys):
    assert run("play", clip, *arguments) == 2
    out, err = capsys.readouterr()
    assert out == "" and words in err.splitlines()[0]


def test_without_aiohttp_it_is_said_what_to_install(clip, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    assert run("play", clip) == 2
    assert (
        'the page needs aiohttp, which is not installed; in the folder of this package run: pip install ".[page]"'
        in (capsys.readouterr().err)
    )


def test_a_box_is_drawn_followed_and_saved(clip, tmp_path):
    results, masks = tmp_path / "boxes.txt", tmp_path / "masks"
    command = [sys.executable, "-m", "siam_tracker_ros", "play", clip, "--port", "0", "--model", "lite"]
    command += ["--runtime", "onnx", "--precision", "fp32", "--results", results, "--masks", masks]
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        port = int(re.fullmatch(r"open http://127\.0\.0\.1:(\d+)/ in a browser; Ctrl-C ends\n", line)[1])

        async def mark():
            async with connected(SimpleNamespace(port=port)) as viewer:
                header, _ = await viewer.picture()
                assert (await viewer.receive("offer"))["title"] == "clip"
                answer = await viewer.ask("init", stamp_ns=header["stamp_ns"], box_xywh=BOX)
                while header["position"] != [FRAMES, FRAMES] or not header["paused"]:
                    header, _ = await viewer.picture()
                saved = await viewer.ask("save")
                return answer, header, saved, await viewer.ask("pause", paused=False)

        answer, header, saved, refused = asyncio.run(mark())
        assert answer["ok"] and saved["text"] == f"the results of {FRAMES} frames are in boxes.txt"
        assert not refused["ok"]
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, err
    assert f"{FRAMES} frames, a target in {FRAMES} of them, lost in 0" in err
    boxes_xywh, scores = read_results(results)
    assert boxes_xywh.shape == (FRAMES, 4) and np.array_equal(boxes_xywh[0], BOX) and scores[0] == 1
    assert header["targets"][0]["box_xywh"] == pytest.approx(boxes_xywh[-1], abs=0.01)
    assert sorted(path.name for path in masks.iterdir()) == [f"{number:05d}.png" for number in range(1, FRAMES)]
    outline = np.concatenate(header["targets"][0]["outline"])
    mask = cv2.imread(str(masks / f"{FRAMES - 1:05d}.png"), cv2.IMREAD_GRAYSCALE)
    x, y, width, height = cv2.boundingRect(mask)
    assert np.abs(outline.min(0) - [x + 0.5, y + 0.5]).max() <= 1.5
    assert np.abs(outline.max(0) - [x + width - 0.5, y + height - 0.5]).max() <= 1.5
