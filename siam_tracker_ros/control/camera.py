# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The camera as sensor_msgs/CameraInfo describes it: from pixels to directions and back.

Points are in the pixels of the published image, in the convention of `geometry.py`: the centre of the upper left pixel
is (0.5, 0.5). Directions are in the optical frame: x to the right, y down, z forward.
"""

import dataclasses
import math
import typing
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from siam_tracker_ros.errors import InvalidInputError, shown

_MODELS = {
    "plumb_bob": (0, 4, 5),
    "rational_polynomial": (8, 12, 14),
    "thin_prism": (12, 14),
    "equidistant": (4,),
    "fisheye": (4,),
    "": (0,),
}
"""Numbers of coefficients that each distortion model may have, as OpenCV orders them."""

_FISHEYE = ("equidistant", "fisheye")
_CRITERIA = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-12)
_TOLERANCE = 1e-3  # pixels between a point and the projection of its ray; the inverse of a lens model is not closed
_OPENCV_CENTER = 0.5  # OpenCV's (0, 0) is the centre of the upper left pixel


class CameraInfoFields(typing.Protocol):
    """The fields of sensor_msgs/CameraInfo that are read; `roi` is a sensor_msgs/RegionOfInterest."""

    height: int
    width: int
    distortion_model: str
    d: Any
    k: Any
    r: Any
    p: Any
    binning_x: int
    binning_y: int
    roi: Any


@dataclasses.dataclass(frozen=True, eq=False)
class Camera:
    """A calibrated camera.

    Attributes:
        matrix: float64 (3, 3), the camera matrix of the full sensor, in OpenCV's pixels.
        distortion: float64 (N,), coefficients in OpenCV's order; none: no distortion.
        is_fisheye: whether they are those of OpenCV's fisheye model (equidistant).
        size_wh: width and height of the published images in pixels.
        binning_xy: pixels of the sensor that are combined into one of the images.
        offset_xy: left top corner of the images on the sensor, in its pixels.
    """

    matrix: NDArray[np.float64]
    distortion: NDArray[np.float64]
    is_fisheye: bool
    size_wh: tuple[int, int]
    binning_xy: tuple[int, int] = (1, 1)
    offset_xy: tuple[int, int] = (0, 0)

    def rays(self, points_xy: npt.ArrayLike) -> NDArray[np.float64]:
        """Return the unit rays (N, 3) through points (N, 2); NaN where the lens model has none that points forward."""
        points = np.asarray(points_xy, np.float64).reshape(-1, 2) * self.binning_xy + self.offset_xy - _OPENCV_CENTER
        with np.errstate(all="ignore"):
            tangents = self._undistort(points[:, None])[:, 0]
            rays = np.column_stack([tangents, np.ones(len(tangents))])
            rays /= np.linalg.norm(rays, axis=1, keepdims=True)
            is_exact = np.abs(self._project(rays) - points).max(axis=1) < _TOLERANCE  # False for NaN
        rays[~is_exact] = math.nan
        return rays

    def points(self, rays: npt.ArrayLike) -> NDArray[np.float64]:
        """Return the points (N, 2) at which rays (N, 3) of any length meet the image; NaN for those that point back."""
        return (self._project(np.asarray(rays, np.float64)) + _OPENCV_CENTER - self.offset_xy) / self.binning_xy

    def check_size(self, size_wh: tuple[int, int]) -> None:
        """Check that images have the size that this camera's have.

        Raises:
            InvalidInputError: they do not.
        """
        if size_wh != self.size_wh:
            raise InvalidInputError(
                "the images are {} x {} pixels, expected {} x {} by camera_info with its binning and roi; publish the "
                "camera_info of these images".format(*size_wh, *self.size_wh)
            )

    def _undistort(self, points: NDArray[np.float64]) -> np.ndarray:
        """Return x / z and y / z (N, 1, 2) of the rays through points (N, 1, 2) of the sensor."""
        if self.is_fisheye:
            return cv2.fisheye.undistortPoints(points, self.matrix, self.distortion)
        if hasattr(cv2, "undistortPointsIter"):  # OpenCV 4, where undistortPoints stops after five iterations
            unit = np.eye(3)
            return cv2.undistortPointsIter(points, self.matrix, self.distortion, unit, unit, _CRITERIA)
        return cv2.undistortPoints(points, self.matrix, self.distortion, criteria=_CRITERIA)

    def _project(self, rays: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the points (N, 2) of the sensor, in OpenCV's pixels, of rays (N, 3)."""
        project = cv2.fisheye.projectPoints if self.is_fisheye else cv2.projectPoints
        points, _ = project(rays[:, None], np.zeros(3), np.zeros(3), self.matrix, self.distortion)
        return np.where(rays[:, 2:] > 0, points[:, 0], math.nan)


