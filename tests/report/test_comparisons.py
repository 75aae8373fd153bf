"""Pictures of a comparison."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from kseq.comparison.result import Result
from kseq.comparison.table import rows
from kseq.comparison.variants import variants
from kseq.recipe import Recipe
from kseq.report import canvas, comparisons

pytest.importorskip("matplotlib")

RECIPE = Recipe.from_dict({"task": "regression", "data": {"reader": "memory"}})


def made(vary, score, seeds=2):
    """Rows of made-up trainings."""
    found, results = variants(RECIPE, vary), []
    for variant in found:
        results.append([])
        for seed in range(seeds):
            results[-1].append(
                Result(
                    number=variant.number * seeds + seed,
                    key=f"{variant.number} {seed}",
                    changes=variant.changes,
                    seed=seed,
                    status="done",
                    metric="mse",
                    metrics={"mse": score(variant.changes) + 0.001 * seed},
                    baselines={"training mean": {"mse": 0.167}},
                    sums=[[score(variant.changes) * (1 + i % 2), 0, 0, 0, 0, 1] for i in range(9)],
                    how="mse",
                    units=[1.0],
                    test=str(variant.changes.get("data.steps")),
                    seconds=3.0 + variant.number,
                    predict_seconds=0.002,
                )
            )
    return rows(found, results, "mse")


def texts(figure):
    return " ".join(
        text.get_text() for text in figure.findobj(match=lambda a: hasattr(a, "get_text"))
    )


def test_score_against_cost(tmp_path):
    table = made(
        {"model.cell": ["rnn", "gru", "lstm"], "model.bidirectional": [False, True]},
        lambda changes: {"rnn": 0.16, "gru": 0.01, "lstm": 0.012}[changes["model.cell"]],
    )
    figure = comparisons.picture(table, ["model.cell", "model.bidirectional"], "mse")
    said = texts(figure)
    assert "Best: gru, MSE 0.0105" in said
    assert said.count("rnn, bidirectional") == 2  # in both panels
    assert "training mean" in said
    canvas.write(figure, tmp_path / "comparison.png")
    assert 5_000 < (tmp_path / "comparison.png").stat().st_size < 200_000


def marks(figure):
    """How the points of the left panel are filled, the best first."""
    points = [line for line in figure.axes[0].get_lines() if line.get_marker() == "o"]
    empty = canvas.palette().ground
    return [
        "half" if line.get_fillstyle() == "bottom"
        else "open" if line.get_markerfacecolor() == empty else "filled"
        for line in points
    ]  # fmt: skip


def test_marks_say_what_is_known():
    vary, score = {"model.cell": ["rnn", "gru", "lstm"]}, {"rnn": 0.3, "gru": 0.01, "lstm": 0.01}
    figure = comparisons.picture(made(vary, lambda c: score[c["model.cell"]]), [], "mse")
    assert marks(figure) == ["filled", "filled", "open"]
    assert "filled: not worse than the best by more than noise" in figure.get_label()
    assert "half" not in figure.get_label()
    figure = comparisons.picture(made(vary, lambda c: score[c["model.cell"]], seeds=1), [], "mse")
    assert marks(figure) == ["filled", "half", "half"]
    assert figure.get_label().endswith("; half filled: nobody knows whether it is noise")
    assert "more than noise" not in figure.get_label()


def test_long_names_are_numbers_with_a_key_at_the_foot():
    figure = comparisons.picture(
        made({"model.units": [[8], [8, 8, 16]], "model.recurrent_dropout": [0.0, 0.123456789]},
             lambda c: 0.01 * len(c["model.units"]) + c["model.recurrent_dropout"]), [], "mse",
    )  # fmt: skip
    canvas.png(figure)  # lays it out
    said = [text.get_text() for text in figure.texts]
    assert "3  units [8], recurrent_dropout 0.1235" in said
    names = [text.get_text() for text in figure.axes[0].texts]
    assert names == ["1", "2", "3", "4"]
    for axes in figure.axes:
        low, high = axes.get_ylim()
        assert all(low < text.get_position()[1] < high for text in axes.texts)
        assert axes.get_position().width > 0.4


def test_of_many_the_best_are_named():
    figure = comparisons.picture(
        made({"model.units": list(range(1, 31))}, lambda c: c["model.units"] / 100), [], "mse"
    )
    assert [t.get_text() for t in figure.axes[0].texts] == [f"units {n}" for n in range(1, 19)]
    assert "names: the best 18" in figure.get_label()


def test_lines_of_naive_answers_are_told_apart_and_the_scale_is_said():
    table = made({"data.steps": [50, 100], "model.cell": ["rnn", "gru"]},
                 lambda c: 4.0 if c["model.cell"] == "rnn" else c["data.steps"] / 8)  # fmt: skip
    table += [replace(row, name="last value", score=5.0) for row in table if row.naive]
    figure = comparisons.picture(table, ["data.steps", "model.cell"], "mae")
    (axes,) = figure.axes
    assert axes.get_ylabel() == "MAE (log scale)"
    lines = {line.get_label(): line for line in axes.get_lines()}
    naive = [lines[name] for name in ("training mean", "last value")]
    assert len({str(line._dash_pattern) for line in naive}) == 2
    drawn = [line.get_color() for line in axes.get_lines() if line not in naive]
    assert canvas.BASELINE not in drawn


def test_score_over_what_changes_the_data():
    table = made(
        {"data.steps": [50, 100], "model.cell": ["rnn", "gru"]},
        lambda changes: 0.1 if changes["model.cell"] == "rnn" else changes["data.steps"] / 1e4,
    )
    figure = comparisons.picture(table, ["data.steps", "model.cell"], "mse")
    (axes,) = figure.axes
    assert axes.get_xlabel() == "data.steps"
    said = texts(figure)
    assert all(name in said for name in ("rnn", "gru", "training mean"))
    lines = {line.get_label(): line for line in axes.get_lines()}
    assert lines["training mean"].get_xdata().tolist() == [50, 100]


def test_one_path_alone_is_one_line():
    for vary in ({"data.steps": [50, 100]}, {"data.steps": [50, 100], "model.cell": ["gru"]}):
        table = made(vary, lambda changes: changes["data.steps"] / 1e4)
        (axes,) = comparisons.picture(table, list(vary), "mse").axes
        lines = {line.get_label(): line for line in axes.get_lines()}
        assert lines.keys() >= {"training mean"}
        (mine,) = (line for line in axes.get_lines() if line.get_color() == comparisons._LINES[0]
                   and len(line.get_xdata()) == 2 and line.get_marker() == "o")  # fmt: skip
        assert mine.get_xdata().tolist() == [50, 100]


def test_values_that_share_a_test_part_are_no_axis():
    table = made({"data.steps": [12, 24, 400]}, lambda _: 0.2)
    for row in table:
        object.__setattr__(row, "test", "long" if row.test == "400" else "short")
    assert comparisons.picture(table, ["data.steps"], "mse") is None


def test_names_do_not_overlap_where_a_naive_answer_is_far():
    table = made({"model.units": list(range(1, 9))}, lambda c: 0.001 * c["model.units"])
    for axes in comparisons.picture(table, ["model.units"], "mse").axes:
        low, high = axes.get_ylim()
        assert high > 0.16
        places = sorted(text.get_position()[1] for text in axes.texts)
        gaps = [b - a for a, b in pairwise(places)]
        assert min(gaps) > 0.99 * (high - low) / 18


def test_test_parts_without_an_order_have_no_picture():
    table = made({"data.problem": ["adding", "copy"]}, lambda _: 0.2)
    for row, test in zip(table, ("a", "a", "b", "b"), strict=False):
        object.__setattr__(row, "test", test)
    assert comparisons.picture(table, ["data.problem"], "mse") is None


def test_values_that_are_lists_are_no_axis():
    table = made({"model.units": [[2], [3, 2]]}, lambda _: 0.2)
    for row, test in zip(table, ("a", "a", "b", "b"), strict=False):
        object.__setattr__(row, "test", test)
    assert comparisons.picture(table, ["model.units"], "mse") is None


def test_one_training_each():
    figure = comparisons.picture(made({"model.cell": ["gru"]}, lambda _: 0.2, seeds=1), [], "mse")
    assert "Best: gru, MSE 0.2000" in texts(figure)
