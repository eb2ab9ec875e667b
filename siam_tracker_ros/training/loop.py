# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Trains any model: on a CPU, a GPU or several of them, in stages, stopped and taken up again at will.

What a step does depends on the settings, the number of the step and the process alone, so that a run that is taken up
from a checkpoint goes on as if it had never stopped, on a CPU to the last bit.
"""

import abc
import copy
import dataclasses
import datetime
import errno
import logging
import math
import os
import pathlib
import time
import typing

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from siam_tracker_ros.errors import InvalidSettingError, TrainingError
from siam_tracker_ros.executors.device import select_device
from siam_tracker_ros.extras import require
from siam_tracker_ros.settings import differences, to_values
from siam_tracker_ros.training.ahead import is_dead_worker_error
from siam_tracker_ros.training.checkpoints import Checkpoints, load_checkpoint
from siam_tracker_ros.training.log import TrainingLog
from siam_tracker_ros.training.validation import Validation, ValidationSettings
from siam_tracker_ros.weights.checkpoint import save_weights

logger = logging.getLogger(__name__)

MAX_WAIT = datetime.timedelta(days=1)  # of the other processes for the one that validates
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LoopSettings(abc.ABC):
    """What the training of all models has in common.

    Attributes:
        MAY_CHANGE: dotted names of settings, or of sections, that may be others when a run is taken up again; so may
            every `path`.
        output: folder for the checkpoints, the log and the weights.
        seed: of the weights and of the batches; another one, when a run is taken up again, draws other batches.
        device: "auto", "cpu", "cuda" or "cuda:N"; where torchrun starts several processes, each takes a GPU of its own.
        precision: "bf16", which computes in bfloat16 what bears it, or "fp32", on a GPU without TF32, too.
        compile: whether torch compiles the step, which takes minutes at the start.
        average_decay: of the moving average of the weights, which is validated and saved for use.
        log_every: steps between lines of the log.
        checkpoint_every: steps between checkpoints.
        keep: how many of the newest checkpoints are kept.
        validation: see ValidationSettings; None for none.
    """

    MAY_CHANGE: typing.ClassVar = (
        "output", "seed", "device", "compile", "log_every", "checkpoint_every", "keep", "validation",
    )  # fmt: skip
    RANGES: typing.ClassVar = {
        "seed": (0, 2**32 - 1),
        "average_decay": (0, 1),
        "log_every": (1, math.inf),
        "checkpoint_every": (1, math.inf),
        "keep": (1, math.inf),
    }

    output: str
    seed: int = 0
    device: str = "auto"
    precision: typing.Literal["bf16", "fp32"] = "bf16"
    compile: bool = False
    average_decay: float = 0.997
    log_every: int = 20
    checkpoint_every: int = 500
    keep: int = 3
    validation: ValidationSettings | None = None

    @property
    @abc.abstractmethod
    def model(self):
        """Name of the model that `create_tracker` makes of the weights."""

    @property
    @abc.abstractmethod
    def process_batch(self):
        """Pairs that each process takes in a step."""

    @property
    def depends_on_world_size(self):
        """Whether a run with another number of processes goes another way, though a step has as many pairs."""
        return False

    @property
    def has_unused_parameters(self):
        """Whether weights that learn may be without gradient, for which processes that learn together must look."""
        return False

    @abc.abstractmethod
    def prepare(self, device, rank, processes):
        """Read the data and make the network.

        Args:
            device: torch device that the batches are wanted on.
            rank: number of this process.
            processes: how many there are.

        Returns:
            Task.
        """


class Learner(nn.Module, abc.ABC):
    """A network and what it learns by, in one module, so that a step of it can be spread over devices."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    @abc.abstractmethod
    def forward(self, batch):
        """Return a dictionary of scalars by name: `total`, which is learned from, and figures for the log."""