def camera_from_info(info: CameraInfoFields, is_rectified: bool = False) -> Camera:
    """Return the Camera that a sensor_msgs/CameraInfo describes.

    Its P counts for rectified images, in which no distortion is left: those that are said to be, and those of a
    camera_info without distortion and rotation. K and D count for the others.

    Args:
        info: the message.
        is_rectified: whether the images are rectified though `info` has the distortion of the lens.

    Raises:
        InvalidInputError: it does not describe a camera, or one of a model that is not known here.
    """
    model, coefficients = info.distortion_model, np.array(info.d, np.float64).reshape(-1)
    if model not in _MODELS:
        raise InvalidInputError(
            f"camera_info has the distortion_model {shown(model)}, expected one of {', '.join(filter(None, _MODELS))}; "
            "calibrate the camera with one of them, or rectify the images"
        )
    if len(coefficients) not in _MODELS[model]:
        raise InvalidInputError(
            f"camera_info has {len(coefficients)} coefficients in d, expected "
            f"{' or '.join(map(str, _MODELS[model]))} for the distortion_model '{model}'; calibrate the camera again"
        )
    if not np.isfinite(coefficients).all():
        raise InvalidInputError("camera_info has a number in d that is not finite; calibrate the camera again")
    is_straight = not coefficients.any() and model not in _FISHEYE
    if is_rectified or (is_straight and _is_identity_or_unset(info.r) and np.any(info.p)):
        matrix = _camera_matrix("p", np.array(info.p, np.float64).reshape(3, 4)[:, :3])
        coefficients, is_fisheye = np.empty(0), False
    else:
        matrix = _camera_matrix("k", np.array(info.k, np.float64).reshape(3, 3))
        is_fisheye = model in _FISHEYE
    camera = Camera(matrix, coefficients, is_fisheye, *_window(info))
    if not np.isfinite(camera.rays([[camera.size_wh[0] / 2, camera.size_wh[1] / 2]])).all():
        raise InvalidInputError(
            "camera_info gives no direction for the middle of the image, expected a model that holds there; "
            "calibrate the camera again"
        )
    return camera


def guess_camera(size_wh: tuple[int, int]) -> Camera:
    """Return a pinhole camera for images whose calibration is not known, with a horizontal view of 53 degrees."""
    width, height = size_wh
    center_xy = width / 2 - _OPENCV_CENTER, height / 2 - _OPENCV_CENTER
    matrix = np.array([[width, 0, center_xy[0]], [0, width, center_xy[1]], [0, 0, 1]], np.float64)
    return Camera(matrix, np.empty(0), False, size_wh)


def _is_identity_or_unset(rotation: Any) -> bool:
    rotation = np.array(rotation, np.float64).reshape(3, 3)
    return not rotation.any() or bool(np.allclose(rotation, np.eye(3), rtol=0, atol=1e-6))


def _camera_matrix(name: str, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the camera matrix of a field of a CameraInfo, checked."""
    if not matrix.any():
        raise InvalidInputError(
            f"camera_info has only zeros in {name}, which stands for a camera that is not calibrated; calibrate it, or "
            "load its calibration into the driver"
        )
    focal = matrix[0, 0], matrix[1, 1]
    fixed = matrix[[0, 1, 2, 2, 2], [1, 0, 0, 1, 2]]
    if not np.isfinite(matrix).all() or min(focal) < 1 or (fixed != (0, 0, 0, 0, 1)).any():
        shown = ", ".join(f"{value:g}" for value in matrix.reshape(-1))
        raise InvalidInputError(
            f"camera_info has the camera matrix {shown} in {name}, expected fx, 0, cx, 0, fy, cy, 0, 0, 1 with fx and "
            "fy of at least 1 pixel; calibrate the camera again"
        )
    return matrix


def _window(info: CameraInfoFields) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Return size_wh, binning_xy and offset_xy of the images of a CameraInfo; zeros stand for no binning, no roi."""
    binning_xy = max(info.binning_x, 1), max(info.binning_y, 1)
    roi = info.roi
    offset_xy = roi.x_offset, roi.y_offset
    used_wh = roi.width or info.width - offset_xy[0], roi.height or info.height - offset_xy[1]
    size_wh = used_wh[0] // binning_xy[0], used_wh[1] // binning_xy[1]
    if min(size_wh) < 1 or offset_xy[0] + used_wh[0] > info.width or offset_xy[1] + used_wh[1] > info.height:
        raise InvalidInputError(
            f"camera_info is {info.width} x {info.height} pixels with binning {binning_xy[0]} x {binning_xy[1]} and a "
            f"roi of {roi.width} x {roi.height} at {roi.x_offset}, {roi.y_offset}, expected a roi in the image and at "
            "least one pixel of it; check the camera driver"
        )
    return size_wh, binning_xy, offset_xy
