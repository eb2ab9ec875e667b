# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""YAML in which a name may not be repeated, and 1e-3 is a number as in YAML 1.2.

Its library takes a megabyte and ten milliseconds, so what need not read any YAML does not import this module.
"""

import re
import typing

import yaml

YAMLError = yaml.YAMLError


def load_yaml(text: str) -> typing.Any:
    """Return the plain values that a text stands for.

    Raises:
        YAMLError: it is no YAML, or has a name twice.
        ValueError: a date in it is none.
    """
    return yaml.load(text, Loader=_Loader)


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[typing.Any, typing.Any]:
        names = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        for name in names:
            if names.count(name) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"{name} is set twice", node.start_mark)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)
