# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Images from a topic that holds a video, in each message one packet of the codec, decoded with PyAV."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.extras import require
from siam_tracker_ros.frames import FrameHeader

# Codecs by what stands in a message's format, which may be the name of an encoder: libx264, hevc_nvenc.
_CODECS = {"264": "h264", "265": "hevc", "hevc": "hevc", "av1": "av1", "vp9": "vp9", "mjpeg": "mjpeg"}
# Of the codecs whose decoder has another name; the one of the name "av1" works on graphics cards alone.
_DECODERS = {"av1": "libdav1d"}


def find_codec(video_format: str) -> str | None:
    """Return the codec's name for a message's format or encoding; None where that is not one of a video."""
    codec = video_format.split(";")[0].lower()  # what may follow describes the images before they were encoded
    return next((name for part, name in _CODECS.items() if part in codec), None)


class VideoDecoder:
    """Decoder of one topic's packets; the headers of the images are those of their packets, whatever their order."""

    def __init__(self, video_format: str) -> None:
        """Make the decoder for the format that a message states.

        Raises:
            InvalidInputError: there is none for this format, or not in this PyAV.
            InvalidSettingError: PyAV is not installed.
        """
        name = find_codec(video_format)
        if name is None:
            expected = ", ".join(sorted(set(_CODECS.values())))
            raise InvalidInputError(f"video format is '{video_format}', expected one of {expected}")
        require(f"{name} video in a bag", "av", extra="bags-video")
        import av

        try:
            self._decoder: Any = av.CodecContext.create(_DECODERS.get(name, name), "r")
        except ValueError as error:
            raise InvalidInputError(
                f"{error} is not a decoder of this PyAV; install its wheel: pip install av"
            ) from error
        self._headers: dict[int, FrameHeader] = {}  # of the packets whose image is yet to come
        self._count = 0

    def decode(self, data: np.ndarray, header: FrameHeader) -> Iterator[tuple[FrameHeader, np.ndarray]]:
        """Yield header and image_bgr of every frame that a packet completes: one, or with B-frames none or several.

        Raises:
            InvalidInputError: the packet is damaged, or it needs another one that is not there.
        """
        import av

        if not data.size:  # which tells the decoder that the video ends
            raise InvalidInputError("a packet of the video is empty")
        packet = av.Packet(data.tobytes())
        packet.pts = self._count  # the decoder hands it on to the image
        self._headers[self._count] = header
        self._count += 1
        yield from self._images(packet)

    def flush(self) -> Iterator[tuple[FrameHeader, np.ndarray]]:
        """Yield header and image_bgr of the frames that the decoder still holds back."""
        yield from self._images(None)

    def _images(self, packet: Any) -> Iterator[tuple[FrameHeader, np.ndarray]]:
        import av

        try:
            frames = self._decoder.decode(packet)
        except av.error.FFmpegError as error:
            raise InvalidInputError(
                f"a packet of the video is damaged, or no key frame came before it ({error.strerror})"
            ) from error
        for frame in frames:
            header = self._headers.pop(frame.pts, None)
            if header is None or frame.is_corrupt:
                raise InvalidInputError("a packet of the video is damaged, or holds more than one image")
            yield header, frame.to_ndarray(format="bgr24")
