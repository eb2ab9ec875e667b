# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Start the tracker node and a video in a loop, to try it with rviz2, rqt or Foxglove.

    ros2 launch siam_tracker_ros demo.launch.py source:=/path/to/video.mp4

Then give it the target, here in the newest image, by the box's centre and size in pixels:

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

TRACKER_ARGUMENTS = ("model", "weights", "device")


def generate_launch_description():
    """Return the launch description: arguments, the tracker and the publisher of the video."""
    tracker = PathJoinSubstitution([FindPackageShare("siam_tracker_ros"), "launch", "tracker.launch.py"])
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "source", default_value="scene", description="Video, image folder, camera number, or scene."
            ),
            DeclareLaunchArgument("rate", default_value="0.0", description="Frames a second; 0: its own."),
            DeclareLaunchArgument("loop", default_value="true", description="Start again after the end."),
            DeclareLaunchArgument("model", default_value="", description="Name of the model."),
            DeclareLaunchArgument("weights", default_value="", description="Path of a checkpoint."),
            DeclareLaunchArgument("device", default_value="", description="auto, cpu, cuda or cuda:N."),
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
