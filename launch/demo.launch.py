# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Start the tracker node and a video in a loop, to try them with rviz2, rqt or Foxglove.

    ros2 launch siam_tracker_ros demo.launch.py source:=/path/to/video.mp4

Then give the tracker its target in the newest image, by the centre and size of its box in pixels:

    ros2 service call /tracker/init siam_tracker_ros/srv/InitTracker \
        "{bbox: {center: {position: {x: 320, y: 240}}, size_x: 90, size_y: 60}}"
"""

from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from launch import LaunchDescription

# Arguments that are passed on to tracker.launch.py; empty: its own.
TRACKER_ARGUMENTS = {
    "model": "Name of the model; `siam-tracker models` lists them.",
    "weights": "Path of a checkpoint.",
    "preset": "Named set of published settings.",
    "runtime": "auto, torch or onnx.",
    "device": "auto, cpu, cuda or cuda:N.",
}


def generate_launch_description() -> LaunchDescription:
    """Return the launch description: arguments, the tracker and the publisher of the video."""
    tracker = PathJoinSubstitution([FindPackageShare("siam_tracker_ros"), "launch", "tracker.launch.py"])
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "source", default_value="scene", description="Video, image folder, camera number, or scene."
            ),
            DeclareLaunchArgument("rate", default_value="0.0", description="Frames per second; 0: its own."),
            DeclareLaunchArgument("loop", default_value="true", description="Start again after the end."),
            *(
                DeclareLaunchArgument(name, default_value="", description=description)
                for name, description in TRACKER_ARGUMENTS.items()
            ),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(tracker),
                launch_arguments=[(name, LaunchConfiguration(name)) for name in TRACKER_ARGUMENTS],
            ),
            Node(
                package="siam_tracker_ros",
                executable="video_publisher",
                name="video_publisher",
                parameters=[
                    {
                        "source": ParameterValue(LaunchConfiguration("source"), value_type=str),
                        "rate": ParameterValue(LaunchConfiguration("rate"), value_type=float),
                        "loop": ParameterValue(LaunchConfiguration("loop"), value_type=bool),
                    }
                ],
                output="screen",
            ),
        ]
    )
