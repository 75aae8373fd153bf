"""The table of the terminal."""

from __future__ import annotations

import io

import numpy as np
from rich.console import Console

from kseq.metrics.evaluation import Evaluation
from kseq.metrics.regression import evaluate_regression
from kseq.report.table import score_table
from kseq.report.wording import number


def show(evaluation: Evaluation, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    console.print(score_table(evaluation))
    return console.file.getvalue()


def cells(evaluation: Evaluation) -> dict[str, list[tuple[str, bool]]]:
    columns = score_table(evaluation).columns
    return {
        str(column.header): [(str(cell), str(cell.style) == "bold") for cell in column.cells]
        for column in columns
    }


def test_primary_metric_first_and_best_value_bold(classified: Evaluation) -> None:
    table = cells(classified)
    assert list(table) == ["", "accuracy", "balanced accuracy", "macro F1", "log loss"]
    assert table[""] == [("model", True), ("majority class", False)]
    assert table["accuracy"] == [("0.7500", True), ("0.5000", False)]
    assert table["log loss"][1] == ("-", False)


def test_a_better_baseline_is_the_bold_one() -> None:
    table = cells(evaluate_regression([1.0, 2.0], [5.0, 5.0], 1.5))
    assert table["MSE"] == [("12.50", False), ("0.2500", True)]
    assert table["R²"] == [("-49.00", False), ("0", True)]


def test_nothing_is_bold_without_a_value() -> None:
    table = cells(evaluate_regression([1.0, 1.0], [np.nan, 1.0], 1.0))
    assert table["R²"] == [("-", False), ("-", False)]


def test_a_forecast_fits_a_terminal(forecasted: Evaluation) -> None:
    lines = show(forecasted, width=80).splitlines()
    assert max(map(len, lines)) <= 80
    assert "persistence" in show(forecasted, width=100)


def test_numbers_have_four_digits() -> None:
    written = [number(value) for value in (0.5, 1234.5, 99999.0, -0.25, 0.0, 0.0005, np.inf)]
    assert written == ["0.5000", "1234", "99,999", "-0.2500", "0", "0.0005", "-"]
