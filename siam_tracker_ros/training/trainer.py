# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The training loop of all methods: on a CPU, a GPU or several GPUs, in stages, resumable at any time.

What a step does depends on the settings, the number of the step and the process alone. A resumed run therefore
continues as if it had never stopped, on a CPU to the last bit.
"""

import contextlib
import copy
import errno
import logging
import math
import os
import pathlib
import time
import typing
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from siam_tracker_ros.errors import InvalidSettingError, TrainingError
from siam_tracker_ros.settings import differences, to_values
from siam_tracker_ros.training.ahead import is_dead_worker_error
from siam_tracker_ros.training.checkpoints import Checkpoints, State, load_checkpoint
from siam_tracker_ros.training.fabric import start_fabric
from siam_tracker_ros.training.log import Record, TrainingLog
from siam_tracker_ros.training.processes import KilledProcessError, count_processes, run_processes
from siam_tracker_ros.training.task import Batch, LoopSettings, Losses, Task
from siam_tracker_ros.training.validation import Validation
from siam_tracker_ros.weights.checkpoint import save_weights

if typing.TYPE_CHECKING:
    from lightning_fabric import Fabric

logger = logging.getLogger(__name__)

DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def train(settings: LoopSettings, resume: bool = False) -> pathlib.Path:
    """Run a training and return the path of its weights: the best by validation, or the last without validation.

    Args:
        settings: of the run.
        resume: continue from the newest checkpoint in the output folder.

    Raises:
        InvalidSettingError: the output folder holds a run and `resume` is False, or it holds none and `resume` is
            True, or the checkpoint was made with other settings.
        TrainingError: a loss that is NaN or infinite, a full disk, too little GPU memory, or a process that was
            killed.
    """
    checkpoints = Checkpoints(pathlib.Path(settings.output) / "checkpoints", settings.keep)
    with _explained_errors(settings, checkpoints):
        processes = count_processes(settings)
        if processes > 1:
            settings = settings.shared_by(processes)
            run = _Run(settings, checkpoints, resume, torch.device("cpu"), processes)
            return run_processes(processes, lambda: run.train(start_fabric(settings)))
        fabric = start_fabric(settings)
        leads = fabric.is_global_zero
        return _Run(settings, checkpoints, resume, fabric.device, fabric.world_size, leads, fabric.broadcast).train(
            fabric
        )


class _Run:
    """All that is the same in every process of a run.

    Args:
        settings: of the run.
        checkpoints: of the run.
        resume: see `train`.
        device: that trains.
        processes: that train together.
        leads: whether this is rank 0, or makes it.
        broadcast: passes a value of rank 0 on to all.
    """

    def __init__(
        self,
        settings: LoopSettings,
        checkpoints: Checkpoints,
        resume: bool,
        device: torch.device,
        processes: int,
        leads: bool = True,
        broadcast: Callable[[str | None], str | None] = lambda path: path,
    ) -> None:
        self.settings, self.checkpoints = settings, checkpoints
        self.path = broadcast(_find_start(checkpoints, resume) if leads else None)
        self.state = {} if self.path is None else load_checkpoint(self.path)
        if self.path is not None:
            check_settings(self.state, settings, processes, self.path)
        self.validation = None
        if settings.validation is not None and leads:
            self.validation = Validation(settings.validation, settings.model)
        torch.manual_seed(settings.seed)
        self.task = settings.prepare(device, processes)

    def train(self, fabric: "Fabric") -> pathlib.Path:
        """Train to the end as the process of `fabric`; return the path of the weights to use."""
        with _explained_errors(self.settings, self.checkpoints):
            validation = self.validation if fabric.is_global_zero else None
            trainer = Trainer(self.settings, fabric, self.checkpoints, self.task, validation)
            if self.path is not None:
                trainer.restore(self.state, self.path)
                self.state.clear()  # as large as the network and its optimizer
            return trainer.run()


@contextlib.contextmanager
def _explained_errors(settings: LoopSettings, checkpoints: Checkpoints) -> Iterator[None]:
    """Say of errors from outside of this package what to do, and where the run can be resumed."""
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        raise TrainingError(
            f"the GPU's memory is too small ({str(error).splitlines()[0]}) for {settings.process_batch} pairs per "
            "step; resume on more GPUs, each with a smaller batch, or restart with a smaller batch or less data; "
            f"{_resume_hint(checkpoints)}"
        ) from error
    except KilledProcessError as error:
        raise TrainingError(
            f"{error}; if memory ran out, resume with fewer processes; {_resume_hint(checkpoints)}"
        ) from error
    except (RuntimeError, ConnectionError, EOFError) as error:
        if not is_dead_worker_error(error):
            raise
        raise TrainingError(
            f"a data worker was killed ({str(error).strip()}); if memory ran out, lower workers, or restart with less "
            f"data; {_resume_hint(checkpoints)}"
        ) from error
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        raise TrainingError(
            f"{error.filename or settings.output} cannot be written: {error.strerror}; free some disk space; "
            f"{_resume_hint(checkpoints)}"
        ) from error
    except KeyboardInterrupt:
        logger.warning("stopped; %s", _resume_hint(checkpoints))
        raise


def check_settings(state: State, settings: LoopSettings, processes: int, path: str | os.PathLike) -> None:
    """Refuse to resume with settings that would change the course of the run.

    Args:
        state: of the checkpoint.
        settings: of the resumed run.
        processes: of the resumed run.
        path: of the checkpoint, for the message.

    Raises:
        InvalidSettingError: a setting outside `LoopSettings.MAY_CHANGE`, the pairs per step or, where it matters, the
            number of processes differs.
    """
    for name, (before, after) in differences(state["settings"], to_values(settings)).items():
        free = any(f"{name}.".startswith(f"{allowed}.") for allowed in settings.MAY_CHANGE)
        if not free and name.split(".")[-1] not in ("path", "batch"):
            raise InvalidSettingError(
                f"{name} is {after!r}, but checkpoint {path} was made with {before!r}; set it back, or restart in "
                "another output folder"
            )
    pairs = settings.process_batch * processes
    if pairs != state["pairs"]:
        raise InvalidSettingError(
            f"a step takes {pairs} pairs (processes: {processes}, pairs of each: {settings.process_batch}), but "
            f"checkpoint {path} was made with {state['pairs']}; change batch so that a step takes {state['pairs']}"
        )
    if settings.depends_on_world_size and processes != state["processes"]:
        raise InvalidSettingError(
            f"processes is {processes}, but checkpoint {path} was made with {state['processes']}, and the results of "
            f"this recipe depend on it; start {state['processes']}"
        )


def _find_start(checkpoints: Checkpoints, resume: bool) -> str | None:
    """Path of the checkpoint to start from; None for a new run."""
    if not resume:
        if checkpoints.paths():
            raise InvalidSettingError(
                f"{checkpoints.folder.parent} holds a run already; continue it with --resume, or set another output"
            )
        return None
    if not checkpoints.paths():
        raise InvalidSettingError(f"no checkpoint in {checkpoints.folder} to resume from; start without --resume")
    path = checkpoints.newest_valid()
    if path is None:
        raise TrainingError(f"no checkpoint in {checkpoints.folder} is valid; restart in another output folder")
    return str(path)


def _resume_hint(checkpoints: Checkpoints) -> str:
    paths = checkpoints.paths()
    return f"--resume continues from {paths[-1]}" if paths else "there is no checkpoint yet to resume from"


class Scorer(typing.Protocol):
    """Scores a network during training, as Validation does."""

    def __call__(self, network: nn.Module, device: torch.device) -> float:
        """Return a score, 0..1, higher is better; the network is not changed."""


class Trainer:
    """One training run.

    Args:
        settings: of the run.
        fabric: see `start_fabric`.
        checkpoints: where the run saves its state.
        task: what is trained.
        validation: called on rank 0 alone; None for no validation.
    """

    def __init__(
        self,
        settings: LoopSettings,
        fabric: "Fabric",
        checkpoints: Checkpoints,
        task: Task,
        validation: Scorer | None = None,
    ) -> None:
        self.settings, self.fabric, self.checkpoints, self.validation = settings, fabric, checkpoints, validation
        self.learner, self.curriculum = task.learner, task.curriculum
        self.batches = task.batches(fabric.global_rank)
        self.learner.to(fabric.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = Average(self.learner.network, settings.average_decay)
        self.output = pathlib.Path(settings.output)
        self.step = 0
        self.best_iou = -1.0
        self._optimizer: torch.optim.Optimizer | None = None
        self._forward: Callable[[Batch], Losses] = self.learner
        self._pending: list[Losses] = []  # of the steps since the last line of the log
        self._skipped = 0  # consecutive steps
        self._skipped_since = 0  # steps since the last line of the log
        self._stopwatch = Stopwatch(fabric.device)

    @property
    def last_weights(self) -> pathlib.Path:
        return self.output / "last.safetensors"

    @property
    def best_weights(self) -> pathlib.Path:
        return self.output / "best.safetensors"

    @property
    def weights(self) -> pathlib.Path:
        """Path of the weights to use."""
        return self.last_weights if self.settings.validation is None else self.best_weights

    @property
    def optimizer(self) -> torch.optim.Optimizer:
        """Optimizer of the current stage."""
        if self._optimizer is None:
            raise RuntimeError("no stage has started, expected `run` or `restore` to be called first")
        return self._optimizer

    def run(self) -> pathlib.Path:
        """Train to the end; return the path of the weights to use."""
        self.fabric.barrier()  # all processes have read the checkpoint before rank 0 writes one
        if not self.fabric.is_global_zero:
            self._train_steps(None)
            return self.weights
        with TrainingLog(self.output, self.step) as log:
            self._train_steps(log)
        return self.weights

    def _train_steps(self, log: TrainingLog | None) -> None:
        """Train to the end; only rank 0 has a log."""
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
                        progress.set_postfix({key: f"{record[key]:.3f}" for key in ("total", "iou") if key in record})
                if saves or validates:
                    self._check_weights()
                    if log is not None:
                        self._save(log, validates)
                    self.fabric.barrier()

    def _is_due(self, every: int) -> bool:
        return self.step % every == 0 or self.step == self.curriculum.steps

    def _train_step(self) -> None:
        start = self._stopwatch.now()
        if self._optimizer is None or self.curriculum.changes_at(self.step):
            self._start_stage(self.step)
        batch = self.batches.draw(self.step)
        drawn = self._stopwatch.now()
        seed = np.random.SeedSequence((self.settings.seed, self.step, self.fabric.global_rank))
        torch.manual_seed(int(seed.generate_state(1, np.uint64)[0]))  # for random numbers in the network and its losses
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

    def _start_stage(self, step: int) -> None:
        """Start the stage that contains a step; DDP fixes at setup which parameters learn."""
        self._optimizer = self.curriculum.start_stage(self.learner, step, self._optimizer)
        module = typing.cast(nn.Module, torch.compile(self.learner)) if self.settings.compile else self.learner
        self._forward = self.fabric.setup_module(module)

    def _skips(self, loss: torch.Tensor) -> bool:
        """Whether to skip the step: the mean loss of all processes decides, so that they agree.

        Where no step is skipped, each process on a CPU checks at once that its loss is finite. On a GPU
        `_summary` does, since every look at a value waits for the GPU.
        """
        curriculum = self.curriculum
        if curriculum.max_loss is None:
            if loss.device.type == "cpu":
                self._check_loss(self.step, loss.item())
            return False
        value = self._mean_of_all(loss.clone()).item()
        if value <= curriculum.max_loss:
            self._skipped = 0
            return False
        self._skipped += 1
        self._skipped_since += 1
        if self._skipped > curriculum.max_skipped:
            raise TrainingError(
                f"the loss is {value:g} at step {self.step + 1}, and was NaN or above {curriculum.max_loss:g} for "
                f"{self._skipped} consecutive steps; {_resume_hint(self.checkpoints)}; or restart with lower learning "
                "rates"
            )
        return True

    def _check_loss(self, step: int, loss: float) -> None:
        if not math.isfinite(loss):
            raise TrainingError(
                f"the loss is {loss} at step {step + 1}; {_resume_hint(self.checkpoints)}, with another seed to draw "
                "other pairs; or restart with lower learning rates"
            )

    def _check_weights(self) -> None:
        """Refuse to save weights that an update has made NaN or infinite."""
        for name, value in (*self.learner.named_parameters(), *self.learner.named_buffers()):
            if not torch.isfinite(value).all():
                raise TrainingError(
                    f"{name} contains NaN or Inf after step {self.step}; {_resume_hint(self.checkpoints)}; or restart "
                    "with lower learning rates"
                )

    def _summary(self) -> Record:
        """Record of the steps since the last one: means over the steps that were not skipped. Waits for the GPU."""
        step_s, data_share = self._stopwatch.read()
        pairs = self.settings.process_batch * self.fabric.world_size
        record = {"step": self.step, **self._means()}
        for number, group in enumerate(self.optimizer.param_groups):
            record[f"group_{number}_rate"] = group["lr"]
        if self._skipped_since:
            record["skipped"], self._skipped_since = self._skipped_since, 0
        return {**record, "pairs_per_s": round(pairs / step_s, 1), "data_share": round(data_share, 3)}

    def _means(self) -> dict[str, float]:
        """Means by name over the steps since the last record and all processes."""
        if not self._pending:
            return {}
        names = list(self._pending[0])
        table = torch.stack([torch.stack([losses[name].float() for name in names]) for losses in self._pending])
        values = self._mean_of_all(table).double().cpu().numpy()  # (steps, names)
        first, self._pending = self.step - len(self._pending), []
        if self.curriculum.max_loss is None:
            for number, loss in enumerate(values[:, names.index("total")]):
                self._check_loss(first + number, loss)
        return dict(zip(names, values.mean(0).tolist()))

    def _mean_of_all(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return the mean over all processes."""
        return typing.cast(torch.Tensor, self.fabric.all_reduce(tensor, reduce_op="mean"))

    def _save(self, log: TrainingLog, validates: bool) -> None:
        """Validate where it is due, then write the weights, the curves and, last of all, the checkpoint."""
        if validates and self.validation is not None:
            iou = self.validation(self.average.network, self.fabric.device)
            if iou > self.best_iou:
                self.best_iou = iou
                save_weights(self.average.network, self.best_weights, torch.float32)
            log.write({"step": self.step, "validation_iou": iou, "best_iou": self.best_iou})
        save_weights(self.average.network, self.last_weights, torch.float32)
        log.draw_curves()
        self.checkpoints.save(self.step, self.state())

    def state(self) -> State:
        """Return the state that a resumed run needs."""
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

    def restore(self, state: State, path: str | os.PathLike) -> None:
        """Continue from a state; `path` is that of its checkpoint, for the message.

        Raises:
            TrainingError: it belongs to another network.
        """
        try:
            self.learner.load_state_dict(state["learner"])
            self.average.network.load_state_dict(state["average"])
        except RuntimeError as error:
            raise TrainingError(
                f"checkpoint {path} belongs to another network ({' '.join(str(error).split()[:30])} …); restart in "
                "another output folder, or use the version of this package that wrote it"
            ) from error
        self._start_stage(max(0, state["step"] - 1))
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]
        if not self._validates_differently(state["settings"]):
            self.best_iou = state["best_iou"]

    def _validates_differently(self, before: dict[str, typing.Any]) -> bool:
        """Whether scores under the settings `before` are not comparable with those of this run."""
        changed = differences(before, to_values(self.settings))
        return any(name.startswith("validation") and name != "validation.every" for name in changed)


