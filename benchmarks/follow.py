# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A closed loop over DDS: a rendered world, a simulated vehicle, the tracker node and the follow node.

    ./run exec python benchmarks/follow.py --vehicle pan_tilt --runs 20 --json follow.json --plot follow.png
    ./run exec python benchmarks/follow.py --vehicle drone --runs 20 --json drone.json --plot follow_drone.png

Images and camera_info of 640x480 come at 30 Hz from a camera on a pan-tilt head or a drone that obeys the commands with
delay, lag and limits. In each run the target moves from side to side at up to 0.5 rad/s. That of the drone then sprints
away, stops, and hides for a second. At the end the target hides for 4 s and comes back.

The table has, for each run with and without latency compensation:

- rms: root mean square of the target's distance from the middle of the image over the image's width, while it moves
  from side to side;
- stop s: seconds from the first image of state LOST to the last command to move;
- again s: seconds from the target's return to when it is within 5 % of the middle again, for each time that it hid;
- far m: root mean square of what is wrong with the distance, while the target is in view.
"""

import argparse
import dataclasses
import itertools
import json
import math
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import rclpy
from geometry_msgs.msg import TwistStamped
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image, Imu
from siam_tracker_ros.msg import TrackerStatus
from siam_tracker_ros.srv import InitTracker

from siam_tracker_ros.cli.tables import format_table
from siam_tracker_ros.control.body import BodySettings
from siam_tracker_ros.control.drone_simulation import CAMERA_TILT, DRONE_SETTINGS, Drone, DroneLimits, Field
from siam_tracker_ros.control.simulation import Head, HeadLimits, World
from siam_tracker_ros.image_conversion import fill_image
from siam_tracker_ros.node.fast_dds import make_room_for_images
from siam_tracker_ros.node.messages import ns_to_stamp

RATE = 30.0  # images per second
STEPS = 3  # of the vehicle, and attitudes, per image
SPEED = 0.5  # rad/s, at most
SETTLE_S = 2.0  # after the beginning, before anything counts
EPOCH_S = 1000  # of the simulated time
HELD = 0.05  # of the image's width
NODE = "import sys; from siam_tracker_ros.node.{} import main; sys.exit(main())"


class PanTilt:
    """A camera on a pan-tilt head, and its target."""

    side_to_side_s = 14.0
    hidden_s = ((14.0, 18.0),)
    end_s = 24.0
    tracker_parameters: dict[str, object] = {}
    follow_parameters: dict[str, object] = {}
    quaternion_xyzw = None  # it needs no attitude

    def __init__(self, seed):
        self._phase = float(np.random.default_rng(seed).uniform(0, 2 * math.pi))
        self.world = World(self._path, is_hidden=lambda time_s: is_within(time_s, self.hidden_s), seed=seed)
        self._head = Head(HeadLimits())
        self.advance = self._head.advance

    def _path(self, time_s):
        (start_s, end_s), angle = self.hidden_s[0], self._phase
        angle += SPEED * (time_s - 0.8 * min(max(0.0, time_s - start_s), end_s - start_s))  # slow while it is hidden
        return math.sin(angle) - math.sin(self._phase), 0.1 * (math.sin(1.3 * angle) - math.sin(1.3 * self._phase))

    def command(self, twist):
        self._head.command((twist.angular.z, twist.angular.y))

    @property
    def pose(self):
        return self._head.angles.copy()

    def distance_error(self, time_s):
        return math.nan


class OnDrone:
    """A camera on a drone, and its target."""

    side_to_side_s = 12.0
    hidden_s = ((18.0, 19.0), (23.0, 27.0))
    end_s = 33.0
    tracker_parameters = {"target_height_m": 0.6}
    follow_parameters = {"drive": "body"} | {
        field.name: getattr(DRONE_SETTINGS, field.name)
        for field in dataclasses.fields(BodySettings)
        if getattr(DRONE_SETTINGS, field.name) != field.default
    }

    def __init__(self, seed):
        self._phase = float(np.random.default_rng(seed).uniform(0, 2 * math.pi))
        distance, height = DRONE_SETTINGS.wanted_distance, self.tracker_parameters["target_height_m"] / 2
        self._near = distance * math.cos(CAMERA_TILT)
        self._height = height
        times = np.arange(0, self.end_s, 0.01)
        later = np.where([is_within(time_s, self.hidden_s) for time_s in times], 0.05, 0.3)  # slow while it is hidden
        turning = SPEED * np.where(times < self.side_to_side_s, 1.0, later)
        sprint = np.interp(times, self.side_to_side_s + np.array([0, 2, 3, 4.5]), [0, 2, 2, 0])  # m/s
        self._table = times, np.cumsum(turning) * 0.01, np.cumsum(sprint) * 0.01
        self.world = Field(self._path, size_m=2 * height, hidden_s=self.hidden_s, seed=seed)
        self._drone = Drone(DroneLimits(), (0.0, 0.0, height + distance * math.sin(CAMERA_TILT)), CAMERA_TILT)
        self.advance = self._drone.advance

    def _path(self, time_s):
        times, turned, sprinted = self._table
        angle = math.sin(self._phase + np.interp(time_s, times, turned)) - math.sin(self._phase)
        distance = self._near + np.interp(time_s, times, sprinted)
        return np.array([distance * math.cos(angle), distance * math.sin(angle), self._height])

    def command(self, twist):
        self._drone.command((twist.linear.x, twist.linear.y, twist.linear.z), twist.angular.z)

    @property
    def pose(self):
        return self._drone

    @property
    def quaternion_xyzw(self):
        return self._drone.quaternion_xyzw

    def distance_error(self, time_s):
        return float(np.linalg.norm(self._path(time_s) - self._drone.position)) - DRONE_SETTINGS.wanted_distance


VEHICLES = {"pan_tilt": PanTilt, "drone": OnDrone}


def is_within(time_s, spans):
    return any(start_s <= time_s < end_s for start_s, end_s in spans)


class CameraOnVehicle(Node):
    """The camera, its vehicle, and the operator who names the target."""

    def __init__(self, vehicle, speed):
        super().__init__("camera_on_vehicle")
        self._time_output = self.create_publisher(Clock, "/clock", 10) if speed < 1 else None
        self._start_s, self._speed = time.perf_counter(), speed
        self.vehicle, self.world = vehicle, vehicle.world
        self.rows, self.commands, self.states = [], [], []
        self._lock = threading.Lock()
        self._image = self.create_publisher(Image, "image", 1)
        self._info = self.create_publisher(CameraInfo, "camera_info", 1)
        self._imu = self.create_publisher(Imu, "imu", qos_profile_sensor_data)
        self.create_subscription(TwistStamped, "cmd_vel", self._on_command, 10)
        self.create_subscription(TrackerStatus, "tracker/status", self._on_status, 10)
        self.init_client = self.create_client(InitTracker, "tracker/init")
        self.now_s = 0.0

    def seconds(self):
        """Seconds of the simulation since the beginning."""
        return (time.perf_counter() - self._start_s) * self._speed

    def _tell_time(self):
        """Return the stamp of this moment; nodes that use simulated time hear it."""
        if self._time_output is None:
            return self.get_clock().now().to_msg()
        stamp = ns_to_stamp(round(1e9 * (EPOCH_S + self.seconds())))
        self._time_output.publish(Clock(clock=stamp))
        return stamp

    def pass_time(self, time_s, takes_picture):
        """Let the vehicle move up to a time, tell its attitude, and publish what its camera sees then."""
        with self._lock:
            self.vehicle.advance(time_s - self.now_s)
            self.now_s = time_s
            stamp = self._tell_time()
            if self.vehicle.quaternion_xyzw is not None:
                imu = Imu()
                imu.header.stamp, imu.header.frame_id = stamp, "base_link"
                q = imu.orientation
                q.x, q.y, q.z, q.w = map(float, self.vehicle.quaternion_xyzw)
                self._imu.publish(imu)
            if not takes_picture:
                return
            offset = self.world.offset_px(time_s, self.vehicle.pose) / self.world.size_wh[0]
            self.rows.append((time_s, *offset, self.vehicle.distance_error(time_s)))
            image_bgr = self.world.render(time_s, self.vehicle.pose)
        msg = fill_image(Image(), image_bgr, "bgr8", Image().header)
        msg.header.stamp, msg.header.frame_id = stamp, "camera_optical_frame"
        info = CameraInfo(header=msg.header, width=msg.width, height=msg.height, distortion_model="plumb_bob")
        focal, (width, height) = self.world.focal_px, self.world.size_wh
        info.d = [0.0] * 5
        info.k = [focal, 0.0, width / 2 - 0.5, 0.0, focal, height / 2 - 0.5, 0.0, 0.0, 1.0]
        info.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
        info.p = [focal, 0.0, width / 2 - 0.5, 0.0, 0.0, focal, height / 2 - 0.5, 0.0, 0.0, 0.0, 1.0, 0.0]
        self._info.publish(info)
        self._image.publish(msg)

    def init(self):
        """Name the target in the newest image; return the answer."""
        x, y, width, height = self.world.box_xywh(self.now_s, self.vehicle.pose)
        request = InitTracker.Request()
        request.bbox.center.position.x, request.bbox.center.position.y = float(x + width / 2), float(y + height / 2)
        request.bbox.size_x, request.bbox.size_y = float(width), float(height)
        future = self.init_client.call_async(request)
        while not future.done():
            time.sleep(0.005)
        return future.result()

    def _on_command(self, msg):
        twist = msg.twist
        with self._lock:
            self.commands.append((self.now_s, twist.angular.z, twist.angular.y, twist.linear.x, twist.linear.z))
            self.vehicle.command(twist)

    def _on_status(self, msg):
        if not msg.is_heartbeat:
            self.states.append((self.now_s, msg.state))


def node_process(module, parameters, *remaps):
    """Start the program of a node with parameters."""
    arguments = [f"{name}:={str(value).lower()}" for name, value in parameters.items()]
    options = [option for argument in arguments for option in ("-p", argument)]
    return subprocess.Popen([sys.executable, "-c", NODE.format(module), "--ros-args", *options, *remaps])


def run_once(vehicle, compensates, model, speed):
    """Run a closed loop; return the CameraOnVehicle with what happened."""
    both = {"use_sim_time": speed < 1}
    follow = both | vehicle.follow_parameters | {"compensate_latency": compensates}
    remaps = ["-r", "target:=tracker/target", "-r", "target_pose:=tracker/target_pose"]
    processes = [
        node_process("tracker_node", both | vehicle.tracker_parameters | {"model": model}),
        node_process("follow_node", follow, *remaps),
    ]
    rclpy.init()
    try:
        node = CameraOnVehicle(vehicle, speed)
        thread = threading.Thread(target=_spin, args=(node,), daemon=True)
        thread.start()
        while not (node.states and node.commands and node.init().success):  # the tracker loads its model meanwhile
            node.pass_time(0.0, True)
            time.sleep(0.1)
        node.rows.clear()
        node.states.clear()
        node.commands.clear()
        start_s = node.seconds()
        for number in itertools.count(1):
            time.sleep(max(0.0, start_s + number / RATE / STEPS - node.seconds()) / speed)
            now_s = node.seconds() - start_s
            if now_s >= vehicle.end_s:
                return node
            node.pass_time(now_s, number % STEPS == 0)
    finally:
        rclpy.try_shutdown()
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()


def judge(node):
    """Return the figures of a run."""
    rows, commands, states = (np.array(part) for part in (node.rows, node.commands, node.states))
    vehicle, times = node.vehicle, rows[:, 0]
    moving = (times > SETTLE_S) & (times < vehicle.side_to_side_s)
    in_view = (times > SETTLE_S) & ~np.array([is_within(time_s, vehicle.hidden_s) for time_s in times])
    start_s, end_s = vehicle.hidden_s[-1]
    lost = states[(states[:, 1] == TrackerStatus.LOST) & (states[:, 0] > start_s) & (states[:, 0] < end_s), 0]
    turning = commands[(np.abs(commands[:, 1:]).max(1) > 0) & (commands[:, 0] < end_s), 0]
    ends_s = [start_s for start_s, _ in vehicle.hidden_s[1:]] + [vehicle.end_s]
    again = [back_after(rows, end_s, until_s) for (_, end_s), until_s in zip(vehicle.hidden_s, ends_s)]
    return {
        "rms": float(np.sqrt(np.square(rows[moving, 1:3]).sum(1).mean())),
        "stop s": float(max(0.0, turning.max(initial=0.0) - lost[0])) if len(lost) else math.nan,
        **{f"again {number} s": seconds for number, seconds in enumerate(again, 1)},
        "far m": float(np.sqrt(np.square(rows[in_view, 3]).mean())),
    }


def back_after(rows, return_s, until_s):
    """Return the seconds from a return until the target is near the middle, and stays there."""
    rows = rows[(rows[:, 0] > return_s) & (rows[:, 0] < until_s)]
    distance = np.abs(rows[:, 1:3]).max(1)
    near = [number for number in np.flatnonzero(distance < HELD) if (distance[number:] < 3 * HELD).all()]
    return float(rows[near[0], 0] - return_s) if near else math.inf


def _spin(node):
    try:
        rclpy.spin(node)
    except ExternalShutdownException:
        pass


def plot(nodes, path):
    """Draw the distance from the middle over time, with and without compensation, and what is wrong with that to it."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    vehicle = next(iter(nodes.values())).vehicle
    count = 1 if vehicle.quaternion_xyzw is None else 3
    figure, axes = pyplot.subplots(count, figsize=(8, 3 if count == 1 else 6), sharex=True, squeeze=False)
    labels = ("horizontal distance,\n% of the width", "vertical distance,\n% of the width", "too far, m")
    for column, (axis, label, scale) in enumerate(zip(axes[:, 0], labels, (100, 100, 1)), 1):
        for name, node in nodes.items():
            rows = np.array(node.rows)
            axis.plot(rows[:, 0], scale * rows[:, column], label=name)
        for number, span in enumerate(vehicle.hidden_s):
            axis.axvspan(*span, color="0.9", label="hidden" if number == 0 else None)
        axis.set_ylabel(label)
        if scale > 1:
            axis.set_ylim(-50, 50)  # what is in view
    axes[0, 0].legend()
    axes[-1, 0].set_xlabel("seconds")
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--vehicle", choices=VEHICLES, default="pan_tilt")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--model", default="lite_online")
    parser.add_argument(
        "--speed", type=float, default=1.0, help="below 1: in slow motion, for a busy machine; shortens the latency"
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path)
    args = parser.parse_args()
    make_room_for_images()
    os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))  # apart from other nodes on this machine
    rows, nodes = [], {}
    for seed in range(args.runs):
        for name, compensates in (("compensated", True), ("not compensated", False)):
            node = run_once(VEHICLES[args.vehicle](seed), compensates, args.model, args.speed)
            nodes.setdefault(name, node)
            rows.append({"run": seed, "latency": name, **judge(node)})
            print(rows[-1], flush=True)
    cells = [[f"{value:.3f}" if isinstance(value, float) else str(value) for value in row.values()] for row in rows]
    print(format_table(list(rows[0]), cells, left=(1,)))
    if args.json is not None:
        args.json.write_text(json.dumps(rows, indent=1) + "\n")
    if args.plot is not None:
        plot(nodes, args.plot)


if __name__ == "__main__":
    main()
