# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import contextlib
import json
import multiprocessing
import os
import pathlib
import resource
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
import safetensors.torch
import torch
from tiny_training import TinyNetwork, TinyTraining, tiny_settings

from siam_tracker_ros import create_tracker
from siam_tracker_ros.data.labelled import read_videos
from siam_tracker_ros.errors import DatasetError, InvalidInputError, InvalidSettingError, TrainingError
from siam_tracker_ros.evaluation.one_pass import run_one_pass
from siam_tracker_ros.methods.lite.network import LiteNetwork
from siam_tracker_ros.settings import to_values
from siam_tracker_ros.training.checkpoints import Checkpoints, load_checkpoint
from siam_tracker_ros.training.fabric import start_fabric
from siam_tracker_ros.training.log import TrainingLog, read_log
from siam_tracker_ros.training.processes import count_processes
from siam_tracker_ros.training.trainer import Average, Trainer, check_settings, train
from siam_tracker_ros.training.validation import Validation, ValidationSettings

pytestmark = pytest.mark.slow

PROGRAM = pathlib.Path(__file__).parents[1] / "tiny_training.py"
SEQUENCES = {"sequences": "none", "every": 2}

pytest.importorskip("lightning_fabric", reason="lightning-fabric is not installed")
pytest.importorskip("tensorboard", reason="tensorboard is not installed")


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory):
    """The output folder of a run that nothing happened to."""
    output = tmp_path_factory.mktemp("whole")
    torch.set_num_threads(2)
    train(tiny_settings(output))
    return output


def newest(output):
    return load_checkpoint(Checkpoints(output / "checkpoints", 1).paths()[-1])


def flat(value, name=""):
    """Tensors and plain values of a nested state by name."""
    if isinstance(value, (dict, list)):
        for key, entry in value.items() if isinstance(value, dict) else enumerate(value):
            yield from flat(entry, f"{name}.{key}")
    else:
        yield name, value


def assert_same_state(first, second):
    first, second = ({**state, "settings": None} for state in (first, second))
    first, second = dict(flat(first)), dict(flat(second))
    assert first.keys() == second.keys()
    for name, value in first.items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(value, second[name]), name
        else:
            assert value == second[name], name


def losses_of(output):
    return [(record["step"], record.get("total")) for record in read_log(output / "log.jsonl")]


def test_a_run_leaves_weights_checkpoints_and_a_log(whole_run):
    assert [path.name for path in sorted((whole_run / "checkpoints").iterdir())] == [
        f"step-{step:08d}.pt" for step in (6, 9, 10)
    ]
    state = newest(whole_run)
    weights = safetensors.torch.load_file(whole_run / "last.safetensors")
    assert weights.keys() == state["average"].keys()
    assert all(torch.equal(value, state["average"][name]) for name, value in weights.items())
    records = read_log(whole_run / "log.jsonl")
    assert [record["step"] for record in records] == [2, 3, 4, 6, 8, 9, 10]
    assert records[-1]["total"] < 0.5 * records[0]["total"]
    assert all(record["pairs_per_s"] > 0 and 0 <= record["data_share"] <= 1 for record in records)
    curves = cv2.imread(str(whole_run / "curves.png"))
    assert curves.shape[0] > 300 and curves.std() > 5


