# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Start the tracker node and, if a ground station is named, its MAVLink camera.

    ros2 launch siam_tracker_ros tracker.launch.py image_topic:=/camera/image_raw

    ros2 launch siam_tracker_ros tracker.launch.py image_topic:=/camera/image_raw \
        model:=siammask_sharp weights:=/path/to/SiamMask_DAVIS.pth preset:=davis

    ros2 launch siam_tracker_ros tracker.launch.py image_topic:=/camera/image_raw mavlink:=udpout:192.168.1.20:14550

An argument that is left empty keeps the value of the parameter file.
"""

from pathlib import Path

from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import LifecycleNode, Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from launch import LaunchContext, LaunchDescription

# Arguments that are parameters of the node: type and meaning.
PARAMETERS = {
    "image_transport": (str, "raw, or compressed for IMAGE_TOPIC/compressed."),
    "model": (str, "Name of the model; `siam-tracker models` lists them."),
    "weights": (str, "Path of a checkpoint."),
    "preset": (str, "Named set of published settings."),
    "runtime": (str, "auto, torch, onnx, openvino or cuda_graph."),
    "device": (str, "auto, cpu, cuda or cuda:N."),
    "detection_init": (str, "When a detection starts the target: never, when_lost or always."),
    "detection_class": (str, "Class of these detections."),
    "operator_page": (bool, "true to serve the operator's page at http://127.0.0.1:8642/."),
    "autostart": (bool, "true, or false to wait for a lifecycle manager."),
}


_OWN_DETECTIONS = "~/init_detections"


def generate_launch_description() -> LaunchDescription:
    """Return the launch description: arguments, one lifecycle node and, if it was asked for, the MAVLink camera."""
    default_params = PathJoinSubstitution([FindPackageShare("siam_tracker_ros"), "config", "tracker.yaml"])
    return LaunchDescription(
        [
            DeclareLaunchArgument("image_topic", default_value="image", description="Topic of the images."),
            DeclareLaunchArgument(
                "detections_topic",
                default_value=_OWN_DETECTIONS,
                description="Topic of detections that start the target.",
            ),
            DeclareLaunchArgument(
                "camera_info_topic",
                default_value="camera_info",
                description="Topic of the camera_info; left as it is, that beside the images.",
            ),
            DeclareLaunchArgument(
                "depth_topic", default_value="depth", description="Topic of registered depth images."
            ),
            *(
                DeclareLaunchArgument(name, default_value="", description=description)
                for name, (_, description) in PARAMETERS.items()
            ),
            DeclareLaunchArgument(
                "mavlink",
                default_value="",
                description="Connection to a MAVLink ground station or router, as udpout:HOST:PORT; empty: none.",
            ),
            DeclareLaunchArgument(
                "mavlink_system_id", default_value="1", description="MAVLink system id, that of the vehicle."
            ),
            DeclareLaunchArgument("params_file", default_value=default_params, description="Parameter file."),
            DeclareLaunchArgument("name", default_value="tracker", description="Name of the node."),
            DeclareLaunchArgument("namespace", default_value="", description="Namespace of the node."),
            DeclareLaunchArgument("use_sim_time", default_value="false", description="Take the time from /clock."),
            DeclareLaunchArgument("log_level", default_value="info", description="debug, info, warn or error."),
            OpaqueFunction(function=make_node),
            OpaqueFunction(function=make_mavlink_camera),
        ]
    )


def make_node(context: LaunchContext) -> list[LifecycleNode]:
    """Return the node, with only those parameters that were given.

    Raises:
        RuntimeError: there is no parameter file of the given name; launch_ros would pass it over.
    """
    params_file = LaunchConfiguration("params_file").perform(context)
    if not Path(params_file).is_file():
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
            executable="tracker_node",
            name=LaunchConfiguration("name"),
            namespace=LaunchConfiguration("namespace"),
            parameters=[params_file, given],
            remappings=[
                ("image", LaunchConfiguration("image_topic")),
                (_OWN_DETECTIONS, LaunchConfiguration("detections_topic")),
                ("camera_info", LaunchConfiguration("camera_info_topic")),
                ("depth", LaunchConfiguration("depth_topic")),
            ],
            arguments=["--ros-args", "--log-level", LaunchConfiguration("log_level")],
            output="screen",
        )
    ]


def make_mavlink_camera(context: LaunchContext) -> list[Node]:
    """Return the MAVLink camera of the node, if a connection was given."""
    connection, name = (LaunchConfiguration(key).perform(context) for key in ("mavlink", "name"))
    if not connection:
        return []
    return [
        Node(
            package="siam_tracker_ros",
            executable="mavlink_camera",
            name="mavlink_camera",
            namespace=LaunchConfiguration("namespace"),
            parameters=[
                {
                    "connections": [connection],
                    "system_id": ParameterValue(LaunchConfiguration("mavlink_system_id"), value_type=int),
                }
            ],
            remappings=[
                (f"tracker/{topic}", f"{name}/{topic}")
                for topic in ("init", "init_point", "reset", "status", "detections")
            ],
            arguments=["--ros-args", "--log-level", LaunchConfiguration("log_level")],
            output="screen",
        )
    ]
