#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# rclpy 7.1.6 and rcl_yaml_param_parser 9.2.8 (ROS 2 Jazzy)
# Expected: a parameter that is declared with a list of strings and set to [] in a parameter file is an empty list of
# strings.
# Seen: declare_parameter returns a parameter without a type, with the value None and no warning. The declared default
# is gone, and the first get_parameter raises ParameterUninitializedException. In code the empty list becomes another
# type: Parameter(name, value=[]) is an array of bytes, which a list of strings refuses; and a default of [] declares
# an array of bytes, which can never hold a string.
# Why it matters: an empty list is the natural way to write "no further settings", "no class filter" or "no regions to
# ignore" for a tracker. The node ends with an error that says nothing of the list in the file. A node has to ask with
# get_parameter_or or keep what declare_parameter returns, test for None, and declare such a list with one empty
# string.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  ros-rclpy==7.1.6 ros-rcl-yaml-param-parser==9.2.8 ros-rmw-fastrtps-cpp==8.4.3

export ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST ROS_LOG_DIR=$folder/log
printf '/**:\n  ros__parameters:\n    classes: []\n' >"$folder/parameters.yaml"
cat >"$folder/probe.py" <<'END'
import sys

import rclpy
from rclpy.exceptions import ParameterUninitializedException
from rclpy.parameter import Parameter

rclpy.init(args=sys.argv)
node = rclpy.create_node("probe")
kind = Parameter.Type

from_file = node.declare_parameter("classes", ["person"])
from_line = node.declare_parameter("regions", ["sky"])
for parameter in (from_file, from_line):
    print(f"{parameter.name}: default a list of strings, given [] -> {parameter.type_.name}, value {parameter.value}")
try:
    refused = f"no error, value {node.get_parameter('classes').value}"
except ParameterUninitializedException as error:
    refused = f"{type(error).__name__}: {error}"
print("get_parameter:", refused)

node.declare_parameter("settings", ["lr=0.5"])
untyped = node.set_parameters([Parameter("settings", value=[])])[0]
typed = node.set_parameters([Parameter("settings", kind.STRING_ARRAY, [])])[0]
print(f"set_parameters with value=[]: successful {untyped.successful}, {untyped.reason}")
print(f"set_parameters with STRING_ARRAY and []: successful {typed.successful}")

declared = node.declare_parameter("names", []).type_
later = node.set_parameters([Parameter("names", value=["car"])])[0]
print(f"declared with []: {declared.name}; then set to ['car']: successful {later.successful}, {later.reason}")

as_stated = (
    from_file.type_ == from_line.type_ == kind.NOT_SET
    and from_file.value is None
    and refused.startswith("ParameterUninitialized")
    and not untyped.successful
    and typed.successful
    and declared == kind.BYTE_ARRAY
    and not later.successful
)
rclpy.shutdown()
sys.exit(None if as_stated else "no longer as stated")
END
"$folder/venv/bin/python" "$folder/probe.py" --ros-args --params-file "$folder/parameters.yaml" -p "regions:=[]"
