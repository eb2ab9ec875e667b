# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a step on a device needs of one target; without torch, which not every tracker imports."""

import dataclasses
import functools
import typing
from collections.abc import Hashable, Mapping, Sequence


@dataclasses.dataclass(frozen=True, eq=False)
class StepRequest:
    """What a DeviceStep needs of a target beside the frame.

    Attributes:
        numbers: what differs from frame to frame, of all targets as many.
        tensors: those of the target, each (1, ...) and of all targets of the same shape; arrays on a CPU alone.
        options: what the function has to know before it runs, such as the side of the search crop.
    """

    numbers: Sequence[float]
    tensors: Sequence[typing.Any]
    options: Mapping[str, Hashable] = dataclasses.field(default_factory=dict)

    @functools.cached_property
    def key(self) -> Hashable:
        """The same for requests of the same answer, and for no others as long as one of them is kept."""
        return tuple(self.numbers), tuple(map(id, self.tensors)), tuple(sorted(self.options.items()))
