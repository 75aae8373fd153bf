"""Pictures of a tagging: each type's F1, plain tags mixed up, and how sure the model may be."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from kseq.metrics.evaluation import Evaluation
from kseq.report import canvas, pictures
from kseq.report.wording import (
    beside_line,
    calibration_line,
    kind_of_tags,
    number,
    score_line,
    types_by_support,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_BARS = 30
_MOST_TAGS = 20
_RIGHT = 1.25  # F1 ends at 1; the numbers stand beside the bars
_OTHERS = "(others)"


def by_type(evaluation: Evaluation) -> Figure:
    """F1 of each type of span, or of each plain tag, with how often it stands in the truth.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    types = types_by_support(evaluation)
    shown = list(types.items())[:_MOST_BARS]
    figure = canvas.new_figure(6.6, max(0.7 + 0.26 * len(shown), 1.4))
    axes = figure.subplots()
    places = np.arange(len(shown))
    axes.barh(places, [row["f1"] for _, row in shown], height=0.68, color=canvas.MODEL)
    for place, (_, row) in enumerate(shown):
        style: dict[str, Any] = {"va": "center", "fontsize": 8.5, "color": canvas.MUTED}
        axes.text(row["f1"] + 0.012, place, number(row["f1"]), **style)
        axes.text(_RIGHT, place, f"{row['support']:,}", ha="right", **style)
    axes.text(_RIGHT, -1, "true ones", ha="right", va="center", fontsize=8.5, color=canvas.MUTED)
    axes.set_yticks(places, [pictures.short(name) for name, _ in shown])
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_xlim(0, _RIGHT)
    axes.spines["bottom"].set_bounds(0, 1)
    axes.set_xticks(np.linspace(0, 1, 6))
    canvas.dress(axes, x="F1", grid="x")
    axes.tick_params(axis="y", length=0, labelsize=9)
    beside = beside_line(evaluation)
    if len(shown) < len(types):
        beside += f"; the {len(shown)} commonest of {len(types)} shown"
    what = "Spans of each type" if kind_of_tags(evaluation) == "type" else "Each tag"
    title = f"{what}: {score_line(evaluation)}"
    canvas.heading(figure, title, beside)
    return figure


def confusion(evaluation: Evaluation) -> Figure:
    """How often each plain tag was given each tag; the rarer ones as one.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    truth, answers = (_flat(rows) for rows in (evaluation.truth, evaluation.predicted))
    common = [tag for tag, _ in Counter(truth).most_common(_MOST_TAGS)]
    labels = sorted(common)
    if not {*truth, *answers} <= set(common):
        truth, answers = (
            [tag if tag in labels else _OTHERS for tag in row] for row in (truth, answers)
        )
        labels.append(_OTHERS)
    flat = replace(evaluation, truth=truth, predicted=answers, labels=labels)
    return pictures.confusion(flat, what="tag")


def reliability(evaluation: Evaluation) -> Figure:
    """How often answers of each confidence are right, and how many answers there are of each.

    Args:
        evaluation: With `notes["calibration"]`.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    note = evaluation.notes["calibration"]
    rows = note["bins"]
    figure = canvas.new_figure(4.6, 4.8)
    top, bottom = figure.subplots(2, 1, height_ratios=[3.2, 1], sharex=True)
    stated = [row["confidence"] for row in rows]
    right = [row["correct"] for row in rows]
    top.axline((0, 0), slope=1, color=canvas.MUTED, linewidth=1, label="as often right as it says")
    top.plot(stated, right, "o-", color=canvas.MODEL, linewidth=1.5, markersize=5, label="model")
    top.set(xlim=(0, 1), ylim=(0, 1.02))
    canvas.dress(top, y="share that is right", grid="both")
    middles = [(row["low"] + row["high"]) / 2 for row in rows]
    width = 0.9 * (rows[0]["high"] - rows[0]["low"])
    bottom.bar(middles, [row["answers"] for row in rows], width=width, color=canvas.MODEL)
    canvas.dress(bottom, x="probability that the model states", y=note["of"])
    title = f"How sure, and how often right: {note['of']}"
    canvas.heading(figure, title, calibration_line(evaluation), key=top)
    return figure


def _flat(rows: Any) -> list[str]:
    """The tags of all texts, one after the other."""
    return list(chain.from_iterable(row[0] if isinstance(row, tuple) else row for row in rows))
