#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# Fast DDS 2.14.5 with rmw_fastrtps_cpp 8.4.3 (ROS 2 Jazzy), two users of one machine
# Expected: a topic reaches the programs of another user of the machine, or a warning says that it does not.
# Seen: both sides find each other, get_subscription_count and count_publishers say 1, and not one message arrives, with
# no warning. With FASTDDS_BUILTIN_TRANSPORTS=UDPv4 on the subscriber's side alone all arrive. With
# ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST that variable changes nothing, even if both sides have it.
# Why it matters: a camera driver that systemd starts as one user, and a tracker that a person starts as another one, look
# connected in every tool, and no image comes.
#
# It needs root, to be two users, and a Python 3.11 that all users may run: /usr/bin/python3, or PYTHON.
set -euo pipefail

[[ $EUID == 0 ]] || { echo "start this as root: it runs one program as root and one as nobody" >&2; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
"${PYTHON:-/usr/bin/python3}" -m venv --without-pip "$folder/venv"
python3 -m pip --python "$folder/venv/bin/python" install --quiet --disable-pip-version-check \
  ros-rclpy==7.1.6 ros-rmw-fastrtps-cpp==8.4.3 ros-fastrtps==2.14.5 ros-std-msgs==5.3.6

cat >"$folder/publish.py" <<'END'
import sys
import time

import rclpy
from std_msgs.msg import String

rclpy.init()
publisher = rclpy.create_node("publisher").create_publisher(String, "words", 10)
end, matched = time.monotonic() + 9, 0
while time.monotonic() < end:
    publisher.publish(String(data="word"))
    matched = max(matched, publisher.get_subscription_count())
    time.sleep(0.1)
sys.exit(None if matched == 1 else f"the publisher matched {matched} subscriptions, expected 1")
END
cat >"$folder/subscribe.py" <<'END'
import time

import rclpy
from std_msgs.msg import String

rclpy.init()
node = rclpy.create_node("subscriber")
received = []
node.create_subscription(String, "words", received.append, 10)
end, matched = time.monotonic() + 6, 0
while time.monotonic() < end:
    rclpy.spin_once(node, timeout_sec=0.1)
    matched = max(matched, node.count_publishers("words"))
print(matched, "all" if len(received) > 30 else len(received))
END

# talk USER RANGE VARIABLE_OF_THE_PUBLISHER VARIABLE_OF_THE_SUBSCRIBER: publishers seen, and messages that arrived
domain=0
talk() {
  domain=$((domain + 1))
  local common=(ROS_DOMAIN_ID=$domain ROS_AUTOMATIC_DISCOVERY_RANGE="$2" RMW_IMPLEMENTATION=rmw_fastrtps_cpp)
  env "${common[@]}" ROS_LOG_DIR="$folder/log" "$3" "$folder/venv/bin/python" "$folder/publish.py" &
  sleep 1
  (cd / && runuser -u "$1" -- env "${common[@]}" ROS_LOG_DIR="$(mktemp -u)" "$4" "$folder/venv/bin/python" "$folder/subscribe.py")
  wait $!
}

none=UNUSED=1 udp=FASTDDS_BUILTIN_TRANSPORTS=UDPv4
status=0
while read -r user range from to expected; do
  seen=$(talk "$user" "$range" "$from" "$to")
  echo "root to $user, $range, $from, $to: publishers and messages: $seen"
  [[ $seen == "1 $expected" ]] || status=1
done <<END
root SUBNET $none $none all
nobody SUBNET $none $none 0
nobody SUBNET $none $udp all
nobody LOCALHOST $udp $udp 0
END
[[ $status == 0 ]] || echo "no longer as stated" >&2
exit $status
