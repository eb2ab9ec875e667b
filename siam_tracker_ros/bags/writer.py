# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the tracker sees as a bag: the topics that the node publishes, with the headers of the frames."""

import array
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from siam_tracker_ros.bags.files import SUFFIX
from siam_tracker_ros.core.session import Observation
from siam_tracker_ros.drawing import mask_image
from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.extras import require
from siam_tracker_ros.frames import FrameHeader
from siam_tracker_ros.image_conversion import fill_image
from siam_tracker_ros.outputs import PendingFile
from siam_tracker_ros.result_messages import NANOSECONDS, make_detection, make_detections, make_status

TOPICS = {
    "/tracker/detection": "vision_msgs/msg/Detection2D",
    "/tracker/detections": "vision_msgs/msg/Detection2DArray",
    "/tracker/status": "siam_tracker_ros/msg/TrackerStatus",
    "/tracker/mask": "sensor_msgs/msg/Image",
}


class BagSink:
    """Write what is seen in each frame to a new bag, which gets its name when it is complete: a context manager.

    Args:
        path: folder of the bag, which must not exist; or, ending in .mcap, a single file, which may.

    Raises:
        InvalidInputError: it cannot be written; in `write` and `close`, the disk is full.
        InvalidSettingError: rosbags is not installed.
    """

    def __init__(self, path: Path) -> None:
        require("writing a bag", "rosbags", extra="bags")
        from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

        from siam_tracker_ros.bags.message_types import RESULTS, known_types

        self.path = path
        self._file = PendingFile(path) if path.suffix == SUFFIX else None
        if self._file is None and path.exists():
            raise InvalidInputError(f"{path} exists already; give another name for the bag, or remove it first")
        self._store = known_types()
        self._types = RESULTS
        self._count = 0
        self._closed = False
        if not path.parent.is_dir():
            raise InvalidInputError(f"folder {path.parent} does not exist; make it, then write {path.name}")
        try:
            self._folder = Path(tempfile.mkdtemp(prefix=f"{path.stem}.partial-", dir=path.parent))
            # version 8 is what Humble reads; ros2 bag plays topics without a profile as reliable
            self._writer = Writer(self._folder / path.stem, version=8, storage_plugin=StoragePlugin.MCAP)
            self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
            self._writer.open()
        except OSError as error:
            raise InvalidInputError(
                f"bag {path} cannot be written: {error.strerror}; check the folder's rights"
            ) from error
        self._connections = {
            topic: self._writer.add_connection(topic, type_name, typestore=self._store)
            for topic, type_name in TOPICS.items()
        }

    def __enter__(self) -> "BagSink":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close(complete=kind is None)

    def write(self, frame: FrameHeader, size_wh: tuple[int, int], observation: Observation) -> None:
        """Append the messages about one frame: a detection and a mask where there are any, a status always.

        Args:
            frame: its header.
            size_wh: its width and height in pixels.
            observation: what was seen in it.
        """
        types = self._types
        seconds, nanoseconds = divmod(frame.stamp_ns, NANOSECONDS)
        header = types.Header(stamp=types.Time(sec=seconds, nanosec=nanoseconds), frame_id=frame.frame_id)
        detections = []
        if observation.box_xywh is not None:
            detections = [make_detection(types, header, observation, "target", "target")]
            self._append("/tracker/detection", frame, detections[0])
        self._append("/tracker/detections", frame, make_detections(types, header, detections))
        inference_ns = round(observation.inference_ms * 1e6)
        status = make_status(types, header, observation, "target", 0, inference_ns, size_wh)
        self._append("/tracker/status", frame, status)
        self._count += 1
        if observation.mask is not None:
            mask = fill_image(types.Image(data=array.array("B")), mask_image(observation.mask), "mono8", header)
            mask.data = np.frombuffer(mask.data, np.uint8)
            self._append("/tracker/mask", frame, mask)

    def close(self, complete: bool = True) -> None:
        """Finish the bag; closing twice is safe. A file that is not complete does not replace an older one."""
        if self._closed:
            return
        self._closed = True
        bag = self._folder / self.path.stem
        try:
            if self._count or complete:
                self._writer.close()
                if self._file is None:
                    bag.rename(self.path)
                else:
                    (bag / f"{bag.name}{SUFFIX}").replace(self._file.partial)
            else:  # the target was refused: there is nothing to keep
                self._writer.abort()
        except OSError as error:
            complete = False
            raise self._refusal(error) from error
        finally:
            if self._file is not None:
                self._file.settle(complete)
        shutil.rmtree(self._folder)

    def _append(self, topic: str, frame: FrameHeader, msg: Any) -> None:
        data = self._store.serialize_cdr(msg, TOPICS[topic])
        try:
            self._writer.write(self._connections[topic], frame.logged_ns, data)
        except OSError as error:
            raise self._refusal(error) from error

    def _refusal(self, error: OSError) -> InvalidInputError:
        return InvalidInputError(
            f"bag {self.path} cannot be written: {error.strerror}; check the space on the disk; what was written is in "
            f"{self._folder}"
        )
