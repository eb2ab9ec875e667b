# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The one grammar of settings: frozen dataclasses whose fields have a meaning, a type and a range.

    @dataclasses.dataclass(frozen=True)
    class Example:
        lr: float = setting(0.4, "Share of a new size that is taken over.", 0, 1)

The same fields can be set from Python (`create_tracker`), `--set NAME=VALUE`, YAML files and ROS parameters. The same
code checks them, and `siam-tracker models NAME` and the documentation list them.

The annotation of a field is its type: bool, int, float, str, a typing.Literal, another such dataclass, list[X],
tuple[X, ...], tuple[X, Y], dict[str, X], X | None, or typing.Any for a value that is checked where it is used. A number
is finite and 0 or more, unless `setting` gives another range. `__post_init__` checks further conditions and raises
InvalidSettingError.
"""

import dataclasses
import functools
import math
import pathlib
import sys
import types
import typing
from collections.abc import Iterator, Mapping

from siam_tracker_ros.errors import InvalidSettingError, shortened, shown

T = typing.TypeVar("T")
Change = typing.Literal["unconfigured", "any time", "at start"]
PLAIN_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


@dataclasses.dataclass(frozen=True)
class Rule:
    """Meaning and range of a setting, and when it may change.

    Attributes:
        meaning: one or more sentences.
        low, high: range of a number, or of each number of a list.
        change: when a running node accepts another value: while it is unconfigured, at any time, or at its start.
    """

    meaning: str = ""
    low: float = 0
    high: float = math.inf
    change: Change = "unconfigured"

    @property
    def range(self) -> str:
        """The range in words, as "0 to 1"."""
        return f"{self.low:g} to {self.high:.10g}" if math.isfinite(self.high) else f"{self.low:g} or more"


@dataclasses.dataclass(frozen=True)
class Setting:
    """One setting of a settings class, for tables and descriptors.

    Attributes:
        name: of the field.
        kind: its annotation.
        default: its default value; dataclasses.MISSING where it must be set.
        rule: Rule.
    """

    name: str
    kind: typing.Any
    default: typing.Any
    rule: Rule

    @property
    def choices(self) -> tuple[str, ...]:
        """The texts that it accepts; () if any text or another type."""
        return typing.get_args(self.kind) if typing.get_origin(self.kind) is typing.Literal else ()

    @property
    def allowed(self) -> str:
        """The accepted values in words; empty for any text and for nested settings."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        if self.kind is bool:
            return PLAIN_KINDS[bool]
        return self.rule.range if self.kind in (int, float) else ""


def setting(
    default: typing.Any = dataclasses.MISSING,
    meaning: str = "",
    low: float = 0,
    high: float = math.inf,
    *,
    change: Change = "unconfigured",
    default_factory: typing.Any = dataclasses.MISSING,
) -> typing.Any:
    """Return a dataclass field with its Rule; without a default it must be set."""
    rule = {"rule": Rule(meaning, low, high, change)}
    if default_factory is not dataclasses.MISSING:
        return dataclasses.field(default_factory=default_factory, metadata=rule)
    return dataclasses.field(default=default, metadata=rule)


def with_default(settings_class: type, name: str, default: typing.Any) -> typing.Any:
    """Return the setting of a base class with another default, for a subclass."""
    return dataclasses.field(default=default, metadata={"rule": settings_of(settings_class)[name].rule})


@functools.cache
def settings_of(settings_class: type) -> Mapping[str, Setting]:
    """Return the settings of a class by name."""
    hints = typing.get_type_hints(settings_class)
    return {
        field.name: Setting(field.name, hints[field.name], field.default, field.metadata.get("rule", Rule()))
        for field in dataclasses.fields(settings_class)
        if field.init
    }


def check_setting(settings_class: type, name: str, value: typing.Any, source: str = "") -> typing.Any:
    """Return the value of a setting, converted to its type.

    Args:
        settings_class: a settings class.
        name: name of one of its settings.
        value: a plain value, as from YAML.
        source: source of the value, the beginning of a message.

    Raises:
        InvalidSettingError: no setting has this name, or it does not accept the value.
    """
    known = settings_of(settings_class)
    if name not in known:
        raise InvalidSettingError(f"{source}unknown setting {shortened(name)}; known are {', '.join(known)}")
    return _value(known[name].kind, value, name, known[name].rule, source)