def test_tensorboard_has_the_same_figures(whole_run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = EventAccumulator(str(whole_run / "tensorboard")).Reload()
    assert [(event.step, pytest.approx(event.value)) for event in board.Scalars("total")] == losses_of(whole_run)


def test_a_run_that_is_killed_and_resumed_equals_an_uninterrupted_one(whole_run, tmp_path):
    outputs = {accident: tmp_path / accident for accident in ("kill_at=5", "kill_writing_after=4")}
    programs = [
        subprocess.Popen([sys.executable, PROGRAM, output, accident], stderr=subprocess.PIPE, text=True)
        for accident, output in outputs.items()
    ]
    for program in programs:
        _, said = program.communicate(timeout=300)
        assert program.returncode == -signal.SIGKILL, said
    for accident, output in outputs.items():
        assert newest(output)["step"] == 3
        assert len(list((output / "checkpoints").glob("*.partial"))) == (accident != "kill_at=5")
        train(tiny_settings(output), resume=True)
        assert_same_state(newest(output), newest(whole_run))
        assert losses_of(output) == losses_of(whole_run)


@pytest.mark.parametrize("started_by", ["torchrun", "fork"])
def test_two_processes_learn_what_one_does_with_the_double_batch(tmp_path, started_by):
    """Both skip a step of which one sees that the loss is no number."""
    alone, together = tmp_path / "alone", tmp_path / "together"
    common = {"dropout": 0.0, "precision": "fp32", "checkpoint_every": 10, "max_loss": 100, "nan_at": [5, 7]}
    own = {**common, "batch": 2, "accident_ranks": [1]}
    if started_by == "fork":
        assert train(tiny_settings(together, processes=2, **own)) == together / "last.safetensors"
    else:
        torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
        words = [f"{name}={value}" for name, value in own.items()]
        done = subprocess.run([*torchrun, PROGRAM, together, *words], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
    train(tiny_settings(alone, **common))
    first, second = newest(alone)["learner"], newest(together)["learner"]
    for name, value in first.items():
        torch.testing.assert_close(second[name], value, rtol=1e-4, atol=1e-6, msg=name)
    assert losses_of(together) == [(step, pytest.approx(total, rel=1e-4)) for step, total in losses_of(alone)]


@pytest.mark.parametrize("processes", [2, 3])
def test_processes_of_which_one_is_killed_resume_as_if_it_had_not_been(tmp_path, processes):
    common = {"processes": processes, "batch": 2}
    train(tiny_settings(tmp_path / "whole", **common))
    words = rf"training process 1 of {processes} was killed \(SIGKILL\); .*; --resume continues from .*0003.pt$"
    with pytest.raises(TrainingError, match=words):
        train(tiny_settings(tmp_path / "killed", kill_at=5, accident_ranks=[1], **common))
    assert newest(tmp_path / "killed")["step"] == 3
    train(tiny_settings(tmp_path / "killed", **common), resume=True)
    assert_same_state(newest(tmp_path / "killed"), newest(tmp_path / "whole"))
    assert losses_of(tmp_path / "killed") == losses_of(tmp_path / "whole")


@pytest.mark.parametrize("rank", [0, 1])
def test_an_error_in_one_of_several_processes_is_the_one_that_is_told(tmp_path, rank):
    with pytest.raises(DatasetError, match="^20 pairs in a row have broken frames$"):
        train(tiny_settings(tmp_path / "data", processes=2, no_data_at=2, accident_ranks=[rank]))
    with pytest.raises(RuntimeError, match=rf"(?s)^training process {rank} of 2 failed:.*ZeroDivisionError: one by"):
        train(tiny_settings(tmp_path / "mistake", processes=2, mistake_at=2, accident_ranks=[rank]))
    assert not multiprocessing.active_children()


BEFORE_A_FORK = """
import cv2
import numpy
import torch
from siam_tracker_ros.training.processes import run_processes

cv2.setNumThreads(2)
cv2.GaussianBlur(numpy.zeros((2000, 2000, 3), numpy.uint8), (31, 31), 5)
print(run_processes(2, lambda: torch.distributed.barrier() or 7), cv2.getNumThreads())
"""


def test_processes_start_where_opencv_had_threads():
    """A process that is forked beside them and ends them waits for ever."""
    done = subprocess.run([sys.executable, "-c", BEFORE_A_FORK], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["7", "2"], done.stderr


def test_processes_share_data_that_were_read_once(tmp_path, monkeypatch):
    read_by, prepare = tmp_path / "read_by", TinyTraining.prepare

    def noted(self, *arguments):
        with open(read_by, "a") as file:
            file.write(f"{os.getpid()}\n")
        return prepare(self, *arguments)

    monkeypatch.setattr(TinyTraining, "prepare", noted)
    train(tiny_settings(tmp_path / "run", processes=2))
    assert read_by.read_text() == f"{os.getpid()}\n"


def children_of(program):
    return [int(pid) for pid in pathlib.Path(f"/proc/{program.pid}/task/{program.pid}/children").read_text().split()]


def is_running(pid):
    """Whether a process, which need not be our child, has not ended."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def wait_until(condition):
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("nothing happened in five minutes")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_to_the_start_ends_all_its_processes(tmp_path, number):
    words = ["processes=2", "stall_at=4", "accident_ranks=[1]"]
    program = subprocess.Popen([sys.executable, PROGRAM, tmp_path, *words], stderr=subprocess.PIPE, text=True)
    wait_until(lambda: list(tmp_path.glob("checkpoints/step-00000003.pt")) or program.poll() is not None)
    children = children_of(program)
    program.send_signal(number)
    _, said = program.communicate(timeout=300)
    assert len(children) == 2 and program.returncode not in (0, None), said
    wait_until(lambda: not any(map(is_running, children)))
    if number == signal.SIGINT:
        assert said.count("stopped; --resume continues from") == 1 and "00000003.pt" in said


def test_a_gpu_and_torchrun_have_processes_of_their_own(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("siam_tracker_ros.training.processes.resolve_device", lambda device: "cuda")
        assert count_processes(tiny_settings(tmp_path)) == 1
        with pytest.raises(InvalidSettingError, match="processes is 2 on cuda, expected 1 or null"):
            count_processes(tiny_settings(tmp_path, processes=2))
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert count_processes(tiny_settings(tmp_path)) == 1
    with pytest.raises(InvalidSettingError, match="processes is 2 under torchrun"):
        count_processes(tiny_settings(tmp_path, processes=2))


def test_a_loss_that_is_no_number_ends_the_run(tmp_path):
    with pytest.raises(TrainingError, match="loss is nan at step 5; --resume continues from .*step-00000003.pt"):
        train(tiny_settings(tmp_path, nan_at=[4]))
    assert newest(tmp_path)["step"] == 3


def test_weights_that_an_update_has_spoilt_are_not_saved(tmp_path):
    with pytest.raises(TrainingError, match="NaN or Inf after step 1; there is no checkpoint yet"):
        train(tiny_settings(tmp_path, rate=3e38, factor=100, steps=1))
    assert not list(tmp_path.glob("checkpoints/*")) and not (tmp_path / "last.safetensors").exists()


def test_a_curriculum_may_skip_steps_but_not_for_ever(tmp_path):
    weights = train(tiny_settings(tmp_path / "few", max_loss=100, nan_at=[4, 5], steps=7))
    state = safetensors.torch.load_file(weights)
    assert all(torch.isfinite(value).all() for value in state.values())
    assert state["seen"] == 7 - 2, "statistics of a step that is skipped are forgotten, too"
    records = {record["step"]: record for record in read_log(tmp_path / "few" / "log.jsonl")}
    assert records[6]["skipped"] == 2 and "total" not in records[6] and "skipped" not in records[7]
    train(tiny_settings(tmp_path / "large", max_loss=1e-6, steps=2))
    (record,) = read_log(tmp_path / "large" / "log.jsonl")
    assert record["skipped"] == 2 and "total" not in record, "a loss that is too large is not learned from either"
    with pytest.raises(TrainingError, match="at step 7, and was NaN or above 100 for 3 consecutive steps"):
        train(tiny_settings(tmp_path / "many", max_loss=100, nan_at=[4, 5, 6]))


@contextlib.contextmanager
def limited_files():
    """Takes limits of the size of files back at once: pytest writes its report to a file, too."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_ends_the_run_and_leaves_the_last_checkpoint(tmp_path):
    words = "cannot be written: .*; free some disk space; --resume continues from .*0003.pt"
    with limited_files(), pytest.raises(TrainingError, match=words):
        train(tiny_settings(tmp_path, no_disk_at=4))
    assert newest(tmp_path)["step"] == 3
    assert not list(tmp_path.rglob("*.partial"))


def test_a_checkpoint_that_does_not_fit_the_disk_leaves_those_before(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=1)
    checkpoints.save(1, {"step": 1})
    with limited_files(), pytest.raises(OSError):
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        checkpoints.save(2, {"step": 2, "much": torch.zeros(2000)})
    assert load_checkpoint(checkpoints.newest_valid()) == {"step": 1}
    assert len(list(tmp_path.iterdir())) == 1


def test_too_little_memory_names_what_to_lower(tmp_path):
    with pytest.raises(
        TrainingError, match=r"too small \(CUDA out of memory.*2 GiB\) for 4 pairs per step; resume on more GPUs"
    ):
        train(tiny_settings(tmp_path, no_memory_at=0))


def test_a_process_that_draws_and_is_killed_ends_the_run(tmp_path):
    words = r"a data worker was killed \(.+\); if memory ran out, lower workers"
    with pytest.raises(TrainingError, match=f"^{words}.*; --resume continues from .*0003.pt$"):
        train(tiny_settings(tmp_path, workers=1, kill_at=5))


def test_data_that_cannot_be_drawn_end_the_run_in_one_sentence(tmp_path):
    with pytest.raises(DatasetError, match="^20 pairs in a row have broken frames$"):
        train(tiny_settings(tmp_path, workers=1, no_data_at=0))


def test_ctrl_c_says_where_to_go_on_from(tmp_path, caplog):
    with pytest.raises(KeyboardInterrupt):
        train(tiny_settings(tmp_path, stop_at=3))
    assert "stopped; --resume continues from" in caplog.text and "step-00000003.pt" in caplog.text


@pytest.fixture
def three_checkpoints(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=3)
    for step in range(1, 6):
        checkpoints.save(step, {"step": step, "weight": torch.arange(1000.0)})
    return checkpoints


def test_the_newest_checkpoints_are_kept(three_checkpoints):
    assert [path.name for path in three_checkpoints.paths()] == [f"step-{step:08d}.pt" for step in (3, 4, 5)]
    assert load_checkpoint(three_checkpoints.newest_valid())["step"] == 5


def flip_a_bit(content):
    place = content.find(torch.arange(1000.0).numpy().tobytes())
    return content[: place + 40] + bytes([content[place + 40] ^ 1]) + content[place + 41 :]


@pytest.mark.parametrize(
    "damage",
    [flip_a_bit, lambda content: content[:-7], lambda content: b"", lambda content: bytes(5000)],
    ids=["bit", "cut", "empty", "zeros"],
)
def test_a_damaged_checkpoint_gives_way_to_the_one_before(three_checkpoints, damage, caplog):
    path = three_checkpoints.paths()[-1]
    path.write_bytes(damage(path.read_bytes()))
    assert load_checkpoint(three_checkpoints.newest_valid())["step"] == 4
    assert "step-00000005.pt is damaged" in caplog.text
    assert path.with_suffix(".damaged").exists() and not path.exists()


def test_without_a_whole_checkpoint_there_is_nothing_to_resume(tmp_path):
    with pytest.raises(InvalidSettingError, match="no checkpoint in .* to resume from"):
        train(tiny_settings(tmp_path), resume=True)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "step-00000003.pt").write_bytes(b"")
    with pytest.raises(TrainingError, match="no checkpoint in .* is valid"):
        train(tiny_settings(tmp_path), resume=True)


def test_a_run_is_not_overwritten(whole_run):
    with pytest.raises(InvalidSettingError, match="holds a run already; continue it with --resume"):
        train(tiny_settings(whole_run))


def test_a_finished_run_stays_as_it_is(whole_run):
    before = (whole_run / "log.jsonl").read_bytes(), newest(whole_run)
    assert train(tiny_settings(whole_run), resume=True) == whole_run / "last.safetensors"
    assert (whole_run / "log.jsonl").read_bytes() == before[0]
    assert_same_state(newest(whole_run), before[1])


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"rate": 0.1}, "rate is 0.1, but checkpoint .*0010.pt was made with 0.05"),
        ({"steps": 11}, "steps is 11"),
        ({"precision": "fp32"}, "precision is 'fp32', but .* 'bf16'"),
        ({"batch": 2}, "a step takes 2 pairs .* was made with 4"),
    ],
)
def test_a_run_does_not_go_on_with_other_settings(whole_run, changes, words):
    with pytest.raises(InvalidSettingError, match=words):
        train(tiny_settings(whole_run, **changes), resume=True)


