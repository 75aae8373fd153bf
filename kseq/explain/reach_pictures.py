"""Pictures of how far back models remember."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from kseq.metrics.evaluation import counted
from kseq.report import canvas
from kseq.report.pictures import short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from kseq.explain.reaches import Reach

SHARE = 0.01  # of the peak, below which input counts as forgotten
_LOWEST = 1e-8  # of the peak: below it are rounding errors
_TICKS = 6
# Okabe and Ito's palette once more, in an order of contrast, after model and baseline.
_COLOURS = ("#009e73", "#cc79a7", "#e69f00", "#7a6ff0")
_DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 2, 1, 2)))


def draw_reach(found: Reach) -> Figure:
    """The norm at each lag, with the line below which input counts as forgotten."""
    figure = canvas.new_figure(5.2, 3.1)
    axes = figure.subplots()
    _line(axes, found, canvas.MODEL, "-", "norm of the derivative")
    if found.lag:
        axes.axvline(found.lag, color=canvas.MUTED, linewidth=0.9, linestyle=(0, (2, 3)))
    _dress(axes, [found])
    beside = f"{found.sample}; dashed: 1 % of the strongest, below which input counts as forgotten"
    canvas.heading(figure, f"Reach: {in_short(found)}", beside)
    return figure


def draw_reaches(reaches: Mapping[str, Reach]) -> Figure:
    """Several on one scale."""
    figure = canvas.new_figure(5.2, 3.3)
    axes = figure.subplots()
    colours = (canvas.MODEL, canvas.BASELINE, *_COLOURS, canvas.MUTED)
    for number, (name, found) in enumerate(reaches.items()):
        colour = colours[number % len(colours)]
        style = _DASHES[number // len(colours) % len(_DASHES)]
        told = ("beyond" if found.finite else "not finite") if found.lag is None else found.lag
        label = f"{short(name, 24)} ({told})"
        _line(axes, found, colour, style, label)
    _dress(axes, list(reaches.values()))
    title = "Reach: how much input counts, by its age"
    beside = "in brackets the lag from which on it is below 1 %"
    canvas.heading(figure, title, beside, key=axes)
    return figure


def in_short(found: Reach) -> str:
    """The reach in a few words, for a title."""
    if not found.finite:
        return "the derivative is not finite"
    if not found.norms.any():
        return "none"
    if found.lag is None:
        return f"beyond {counted(len(found.norms), found.step)}"
    return counted(found.lag - 1, found.step)


def _line(axes: Axes, found: Reach, colour: str, style: object, label: str) -> None:
    shares = _shares(found)
    shares[shares < _LOWEST] = np.nan
    few = "o" if len(shares) < 15 else None
    axes.plot(
        np.arange(len(shares)),
        shares,
        color=colour,
        linestyle=style,
        linewidth=1.8,
        marker=few,
        markersize=4,
        label=label,
    )


def _shares(found: Reach) -> np.ndarray:
    """The norms as shares of the strongest; NaN where they are not finite."""
    norms = np.where(np.isfinite(found.norms), found.norms, np.nan)
    return norms / (np.max(norms, where=~np.isnan(norms), initial=0.0) or 1.0)


def _dress(axes: Axes, reaches: Sequence[Reach]) -> None:
    axes.axhline(SHARE, color=canvas.MUTED, linewidth=0.9, linestyle=(0, (4, 2)), zorder=1)
    shares = np.concatenate([_shares(found) for found in reaches])
    low = shares[shares >= _LOWEST].min(initial=SHARE / 10)
    places = np.arange(np.floor(np.log10(low)), 1).astype(int)
    axes.set_yscale("log")
    axes.set_ylim(10.0 ** places[0], 1.6)
    places = places[:: -(-len(places) // _TICKS)]
    axes.set_yticks(10.0**places, [f"{100 * 10.0**p:.{max(0, -p - 2)}f} %" for p in places])
    axes.minorticks_off()
    canvas.whole_steps(axes, 6)
    steps = {found.step for found in reaches}
    step = steps.pop() if len(steps) == 1 else "step"
    canvas.dress(axes, x=f"{step}s back", y="share of the strongest")