def parse_setting(text: str) -> tuple[str, typing.Any]:
    """Return name and value of "NAME=VALUE"; the value is YAML.

    Raises:
        InvalidSettingError: the text is not of this form.
    """
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise InvalidSettingError(f"{shown(text)} is not a setting, expected NAME=VALUE")
    from siam_tracker_ros.strict_yaml import YAMLError, load_yaml

    try:
        return name, load_yaml(value)
    except (ValueError, RecursionError, YAMLError):  # ValueError for a date that is none, as 2026-13-01
        raise InvalidSettingError(f"{shown(text)}: {shown(value)} is not a YAML value") from None


def read_settings(
    path: str | pathlib.Path, settings_class: type[T], overrides: Mapping[str, typing.Any] | None = None
) -> T:
    """Read a YAML file into a dataclass.

    Args:
        path: path of the file; paths in it are relative to the working directory.
        settings_class: the dataclass.
        overrides: see `read_values`.

    Raises:
        InvalidSettingError: see `read_values` and `make_settings`.
    """
    return make_settings(settings_class, read_values(path, overrides), str(path))


def read_values(path: str | pathlib.Path, overrides: Mapping[str, typing.Any] | None = None) -> dict[str, typing.Any]:
    """Read a YAML file into a dictionary, without checking the settings.

    Args:
        path: path of the file.
        overrides: mapping of dotted names to values that replace those of the file, as {"pairs.shift": 1.0}; a number
            is an index into a list, as in "data.0.path".

    Raises:
        InvalidSettingError: the file cannot be read, is not lines of NAME: VALUE or has a name twice; or an override
            leads through a value that has no names.
    """
    from siam_tracker_ros.strict_yaml import YAMLError, load_yaml

    try:
        values = load_yaml(pathlib.Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, YAMLError) as error:
        raise InvalidSettingError(f"settings file {path} cannot be read: {error}") from error
    values = {} if values is None else values
    if not isinstance(values, dict):
        raise InvalidSettingError(f"{path} holds {_shown(values)}, expected lines of NAME: VALUE")
    for name, value in (overrides or {}).items():
        _replace(values, name, value, path)
    return values


def make_settings(settings_class: type[T], values: typing.Any, source: str) -> T:
    """Make a dataclass from plain values.

    Args:
        settings_class: the dataclass.
        values: mapping of name to value, as from YAML.
        source: source of the values, the beginning of a message.

    Raises:
        InvalidSettingError: an unknown name, a missing one, or a value of another type or out of its range; the message
            has the dotted name.
    """
    return _dataclass(settings_class, values, "", f"{source}: ")


def to_values(settings: typing.Any) -> typing.Any:
    """Return the plain values of a dataclass; `make_settings` makes an equal one from them."""
    if dataclasses.is_dataclass(settings):
        return {field.name: to_values(getattr(settings, field.name)) for field in dataclasses.fields(settings)}
    if isinstance(settings, dict):
        return {name: to_values(value) for name, value in settings.items()}
    if isinstance(settings, (list, tuple)):
        return [to_values(value) for value in settings]
    return settings


