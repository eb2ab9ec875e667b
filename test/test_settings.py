# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import dataclasses
import typing

import pytest

from siam_tracker_ros.errors import InvalidSettingError
from siam_tracker_ros.settings import differences, make_settings, read_settings, to_values


@dataclasses.dataclass(frozen=True)
class Folder:
    RANGES: typing.ClassVar = {"share": (0, 1)}

    path: str
    share: float = 1.0


@dataclasses.dataclass(frozen=True)
class Stage:
    RANGES: typing.ClassVar = {"shift": (-2, 2)}

    rate: float = 0.1
    shift: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self):
        if self.rate > 10:
            raise InvalidSettingError(f"rate is {self.rate:g}, which no network survives")


@dataclasses.dataclass(frozen=True)
class Run:
    model: typing.Literal["small", "large"] = "small"
    steps: int = 10
    flip: bool = False
    note: str | None = None
    data: tuple[Folder, ...] = ()
    names: list[str] = dataclasses.field(default_factory=list)
    weights: dict[str, float] = dataclasses.field(default_factory=dict)
    folders: dict[str, Folder] = dataclasses.field(default_factory=dict)
    stage: Stage = Stage()
    last_stage: Stage | None = None
    tracker: dict[str, typing.Any] = dataclasses.field(default_factory=dict)


def read(tmp_path, text, overrides=None):
    path = tmp_path / "run.yaml"
    path.write_text(text, encoding="utf-8")
    return read_settings(path, Run, overrides)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("", Run()),
        ("# nothing", Run()),
        ("steps: 0", Run(steps=0)),
        ("model: large\nflip: yes", Run(model="large", flip=True)),
        ("stage: {rate: 1e-3}", Run(stage=Stage(rate=0.001))),
        ("stage: {rate: 1}", Run(stage=Stage(rate=1.0))),
        ("stage: {shift: [-1, 2.0]}", Run(stage=Stage(shift=(-1.0, 2.0)))),
        ("data: [{path: a}, {path: b, share: 0.5}]", Run(data=(Folder("a"), Folder("b", 0.5)))),
        ("data: []", Run()),
        ("names: [x, y]", Run(names=["x", "y"])),
        ("weights: {a: 2}", Run(weights={"a": 2.0})),
        ("folders: {a: {path: b}}", Run(folders={"a": Folder("b")})),
        ("note: null", Run()),
        ("note: größer", Run(note="größer")),
        ("last_stage: {rate: 2}", Run(last_stage=Stage(2.0))),
        ("last_stage:", Run()),
        ("tracker: {a: true, b: x}", Run(tracker={"a": True, "b": "x"})),
    ],
)
def test_a_file_becomes_a_dataclass_and_back(tmp_path, text, expected):
    settings = read(tmp_path, text)
    assert settings == expected
    assert type(settings.stage.rate) is float
    assert make_settings(Run, to_values(settings), "again") == settings


@pytest.mark.parametrize(
    "text, words",
    [
        (": : :", "cannot be read"),
        ("steps: 1\nsteps: 2", "steps is set twice"),
        ("stage: {rate: 1, rate: 2}", "rate is set twice"),
        ("[1, 2]", r"holds \[1, 2\], expected lines of NAME: VALUE"),
        ("7", "holds 7"),
        ("stepz: 3", "unknown setting stepz; known are model, steps, flip"),
        ("stage: {rat: 3}", "unknown setting stage.rat; known are rate, shift"),
        ("data: [{path: a}, {path: b, shar: 1}]", "unknown setting data.1.shar"),
        ("data: [{}]", r"data.0.path must be set"),
        ("stage:", "stage is empty, expected lines of NAME: VALUE"),
        ("stage: [1]", r"stage is \[1\]"),
        ("steps: many", "steps is 'many', expected a whole number"),
        ("steps: 1.5", "steps is 1.5, expected a whole number"),
        ("steps: true", "steps is True, expected a whole number"),
        ("steps:", "steps is empty, expected a whole number"),
        ("steps: -1", "steps is -1, expected 0 or more"),
        ("flip: 1", "flip is 1, expected true or false"),
        ("model: tiny", "model is 'tiny', expected one of small, large"),
        ("model: [small]", r"model is \['small'\], expected one of"),
        ("note: 3", "note is 3, expected text"),
        ("names: x", "names is 'x', expected a list"),
        ("names: [1]", "names.0 is 1, expected text"),
        ("weights: [1]", "expected lines of NAME: VALUE"),
        ("weights: {1: 1}", "names that are text"),
        ("weights: {a: x}", "weights.a is 'x', expected a number"),
        ("stage: {shift: [1]}", "expected a list of 2"),
        ("stage: {shift: [1, 3]}", "stage.shift.1 is 3, expected -2 to 2"),
        ("stage: {rate: .nan}", "stage.rate is nan"),
        ("stage: {rate: .inf}", "stage.rate is inf"),
        ("data: [{path: a, share: 1.5}]", "data.0.share is 1.5, expected 0 to 1"),
        ("last_stage: {rate: 11}", "last_stage.rate is 11, which no network survives"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, words):
    with pytest.raises(InvalidSettingError, match=words) as caught:
        read(tmp_path, text)
    assert "run.yaml" in str(caught.value)


def test_a_file_that_is_not_there_or_not_text_is_named(tmp_path):
    with pytest.raises(InvalidSettingError, match="absent.yaml cannot be read"):
        read_settings(tmp_path / "absent.yaml", Run)
    (tmp_path / "raw.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidSettingError, match="raw.yaml cannot be read"):
        read_settings(tmp_path / "raw.yaml", Run)


@pytest.mark.parametrize(
    "overrides, expected",
    [
        ({"steps": 3}, Run(steps=3, data=(Folder("a"),))),
        ({"stage.rate": 2.0}, Run(stage=Stage(2.0), data=(Folder("a"),))),
        ({"last_stage.rate": 2.0}, Run(last_stage=Stage(2.0), data=(Folder("a"),))),
        ({"data.0.path": "b"}, Run(data=(Folder("b"),))),
        ({"data": [], "weights.x": 1}, Run(weights={"x": 1.0})),
    ],
)
def test_overrides_reach_every_depth(tmp_path, overrides, expected):
    assert read(tmp_path, "data: [{path: a}]\nlast_stage:", overrides) == expected


@pytest.mark.parametrize(
    "overrides, words",
    [
        ({"stepz": 3}, "unknown setting stepz"),
        ({"data.1.path": "b"}, "entry 1 of data, expected a number below 1"),
        ({"data.x": "b"}, "entry x of data"),
        ({"steps.x": 3}, "steps.x cannot be set, because steps is 4"),
        ({"stage": 3}, "stage is 3"),
    ],
)
def test_overrides_that_lead_nowhere_are_refused(tmp_path, overrides, words):
    with pytest.raises(InvalidSettingError, match=words):
        read(tmp_path, "steps: 4\ndata: [{path: a}]", overrides)


def test_a_field_that_no_file_can_fill_is_a_fault_of_the_class():
    @dataclasses.dataclass(frozen=True)
    class Odd:
        moment: complex = 0

    with pytest.raises(TypeError, match="moment"):
        make_settings(Odd, {"moment": 1}, "odd")


def test_differences_name_the_settings():
    first, second = to_values(Run()), to_values(Run(steps=11, data=(Folder("a"),), stage=Stage(0.2)))
    assert differences(first, first) == {}
    assert differences(first, second) == {
        "steps": (10, 11), "stage.rate": (0.1, 0.2), "data": ([], None), "data.0.path": (None, "a"),
        "data.0.share": (None, 1.0),
    }  # fmt: skip