class Curriculum(abc.ABC):
    """What learns when, and how fast.

    Attributes:
        steps: length of the run.
        max_grad_norm: the gradient of all parameters is cut to this norm; None for as it is.
        max_loss: a step with a loss, the mean of all processes, that is larger or no number is skipped; None to
            skip none, and to end the run with a loss that is no number.
        max_skipped: steps in a row, at most; one more ends the run.
    """

    steps: int
    max_grad_norm: float | None = None
    max_loss: float | None = None
    max_skipped: int = 100

    @abc.abstractmethod
    def changes_at(self, step):
        """Whether `start_stage` is due before a step, counted from 0; before step 0 it always is."""

    @abc.abstractmethod
    def start_stage(self, learner, step, optimizer):
        """Make learn what learns from a step on, and bring each module into the mode, training or not, that it has.

        Args:
            learner: Learner.
            step: counts from 0; any step of the stage, when a run is taken up again.
            optimizer: of the stage before, None at the start.

        Returns:
            The optimizer of the stage, which may be the same.
        """

    @abc.abstractmethod
    def set_rates(self, optimizer, step):
        """Give each group of the optimizer its learning rate of a step."""

    def take_step(self, learner, optimizer, loss, backward):
        """Learn from a loss, a scalar; `backward(loss)` computes the gradients of all processes."""
        optimizer.zero_grad(set_to_none=True)
        backward(loss)
        if self.max_grad_norm is not None:
            nn.utils.clip_grad_norm_(learner.parameters(), self.max_grad_norm)
        optimizer.step()


class Task(typing.NamedTuple):
    """What is trained, how, and on what.

    Attributes:
        learner: Learner.
        curriculum: Curriculum.
        batches: anything with `draw(step)`, which returns a mapping of tensors on the device: a function of the step
            and the process alone.
    """

    learner: Learner
    curriculum: Curriculum
    batches: typing.Any


class Average:
    """Moving average of a network's weights; buffers are taken as they are.

    At the start, where an average over few steps is all there is, it forgets faster.
    """

    def __init__(self, network, decay):
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, network, step):
        """Take in the weights after a number of steps."""
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(self.network.parameters()), list(network.parameters()), 1 - decay)
        for mean, value in zip(self.network.buffers(), network.buffers()):
            mean.copy_(value)


class Stopwatch:
    """Adds up how long steps take, and how much of it they wait for their batch; on CUDA in the GPU's own time."""

    def __init__(self, device):
        self._cuda = device.type == "cuda"
        self._steps = []  # (start, batch drawn, end)

    def now(self):
        """A moment for `add`."""
        if not self._cuda:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def add(self, start, drawn, end):
        self._steps.append((start, drawn, end))

    def read(self):
        """Return seconds a step and the share that its batch took, 0..1, since the last call; the GPU is waited for."""
        if self._cuda:
            torch.cuda.synchronize()
        waited = sum(self._between(start, drawn) for start, drawn, _ in self._steps)
        total = sum(self._between(start, end) for start, _, end in self._steps)
        count, self._steps = len(self._steps), []
        return total / count, waited / total

    def _between(self, first, second):
        return first.elapsed_time(second) / 1e3 if self._cuda else second - first


def train(settings, resume=False):
    """Train as settings say and return the path of the weights: the best by validation, or the last without one.

    Args:
        settings: LoopSettings.
        resume: go on from the newest checkpoint in the output folder.

    Raises:
        InvalidSettingError: the output folder holds a run and resume is not set, or the other way round; or the
            checkpoint was made with other settings.
        TrainingError: a loss that is no number, a full disk, too little memory on the GPU, or a process that draws
            batches and was killed.
    """
    fabric = start_fabric(settings)
    checkpoints = Checkpoints(pathlib.Path(settings.output) / "checkpoints", settings.keep)
    path = fabric.broadcast(_find_start(checkpoints, resume) if fabric.is_global_zero else None)
    state = None if path is None else load_checkpoint(path)
    if state is not None:
        check_settings(state, settings, fabric.world_size, path)
    validation = None
    if settings.validation is not None and fabric.is_global_zero:
        validation = Validation(settings.validation, settings.model)
    torch.manual_seed(settings.seed)
    try:
        task = settings.prepare(fabric.device, fabric.global_rank, fabric.world_size)
        trainer = Trainer(settings, fabric, checkpoints, task, validation)
        if state is not None:
            trainer.restore(state, path)
            del state  # as large as the network and its optimiser
        return trainer.run()
    except torch.cuda.OutOfMemoryError as error:
        raise TrainingError(
            f"the GPU's memory is too small ({str(error).splitlines()[0]}) for {settings.process_batch} pairs a step; "
            "spread them over more GPUs, each with a smaller batch, and --resume, or start anew with a smaller one or "
            f"with less of the data; {_resume_hint(checkpoints)}"
        ) from error
    except (RuntimeError, ConnectionError, EOFError) as error:
        if not is_dead_worker_error(error):
            raise
        raise TrainingError(
            f"a process that draws batches is gone ({str(error).strip()}); if memory ran out, lower workers, or start "
            f"anew with less of the data; {_resume_hint(checkpoints)}"
        ) from error
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        raise TrainingError(
            f"{error.filename or settings.output} cannot be written: {error.strerror}; make room; "
            f"{_resume_hint(checkpoints)}"
        ) from error
    except KeyboardInterrupt:
        logger.warning("stopped; %s", _resume_hint(checkpoints))
        raise