def differences(first: typing.Any, second: typing.Any) -> dict[str, tuple[typing.Any, typing.Any]]:
    """Return what differs between two nested values: {dotted name: (value in the first, value in the second)}.

    A name that is missing in one of them has None there.
    """
    first, second = dict(_leaves(first)), dict(_leaves(second))
    names = [*first, *(name for name in second if name not in first)]
    pairs = {name: (first.get(name), second.get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _replace(values: dict[str, typing.Any], name: str, value: typing.Any, path: str | pathlib.Path) -> None:
    """Set the value of a dotted name; missing sections on the way are created."""
    *way, last = name.split(".")
    inner, place = values, ""
    for part in (*way, None):
        key = last if part is None else part
        if isinstance(inner, list):
            if not (key.isdecimal() and int(key) < len(inner)):
                raise InvalidSettingError(
                    f"{path}: {name} asks for entry {key} of {place}, expected a number below {len(inner)}"
                )
            key = int(key)
        elif not isinstance(inner, dict):
            raise InvalidSettingError(f"{path}: {name} cannot be set, because {place} is {_shown(inner)}")
        if part is None:
            inner[key] = value
        else:
            if isinstance(inner, dict) and inner.get(key) is None:
                inner[key] = {}
            inner, place = inner[key], f"{place}.{key}" if place else str(key)


def _dataclass(kind: type, values: typing.Any, place: str, source: str) -> typing.Any:
    if not isinstance(values, Mapping):
        what = f"{place} is {_shown(values)}" if place else f"the file holds {_shown(values)}"
        raise InvalidSettingError(f"{source}{what}, expected lines of NAME: VALUE")
    prefix = f"{place}." if place else ""
    known = settings_of(kind)
    unknown = [name for name in values if name not in known]
    if unknown:
        name = shortened(str(unknown[0]))
        raise InvalidSettingError(f"{source}unknown setting {prefix}{name}; known are {', '.join(known)}")
    fields = {field.name: field for field in dataclasses.fields(kind)}
    missing = [name for name in known if _has_no_default(fields[name]) and name not in values]
    if missing:
        raise InvalidSettingError(f"{source}{', '.join(prefix + name for name in missing)} must be set")
    arguments = {
        name: _value(known[name].kind, value, prefix + name, known[name].rule, source) for name, value in values.items()
    }
    try:
        return kind(**arguments)
    except InvalidSettingError as error:
        raise InvalidSettingError(f"{source}{prefix}{error}") from error


def _has_no_default(field: dataclasses.Field[typing.Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _value(kind: typing.Any, value: typing.Any, place: str, rule: Rule, source: str) -> typing.Any:
    """Convert a plain value to an annotated kind."""
    if dataclasses.is_dataclass(kind):
        return _dataclass(typing.cast(type, kind), value, place, source)
    origin, inner = typing.get_origin(kind), typing.get_args(kind)

    def refusal(expected: str) -> InvalidSettingError:
        return InvalidSettingError(f"{source}{place} is {_shown(value)}, expected {expected}")

    def convert(own_kind: typing.Any, own_value: typing.Any, key: object) -> typing.Any:
        return _value(own_kind, own_value, f"{place}.{key}", rule, source)

    if kind is typing.Any:
        return value
    if origin in (typing.Union, types.UnionType):
        (other,) = (member for member in inner if member is not type(None))
        return None if value is None else _value(other, value, place, rule, source)
    if origin is typing.Literal:
        if value not in inner:
            raise refusal(f"one of {', '.join(map(str, inner))}")
        return value
    if origin in (list, tuple):
        if not isinstance(value, (list, tuple)):
            raise refusal("a list")
        endless = origin is list or inner[-1] is Ellipsis
        if not endless and len(value) != len(inner):
            raise refusal(f"a list of {len(inner)}")
        kinds = [inner[0]] * len(value) if endless else inner
        return origin(convert(own, entry, number) for number, (own, entry) in enumerate(zip(kinds, value)))
    if origin is dict:
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            raise refusal("lines of NAME: VALUE, with names that are text")
        return {key: convert(inner[1], entry, key) for key, entry in value.items()}
    if kind not in PLAIN_KINDS:
        raise TypeError(f"{place} is annotated {kind}, which no setting can be")
    accepted = (int, float) if kind in (int, float) else kind
    if isinstance(value, bool) != (kind is bool) or not isinstance(value, accepted):
        raise refusal(PLAIN_KINDS[kind])
    if kind in (int, float) and not (rule.low <= value <= rule.high and abs(value) <= sys.float_info.max):
        raise refusal(rule.range)
    if kind is int and value != int(value):
        raise refusal(PLAIN_KINDS[int])
    return kind(value)


def _shown(value: typing.Any) -> str:
    if value is None:
        return "empty"
    return f"{value:g}" if isinstance(value, float) else shown(value)


def _leaves(value: typing.Any, place: str = "") -> Iterator[tuple[str, typing.Any]]:
    """Dotted names and values of nested values; an empty list or mapping is a value."""
    if isinstance(value, (dict, list)) and value:
        for key, entry in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(entry, f"{place}.{key}" if place else str(key))
    else:
        yield place, value
