# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siam_tracker_ros.page.commands import (
    COMMANDS,
    MAX_REQUEST_BYTES,
    Pause,
    RequestError,
    Reset,
    Restart,
    Save,
    Seen,
    SetValue,
    Start,
    parse_request,
)


def init(**fields):
    return {"type": "init", "id": 1, "stamp_ns": "1", "box_xywh": [1, 2, 30, 40]} | fields


@pytest.mark.parametrize(
    ("request_fields", "words"),
    [
        (init(stamp_ns=1), "stamp_ns is 1, expected the nanoseconds of the picture's stamp as text"),
        (init(stamp_ns=None), "stamp_ns is missing"),
        (init(stamp_ns="-1"), "stamp_ns is '-1'"),
        (init(stamp_ns="1.5"), "stamp_ns is '1.5'"),
        (init(stamp_ns="٣"), "stamp_ns is '\\u0663'"),
        (init(stamp_ns="2147483648000000000"), "stamp_ns is '2147483648000000000'"),
        (init(stamp_ns="9" * 20), "stamp_ns is '9"),
        (init(box_xywh=None), "box_xywh is missing, expected four finite numbers"),
        (init(box_xywh="1,2,3,4"), "box_xywh is '1,2,3,4'"),
        (init(box_xywh=[1, 2, 3]), "box_xywh is [1, 2, 3]"),
        (init(box_xywh=[1, 2, 3, True]), "box_xywh is [1, 2, 3, True]"),
        (init(box_xywh=[1, 2, 3, "4"]), "box_xywh is [1, 2, 3, '4']"),
        (init(box_xywh=[1, 2, 3, float("nan")]), "box_xywh is [1, 2, 3, nan]"),
        (init(box_xywh=[1, 2, 3, float("inf")]), "box_xywh is [1, 2, 3, inf]"),
        (init(box_xywh=[1, 2, 3, 10**400]), "box_xywh is [1, 2, 3, 1000"),
        (init(box_xywh=[1, 2, 0, 4]), "expected a width and a height above 0"),
        (init(box_xywh=[1, 2, 3, -4]), "expected a width and a height above 0"),
        (init(target_id=7), "target_id is 7, expected the name of a target"),
        (init(target_id="a\nb"), "target_id is 'a\\nb'"),
        (init(target_id="\ud800"), "target_id is '\\ud800'"),
        ({"type": "pause", "id": 1}, "paused is missing, expected true or false"),
        ({"type": "pause", "id": 1, "paused": 1}, "paused is 1"),
        ({"type": "set", "id": 1, "value": 1}, "name is missing"),
        ({"type": "set", "id": 1, "name": "lr", "value": [1]}, "value is [1], expected a finite number, text"),
        ({"type": "set", "id": 1, "name": "lr", "value": float("nan")}, "value is nan"),
        ({"type": "set", "id": 1, "name": "lr", "value": "a\ud800"}, "value is 'a\\ud800', expected text that can be"),
        ({"type": "set", "id": 1, "name": "lr", "value": "a\0b"}, "value is 'a\\x00b', expected text that can be"),
        ({"type": "fly", "id": 1}, "type is 'fly', expected one of init, reset, pause, set, restart, save"),
        ({"type": ["init"], "id": 1}, "type is ['init'], expected one of"),
        ({"id": 1}, "type is missing"),
    ],
)
def test_a_request_that_cannot_be_meant_is_refused_with_its_number(request_fields, words):
    with pytest.raises(RequestError) as refusal:
        parse_request(json.dumps(request_fields))
    assert words in str(refusal.value)
    assert refusal.value.number == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "request is '', expected a JSON object"),
        ("[" * MAX_REQUEST_BYTES, "request is '[[["),
        ("9" * MAX_REQUEST_BYTES, "request is '999"),
        ('{"type":"reset"', "expected a JSON object"),
        ("null", "request is 'null'"),
        ("[1]", "request is '[1]'"),
        ('{"type":"reset"}', "id is missing"),
        ('{"type":"reset","id":true}', "id is True"),
        ('{"type":"reset","id":-1}', "id is -1"),
        ('{"type":"reset","id":1.0}', "id is 1.0"),
        ('{"type":"reset","id":9007199254740992}', "id is 9007199254740992"),
    ],
)
def test_what_is_no_request_is_refused_without_a_number(text, words):
    with pytest.raises(RequestError) as refusal:
        parse_request(text)
    assert words in str(refusal.value)
    assert refusal.value.number is None
    assert len(str(refusal.value)) < 200


@pytest.mark.parametrize(
    ("fields", "command"),
    [
        (init(stamp_ns="2147483647999999999"), Start(2147483647999999999, (1.0, 2.0, 30.0, 40.0))),
        (init(box_xywh=[-4, 2.5, 1e-3, 40], target_id="ball"), Start(1, (-4.0, 2.5, 1e-3, 40.0), "ball")),
        ({"type": "reset"}, Reset()),
        ({"type": "pause", "paused": True}, Pause(True)),
        ({"type": "set", "name": "lost_frames", "value": 7}, SetValue("lost_frames", 7)),
        ({"type": "set", "name": "detection_class", "value": ""}, SetValue("detection_class", "")),
        ({"type": "set", "name": "rotated_box", "value": False}, SetValue("rotated_box", False)),
        ({"type": "restart"}, Restart()),
        ({"type": "save", "path": "/etc/passwd"}, Save()),
    ],
)
def test_a_request_is_read(fields, command):
    assert parse_request(json.dumps(fields | {"id": 5})) == (5, command)
    assert {type(command) for command in COMMANDS.values()} == {type}


def test_a_picture_that_was_seen_needs_no_number():
    assert parse_request('{"type":"seen"}') == Seen()


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
fields = st.dictionaries(st.sampled_from(["stamp_ns", "box_xywh", "target_id", "paused", "name", "value"]), values)


@given(fields, st.sampled_from(list(COMMANDS)) | values, st.integers(0, 9) | values)
def test_any_json_is_read_or_refused_with_a_sentence(fields, kind, number):
    try:
        request = parse_request(json.dumps(fields | {"type": kind, "id": number}))
    except RequestError as refusal:
        assert "expected" in str(refusal)
    else:
        assert request == Seen() or request[0] == number and isinstance(request[1], tuple(COMMANDS.values()))


@given(st.text())
def test_any_text_is_read_or_refused_with_a_sentence(text):
    with pytest.raises(RequestError, match="expected"):
        parse_request(text)
