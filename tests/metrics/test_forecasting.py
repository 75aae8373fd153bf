"""Forecast scores against numbers worked out by hand from the published definitions."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from kseq.errors import DataError
from kseq.metrics.evaluation import Evaluation
from kseq.metrics.forecasting import evaluate_forecast, mase, naive_scale, smape

NAN = np.nan


def test_smape_by_hand() -> None:
    # 200 * |1 - 3| / 4 = 100; 200 * |2 - 2| / 4 = 0; 0/0 = 0; 200 * |4 - 0| / 4 = 200.
    assert smape([1, 2, 0, 4], [3, 2, 0, 0]) == pytest.approx(75.0)
    assert smape([-1.0], [1.0]) == pytest.approx(200.0)
    assert math.isnan(smape([], []))


def test_mase_by_hand() -> None:
    # Training 1, 3, 2, 6: naive errors 2, 1, 4, mean 7/3. Errors 1 and 2, mean 1.5.
    scale = naive_scale(np.array([[1.0], [3.0], [2.0], [6.0]]))
    assert scale == pytest.approx([7 / 3])
    assert mase([[5.0], [5.0]], [[6.0], [3.0]], scale) == pytest.approx(1.5 / (7 / 3))


def test_mase_has_no_value_where_the_series_never_changed() -> None:
    assert math.isnan(mase([1.0], [2.0], 0.0))


def test_naive_scale_seasonal_missing_and_in_parts() -> None:
    series = np.array([[1.0, 0.0], [2.0, NAN], [4.0, 1.0], [8.0, 5.0]])
    assert naive_scale(series, season=2) == pytest.approx([(3 + 6) / 2, 1.0])
    # Never across the border of two series: 1 -> 2, then 10 -> 14.
    parts = [np.array([[1.0], [2.0]]), np.array([[10.0], [14.0]])]
    assert naive_scale(parts) == pytest.approx([2.5])
    assert np.isnan(naive_scale(np.array([[1.0]]))).all()


def evaluate(truth: object, forecast: object, **baselines: object) -> Evaluation:
    shape = np.shape(truth)
    return evaluate_forecast(
        truth,
        forecast,
        baselines,
        scale=[0.5] * shape[2],
        deviation=[2.0] * shape[2],
        targets=["OT", "HUFL"][: shape[2]],
    )


TRUTH = np.array([[[1.0], [2.0]], [[3.0], [6.0]]])
FORECAST = np.array([[[1.0], [4.0]], [[3.0], [6.0]]])


def test_by_hand() -> None:
    scored = evaluate(TRUTH, FORECAST, persistence=TRUTH + 1.0)
    # Errors 0, 2, 0, 0; the truth has variance 3.5; sMAPE 200 * (2/6) / 4.
    assert scored.metrics == pytest.approx(
        {
            "mae": 0.5,
            "mse": 1.0,
            "rmse": 1.0,
            "r2": 1 - 1 / 3.5,
            "smape": 200 * (1 / 3) / 4,
            "mase": 0.5 / 0.5,
            "mse_standardised": 1.0 / 4.0,
            "mae_standardised": 0.5 / 2.0,
        }
    )
    assert scored.primary == "mae"
    assert list(scored.baselines["persistence"]) == list(scored.metrics)
    assert scored.baselines["persistence"]["mae"] == 1.0
    assert scored.by_step == {"model": [0.0, 1.0], "persistence": [1.0, 1.0]}
    assert scored.items == 2
    assert scored.notes == {"compared": "4 pairs of truth and forecast in 2 windows"}
    assert scored.better() is True


def test_standardised_is_the_error_of_scaled_values() -> None:
    rng = np.random.default_rng(0)
    train = rng.normal(5, 3, size=(100, 2))
    truth, forecast = rng.normal(5, 3, size=(2, 7, 4, 2))
    mean, sd = train.mean(axis=0), train.std(axis=0)
    scored = evaluate_forecast(
        truth, forecast, {}, scale=naive_scale(train), deviation=sd, targets=["a", "b"]
    )
    scaled = (truth - mean) / sd - (forecast - mean) / sd
    assert scored.metrics["mse_standardised"] == pytest.approx(np.mean(scaled**2))
    assert scored.metrics["mae_standardised"] == pytest.approx(np.mean(np.abs(scaled)))
    assert scored.metrics["mse"] == pytest.approx(np.mean((truth - forecast) ** 2))
    assert set(scored.notes["per_target"]) == {"a", "b"}


def test_all_rows_compare_the_same_pairs() -> None:
    truth = np.array([[[1.0], [NAN], [3.0], [4.0]]])
    forecast = np.array([[[2.0], [9.0], [9.0], [4.0]]])
    naive = np.array([[[1.0], [9.0], [NAN], [2.0]]])
    scored = evaluate(truth, forecast, naive=naive)
    # Steps 1 and 4 alone: the model's error 6 at step 3 has no naive forecast beside it.
    assert scored.metrics["mae"] == pytest.approx(0.5)
    assert scored.baselines["naive"]["mae"] == pytest.approx(1.0)
    assert scored.notes["compared"] == "2 pairs of truth and forecast in 1 window"
    assert scored.notes["left_out"] == (
        "2 of 4 pairs left out of every row: the truth is missing in 1, a baseline's value in 1"
    )
    content = scored.to_dict()
    assert content["by_step"]["model"] == [1.0, None, None, 0.0]
    assert "by_step" in content["notes"]["undefined"]
    json.dumps(content, allow_nan=False)


def test_a_baseline_without_any_value_takes_no_pair_away() -> None:
    scored = evaluate(TRUTH, FORECAST, persistence=TRUTH + 1.0, seasonal=np.full_like(TRUTH, NAN))
    assert list(scored.baselines) == ["persistence"]
    assert list(scored.references) == ["persistence"]
    assert scored.metrics["mae"] == pytest.approx(0.5)
    assert scored.notes["silent_baselines"] == "no value to compare, left out: seasonal"


@pytest.mark.parametrize("value", [NAN, np.inf])
def test_a_model_that_answers_nan_gains_nothing(value: float) -> None:
    forecast = FORECAST.copy()
    forecast[0, 1, 0] = value
    content = evaluate(TRUTH, forecast, persistence=TRUTH + 1.0).to_dict()
    assert set(content["metrics"].values()) == {None}
    assert content["baselines"]["persistence"]["mae"] == 1.0
    assert content["notes"]["undefined"]["model"] == "1 of 4 forecasts are not finite numbers"


def test_nothing_observed_is_null_with_a_reason() -> None:
    scored = evaluate(np.full((1, 2, 1), NAN), FORECAST[:1], persistence=TRUTH[:1])
    content = scored.to_dict()
    assert scored.items == 0
    assert scored.better() is None
    assert set(content["metrics"].values()) == {None}
    assert content["notes"]["undefined"]["mae"] == (
        "no pair of truth and forecast to compare for OT"
    )


def test_no_windows() -> None:
    empty = np.empty((0, 2, 1))
    assert evaluate(empty, empty, persistence=empty).to_dict()["metrics"]["mae"] is None


def test_constant_series_say_what_has_no_value() -> None:
    truth = np.ones((2, 1, 1))
    scored = evaluate_forecast(truth, truth, {}, scale=[0.0], deviation=[0.0], targets=["OT"])
    undefined = scored.notes["undefined"]
    assert set(undefined) == {"r2", "mase", "mse_standardised", "mae_standardised"}
    assert undefined["mase"] == "the naive forecast of OT has no error in training"
    assert scored.to_dict()["metrics"]["mae"] == 0.0


def test_what_does_not_fit_is_a_data_error() -> None:
    with pytest.raises(DataError, match="1 targets"):
        evaluate_forecast(TRUTH[0], TRUTH[0], {}, scale=[1], deviation=[1], targets=["OT"])
    with pytest.raises(DataError, match="forecast of 'naive'"):
        evaluate(TRUTH, FORECAST, naive=TRUTH[:1])
    with pytest.raises(DataError, match=r"expected scale of shape \(1,\)"):
        evaluate_forecast(TRUTH, FORECAST, {}, scale=1.0, deviation=[1], targets=["OT"])
    with pytest.raises(DataError, match="truth's shape"):
        smape([1.0], [1.0, 2.0])
