# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Report on an evaluation, of one tracker or several: figures for programs (JSON), plots (PNG) and a page (HTML)."""

import base64
import dataclasses
import functools
import html
import io
import json
import math
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from siam_tracker_ros.data.track import Track
from siam_tracker_ros.drawing import draw_target
from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.evaluation.metrics import (
    PRECISION_THRESHOLDS,
    SUCCESS_THRESHOLDS,
    FrameScores,
    Scores,
    mean_of_known,
    mean_scores,
)
from siam_tracker_ros.evaluation.one_pass import DECIMALS, SequenceRun
from siam_tracker_ros.evaluation.reliability import (
    LONG_TERM_COLUMNS,
    LongTerm,
    Record,
    Truth,
    longterm_row,
    summarize_longterm,
)
from siam_tracker_ros.evaluation.resampling import Estimate
from siam_tracker_ros.evaluation.run_scores import ALL, RunScores, StartScores, digest, estimate_differences
from siam_tracker_ros.evaluation.starts import HALVES, ManyStarts, Part
from siam_tracker_ros.outputs import write_atomic

FIGURES = {"mean_iou": "mean IoU", "auc": "AUC", "precision20": "precision@20", "region": "J of masks"}
INTERVAL = "95 % interval"
FIGURE_COLUMNS = ("frames", *FIGURES.values(), "ms/frame")
COLORS_RGB = (  # of the trackers, in their order
    (31, 119, 180), (255, 127, 14), (44, 160, 44), (214, 39, 40), (148, 103, 189), (140, 86, 75), (227, 119, 194),
    (127, 127, 127), (188, 189, 34), (23, 190, 207),
)  # fmt: skip
WHITE_BGR = (255, 255, 255)
THUMBNAIL_WIDTH = 280  # pixels


@dataclasses.dataclass(frozen=True, eq=False)
class Evaluation:
    """Results of trackers on the same sequences.

    Attributes:
        title: what was evaluated, for people.
        starts: how the sequences were run; None for one pass.
        parts: the parts of sequences that were run, those of a sequence in a row.
        runs: by name of the tracker, one run per part, in the same order.
        attributes: for each part, the frames, bool (N,), in which each of its attributes holds, by name.
        halves: of HALVES, by name of the sequence.
        shows_halves: whether tables have the figures of each half too.
    """

    title: str
    starts: ManyStarts | None
    parts: Sequence[Part]
    runs: Mapping[str, Sequence[SequenceRun]]
    attributes: Sequence[Mapping[str, np.ndarray]]
    halves: Mapping[str, str]
    shows_halves: bool = False

    @functools.cached_property
    def sequences(self) -> dict[str, list[int]]:
        """Indices of the parts of each sequence, by its name."""
        found: dict[str, list[int]] = {}
        for i, part in enumerate(self.parts):
            found.setdefault(part.sequence, []).append(i)
        return found

    @property
    def attribute_names(self) -> list[str]:
        """Names of all attributes, sorted."""
        return sorted({name for given in self.attributes for name in given})

    def scores(self, tracker: str, sequence: str | None = None) -> Scores:
        """Return a tracker's mean over the starts of a sequence, or over all sequences of theirs."""
        if sequence is not None:
            return mean_scores(self.runs[tracker][i].scores for i in self.sequences[sequence])
        return mean_scores(self.scores(tracker, name) for name in self.sequences)

    @functools.cached_property
    def run_scores(self) -> dict[str, RunScores]:
        """The scores of each tracker start by start, by its name."""
        return {tracker: self._run_scores(runs) for tracker, runs in self.runs.items()}

    def _run_scores(self, runs: Sequence[SequenceRun]) -> RunScores:
        return RunScores(
            starts=self.starts,
            halves={name: self.halves[name] for name in self.sequences},
            sequences={
                name: tuple(_start_scores(self.parts[i], runs[i]) for i in own) for name, own in self.sequences.items()
            },
        )

    def within(self, tracker: str, attribute: str) -> list[Scores]:
        """Return a tracker's scores on the sequences that have an attribute, over the frames in which it holds."""
        found = []
        for own in self.sequences.values():
            scores = [
                self.runs[tracker][i].frame_scores.within(self.attributes[i][attribute]).summary()
                for i in own
                if attribute in self.attributes[i]
            ]
            found.append(mean_scores(scores))
        return [scores for scores in found if scores.frames]

    def curve(self, tracker: str, curve: typing.Callable[[FrameScores], np.ndarray]) -> np.ndarray:
        """Return the mean of a curve over the starts of which a frame counts, then over sequences; NaN without any."""
        scores = [[self.runs[tracker][i].frame_scores for i in own] for own in self.sequences.values()]
        curves = [[curve(part) for part in own if len(part.frames)] for own in scores]
        means = [np.mean(own, axis=0) for own in curves if own]
        return np.mean(means, axis=0) if means else curve(FrameScores(*np.empty((3, 0))))

    @functools.cached_property
    def truths(self) -> list[Truth]:
        """Where the target of each part is, and where it is absent."""
        tracks = [part.track for part in self.parts]
        sizes_wh = [track.image_bgr(0).shape[1::-1] for track in tracks]
        return [Truth.of_labels(track.boxes_xywh, size, track.absent) for track, size in zip(tracks, sizes_wh)]

    @property
    def sessions(self) -> list[str]:
        """Names of the trackers whose targets were followed by sessions, so that there are states."""
        return [name for name, runs in self.runs.items() if runs and all(run.states is not None for run in runs)]

    def session_figures(self, tracker: str, numbers: Sequence[int] | None = None) -> LongTerm:
        """Return the figures of one of `sessions` over the parts of some numbers, or over all."""
        chosen = range(len(self.parts)) if numbers is None else numbers
        runs = [self.runs[tracker][i] for i in chosen]
        records = [
            Record(run.states, run.confidences.round(DECIMALS), run.boxes_xywh)
            for run in runs
            if run.states is not None
        ]
        return summarize_longterm(records, [self.truths[i] for i in chosen])


