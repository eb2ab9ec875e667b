# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Start the tracker node and a video in a loop, to try them with rviz2, rqt or Foxglove.

The rendered scene, with its red rover as the target:

    ros2 launch siam_tracker_ros demo.launch.py init:=true

A video of yours; its target is given by the centre and size of its box, in pixels of the newest image:

    ros2 launch siam_tracker_ros demo.launch.py source:=/path/to/video.mp4

    ros2 service call /tracker/init siam_tracker_ros/srv/InitTracker \
        "{bbox: {center: {position: {x: 320, y: 240}}, size_x: 90, size_y: 60}}"
"""

from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.conditions import IfCondition
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from launch import LaunchContext, LaunchDescription

# Arguments that are passed on to tracker.launch.py: default, where empty stands for its own, and meaning.
TRACKER_ARGUMENTS = {
    "model": ("", "Name of the model; `siam-tracker models` lists them."),
    "weights": ("", "Path of a checkpoint."),
    "preset": ("", "Named set of published settings."),
    "runtime": ("", "auto, torch, onnx, openvino or cuda_graph."),
    "device": ("", "auto, cpu, cuda or cuda:N."),
    "image_topic": ("image", "Topic of the images, of both nodes."),
    "image_transport": ("raw", "raw, or compressed for IMAGE_TOPIC/compressed, for both nodes."),
    "name": ("tracker", "Name of the tracker node."),
    "namespace": ("", "Namespace of all nodes."),
}


def generate_launch_description() -> LaunchDescription:
    """Return the launch description: arguments, the tracker and the publisher of the video."""
    tracker = PathJoinSubstitution([FindPackageShare("siam_tracker_ros"), "launch", "tracker.launch.py"])
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "source", default_value="scene", description="Video, image folder, bag, camera number, or scene."
            ),
            DeclareLaunchArgument("rate", default_value="0.0", description="Frames per second; 0: its own."),
            DeclareLaunchArgument("loop", default_value="true", description="Start again after the end."),
            DeclareLaunchArgument(
                "init", default_value="false", description="true: the red rover of the scene becomes the target."
            ),
            *(
                DeclareLaunchArgument(name, default_value=default, description=description)
                for name, (default, description) in TRACKER_ARGUMENTS.items()
            ),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(tracker),
                launch_arguments=[(name, LaunchConfiguration(name)) for name in TRACKER_ARGUMENTS],
            ),
            Node(
                package="siam_tracker_ros",
                executable="video_publisher",
                name="video_publisher",
                namespace=LaunchConfiguration("namespace"),
                parameters=[
                    {
                        "source": ParameterValue(LaunchConfiguration("source"), value_type=str),
                        "rate": ParameterValue(LaunchConfiguration("rate"), value_type=float),
                        "loop": ParameterValue(LaunchConfiguration("loop"), value_type=bool),
                        "transport": ParameterValue(LaunchConfiguration("image_transport"), value_type=str),
                    }
                ],
                remappings=[("image", LaunchConfiguration("image_topic"))],
                output="screen",
            ),
            OpaqueFunction(function=make_target),
        ]
    )


def make_target(context: LaunchContext) -> list[Node]:
    """Return the node that names the target, if it was asked for.

    Raises:
        RuntimeError: the source is another than the scene, so that nobody knows where its target is.
    """
    source, name = (LaunchConfiguration(key).perform(context) for key in ("source", "name"))
    if not IfCondition(LaunchConfiguration("init")).evaluate(context):
        return []
    if source != "scene":
        raise RuntimeError(
            f"init is true and source is '{source}', expected source:=scene, whose target is known; "
            f"leave init out and give the box of yours to /{name}/init"
        )
    return [
        Node(
            package="siam_tracker_ros",
            executable="demo_target",
            name="demo_target",
            namespace=LaunchConfiguration("namespace"),
            remappings=[(f"tracker/{topic}", f"{name}/{topic}") for topic in ("init", "status")],
            output="screen",
        )
    ]
