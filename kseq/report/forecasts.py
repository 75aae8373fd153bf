"""Pictures of a forecast: against the truth, and its error at each lead time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kseq.metrics.evaluation import Evaluation
from kseq.report import canvas
from kseq.report.wording import beside_line, number, percent, score_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_TARGETS = 3
_DETAIL = 120  # steps at the end that are shown again, enlarged
_LONG = 250  # steps from which a line is too dense to read


def forecast(
    evaluation: Evaluation,
    *,
    index: Sequence[Any] | None = None,
    history: Any = None,
    targets: Sequence[str] | None = None,
) -> Figure:
    """Truth against forecast, with the best baseline.

    One step ahead: the rolling forecasts over the whole test part as one line, its end enlarged
    where it is long. Further ahead: the first, middle and last window.

    Args:
        evaluation: Of a forecast; windows in order of time.
        index: The time stamp of each window's first forecast step.
        history: `(windows, time, targets)`, the observed steps before each window.
        targets: The targets to show, by name; the first three where not given.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    names = [str(name) for name in evaluation.labels or []]
    shown = [names.index(name) for name in targets or names][:_MOST_TARGETS]
    if evaluation.truth.shape[1] == 1:
        figure, key = _rolling(evaluation, shown, names, index)
    else:
        figure, key = _windows(evaluation, shown, names, index, history)
    ahead = evaluation.truth.shape[1]
    title = f"Forecast {ahead} step{'' if ahead == 1 else 's'} ahead: {score_line(evaluation)}"
    beside = beside_line(evaluation)
    if len(shown) < len(names):
        beside += f"; {len(shown)} of {len(names)} targets shown"
    canvas.heading(figure, title, beside, key=key)
    return figure


