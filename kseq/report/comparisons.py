"""Pictures of a comparison: score against cost, and the score over a path that changes the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.isotonic import isotonic_regression

from kseq.metrics.evaluation import higher_is_better
from kseq.report import canvas
from kseq.report.pictures import short
from kseq.report.wording import metric_name, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Of lines that have to be told apart: Okabe and Ito's palette, without what naive answers have.
_LINES = ("#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#2b2f36", "#8c96a3")
_MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")
_DASHES = ((0, (5, 2)), (0, (1, 1.5)), (0, (5, 2, 1, 2)), (0, (9, 2)))
_ROOM = 20  # characters beside a point
_LEGEND = 60  # characters of a line's name
_NAMED = 18  # points whose names find room above each other


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
            tests = {test for test, _ in places}
            if len(values) > 1 and len(set(places)) == len(values) == len(tests):
                return score_over(shown, path, metric)
        return None
    return score_and_cost(shown, metric)


def score_and_cost(rows: Sequence[Any], metric: str) -> Figure:
    """The score over what a training and what a prediction takes; bars are over seeds."""
    models = [row for row in rows if not row.naive]
    naive = [row for row in rows if row.naive]
    figure = canvas.new_figure(8.6, 3.6)
    panels = figure.subplots(1, 2, sharey=True)
    named = [short(row.name, 100) for row in models[:_NAMED]]
    foot = []
    if any(len(name) > _ROOM for name in named):
        foot = [f"{place}  {name}" for place, name in enumerate(named, 1)]
        named = [str(place) for place in range(1, len(named) + 1)]
    named += [""] * (len(models) - len(named))
    known = {}
    for axes, cost, unit, what in (
        (panels[0], "seconds", 1.0, "seconds a training"),
        (panels[1], "predict_seconds", 1e3, "milliseconds a prediction of one item"),
    ):
        places = [(row, row.mean(cost)) for row in models]
        known[axes] = [None if place is None else unit * place for _, place in places]
        _points(axes, models, known[axes])
        if naive:
            pick = max if higher_is_better(metric) else min
            best = pick(naive, key=lambda row: row.score)
            axes.axhline(
                best.score, color=canvas.BASELINE, linewidth=1, linestyle="--", label=best.name
            )
        canvas.dress(axes, x=what, y=metric_name(metric) if axes is panels[0] else "")
    for axes, costs in known.items():  # names find their places on the finished scale
        _names(axes, models, named, costs)
    best = next(row for row in models if row.best)
    spread = "" if best.spread is None else f" ± {best.spread:.2g}"
    canvas.heading(
        figure,
        f"Best: {short(best.name, 50)}, {metric_name(metric)} {number(best.score)}{spread}",
        _marks_in_words(models, metric),
        key=panels[0] if naive else None,
        foot=foot,
    )
    return figure


def _marks_in_words(models: Sequence[Any], metric: str) -> str:
    """What the marks say that are there."""
    said = ["higher is better" if higher_is_better(metric) else "lower is better"]
    if len(models) > 1 and not all(row.best or _unknown(row) for row in models):
        said.append("filled: not worse than the best by more than noise")
    if any(map(_unknown, models)):
        said.append("half filled: nobody knows whether it is noise")
    if len(models) > _NAMED:
        said.append(f"names: the best {_NAMED}")
    return "; ".join(said)


def _unknown(row: Any) -> bool:
    """Whether nobody knows if its distance from the best is noise, as of one seed."""
    return row.difference is not None and row.difference.noise is None


def _points(axes: Axes, models: Sequence[Any], costs: Sequence[float | None]) -> None:
    known = [(row, cost) for row, cost in zip(models, costs, strict=True) if cost is not None]
    for row, place in known:
        unknown = _unknown(row)
        axes.errorbar(
            [place],
            [row.score],
            yerr=None if row.spread is None else [row.spread],
            color=canvas.MODEL if row.best else canvas.MUTED if row.alike else canvas.TRAINING,
            marker="o",
            markersize=6,
            fillstyle="bottom" if unknown else "full",
            markerfacecolor=None if row.alike or unknown else canvas.palette().ground,
            markerfacecoloralt=canvas.palette().ground,
            linewidth=1.2,
            capsize=2,
        )
    if known:
        axes.set_xlim(0, 1.4 * max(cost for _, cost in known))


def _names(
    axes: Axes, models: Sequence[Any], named: Sequence[str], costs: Sequence[float | None]
) -> None:
    every = zip(models, named, costs, strict=True)
    known = [(row, name, cost) for row, name, cost in every if name and cost is not None]
    if not known:
        return
    beside = 0.018 * axes.get_xlim()[1]
    heights = _apart([row.score for row, _, _ in known], axes)
    for (row, name, place), height in zip(known, heights, strict=True):
        axes.annotate(
            name,
            (place, row.score),
            (place + beside, height),
            fontsize=7.5,
            color=canvas.TEXT,
            va="center",
            annotation_clip=False,
        )


def _apart(heights: Sequence[float], axes: Axes) -> list[float]:
    """Heights of labels that do not overlap, as near to what they label as can be, in its order."""
    low, high = axes.get_ylim()
    step = (high - low) / _NAMED
    order = np.argsort(heights, kind="stable")
    least = step * np.arange(len(heights))
    ends = {"y_min": low + 0.4 * step, "y_max": high - 0.4 * step - least[-1]}
    placed = np.empty(len(heights))
    placed[order] = isotonic_regression(np.asarray(heights)[order] - least, **ends) + least
    return list(placed)


def score_over(rows: Sequence[Any], path: str, metric: str) -> Figure:
    """The score over a path, a line for each combination of the others."""
    figure = canvas.new_figure(7.0, 3.6)
    axes = figure.subplots()
    lines: dict[str, list[Any]] = {}
    tests = {row.test: row.changes[path] for row in rows if not row.naive}
    for row in rows:
        lines.setdefault(_without(row, path), []).append(row)
    models = answers = 0
    for name, members in lines.items():
        members.sort(key=lambda row: tests[row.test])
        places = [tests[row.test] for row in members]
        scores = [row.score for row in members]
        if members[0].naive:
            axes.plot(
                places,
                scores,
                color=canvas.BASELINE,
                linestyle=_DASHES[answers % len(_DASHES)],
                marker="_" if len(places) == 1 else None,  # of one point there is no line
                markersize=14,
                linewidth=1.2,
                label=short(name, _LEGEND),
            )
            answers += 1
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
            label=short(name, _LEGEND),
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
    return ", ".join(rest) or "the recipe"
