# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Fields of sensor_msgs/CameraInfo for tests that need no ROS."""

import types

K = (500.0, 0.0, 320.0, 0.0, 500.0, 240.0, 0.0, 0.0, 1.0)
UNIT = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
PLUMB_BOB = (-0.28, 0.08, 0.001, -0.0005, -0.01)
RATIONAL = (0.5, 0.02, 0.0005, -0.0003, 0.01, 0.7, 0.05, 0.01)
THIN_PRISM = (*RATIONAL, 0.001, -0.0005, 0.0008, 0.0003)
EQUIDISTANT = (-0.02, 0.005, -0.003, 0.0006)
LENSES = {
    "plumb_bob": PLUMB_BOB,
    "rational_polynomial": RATIONAL,
    "thin_prism": THIN_PRISM,
    "equidistant": EQUIDISTANT,
}


def projection(k, baseline=0.0):
    """The P of a rectified camera with this K."""
    return (*k[0:3], -k[0] * baseline, *k[3:6], 0.0, *k[6:9], 0.0)


def camera_info(**fields):
    """A CameraInfo of 640 x 480 pixels without distortion, or with other values of some fields."""
    roi = {"x_offset": 0, "y_offset": 0, "width": 0, "height": 0} | fields.pop("roi", {})
    k = fields.get("k", K)
    values = {
        "width": 640,
        "height": 480,
        "distortion_model": "plumb_bob",
        "d": (0.0,) * 5,
        "k": k,
        "r": UNIT,
        "p": projection(k),
        "binning_x": 0,
        "binning_y": 0,
    }
    return types.SimpleNamespace(**(values | fields), roi=types.SimpleNamespace(**roi))
