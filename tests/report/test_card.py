"""The card says what is known, and nothing else."""

from __future__ import annotations

import numpy as np

from kseq.metrics.evaluation import Evaluation
from kseq.metrics.regression import evaluate_regression
from kseq.report.card import model_card

RECIPE = {
    "name": "ett",
    "task": {"kind": "forecasting", "window": 336, "horizon": 96, "target": "OT"},
    "seed": 7,
    "model": {"builder": "stacked_rnn", "cell": "lstm", "bidirectional": True},
    "training": {"epochs": 50, "learning_rate": 0.001},
}
FACTS = {
    "files": {"etth1/ETTh1.csv": "0123456789abcdef" * 4},
    "sequences": {"train": 1, "test": 1},
    "steps": {"train": 8640, "valid": 2880, "test": 2880},
    "parameters": 12345,
    "epochs": 12,
    "best_epoch": 9,
    "seconds": 125.0,
    "versions": {"kseq": "0.1.0", "keras": "3.15.1"},
    "limits": ["Tried on hourly data alone."],
}


def test_all_that_is_known_is_said(forecasted: Evaluation) -> None:
    card = model_card(RECIPE, forecasted, facts=FACTS)
    for line in (
        "# ett",
        "A Keras sequence model for forecasting built by `stacked_rnn`, trained by kseq from a "
        "recipe.",
        "| `etth1/ETTh1.csv` | `0123456789ab` |",
        "- training: 1 sequence, 8,640 steps",
        "- validation: 2,880 steps",
        "- bidirectional: `true`",
        "- weights: 12,345 numbers",
        "- run: 12 epochs, weights of epoch 9",
        "- time: 2 min 5 s",
        "- seed: 7",
        "- learning_rate: `0.001`",
        "- Forecasts 96 steps of `OT` from the last 336.",
        "- Tried on hourly data alone.",
        "- keras 3.15.1",
    ):
        assert line in card.splitlines(), line


def test_every_baseline_stands_beside_the_model(forecasted: Evaluation) -> None:
    lines = model_card(RECIPE, forecasted, facts=FACTS).splitlines()
    assert any(line.startswith("| **model** | **0.1000** | ") for line in lines)
    assert any(line.startswith("| persistence | 0.5000 | ") for line in lines)
    assert any(line.startswith("| training mean | 50.12 |") for line in lines)
    assert (
        "The model beats the best baseline, persistence: "
        "MAE 0.1000 against 0.5000 (lower is better)." in lines
    )
    assert "1 of 24 pairs left out of every row: the truth is missing in 1." in lines


def test_a_model_worse_than_its_baseline_is_told_so() -> None:
    scored = evaluate_regression([1.0, 2.0], [5.0, 5.0], 1.5)
    card = model_card({"task": "regression"}, scored, facts={})
    assert "does **not** beat the best baseline, training mean: MSE 12.50 against 0.2500" in card
    assert "| **model** | 12.50 |" in card
    assert "| training mean | **0.2500** |" in card
    assert "Not better than a naive baseline on the test data" in card


def test_a_score_without_a_value_has_its_reason() -> None:
    scored = evaluate_regression([1.0, 1.0], [np.nan, 1.0], 1.0)
    card = model_card({"task": "regression"}, scored, facts={})
    assert "cannot be said: MSE has no value" in card
    assert "- all metrics of the model: 1 of 2 predictions are not finite numbers" in card
    assert "nan" not in card.lower()


def test_no_test_data_is_said_and_no_score_shown() -> None:
    card = model_card(RECIPE, None, facts={"epochs": 3})
    assert "No test data was given, so there is no score." in card
    assert "Not tested" in card
    assert "**model**" not in card


def test_what_is_not_known_has_no_section(regressed: Evaluation) -> None:
    card = model_card({"name": "bare", "task": "regression"}, regressed, facts={})
    titles = [line for line in card.splitlines() if line.startswith("## ")]
    assert titles == ["## Score", "## Intended use and limits"]
    assert card.endswith("\n")


def test_classes_and_a_small_test(classified: Evaluation) -> None:
    card = model_card({"task": "classification"}, classified, facts={"classes": ["cat", "dog"]})
    assert "- Answers with one of 2 labels: `cat`, `dog`." in card
    assert "- The test is small: one sequence is 25.00 points of accuracy." in card


def test_a_bar_in_a_name_does_not_break_the_table(regressed: Evaluation) -> None:
    card = model_card({"task": "regression"}, regressed, facts={"files": {"a|b": "f" * 64}})
    assert "| `a\\|b` | `ffffffffffff` |" in card
