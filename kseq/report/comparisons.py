"""Pictures of a comparison: score against cost, and the score over a path that changes the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.isotonic import isotonic_regression

from kseq.metrics.evaluation import higher_is_better
from kseq.report import canvas
from kseq.report.wording import metric_name, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Of lines that have to be told apart: Okabe and Ito's palette again.
_LINES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#2b2f36", "#8c96a3")
_MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")


def picture(rows: Sequence[Any], paths: Sequence[str], metric: str) -> Figure | None:
    """The picture that fits: over the path by which the test parts differ, or against cost.

    None where test parts differ by something that is no number.

    Args:
        rows: Those of the table; see `kseq.comparison.table.Row`.
        paths: What varied.
        metric: What was compared.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    shown = [row for row in rows if row.score is not None]
    if len({row.test for row in shown}) > 1:
        for path in paths:
            places = [(row.test, row.changes.get(path)) for row in shown if not row.naive]
            if not all(isinstance(v, (int, float)) and not isinstance(v, bool) for _, v in places):
                continue
            values = {value for _, value in places}
            if len(values) > 1 and len(set(places)) == len(values):
                return score_over(shown, path, metric)
        return None
    return score_and_cost(shown, metric)


def score_and_cost(rows: Sequence[Any], metric: str) -> Figure:
    """The score over what a training and what a prediction takes; bars are over seeds."""
    models = [row for row in rows if not row.naive]
    naive = [row for row in rows if row.naive]
    figure = canvas.new_figure(8.6, 3.6)
    panels = figure.subplots(1, 2, sharey=True)
    for axes, cost, unit, what in (
        (panels[0], "seconds", 1.0, "seconds a training"),
        (panels[1], "predict_seconds", 1e3, "milliseconds a prediction of one item"),
    ):
        _points(axes, models, cost, unit)
        if naive:
            pick = max if higher_is_better(metric) else min
            best = pick(naive, key=lambda row: row.score)
            axes.axhline(
                best.score, color=canvas.BASELINE, linewidth=1, linestyle="--", label=best.name
            )
        canvas.dress(axes, x=what, y=metric_name(metric) if axes is panels[0] else "")
    best = next(row for row in models if row.best)
    spread = "" if best.spread is None else f" ± {best.spread:.2g}"
    better = "higher" if higher_is_better(metric) else "lower"
    canvas.heading(
        figure,
        f"Best: {best.name}, {metric_name(metric)} {number(best.score)}{spread}",
        f"{better} is better; filled: not worse than the best by more than noise",
        key=panels[0] if naive else None,
    )
    return figure


def _points(axes: Axes, models: Sequence[Any], cost: str, unit: float) -> None:
    places = [(row, row.mean(cost)) for row in models]
    known = [(row, unit * place) for row, place in places if place is not None]
    for row, place in known:
        axes.errorbar(
            [place],
            [row.score],
            yerr=None if row.spread is None else [row.spread],
            color=canvas.MODEL if row.best else canvas.TRAINING if not row.alike else canvas.MUTED,
            marker="o",
            markersize=6,
            markerfacecolor=None if row.alike else "white",
            linewidth=1.2,
            capsize=2,
        )
    if not known:
        return
    wide = max(place for _, place in known)
    axes.set_xlim(0, 1.4 * wide)
    for (row, place), height in zip(known, _apart([row.score for row, _ in known], axes),
                                    strict=True):  # fmt: skip
        axes.annotate(
            row.name,
            (place, row.score),
            (place + 0.025 * wide, height),
            fontsize=7.5,
            color=canvas.TEXT,
            va="center",
            annotation_clip=False,
        )


def _apart(heights: Sequence[float], axes: Axes) -> list[float]:
    """Heights of labels that do not overlap, as near to what they label as can be, in its order."""
    low, high = axes.get_ylim()
    order = np.argsort(heights, kind="stable")
    least = (high - low) / 18 * np.arange(len(heights))
    placed = np.empty(len(heights))
    placed[order] = isotonic_regression(np.asarray(heights)[order] - least) + least
    return list(placed)


def score_over(rows: Sequence[Any], path: str, metric: str) -> Figure:
    """The score over a path, a line for each combination of the others."""
    figure = canvas.new_figure(7.0, 3.6)
    axes = figure.subplots()
    lines: dict[str, list[Any]] = {}
    tests = {row.test: row.changes[path] for row in rows if not row.naive}
    for row in rows:
        lines.setdefault(_without(row, path), []).append(row)
    models = 0
    for name, members in lines.items():
        members.sort(key=lambda row: tests[row.test])
        places = [tests[row.test] for row in members]
        scores = [row.score for row in members]
        if members[0].naive:
            axes.plot(
                places, scores, color=canvas.BASELINE, linestyle="--", linewidth=1, label=name
            )
            continue
        colour, mark = _LINES[models % len(_LINES)], _MARKS[models % len(_MARKS)]
        axes.errorbar(
            places,
            scores,
            yerr=[row.spread or 0.0 for row in members],
            color=colour,
            marker=mark,
            markersize=5,
            linewidth=1.6,
            capsize=2,
            label=name,
        )
        models += 1
    if metric in ("mse", "mae", "rmse") and min(row.score for row in rows) > 0:
        canvas.logarithmic(axes)
    axes.set_xticks(sorted(set(tests.values())))
    canvas.dress(axes, x=path, y=metric_name(metric))
    better = "higher" if higher_is_better(metric) else "lower"
    canvas.heading(figure, f"{metric_name(metric)} over {path}", f"{better} is better", key=axes)
    return figure


def _without(row: Any, path: str) -> str:
    """The name of a row without the path that is the axis."""
    if row.naive:
        return str(row.name)
    value = row.changes[path]
    part = f"{path.rpartition('.')[2]} {value:.4g}" if isinstance(value, float) else (
        f"{path.rpartition('.')[2]} {value}"
    )  # fmt: skip
    rest = [word for word in str(row.name).split(", ") if word != part]
    return ", ".join(rest) or str(row.name)
