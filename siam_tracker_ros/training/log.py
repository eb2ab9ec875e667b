# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Log of a training run: a JSON record every few steps, the same for TensorBoard, and curves as PNG."""

import json
import os
import pathlib
import time
import types

from siam_tracker_ros.outputs import PendingFile, write_atomic

LINES = "log.jsonl"
CURVES = "curves.png"
DRAW_EVERY_S = 60
NOT_DRAWN = ("step", "pairs_per_s", "data_share", "skipped", "best_iou")  # nor names that end in _rate

Record = dict[str, float]  # figures by name, with `step` among them


class TrainingLog:
    """The log of a run, in its folder.

    Args:
        folder: made if it does not exist.
        step: number of steps already done; later records of a stopped run are dropped.
    """

    def __init__(self, folder: str | os.PathLike, step: int = 0) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / LINES
        self.records = [record for record in read_log(path) if record["step"] <= step] if step else []
        write_atomic(path, "".join(json.dumps(record) + "\n" for record in self.records).encode())
        self._file = open(path, "a", encoding="utf-8")
        self._drawn_at = time.monotonic()
        self._board = SummaryWriter(str(self.folder / "tensorboard"), purge_step=step + 1 if step else None)

    def __enter__(self) -> "TrainingLog":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: types.TracebackType | None
    ) -> None:
        if kind is None:
            self.draw_curves(at_once=True)
        self._file.close()
        self._board.close()

    def write(self, record: Record) -> None:
        """Append a record."""
        self.records.append(record)
        self._file.write(json.dumps(record) + "\n")
        self._file.flush()
        for name, value in record.items():
            if name != "step":
                self._board.add_scalar(name, value, record["step"])
        self._board.flush()

    def draw_curves(self, at_once: bool = False) -> None:
        """Draw losses and IoU over the steps into `curves.png`, at most once a minute unless `at_once`."""
        if self.records and (at_once or time.monotonic() - self._drawn_at > DRAW_EVERY_S):
            draw_curves(self.records, self.folder / CURVES)
            self._drawn_at = time.monotonic()


def read_log(path: str | os.PathLike) -> list[Record]:
    """Return the records of a log, [] if there is none. A truncated last line is ignored."""
    path = pathlib.Path(path)
    if not path.is_file():
        return []
    records = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return records


def draw_curves(records: list[Record], path: pathlib.Path) -> None:
    """Draw the records of a log as PNG: losses above on a logarithmic axis, IoU below."""
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(name for record in records for name in record))
    names = [name for name in names if name not in NOT_DRAWN and not name.endswith("_rate")]
    figure = Figure(figsize=(9, 7), layout="constrained")
    above, below = figure.subplots(2, sharex=True)
    for name in names:
        steps, values = zip(*((record["step"], record[name]) for record in records if name in record))
        axes = below if "iou" in name else above
        axes.plot(steps, values, label=name, marker="." if len(steps) < 40 else None)
    is_positive = any(value > 0 for line in above.lines for value in line.get_ydata())
    above.set(ylabel="loss", yscale="log" if is_positive else "linear")
    below.set(ylabel="IoU", xlabel="step", ylim=(0, 1))
    for axes in (above, below):
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend(fontsize="small")
    with PendingFile(path) as pending:
        figure.savefig(pending.partial, format="png", dpi=110)
