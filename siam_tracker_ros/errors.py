# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Errors that a caller can act on: each message says what was received, what was expected, and what to do."""

import reprlib
from collections.abc import Sequence

_MAX_SHOWN = 80  # characters of a received value in a message
_REPR = reprlib.Repr()
_REPR.maxlevel = 3
_REPR.maxstring = _REPR.maxother = 4 * _MAX_SHOWN  # they are shortened in the middle, behind what is shown


def shown(value: object) -> str:
    """Return a received value for the message of an error: in ASCII, on one line, its beginning if it is long."""
    try:
        text = _REPR.repr(value)
    except ValueError:  # an integer of thousands of digits
        text = f"a {type(value).__name__}"
    return shortened(text.encode("ascii", "backslashreplace").decode())


def listed(names: Sequence[str], most: int = 3) -> str:
    """Return the first of several names for a message, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def shortened(text: str, most: int = _MAX_SHOWN) -> str:
    """Return the beginning of a text that others have written, on one line."""
    line = "".join(c if c.isprintable() else " " for c in text[: most + 1])
    return line if len(line) <= most else f"{line[:most]}..."


class SiamTrackerError(Exception):
    """Base of every error that this package raises on purpose."""


class InvalidInputError(SiamTrackerError, ValueError):
    """An image, a box or a message that cannot be used; the tracker's state is unchanged."""


class IncompleteVideoError(InvalidInputError):
    """A video or bag that ends before the end that it states; the frames before are good."""


class InvalidSettingError(SiamTrackerError, ValueError):
    """An unknown model, preset, device, runtime or setting, or a value out of its range."""


class WeightsError(SiamTrackerError):
    """A weights file that is missing, unreadable, or made for another network."""


class NetworkOutputError(SiamTrackerError):
    """A network has computed NaN or infinity; the target is unchanged, and the next frame is another chance."""


class NotInitializedError(SiamTrackerError, RuntimeError):
    """`track` was called before `init` succeeded."""


class DatasetError(SiamTrackerError):
    """Training data that is missing, incomplete or unreadable."""


class TrainingError(SiamTrackerError):
    """A training run that cannot continue: a loss that is NaN, a full disk, too little memory.

    The last checkpoint is complete, and the run can be resumed from it.
    """


_OUT_OF_MEMORY = (
    "alloc_failed",  # CUDA's libraries
    "allocate memory",  # PyTorch on a CPU, ONNX Runtime, the C library
    "bad alloc",  # ONNX Runtime
    "bad_alloc",  # C++, as in OpenVINO
    "insufficient memory",  # OpenCV
    "out of memory",  # CUDA
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory could not be had; most libraries say so only in the text of a RuntimeError."""
    return isinstance(error, MemoryError) or any(words in str(error).lower() for words in _OUT_OF_MEMORY)
