# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Images from a topic that holds a video, in each message one packet of the codec, decoded with PyAV."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.extras import require
from siam_tracker_ros.frames import FrameHeader

# Decoders by what stands in a message's format, which may be the name of an encoder: libx264, hevc_nvenc.
_DECODERS = {"264": "h264", "265": "hevc", "hevc": "hevc", "av1": "av1", "vp9": "vp9", "mjpeg": "mjpeg"}


def find_decoder(video_format: str) -> str | None:
    """Return the decoder's name for a message's format or encoding; None where that is not one of a video."""
    codec = video_format.split(";")[0].lower()  # what may follow describes the images before they were encoded
    return next((decoder for part, decoder in _DECODERS.items() if part in codec), None)


class VideoDecoder:
    """Decoder of one topic's packets; the headers of the images are those of their packets, whatever their order."""

    def __init__(self, video_format: str) -> None:
        """Make the decoder for the format that a message states.

        Raises:
            InvalidInputError: there is none for this format.
            InvalidSettingError: PyAV is not installed.
        """
        name = find_decoder(video_format)
        if name is None:
            expected = ", ".join(sorted(set(_DECODERS.values())))
            raise InvalidInputError(f"video format is '{video_format}', expected one of {expected}")
        require(f"{name} video in a bag", "av", extra="bags-video")
        import av

        self._decoder: Any = av.CodecContext.create(name, "r")
        self._headers: dict[int, FrameHeader] = {}  # of the packets whose image is yet to come
        self._count = 0

    def decode(self, data: np.ndarray, header: FrameHeader) -> Iterator[tuple[FrameHeader, np.ndarray]]:
        """Yield header and image_bgr of every frame that a packet completes: one, or with B-frames none or several.

        Raises:
            InvalidInputError: the packet is damaged, or it needs another one that is not there.
        """
        import av

        packet = av.Packet(data.tobytes())
        packet.pts = self._count  # the decoder hands it on to the image
        self._headers[self._count] = header
        self._count += 1
        try:
            frames = self._decoder.decode(packet)
        except av.error.InvalidDataError as error:
            raise InvalidInputError("a packet of the video is damaged, or no key frame came before it") from error
        yield from self._images(frames)

    def flush(self) -> Iterator[tuple[FrameHeader, np.ndarray]]:
        """Yield header and image_bgr of the frames that the decoder still holds back."""
        yield from self._images(self._decoder.decode(None))

    def _images(self, frames: Iterable[Any]) -> Iterator[tuple[FrameHeader, np.ndarray]]:
        for frame in frames:
            header = self._headers.pop(frame.pts)
            if frame.is_corrupt:
                raise InvalidInputError("a packet of the video is damaged")
            yield header, frame.to_ndarray(format="bgr24")
