# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Start the tracker node.

    ros2 launch siam_tracker_ros tracker.launch.py image_topic:=/camera/image_raw

Arguments that are left empty keep the value of the parameter file.
"""

from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import LifecycleNode
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from launch import LaunchDescription

# Arguments that are parameters of the node, and their types.
PARAMETERS = {"image_transport": str, "model": str, "weights": str, "device": str, "autostart": bool}


def generate_launch_description():
    """Return the launch description: arguments and one lifecycle node."""
    default_params = PathJoinSubstitution([FindPackageShare("siam_tracker_ros"), "config", "tracker.yaml"])
    return LaunchDescription(
        [
            DeclareLaunchArgument("image_topic", default_value="image", description="Topic of the images."),
            DeclareLaunchArgument(
                "image_transport",
                default_value="",
                description="raw, or compressed for IMAGE_TOPIC/compressed.",
            ),
            DeclareLaunchArgument("model", default_value="", description="Name of the model."),
            DeclareLaunchArgument("weights", default_value="", description="Path of a checkpoint."),
            DeclareLaunchArgument("device", default_value="", description="auto, cpu, cuda or cuda:N."),
            DeclareLaunchArgument("params_file", default_value=default_params, description="Parameter file."),
            DeclareLaunchArgument("name", default_value="tracker", description="Name of the node."),
            DeclareLaunchArgument("namespace", default_value="", description="Namespace of the node."),
            DeclareLaunchArgument(
                "autostart", default_value="", description="true, or false to wait for a lifecycle manager."
            ),
            DeclareLaunchArgument("use_sim_time", default_value="false", description="Take the time from /clock."),
            DeclareLaunchArgument("log_level", default_value="info", description="debug, info, warn or error."),
            OpaqueFunction(function=make_node),
        ]
    )


def make_node(context):
    """Return the node, with only those parameters that were given."""
    given = {
        name: ParameterValue(LaunchConfiguration(name), value_type=value_type)
        for name, value_type in PARAMETERS.items()
        if LaunchConfiguration(name).perform(context)
    }
    given["use_sim_time"] = ParameterValue(LaunchConfiguration("use_sim_time"), value_type=bool)
    return [
        LifecycleNode(
            package="siam_tracker_ros",
            executable="tracker_node",
            name=LaunchConfiguration("name"),
            namespace=LaunchConfiguration("namespace"),
            parameters=[LaunchConfiguration("params_file"), given],
            remappings=[("image", LaunchConfiguration("image_topic"))],
            arguments=["--ros-args", "--log-level", LaunchConfiguration("log_level")],
            output="screen",
        )
    ]