def test_a_checkpoint_of_another_network_is_refused(whole_run):
    settings = tiny_settings(whole_run)
    fabric = start_fabric(settings)
    trainer = Trainer(settings, fabric, Checkpoints(whole_run, 1), settings.prepare(fabric.device, 1))
    state = newest(whole_run)
    state["learner"]["network.head.weight"] = torch.zeros(1, 9)
    with pytest.raises(TrainingError, match="x.pt belongs to another network .*network.head.weight"):
        trainer.restore(state, "x.pt")


@pytest.mark.parametrize("validation, best", [({**SEQUENCES, "every": 3}, 0.9), ({**SEQUENCES, "sequences": "b"}, -1)])
def test_the_best_score_counts_only_where_it_was_reached(tmp_path, validation, best):
    settings = tiny_settings(tmp_path / "before", validation=SEQUENCES)
    fabric = start_fabric(settings)
    before = Trainer(settings, fabric, None, settings.prepare(fabric.device, 1))
    before._start_stage(0)
    before.best_iou = 0.9
    settings = tiny_settings(tmp_path / "after", validation=validation)
    after = Trainer(settings, fabric, None, settings.prepare(fabric.device, 1))
    after.restore(before.state(), "x.pt")
    assert after.best_iou == best


def test_another_seed_leads_past_what_cannot_be_learned_from(tmp_path):
    with pytest.raises(TrainingError, match="another seed"):
        train(tiny_settings(tmp_path, nan_at=[4]))
    train(tiny_settings(tmp_path, seed=1), resume=True)
    assert newest(tmp_path)["step"] == 10