def lead_time(evaluation: Evaluation) -> Figure:
    """The mean absolute error at each step ahead, of the model and the baselines.

    Baselines far above the others are named with their error and not drawn.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    figure = canvas.new_figure(6.6, 3.1)
    axes = figure.subplots()
    best = evaluation.best_baseline()
    curves = {name: np.asarray(values) for name, values in evaluation.by_step.items()}
    main = [values for name, values in curves.items() if name in ("model", best)]
    top = max((values[np.isfinite(values)].max(initial=0.0) for values in main), default=0.0)
    others = iter([(0, (1, 1.5)), (0, (5, 2, 1, 2)), (0, (7, 3))])
    far = []
    for name, values in curves.items():
        if name not in ("model", best) and not np.nanmin(values, initial=np.inf) <= 2 * top:
            far.append(f"{name} ({number(evaluation.baselines[name][evaluation.primary])})")
            continue
        style: Any = "-" if name in ("model", best) else next(others, ":")
        colour = (
            canvas.MODEL
            if name == "model"
            else canvas.BASELINE
            if name == best
            else canvas.TRAINING
        )
        few = "o" if len(values) < 3 else None
        steps = np.arange(1, len(values) + 1)
        axes.plot(steps, values, color=colour, linewidth=1.8, ls=style, marker=few, label=name)
    axes.set_ylim(bottom=0)
    canvas.whole_steps(axes)
    canvas.dress(axes, x="steps ahead", y="mean absolute error")
    beside = beside_line(evaluation) + (f"; not shown: {', '.join(far)}" if far else "")
    canvas.heading(figure, f"Error by lead time: {score_line(evaluation)}", beside, key=axes)
    return figure


def _rolling(
    evaluation: Evaluation, shown: list[int], names: list[str], index: Sequence[Any] | None
) -> tuple[Figure, Axes]:
    count = len(evaluation.truth)
    parts = [(0, count)]
    if count > _LONG:
        parts.append((count - _DETAIL, count))
    rows = len(shown) * len(parts)
    figure = canvas.new_figure(9.0, max(1.8 * rows, 2.8))
    panels = figure.subplots(rows, 1, squeeze=False)[:, 0]
    places = [(target, part) for target in shown for part in parts]
    for axes, (target, (start, end)) in zip(panels, places, strict=True):
        x = np.arange(start, end)
        dense = end - start > _LONG
        _band(axes, evaluation, x, (slice(start, end), 0, target))
        for label, values, options in _lines(evaluation, slice(start, end), 0, target):
            if dense and label not in ("truth", "model"):
                continue  # a third line would hide the two that matter
            if dense:
                options["linewidth"] = 1.8 if label == "truth" else 0.6
            axes.plot(x, values, label=label, **options)
        axes.margins(x=0.01)
        canvas.whole_steps(axes)
        canvas.dress(axes, y=names[target], x="" if index is not None else "step of the test part")
        if end - start < count:
            axes.set_title(
                f"the last {end - start} steps", loc="right", fontsize=8.5, color=canvas.MUTED
            )
        if index is not None:
            ticks = np.unique(np.linspace(start, end - 1, 5).astype(int))
            axes.set_xticks(ticks, [stamp(index[tick]) for tick in ticks])
            # Centred, the outer ones would stand out of the picture.
            axes.get_xticklabels()[0].set_horizontalalignment("left")
            axes.get_xticklabels()[-1].set_horizontalalignment("right")
    return figure, panels[len(parts) - 1]


def _windows(
    evaluation: Evaluation,
    shown: list[int],
    names: list[str],
    index: Sequence[Any] | None,
    history: Any,
) -> tuple[Figure, Axes]:
    count, horizon = evaluation.truth.shape[:2]
    chosen = sorted({0, count // 2, count - 1})
    figure = canvas.new_figure(max(3.2 * len(chosen), 6.0), max(0.6 + 1.75 * len(shown), 2.9))
    panels = figure.subplots(len(shown), len(chosen), squeeze=False, sharey="row", sharex=True)
    ahead = np.arange(1, horizon + 1)
    for row, target in enumerate(shown):
        for axes, window in zip(panels[row], chosen, strict=True):
            if history is not None:
                # Twice the horizon says where the series came from; more would hide the forecast.
                past = np.asarray(history[window])[-2 * horizon :, target]
                axes.plot(
                    np.arange(1 - len(past), 1), past, color=canvas.TRUTH, linewidth=1.2, alpha=0.5
                )
                axes.axvline(0.5, color=canvas.MUTED, linewidth=0.9, linestyle=(0, (2, 3)))
            _band(axes, evaluation, ahead, (window, slice(None), target))
            for label, values, options in _lines(evaluation, window, slice(None), target):
                few = "o" if horizon < 3 else None
                axes.plot(ahead, values, label=label, marker=few, **options)
            canvas.whole_steps(axes, 5)
            canvas.dress(axes, x="steps ahead" if row == len(shown) - 1 else "")
            if row == 0:
                where = stamp(index[window]) if index is not None else f"window {window}"
                axes.set_title(f"from {where}", loc="left", fontsize=8.5, color=canvas.MUTED)
        panels[row][0].set_ylabel(names[target])
    return figure, panels[0][0]


def _band(axes: Axes, evaluation: Evaluation, x: np.ndarray, where: Any) -> None:
    """The prediction interval of these windows, steps and target, where there is one."""
    if evaluation.lower is None:
        return
    low, high = evaluation.lower[where], evaluation.upper[where]
    label = f"{percent(evaluation.notes['interval']['level'])} interval"
    style: Any = {"color": canvas.MODEL, "alpha": 0.18, "linewidth": 0, "zorder": 1}
    axes.fill_between(x, low, high, label=label, **style)


def stamp(stamp: Any) -> str:
    """A time stamp without the parts that say nothing: `2018-02-20 00:00:00` is `2018-02-20`."""
    text = str(stamp).replace("T", " ")
    return text.removesuffix(":00").removesuffix(" 00:00") if text.count(":") == 2 else text


def _lines(
    evaluation: Evaluation, windows: Any, steps: Any, target: int
) -> list[tuple[str, np.ndarray, dict[str, Any]]]:
    """Label, values and style of the model, the truth below it, and the best baseline lowest."""
    truth = {"color": canvas.TRUTH, "linewidth": 1.5, "zorder": 3}
    model = {"color": canvas.MODEL, "linewidth": 1.7, "zorder": 4}
    lines = [
        ("model", evaluation.predicted[windows, steps, target], model),
        ("truth", evaluation.truth[windows, steps, target], truth),
    ]
    best = evaluation.best_baseline()
    if best is not None and best in evaluation.references:
        values = np.asarray(evaluation.references[best])[windows, steps, target]
        dashed = {"color": canvas.BASELINE, "linewidth": 1.2, "linestyle": (0, (4, 2)), "zorder": 2}
        lines.append((best, values, dashed))
    return lines
