# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest

from siam_tracker_ros.cli.tables import format_table


@pytest.mark.parametrize(
    "rows, expected",
    [
        ([], "name  n\n----  -"),
        ([["a", "10"], ["long name", "2"]], "name        n\n---------  --\na          10\nlong name   2"),
    ],
)
def test_table(rows, expected):
    assert format_table(["name", "n"], rows) == expected
