# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The images of one topic of a ROS 2 bag as a FrameSource, with the headers that the camera gave them."""

import contextlib
import itertools
import statistics
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from siam_tracker_ros.bags.files import METADATA, is_storage
from siam_tracker_ros.bags.images import IMAGE_TYPES, MessageDecoder
from siam_tracker_ros.errors import IncompleteVideoError, InvalidInputError
from siam_tracker_ros.extras import require
from siam_tracker_ros.frames import FrameHeader, FrameSource
from siam_tracker_ros.result_messages import NANOSECONDS

if typing.TYPE_CHECKING:
    from rosbags.interfaces import Connection

_RATE_MESSAGES = 9  # the first ones, whose stamps give the rate
_TRIES = 300  # messages in a row without an image, after which the rest is given up


class BagFrames(FrameSource):
    """The images of one topic, in the order in which they were recorded.

    Messages without an image that can be decoded are skipped.

    Attributes:
        topic: name of the topic.
        frame_count: number of messages on the topic.
        skipped: number of messages so far that gave no image.
    """

    def __init__(self, path: Path, topic: str = "", intensity_range: tuple[int, int] | None = None) -> None:
        """Open a bag.

        Args:
            path: folder of a bag, or a single .mcap or .db3 file.
            topic: name of the image topic; may be empty where there is only one.
            intensity_range: see `open_frames`.

        Raises:
            InvalidInputError: the bag or the topic cannot be used, or no image can be decoded.
            InvalidSettingError: rosbags, or PyAV for a video, is not installed.
        """
        require("reading a bag", "rosbags", extra="bags")
        from rosbags.rosbag2 import Reader

        _check_files(path)
        self.path = path
        self._intensity_range = intensity_range
        self._first: tuple[FrameHeader, np.ndarray] | None = None
        self._reader = Reader(path)
        try:
            self._reader.open()
        except Exception as error:  # a damaged file raises errors of many kinds
            raise InvalidInputError(
                f"bag {path} cannot be opened: {error or type(error).__name__}; if the recording was cut off, repair "
                "it with `mcap recover` or, for sqlite3, `ros2 bag reindex`"
            ) from error
        try:
            # Those of the files, not of metadata.yaml: where that states other profiles, rosbags would read nothing.
            storages = getattr(self._reader.storage, "storages", [self._reader.storage])
            connections = [connection for storage in storages for connection in storage.connections]
            self.topic, self._connections = _choose_topic(path, connections, topic)
            self.frame_count: int = sum(connection.msgcount for connection in self._connections)
            self.fps = self._rate()
            self.rewind()
        except BaseException:
            self.close()
            raise

    def __next__(self) -> np.ndarray:
        item, self._first = self._first, None
        self.header, image_bgr = item or next(self._images)
        return image_bgr

    def rewind(self) -> None:
        """Start again at the first image.

        Raises:
            InvalidInputError: there is none that can be decoded.
        """
        self.skipped = 0
        self._reason = ""
        self._images = self._read_images()
        self._first = next(self._images, None)
        if self._first is None:
            raise InvalidInputError(f"{self._name} has no image that can be decoded: {self._reason}")

    def close(self) -> None:
        """Release the files; closing twice is safe."""
        if self._reader.is_open:
            self._reader.close()

    @property
    def remarks(self) -> tuple[str, ...]:  # type: ignore[override]
        """What is missing in the images so far, as sentences."""
        if not self.skipped:
            return ()
        return (f"{self._name}: messages without an image, skipped: {self.skipped}; the last one: {self._reason}",)

    @property
    def _name(self) -> str:
        return f"topic {self.topic} of {self.path}"

    def _read_images(self) -> Iterator[tuple[FrameHeader, np.ndarray]]:
        """Yield header and image_bgr of every frame; the image may be drawn on."""
        decoder = MessageDecoder(self._connections, self._intensity_range)
        decoded = (decoder.decode(used.msgtype, logged_ns, data) for used, logged_ns, data in self._messages())
        failures = given = 0
        for images in itertools.chain(decoded, [decoder.flush()]):
            try:
                for header, image_bgr in images:
                    failures = 0
                    given += 1
                    yield header, image_bgr if image_bgr.flags.writeable else image_bgr.copy()
            except InvalidInputError as error:
                failures += 1
                self.skipped += 1
                self._reason = str(error)
                if failures == _TRIES:
                    raise IncompleteVideoError(
                        f"{self._name} gives no image {failures} times in a row: {error}"
                    ) from error
        if given + self.skipped < self.frame_count:
            self.skipped = self.frame_count - given
            self._reason = "a packet of the video completed no image"

    def _messages(self) -> "Iterator[tuple[Connection, int, bytes]]":
        """Yield topic, time of recording in nanoseconds and data of every message on the topic."""
        count = 0
        try:
            for item in self._reader.messages(self._connections):
                count += 1
                yield item
        except Exception as error:  # a damaged file raises errors of many kinds
            raise IncompleteVideoError(
                f"{self._name} cannot be read further than {count} of {self.frame_count} messages: "
                f"{error or type(error).__name__}; repair the bag, for example with `mcap recover`"
            ) from error
        if count < self.frame_count:
            raise IncompleteVideoError(
                f"{self._name} has {self.frame_count} messages, of which {count} could be read; write the bag again "
                "with `ros2 bag convert`, or repair it with `mcap recover`"
            )

    def _rate(self) -> float:
        """Return the rate of the first images by their stamps or, where these stand still, by when they came."""
        decoder = MessageDecoder(self._connections)
        headers = []
        with contextlib.suppress(InvalidInputError):  # it is raised again where the images are read
            for connection, logged_ns, data in itertools.islice(self._messages(), _RATE_MESSAGES):
                headers.append(decoder.header(connection.msgtype, logged_ns, data))
        for times_ns in ([header.stamp_ns for header in headers], [header.logged_ns for header in headers]):
            times_ns = sorted(times_ns)  # B-frames are recorded after images that they come before
            steps_ns = [after - before for before, after in itertools.pairwise(times_ns) if after > before]
            if steps_ns:
                return NANOSECONDS / statistics.median(steps_ns)
        return 0.0


