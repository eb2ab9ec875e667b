# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import os

import pytest
from full_disk import no_file_above

from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.outputs import PendingFile, make_empty_folder, pending_lines, write_atomic


def write(path, text, error=None):
    """Write a text to a pending file, and raise an error, if any, before its end."""
    with PendingFile(path) as pending:
        pending.partial.write_text(text)
        if error:
            raise error


@pytest.mark.parametrize("older", [None, "older"])
@pytest.mark.parametrize("text", ["", "new"])
@pytest.mark.parametrize("error", [None, KeyboardInterrupt, OSError])
def test_a_file_takes_its_name_when_it_is_complete(older, text, error, tmp_path, caplog):
    path = tmp_path / "a.b.txt"
    if older:
        path.write_text(older)
    if error is None:
        write(path, text)
        expected = {"a.b.txt": text}
    else:
        with pytest.raises(error):
            write(path, text, error)
        expected = {"a.b.txt": older} if older else {}
        if text:
            expected["a.b.partial.txt" if older else "a.b.txt"] = text
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == expected
    assert ("a.b.partial.txt" in caplog.text) == (len(expected) == 2)


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link.txt").symlink_to(tmp_path / "elsewhere" / "file.txt")
    write(tmp_path / "link.txt", "new")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "elsewhere" / "file.txt").read_text() == "new"


def test_a_pipe_is_written_to_as_it_is(tmp_path):
    os.mkfifo(tmp_path / "pipe.txt")
    with PendingFile(tmp_path / "pipe.txt") as pending:
        assert pending.partial == tmp_path / "pipe.txt"
    assert [path.name for path in tmp_path.iterdir()] == ["pipe.txt"]


def test_no_line_is_cut_where_the_disk_is_full(tmp_path):
    refused = pytest.raises(InvalidInputError, match="lines.txt cannot be written: File too large; .*space on the disk")
    with no_file_above(10), refused, pending_lines(tmp_path / "lines.txt") as write_line:
        for line in ("one\n", "two\n", "three\n"):
            write_line(line)
    assert (tmp_path / "lines.txt").read_text() == "one\ntwo\n"


def test_an_error_of_something_else_is_left_as_it_is(tmp_path):
    with pytest.raises(PermissionError, match="camera"), pending_lines(tmp_path / "lines.txt") as write_line:
        write_line("one\n")
        raise PermissionError("camera")
    assert (tmp_path / "lines.txt").read_text() == "one\n"


@pytest.mark.parametrize(
    "name, words",
    [
        ("missing/out.txt", "missing does not exist"),
        ("folder", "is a folder, expected the name of a file"),
        ("x" * 250 + ".txt", "cannot be written: File name too long"),
    ],
)
def test_what_cannot_be_written_is_refused_at_once(name, words, tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(InvalidInputError, match=words):
        PendingFile(tmp_path / name)


def test_results_are_not_mixed_with_what_is_in_a_folder(tmp_path):
    make_empty_folder(tmp_path / "new" / "folder")
    make_empty_folder(tmp_path / "new" / "folder")
    (tmp_path / "new" / "folder" / "00001.png").touch()
    with pytest.raises(InvalidInputError, match="00001.png in it already"):
        make_empty_folder(tmp_path / "new" / "folder")
    with pytest.raises(InvalidInputError, match="cannot be made: Not a directory"):
        make_empty_folder(tmp_path / "new" / "folder" / "00001.png" / "below")


@pytest.mark.parametrize("name", ["a", "x" * 251 + ".txt", "é" * 127])
def test_every_name_of_a_file_can_be_written_at_once(name, tmp_path):
    write_atomic(tmp_path / name, b"new")
    assert [path.name for path in tmp_path.iterdir()] == [name]
