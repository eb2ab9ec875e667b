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
from collections.abc import Iterable, Mapping, Sequence
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
from siam_tracker_ros.outputs import write_atomic

FIGURES = {"mean_iou": "mean IoU", "auc": "AUC", "precision20": "precision@20", "region": "J of masks"}
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
        tracks: the sequences.
        runs: by name of the tracker, one run per track, in the same order.
        attributes: for each track, the frames, bool (N,), in which each of its attributes holds, by name.
    """

    title: str
    tracks: Sequence[Track]
    runs: Mapping[str, Sequence[SequenceRun]]
    attributes: Sequence[Mapping[str, np.ndarray]]

    @property
    def attribute_names(self) -> list[str]:
        """Names of all attributes, sorted."""
        return sorted({name for given in self.attributes for name in given})

    def within(self, tracker: str, attribute: str) -> list[Scores]:
        """Return a tracker's scores on the sequences that have an attribute, over the frames in which it holds."""
        chosen = [
            (run, given[attribute]) for run, given in zip(self.runs[tracker], self.attributes) if attribute in given
        ]
        scores = [run.frame_scores.within(frames).summary() for run, frames in chosen]
        return [score for score in scores if score.frames]

    def curve(self, tracker: str, curve: typing.Callable[[FrameScores], np.ndarray]) -> np.ndarray:
        """Return the mean of a curve over the sequences of which a frame counts; NaN if there are none."""
        curves = np.array([curve(run.frame_scores) for run in self.runs[tracker] if len(run.frame_scores.frames)])
        return curves.mean(axis=0) if len(curves) else curve(FrameScores(*np.empty((3, 0))))

    @functools.cached_property
    def truths(self) -> list[Truth]:
        """Where the target of each track is, and where it is absent."""
        sizes_wh = [track.image_bgr(0).shape[1::-1] for track in self.tracks]
        return [Truth.of_labels(track.boxes_xywh, size, track.absent) for track, size in zip(self.tracks, sizes_wh)]

    @property
    def sessions(self) -> list[str]:
        """Names of the trackers whose targets were followed by sessions, so that there are states."""
        return [name for name, runs in self.runs.items() if runs and all(run.states is not None for run in runs)]

    def session_figures(self, tracker: str, numbers: Sequence[int] | None = None) -> LongTerm:
        """Return the figures of one of `sessions` over the tracks of some numbers, or over all."""
        chosen = range(len(self.tracks)) if numbers is None else numbers
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


def overall_table(evaluation: Evaluation) -> tuple[list[str], list[list[str]]]:
    """Return the header and a row for each tracker of its figures over all sequences, as text."""
    return ["tracker", *FIGURE_COLUMNS], [figure_row(name, runs) for name, runs in evaluation.runs.items()]


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
        longterm_row(track.name, evaluation.session_figures(name, [i]))
        for name in names
        for i, track in enumerate(evaluation.tracks)
    ]
    overall = [longterm_row("all sequences", evaluation.session_figures(name)) for name in names]
    return ["session", *LONG_TERM_COLUMNS], rows + overall


def figure_row(name: str, runs: Sequence[SequenceRun]) -> list[str]:
    """Return a name and the figures of runs under FIGURE_COLUMNS, as text."""
    scores, ms = mean_scores(run.scores for run in runs), median_ms(runs)
    figures = [format_figure(getattr(scores, figure)) for figure in FIGURES]
    return [name, str(scores.frames), *figures, "-" if math.isnan(ms) else f"{ms:.1f}"]


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
    return {
        "mean": _scores_json(mean_scores(run.scores for run in runs)),
        "ms_per_frame": _known(median_ms(runs)),
        "success": [_known(value) for value in evaluation.curve(tracker, FrameScores.success)],
        "precision": [_known(value) for value in evaluation.curve(tracker, FrameScores.precision)],
        "attributes": {
            name: {"sequences": len(scores), **_scores_json(mean_scores(scores))} for name, scores in within.items()
        },
        **_session_json(evaluation, tracker),
        "sequences": {
            run.name: {
                **_scores_json(run.scores),
                "ms_per_frame": _known(median_ms([run])),
                **_session_json(evaluation, tracker, [i]),
            }
            for i, run in enumerate(runs)
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
    means = {name: mean_scores(run.scores for run in runs) for name, runs in evaluation.runs.items()}
    figures = {name: getattr(scores, figure_of_legend) for name, scores in means.items()}
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
    sequences = "\n".join(_sequence_section(evaluation, i, colors) for i in range(len(evaluation.tracks)))
    title = html.escape(evaluation.title)
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style></head><body>
<h1>{title}</h1>
{_table(*overall_table(evaluation))}
<p class="plots">{images}</p>
{_table(*session_table(evaluation)) if evaluation.sessions else ""}
{_table(*attribute_table(evaluation)) if evaluation.attribute_names else ""}
<h2>Sequences</h2>
<p>Each picture is the frame that the first tracker meets worst; the label is white. Below is the IoU over time.
{legend}</p>
{sequences}
</body></html>
"""


def _sequence_section(evaluation: Evaluation, i: int, colors: Sequence[str]) -> str:
    track = evaluation.tracks[i]
    runs = [runs[i] for runs in evaluation.runs.values()]
    figures = ", ".join(format_figure(run.scores.mean_iou) for run in runs)
    lines = "".join(_polyline(run, len(track), color) for run, color in zip(runs, colors))
    chart = f'<svg viewBox="0 0 280 60"><rect width="280" height="60" fill="#f5f5f5"/>{lines}</svg>'
    name = html.escape(track.name)
    return f'<section class="sequence"><h3>{name}: mean IoU {figures}</h3>{_picture(track, runs)}{chart}</section>'


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
