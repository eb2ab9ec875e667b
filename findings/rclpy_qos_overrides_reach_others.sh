#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# rclpy 7.1.6 (ROS 2 Jazzy), QoSOverridingOptions
# Expected: an override of the QoS of one topic changes that topic alone; and a subscription that is destroyed and
# created again with another QoS profile has that profile, where no override is given.
# Seen: 1. The caller's profile is changed in place. An override of one topic also holds for every later subscription
# that gets the same profile, such as rclpy's own constant qos_profile_sensor_data, in all nodes of the process.
# 2. The profile of the first subscription becomes the value of read-only parameters, which hold for every later
# subscription to the topic: created again as reliable, it is best effort. Neither is said anywhere.
# Why it matters: a camera that is made reliable by a parameter makes others reliable that publish best effort, so that
# no image of theirs arrives. A tracker that subscribes again with the reliability of its camera does not get it. A
# node has to give each call a profile of its own, and to leave a policy that it changes itself out of the options.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  ros-rclpy==7.1.6 ros-rcl-yaml-param-parser==9.2.8 ros-rmw-fastrtps-cpp==8.4.3

export ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST ROS_DOMAIN_ID=97 ROS_LOG_DIR=$folder/log
cat >"$folder/probe.py" <<'END'
import sys

import rclpy
from rcl_interfaces.msg import Log
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from rclpy.qos_overriding_options import QoSOverridingOptions

BEST_EFFORT, RELIABLE = ReliabilityPolicy.BEST_EFFORT, ReliabilityPolicy.RELIABLE


def subscribe(node, topic, profile):
    """Subscribe, and ask the middleware for the reliability that the subscription has."""
    options = QoSOverridingOptions.with_default_policies()
    subscription = node.create_subscription(Log, topic, print, profile, qos_overriding_options=options)
    (info,) = node.get_subscriptions_info_by_topic(topic)
    return subscription, info.qos_profile.reliability


rclpy.init()
override = Parameter("qos_overrides./left.subscription.reliability", value="reliable")
node = rclpy.create_node("with_override", parameter_overrides=[override])
other = rclpy.create_node("without_override")
seen = [subscribe(node, "/left", qos_profile_sensor_data)[1], subscribe(other, "/right", qos_profile_sensor_data)[1]]
print("override of /left: reliable; /left is", seen[0].name, "and /right, in another node,", seen[1].name)

subscription, first = subscribe(other, "/camera", QoSProfile(depth=1, reliability=BEST_EFFORT))
other.destroy_subscription(subscription)
_, second = subscribe(other, "/camera", QoSProfile(depth=1, reliability=RELIABLE))
print("/camera is asked for as BEST_EFFORT, then as RELIABLE; it is", first.name, "and then", second.name)
rclpy.shutdown()
sys.exit(None if [*seen, first, second] == [RELIABLE] * 2 + [BEST_EFFORT] * 2 else "no longer as stated")
END
"$folder/venv/bin/python" "$folder/probe.py"
