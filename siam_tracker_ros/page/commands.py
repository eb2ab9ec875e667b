# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the page asks for: JSON objects with a `type`, checked field by field at the door.

Every request but `seen` has a number, `id`, which comes back with its answer.
"""

import dataclasses
import json
import math
import re
import typing
from collections.abc import Mapping

from siam_tracker_ros.errors import InvalidInputError, shown

MAX_REQUEST_BYTES = 4096
_MAX_ID = 2**53  # up to which JavaScript counts
_STAMP = re.compile("[0-9]{1,19}")
_MAX_STAMP_NS = 2**31 * 10**9 - 1  # that a stamp of ROS can have
Fields = Mapping[str, typing.Any]
Plain = typing.TypeVar("Plain", bound="_Plain")


@dataclasses.dataclass(frozen=True)
class Start:
    """Start on the target in a box.

    Attributes:
        stamp_ns: stamp, in nanoseconds, of the picture that the box was drawn in.
        box_xywh: left, top, width, height in pixels of that image.
        target_id: name of the target; empty for a new one.
    """

    type: typing.ClassVar = "init"
    stamp_ns: int
    box_xywh: tuple[float, float, float, float]
    target_id: str = ""

    @classmethod
    def read(cls, fields: Fields) -> "Start":
        """Check the fields of a request; raises InvalidInputError."""
        stamp = fields.get("stamp_ns")  # text, because JavaScript has no whole numbers of this size
        if not isinstance(stamp, str) or not _STAMP.fullmatch(stamp) or int(stamp) > _MAX_STAMP_NS:
            raise InvalidInputError(
                f"stamp_ns is {_show(stamp)}, expected the nanoseconds of the picture's stamp as text; give those that "
                "came with the picture"
            )
        box_xywh = fields.get("box_xywh")
        if not isinstance(box_xywh, list) or len(box_xywh) != 4 or not all(map(_is_finite, box_xywh)):
            raise InvalidInputError(
                f"box_xywh is {_show(box_xywh)}, expected four finite numbers: left, top, width and height in pixels "
                "of the image"
            )
        x, y, width, height = map(float, box_xywh)
        if min(width, height) <= 0:
            raise InvalidInputError(
                f"box_xywh is {_show(box_xywh)}, expected a width and a height above 0; draw the box again"
            )
        target_id = fields.get("target_id", "")
        if not isinstance(target_id, str) or not target_id.isprintable():
            raise InvalidInputError(f"target_id is {_show(target_id)}, expected the name of a target, or none")
        return cls(int(stamp), (x, y, width, height), target_id)


@dataclasses.dataclass(frozen=True)
class Pause:
    """Stop, or go on."""

    type: typing.ClassVar = "pause"
    paused: bool

    @classmethod
    def read(cls, fields: Fields) -> "Pause":
        """Check the fields of a request; raises InvalidInputError."""
        paused = fields.get("paused")
        if not isinstance(paused, bool):
            raise InvalidInputError(f"paused is {_show(paused)}, expected true or false")
        return cls(paused)


@dataclasses.dataclass(frozen=True)
class SetValue:
    """Give a setting another value, whose range is not checked yet."""

    type: typing.ClassVar = "set"
    name: str
    value: bool | int | float | str

    @classmethod
    def read(cls, fields: Fields) -> "SetValue":
        """Check the fields of a request; raises InvalidInputError."""
        name, value = fields.get("name"), fields.get("value")
        if not isinstance(name, str):
            raise InvalidInputError(f"name is {_show(name)}, expected the name of a setting")
        if not isinstance(value, (bool, str)) and not _is_finite(value):
            raise InvalidInputError(f"value is {_show(value)}, expected a finite number, text, true or false")
        if isinstance(value, str) and not value.isprintable():
            # ROS cannot send half a surrogate pair, and cuts a text at a NUL.
            raise InvalidInputError(f"value is {_show(value)}, expected text that can be printed on one line")
        return cls(name, typing.cast(bool | int | float | str, value))


@dataclasses.dataclass(frozen=True)
class _Plain:
    @classmethod
    def read(cls: type[Plain], fields: Fields) -> Plain:
        """Return the command, which has no fields."""
        return cls()


@dataclasses.dataclass(frozen=True)
class Reset(_Plain):
    """Drop all targets."""

    type: typing.ClassVar = "reset"


@dataclasses.dataclass(frozen=True)
class Restart(_Plain):
    """Go back to the first frame of a recording."""

    type: typing.ClassVar = "restart"


@dataclasses.dataclass(frozen=True)
class Save(_Plain):
    """Write the results so far."""

    type: typing.ClassVar = "save"


@dataclasses.dataclass(frozen=True)
class Seen:
    """A picture was drawn, so that another one may come."""


Command = Start | Reset | Pause | SetValue | Restart | Save
COMMANDS: Mapping[str, type[Command]] = {
    command.type: command for command in (Start, Reset, Pause, SetValue, Restart, Save)
}


class RequestError(InvalidInputError):
    """A request that cannot be read.

    Attributes:
        number: its `id`, None where it has none.
    """

    def __init__(self, sentence: str, number: int | None) -> None:
        super().__init__(sentence)
        self.number = number


def parse_request(text: str) -> tuple[int, Command] | Seen:
    """Return the number and the command of a request, or Seen.

    Raises:
        RequestError: it is not of the form that the page sends.
    """
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise RequestError(f"request is {_show(text)}, expected a JSON object; reload the page", None)
    kind, number = fields.get("type"), fields.get("id")
    if kind == "seen":
        return Seen()
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < _MAX_ID:
        raise RequestError(f"id is {_show(number)}, expected the number of the request; reload the page", None)
    try:
        if not isinstance(kind, str) or kind not in COMMANDS:
            raise InvalidInputError(f"type is {_show(kind)}, expected one of {', '.join(COMMANDS)}; reload the page")
        return number, COMMANDS[kind].read(fields)
    except InvalidInputError as error:
        raise RequestError(str(error), number) from None


def _is_finite(value: typing.Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def _show(value: typing.Any) -> str:
    """Return the beginning of a value as it was received."""
    return "missing" if value is None else shown(value)
