"""Scores as sums over items: those of all items, and of any of them, are what `evaluate_*` says."""

from __future__ import annotations

import numpy as np
import pytest

from kseq.metrics.by_item import by_item
from kseq.metrics.classification import evaluate_classification
from kseq.metrics.evaluation import METRICS
from kseq.metrics.forecasting import evaluate_forecast
from kseq.metrics.regression import evaluate_regression
from kseq.metrics.tagging import evaluate_tagging
from kseq.metrics.video import evaluate_video

RNG = np.random.default_rng(0)
ROWS = RNG.integers(0, 30, 30)  # some again and again, some not at all


def agrees(evaluate, items, metrics):
    """Whether sums over all items, and over others, score as evaluating them does."""
    whole, other = evaluate(np.arange(items)), evaluate(ROWS % items)
    for metric in metrics:
        found = by_item(whole, metric)
        assert found is not None, metric
        assert len(found.sums) == items
        sums = np.stack([found.sums.sum(axis=0), found.sums[ROWS % items].sum(axis=0)])
        expected = [whole.metrics[metric], other.metrics[metric]]
        np.testing.assert_allclose(found.score(sums), expected, rtol=1e-9, err_msg=metric)


def test_classes():
    truth, predicted = RNG.choice(["a", "b", "c", "new"], 30), RNG.choice(["a", "b", "c"], 30)
    stated = RNG.dirichlet(np.ones(3), 30)

    def evaluate(rows):
        return evaluate_classification(
            truth[rows], predicted[rows], stated[rows], ["a", "b", "c"], "a"
        )

    agrees(evaluate, 30, METRICS["classification"])


@pytest.mark.parametrize("targets", [(), (1,), (3,)])
def test_numbers(targets):
    truth, predicted = RNG.normal(size=(2, 30, *targets))
    agrees(
        lambda rows: evaluate_regression(truth[rows], predicted[rows], 0.0),
        30,
        METRICS["regression"],
    )


def test_numbers_of_every_step():
    lengths = RNG.integers(1, 9, 30)
    truth, predicted = ([RNG.normal(size=(n, 2)) for n in lengths] for _ in range(2))

    def evaluate(rows):
        return evaluate_regression([truth[r] for r in rows], [predicted[r] for r in rows], 0.0)

    agrees(evaluate, 30, METRICS["regression"])


@pytest.mark.parametrize("targets", [1, 2])
def test_forecasts_with_gaps(targets):
    truth, forecast, last = RNG.normal(size=(3, 30, 4, targets))
    truth[RNG.random(truth.shape) < 0.2] = np.nan
    last[RNG.random(truth.shape) < 0.1] = np.nan
    names = [f"t{i}" for i in range(targets)]

    def evaluate(rows):
        return evaluate_forecast(
            truth[rows],
            forecast[rows],
            {"last value": last[rows]},
            scale=np.arange(1.0, targets + 1),
            deviation=np.arange(2.0, targets + 2),
            targets=names,
        )

    agrees(evaluate, 30, METRICS["forecasting"])


@pytest.mark.parametrize("reading", ["conlleval", "strict"])
@pytest.mark.parametrize("scheme", ["bio", "bioes"])
def test_spans_with_labels(reading, scheme):
    tags = ["O", "B-x", "I-x", "B-y", "I-y", *(["E-x", "S-y"] if scheme == "bioes" else [])]
    lengths = RNG.integers(1, 9, 30)
    truth, predicted = ([list(RNG.choice(tags, n)) for n in lengths] for _ in range(2))
    labels, found = RNG.choice(["p", "q"], (2, 30))

    def evaluate(rows):
        return evaluate_tagging(
            [truth[r] for r in rows],
            [predicted[r] for r in rows],
            names=tags,
            reading=reading,
            labels=labels[rows].tolist(),
            predicted_labels=found[rows].tolist(),
        )

    agrees(evaluate, 30, ["f1", "precision", "recall", "boundary_f1", "accuracy", "label_accuracy"])


def test_plain_tags():
    truth, predicted = ([list(RNG.choice(["N", "V"], 4)) for _ in range(30)] for _ in range(2))

    def evaluate(rows):
        return evaluate_tagging([truth[r] for r in rows], [predicted[r] for r in rows])

    agrees(evaluate, 30, ["accuracy"])
    assert by_item(evaluate(range(30)), "f1") is None


def test_what_is_no_sum_over_items():
    frames = RNG.random((1, 2, 12, 12, 1))
    assert by_item(evaluate_video([(frames, frames, frames)]), "mse") is None
    truth = [["B-x", "O"]]
    assert by_item(evaluate_tagging(truth, truth), "macro_f1") is None
    scored = evaluate_classification(["a", "b"], ["a", "b"], None, ["a", "b"], "a")
    assert by_item(scored, "log_loss") is None
