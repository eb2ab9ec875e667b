# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The whole work of a frame on the network's device: one upload, one function of tensors, one result, one wait.

On CUDA the function is captured as a graph, for each size of the frame and each set of options: a frame is then one
launch in place of some hundred. All that differs between frames is a tensor of the captured function.

Several targets in one frame are one batch, if they are announced: one launch, one result and one wait for all of them.
"""

import collections
import contextlib
import functools
import logging
import threading
import typing
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch

from siam_tracker_ros.core.device_request import StepRequest
from siam_tracker_ros.core.stage import stage
from siam_tracker_ros.executors import CUDA_GRAPH, TORCH

logger = logging.getLogger(__name__)

K = typing.TypeVar("K", bound=Hashable)
V = typing.TypeVar("V")

# Captured graphs, and sizes of frames, at a time: of one size, a graph for each number of targets that is filled up to.
# Each graph has the memory that its function needs.
MAX_KEPT = 6
MAX_BATCH = 16  # targets that are computed at once, which bounds the memory; a power of 2
WARM_UP_RUNS = 3  # before a capture: libraries choose their algorithms, and constants are made

# Of the frame, uint8 (H, W, 3), of numbers, float32 (B, N), and of the tensors (B, ...) of B targets. The result is
# float32 (B, M); the tensors (B, ...) after it stay on the device. After the first call with the same options and
# shapes, no value may be read and nothing copied from the CPU.
StepFunction = Callable[..., tuple[torch.Tensor, ...]]


class StepOutput(typing.NamedTuple):
    """Output of a step for one target.

    Attributes:
        values: float32 (M,), the packed result.
        kept: further outputs, tensors (1, ...) on the device; no later step changes them.
    """

    values: npt.NDArray[np.float32]
    kept: tuple[torch.Tensor, ...]


class Upload:
    """Copies arrays of one shape to a tensor on a device, on CUDA from page-locked memory and without waiting.

    Attributes:
        tensor: what was copied last.
    """

    def __init__(self, shape: Sequence[int], dtype: torch.dtype, device: torch.device) -> None:
        self.tensor = torch.empty(tuple(shape), dtype=dtype, device=device)
        self._copied: torch.cuda.Event | None = None
        self._staged = self.tensor
        if device.type == "cuda":
            self._copied = torch.cuda.Event()
            self._staged = torch.empty(tuple(shape), dtype=dtype, pin_memory=True)
        self._array = self._staged.numpy()

    def __call__(self, array: npt.ArrayLike) -> torch.Tensor:
        """Copy an array, and return the tensor."""
        if self._copied is not None:
            self._copied.synchronize()  # the memory may still be read for the array before
        np.copyto(self._array, array)
        if self._copied is not None:
            self.tensor.copy_(self._staged, non_blocking=True)
            self._copied.record()
        return self.tensor


class CapturedStep:
    """A step as a CUDA graph, with tensors of its own for those of the targets.

    Args:
        function: the step, of the frame, the numbers and the targets' tensors alone.
        frame_bgr, numbers: what the graph reads; whoever replays it fills them before.
        targets: the tensors of each target, of the shapes that all others have.
    """

    def __init__(
        self,
        function: StepFunction,
        frame_bgr: torch.Tensor,
        numbers: torch.Tensor,
        targets: Sequence[Sequence[torch.Tensor]],
    ) -> None:
        self._tensors = [torch.cat(each) for each in zip(*targets, strict=True)]
        self._filled_with = list(targets)
        self._reads = function, frame_bgr, numbers  # a graph knows addresses alone and keeps no memory alive
        stream = torch.cuda.Stream(frame_bgr.device)
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP_RUNS):
                function(frame_bgr, numbers, *self._tensors)
        torch.cuda.current_stream().wait_stream(stream)
        self._graph = torch.cuda.CUDAGraph()
        # Torch's own stream for captures lies on the device that was the first one used. Where a capture fails, torch
        # may stay on the stream; the outer context goes back.
        with torch.cuda.stream(torch.cuda.current_stream()), torch.cuda.graph(self._graph, stream=stream):
            self._outputs = function(frame_bgr, numbers, *self._tensors)

    def __call__(self, targets: Sequence[Sequence[torch.Tensor]]) -> tuple[torch.Tensor, ...]:
        """Replay; the next replay overwrites the first output, the others are copies."""
        fill_changed(self._tensors, self._filled_with, targets)
        with stage("backbone"):  # by far the most of it; a profiler sees a graph as a whole
            self._graph.replay()
        values, *kept = self._outputs
        return (values, *(tensor.clone() for tensor in kept))


def fill_changed(
    tensors: Sequence[torch.Tensor],
    filled_with: list[Sequence[torch.Tensor]],
    targets: Sequence[Sequence[torch.Tensor]],
) -> None:
    """Copy the tensors of those targets that are not in their row yet.

    Args:
        tensors: (B, ...) each, what is filled.
        filled_with: what each row was filled with; brought up to date.
        targets: the tensors (1, ...) of the target of each row.
    """
    for row, given in enumerate(targets):
        if any(new is not old for new, old in zip(given, filled_with[row], strict=True)):
            for own, tensor in zip(tensors, given, strict=True):
                own[row : row + 1].copy_(tensor)
            filled_with[row] = given


class _Recent(typing.Generic[K, V]):
    """The values used last, MAX_KEPT of them at most, by key."""

    def __init__(self) -> None:
        self._values: collections.OrderedDict[K, V] = collections.OrderedDict()

    def get(self, key: K, make: Callable[[], V]) -> V:
        """Return the value of a key; one that is not kept is made, and the one not used for longest is dropped."""
        if key not in self._values:
            if len(self._values) == MAX_KEPT:
                self._values.popitem(last=False)
            self._values[key] = make()
        self._values.move_to_end(key)
        return self._values[key]

    def clear(self) -> None:
        """Drop all values."""
        self._values.clear()


class DeviceStep:
    """Runs a method's step where its network lies.

    Args:
        function: the step; see StepFunction. Options follow as arguments by name.
        device: where the network lies.
        captures: whether CUDA graphs are captured; elsewhere nothing is.
    """

    def __init__(self, function: StepFunction, device: str, captures: bool = True) -> None:
        self._function = function
        self._device = torch.device(device)
        self._captures = captures and self._device.type == "cuda"
        # As each step uses both uploads and a graph, a graph's uploads are never dropped before the graph.
        self._uploads: _Recent[tuple[int, ...], Upload] = _Recent()
        self._numbers: _Recent[tuple[int, ...], Upload] = _Recent()
        self._graphs: _Recent[Hashable, CapturedStep] = _Recent()
        self._unchanged: np.ndarray | None = None
        self._is_uploaded = False
        self._announced: dict[Hashable, StepRequest] = {}
        self._answers: dict[Hashable, StepOutput | None] = {}
        self._using = threading.Lock()  # of the memory that the steps share

    @property
    def runtime(self) -> str:
        """Name of what runs the step: "cuda_graph", or "torch" where none is captured."""
        return CUDA_GRAPH if self._captures else TORCH

    @torch.inference_mode()
    def __call__(self, image_bgr: np.ndarray, request: StepRequest) -> StepOutput:
        """Run the step on a frame, uint8 (H, W, 3), for one target.

        The first request of those that were announced is answered together with the others.
        """
        with self._using, _current(self._device):
            if image_bgr is self._unchanged:
                if request.key in self._announced and request.key not in self._answers:
                    self._answer_with_others(image_bgr, request)
                answer = self._answers.get(request.key)
                if answer is not None:
                    return answer
            return self._run(image_bgr, [request])[0]

    def _answer_with_others(self, image_bgr: np.ndarray, request: StepRequest) -> None:
        """Answer an announced request in one batch with the others that can be."""
        others = [
            key
            for key, other in self._announced.items()
            if key != request.key and key not in self._answers and other.options == request.options
        ]
        together = [request.key, *others[: MAX_BATCH - 1]]
        self._answers |= dict.fromkeys(together)  # if the batch fails, each of the others is tried alone
        outputs = self._run(image_bgr, [self._announced[key] for key in together])
        self._answers |= zip(together, outputs, strict=True)

    @contextlib.contextmanager
    def unchanged(self, image_bgr: np.ndarray, requests: Iterable[StepRequest] = ()) -> Iterator[None]:
        """Upload a frame once for all steps: as long as the context is open, its pixels must not change.

        requests: those that are announced: they will probably be made, and are answered in batches.
        """
        self._share(image_bgr, requests)
        try:
            yield
        finally:
            self._share(None, ())

    def _share(self, image_bgr: np.ndarray | None, requests: Iterable[StepRequest]) -> None:
        with self._using:
            self._unchanged, self._is_uploaded = image_bgr, False
            self._announced = {request.key: request for request in requests}  # kept, since keys are of what they hold
            self._answers = {}

    def _run(self, image_bgr: np.ndarray, requests: Sequence[StepRequest]) -> list[StepOutput]:
        """Answer requests with the same options."""
        count = len(requests)
        if self._captures:  # a graph is of a fixed number of targets: the last one fills it up to a power of 2
            requests = [*requests, *[requests[-1]] * ((1 << (count - 1).bit_length()) - count)]
        with stage("crop"):
            frame_bgr = self._upload_frame(image_bgr)
            given = np.array([request.numbers for request in requests], np.float32)
            numbers = self._numbers.get(given.shape, lambda: Upload(given.shape, torch.float32, self._device))(given)
        targets = [[torch.as_tensor(tensor) for tensor in request.tensors] for request in requests]
        options = dict(requests[0].options)
        outputs = self._replay(frame_bgr, numbers, targets, options) if self._captures else None
        if outputs is None:
            tensors = (each[0] if len(each) == 1 else torch.cat(each) for each in zip(*targets, strict=True))
            outputs = self._function(frame_bgr, numbers, *tensors, **options)
        values, *kept = outputs
        rows = values.cpu().numpy()
        return [StepOutput(rows[row], tuple(tensor[row : row + 1] for tensor in kept)) for row in range(count)]

    def _upload_frame(self, image_bgr: np.ndarray) -> torch.Tensor:
        shape = image_bgr.shape
        upload = self._uploads.get(shape, lambda: Upload(shape, torch.uint8, self._device))
        if self._is_uploaded and image_bgr is self._unchanged:
            return upload.tensor
        self._is_uploaded = image_bgr is self._unchanged
        return upload(image_bgr)

    def _replay(
        self,
        frame_bgr: torch.Tensor,
        numbers: torch.Tensor,
        targets: Sequence[Sequence[torch.Tensor]],
        options: dict[str, Hashable],
    ) -> tuple[torch.Tensor, ...] | None:
        """Return the outputs of a captured graph; None from the first one on that cannot be captured."""
        shapes = (tensor.shape for tensor in targets[0])
        key = (frame_bgr.shape, len(targets), *shapes, *sorted(options.items()))
        function = functools.partial(self._function, **options)
        try:
            captured = self._graphs.get(key, lambda: CapturedStep(function, frame_bgr, numbers, targets))
        except RuntimeError as error:  # what torch raises where memory or the capture fails
            reason = str(error).strip().partition("\n")[0]
        else:
            return captured(targets)
        self._captures = False
        self._graphs.clear()
        torch.cuda.empty_cache()
        height, width = frame_bgr.shape[:2]
        logger.warning(
            "runtime: no CUDA graph can be made of a frame of %d x %d pixels (%s); frames are computed without graphs "
            "from now on, which is slower. Free memory of the GPU and make the tracker again, or use runtime 'torch'",
            width,
            height,
            reason,
        )
        return None


def _current(device: torch.device) -> contextlib.AbstractContextManager[object]:
    """A context in which a CUDA device is the current one."""
    return torch.cuda.device(device) if device.type == "cuda" else contextlib.nullcontext()