def _check_files(path: Path) -> None:
    """Refuse what rosbags cannot read, or would read without a word about what is missing.

    Raises:
        InvalidInputError: the bag is of another kind, or not complete.
    """
    if path.suffix == ".bag":
        raise InvalidInputError(
            f"{path} is a bag of ROS 1, expected one of ROS 2; convert it: rosbags-convert --src {path} --dst FOLDER"
        )
    if path.suffix == ".zstd":
        raise InvalidInputError(f"{path} is compressed as a whole; give the folder of the bag, with its metadata.yaml")
    files = [path]
    if path.is_dir():
        files = sorted(filter(is_storage, path.iterdir()))
        if not (path / METADATA).is_file():
            names = ", ".join(file.name for file in files)
            raise InvalidInputError(
                f"{path} has no metadata.yaml: it was not recorded to its end; run `ros2 bag reindex {path}`, or give "
                f"a single file of it: {names}"
            )
    for file in files:
        if file.suffix == ".db3" and any(letter in str(file) for letter in "#?%"):
            raise InvalidInputError(
                f"{file} has #, ? or % in its path, with which rosbags cannot open sqlite3 files; rename it"
            )
        log = file.with_name(f"{file.name}-wal")
        if log.is_file() and log.stat().st_size:
            raise InvalidInputError(
                f"{log.name} beside {file} holds messages that are not in the bag yet; end the recording, or run: "
                f'sqlite3 {file} "PRAGMA wal_checkpoint(TRUNCATE)"'
            )


def _choose_topic(path: Path, connections: "Sequence[Connection]", topic: str) -> "tuple[str, list[Connection]]":
    """Return the name of the image topic and its connections with images, several where its publishers differ.

    Raises:
        InvalidInputError: there is no such topic, it has no messages or no images, or the choice is not clear.
    """
    used = [connection for connection in connections if connection.msgcount]
    with_images = [connection for connection in used if connection.msgtype in IMAGE_TYPES]
    types = {connection.topic: connection.msgtype for connection in (*used, *with_images)}
    image_topics = [name for name, type_name in types.items() if type_name in IMAGE_TYPES]
    listed = ", ".join(f"{name} ({types[name]})" for name in sorted(image_topics)) or "none"
    if not topic:
        colour_topics = [name for name in image_topics if not name.endswith("/compressedDepth")]
        if not image_topics:
            others = ", ".join(f"{name} ({types[name]})" for name in sorted(types)) or "none"
            raise InvalidInputError(
                f"{path} has no images in it, expected {', '.join(IMAGE_TYPES)}; its topics with messages: {others}"
            )
        if len(colour_topics) != 1:
            raise InvalidInputError(f"{path} has several image topics; choose one as the topic: {listed}")
        topic = colour_topics[0]
    topic = topic if topic in types else f"/{topic}"
    if topic not in types:
        raise InvalidInputError(f"{path} has no messages on topic {topic.lstrip('/')!r}; its image topics: {listed}")
    if topic not in image_topics:
        raise InvalidInputError(
            f"topic {topic} of {path} has messages of {types[topic]}, expected {', '.join(IMAGE_TYPES)}; "
            f"its image topics: {listed}"
        )
    return topic, [connection for connection in with_images if connection.topic == topic]
