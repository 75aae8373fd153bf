"""A diagram of a model's layers, as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras

from kseq.report import canvas

_WIDTH, _HEIGHT, _GAP = 3.2, 0.52, 0.34  # inches


def diagram(model: keras.Model, path: Path) -> None:
    """Draws the layers from input to output, boxes with name, type and output shape.

    Args:
        model: A functional model; models within it are drawn with their own layers.
        path: The PNG file to write.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    core = next((layer for layer in model.layers if isinstance(layer, keras.Model)), model)
    rows, edges = _rows(core)
    columns = max(len(row) for row in rows)
    size = (columns * (_WIDTH + _GAP) + _GAP, len(rows) * (_HEIGHT + _GAP) + 2 * _GAP)
    figure = canvas.new_figure(*size)
    figure.set_layout_engine(None)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, size[0])
    axes.set_ylim(size[1], 0)
    axes.axis("off")
    centres = {}
    for depth, row in enumerate(rows):
        left = (size[0] - len(row) * (_WIDTH + _GAP) + _GAP) / 2
        for place, layer in enumerate(row):
            centre = (
                left + place * (_WIDTH + _GAP) + _WIDTH / 2,
                _GAP + depth * (_HEIGHT + _GAP) + _HEIGHT / 2,
            )
            centres[layer.name] = centre
            _box(axes, layer, centre)
    for above, below in edges:
        (x0, y0), (x1, y1) = centres[above], centres[below]
        axes.annotate(
            "",
            xy=(x1, y1 - _HEIGHT / 2 - 0.03),
            xytext=(x0, y0 + _HEIGHT / 2),
            arrowprops={"arrowstyle": "-|>", "color": canvas.MUTED, "lw": 0.9},
            zorder=1,  # below the boxes
        )
    canvas.write(figure, path)


def _box(axes: Any, layer: keras.layers.Layer, centre: tuple[float, float]) -> None:
    from matplotlib.patches import FancyBboxPatch

    kind = type(layer).__name__
    shape = ", ".join("·" if s is None else str(s) for s in _shape(layer))
    count = layer.count_params()
    detail = f"{kind}   ({shape})" + (f"   {count:,} parameters" if count else "")
    axes.add_patch(
        FancyBboxPatch(
            (centre[0] - _WIDTH / 2, centre[1] - _HEIGHT / 2),
            _WIDTH,
            _HEIGHT,
            boxstyle="round,pad=0.02,rounding_size=0.06",
            lw=0.9,
            facecolor="#e8f1fa" if count else "#f5f5f5",
            edgecolor=canvas.MUTED,
            zorder=2,
        )
    )
    axes.text(*centre, f"{layer.name}\n", ha="center", va="center", fontsize=9, weight="bold")
    axes.text(*centre, f"\n{detail}", ha="center", va="center", fontsize=7, color=canvas.MUTED)


def _shape(layer: keras.layers.Layer) -> tuple[int | None, ...]:
    output = layer.output
    return tuple(output.shape) if hasattr(output, "shape") else ()


def _rows(
    model: keras.Model,
) -> tuple[list[list[keras.layers.Layer]], list[tuple[str, str]]]:
    """The layers by their distance from the output, and who feeds whom.

    Each stands close above what it feeds, so that few lines run past other layers.
    """
    edges: list[tuple[str, str]] = []
    maker: dict[int, str] = {}  # which layer made a tensor
    for layer in model.layers:  # Keras keeps them in topological order
        feeders = [maker[id(t)] for t in keras.tree.flatten(layer.input) if id(t) in maker]
        edges += [(feeder, layer.name) for feeder in dict.fromkeys(feeders)]
        maker.update({id(t): layer.name for t in keras.tree.flatten(layer.output)})
    height: dict[str, int] = {}
    for layer in reversed(model.layers):
        fed = [height[below] for above, below in edges if above == layer.name]
        height[layer.name] = 1 + max(fed, default=-1)
    rows: list[list[keras.layers.Layer]] = [[] for _ in range(max(height.values()) + 1)]
    for layer in model.layers:
        rows[-1 - height[layer.name]].append(layer)

    place: dict[str, float] = {}  # from the middle of the row, in boxes

    def wanted(layer: keras.layers.Layer) -> float:
        below = [place[name] for above, name in edges if above == layer.name]
        return sum(below) / max(len(below), 1)

    for row in reversed(rows):
        row.sort(key=wanted)
        middle = (len(row) - 1) / 2
        place.update({layer.name: number - middle for number, layer in enumerate(row)})
    return rows, edges
