"""Pictures of a training and of an evaluation; each function returns a matplotlib Figure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.metrics import confusion_matrix

from kseq.metrics.evaluation import Evaluation, counted
from kseq.report import canvas
from kseq.report.wording import beside_line, metric_name, number, percent, score_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NO_METRIC = ("loss", "learning_rate", "lr")
_MOST_COUNTS = 25  # classes up to which a confusion matrix has room for its counts
_MOST_LABELS = 100
_MOST_POINTS = 5000
_MOST_TARGETS = 3


def learning_curve(history: Mapping[str, Sequence[float]], *, best: int | None = None) -> Figure:
    """Loss, and the first metric or the score, of training and validation over epochs.

    Args:
        history: Values of each epoch by name, as Keras names them: `loss`, `val_loss`, ...
        best: The epoch whose weights were kept, counted from 1; the lowest validation loss where
            it is not given.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    curves = {name: np.asarray(values, dtype=np.float64) for name, values in history.items()}
    metrics = [n for n in curves if not n.startswith("val_") and n not in _NO_METRIC]
    if "val_score" in curves:  # what the best epoch is the best in, so more than a second loss
        metrics = ["score"]
    shown = [name for name in ("loss", *metrics[:1]) if name in curves or f"val_{name}" in curves]
    losses = curves.get("val_loss", np.array([]))
    if best is None and np.isfinite(losses).any():
        best = int(np.nanargmin(np.where(np.isfinite(losses), losses, np.nan))) + 1
    figure = canvas.new_figure(9.0 if len(shown) > 1 else 6.0, 3.1)
    panels = figure.subplots(1, max(len(shown), 1), squeeze=False)[0]
    epochs = max((len(values) for values in curves.values()), default=0)
    for axes, name in zip(panels, shown, strict=False):
        _curve(axes, name, curves, best)
    if best is not None and 0 < best <= len(losses):
        title = f"Training: validation loss {number(losses[best - 1])}"
        if "val_score" in curves:
            title += f" and score {number(curves['val_score'][best - 1])}"
        title += f" at epoch {best}"
    else:
        title = f"Training without {'a finite validation loss' if losses.size else 'validation'}"
    key = panels[0] if shown else None
    canvas.heading(figure, title, f"{counted(epochs, 'epoch')} run", key=key)
    return figure


def _curve(axes: Axes, name: str, curves: Mapping[str, np.ndarray], best: int | None) -> None:
    drawn = []
    for key, label, colour in (
        (name, "training", canvas.TRAINING),
        (f"val_{name}", "validation", canvas.MODEL),
    ):
        if key in curves:
            values = curves[key]
            few = "o" if len(values) < 3 else None
            steps = np.arange(1, len(values) + 1)
            axes.plot(steps, values, color=colour, linewidth=1.8, label=label, marker=few)
            drawn.append(values)
    chosen = curves.get(f"val_{name}", np.array([]))
    if best is not None and 0 < best <= len(chosen):
        axes.axvline(best, color=canvas.MUTED, linewidth=0.9, linestyle=(0, (2, 3)), zorder=0)
        axes.plot(
            [best], [chosen[best - 1]], "o", color=canvas.MODEL, markersize=6, label="best epoch"
        )
    finite = np.concatenate(drawn)
    finite = finite[np.isfinite(finite)]
    if name == "loss" and finite.size and finite.min() > 0 and finite.max() > 30 * finite.min():
        canvas.logarithmic(axes)
    last = max(len(values) for values in drawn)
    axes.set_xlim(1 - 0.02 * last, last * 1.02)
    canvas.whole_steps(axes)
    canvas.dress(axes, x="epoch", y=metric_name(name))