def start_fabric(settings):
    """Lightning Fabric for this process: its device, the precision, and the other processes where there are any."""
    require("training", "lightning_fabric", "matplotlib", "tensorboard")
    from lightning_fabric import Fabric
    from lightning_fabric.strategies import DDPStrategy

    for name in ("lightning.fabric", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    device = select_device(settings.device)
    processes = int(os.environ.get("WORLD_SIZE", 1))  # set by torchrun
    here = int(os.environ.get("LOCAL_WORLD_SIZE", processes))
    if device.type == "cuda" and here > torch.cuda.device_count():
        raise InvalidSettingError(
            f"torchrun started {here} processes here, but there are {torch.cuda.device_count()} GPUs, expected one for "
            "each process; lower --nproc-per-node, or set device to cpu"
        )
    together = DDPStrategy(find_unused_parameters=settings.has_unused_parameters, timeout=MAX_WAIT)
    devices = [device.index or 0] if processes == 1 and device.type == "cuda" else here
    fabric = Fabric(
        accelerator=device.type,
        devices=devices,
        num_nodes=processes // here,
        strategy="auto" if processes == 1 else together,
        precision="bf16-mixed" if settings.precision == "bf16" else "32-true",
    )
    fabric.launch()
    torch.backends.cudnn.benchmark = device.type == "cuda"  # crops are all of one size
    torch.backends.cudnn.allow_tf32 = settings.precision != "fp32"  # by default convolutions round to ten bits
    return fabric


def check_settings(state, settings, processes, path):
    """Refuse a checkpoint's state that was reached with settings by which the run would go another way."""
    for name, (before, after) in differences(state["settings"], to_values(settings)).items():
        free = any(f"{name}.".startswith(f"{allowed}.") for allowed in settings.MAY_CHANGE)
        if not free and name.split(".")[-1] not in ("path", "batch"):
            raise InvalidSettingError(
                f"{name} is {after!r}, but checkpoint {path} was made with {before!r}; set it so, or start anew in "
                "another output folder"
            )
    pairs = settings.process_batch * processes
    if pairs != state["pairs"]:
        raise InvalidSettingError(
            f"a step takes {pairs} pairs (processes: {processes}, batch of each: {settings.process_batch}), but "
            f"checkpoint {path} was made with {state['pairs']}; let the product be the same"
        )
    if settings.depends_on_world_size and processes != state["processes"]:
        raise InvalidSettingError(
            f"{processes} processes share a step, but checkpoint {path} was made with {state['processes']}, and this "
            "recipe learns from what each of them sees; let as many be"
        )


def _find_start(checkpoints, resume):
    """Path of the checkpoint to start from, None for the beginning."""
    if not resume:
        if checkpoints.paths():
            raise InvalidSettingError(
                f"{checkpoints.folder.parent} holds a run already; go on with --resume, or set another output"
            )
        return None
    if not checkpoints.paths():
        raise InvalidSettingError(f"no checkpoint in {checkpoints.folder} to resume from; start without --resume")
    path = checkpoints.newest_valid()
    if path is None:
        raise TrainingError(f"no checkpoint in {checkpoints.folder} is whole; start anew in another output folder")
    return str(path)


def _resume_hint(checkpoints):
    paths = checkpoints.paths()
    return f"--resume goes on from {paths[-1]}" if paths else "there is no checkpoint yet to resume from"


class Trainer:
    """One run.

    Args:
        settings: LoopSettings.
        fabric: see `start_fabric`.
        checkpoints: Checkpoints.
        task: Task.
        validation: function of a network and a device that returns a score, 0..1, the more the better; None for none.
            Only the first process calls it.
    """

    def __init__(self, settings, fabric, checkpoints, task, validation=None):
        self.settings, self.fabric, self.checkpoints, self.validation = settings, fabric, checkpoints, validation
        self.learner, self.curriculum, self.batches = task
        self.learner.to(fabric.device, memory_format=torch.channels_last)
        self.average = Average(self.learner.network, settings.average_decay)
        self.output = pathlib.Path(settings.output)
        self.step = 0
        self.best_iou = -1.0
        self.optimizer = None
        self._forward = None
        self._pending = []  # scalars of the steps since the last line of the log, by name
        self._skipped = 0  # steps in a row
        self._skipped_since = 0  # the last line of the log
        self._stopwatch = Stopwatch(fabric.device)

    @property
    def last_weights(self):
        return self.output / "last.safetensors"

    @property
    def best_weights(self):
        return self.output / "best.safetensors"

    @property
    def weights(self):
        """Path of the weights to use."""
        return self.last_weights if self.settings.validation is None else self.best_weights

    def run(self):
        """Train to the end; return the path of the weights to use."""
        self.fabric.barrier()  # all have read the checkpoint before the first writes
        if not self.fabric.is_global_zero:
            self._go_on(None)
            return self.weights
        with TrainingLog(self.output, self.step) as log:
            self._go_on(log)
        return self.weights

    def _go_on(self, log):
        settings, total = self.settings, self.curriculum.steps
        hidden = None if log is not None else True  # None: tqdm looks for a terminal
        progress = tqdm(initial=self.step, total=total, desc="train", unit="step", mininterval=5, disable=hidden)
        with progress:
            while self.step < total:
                self._train_step()
                progress.update()
                saves = self._is_due(settings.checkpoint_every)
                validates = settings.validation is not None and self._is_due(settings.validation.every)
                if saves or validates or self._is_due(settings.log_every):
                    record = self._summary()
                    if log is not None:
                        log.write(record)
                        shown = {name: f"{record[name]:.3f}" for name in ("total", "iou") if name in record}
                        progress.set_postfix(shown)
                if saves or validates:
                    self._check_weights()
                    if log is not None:
                        self._save(log, validates)
                    self.fabric.barrier()

    def _is_due(self, every):
        return self.step % every == 0 or self.step == self.curriculum.steps

    def _train_step(self):
        start = self._stopwatch.now()
        if self.optimizer is None or self.curriculum.changes_at(self.step):
            self._start_stage(self.step)
        batch = self.batches.draw(self.step)
        drawn = self._stopwatch.now()
        seed = np.random.SeedSequence((self.settings.seed, self.step, self.fabric.global_rank))
        torch.manual_seed(int(seed.generate_state(1, np.uint64)[0]))  # for what the network or its losses draw
        self.curriculum.set_rates(self.optimizer, self.step)
        may_skip = self.curriculum.max_loss is not None
        statistics = [buffer.clone() for buffer in self.learner.buffers()] if may_skip else []
        losses = self._forward(batch)
        if self._skips(losses["total"].detach()):
            for buffer, before in zip(self.learner.buffers(), statistics):
                buffer.copy_(before)
        else:
            self._pending.append({name: value.detach() for name, value in losses.items()})
            self.curriculum.take_step(self.learner, self.optimizer, losses["total"], self.fabric.backward)
        self.step += 1
        self.average.update(self.learner.network, self.step)
        self._stopwatch.add(start, drawn, self._stopwatch.now())

    def _start_stage(self, step):
        """Start the stage that a step lies in; which parameters learn is settled when a module is set up."""
        self.optimizer = self.curriculum.start_stage(self.learner, step, self.optimizer)
        module = torch.compile(self.learner) if self.settings.compile else self.learner
        self._forward = self.fabric.setup_module(module)

    def _skips(self, loss):
        """Whether a step is passed over: all processes look at the mean of their losses, so that none waits for others.

        Where none is skipped, a CPU looks at once whether the loss is a number; `_summary` looks on a GPU, for which
        the program does not wait at every step.
        """
        curriculum = self.curriculum
        if curriculum.max_loss is None and loss.device.type != "cpu":
            return False
        value = self.fabric.all_reduce(loss.clone(), reduce_op="mean").item()
        if curriculum.max_loss is None:
            self._check_loss(self.step, value)
            return False
        if value <= curriculum.max_loss:
            self._skipped = 0
            return False
        self._skipped += 1
        self._skipped_since += 1
        if self._skipped > curriculum.max_skipped:
            raise TrainingError(
                f"the loss is {value:g} at step {self.step + 1}, and was no number or too large for {self._skipped} "
                f"steps in a row; {_resume_hint(self.checkpoints)}; with lower learning rates, start anew"
            )
        return True

    def _check_loss(self, step, loss):
        if not math.isfinite(loss):
            raise TrainingError(
                f"the loss is {loss} at step {step + 1}; {_resume_hint(self.checkpoints)}, with another seed past these "
                "pairs; with lower learning rates, start anew"
            )

    def _check_weights(self):
        """Refuse to save what an update has spoilt."""
        for name, value in (*self.learner.named_parameters(), *self.learner.named_buffers()):
            if not torch.isfinite(value).all():
                raise TrainingError(
                    f"{name} is no number after step {self.step}; {_resume_hint(self.checkpoints)}; with lower learning "
                    "rates, start anew"
                )

    def _summary(self):
        """Record of the steps since the last: means over those that were learned from. Waits for the GPU."""
        step_s, data_share = self._stopwatch.read()
        pairs = self.settings.process_batch * self.fabric.world_size
        record = {"step": self.step, **self._means()}
        for number, group in enumerate(self.optimizer.param_groups):
            record[f"group_{number}_rate"] = group["lr"]
        if self._skipped_since:
            record["skipped"], self._skipped_since = self._skipped_since, 0
        return {**record, "pairs_per_s": round(pairs / step_s, 1), "data_share": round(data_share, 3)}

    def _means(self):
        """Means by name over the steps since the last record and all processes."""
        if not self._pending:
            return {}
        names = list(self._pending[0])
        table = torch.stack([torch.stack([losses[name].float() for name in names]) for losses in self._pending])
        table = self.fabric.all_reduce(table, reduce_op="mean").double().cpu().numpy()
        first, self._pending = self.step - len(self._pending), []
        if self.curriculum.max_loss is None:
            for number, loss in enumerate(table[:, names.index("total")]):
                self._check_loss(first + number, loss)
        return dict(zip(names, table.mean(0).tolist()))

    def _save(self, log, validates):
        """Validate where it is due, then write the weights, the curves and, last of all, the checkpoint."""
        if validates:
            iou = self.validation(self.average.network, self.fabric.device)
            if iou > self.best_iou:
                self.best_iou = iou
                save_weights(self.average.network, self.best_weights, torch.float32)
            log.write({"step": self.step, "validation_iou": iou, "best_iou": self.best_iou})
        save_weights(self.average.network, self.last_weights, torch.float32)
        log.draw_curves()
        self.checkpoints.save(self.step, self.state())

    def state(self):
        """All that a run needs to go on, as tensors and plain values."""
        return {
            "step": self.step,
            "settings": to_values(self.settings),
            "pairs": self.settings.process_batch * self.fabric.world_size,
            "processes": self.fabric.world_size,
            "learner": self.learner.state_dict(),
            "average": self.average.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "best_iou": self.best_iou,
        }

    def restore(self, state, path):
        """Go on from a state; `path` is where it is from, for the message.

        Raises:
            TrainingError: it is of another network.
        """
        try:
            self.learner.load_state_dict(state["learner"])
            self.average.network.load_state_dict(state["average"])
        except RuntimeError as error:
            raise TrainingError(
                f"checkpoint {path} is of another network ({' '.join(str(error).split()[:30])} …); start anew in "
                "another output folder, or go back to the program that wrote it"
            ) from error
        self._start_stage(max(0, state["step"] - 1))
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]
        if not self._validates_otherwise(state["settings"]):
            self.best_iou = state["best_iou"]

    def _validates_otherwise(self, before):
        """Whether scores of a run with settings of before cannot be compared with those to come."""
        changed = differences(before, to_values(self.settings))
        return any(name.startswith("validation") and name != "validation.every" for name in changed)
