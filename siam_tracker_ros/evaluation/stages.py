# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where the time of a frame goes: into the crop, the backbone, the head, or the rest of `track`.

It is measured from outside, so that trackers need no stopwatch in them: forward hooks on the network's modules, and
wrappers around the network's own methods and around functions that trackers call, put a stage on a stack and take it
off again. Time is charged to the stage on top. Hooks and wrappers cost some microseconds each, so this is a pass of its
own, beside the one that is timed.
"""

import contextlib
import functools
import inspect
import math
import sys
import time

import torch

STAGES = ("crop", "backbone", "head", "post")
PACKAGE = __name__.split(".")[0]


class StageClock:
    """Charges time to the stage that was entered last and is not left yet; outside of all of them to "post".

    Attributes:
        seconds: mapping of stage to time.
    """

    def __init__(self, on_cuda):
        self.seconds = dict.fromkeys(STAGES, 0.0)
        self._on_cuda = on_cuda
        self._stages = []
        self._since = 0.0

    @contextlib.contextmanager
    def running(self):
        """Count the time inside."""
        self._since = time.perf_counter()
        with self.stage("post"):
            yield

    @contextlib.contextmanager
    def stage(self, name):
        """Charge the time inside to a stage."""
        self.enter(name)
        try:
            yield
        finally:
            self.leave()

    def enter(self, name):
        self._charge()
        self._stages.append(name)

    def leave(self):
        self._charge()
        self._stages.pop()

    def _charge(self):
        if self._on_cuda:
            torch.cuda.synchronize()  # else a stage would end when its kernels are queued
        now = time.perf_counter()
        if self._stages:
            self.seconds[self._stages[-1]] += now - self._since
        self._since = now


def stage_shares(tracker, frames_bgr, box_xywh, limit_s=math.inf):
    """Track through frames and return the share of `track` that each stage takes, as a mapping of stage to 0..1.

    crop: functions with "crop" in their name; backbone: modules and methods of the network with "backbone" in theirs; head:
    all else of the network and of `siam_tracker_ros.models`, gradients and filters learned online too; post: the rest.

    Args:
        tracker: a Tracker with a network.
        frames_bgr: list of frames, uint8 (H, W, 3), at least two.
        box_xywh: the target in the first frame.
        limit_s: begin no further frame after so many seconds.
    """
    tracker.init(frames_bgr[0], box_xywh)
    with _watched(tracker) as clock:
        for image_bgr in frames_bgr[1:]:
            with clock.running():
                tracker.track(image_bgr)
            if sum(clock.seconds.values()) > limit_s:
                break
    total = sum(clock.seconds.values())
    return {stage: seconds / total for stage, seconds in clock.seconds.items()}


@contextlib.contextmanager
def _watched(tracker):
    """Yield a StageClock that all parts of a tracker tell which stage they are in."""
    network = tracker.network
    clock = StageClock(next(network.parameters()).is_cuda)
    with contextlib.ExitStack() as stack:
        for name, module in network.named_modules():
            stage = _part_of(name)
            stack.enter_context(module.register_forward_pre_hook(lambda *_, stage=stage: clock.enter(stage)))
            stack.enter_context(module.register_forward_hook(lambda *_: clock.leave()))
        methods = _own_methods(network)
        replaced = {name: method for name, method in methods.items() if name in vars(network)}  # by ONNX Runtime
        stack.callback(vars(network).update, replaced)  # after all else is undone
        for name, method in methods.items():
            setattr(network, name, _timed(method, _part_of(name), clock))
            stack.callback(delattr, network, name)
        for module, name, function in _functions_of_trackers():
            setattr(module, name, _timed(function, _stage_of(function), clock))
            stack.callback(setattr, module, name, function)
        yield clock


def _part_of(name):
    return "backbone" if "backbone" in name else "head"


def _own_methods(network):
    """The network's bound methods by name, without those of torch's base class and special ones."""
    classes = [base for base in type(network).__mro__ if base.__module__.startswith(PACKAGE)]
    names = {name for base in classes for name, value in vars(base).items() if inspect.isfunction(value)}
    return {name: getattr(network, name) for name in names if name != "forward" and not name.startswith("__")}


def _functions_of_trackers():
    """The functions with a stage that modules of trackers call by a global name, as (module, name, function)."""
    modules = [module for name, module in sys.modules.items() if name.startswith(f"{PACKAGE}.trackers.")]
    return [
        (module, name, value)
        for module in modules
        for name, value in vars(module).items()
        if inspect.isfunction(value) and _stage_of(value) is not None
    ]


def _stage_of(function):
    if "crop" in function.__name__:
        return "crop"
    return "head" if function.__module__.startswith(f"{PACKAGE}.models.") else None


def _timed(function, stage, clock):
    @functools.wraps(function)
    def timed(*args, **kwargs):
        with clock.stage(stage):
            return function(*args, **kwargs)

    return timed