def confusion(evaluation: Evaluation, *, what: str = "class") -> Figure:
    """How often each true class got each answer; rows add up to 100 %.

    Args:
        evaluation: Of a classification.
        what: What a class is called.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    truth, answers = list(evaluation.truth), list(evaluation.predicted)
    labels = list(dict.fromkeys([*(evaluation.labels or []), *truth, *answers]))
    codes = {label: code for code, label in enumerate(labels)}
    count = len(labels)
    counts = confusion_matrix(
        [codes[label] for label in truth],
        [codes[label] for label in answers],
        labels=list(range(count)),
    )
    rows = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, rows, out=np.zeros(counts.shape), where=rows > 0)

    size = min(max(0.4 * count + 2.0, 3.8), 9.0)
    figure = canvas.new_figure(size + 0.6, size)
    axes = figure.subplots()
    colours = canvas.colour_map("shares")
    picture = axes.imshow(shares, cmap=colours, vmin=0.0, vmax=1.0, aspect="equal")
    bar = figure.colorbar(picture, ax=axes, shrink=0.6, aspect=28, pad=0.02)
    bar.outline.set_visible(False)
    bar.set_label(f"share of the true {what}", fontsize=9, color=canvas.MUTED)
    bar.ax.tick_params(labelsize=8, colors=canvas.MUTED, length=0)
    bar.ax.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.0f} %")
    if count <= _MOST_COUNTS:
        for row, column in np.argwhere(counts > 0):
            full = shares[row, column] > 0.55
            axes.text(
                column,
                row,
                f"{counts[row, column]}",
                ha="center",
                va="center",
                fontsize=9 if count <= 12 else 7,
                color=canvas.palette().ground if full else canvas.TEXT,
            )
    canvas.dress(axes, x=f"predicted {what}", y=f"true {what}", grid="")
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    if count <= _MOST_LABELS:
        names = [short(label) for label in labels]
        small = 9.0 if count <= 12 else max(4.5, 8.5 - 0.06 * count)
        wide = max(map(len, names)) > (4 if count <= 12 else 1)
        axes.set_xticks(range(count), names, fontsize=small, rotation=90 if wide else 0)
        axes.set_yticks(range(count), names, fontsize=small)
        axes.tick_params(length=0)
    beside = beside_line(evaluation)
    if count > _MOST_LABELS:
        beside += f"; {count} classes, numbered from 0 in their order"
    canvas.heading(figure, f"Confusion: {score_line(evaluation)}", beside)
    return figure


def scatter(evaluation: Evaluation) -> Figure:
    """Predicted against true numbers, with the line on which both are equal.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    truth, answers = _flat(evaluation.truth), _flat(evaluation.predicted)
    names = list(evaluation.labels or [f"target {t}" for t in range(truth.shape[1])])
    beside = beside_line(evaluation)
    if len(truth) > _MOST_POINTS:
        beside += f"; {_MOST_POINTS:,} of {len(truth):,} shown"
        chosen = _evenly(len(truth), _MOST_POINTS)
        truth, answers = truth[chosen], answers[chosen]
    columns = min(len(names), _MOST_TARGETS)
    figure = canvas.new_figure(4.0 * columns + 0.8, 4.3)
    panels = figure.subplots(1, columns, squeeze=False)[0]
    for target, axes in enumerate(panels):
        x, y = truth[:, target], answers[:, target]
        dense = min(1.0, max(0.15, 12 / math.sqrt(len(x))))
        axes.axline(
            (x[0], x[0]), slope=1, color=canvas.MUTED, linewidth=1, label="prediction = truth"
        )
        axes.scatter(x, y, s=16, color=canvas.MODEL, alpha=dense, linewidths=0, rasterized=True)
        ends = np.concatenate([x, y[np.isfinite(y)]])
        margin = 0.04 * (np.ptp(ends) or 1.0)
        limits = (ends.min() - margin, ends.max() + margin)
        axes.set(xlim=limits, ylim=limits, aspect="equal")
        canvas.dress(axes, x=f"true {names[target]}", y=f"predicted {names[target]}", grid="both")
    canvas.heading(figure, f"Truth and prediction: {score_line(evaluation)}", beside, key=panels[0])
    return figure


def series(evaluation: Evaluation, *, sequences: int = 3) -> Figure:
    """Truth and prediction over the steps of a few sequences, the first to the last.

    Args:
        evaluation: Of a regression with a target for each step.
        sequences: How many to show.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    known = [place for place, rows in enumerate(evaluation.truth) if len(rows)]
    chosen = [known[place] for place in _evenly(len(known), sequences)]
    names = list(evaluation.labels or ["target"])[:_MOST_TARGETS]
    figure = canvas.new_figure(8.0, 0.3 + 1.5 * len(chosen) * len(names))
    panels = figure.subplots(len(chosen) * len(names), 1, squeeze=False)[:, 0]
    places = [(sequence, t) for sequence in chosen for t in range(len(names))]
    for axes, (sequence, target) in zip(panels, places, strict=True):
        truth = np.asarray(evaluation.truth[sequence])
        steps = np.arange(len(truth))
        answers = np.asarray(evaluation.predicted[sequence]).reshape(len(truth), -1)[:, target]
        truth = truth.reshape(len(truth), -1)[:, target]
        if evaluation.lower is not None:
            low, high = (
                np.asarray(bounds[sequence]).reshape(len(truth), -1)[:, target]
                for bounds in (evaluation.lower, evaluation.upper)
            )
            label = f"{percent(evaluation.notes['interval']['level'])} interval"
            axes.fill_between(
                steps, low, high, color=canvas.MODEL, alpha=0.18, linewidth=0, label=label
            )
        axes.plot(steps, truth, color=canvas.TRUTH, linewidth=1.5, label="truth")
        axes.plot(steps, answers, color=canvas.MODEL, linewidth=1.5, label="prediction")
        canvas.whole_steps(axes)
        canvas.dress(axes, y=names[target])
        number = sequence if evaluation.rows is None else evaluation.rows[sequence]
        axes.set_title(f"sequence {number}", loc="right", fontsize=8.5, color=canvas.MUTED)
    panels[-1].set_xlabel("step")
    title = f"Prediction step by step: {score_line(evaluation)}"
    canvas.heading(figure, title, beside_line(evaluation), key=panels[0])
    return figure


def _flat(values: Any) -> np.ndarray:
    """`(items, targets)`; the steps of sequences one after the other."""
    whole = np.concatenate(values) if isinstance(values, list) else np.asarray(values)
    return np.asarray(whole, dtype=np.float64).reshape(len(whole), -1)


def _evenly(count: int, most: int) -> list[int]:
    """Places of the first, the last and some between."""
    return sorted({int(p) for p in np.linspace(0, count - 1, min(count, most)).round()})


def short(label: Any, most: int = 18) -> str:
    """A label as a picture has room for it.

    Example:
        >>> short("organisation of employers")
        'organisation of e…'
    """
    text = str(label)
    return text if len(text) <= most else f"{text[: most - 1]}…"
