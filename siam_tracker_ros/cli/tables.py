# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Plain-text tables for a terminal."""

from collections.abc import Collection, Iterable, Sequence


def format_table(header: Sequence[str], rows: Iterable[Sequence[str]], left: Collection[int] = (0,)) -> str:
    """Format rows of strings under a header; columns in `left` are flush left, the others right."""
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    formatted = [
        "  ".join(
            cell.ljust(width) if i in left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    ]
    formatted.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(line.rstrip() for line in formatted)
