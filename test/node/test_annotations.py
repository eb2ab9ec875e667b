# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Annotations for Foxglove's Image panel, with classes like those of foxglove_msgs, and over DDS where it is there."""

import math
import types

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from node_doubles import TurnedSquareTracker, scene
from ros_testing import (
    FRAME_ID,
    Operator,
    graph_fixture,  # noqa: F401
    parameter_overrides,
)

from siam_tracker_ros.core.monitor import TargetState
from siam_tracker_ros.core.outline import FixedOutline
from siam_tracker_ros.core.session import Observation
from siam_tracker_ros.node.annotations import annotate, foxglove_types
from siam_tracker_ros.node.tracker_node import TrackerNode

STAMP = Time(sec=7, nanosec=8)
SIZE_WH = (640, 480)
GREEN, AMBER, RED, GREY = (60, 220, 80), (255, 190, 0), (235, 60, 60), (190, 190, 190)  # RGB


class Fields:
    """A message with the fields of FIELDS, and no others."""

    def __init__(self, **values):
        assert values.keys() <= self.FIELDS.keys()
        for name, make in self.FIELDS.items():
            setattr(self, name, values.get(name) or make())


def make_types(**more):
    """Classes with the fields of foxglove_msgs that are used, and `more` of ImageAnnotations."""

    def make(name, fields, **constants):
        return type(name, (Fields,), {"FIELDS": fields} | constants)

    color, point = make("Color", dict.fromkeys("rgba", float)), make("Point2", dict.fromkeys("xy", float))
    stamp_and_colors = {"timestamp": Time, "outline_color": color, "fill_color": color}
    points = stamp_and_colors | {"type": int, "points": list, "outline_colors": list, "thickness": float}
    text = {"timestamp": Time, "position": point, "text": str, "font_size": float}
    return types.SimpleNamespace(
        Color=color,
        Point2=point,
        PointsAnnotation=make("PointsAnnotation", points, LINE_LOOP=2),
        TextAnnotation=make("TextAnnotation", text | {"text_color": color, "background_color": color}),
        ImageAnnotations=make("ImageAnnotations", {"circles": list, "points": list, "texts": list} | more),
    )


OLD, NEW = make_types(), make_types(timestamp=Time, metadata=list)


def observation(state=TargetState.TRACKING, confidence=0.934, box_xywh=(100.0, 80.0, 40.0, 20.0), **outline):
    box_xywh = None if box_xywh is None else np.array(box_xywh)
    return Observation(state, box_xywh, confidence, outline=FixedOutline(**outline))


def rgb_of(color):
    return tuple(round(value * 255) for value in (color.r, color.g, color.b))


def xy_of(loop):
    assert loop.type == 2
    return [(point.x, point.y) for point in loop.points]


def mask_of(x, y, width, height):
    mask = np.zeros(SIZE_WH[::-1], bool)
    mask[y : y + height, x : x + width] = True
    return mask


@pytest.mark.parametrize("types", [OLD, NEW], ids=["2023", "2026"])
def test_of_a_target_there_are_box_outline_and_label_with_the_stamp_of_the_image(types):
    mask = mask_of(102, 82, 30, 10) | mask_of(300, 300, 4, 4)
    msg = annotate(types, STAMP, [("cup", observation(mask=mask))], SIZE_WH, rotated=False)
    box, *outlines = msg.points
    assert xy_of(box) == [(100, 80), (140, 80), (140, 100), (100, 100)]
    assert sorted(sorted(xy_of(outline)) for outline in outlines) == [
        [(102.5, 82.5), (102.5, 91.5), (131.5, 82.5), (131.5, 91.5)],  # middles of the outermost pixels
        [(300.5, 300.5), (300.5, 303.5), (303.5, 300.5), (303.5, 303.5)],
    ]
    (text,) = msg.texts
    assert (text.text, text.position.x, text.position.y) == ("cup TRACKING 0.93", 100, 80)
    assert {rgb_of(color) for color in (box.outline_color, outlines[0].outline_color, text.background_color)} == {GREEN}
    assert (text.background_color.a, rgb_of(text.text_color), box.fill_color.a) == (1, (0, 0, 0), 0)
    assert (box.thickness, text.font_size) == pytest.approx((2, 480 / 36))
    assert all(part.timestamp == STAMP for part in [*msg.points, *msg.texts])
    assert not hasattr(msg, "timestamp") or msg.timestamp == STAMP, "a stamp of 0 would be taken for the image's"


