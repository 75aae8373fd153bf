"""One evaluation of each task, small enough to know by heart."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from kseq.metrics.classification import evaluate_classification
from kseq.metrics.evaluation import Evaluation
from kseq.metrics.forecasting import evaluate_forecast
from kseq.metrics.regression import evaluate_regression


@pytest.fixture
def classified() -> Evaluation:
    probabilities = np.array([[0.5, 0.5], [0.5, 0.5], [0.25, 0.75], [0.25, 0.75]])
    return evaluate_classification(
        ["cat", "cat", "dog", "dog"], ["cat", "cat", "dog", "cat"], probabilities,
        ["cat", "dog"], "dog",
    )  # fmt: skip


@pytest.fixture
def regressed() -> Evaluation:
    return evaluate_regression([1.0, 2.0, 3.0, 6.0], [1.0, 2.0, 5.0, 6.0], 2.0)


@pytest.fixture
def stepwise() -> Evaluation:
    rng = np.random.default_rng(0)
    truth = [rng.normal(size=(steps, 2)) for steps in (5, 0, 3, 8)]
    return evaluate_regression(truth, [rows + 0.1 for rows in truth], [0.0, 0.0])


@pytest.fixture
def forecast_of() -> Callable[[int, int, int], Evaluation]:
    """Makes a forecast of so many windows, steps and targets; its first value is missing."""

    def make(windows: int, horizon: int, targets: int) -> Evaluation:
        rng = np.random.default_rng(0)
        truth = rng.normal(size=(windows, horizon, targets))
        truth[0, 0, 0] = np.nan
        return evaluate_forecast(
            truth,
            truth + 0.1,
            {"persistence": truth + 0.5, "training mean": np.zeros_like(truth) + 50},
            scale=[1.0] * targets,
            deviation=[1.0] * targets,
            targets=[f"t{t}" for t in range(targets)],
        )

    return make


@pytest.fixture
def forecasted(forecast_of: Callable[[int, int, int], Evaluation]) -> Evaluation:
    return forecast_of(6, 4, 1)
