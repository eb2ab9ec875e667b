# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Files that get their name when they are complete: until then, an older file of that name stays."""

import contextlib
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from siam_tracker_ros.errors import InvalidInputError

logger = logging.getLogger(__name__)

_PARTIAL = ".partial"
_LONGEST = 255 - len(_PARTIAL)  # bytes of a name to which the mark can be added


class PendingFile:
    """A file that is written under another name beside its own: a context manager, which an error leaves incomplete.

    Attributes:
        path: the file's own name.
        partial: the name to write to: `boxes.partial.txt` for `boxes.txt`; the same as `path` for a device or a pipe.

    Raises:
        InvalidInputError: its folder does not exist or cannot be written to, or the name is that of a folder.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.parent.is_dir():
            raise InvalidInputError(f"folder {self.path.parent} does not exist; make it, then write {self.path.name}")
        if self.path.is_dir():
            raise InvalidInputError(f"{self.path} is a folder, expected the name of a file to write")
        if self.path.exists() and not self.path.is_file():
            self.partial = self.path
            return
        self._target = Path(os.path.realpath(self.path))  # a link stays a link
        self.partial = self._target.with_name(f"{self._target.stem}.partial{self._target.suffix}")
        try:
            self.partial.open("wb").close()
        except OSError as error:
            raise InvalidInputError(
                f"{self.path} cannot be written: {error.strerror}; check the folder's rights and the space on the disk"
            ) from error

    def __enter__(self) -> "PendingFile":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.settle(complete=kind is None)

    def settle(self, complete: bool) -> None:
        """Give the file its name; settling twice is safe.

        A file that is not complete gets it only where it replaces nothing. Otherwise it stays under its partial name,
        which is logged, or it is removed where it is empty.
        """
        if self.partial == self.path or not self.partial.exists():
            return
        if complete:
            os.replace(self.partial, self._target)
        elif self.partial.stat().st_size == 0:
            self.partial.unlink()
        elif self._target.exists():
            logger.warning("%s is left as it was; the incomplete new results are in %s", self.path, self.partial)
        else:
            os.replace(self.partial, self._target)


@contextlib.contextmanager
def pending_lines(path: str | Path) -> Iterator[Callable[[str], object]]:
    """Open a pending text file and give the function that writes a line, which is in the file at once.

    Raises:
        InvalidInputError: as for PendingFile; from the function, the disk is full, and no line is cut.
    """
    with PendingFile(path) as pending, pending.partial.open("wb", buffering=0) as file:

        def write(line: str) -> None:
            end = os.fstat(file.fileno()).st_size
            left = line.encode()
            try:
                while left:  # a disk that fills takes a part, then says why it takes no more
                    left = left[file.write(left) :]
            except OSError as error:
                if not pending.partial.is_file():  # a pipe whose reader is gone
                    raise
                file.truncate(end)
                raise InvalidInputError(
                    f"{path} cannot be written: {error.strerror}; check the space on the disk"
                ) from error

        yield write


def make_folder(path: str | Path) -> None:
    """Make a folder for results, unless it is there.

    Raises:
        InvalidInputError: it cannot be made or written to.
    """
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInputError(f"folder {path} cannot be made: {error.strerror}; give another name") from error
    if not os.access(path, os.W_OK):
        raise InvalidInputError(f"folder {path} cannot be written to; check its rights, or give another folder")


def make_empty_folder(path: str | Path) -> None:
    """Make a folder for results, unless it is there and empty.

    Raises:
        InvalidInputError: something is in it, which would be mixed with the new results; or as in `make_folder`.
    """
    make_folder(path)
    found = next(Path(path).iterdir(), None)
    if found is not None:
        raise InvalidInputError(f"folder {path} has {found.name} in it already; give a new folder, or empty it first")


def write_atomic(path: Path, content: bytes | memoryview) -> None:
    """Write a file so that, whatever happens, the old one or the new one is there, complete.

    Raises:
        OSError: it cannot be written, as on a full disk; the old file is unchanged.
    """
    partial = path.with_name(os.fsdecode(os.fsencode(path.name)[:_LONGEST]) + _PARTIAL)
    try:
        with open(partial, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from error  # which a full disk does not name
    os.replace(partial, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # so that the new name, too, is on the disk
    finally:
        os.close(folder)