def median_ms(runs: Iterable[SequenceRun]) -> float:
    """Return the median time per frame of runs in milliseconds, NaN if none is known."""
    times = np.concatenate([run.track_ms for run in runs] or [np.empty(0)])
    return float(np.median(times)) if len(times) else math.nan


def _start_scores(part: Part, run: SequenceRun) -> StartScores:
    scores = run.frame_scores
    return StartScores(
        first=part.first,
        frames=len(scores.frames),
        mean_iou=_known(run.scores.mean_iou),
        lost=scores.is_lost,
        labels=digest(run.truth_xywh),
    )


def figure_columns(starts: ManyStarts | None) -> list[str]:
    """Return the columns of `figure_row`."""
    return [*FIGURE_COLUMNS] if starts is None else ["starts", *FIGURE_COLUMNS, "lost at the end"]


def figure_row(evaluation: Evaluation, tracker: str, sequence: str | None = None) -> list[str]:
    """Return the figures of a tracker on a sequence, or on all, under `figure_columns`, as text."""
    chosen = range(len(evaluation.parts)) if sequence is None else evaluation.sequences[sequence]
    runs = [evaluation.runs[tracker][i] for i in chosen]
    scores, ms = evaluation.scores(tracker, sequence), median_ms(runs)
    figures = [format_figure(getattr(scores, figure)) for figure in FIGURES]
    row = [str(scores.frames), *figures, "-" if math.isnan(ms) else f"{ms:.1f}"]
    lost = sum(bool(run.frame_scores.is_lost) for run in runs)
    return row if evaluation.starts is None else [str(len(runs)), *row, f"{lost} of {len(runs)}"]


def sequence_table(evaluation: Evaluation) -> tuple[list[str], list[list[str]]]:
    """Return the header and a row for each sequence, as text: of one tracker its figures, of several their mean IoU."""
    if len(evaluation.runs) == 1:
        (tracker,) = evaluation.runs
        rows = [[name, *figure_row(evaluation, tracker, name)] for name in evaluation.sequences]
        mean = ["mean of sequences", *figure_row(evaluation, tracker)]
        return ["sequence", *figure_columns(evaluation.starts)], [*rows, mean]
    rows = [
        [name, *(format_figure(evaluation.scores(tracker, name).mean_iou) for tracker in evaluation.runs)]
        for name in evaluation.sequences
    ]
    return ["sequence", *evaluation.runs], rows


def overall_table(evaluation: Evaluation) -> tuple[list[str], list[list[str]]]:
    """Return the header and a row for each tracker of its figures over all sequences, as text."""
    rows = [[name, *figure_row(evaluation, name)] for name in evaluation.runs]
    return ["tracker", *figure_columns(evaluation.starts)], rows