@pytest.mark.parametrize(
    "target_id, seen, label, color",
    [
        ("", Observation(TargetState.IDLE), "IDLE -", GREY),
        ("cup", observation(TargetState.LOST, 0.1, None), "cup LOST 0.10", RED),
        ("cup", observation(TargetState.UNCERTAIN, 0.0, None), "cup UNCERTAIN 0.00", AMBER),
    ],
)
@pytest.mark.parametrize("size_wh", [SIZE_WH, None])
def test_without_a_box_the_label_alone_stands_in_the_corner(target_id, seen, label, color, size_wh):
    msg = annotate(OLD, STAMP, [(target_id, seen)], size_wh, rotated=True)
    (text,) = msg.texts
    assert (msg.points, text.text, rgb_of(text.background_color)) == ([], label, color)
    assert text.position.x == 0 and text.position.y >= text.font_size >= 12


def test_labels_do_not_cover_each_other_and_stay_in_the_image():
    named = [(name, observation(TargetState.LOST, box_xywh=None)) for name in "ab"]
    named.append(("c", observation(box_xywh=(-30.0, -20.0, 60.0, 40.0))))
    first, second, third = annotate(OLD, STAMP, named, SIZE_WH, rotated=False).texts
    assert second.position.y - first.position.y > first.font_size
    assert (third.position.x, third.position.y) == (0, third.font_size)


@pytest.mark.parametrize("rotated", [True, False])
def test_the_box_is_the_one_of_the_detections(rotated):
    polygon = np.array([[120.0, 70.0], [150.0, 90.0], [120.0, 110.0], [90.0, 90.0]])
    (box,) = annotate(OLD, STAMP, [("cup", observation(polygon=polygon))], SIZE_WH, rotated).points
    assert (len({point.x for point in box.points}) == 2) is not rotated


def test_specks_of_a_mask_are_no_loops():
    mask = mask_of(300, 300, 1, 1) | mask_of(400, 300, 5, 1)
    assert len(annotate(OLD, STAMP, [("cup", observation(mask=mask))], SIZE_WH, rotated=False).points) == 1


def node_of(graph, **parameters):
    return graph.add(
        TrackerNode(
            TurnedSquareTracker,
            context=graph.context,
            use_global_arguments=False,
            parameter_overrides=parameter_overrides(**parameters),
        )
    )


def test_without_the_package_there_is_no_topic_and_nothing_is_missed(graph, monkeypatch):
    monkeypatch.setattr("siam_tracker_ros.node.tracker_node.foxglove_types", lambda: None)
    operator = Operator(graph)
    node = node_of(graph)
    operator.wait_for_camera_link()
    operator.frame(scene((80, 60)))
    assert not [name for name, _ in node.get_topic_names_and_types() if name.endswith("/annotations")]
    assert not operator.logged("foxglove_msgs"), "said at the level debug alone"


def test_over_dds_the_annotations_are_those_of_the_image(graph, monkeypatch):
    foxglove_msgs = pytest.importorskip("foxglove_msgs.msg")
    made, real = [], annotate
    monkeypatch.setattr("siam_tracker_ros.node.pipeline.annotate", lambda *given: made.append(1) or real(*given))
    operator = Operator(graph)
    node = node_of(graph)
    operator.wait_for_camera_link()
    assert operator.frame(scene((80, 60))) and not made, "nobody subscribes"
    operator.listen("annotations", foxglove_msgs.ImageAnnotations, "tracker/annotations")
    (publisher,) = (publisher for publisher in node.publishers if publisher.topic_name == "/tracker/annotations")
    operator.wait(publisher.get_subscription_count, "the node to know of the subscription")
    assert operator.init((80.0, 60.0)).success
    status, _ = operator.frame(scene((90, 60)))

    def matching():
        return [m for m in operator.received("annotations") if m.texts[0].timestamp == status.header.stamp]

    (msg,) = operator.wait(matching, "the annotations")
    assert status.header.frame_id == FRAME_ID and msg.texts[0].text == "target_1 TRACKING 0.90"
    box, outline = msg.points
    expected = [(80, 50), (100, 50), (100, 70), (80, 70)]
    assert xy_of(box) == expected and len(outline.points) == 4
    assert not math.isnan(box.thickness) and made


def test_the_classes_here_have_the_fields_of_the_package():
    real = foxglove_types()
    if real is None:
        pytest.skip("foxglove_msgs is not installed")
    for name, own in vars(OLD).items():
        assert own.FIELDS.keys() <= getattr(real, name).get_fields_and_field_types().keys()
    assert real.PointsAnnotation.LINE_LOOP == NEW.PointsAnnotation.LINE_LOOP