class Average:
    """Moving average of a network's weights; buffers are copied.

    Its effective decay is lower at the start, where it averages few steps.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Add the weights after `step` steps."""
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(self.network.parameters()), list(network.parameters()), 1 - decay)
        for mean, value in zip(self.network.buffers(), network.buffers()):
            mean.copy_(value)


Moment = float | torch.cuda.Event


class Stopwatch:
    """Measures the duration of steps and the share that they wait for their batch; on CUDA in GPU time."""

    def __init__(self, device: torch.device) -> None:
        self._cuda = device.type == "cuda"
        self._steps: list[tuple[Moment, Moment, Moment]] = []  # start, batch drawn, end

    def now(self) -> Moment:
        """Return a moment for `add`."""
        if not self._cuda:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def add(self, start: Moment, drawn: Moment, end: Moment) -> None:
        """Add a step that had its batch at the moment `drawn`."""
        self._steps.append((start, drawn, end))

    def read(self) -> tuple[float, float]:
        """Return seconds per step and the share that the batch took, 0..1, since the last call. Waits for the GPU."""
        if self._cuda:
            torch.cuda.synchronize()
        waited = sum(_seconds(start, drawn) for start, drawn, _ in self._steps)
        total = sum(_seconds(start, end) for start, _, end in self._steps)
        count, self._steps = len(self._steps), []
        return total / count, waited / total


def _seconds(first: Moment, second: Moment) -> float:
    if isinstance(first, torch.cuda.Event):
        assert isinstance(second, torch.cuda.Event)
        return first.elapsed_time(second) / 1e3
    assert isinstance(second, float)
    return second - first
