"""Calibration against numbers worked out by hand and against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from kseq.errors import DataError
from kseq.metrics.calibration import expected_calibration_error, reliability


def test_by_hand() -> None:
    stated = [0.05, 0.55, 0.55, 0.95, 0.85]
    right = [False, True, False, True, False]
    # Bins of 0.1: gaps 0.05 (1 answer), |0.5 - 0.55| (2), |1 - 0.95| (1), |0 - 0.85| (1).
    expected = (0.05 + 2 * 0.05 + 0.05 + 0.85) / 5
    assert expected_calibration_error(stated, right) == pytest.approx(expected)
    # In one bin: mean confidence 0.59, 2 of 5 right.
    assert expected_calibration_error(stated, right, bins=1) == pytest.approx(0.59 - 0.4)


def test_always_sure() -> None:
    assert expected_calibration_error([1.0, 1.0], [True, True]) == 0.0
    assert expected_calibration_error([1.0, 1.0], [False, False]) == 1.0
    assert expected_calibration_error([0.0, 0.0], [False, False]) == 0.0


def test_the_table() -> None:
    table = reliability([0.0, 0.25, 0.3, 1.0], [0, 1, 0, 1], bins=4)
    assert [(row.low, row.high) for row in table] == [
        (0, 0.25),
        (0.25, 0.5),
        (0.5, 0.75),
        (0.75, 1),
    ]
    assert [row.answers for row in table] == [2, 1, 0, 1]  # an edge belongs to the bin below it
    assert [row.confidence for row in table] == pytest.approx(
        [0.125, 0.3, math.nan, 1], nan_ok=True
    )
    assert [row.correct for row in table] == pytest.approx([0.5, 0, math.nan, 1], nan_ok=True)


@pytest.mark.parametrize("bins", [1, 7, 10, 15])
def test_scikit_learns_curve(bins: int) -> None:
    rng = np.random.default_rng(bins)
    stated = np.concatenate([rng.random(500), np.linspace(0, 1, bins + 1)])
    right = rng.random(len(stated)) < stated**2
    filled = [row for row in reliability(stated, right, bins=bins) if row.answers]
    correct, confidence = calibration_curve(right, stated, n_bins=bins, strategy="uniform")
    assert [row.correct for row in filled] == pytest.approx(correct.tolist())
    assert [row.confidence for row in filled] == pytest.approx(confidence.tolist())
    assert sum(row.answers for row in filled) == len(stated)


def test_honest_probabilities_have_little_error() -> None:
    rng = np.random.default_rng(0)
    stated = rng.random(20_000)
    right = rng.random(20_000) < stated
    assert expected_calibration_error(stated, right) < 0.02
    assert expected_calibration_error(np.sqrt(stated), right) > 0.1


def test_rounding_of_float32_is_forgiven() -> None:
    stated = np.array([1.0000002, 0.5], dtype=np.float32)
    assert reliability(stated, [1, 1])[-1].confidence == 1.0


def test_nothing_to_judge() -> None:
    assert math.isnan(expected_calibration_error([], []))
    assert [row.answers for row in reliability([], [], bins=2)] == [0, 0]


@pytest.mark.parametrize(
    ("stated", "right", "bins", "message"),
    [
        ([0.5], [True, False], 10, r"got shapes \(1,\) and \(2,\)"),
        ([[0.5]], [[True]], 10, r"got shapes \(1, 1\) and \(1, 1\)"),
        ([0.5, 1.2], [True, True], 10, r"from 0 to 1, got 1\.2 \(item 1\)"),
        ([math.nan], [True], 10, r"from 0 to 1, got nan \(item 0\)"),
        ([0.5], [True], 0, "expected at least 1 bin, got 0"),
    ],
)
def test_refusals(stated, right, bins, message) -> None:
    with pytest.raises(DataError, match=message):
        reliability(stated, right, bins=bins)
