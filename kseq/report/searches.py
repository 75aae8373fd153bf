"""Pictures of a search: scores over time, the effect of each parameter, parallel coordinates."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from kseq.metrics.evaluation import counted, higher_is_better
from kseq.report import canvas
from kseq.report.wording import metric_name, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_PANELS = 12
_MOST_LISTS = 5  # that are named; of more their sums are shown
_NONE = "not used"  # in a trial in which the path did not count


class Range(Protocol):
    """What is shown of a path of the space."""

    @property
    def kind(self) -> str:
        """`choice`, `int`, `float` or `log`."""


def pictures(
    space: Mapping[str, Range], trials: Sequence[Any], metric: str, best: Any
) -> Iterator[tuple[str, Figure]]:
    """The file name and the figure of each picture that has something to show.

    Args:
        space: The paths that varied.
        trials: The trials in their order.
        metric: What they are compared by.
        best: The best of them, or None.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    scored = [trial for trial in trials if trial.score is not None]
    if not scored:
        return
    yield "score.png", score_over_time(trials, metric, best)
    if len(scored) > 2:
        yield "effects.png", effects(space, trials, metric, best)
        yield "parallel.png", parallel(space, trials, metric, best)


def score_over_time(trials: Sequence[Any], metric: str, best: Any) -> Figure:
    """The score of each trial, and the best so far, over the time spent."""
    figure = canvas.new_figure(7.0, 3.1)
    axes = figure.subplots()
    trials = sorted(trials, key=lambda trial: trial.elapsed)
    longest = max(trial.elapsed for trial in trials)
    unit, what = (1.0, "seconds") if longest < 180 else (60.0, "minutes")
    times = [trial.elapsed / unit for trial in trials]
    done = [(t, r.score) for t, r in zip(times, trials, strict=True) if r.status == "done"]
    pruned = [(t, r.score) for t, r in zip(times, trials, strict=True) if r.status == "pruned"]
    failed = [t for t, r in zip(times, trials, strict=True) if r.score is None]
    text = _said(best, metric)
    if done:
        pick = np.maximum if higher_is_better(metric) else np.minimum
        so_far = pick.accumulate([score for _, score in done])
        axes.step(
            [t for t, _ in done], so_far, where="post", color=canvas.MODEL, label="best so far"
        )
        axes.plot(*zip(*done, strict=True), "o", color=canvas.TRAINING, markersize=5, label="trial")
    if pruned:
        axes.plot(
            *zip(*pruned, strict=True), "x", color=canvas.MUTED, markersize=5, label="trial, pruned"
        )
    first = next((trial for trial in trials if trial.number == 0), None)
    if first is not None and first.status == "done":
        axes.axhline(
            first.score,
            color=canvas.BASELINE,
            linewidth=1,
            linestyle="--",
            label="recipe as it stood",
        )
    if best is not None:
        axes.plot([best.elapsed / unit], [best.score], "o", color=canvas.MODEL, markersize=7)
    for time in failed:
        axes.axvline(time, color="#e3b5a0", linewidth=0.8, zorder=0)
    canvas.dress(axes, x=f"{what} of searching", y=metric_name(metric))
    beside = counted(len(trials), "trial")
    if failed:
        beside += f", {len(failed)} failed (vertical lines)"
    canvas.heading(figure, f"Search: {text}", beside, key=axes)
    return figure


def effects(space: Mapping[str, Range], trials: Sequence[Any], metric: str, best: Any) -> Figure:
    """The score over the values of each path."""
    paths = list(space)[:_MOST_PANELS]
    columns = min(3, len(paths))
    lines = math.ceil(len(paths) / columns)
    figure = canvas.new_figure(3.0 * columns + 0.4, 2.3 * lines)
    panels = figure.subplots(lines, columns, squeeze=False, sharey=True)
    shown = [t for t in trials if t.score is not None]
    text = _said(best, metric)
    for place, axes in enumerate(panels.flat):
        if place >= len(paths):
            axes.set_visible(False)
            continue
        path = paths[place]
        having = [t for t in shown if path in t.changes]
        places, ticks, log = _axis([t.changes[path] for t in having], space[path].kind)
        scores = [t.score for t in having]
        axes.scatter(places, scores, s=18, color=canvas.TRAINING, linewidths=0, alpha=0.8)
        if best is not None and path in best.changes:
            mine = [p for p, t in zip(places, having, strict=True) if t is best]
            axes.plot(mine, [best.score] * len(mine), "o", color=canvas.MODEL, markersize=6)
        if ticks:
            axes.set_xticks(range(len(ticks)), ticks, fontsize=8)
            axes.set_xlim(-0.5, len(ticks) - 0.5)
            means = [
                np.mean([s for p, s in zip(places, scores, strict=True) if p == tick])
                for tick in range(len(ticks))
            ]
            axes.plot(range(len(ticks)), means, "_", color=canvas.MODEL, markersize=16)
        elif log:
            canvas.logarithmic(axes, "x")
        name = (
            path
            if ticks or not any(isinstance(t.changes[path], list) for t in having)
            else (f"{path}, summed")
        )
        canvas.dress(axes, x=name, y=metric_name(metric) if place % columns == 0 else "")
    beside = "each point is a trial; the best is blue, as is the mean of each choice"
    canvas.heading(figure, f"What each parameter did: {text}", beside)
    return figure


