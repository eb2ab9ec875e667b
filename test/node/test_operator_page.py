# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The operator's page of the node, over DDS and with real connections."""

import asyncio
import socket
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from node_doubles import SquareTracker, TurnedSquareTracker, scene
from page_testing import connected, decoded
from pattern_tracker import TARGET, PatternTracker, box_at, draw
from rclpy.parameter import Parameter
from ros_testing import (
    Operator,
    graph_fixture,  # noqa: F401
    parameter_overrides,
)

from siam_tracker_ros.node.messages import stamp_to_ns
from siam_tracker_ros.node.tracker_node import TrackerNode
from siam_tracker_ros.page import server as server_module

CENTER = (80.0, 60.0)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Setup:
    """A tracker node with a page, and its operator."""

    def __init__(self, graph, tracker_class=SquareTracker, **parameters):
        self.port = free_port()
        parameters = {"operator_page": True, "operator_page_port": self.port, "lost_frames": 3} | parameters
        self.operator = Operator(graph)
        self.node = graph.add(
            TrackerNode(
                tracker_class,
                context=graph.context,
                use_global_arguments=False,
                parameter_overrides=parameter_overrides(diagnostics_period=0.1, **parameters),
            )
        )

    def watch(self, see):
        """Run `see(viewer)`; return its result."""

        async def connect():
            async with connected(SimpleNamespace(port=self.port)) as viewer:
                return await see(viewer)

        return asyncio.run(connect())


@pytest.fixture
def setup(graph):
    setup = Setup(graph, TurnedSquareTracker)
    setup.operator.wait_for_camera_link()
    return setup


async def frame(setup, viewer, image_bgr):
    """Publish an image; return its header, and header and JPEG of its picture."""
    header = await asyncio.to_thread(setup.operator.send, image_bgr)
    while True:
        picture, jpeg = await viewer.picture()
        if picture["stamp_ns"] == str(stamp_to_ns(header.stamp)):
            return header, picture, jpeg


def box(center, side=20):
    return [center[0] - side / 2, center[1] - side / 2, side, side]


def test_a_box_drawn_in_an_earlier_picture_starts_in_its_image(setup):
    async def see(viewer):
        first, _, jpeg = await frame(setup, viewer, scene(CENTER))
        await frame(setup, viewer, scene((120, 60)))
        answer = await viewer.ask("init", stamp_ns=str(stamp_to_ns(first.stamp)), box_xywh=box(CENTER))
        _, picture, _ = await frame(setup, viewer, scene((100, 50)))
        return first, jpeg, answer, picture

    first, jpeg, answer, picture = setup.watch(see)
    assert np.abs(decoded(jpeg).astype(int) - scene(CENTER)).mean() < 3
    assert (answer["ok"], answer["text"]) == (True, "target 'target_1' is held")
    (target,) = picture["targets"]
    assert (target["id"], target["state"], target["box_xywh"]) == ("target_1", "TRACKING", box((100, 50)))
    assert np.min(target["outline"][0], 0) == pytest.approx([90.5, 40.5])
    assert picture["latency_ms"] is not None and picture["size_wh"] == [160, 120]
    (change,) = setup.operator.logged("IDLE -> TRACKING")
    assert f"{first.stamp.sec}.{first.stamp.nanosec:09d}" in change


def test_pause_and_reset_are_those_of_the_services(setup):
    async def see(viewer):
        header, _, _ = await frame(setup, viewer, scene(CENTER))
        await viewer.ask("init", stamp_ns=str(stamp_to_ns(header.stamp)), box_xywh=box(CENTER))
        paused = await viewer.ask("pause", paused=True)
        _, picture, jpeg = await frame(setup, viewer, scene((100, 50)))
        moved = await viewer.ask("init", stamp_ns=picture["stamp_ns"], box_xywh=box((100, 50)))
        await viewer.ask("pause", paused=False)
        dropped = await viewer.ask("reset")
        return paused, picture, jpeg, moved, dropped

    paused, picture, jpeg, moved, dropped = setup.watch(see)
    assert paused["ok"] and "tracking is paused" in paused["text"]
    assert picture["paused"] and picture["targets"][0]["state"] == "UNCERTAIN"
    assert np.abs(decoded(jpeg).astype(int) - scene((100, 50))).mean() < 3  # the pictures go on
    assert moved["ok"] and "tracking is paused" in moved["text"]
    assert dropped["text"] == "target 'target_2' is dropped"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"stamp_ns": "1"}, "no image of stamp 0.000000001 is kept"),
        ({"stamp_ns": "2147483647999999999"}, "no image of stamp 2147483647.999999999 is kept"),
        ({"box_xywh": [500, 10, 20, 20]}, "lies outside the 160 x 120 image"),
        ({"box_xywh": [10, 10, 0.5, 0.5]}, "too small"),
        ({"box_xywh": [1e300, 10, 20, 20]}, "lies outside"),
        ({"box_xywh": [10, 10, 1e-310, 20]}, "expected a finite number that is 0 or of normal size"),
    ],
)
def test_a_box_that_cannot_be_used_is_refused_with_the_sentence_of_the_service(setup, fields, words):
    async def see(viewer):
        header, _, _ = await frame(setup, viewer, scene(CENTER))
        good = {"stamp_ns": str(stamp_to_ns(header.stamp)), "box_xywh": box(CENTER)}
        await viewer.ask("init", **good)
        refusal = await viewer.ask("init", **good | fields)
        _, picture, _ = await frame(setup, viewer, scene((100, 50)))
        return refusal, picture

    refusal, picture = setup.watch(see)
    assert not refusal["ok"] and words in refusal["text"]
    assert picture["targets"][0]["id"] == "target_1" and picture["targets"][0]["state"] == "TRACKING"


