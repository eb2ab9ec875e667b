# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import dataclasses
import pathlib
import re
import typing

import pytest

from siam_tracker_ros import list_models
from siam_tracker_ros.core.monitor import MonitorSettings
from siam_tracker_ros.errors import InvalidSettingError
from siam_tracker_ros.settings import (
    Rule,
    Setting,
    check_setting,
    differences,
    make_settings,
    parse_setting,
    read_settings,
    setting,
    settings_of,
    to_values,
    with_default,
)
from siam_tracker_ros.training.train import read_training
from tools.label.settings import LabelSettings

ROOT = pathlib.Path(__file__).resolve().parents[1]


@dataclasses.dataclass(frozen=True)
class Folder:
    path: str = setting(meaning="Where it is.")
    share: float = setting(1.0, "How much of it is used.", 0, 1, change="any time")


@dataclasses.dataclass(frozen=True)
class Stage:
    rate: float = 0.1
    shift: tuple[float, float] = setting((0.0, 0.0), "In x and in y.", -2, 2)

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
        ("note: 2026-13-01", "cannot be read: month must be in"),
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


@pytest.mark.parametrize(
    "text, expected",
    [
        ("note=a=b", ("note", "a=b")),
        ("note= ", ("note", None)),
        ("note=''", ("note", "")),
        ("rate=1e-3", ("rate", 0.001)),
        ("rate=.inf", ("rate", float("inf"))),
        ("stage.rate=2", ("stage.rate", 2)),
        ("names=[x, 1]", ("names", ["x", 1])),
        ("data.0={path: a}", ("data.0", {"path": "a"})),
        ("note=null", ("note", None)),
        ("flip=yes", ("flip", True)),
        ("note='yes'", ("note", "yes")),
        ("model=large", ("model", "large")),
    ],
)
def test_a_text_is_a_name_and_a_yaml_value(text, expected):
    assert parse_setting(text) == expected


@pytest.mark.parametrize(
    "text, words",
    [
        ("", "'' is not a setting, expected NAME=VALUE"),
        ("=", "'=' is not a setting"),
        ("=1", "'=1' is not a setting"),
        ("rate=", "'rate=' is not a setting"),
        ("rate", "'rate' is not a setting"),
        ("rate: 1", "'rate: 1' is not a setting"),
        ("note==", "'=' is not a YAML value"),
        ("note=2026-13-01", "'2026-13-01' is not a YAML value"),
        ("names=[1", r"'names=\[1': '\[1' is not a YAML value"),
        ("stage={rate: 1, rate: 2}", "is not a YAML value"),
        ("note=!!python/name:os.system", "is not a YAML value"),
    ],
)
def test_a_text_that_is_no_setting_is_refused(text, words):
    with pytest.raises(InvalidSettingError, match=words):
        parse_setting(text)


def test_a_single_setting_is_checked():
    value = check_setting(Run, "steps", 3.0)
    assert value == 3 and type(value) is int
    assert check_setting(Run, "stage", {"rate": 1}) == Stage(1.0)
    with pytest.raises(InvalidSettingError, match="^small: unknown setting shar; known are path, share$"):
        check_setting(Folder, "shar", 1, "small: ")
    with pytest.raises(InvalidSettingError, match="^small: share is 1.5, expected 0 to 1$"):
        check_setting(Folder, "share", 1.5, "small: ")


def test_what_there_is_to_know_of_a_setting():
    assert settings_of(Folder) == {
        "path": Setting("path", str, dataclasses.MISSING, Rule("Where it is.")),
        "share": Setting("share", float, 1.0, Rule("How much of it is used.", 0, 1, "any time")),
    }
    assert settings_of(Stage)["rate"] == Setting("rate", float, 0.1, Rule())


def test_another_default_keeps_the_rule():
    @dataclasses.dataclass(frozen=True)
    class Half(Folder):
        share: float = with_default(Folder, "share", 0.5)

    assert Half("a").share == 0.5
    assert settings_of(Half)["share"] == dataclasses.replace(settings_of(Folder)["share"], default=0.5)


@pytest.mark.parametrize(
    "kind, limits, expected",
    [
        (typing.Literal["small"], (), "one of small"),
        (typing.Literal["small", "large"], (), "one of small, large"),
        (bool, (0, 1), "true or false"),
        (int, (), "0 or more"),
        (int, (0, 2**32 - 1), "0 to 4294967295"),
        (float, (1e-12,), "1e-12 or more"),
        (float, (-0.5, 1.0), "-0.5 to 1"),
        (str, (), ""),
        (tuple[float, float], (-2, 2), ""),
        (dict[str, float], (), ""),
        (Stage, (), ""),
    ],
)
def test_the_values_that_a_setting_takes_in_words(kind, limits, expected):
    assert Setting("x", kind, None, Rule("", *limits)).allowed == expected


def nested_classes(kind):
    """Yield the settings classes in an annotation, with those of their own settings."""
    inner = typing.get_args(kind)
    if dataclasses.is_dataclass(kind):
        yield kind
        inner = [own.kind for own in settings_of(kind).values()]
    for own in inner:
        yield from nested_classes(own)


TRAINING_CLASSES = {type(read_training(path)) for path in sorted((ROOT / "config" / "train").glob("*.yaml"))}
SETTINGS_CLASSES = sorted(
    {
        kind
        for root in (
            MonitorSettings,
            LabelSettings,
            *(model.tracker_class.settings_class for model in list_models()),
            *TRAINING_CLASSES,
        )
        for kind in nested_classes(root)
    },
    key=lambda kind: kind.__name__,
)


def test_the_settings_classes_below_are_all():
    assert set(nested_classes(Run)) == {Run, Folder, Stage}
    names = {kind.__name__ for kind in SETTINGS_CLASSES}
    assert names >= {"LiteSettings", "OceanOnlineSettings", "LiteTraining", "PublishedTraining"}
    assert names >= {"AnchorRules", "Augmentation", "DatasetSettings", "Group", "PairSettings", "WarmUp"}


def check_meanings(settings_class):
    meanings = {name: own.rule.meaning for name, own in settings_of(settings_class).items()}
    assert meanings
    assert [name for name, meaning in meanings.items() if not re.fullmatch(r"[A-Z\"`].+[^.]\.", meaning)] == []


def check_defaults(settings_class):
    for name, own in settings_of(settings_class).items():
        if own.default is not dataclasses.MISSING:
            value = check_setting(settings_class, name, to_values(own.default))
            assert value == own.default and type(value) is type(own.default), name


@pytest.mark.parametrize("settings_class", SETTINGS_CLASSES)
def test_every_setting_has_a_meaning_of_whole_sentences(settings_class):
    check_meanings(settings_class)


@pytest.mark.parametrize("settings_class", SETTINGS_CLASSES)
def test_every_default_is_accepted(settings_class):
    check_defaults(settings_class)


def test_the_parameters_of_the_node_are_settings_like_these():
    pytest.importorskip("rcl_interfaces")
    from siam_tracker_ros.node.parameters import NodeParameters

    check_meanings(NodeParameters)
    check_defaults(NodeParameters)