def interval_table(evaluation: Evaluation) -> tuple[list[str], list[list[str]]]:
    """Return the header and rows of the mean IoU of each tracker with its interval, as text."""
    rows = []
    for name, scores in evaluation.run_scores.items():
        for label, own in _shown(name, scores.estimates, evaluation.shows_halves):
            counts = [str(own.sequences), str(own.starts)]
            rows.append([label, *counts, format_figure(own.mean), _interval(own, ".3f")])
    return ["mean IoU", "sequences", "starts", "mean", INTERVAL], rows


def difference_table(runs: Mapping[str, RunScores], shows_halves: bool) -> tuple[list[str], list[list[str]]]:
    """Return the header and rows of the mean difference of the IoU of each further run to the first, as text.

    Args:
        runs: by name, of the same starts with the same labels.
        shows_halves: whether there are rows of the halves.
    """
    (first, base), *others = runs.items()
    rows = []
    for name, other in others:
        for label, own in _shown(f"{name} - {first}", estimate_differences(base, other), shows_halves):
            mean = "-" if math.isnan(own.mean) else f"{own.mean:+.4f}"
            verdict = "told from chance" if own.is_told_from_chance else "not told from chance"
            counts = [str(own.sequences), str(own.starts)]
            rows.append([label, *counts, mean, _interval(own, "+.4f"), verdict])
    return ["difference", "sequences", "starts", "mean", INTERVAL, ""], rows


def pair_table(runs: Mapping[str, RunScores]) -> tuple[list[str], list[list[str]]]:
    """Return the header and, for each sequence of two paired runs, a row of their mean IoU and the difference, as text.

    Args:
        runs: two by name, of the same starts with the same labels.
    """
    first, second = runs.values()
    rows = []
    for name in first.sequences:
        values = [run.values(name) for run in (first, second)]
        means = [mean_of_known(own) for own in values]
        difference = "-" if math.isnan(means[0]) else f"{means[1] - means[0]:+.4f}"
        rows.append([name, first.halves[name], str(len(values[0])), *map(format_figure, means), difference])
    return ["sequence", "half", "starts", *runs, "difference"], rows


def _shown(name: str, estimates: Mapping[str, Estimate], shows_halves: bool) -> Iterator[tuple[str, Estimate]]:
    """Yield the label of a row and its estimate: over all sequences and, if they are shown, over each half."""
    yield name, estimates[ALL]
    for half in HALVES if shows_halves else ():
        yield f"{name}, half {half}", estimates[half]


def _interval(own: Estimate, form: str) -> str:
    """Return the ends of an interval as text, "-" if there is none."""
    return "-" if math.isnan(own.low) else f"{own.low:{form}} to {own.high:{form}}"


def attribute_table(evaluation: Evaluation) -> tuple[list[str], list[list[str]]]:
    """Return the header and, for each attribute, a row of the AUC of each tracker, as text."""
    rows = []
    for attribute in evaluation.attribute_names:
        found = [evaluation.within(tracker, attribute) for tracker in evaluation.runs]
        rows.append([attribute, str(len(found[0])), *(format_figure(mean_scores(scores).auc) for scores in found)])
    return ["AUC by attribute", "sequences", *evaluation.runs], rows


def session_table(evaluation: Evaluation) -> tuple[list[str], list[list[str]]]:
    """Return the header and, for the sessions of one tracker, a row for each sequence, or else one for each tracker."""
    names = evaluation.sessions
    if len(evaluation.runs) > 1:
        return ["session", *LONG_TERM_COLUMNS], [longterm_row(name, evaluation.session_figures(name)) for name in names]
    rows = [
        longterm_row(sequence, evaluation.session_figures(name, own))
        for name in names
        for sequence, own in evaluation.sequences.items()
    ]
    overall = [longterm_row("all sequences", evaluation.session_figures(name)) for name in names]
    return ["session", *LONG_TERM_COLUMNS], rows + overall


def format_figure(value: float) -> str:
    """Return a figure as text, "-" for NaN."""
    return "-" if math.isnan(value) else f"{value:.3f}"


def as_json(evaluation: Evaluation) -> dict[str, typing.Any]:
    """Return all figures as what json.dumps takes; None stands for a figure that is not known."""
    return {
        "title": evaluation.title,
        "thresholds": {"success_iou": SUCCESS_THRESHOLDS.tolist(), "precision_px": PRECISION_THRESHOLDS.tolist()},
        "trackers": {name: _tracker_json(evaluation, name) for name in evaluation.runs},
    }


