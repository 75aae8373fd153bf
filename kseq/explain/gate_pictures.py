"""Pictures of gates over the steps of a sequence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from kseq.explain.wording import drawable, families
from kseq.metrics.evaluation import counted
from kseq.report import canvas
from kseq.report.pictures import short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from kseq.explain.gating import Gates, LayerGates

OPENINGS = ("input", "forget", "output", "update", "reset")  # from 0 to 1; states go both ways
_MOST_TOKENS = 24  # that have room below a picture


def draw_gates(found: Gates, layer: LayerGates, kind: str) -> Figure:
    """A panel for each gate and state, below each other."""
    names = list(layer.values)
    figure = canvas.new_figure(5.2, 1.05 * len(names) + 0.5)
    panels = figure.subplots(len(names), 1, sharex=True, squeeze=False)[:, 0]
    order = _alike(layer.values["hidden"])
    for axes, name in zip(panels, names, strict=True):
        values = layer.values[name]
        (_map if kind == "map" else _bands)(axes, name, values[:, order])
        axes.set_title(name, loc="left", fontsize=9, color=canvas.TEXT, pad=3)
    time, units = layer.values["hidden"].shape
    panels[-1].set_xlim(-0.5, time - 0.5)
    if found.tokens is not None and time <= _MOST_TOKENS:
        labels = [drawable(short(token, 12)) for token in found.tokens]
        panels[-1].set_xticks(range(time), labels, rotation=90, fontfamily=families())
        panels[-1].tick_params(axis="x", labelsize=8.5, length=0)
    else:
        canvas.whole_steps(panels[-1], 8)
        panels[-1].set_xlabel(found.step, fontsize=9, color=canvas.MUTED)
    what = "each unit a row" if kind == "map" else "mean, middle half and nine in ten of the units"
    beside = f"{counted(units, 'unit')} over {counted(time, found.step)}; {what}"
    canvas.heading(figure, f"Gates of {layer.label}", beside)
    return figure


def _alike(hidden: np.ndarray) -> np.ndarray:
    """The order of units that puts those with a similar course beside each other, `(units,)`."""
    centred = hidden - hidden.mean(axis=0)
    if len(hidden) < 2 or not centred.any():
        return np.arange(hidden.shape[1])
    # By their weight in the strongest pattern over time.
    return np.argsort(np.linalg.svd(centred, full_matrices=False)[2][0], kind="stable")


def _map(axes: Axes, name: str, values: np.ndarray) -> None:
    gate = name in OPENINGS
    top = 1.0 if gate else float(np.abs(values).max()) or 1.0
    picture = axes.imshow(
        values.T,
        aspect="auto",
        cmap="viridis" if gate else canvas.colour_map("signed"),
        vmin=0.0 if gate else -top,
        vmax=top,
        interpolation="nearest",
        extent=(-0.5, len(values) - 0.5, values.shape[1], 0),
    )
    axes.set_yticks([])
    canvas.dress(axes, grid="")
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    bar = axes.figure.colorbar(picture, ax=axes, pad=0.015, fraction=0.03, aspect=9)
    bar.outline.set_visible(False)
    ends: Any = [0.0, 1.0] if gate else [-top, 0.0, top]
    bar.set_ticks(ends, labels=[f"{end:.2g}" for end in ends])
    bar.ax.tick_params(labelsize=8, colors=canvas.MUTED, length=0)


def _bands(axes: Axes, name: str, values: np.ndarray) -> None:
    steps = np.arange(len(values))
    low, lower, upper, high = np.quantile(values, [0.05, 0.25, 0.75, 0.95], axis=1)
    if len(values) > 1:
        axes.fill_between(steps, low, high, color=canvas.MODEL, alpha=0.15, linewidth=0)
        axes.fill_between(steps, lower, upper, color=canvas.MODEL, alpha=0.3, linewidth=0)
    few = "o" if len(values) < 8 else None
    axes.plot(
        steps, values.mean(axis=1), color=canvas.MODEL, linewidth=1.6, marker=few, markersize=4
    )
    if name in OPENINGS:
        axes.set_ylim(-0.03, 1.03)
        axes.set_yticks([0.0, 0.5, 1.0])
    canvas.dress(axes)
