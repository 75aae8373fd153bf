"""Whether stated probabilities are right as often as they say."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from kseq.errors import DataError, shown

# Probabilities computed in float32 miss 1 by rounding.
_ROUNDING = 1e-4


class Bin(NamedTuple):
    """Answers of similar confidence.

    Args:
        low: Confidences here are above this; the first bin holds 0 too.
        high: And at most this.
        answers: How many there are.
        confidence: Their mean confidence; NaN in an empty bin.
        correct: The share of them that is right; NaN in an empty bin.
    """

    low: float
    high: float
    answers: int
    confidence: float
    correct: float


def reliability(probabilities: Any, correct: Any, *, bins: int = 10) -> list[Bin]:
    """The reliability table: confidence beside the share that is right, in bins of equal width.

    Args:
        probabilities: The probability that the model gave each of its answers, `(answers,)`.
        correct: Whether each answer is right, `(answers,)`.
        bins: How many bins from 0 to 1.

    Returns:
        All bins in order, empty ones too.

    Raises:
        DataError: If the shapes differ or a probability is not between 0 and 1.

    Example:
        >>> low, high = reliability([0.4, 0.9, 0.7], [False, True, False], bins=2)
        >>> high
        Bin(low=0.5, high=1.0, answers=2, confidence=0.8, correct=0.5)
    """
    stated, right = np.asarray(probabilities, dtype=np.float64), np.asarray(correct)
    if stated.ndim != 1 or stated.shape != right.shape:
        raise DataError(
            "expected one probability for each answer, and whether it is right; got shapes "
            f"{stated.shape} and {right.shape}"
        )
    if bins < 1:
        raise DataError(f"expected at least 1 bin, got {shown(bins)}")
    wrong = ~((stated >= -_ROUNDING) & (stated <= 1 + _ROUNDING))  # NaN too
    if wrong.any():
        place = int(np.argmax(wrong))
        raise DataError(f"expected probabilities from 0 to 1, got {stated[place]} (item {place})")
    stated = np.clip(stated, 0.0, 1.0)

    edges = np.linspace(0.0, 1.0, bins + 1)
    member = np.maximum(np.searchsorted(edges, stated, side="left") - 1, 0)
    counts = np.bincount(member, minlength=bins)
    sums = np.bincount(member, weights=stated, minlength=bins)
    hits = np.bincount(member, weights=right.astype(bool), minlength=bins)
    rows = zip(edges, edges[1:], counts, sums, hits, strict=False)
    return [
        Bin(
            float(low),
            float(high),
            int(count),
            float(total / count) if count else math.nan,
            float(hit / count) if count else math.nan,
        )
        for low, high, count, total, hit in rows
    ]


def expected_calibration_error(probabilities: Any, correct: Any, *, bins: int = 10) -> float:
    """How far confidence and the share that is right are apart, on average over the answers.

    The gap of each bin of `reliability`, weighted by its answers: 0 is perfect, 1 the worst. It
    depends on the number of bins; values of different numbers don't compare. NaN without answers.

    Args:
        probabilities: The probability that the model gave each of its answers, `(answers,)`.
        correct: Whether each answer is right, `(answers,)`.
        bins: How many bins of equal width from 0 to 1.

    Raises:
        DataError: If the shapes differ or a probability is not between 0 and 1.

    Reference:
        Guo, Pleiss, Sun, Weinberger (2017), On calibration of modern neural networks, equation 3.

    Example:
        >>> round(expected_calibration_error([0.75, 0.75, 0.75, 0.75], [1, 1, 1, 1]), 3)
        0.25
    """
    filled = [row for row in reliability(probabilities, correct, bins=bins) if row.answers]
    total = sum(row.answers for row in filled)
    if not total:
        return math.nan
    return sum(row.answers * abs(row.correct - row.confidence) for row in filled) / total
