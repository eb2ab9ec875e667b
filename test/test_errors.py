# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from siam_tracker_ros.errors import listed, shortened, shown

nested = ["x"]
for _ in range(60):
    nested = [nested, nested]  # 2**60 entries, by references

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.parametrize(
    "value, text",
    [
        ("bgr8", "'bgr8'"),
        (7, "7"),
        (None, "None"),
        ("two\nlines\x1b[31m", r"'two\nlines\x1b[31m'"),
        ("\u0663", r"'\u0663'"),
        ("\ud800", r"'\ud800'"),
        ("x" * 10**6, "'" + "x" * 79 + "..."),
        pytest.param(16**5000, "a int", id="5000 digits"),
    ],
)
def test_a_received_value_is_shown_on_one_line_of_ascii(value, text):
    assert shown(value) == text


def test_a_value_that_refers_to_itself_many_times_is_shown_at_once():
    assert len(shown(nested)) < 100


@settings(derandomize=True, max_examples=30)
@given(VALUES)
def test_any_value_is_shown_within_bounds(value):
    text = shown(value)
    assert text and len(text) <= 83 and text.isascii() and text.isprintable()


def test_the_text_of_another_library_becomes_one_line():
    assert shortened("error:\n\tbad\n") == "error:  bad "
    assert shortened("é" * 100, 10) == "é" * 10 + "..."


def test_of_many_names_the_first_are_listed():
    assert listed([]) == "" and listed(["a", "b", "c"]) == "a, b, c"
    assert listed([str(number) for number in range(64)]) == "0, 1, 2 and 61 more"
