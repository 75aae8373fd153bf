"""Classification scores against numbers worked out by hand and against scikit-learn."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from kseq.errors import DataError
from kseq.metrics.classification import evaluate_classification

TRUTH = ["a", "a", "a", "b", "b", "c"]
PREDICTED = ["a", "a", "b", "b", "b", "a"]
PROBABILITIES = np.array(
    [
        [0.5, 0.25, 0.25],
        [0.5, 0.25, 0.25],
        [0.25, 0.5, 0.25],
        [0.25, 0.5, 0.25],
        [0.25, 0.5, 0.25],
        [0.5, 0.25, 0.25],
    ]
)


def test_by_hand() -> None:
    scored = evaluate_classification(TRUTH, PREDICTED, PROBABILITIES, ["a", "b", "c"], "a")
    assert scored.primary == "accuracy"
    assert scored.items == 6
    # Recall: a 2/3, b 2/2, c 0/1. F1: a 2*2/(2*2+1+1) = 2/3, b 2*2/(2*2+1+0) = 4/5, c 0.
    # True class has probability 1/2 four times, 1/4 twice: log 2 * (4 + 2 * 2) / 6.
    assert scored.metrics == pytest.approx(
        {
            "accuracy": 4 / 6,
            "balanced_accuracy": (2 / 3 + 1 + 0) / 3,
            "macro_f1": (2 / 3 + 4 / 5 + 0) / 3,
            "log_loss": math.log(2) * 8 / 6,
        }
    )
    # Always "a": 3 of 6 right; recall 1, 0, 0; F1 2*3/(2*3+3+0) = 2/3, 0, 0.
    majority = scored.baselines["majority class"]
    assert math.isnan(majority.pop("log_loss"))
    assert majority == pytest.approx(
        {"accuracy": 0.5, "balanced_accuracy": 1 / 3, "macro_f1": 2 / 9}
    )
    assert scored.better() is True
    assert scored.notes["compared"] == "6 sequences"
    assert scored.notes["per_class"]["b"] == pytest.approx(
        {"precision": 2 / 3, "recall": 1.0, "f1": 0.8, "items": 2}
    )


def test_balanced_accuracy_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    truth, predicted = rng.integers(0, 5, 200), rng.integers(0, 5, 200)
    scored = evaluate_classification(truth, predicted, None, np.arange(5), 0)
    assert scored.metrics["balanced_accuracy"] == pytest.approx(
        balanced_accuracy_score(truth, predicted)
    )


def test_unseen_labels_are_mistakes_and_said() -> None:
    scored = evaluate_classification(
        ["a", "b", "new"], ["a", "b", "a"], np.array([[0.5, 0.5]] * 3), ["a", "b"], "a"
    )
    assert scored.metrics["accuracy"] == pytest.approx(2 / 3)
    assert scored.metrics["balanced_accuracy"] == pytest.approx(2 / 3)
    assert scored.metrics["log_loss"] == pytest.approx(math.log(2))
    assert scored.notes["unseen_labels"].startswith(
        "1 of 3 true labels were not seen in training (new): they count as mistakes"
    )


def test_nothing_but_unseen_labels() -> None:
    scored = evaluate_classification(["x"], ["a"], np.array([[1.0, 0.0]]), ["a", "b"], "a")
    assert scored.metrics["accuracy"] == 0.0
    assert scored.to_dict()["metrics"]["log_loss"] is None
    assert scored.notes["undefined"]["model.log_loss"] == "no true label was seen in training"


def test_no_probabilities_is_null_with_a_reason() -> None:
    content = evaluate_classification(TRUTH, PREDICTED, None, ["a", "b", "c"], "a").to_dict()
    json.dumps(content, allow_nan=False)
    assert content["metrics"]["log_loss"] is None
    assert content["baselines"]["majority class"]["log_loss"] is None
    assert content["notes"]["undefined"] == {
        "majority class.log_loss": "a constant answer comes without probabilities",
        "model.log_loss": "the model gives no probabilities",
    }


def test_probabilities_that_are_not_finite() -> None:
    scored = evaluate_classification(["a"], ["a"], np.array([[np.nan, 0.5]]), ["a", "b"], "a")
    assert math.isnan(scored.metrics["log_loss"])
    assert scored.notes["undefined"]["model.log_loss"] == "a probability is not a finite number"


def test_float32_probabilities_and_number_labels() -> None:
    rows = np.random.default_rng(0).random((40, 30)).astype(np.float32)
    rows /= rows.sum(axis=1, keepdims=True)
    truth = np.arange(40) % 30
    scored = evaluate_classification(truth, rows.argmax(axis=1), rows, np.arange(30), np.int64(3))
    chosen = rows[np.arange(40), truth]
    assert scored.metrics["log_loss"] == pytest.approx(-np.log(chosen).mean(), rel=1e-5)


def test_one_class_only() -> None:
    scored = evaluate_classification(["a", "a"], ["a", "a"], np.ones((2, 1)), ["a"], "a")
    assert scored.metrics == {
        "accuracy": 1.0,
        "balanced_accuracy": 1.0,
        "macro_f1": 1.0,
        "log_loss": 0.0,
    }
    assert scored.better() is False


def test_what_does_not_fit_is_a_data_error() -> None:
    with pytest.raises(DataError, match="got 1 predicted for 2 true"):
        evaluate_classification(["a", "b"], ["a"], None, ["a", "b"], "a")
    with pytest.raises(DataError, match="at least one"):
        evaluate_classification([], [], None, ["a", "b"], "a")
    with pytest.raises(DataError, match=r"= \(1, 2\), got \(1, 3\)"):
        evaluate_classification(["a"], ["a"], np.ones((1, 3)), ["a", "b"], "a")