def test_processes_that_must_stay_as_many_do(tmp_path):
    class Coupled(TinyTraining):
        depends_on_world_size = True

    settings = Coupled(output=str(tmp_path))
    state = {"settings": to_values(settings), "pairs": settings.batch * 2, "processes": 2}
    check_settings(state, settings, 2, "x.pt")
    state["pairs"] = settings.batch
    with pytest.raises(InvalidSettingError, match="processes is 1, but checkpoint x.pt was made with 2"):
        check_settings(state, settings, 1, "x.pt")


@pytest.mark.parametrize("device, index", [("auto", 0), ("cuda", 0), ("cuda:1", 1)])
def test_one_gpu_is_asked_for_by_its_number(tmp_path, monkeypatch, device, index):
    class Told(Exception):
        pass

    def make_fabric(**settings):
        assert (settings["accelerator"], settings["devices"]) == ("cuda", [index])
        raise Told

    monkeypatch.setattr("siam_tracker_ros.executors.device._has_nvidia_driver", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr("lightning_fabric.Fabric", make_fabric)
    with pytest.raises(Told):
        start_fabric(tiny_settings(tmp_path, device=device))


def test_the_best_weights_are_chosen_by_validation_alone(tmp_path):
    settings = tiny_settings(tmp_path, steps=8, validation=SEQUENCES)
    scores, seen = iter([0.2, 0.7, 0.7, 0.5]), []

    def validate(network, device):
        seen.append({name: value.clone() for name, value in network.state_dict().items()})
        return next(scores)

    fabric = start_fabric(settings)
    task = settings.prepare(fabric.device, 1)
    best = Trainer(settings, fabric, Checkpoints(tmp_path / "checkpoints", 3), task, validate).run()
    assert best == tmp_path / "best.safetensors"
    weights = safetensors.torch.load_file(best)
    assert all(torch.equal(weights[name], value) for name, value in seen[1].items())
    assert any(not torch.equal(weights[name], value) for name, value in seen[3].items())
    assert newest(tmp_path)["best_iou"] == 0.7
    records = [record for record in read_log(tmp_path / "log.jsonl") if "validation_iou" in record]
    assert [record["step"] for record in records] == [2, 4, 6, 8]
    assert [record["validation_iou"] for record in records] == [0.2, 0.7, 0.7, 0.5]


def write_sequence(folder, frames=3, labelled=True):
    (folder / "img").mkdir(parents=True)
    boxes = [(20 + 2 * i, 20, 30, 30) for i in range(frames)]
    for i, (x, y, w, h) in enumerate(boxes):
        image = np.zeros((80, 100, 3), np.uint8)
        image[y : y + h, x : x + w] = (0, 80, 250)
        cv2.imwrite(str(folder / "img" / f"{i:04d}.png"), image)
    lines = [",".join(map(str, box)) if labelled or i == 0 else "nan,nan,nan,nan" for i, box in enumerate(boxes)]
    (folder / "groundtruth.txt").write_text("\n".join(lines) + "\n")


@pytest.mark.usefixtures("one_thread")
def test_validation_scores_what_the_tracker_does(tmp_path):
    write_sequence(tmp_path / "sequences" / "a")
    write_sequence(tmp_path / "sequences" / "b", frames=4)
    torch.manual_seed(3)
    network = LiteNetwork().eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    settings = ValidationSettings(str(tmp_path / "sequences"), tracker={"hold_score": 0.0})
    score = Validation(settings, "lite")(network, torch.device("cpu"))
    tracker = create_tracker("lite", weights=before, device="cpu", runtime="torch", hold_score=0.0)
    runs = run_one_pass(tracker, read_videos(tmp_path / "sequences").tracks)
    assert score == pytest.approx(np.mean([run.scores.mean_iou for run in runs]))
    assert all(torch.equal(network.state_dict()[name], value) for name, value in before.items())


def test_what_cannot_be_validated_is_said_before_the_run(tmp_path):
    with pytest.raises(InvalidInputError, match="is not a folder"):
        Validation(ValidationSettings(str(tmp_path / "absent")), "lite")
    write_sequence(tmp_path / "sequences" / "a", labelled=False)
    with pytest.raises(InvalidInputError, match="no box after its first frame"):
        Validation(ValidationSettings(str(tmp_path / "sequences")), "lite")
    write_sequence(tmp_path / "others" / "a")
    with pytest.raises(InvalidSettingError, match="hold_scor"):
        Validation(ValidationSettings(str(tmp_path / "others"), tracker={"hold_scor": 0.0}), "lite")


def test_the_average_forgets_faster_at_the_start():
    network = TinyNetwork(0.0)
    average = Average(network, 0.9)
    first = network.head.weight.detach().clone()
    with torch.no_grad():
        network.head.weight += 1
        network.seen += 5
    average.update(network, 1)
    torch.testing.assert_close(average.network.head.weight, first + 9 / 11)
    assert average.network.seen == 5
    average.update(network, 1000)
    torch.testing.assert_close(average.network.head.weight, first + 9 / 11 + 0.1 * 2 / 11)


@pytest.mark.filterwarnings("error")
def test_losses_of_nothing_are_drawn_too(tmp_path):
    with TrainingLog(tmp_path) as log:
        for step in (1, 2):
            log.write({"step": step, "mask": 0.0, "mask_iou": 0.0})
    assert (tmp_path / "curves.png").stat().st_size > 1000


def test_a_log_that_was_cut_off_is_continued_without_doubling(tmp_path):
    with TrainingLog(tmp_path) as log:
        for step in (1, 2, 3):
            log.write({"step": step, "total": 1.0 / step})
    path = tmp_path / "log.jsonl"
    path.write_bytes(path.read_bytes() + b'{"step": 4, "tot')
    with TrainingLog(tmp_path, step=2) as log:
        log.write({"step": 3, "total": 0.5})
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"step": 1, "total": 1.0}, {"step": 2, "total": 0.5}, {"step": 3, "total": 0.5},
    ]  # fmt: skip
    with TrainingLog(tmp_path):
        assert path.read_text() == ""
