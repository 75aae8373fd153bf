"""Regression scores against numbers worked out by hand and against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics as sk

from kseq.errors import DataError
from kseq.metrics.regression import evaluate_regression


def test_by_hand() -> None:
    scored = evaluate_regression([1.0, 2.0, 3.0, 6.0], [1.0, 2.0, 5.0, 6.0], 2.0)
    assert scored.primary == "mse"
    # Errors 0, 0, -2, 0. The truth has mean 3 and squared deviations 4, 1, 0, 9: variance 3.5.
    assert scored.metrics == pytest.approx({"mse": 1.0, "rmse": 1.0, "mae": 0.5, "r2": 1 - 1 / 3.5})
    # Always 2: errors 1, 0, 1, 4.
    assert scored.baselines["training mean"] == pytest.approx(
        {"mse": 4.5, "rmse": math.sqrt(4.5), "mae": 1.5, "r2": 1 - 4.5 / 3.5}
    )
    assert scored.better() is True
    assert scored.items == 4
    assert scored.notes == {"compared": "4 sequences"}


def test_several_targets_are_averaged_as_in_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(size=(30, 2)) * [1, 10]
    predicted = truth + rng.normal(size=(30, 2))
    scored = evaluate_regression(truth, predicted, truth.mean(axis=0), targets=["x", "y"])
    assert scored.metrics == pytest.approx(
        {
            "mse": sk.mean_squared_error(truth, predicted),
            "rmse": sk.root_mean_squared_error(truth, predicted),
            "mae": sk.mean_absolute_error(truth, predicted),
            "r2": sk.r2_score(truth, predicted),
        }
    )
    assert scored.baselines["training mean"]["r2"] == pytest.approx(0.0)
    assert list(scored.notes["per_target"]) == ["x", "y"]
    assert scored.notes["per_target"]["y"]["mse"] == pytest.approx(
        sk.mean_squared_error(truth[:, 1], predicted[:, 1])
    )
    assert scored.labels == ["x", "y"]


def test_per_step_targets_are_flattened_over_valid_steps() -> None:
    truth = [np.array([1.0, 3.0]), np.array([5.0])]
    predicted = [np.array([1.0, 3.0]), np.array([2.0])]
    scored = evaluate_regression(truth, predicted, 3.0)
    assert scored.metrics["mse"] == pytest.approx(3.0)  # not (0 + 9) / 2: a step is an item
    assert scored.items == 3
    assert scored.notes["compared"] == "3 steps of 2 sequences"
    assert [rows.tolist() for rows in scored.truth] == [[1.0, 3.0], [5.0]]


def test_per_step_with_several_targets() -> None:
    truth = [np.array([[0.0, 1.0], [2.0, 1.0]]), np.array([[4.0, 4.0]])]
    predicted = [rows + np.array([1.0, 2.0]) for rows in truth]
    scored = evaluate_regression(truth, predicted, [2.0, 2.0])
    assert scored.metrics["mae"] == pytest.approx(1.5)
    assert scored.notes["per_target"]["target 1"]["mae"] == pytest.approx(2.0)


def test_constant_truth_has_no_r2() -> None:
    content = evaluate_regression([2.0, 2.0], [2.0, 3.0], 2.0).to_dict()
    assert content["metrics"]["r2"] is None
    assert content["baselines"]["training mean"]["r2"] is None
    assert content["notes"]["undefined"] == {
        "r2": "the truth of target is constant, so it has no variance to explain"
    }


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e200])
def test_diverged_predictions_are_undefined_and_never_left_out(value: float) -> None:
    scored = evaluate_regression([1.0, 2.0], [1.0, value], 1.5)
    content = scored.to_dict()
    assert content["metrics"]["mse"] is None
    assert content["baselines"]["training mean"]["mse"] == pytest.approx(0.25)
    assert content["notes"]["undefined"]
    assert scored.better() is None


def test_what_does_not_fit_is_a_data_error() -> None:
    with pytest.raises(DataError, match=r"got \(1,\) for \(2,\)"):
        evaluate_regression([1.0, 2.0], [1.0], 0.0)
    with pytest.raises(DataError, match="at least one value"):
        evaluate_regression([], [], 0.0)
    with pytest.raises(DataError, match="1 of 2 true targets are missing"):
        evaluate_regression([1.0, np.nan], [1.0, 2.0], 0.0)
    with pytest.raises(DataError, match="got 2 sequences"):
        evaluate_regression([np.ones(2), np.ones(3)], [np.ones(3), np.ones(2)], 0.0)
    with pytest.raises(DataError, match="expected 1 target name"):
        evaluate_regression([1.0], [1.0], 0.0, targets=["a", "b"])
