# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The server of the TraX protocol: on its own, with vot-trax's client, and under the real vot-toolkit."""

import functools
import importlib.metadata
import io
import logging
import shlex
import subprocess
import sys

import cv2
import numpy as np
import pytest
from cli_testing import run
from vot_workspace import write_workspace

from siam_tracker_ros import InvalidInputError, create_tracker
from siam_tracker_ros.core.tracker import TrackResult
from siam_tracker_ros.evaluation.metrics import mask_iou
from siam_tracker_ros.toolkits.vot import ObjectTracker, region_box, result_region

trax = pytest.importorskip("trax", reason="vot-trax is not installed")

pytestmark = pytest.mark.slow
FRAMES = 8
COMMAND = f"{shlex.quote(sys.executable)} -m siam_tracker_ros vot --model lite --threads 1"
IMAGE_BGR = np.zeros((60, 80, 3), np.uint8)


def mask_region(rows, columns, x=0, y=0):
    mask = np.zeros((20, 30), np.uint8)
    mask[rows, columns] = 1
    return trax.Mask.create(mask, x=x, y=y)


@pytest.mark.parametrize(
    "make, box_xywh",
    [
        (lambda: trax.Rectangle.create(3.5, -2, 10, 20.25), (3.5, -2, 10, 20.25)),
        (lambda: trax.Polygon.create([(10.0, 20.0), (29.0, 20.0), (29.0, 25.0), (10.0, 25.0)]), (10, 20, 20, 6)),
        (
            lambda: trax.Polygon.create([(10.0, 5.0), (15.0, 10.0), (10.0, 15.0), (5.0, 10.0)]),
            (6.464, 6.464, 8.071, 8.071),
        ),
        (lambda: trax.Polygon.create([(1.0, 1.0), (5.0, 9.0), (2.0, 4.0)]), (1, 1, 5, 9)),
        (lambda: mask_region(slice(4, 9), slice(7, 20)), (7, 4, 13, 5)),
        (lambda: mask_region(slice(0, 1), slice(2, 3), x=10, y=6), (12, 6, 1, 1)),
    ],
    ids=["rectangle", "upright polygon", "rotated box of equal area", "triangle", "mask", "one pixel, shifted"],
)
def test_every_region_has_its_box(make, box_xywh):
    np.testing.assert_allclose(region_box(make()), box_xywh, atol=1e-3)


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: mask_region(slice(0, 0), slice(0, 0)), "the mask of a new object is empty"),
        (lambda: trax.Special.create(0), "has a special region, expected a rectangle, a polygon or a mask"),
    ],
)
def test_a_region_without_a_box_is_refused(make, words):
    with pytest.raises(InvalidInputError, match=words):
        region_box(make())


MASK = np.zeros((60, 80), bool)
MASK[10:20, 30:45] = True
CORNERS = np.array([[1.0, 3], [11, 2], [12, 7], [2, 8]])
UPRIGHT = np.array([[1.25, -2], [31.25, -2], [31.25, 2], [1.25, 2]])


@pytest.mark.parametrize(
    "kind, mask, polygon, answered",
    [
        ("rectangle", MASK, CORNERS, "rectangle"),
        ("polygon", MASK, CORNERS, "polygon"),
        ("polygon", MASK, UPRIGHT, "rectangle"),
        ("polygon", MASK, None, "rectangle"),
        ("mask", MASK, CORNERS, "mask"),
        ("mask", np.zeros_like(MASK), None, "mask"),
        ("mask", None, None, "rectangle"),
    ],
)
def test_the_answer_is_of_the_kind_that_was_asked(kind, mask, polygon, answered):
    region = result_region(TrackResult(np.array([1.25, -2, 30, 4]), 0.5, mask, polygon), kind)
    assert region.type == answered
    if answered == "rectangle":
        assert region.bounds() == (1.25, -2, 30, 4)
    elif answered == "polygon":
        assert list(region) == [tuple(corner) for corner in CORNERS]
    else:
        np.testing.assert_array_equal(region.array(normalize=True), mask)


class Counting:
    """A tracker whose targets are the box at the start and the number of frames since."""

    def start(self, image_bgr, box_xywh):
        return (tuple(box_xywh), 0)

    def step(self, image_bgr, target):
        box, frames = target
        return (box, frames + 1), TrackResult(np.array(box) + [frames + 1, 0, 0, 0], 0.5)


def test_objects_keep_their_order_and_may_start_later():
    objects = ObjectTracker(Counting())
    rectangles = [trax.Rectangle.create(*box) for box in ((1, 2, 3, 4), (10, 20, 5, 5), (30, 30, 2, 2))]

    def places(reply):
        return [region.bounds()[0] for region, _ in reply]

    assert objects.step(IMAGE_BGR) == []
    first = objects.start(IMAGE_BGR, rectangles[:2])
    assert places(first) == [1, 10]
    assert [properties for _, properties in first] == [{"confidence": 1.0}] * 2
    assert places([*objects.step(IMAGE_BGR), *objects.start(IMAGE_BGR, rectangles[2:])]) == [2, 11, 30]
    last = objects.step(IMAGE_BGR)
    assert places(last) == [3, 12, 31]
    assert [properties for _, properties in last] == [{"confidence": 0.5}] * 3
    objects.clear()
    assert objects.step(IMAGE_BGR) == []


