"""The evaluation: direction, best baseline, and a form that JSON can hold."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from kseq.metrics.evaluation import Evaluation, higher_is_better, plain


def scored(primary: str, mine: float, **baselines: float) -> Evaluation:
    return Evaluation(
        task="any",
        primary=primary,
        metrics={primary: mine},
        baselines={name: {primary: value} for name, value in baselines.items()},
        truth=[1.0],
        predicted=[1.0],
        items=1,
    )


@pytest.mark.parametrize(
    "metric", ["accuracy", "balanced_accuracy", "f1", "macro_f1", "precision", "r2"]
)
def test_shares_go_up(metric: str) -> None:
    assert higher_is_better(metric)
    evaluation = scored(metric, 0.6, low=0.2, high=0.7)
    assert evaluation.best_baseline() == "high"
    assert evaluation.better() is False


@pytest.mark.parametrize("metric", ["mae", "mse", "rmse", "smape", "mase", "log_loss"])
def test_errors_go_down(metric: str) -> None:
    assert not higher_is_better(metric)
    evaluation = scored(metric, 0.1, low=0.2, high=0.7)
    assert evaluation.best_baseline() == "low"
    assert evaluation.better() is True


def test_a_draw_is_not_better() -> None:
    assert scored("mae", 0.5, same=0.5).better() is False


def test_better_is_unknown_without_a_value_to_compare() -> None:
    assert scored("mae", 0.5).better() is None
    assert scored("mae", math.nan, persistence=1.0).better() is None
    assert scored("mae", 0.5, persistence=math.nan).better() is None
    assert scored("mae", 0.5, silent=math.nan, persistence=1.0).better() is True


def test_to_dict_is_json_and_explains_each_null() -> None:
    evaluation = Evaluation(
        task="forecasting",
        primary="mae",
        metrics={"mae": np.float64(1.5), "r2": math.nan, "mse": math.inf},
        baselines={"persistence": {"mae": 2.0, "r2": math.nan, "mse": math.nan}},
        truth=np.zeros((1, 2, 1)),
        predicted=np.zeros((1, 2, 1)),
        items=1,
        by_step={"model": [1.0, math.nan]},
        notes={"undefined": {"r2": "constant"}, "count": np.int64(3)},
    )
    content = evaluation.to_dict()
    json.dumps(content, allow_nan=False)
    assert content == {
        "task": "forecasting",
        "primary": "mae",
        "metrics": {"mae": 1.5, "r2": None, "mse": None},
        "baselines": {"persistence": {"mae": 2.0, "r2": None, "mse": None}},
        "items": 1,
        "by_step": {"model": [1.0, None]},
        "notes": {
            "count": 3,
            "undefined": {
                "r2": "constant",
                "model.mse": "the result is not a finite number",
                "persistence.mse": "the result is not a finite number",
                "by_step": "nothing to compare at that lead time, or no finite result",
            },
        },
    }
    assert evaluation.notes == {"undefined": {"r2": "constant"}, "count": 3}


def test_plain_takes_numpy_sets_and_paths() -> None:
    assert plain({1: {"b", "a"}, "p": Path("x") / "y", "a": np.array([1.0, np.nan])}) == {
        "1": ["a", "b"],
        "p": "x/y",
        "a": [1.0, None],
    }
    assert plain([np.bool_(True), np.str_("s"), None]) == [True, "s", None]


def test_plain_refuses_what_json_cannot_hold() -> None:
    with pytest.raises(TypeError, match="object has no JSON form"):
        plain({"a": object()})
