"""Pictures of prediction intervals: what they hold against what they promise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from kseq.metrics.evaluation import Evaluation, counted
from kseq.report import canvas
from kseq.report.wording import interval_line, percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def coverage(evaluation: Evaluation) -> Figure:
    """The share of test points that intervals hold at several levels, and at each lead time.

    Args:
        evaluation: With `notes["interval"]`.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    note = evaluation.notes["interval"]
    steps = note.get("by_step", {}).get("coverage", [])
    ahead = len(steps) > 1
    figure = canvas.new_figure(8.6 if ahead else 5.4, 3.6)
    panels = figure.subplots(1, 2 if ahead else 1, squeeze=False)[0]
    curve = note["curve"]
    left = panels[0]
    left.axline((0, 0), slope=1, color=canvas.MUTED, linewidth=1, label="as promised")
    style: dict[str, Any] = {"color": canvas.MODEL, "linewidth": 1.5}
    held = [row["coverage"] for row in curve]
    left.plot([row["level"] for row in curve], held, "o-", markersize=5, label="model", **style)
    left.set(xlim=(0, 1), ylim=(0, 1.02))
    canvas.dress(left, x="level of the interval", y="share of test points inside", grid="both")
    if ahead:
        right = panels[1]
        right.axhline(note["level"], color=canvas.MUTED, linewidth=1)
        right.plot(np.arange(1, len(steps) + 1), steps, **style)
        right.set_ylim(min(0.5, *(step for step in steps if np.isfinite(step))), 1.0)
        canvas.whole_steps(right)
        canvas.dress(right, x="steps ahead", y=f"inside {percent(note['level'])} intervals")
    title = "Intervals: share held against promised"
    beside = f"{interval_line(evaluation)} ({counted(note['points'], 'point')})"
    canvas.heading(figure, title, beside, key=left)
    return figure