def test_settings_are_the_parameters_that_can_change_and_follow_both_sides(setup):
    async def see(viewer):
        offer = await viewer.receive("offer")
        before = (await viewer.receive("values"))["values"]
        done = await viewer.ask("set", name="min_visible", value=1)  # a whole number, for a float
        after = (await viewer.receive("values"))["values"]
        refused = await viewer.ask("set", name="lost_confidence", value=0.99)
        fixed = await viewer.ask("set", name="model", value="ocean")
        await asyncio.to_thread(setup.operator.set_parameters, detection_init="always")
        elsewhere = (await viewer.receive("values"))["values"]
        return offer, before, done, after, refused, fixed, elsewhere

    offer, before, done, after, refused, fixed, elsewhere = setup.watch(see)
    names = [setting["name"] for setting in offer["settings"]]
    assert "lost_frames" in names and "detection_init" in names and "model" not in names and "threads" not in names
    assert offer["commands"] == ["init", "reset", "pause", "set"] and offer["keep_s"] == 2.0
    assert before["lost_frames"] == 3 and set(before) == set(names)
    assert done["ok"] and after == before | {"min_visible": 1.0}
    assert setup.node.get_parameter("min_visible").type_ == Parameter.Type.DOUBLE
    assert not refused["ok"] and "out of order" in refused["text"]
    assert not fixed["ok"] and "'model' is not offered here" in fixed["text"]
    assert elsewhere == after | {"detection_init": "always"}


def test_without_viewers_nothing_is_drawn_or_encoded(setup, monkeypatch):
    encoded = []
    monkeypatch.setattr(server_module, "encode_picture", lambda *_: encoded.append(1))
    setup.operator.frame(scene(CENTER))
    setup.operator.init(center=CENTER)
    for _ in range(5):
        setup.operator.frame(scene(CENTER))
    setup.operator.enable(False)
    setup.operator.frame(scene(CENTER))
    assert encoded == []


def test_the_page_says_what_an_inactive_node_needs_and_comes_back_after_a_cleanup(setup):
    async def ask(viewer):
        return await viewer.ask("init", stamp_ns="0", box_xywh=box(CENTER))

    assert setup.operator.change_state("deactivate")
    assert "the node is inactive, expected active" in setup.watch(ask)["text"]
    assert setup.operator.change_state("cleanup")
    with pytest.raises(OSError):
        setup.watch(ask)
    assert setup.operator.change_state("configure")
    assert "the node is inactive, expected active" in setup.watch(ask)["text"]


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"operator_page_host": "0.0.0.0"}, "host is '0.0.0.0', which others can reach, and there is no token"),
        ({"operator_page_token": "short"}, "token has 5 characters, expected at least 16"),
        ({"operator_page_host": "203.0.113.1", "operator_page_token": "x" * 16}, "cannot be served on 203.0.113.1"),
    ],
)
def test_a_page_that_cannot_be_served_is_a_refusal_and_the_node_lives(graph, parameters, words):
    setup = Setup(graph, **parameters)
    report = setup.operator.diagnosis("tracker", lambda status: status.level == DiagnosticStatus.ERROR)
    assert words in report.message
    assert setup.operator.state() == "unconfigured"
    assert setup.operator.set_parameters(operator_page=False).successful
    assert setup.operator.change_state("configure")


def test_without_aiohttp_it_is_said_what_to_install(graph, monkeypatch):
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    setup = Setup(graph)
    report = setup.operator.diagnosis("tracker", lambda status: status.level == DiagnosticStatus.ERROR)
    assert "operator_page needs aiohttp" in report.message


def test_the_token_is_not_logged(graph):
    token = "a-token-of-23-characters"
    setup = Setup(graph, operator_page_token=token)
    setup.operator.wait_for_camera_link()
    setup.operator.wait(lambda: setup.operator.logged("the operator's page is http://127.0.0.1"), "the address")
    assert not setup.operator.logged(token)


def test_a_candidate_of_a_lost_target_is_shown_and_confirmed(graph):
    setup = Setup(graph, lambda *_, **__: PatternTracker(), search_share=10.0, lost_frames=6)
    setup.operator.wait_for_camera_link()
    before, after = (60, 60), (220, 160)

    async def see(viewer):
        header, _, _ = await frame(setup, viewer, draw((before, TARGET)))
        await viewer.ask("init", stamp_ns=str(stamp_to_ns(header.stamp)), box_xywh=list(box_at(before)))
        for _ in range(12):
            await frame(setup, viewer, draw((before, TARGET)))
        while True:
            _, gone, _ = await frame(setup, viewer, draw())
            if gone["targets"][0]["state"] == "LOST":
                break
        for _ in range(20):  # the search looks at the last frame with the target first
            _, picture, _ = await frame(setup, viewer, draw((after, TARGET)))
            if picture["targets"][0]["candidates_xywh"]:
                break
        (target,) = picture["targets"]
        candidate = target["candidates_xywh"][0]
        answer = await viewer.ask("init", stamp_ns=picture["stamp_ns"], box_xywh=candidate, target_id=target["id"])
        _, found, _ = await frame(setup, viewer, draw((after, TARGET)))
        return gone, candidate, answer, found

    gone, candidate, answer, found = setup.watch(see)
    assert gone["targets"][0]["box_xywh"] is None and gone["targets"][0]["candidates_xywh"] == []
    assert np.add(candidate[:2], np.divide(candidate[2:], 2)) == pytest.approx(after, abs=8)
    assert answer["text"] == "target 'target_1' is held"
    assert (found["targets"][0]["id"], found["targets"][0]["state"]) == ("target_1", "TRACKING")
