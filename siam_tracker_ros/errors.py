# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Errors that a caller can act on: each message says what was received, what was expected, and what to do."""


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
