"""Which held-out score bounds the next one: against brute force and chance."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from kseq.errors import DataError
from kseq.estimators.conformal import Calibration, checked_level, enough, kept_ranks

RNG = np.random.default_rng(0)


def brute(scores: np.ndarray, level: str) -> float:
    """The ceil((n + 1) level)-th smallest finite score, in exact arithmetic."""
    known = sorted(scores[np.isfinite(scores)].tolist())
    rank = math.ceil((len(known) + 1) * Fraction(level))
    return known[rank - 1] if rank <= len(known) else math.inf


@pytest.mark.parametrize("count", [1, 2, 9, 10, 19, 99, 100, 190, 191, 1234, 9999])
def test_the_quantile_is_the_order_statistic(count):
    scores = RNG.gamma(2.0, size=(count, 2, 3)).astype(np.float32)
    found = Calibration.of(scores)
    assert found is not None
    levels = ["0.01", "0.07", "0.1", "0.29", "0.5", "0.57", "0.9", "0.95", "0.975", "0.99", "0.999"]
    for level in levels:
        for cell in np.ndindex(2, 3):
            want = brute(scores[:, *cell], level)
            assert found.quantile(float(level))[cell] == np.float32(want), (level, cell)
        assert found.holds(float(level)) == np.isfinite(found.quantile(float(level))).all()


def test_any_level_of_few_and_the_next_kept_one_of_many():
    scores = RNG.normal(size=(150, 1)) ** 2
    few = Calibration.of(scores)
    for level in RNG.uniform(0.001, 0.99, 50):
        assert few.quantile(level).item() == np.float32(brute(scores[:, 0], repr(float(level))))
    many = RNG.normal(size=(5000, 1)) ** 2
    found = Calibration.of(many)
    assert len(found.scores) <= 190
    for level in RNG.uniform(0.001, 0.999, 50):
        exact = brute(many[:, 0], repr(float(level)))
        above = brute(many[:, 0], repr(min(0.999, float(level) + 0.0101)))
        assert np.float32(exact) <= found.quantile(level).item() <= np.float32(above)
    widths = [found.quantile(level).item() for level in np.linspace(0.01, 0.999, 200)]
    assert widths == sorted(widths)


def test_absent_targets_do_not_count():
    scores = np.array([[3.0, 1.0], [np.nan, 2.0], [1.0, 3.0], [2.0, np.nan], [np.nan, 4.0]])
    found = Calibration.of(scores)
    assert found.counts.tolist() == [3, 4]
    assert found.quantile(0.5).tolist() == [2.0, 3.0]
    assert found.quantile(0.8).tolist() == [np.inf, 4.0]
    assert found.highest == 0.75
    assert Calibration.of(np.array([[1.0, np.nan]])) is None
    assert Calibration.of(np.empty((0, 2))) is None


def test_the_level_that_a_score_needs():
    for count in (5, 100, 3000):
        scores = RNG.normal(size=(count, 2)) ** 2
        found = Calibration.of(scores)
        asked = RNG.normal(size=(400, 2)) ** 2
        needed = found.levels(asked.astype(np.float32))
        for level in (0.1, 0.3, 0.5, 0.9, 0.95, 0.99):
            inside = asked.astype(np.float32) <= found.quantile(level)
            np.testing.assert_array_equal(needed < level - 1e-12, inside)


@pytest.mark.parametrize(("count", "level"), [(19, 0.9), (60, 0.8), (500, 0.95), (1000, 0.5)])
def test_marginal_coverage_of_exchangeable_scores(count, level):
    """Over many draws it is k / (n + 1), with k = ceil((n + 1) level): level or a little above."""
    draws = 2000
    scores = RNG.standard_t(3, size=(count + 1, draws)) ** 2
    held = Calibration.of(scores[:count])
    share = (scores[count].astype(np.float32) <= held.quantile(level)).mean()
    exact = math.ceil((count + 1) * level - 1e-9) / (count + 1)
    assert level <= exact <= level + 1 / (count + 1)
    assert abs(share - exact) < 4 * math.sqrt(exact * (1 - exact) / draws)


@pytest.mark.parametrize("level", [0, 1, 1.5, -0.1, True, "x", None, float("nan"), [0.9], 90])
def test_what_is_no_level(level):
    with pytest.raises(
        DataError, match=r"interval: expected a level between 0 and 1, such as 0\.9"
    ):
        checked_level(level)


def test_levels_of_numpy():
    assert checked_level(np.float32(0.5)) == 0.5


def test_too_few_scores_say_how_many_are_needed():
    nine = Calibration.of(np.arange(9.0))
    assert enough(nine, 0.9) is nine
    with pytest.raises(
        DataError, match=r"0\.95 needs at least 19 held-out targets, but there were 9"
    ):
        enough(nine, 0.95)
    with pytest.raises(DataError, match=r"interval: 0\.9999999 needs at least"):
        enough(nine, 0.9999999)
    with pytest.raises(DataError, match=r"none were held out; fit with validation_data, or raise"):
        enough(None, 0.9)


def test_what_is_kept_is_small_and_ends_with_the_largest():
    for count in (1, 190, 191, 10_000, 10**6):
        ranks = kept_ranks(count)
        assert ranks[-1] == count
        assert len(ranks) <= 191
