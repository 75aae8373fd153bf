"""Coverage and width, worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kseq.metrics.evaluation import Evaluation
from kseq.metrics.intervals import with_interval


def scored(task, truth, predicted, labels):
    return Evaluation(
        task=task, metrics={"mse": 1.0}, baselines={}, primary="mse", truth=truth,
        predicted=predicted, labels=labels, items=2,
    )  # fmt: skip


def test_a_forecast_by_step_and_target():
    truth = np.array([[[0.0, 0.0], [1.0, np.nan]], [[0.0, 3.0], [5.0, 0.0]]])  # two windows
    found = scored("forecasting", truth, np.zeros_like(truth), ["a", "b"])
    margin = np.broadcast_to(np.array([[1.0, 2.0], [1.0, 4.0]]), truth.shape)
    note = with_interval(found, 0.9, margin, np.abs(truth) / 10).notes["interval"]
    assert note["points"] == 7
    assert note["coverage"] == pytest.approx(5 / 7)
    assert note["width"] == pytest.approx(2 * (4 * 1 + 2 * 2 + 4) / 7)
    assert note["by_step"]["coverage"] == pytest.approx([3 / 4, 2 / 3])
    assert note["per_target"]["b"]["coverage"] == pytest.approx(2 / 3)
    assert note["per_target"]["a"] == {"coverage": 0.75, "width": 2.0}
    shares = {row["level"]: row["coverage"] for row in note["curve"]}
    assert shares[0.1] == pytest.approx(4 / 7)
    assert shares[0.2] == pytest.approx(5 / 7)  # above .1 holds what needs more than .1
    assert shares[0.6] == 1.0


def test_sequences_of_unequal_length():
    truth = [np.zeros((2, 1)), np.ones((3, 1))]
    found = scored("regression", truth, [x + 0.5 for x in truth], ["y"])
    flat = np.full((5, 1), 0.6)
    bounded = with_interval(found, 0.5, flat, flat)
    assert bounded.notes["interval"]["coverage"] == 1.0
    assert "per_target" not in bounded.notes["interval"]
    assert [each.shape for each in bounded.lower] == [(2, 1), (3, 1)]
    np.testing.assert_allclose(bounded.upper[1], 2.1)
    np.testing.assert_allclose(bounded.lower[0], -0.1)


def test_without_bounds_nothing_is_said():
    found = scored("regression", np.zeros(2), np.zeros(2), ["y"])
    for level, margin in ((0.9, np.full(2, np.nan)), (None, np.ones(2))):
        assert with_interval(found, level, margin, margin) is found
    nothing = replace(found, truth=np.full(2, np.nan))
    assert with_interval(nothing, 0.9, np.ones(2), np.ones(2)) is nothing
