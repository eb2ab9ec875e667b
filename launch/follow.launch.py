# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Start the follow node beside a tracker.

    ros2 launch siam_tracker_ros follow.launch.py cmd_vel_topic:=/head/cmd_vel drive:=pan_tilt

An argument that is left empty keeps the node's default, or the value of the parameter file where one is given.
"""

from pathlib import Path

from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode
from launch_ros.parameter_descriptions import ParameterValue

from launch import LaunchContext, LaunchDescription

# Arguments that are parameters of the node: type and meaning.
PARAMETERS = {
    "drive": (str, "pan_tilt or body: what turns the camera."),
    "target_id": (str, "Name of the target to follow; empty: the first one that is seen."),
    "gain": (float, "Rate in rad/s per radian that the target is off the middle."),
    "max_rate": (float, "Maximum rate of yaw and of pitch in rad/s."),
    "actuation_delay_s": (float, "Seconds from a command to the middle of its effect."),
    "camera_tilt": (float, "Angle in radians by which the camera of a body looks down."),
    "use_attitude": (bool, "true to take the tilt of a body out of directions, by imu_topic."),
    "wanted_distance": (float, "Distance in metres that a body keeps from the target by driving."),
    "max_speed": (float, "Maximum speed forward in m/s."),
    "search": (str, "none or pan: what the camera does while the target is lost."),
    "stamped": (bool, "true for TwistStamped, false for Twist."),
    "autostart": (bool, "true, or false to wait for a lifecycle manager."),
}


def generate_launch_description() -> LaunchDescription:
    """Return the launch description: arguments and one lifecycle node."""
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "target_topic", default_value="tracker/target", description="~/target of the tracker."
            ),
            DeclareLaunchArgument(
                "target_pose_topic", default_value="tracker/target_pose", description="~/target_pose of the tracker."
            ),
            DeclareLaunchArgument("imu_topic", default_value="imu", description="sensor_msgs/Imu with an orientation."),
            DeclareLaunchArgument("cmd_vel_topic", default_value="cmd_vel", description="Topic of the commands."),
            *(
                DeclareLaunchArgument(name, default_value="", description=description)
                for name, (_, description) in PARAMETERS.items()
            ),
            DeclareLaunchArgument("params_file", default_value="", description="Parameter file."),
            DeclareLaunchArgument("name", default_value="follow", description="Name of the node."),
            DeclareLaunchArgument("namespace", default_value="", description="Namespace of the node."),
            DeclareLaunchArgument("use_sim_time", default_value="false", description="Take the time from /clock."),
            OpaqueFunction(function=make_node),
        ]
    )


def make_node(context: LaunchContext) -> list[LifecycleNode]:
    """Return the node, with only those parameters that were given.

    Raises:
        RuntimeError: there is no parameter file of the given name; launch_ros would pass it over.
    """
    params_file = LaunchConfiguration("params_file").perform(context)
    if params_file and not Path(params_file).is_file():
        raise RuntimeError(f"params_file is '{Path(params_file).absolute()}', expected the path of an existing file")
    given = {
        name: ParameterValue(LaunchConfiguration(name), value_type=value_type)
        for name, (value_type, _) in PARAMETERS.items()
        if LaunchConfiguration(name).perform(context)
    }
    given["use_sim_time"] = ParameterValue(LaunchConfiguration("use_sim_time"), value_type=bool)
    return [
        LifecycleNode(
            package="siam_tracker_ros",
            executable="follow",
            name=LaunchConfiguration("name"),
            namespace=LaunchConfiguration("namespace"),
            parameters=[*([params_file] if params_file else []), given],
            remappings=[
                ("target", LaunchConfiguration("target_topic")),
                ("target_pose", LaunchConfiguration("target_pose_topic")),
                ("imu", LaunchConfiguration("imu_topic")),
                ("cmd_vel", LaunchConfiguration("cmd_vel_topic")),
            ],
            output="screen",
        )
    ]
