# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Settings of Fast DDS, where ROS uses it."""

import os
from pathlib import Path

IMAGES_PROFILE = Path(__file__).with_name("fast_dds_images.xml")  # shared memory that holds whole images

_VERSION_2 = "FASTRTPS_DEFAULT_PROFILES_FILE"
_VERSION_3 = "FASTDDS_DEFAULT_PROFILES_FILE"


def profile_variable() -> str:
    """Return the environment variable that names the profile file: that of version 3 from ROS 2 Kilted on."""
    # Version 2 does not know the variable of version 3, which in turn warns of the one of version 2.
    prefixes = os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    return _VERSION_3 if any(Path(prefix, "share/fastdds").is_dir() for prefix in prefixes if prefix) else _VERSION_2


def make_room_for_images() -> None:
    """Let this process share enough memory for images, unless the user has configured it; before rclpy.init."""
    if not {_VERSION_2, _VERSION_3} & os.environ.keys():
        os.environ[profile_variable()] = str(IMAGES_PROFILE)
