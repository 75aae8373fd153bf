"""The contract of scikit-learn, by its own checks."""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault(
    "SCIPY_ARRAY_API", "1"
)  # one of the checks needs it, before SciPy is imported

import pytest
from sklearn.base import BaseEstimator
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from kseq import Forecaster, SequenceClassifier, SequenceRegressor, SequenceTagger

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


# The checks that bring no table of numbers along: series and sentences are none.
WITHOUT_A_TABLE = [
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_get_params_invariance",
    "check_mixin_order",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_set_params",
    "check_valid_tag_types",
]


@pytest.mark.parametrize("kind", [Forecaster, SequenceTagger])
@pytest.mark.parametrize("check", WITHOUT_A_TABLE)
def test_the_parts_that_apply_to_series_and_sentences(kind: type[BaseEstimator], check: str):
    getattr(estimator_checks, check)(kind.__name__, kind())
