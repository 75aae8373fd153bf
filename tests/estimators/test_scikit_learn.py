"""The contract of scikit-learn, by its own checks."""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault(
    "SCIPY_ARRAY_API", "1"
)  # one of the checks needs it, before SciPy is imported

import pytest
from sklearn.base import BaseEstimator
from sklearn.utils.estimator_checks import parametrize_with_checks

from kseq import SequenceClassifier, SequenceRegressor

# A step of Adam follows a mini-batch, and which sequences share one is drawn: a sequence of weight
# two is not what two copies of it are.
EXCUSED = {
    "check_sample_weight_equivalence_on_dense_data": "trained on mini-batches that are drawn",
}
COMMON: dict[str, Any] = {"model": {"units": 8}, "random_state": 0}
ESTIMATORS = [
    SequenceClassifier(training={"epochs": 40, "learning_rate": 0.02}, **COMMON),
    SequenceRegressor(training={"epochs": 40, "learning_rate": 0.02}, **COMMON),
]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(
    ESTIMATORS, expected_failed_checks=lambda estimator: EXCUSED, xfail_strict=True
)
def test_scikit_learn_agrees(estimator: BaseEstimator, check: Any):
    check(estimator)