def parallel(space: Mapping[str, Range], trials: Sequence[Any], metric: str, best: Any) -> Figure:
    """Each trial as a line through the values of its paths to its score."""
    from matplotlib import colormaps

    paths = list(space)[:_MOST_PANELS]
    shown = [t for t in trials if t.score is not None]
    figure = canvas.new_figure(max(6.0, 1.35 * (len(paths) + 1)), 3.6)
    axes = figure.subplots()
    heights: list[np.ndarray] = []
    for place, path in enumerate(paths):
        values = [t.changes.get(path) for t in shown]
        known = [value for value in values if value is not None]
        places, ticks, log = _axis(known, space[path].kind)
        spots = iter(_scaled(places, len(ticks), log))
        heights.append(np.array([-0.12 if value is None else next(spots) for value in values]))
        _labels(axes, place, known, ticks, log)
        if len(known) < len(values):
            axes.text(place + 0.03, -0.12, _NONE, fontsize=7.5, color=canvas.MUTED, va="center")
    scores = np.array([t.score for t in shown], dtype=np.float64)
    span = np.ptp(scores) or 1.0
    last = (scores - scores.min()) / span
    good = last if higher_is_better(metric) else 1 - last
    heights.append(last)
    colours = colormaps["viridis_r"]
    for row in np.argsort(good):
        axes.plot(
            range(len(heights)),
            [height[row] for height in heights],
            color=colours(0.15 + 0.8 * good[row]),
            linewidth=2.2 if good[row] == 1 else 1.0,
            alpha=0.9,
        )
    for end, value in ((0.0, scores.min()), (1.0, scores.max())):
        axes.text(
            len(paths) + 0.04, end, number(value), fontsize=7.5, color=canvas.MUTED, va="center"
        )
    names = [path.partition(".")[2].replace(".", ".\n") for path in paths]
    axes.set_xticks(range(len(heights)), [*names, metric_name(metric)], fontsize=8)
    axes.set_yticks([])
    axes.set_xlim(-0.2, len(paths) + 0.5)
    canvas.dress(axes, grid="x")
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    text = _said(best, metric)
    canvas.heading(figure, f"Trials: {text}", "a line for each; the darker, the better")
    return figure


def _said(best: Any, metric: str) -> str:
    """What is said of the best trial."""
    if best is None:
        return "no trial came to its end"
    return f"best {metric_name(metric)} {number(best.score)} (trial {best.number})"


def _axis(values: Sequence[Any], kind: str) -> tuple[list[float], list[str], bool]:
    """Where values stand, the names of the ticks where they are few, and whether by logarithm."""
    if any(isinstance(value, list) for value in values):  # one layer may stand without brackets
        values = [value if isinstance(value, list) else [value] for value in values]
    if len({str(v) for v in values}) > _MOST_LISTS and all(map(_of_numbers, values)):
        return [float(sum(value)) for value in values], [], False  # of units, how many in all
    numbers = all(map(_is_number, values))
    if numbers and kind != "choice":
        return [float(value) for value in values], [], kind == "log"
    ordered = sorted({str(v): v for v in values}.values(), key=lambda v: (str(type(v)), _key(v)))
    ticks = [str(value).replace("'", "") for value in ordered]
    return [float(ticks.index(str(value).replace("'", ""))) for value in values], ticks, False


def _end(value: Any) -> str:
    """An end of an axis."""
    return str(value) if isinstance(value, int) else number(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _of_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_number, value))


def _key(value: Any) -> Any:
    if _of_numbers(value):
        return (len(value), value)
    return value if isinstance(value, int | float) else str(value)


def _scaled(places: Sequence[float], ticks: int, log: bool) -> list[float]:
    """Places from 0 to 1."""
    values = np.log(places) if log else np.asarray(places, dtype=np.float64)
    if ticks:
        return [float(v) for v in values / max(ticks - 1, 1)]
    if not len(values):
        return []
    return [float(v) for v in (values - values.min()) / (np.ptp(values) or 1.0)]


def _labels(axes: Axes, place: int, values: Sequence[Any], ticks: Sequence[str], log: bool) -> None:
    if ticks:
        shown = list(zip(np.linspace(0, 1, len(ticks)) if len(ticks) > 1 else [0.0], ticks,
                         strict=True))  # fmt: skip
        shown = shown if len(shown) <= 10 else [shown[0], shown[-1]]
    elif values:
        ends = [sum(v) if _of_numbers(v) else v for v in values]
        shown = [(0.0, _end(min(ends))), (1.0, _end(max(ends)))]
    else:
        shown = []
    for height, text in shown:
        axes.text(
            place + 0.03,
            height,
            text,
            fontsize=7.5,
            color=canvas.TEXT,
            va="center",
            bbox={"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 1},
        )
