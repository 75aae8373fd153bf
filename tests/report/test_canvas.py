"""The palette in use: what is drawn with another one, and what is not."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

import kseq
from kseq.metrics.classification import evaluate_classification
from kseq.report import canvas, pictures

Image = pytest.importorskip("PIL.Image")
HISTORY = {"loss": [2.0, 1.5, 1.2], "val_loss": [2.5, 2.0, 1.9]}


def test_colours_are_those_of_the_palette_in_use():
    assert canvas.LIGHT.model == canvas.MODEL
    with canvas.drawn_with(canvas.DARK):
        assert (canvas.DARK.model, canvas.DARK.muted) == (canvas.MODEL, canvas.MUTED)
        assert canvas.palette() is canvas.DARK
    assert canvas.palette() is canvas.LIGHT
    with pytest.raises(AttributeError, match="SHADOW"):
        _ = canvas.SHADOW


def test_an_error_puts_the_light_palette_back():
    with pytest.raises(ValueError, match="x"), canvas.drawn_with(canvas.DARK):
        raise ValueError("x")
    assert canvas.palette() is canvas.LIGHT


@pytest.mark.parametrize("palette", [canvas.LIGHT, canvas.DARK])
def test_the_ground_of_a_picture_is_the_palettes(palette, tmp_path):
    with canvas.drawn_with(palette):
        canvas.write(pictures.learning_curve(HISTORY), tmp_path / "x.png")
    with Image.open(tmp_path / "x.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    ground = tuple(int(palette.ground[place : place + 2], 16) for place in (1, 3, 5))
    assert tuple(pixels[0, 0]) == ground
    assert (pixels == ground).all(axis=-1).mean() > 0.8


def test_a_dollar_sign_is_no_formula():
    labels = ["$\\frac$", "US$ and A$"]
    scored = evaluate_classification(labels, labels[::-1], None, labels, labels[0])
    figure = pictures.confusion(scored)
    canvas.heading(figure, "$\\frac$", "$_$")
    assert canvas.png(figure).startswith(b"\x89PNG")


def luminance(colour: str) -> float:
    parts = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("palette", [canvas.LIGHT, canvas.DARK])
def test_words_and_curves_stand_out(palette):
    ground = luminance(palette.ground)

    def contrast(colour: str) -> float:
        low, high = sorted((luminance(colour), ground))
        return (high + 0.05) / (low + 0.05)

    assert min(contrast(palette.text), contrast(palette.muted)) >= 4.5
    assert min(map(contrast, (palette.truth, palette.model, palette.baseline))) >= 3


def test_a_figure_says_what_its_heading_says():
    figure = pictures.learning_curve(HISTORY)
    assert figure.get_label() == "Training: validation loss 1.900 at epoch 3; 3 epochs run"


def test_no_colour_is_imported_by_name():
    """It would stay the light one; write `canvas.MODEL` where the picture is drawn."""
    colours = {name.upper() for name in canvas.Palette.__dataclass_fields__}
    for path in Path(kseq.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == "kseq.report.canvas":
                taken = {alias.name for alias in node.names} & colours
                assert not taken, f"{path}:{node.lineno} imports {sorted(taken)} by name"


@pytest.mark.parametrize("which", ["x", "y"])
@pytest.mark.parametrize("ends", [(4, 14), (0.31, 0.39), (1e-4, 3.0), (3, 40), (1, 1.0001)])
def test_a_logarithmic_axis_has_three_numbers_and_says_what_it_is(which, ends):
    axes = canvas.new_figure().subplots()
    axes.plot(ends, ends)
    canvas.logarithmic(axes, which)
    canvas.dress(axes, x="left", y="up")
    axis = getattr(axes, f"{which}axis")
    low, high = axis.get_view_interval()
    assert sum(low <= place <= high for place in axis.get_majorticklocs()) >= 3
    label = {"x": "left", "y": "up"}[which]
    assert axis.get_label_text() == f"{label} (log scale)"


def test_a_long_legend_has_lines_below_each_other():
    figure = canvas.new_figure(7.0, 3.0)
    axes = figure.subplots()
    for number in range(6):
        axes.plot([0, 1], [0, number], label=f"a rather long name of a line, number {number}")
    canvas.heading(figure, "title", "subtitle", key=axes, foot=["1  one", "2  two"])
    canvas.png(figure)  # lays it out
    whole = figure.legends[0].get_window_extent()
    assert whole.x1 <= figure.bbox.x1
    assert whole.y0 >= axes.get_tightbbox().y1
    feet = [text for text in figure.texts if text.get_text().startswith(("1", "2"))]
    assert len(feet) == 2
    assert all(text.get_window_extent().y1 < axes.get_tightbbox().y0 for text in feet)
