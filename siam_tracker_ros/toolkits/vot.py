# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A tracker for vot-toolkit: a server of the TraX protocol (Čehovin 2017) on standard input and output.

The toolkit sends the path of each frame and the regions of new objects. The answer has one region per object, of the
kind in which the object was given, and its confidence.
"""

import dataclasses
import typing

import cv2
import numpy as np

from siam_tracker_ros.core.tracker import Tracker, TrackResult
from siam_tracker_ros.errors import InvalidInputError, SiamTrackerError
from siam_tracker_ros.extras import require
from siam_tracker_ros.geometry import corners_to_equal_area_cxcywh, cxcywh_to_xywh, pixels_to_xywh, xywh_to_corners
from siam_tracker_ros.images import read_image_bgr
from siam_tracker_ros.intensity import IntensityStretch

if typing.TYPE_CHECKING:
    import trax

ROTATED_BOX = 4  # corners

Reply = list[tuple["trax.Region", dict[str, float]]]


def serve(tracker: Tracker, name: str) -> None:
    """Follow the objects that a TraX client sends, until it quits.

    Args:
        tracker: follows every object.
        name: of the tracker, for the client.

    Raises:
        InvalidSettingError: vot-trax is not installed.
        InvalidInputError: a frame cannot be read, or a region cannot be used, and the client is told; or there is no
            client, or no more.
    """
    require("vot-toolkit's protocol", "trax", extra="toolkits")
    import trax
    from trax.server import Server

    kinds = [trax.Region.RECTANGLE, trax.Region.POLYGON, trax.Region.MASK]
    server = Server(kinds, [trax.Image.PATH], tracker_name=name, tracker_family="siam_tracker_ros", multiobject=True)
    reason = None
    try:
        _answer_requests(server, ObjectTracker(tracker))
    except SiamTrackerError as error:
        reason = str(error)
        raise
    except trax.TraxException as error:
        raise InvalidInputError(
            f"the TraX client is gone, or standard input has no such client ({error}); vot-toolkit starts this command "
            "as it stands in trackers.ini, in a workspace whose path has ASCII letters alone"
        ) from error
    finally:
        server.quit(reason)


def _answer_requests(server: typing.Any, objects: "ObjectTracker") -> None:
    import trax
    from trax.image import ImageChannel

    stretch = IntensityStretch()
    while (request := server.wait()).type != trax.TraxStatus.QUIT:
        if request.type == trax.TraxStatus.INITIALIZE:
            objects.clear()
            stretch = IntensityStretch()
        image_bgr = read_image_bgr(request.image[ImageChannel.COLOR].path(), stretch=stretch)
        known = objects.step(image_bgr)
        new = objects.start(image_bgr, [region for region, _ in request.objects or []])
        server.status([*known, *new])


@dataclasses.dataclass(frozen=True, eq=False)
class _Object:
    """A target, and the kind of region that the client gave."""

    target: typing.Any
    kind: str


class ObjectTracker:
    """Several objects, all followed by one tracker.

    Args:
        tracker: follows every object.
    """

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker
        self._objects: list[_Object] = []

    def clear(self) -> None:
        """Forget all objects."""
        self._objects = []

    def start(self, image_bgr: np.ndarray, regions: "list[trax.Region]") -> Reply:
        """Start on new objects; the reply repeats their regions.

        Args:
            image_bgr: uint8 (H, W, 3).
            regions: rectangles, polygons or masks.

        Raises:
            InvalidInputError: a region cannot be used.
        """
        for region in regions:
            target = self._tracker.start(image_bgr, region_box(region))
            self._objects.append(_Object(target, region.type))
        return [(region, {"confidence": 1.0}) for region in regions]

    def step(self, image_bgr: np.ndarray) -> Reply:
        """Find the known objects, in the order of their start, in the next frame, uint8 (H, W, 3)."""
        reply = []
        for index, known in enumerate(self._objects):
            target, result = self._tracker.step(image_bgr, known.target)
            self._objects[index] = dataclasses.replace(known, target=target)
            reply.append((result_region(result, known.kind), {"confidence": float(result.score)}))
        return reply


def region_box(region: "trax.Region") -> np.ndarray:
    """Return the box (4,), x, y, width, height, around a rectangle, a polygon or a mask.

    The corners of a polygon are centres of pixels. Four corners are a rotated box: the upright one of equal area, with
    which PySOT starts, is returned.

    Raises:
        InvalidInputError: a mask is empty, or the region is of another kind.
    """
    import trax

    if region.type == trax.Region.RECTANGLE:
        return np.array(region.bounds())
    if region.type == trax.Region.POLYGON:
        corners = np.array(list(region))
        if len(corners) == ROTATED_BOX:
            return cxcywh_to_xywh(corners_to_equal_area_cxcywh(corners + 0.5))
        return pixels_to_xywh(np.concatenate([corners.min(0), corners.max(0)]))
    if region.type == trax.Region.MASK:
        mask = region.array()
        if not mask.any():
            raise InvalidInputError("the mask of a new object is empty, expected one with at least one pixel")
        x, y, w, h = cv2.boundingRect(mask)
        return np.array([x, y, w, h]) + [*region.offset(), 0, 0]
    raise InvalidInputError(f"a new object has a {region.type} region, expected a rectangle, a polygon or a mask")


def result_region(result: TrackResult, kind: str) -> "trax.Region":
    """Return a result as a region of a kind that TraX knows; as a rectangle if the result has nothing of that kind.

    The corners of a box that stands upright are its edges, not centres of pixels, so it is a rectangle.
    """
    import trax

    if kind == trax.Region.MASK and result.mask is not None:
        return trax.Mask.create(np.ascontiguousarray(result.mask, dtype=np.uint8))
    upright = result.polygon is None or np.allclose(result.polygon, xywh_to_corners(result.box_xywh))
    if kind == trax.Region.POLYGON and not upright:
        return trax.Polygon.create([tuple(corner) for corner in np.asarray(result.polygon).tolist()])
    return trax.Rectangle.create(*result.box_xywh.tolist())
