# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Strict settings: a YAML file becomes frozen dataclasses, nested as the file is.

The annotation of a field says what it takes: bool, int, float, str, a typing.Literal, another such dataclass, list[X],
tuple[X, ...], tuple[X, Y], dict[str, X], X | None, and typing.Any for what is checked where it is used. A number is
finite and 0 or more, unless the class says otherwise in RANGES: {field: (lowest, highest)}. What else must hold is
checked in `__post_init__`, which raises InvalidSettingError.
"""

import dataclasses
import math
import pathlib
import re
import types
import typing

import yaml

from siam_tracker_ros.errors import InvalidSettingError

ANY_POSITIVE = (0, math.inf)
PLAIN_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


def read_settings(path, settings_class, overrides=None):
    """Read a YAML file into a dataclass.

    Args:
        path: of the file; paths in it count from the working directory.
        settings_class: see above.
        overrides: see `read_values`.

    Raises:
        InvalidSettingError: what `read_values` and `make_settings` raise.
    """
    return make_settings(settings_class, read_values(path, overrides), str(path))


def read_values(path, overrides=None):
    """Read a YAML file into a dictionary, not yet checked.

    Args:
        path: of the file.
        overrides: mapping of dotted names to values that replace those of the file, as {"pairs.shift": 1.0}; a number
            counts from 0 in a list, as in "data.0.path".

    Raises:
        InvalidSettingError: the file cannot be read, is not lines of NAME: VALUE or names a thing twice, or an override
            leads through a value that has no names.
    """
    try:
        values = yaml.load(pathlib.Path(path).read_text(encoding="utf-8"), Loader=_Loader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidSettingError(f"settings file {path} cannot be read: {error}") from error
    values = {} if values is None else values
    if not isinstance(values, dict):
        raise InvalidSettingError(f"{path} holds {_shown(values)}, expected lines of NAME: VALUE")
    for name, value in (overrides or {}).items():
        _replace(values, name, value, path)
    return values


def make_settings(settings_class, values, source):
    """Make a dataclass of plain values.

    Args:
        settings_class: see above.
        values: mapping as out of YAML.
        source: where it comes from, for the messages.

    Raises:
        InvalidSettingError: a name that is unknown, one that is missing, or a value of another type or out of its
            range; the message has its dotted name.
    """
    return _dataclass(settings_class, values, "", f"{source}: ")


def to_values(settings):
    """The plain values of a dataclass, from which `make_settings` makes an equal one."""
    if dataclasses.is_dataclass(settings):
        return {field.name: to_values(getattr(settings, field.name)) for field in dataclasses.fields(settings)}
    if isinstance(settings, dict):
        return {name: to_values(value) for name, value in settings.items()}
    if isinstance(settings, (list, tuple)):
        return [to_values(value) for value in settings]
    return settings


def differences(first, second):
    """Names that two nested values do not agree on: {dotted name: (value in the first, value in the second)}.

    A name that one of them is without has None there.
    """
    first, second = dict(_leaves(first)), dict(_leaves(second))
    names = [*first, *(name for name in second if name not in first)]
    pairs = {name: (first.get(name), second.get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


class _Loader(yaml.SafeLoader):
    """YAML whose names stand once, and where 1e-3 is a number as in YAML 1.2."""

    def construct_mapping(self, node, deep=False):
        names = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        for name in names:
            if names.count(name) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"{name} is set twice", node.start_mark)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


def _replace(values, name, value, path):
    """Put a value where a dotted name leads; sections on the way are made where there are none."""
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


def _dataclass(kind, values, place, source):
    if not isinstance(values, dict):
        what = f"{place} is {_shown(values)}" if place else f"the file holds {_shown(values)}"
        raise InvalidSettingError(f"{source}{what}, expected lines of NAME: VALUE")
    prefix = f"{place}." if place else ""
    fields = [field for field in dataclasses.fields(kind) if field.init]
    names = [field.name for field in fields]
    unknown = [name for name in values if name not in names]
    if unknown:
        raise InvalidSettingError(f"{source}unknown setting {prefix}{unknown[0]}; known are {', '.join(names)}")
    missing = [field.name for field in fields if _has_no_default(field) and field.name not in values]
    if missing:
        raise InvalidSettingError(f"{source}{', '.join(prefix + name for name in missing)} must be set")
    hints, ranges = typing.get_type_hints(kind), getattr(kind, "RANGES", {})
    arguments = {
        name: _value(hints[name], value, prefix + name, ranges.get(name, ANY_POSITIVE), source)
        for name, value in values.items()
    }
    try:
        return kind(**arguments)
    except InvalidSettingError as error:
        raise InvalidSettingError(f"{source}{prefix}{error}") from error


def _has_no_default(field):
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _value(kind, value, place, limits, source):
    """Make a value of an annotated kind out of a plain one."""
    if dataclasses.is_dataclass(kind):
        return _dataclass(kind, value, place, source)
    origin, inner = typing.get_origin(kind), typing.get_args(kind)

    def refuse(expected):
        raise InvalidSettingError(f"{source}{place} is {_shown(value)}, expected {expected}")

    def convert(own_kind, own_value, key):
        return _value(own_kind, own_value, f"{place}.{key}", limits, source)

    if kind is typing.Any:
        return value
    if origin in (typing.Union, types.UnionType):
        (other,) = (member for member in inner if member is not type(None))
        return None if value is None else _value(other, value, place, limits, source)
    if origin is typing.Literal:
        return value if value in inner else refuse(f"one of {', '.join(map(str, inner))}")
    if origin in (list, tuple):
        if not isinstance(value, list):
            refuse("a list")
        endless = origin is list or inner[-1] is Ellipsis
        if not endless and len(value) != len(inner):
            refuse(f"a list of {len(inner)}")
        kinds = [inner[0]] * len(value) if endless else inner
        return origin(convert(own, entry, number) for number, (own, entry) in enumerate(zip(kinds, value)))
    if origin is dict:
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            refuse("lines of NAME: VALUE, with names that are text")
        return {key: convert(inner[1], entry, key) for key, entry in value.items()}
    if kind not in PLAIN_KINDS:
        raise TypeError(f"{place} is annotated {kind}, which no setting can be")
    if isinstance(value, bool) != (kind is bool) or not isinstance(value, (int, float) if kind is float else kind):
        refuse(PLAIN_KINDS[kind])
    if kind in (int, float):
        low, high = limits
        if not math.isfinite(value) or not low <= value <= high:
            refuse(f"{low:g} to {high:.10g}" if math.isfinite(high) else f"{low:g} or more")
    return kind(value)


def _shown(value):
    return "empty" if value is None else repr(value)


def _leaves(value, place=""):
    """Dotted names and values of what is nested; an empty list or mapping is a value."""
    if isinstance(value, (dict, list)) and value:
        for key, entry in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(entry, f"{place}.{key}" if place else str(key))
    else:
        yield place, value