def write_report(folder: Path, evaluation: Evaluation) -> None:
    """Write report.html, which needs no other file, report.json, success.png and precision.png; needs matplotlib.

    Raises:
        OSError: they cannot be written, as on a full disk.
    """
    folder.mkdir(parents=True, exist_ok=True)
    plots = {
        "success": _plot(evaluation, FrameScores.success, SUCCESS_THRESHOLDS, "IoU threshold", "auc"),
        "precision": _plot(evaluation, FrameScores.precision, PRECISION_THRESHOLDS, "centre error (px)", "precision20"),
    }
    write_atomic(folder / "report.json", json.dumps(as_json(evaluation), indent=1).encode() + b"\n")
    for name, png in plots.items():
        write_atomic(folder / f"{name}.png", png)
    write_atomic(folder / "report.html", _page(evaluation, plots).encode(errors="replace"))


def _tracker_json(evaluation: Evaluation, tracker: str) -> dict[str, typing.Any]:
    runs = evaluation.runs[tracker]
    within = {name: evaluation.within(tracker, name) for name in evaluation.attribute_names}
    own_scores = evaluation.run_scores[tracker]
    return {
        "mean": _scores_json(evaluation.scores(tracker)),
        "intervals": own_scores.figures(),
        "ms_per_frame": _known(median_ms(runs)),
        "success": [_known(value) for value in evaluation.curve(tracker, FrameScores.success)],
        "precision": [_known(value) for value in evaluation.curve(tracker, FrameScores.precision)],
        "attributes": {
            name: {"sequences": len(scores), **_scores_json(mean_scores(scores))} for name, scores in within.items()
        },
        **_session_json(evaluation, tracker),
        "sequences": {
            name: {
                **_scores_json(evaluation.scores(tracker, name)),
                "ms_per_frame": _known(median_ms([runs[i] for i in own])),
                "starts": [dataclasses.asdict(start) for start in own_scores.sequences[name]],
                **_session_json(evaluation, tracker, own),
            }
            for name, own in evaluation.sequences.items()
        },
    }


def _session_json(
    evaluation: Evaluation, tracker: str, numbers: Sequence[int] | None = None
) -> dict[str, dict[str, float | None]]:
    """Return the figures of a session, None for an endless delay; {} without one."""
    if tracker not in evaluation.sessions:
        return {}
    figures = dataclasses.asdict(evaluation.session_figures(tracker, numbers))
    return {"session": {name: value if math.isfinite(value) else None for name, value in figures.items()}}


def _scores_json(scores: Scores) -> dict[str, float | None]:
    return {name: _known(value) for name, value in dataclasses.asdict(scores).items()}


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _plot(
    evaluation: Evaluation,
    curve: typing.Callable[[FrameScores], np.ndarray],
    thresholds: np.ndarray,
    label: str,
    figure_of_legend: str,
) -> bytes:
    """Return a plot of a curve of each tracker as PNG, the best tracker first in the legend."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4.5), layout="constrained")
    axes = figure.subplots()
    figures = {name: getattr(evaluation.scores(name), figure_of_legend) for name in evaluation.runs}
    colors = dict(zip(evaluation.runs, _colors(len(evaluation.runs))))
    for name in sorted(figures, key=lambda name: -np.nan_to_num(figures[name])):
        color = tuple(channel / 255 for channel in colors[name])
        shown = name.encode(errors="replace").decode().replace("$", r"\$")  # which would begin a formula
        # A label that begins with "_", as a name may, would be left out.
        axes.plot(
            thresholds, evaluation.curve(name, curve), color=color, label=f"{format_figure(figures[name])} {shown}"
        )
    axes.set(xlabel=label, ylabel="share of frames", xlim=(thresholds[0], thresholds[-1]), ylim=(0, 1))
    axes.grid(alpha=0.3)
    axes.legend(title=FIGURES[figure_of_legend], fontsize="small")
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=110)
    return content.getvalue()


def _colors(count: int) -> list[tuple[int, int, int]]:
    return [COLORS_RGB[i % len(COLORS_RGB)] for i in range(count)]


_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 75em; padding: 0 1em; color: #222 }
table { border-collapse: collapse; margin: 1em 0 } td, th { padding: .25em .8em; text-align: right }
th { border-bottom: 1px solid #888; font-weight: 600 } td:first-child, th:first-child { text-align: left }
tr:nth-child(even) td { background: #f5f5f5 } .plots img { max-width: 48% }
section.sequence { display: inline-block; width: 290px; margin: .5em .7em; vertical-align: top; font-size: 13px }
section.sequence img, section.sequence svg { width: 280px; display: block } h3 { margin: .3em 0; font-size: 14px }
i { display: inline-block; width: .9em; height: .9em; margin: 0 .3em 0 .8em }
"""