@pytest.fixture
def client():
    """A client of TraX beside a server in a process of its own."""
    from trax.client import Client

    server = subprocess.Popen(shlex.split(COMMAND), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    log = lambda text: None  # noqa: E731, without one the client of vot-trax 4.0.2 does not start
    client = Client(stream=(server.stdin.fileno(), server.stdout.fileno()), timeout=120, log=log)
    yield client, server
    server.kill()
    server.wait()
    client._handle.ref.finalizer = None  # it crashes where the client's log function was collected before it


def test_a_client_is_answered_and_told_of_a_frame_that_cannot_be_read(client, tmp_path):
    client, server = client
    assert client.get("multiobject")
    assert client.tracker_name == "lite"
    assert set(client.region_formats) == {"rectangle", "polygon", "mask"}
    rng = np.random.default_rng(0)
    image = {"color": trax.FileImage.create(str(tmp_path / "0.png"))}
    cv2.imwrite(str(tmp_path / "0.png"), rng.integers(0, 256, (60, 80, 3)).astype(np.uint8))
    ((region, properties),), _ = client.initialize(image, [(trax.Rectangle.create(10, 12, 20, 15), {})], {})
    assert region.bounds() == (10, 12, 20, 15)
    assert float(properties["confidence"]) == 1
    ((region, properties),), _ = client.frame(image, {}, [])
    assert region.type == "rectangle"
    assert 0 <= float(properties["confidence"]) <= 1
    (tmp_path / "1.png").write_bytes(b"no image")
    with pytest.raises(trax.TraxException):
        client.frame({"color": trax.FileImage.create(str(tmp_path / "1.png"))}, {}, [])
    assert server.wait(60) == 2


def test_a_client_that_is_gone_or_is_none_is_named():
    done = subprocess.run(shlex.split(COMMAND), stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 2
    assert "the TraX client is gone, or standard input has no such client" in done.stderr
    assert "a workspace whose path has ASCII letters alone" in done.stderr


def test_a_terminal_is_told_where_the_command_belongs(monkeypatch, capsys):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stdin", terminal)
    assert run("vot", "--model", "lite_online") == 2
    assert "trackers.ini: protocol = trax and command = siam-tracker vot --model lite_online" in capsys.readouterr().err


def toolkit_version():
    pytest.importorskip("vot", reason="vot-toolkit is not installed")
    return tuple(map(int, importlib.metadata.version("vot-toolkit").split(".")[:2]))


def evaluate(folder, experiment):
    """Run one experiment of a workspace in the toolkit; return a function of a name that reads a trajectory."""
    from vot.experiment import run_experiment
    from vot.tracker import Trajectory
    from vot.workspace import Workspace

    workspace = Workspace.load(str(folder))
    logging.getLogger("vot").setLevel(logging.ERROR)
    experiment, tracker = workspace.stack[experiment], workspace.registry["lite"]
    run_experiment(experiment, tracker, workspace.dataset)
    results = experiment.results(tracker, workspace.dataset["rover"])
    return functools.partial(Trajectory.read, results)


@pytest.fixture(scope="module")
def tracker():
    return create_tracker("lite", precision="fp32")


def follow(tracker, images_bgr, box_xywh):
    """The results in the frames after the first."""
    tracker.init(images_bgr[0], box_xywh)
    return [tracker.track(image_bgr) for image_bgr in images_bgr[1:]]


def rectangles(trajectory):
    return np.array([[r.x, r.y, r.width, r.height] for r in map(trajectory.region, range(1, len(trajectory)))])


@pytest.mark.parametrize("experiment", ["unsupervised", "supervised", "multistart"])
def test_vot_toolkit_gets_what_the_tracker_finds(tmp_path, tracker, experiment):
    if experiment != "unsupervised" and toolkit_version() >= (0, 8):
        pytest.skip("vot-toolkit 0.8.0 to 0.9.0 run no tracker in supervised and multistart experiments; 0.7.4 does")
    toolkit_version()
    images_bgr, boxes_xywh = write_workspace(tmp_path, {"lite": COMMAND}, FRAMES)
    read = evaluate(tmp_path, experiment)
    runs = {"rover_001": (images_bgr, boxes_xywh[0])}
    if experiment == "multistart":
        runs = {
            "rover_00000000": (images_bgr, boxes_xywh[0]),
            f"rover_{FRAMES - 1:08d}": (images_bgr[::-1], boxes_xywh[-1]),
        }
    for name, start in runs.items():
        found = follow(tracker, *start)
        trajectory = read(name)
        np.testing.assert_allclose(rectangles(trajectory), [result.box_xywh for result in found], atol=0.01)
        given = [float(trajectory.properties(frame)["confidence"]) for frame in range(1, FRAMES)]
        np.testing.assert_allclose(given, [result.score for result in found], atol=1e-3)


def test_several_objects_are_answered_in_the_kinds_that_they_were_given_in(tmp_path, tracker):
    later = 3 if toolkit_version() >= (0, 8) else 0  # 0.7.4 asks for objects that start later by their first frame
    objects = {"box": ("rectangle", 0), "corners": ("polygon", later), "mask": ("mask", 0)}
    images_bgr, boxes_xywh = write_workspace(tmp_path, {"lite": COMMAND}, FRAMES, objects)
    read = evaluate(tmp_path, "several")
    found = follow(tracker, images_bgr, boxes_xywh[0])
    boxes = rectangles(read("rover_box_001"))
    np.testing.assert_allclose(boxes, [result.box_xywh for result in found], atol=0.01)
    last = read("rover_corners_001").region(FRAMES - 1)
    corners = follow(tracker, images_bgr[later:], boxes_xywh[later])[-1].polygon
    np.testing.assert_allclose([last[index] for index in range(last.size)], corners, atol=0.01)
    last, whole = read("rover_mask_001").region(FRAMES - 1), np.zeros(images_bgr.shape[1:3], bool)
    (x, y), (rows, columns) = last.offset, last.mask.shape
    whole[y : y + rows, x : x + columns] = last.mask
    assert mask_iou(whole, found[-1].mask) > 0.9  # its box was that of the mask, which is not quite the same