def _page(evaluation: Evaluation, plots: Mapping[str, bytes]) -> str:
    colors = [f"rgb{color}" for color in _colors(len(evaluation.runs))]
    legend = "".join(
        f'<i style="background:{color}"></i>{html.escape(name)}' for name, color in zip(evaluation.runs, colors)
    )
    images = "".join(f'<img alt="{name} plot" src="{_data_url("png", png)}">' for name, png in plots.items())
    sequences = "\n".join(_sequence_section(evaluation, name, colors) for name in evaluation.sequences)
    title = html.escape(evaluation.title)
    of_start = "" if evaluation.starts is None else " after its worst start"
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style></head><body>
<h1>{title}</h1>
{_table(*overall_table(evaluation))}
{_table(*interval_table(evaluation))}
{_table(*difference_table(evaluation.run_scores, evaluation.shows_halves)) if len(evaluation.runs) > 1 else ""}
<p class="plots">{images}</p>
{_table(*session_table(evaluation)) if evaluation.sessions else ""}
{_table(*attribute_table(evaluation)) if evaluation.attribute_names else ""}
<h2>Sequences</h2>
<p>Each picture is the frame that the first tracker meets worst{of_start}; the label is white. Below is the IoU over
time. {legend}</p>
{sequences}
</body></html>
"""


def _sequence_section(evaluation: Evaluation, sequence: str, colors: Sequence[str]) -> str:
    """Return the section of a sequence; of many starts it shows the one that the first tracker meets worst."""
    first = next(iter(evaluation.runs.values()))
    shown = min(evaluation.sequences[sequence], key=lambda i: np.nan_to_num(first[i].scores.mean_iou, nan=1.0))
    track = evaluation.parts[shown].track
    runs = [runs[shown] for runs in evaluation.runs.values()]
    figures = ", ".join(format_figure(evaluation.scores(name, sequence).mean_iou) for name in evaluation.runs)
    lines = "".join(_polyline(run, len(track), color) for run, color in zip(runs, colors))
    chart = f'<svg viewBox="0 0 280 60"><rect width="280" height="60" fill="#f5f5f5"/>{lines}</svg>'
    heading = f"{html.escape(sequence)}: mean IoU {figures}"
    return f'<section class="sequence"><h3>{heading}</h3>{_picture(track, runs)}{chart}</section>'


def _polyline(run: SequenceRun, count: int, color: str) -> str:
    x = run.frame_scores.frames * 280 / max(count - 1, 1)
    points = " ".join(f"{x:.1f},{58 - 56 * iou:.1f}" for x, iou in zip(x, run.frame_scores.iou))
    return f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="1.2"/>'


def _picture(track: Track, runs: Sequence[SequenceRun]) -> str:
    """Return the frame that the first run meets worst, with label and boxes; "" if it cannot be read."""
    scores = runs[0].frame_scores
    index = int(scores.frames[scores.iou.argmin()]) if len(scores.frames) else 0
    try:
        image_bgr = track.image_bgr(index)
    except InvalidInputError:
        return ""
    scale = THUMBNAIL_WIDTH / image_bgr.shape[1]
    height = max(1, round(image_bgr.shape[0] * scale))
    image_bgr = cv2.resize(image_bgr, (THUMBNAIL_WIDTH, height), interpolation=cv2.INTER_AREA)
    draw_target(image_bgr, track.boxes_xywh[index] * scale, color_bgr=WHITE_BGR)
    for run, color_rgb in zip(runs, _colors(len(runs))):
        draw_target(image_bgr, run.boxes_xywh[index] * scale, color_bgr=color_rgb[::-1])
    jpeg = cv2.imencode(".jpg", image_bgr, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()
    return f'<img alt="frame {index + 1}" title="frame {index + 1}" loading="lazy" src="{_data_url("jpeg", jpeg)}">'


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>\n" for row in rows)
    return f"<table><tr>{head}</tr>\n{body}</table>"


def _data_url(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
