"""Whether a difference is more than chance: against closed forms and by simulation."""

from __future__ import annotations

import numpy as np
import pytest

from kseq.comparison.noise import differences
from kseq.comparison.result import Result


def training(values, *, seed=0, together=1, score=None, sums=True):
    """A training whose score is the mean of a value an item."""
    values = np.asarray(values, np.float64)
    return Result(
        number=seed,
        key=str(seed),
        changes={},
        seed=seed,
        status="done",
        metric="accuracy",
        metrics={"accuracy": float(values.mean()) if score is None else score},
        sums=np.stack([values, np.ones_like(values)], axis=1).tolist() if sums else [],
        how="mean",
        units=[1.0],
        together=together,
        test="t",
    )


def twice(values, **how):
    """Two seeds that came to the same."""
    return [training(values, seed=seed, **how) for seed in range(2)]


def test_the_best_has_no_difference_and_an_equal_one_is_noise():
    values = np.random.default_rng(0).random(50) < 0.7
    best, same = differences([twice(values), twice(values)], higher=True)
    assert best is None
    assert same.behind == 0
    assert same.noise


def test_a_higher_score_may_be_the_worse_one():
    low, high = twice([1.0, 2.0] * 20), twice([3.0, 4.1] * 20)
    first, second = differences([low, high], higher=False)
    assert first is None
    assert second.behind == pytest.approx(2.05)
    assert second.noise is False


def test_without_noise_of_seeds_the_error_is_that_of_a_paired_mean():
    rng = np.random.default_rng(1)
    one, other = rng.random(400) < 0.9, rng.random(400) < 0.8
    _, found = differences([twice(one), twice(other)], higher=True)
    apart = one.astype(float) - other
    assert found.behind == pytest.approx(apart.mean())
    assert found.error == pytest.approx(apart.std() / np.sqrt(400), rel=0.06)


def test_without_sums_only_seeds_count_as_in_welchs_test():
    from scipy.stats import ttest_ind

    one, other = [0.90, 0.92, 0.91], [0.85, 0.80, 0.88]
    rows = [
        [training([s], seed=i, score=s, sums=False) for i, s in enumerate(x)] for x in (one, other)
    ]
    _, found = differences(rows, higher=True)
    assert found.p == pytest.approx(ttest_ind(one, other, equal_var=False).pvalue)


@pytest.mark.parametrize("other", [1, 2])
def test_of_one_seed_nobody_knows(other):
    values = np.random.default_rng(0).random((2, 50)) < [[0.9], [0.5]]
    rows = [[training(values[0])], [training(values[1], seed=seed) for seed in range(other)]]
    _, found = differences(rows, higher=True)
    assert found.behind > 0.2
    assert found.noise is None
    assert np.isnan(found.p)


@pytest.mark.parametrize(("items", "together"), [(1, 1), (5, 3)])
def test_of_one_observation_nobody_knows(items, together):
    rows = [twice(np.full(items, value), together=together) for value in (1.0, 1.001)]
    found = next(d for d in differences(rows, higher=True) if d is not None)
    assert found.noise is None


def test_windows_that_overlap_are_one_observation():
    rng = np.random.default_rng(2)
    steps, overlap = 2000, 20
    zero = np.zeros(steps)
    alone, blocks = [], []
    for _ in range(6):
        noise = rng.normal(size=steps + overlap)
        # The error of each window is a mean over steps that its neighbours share.
        errors = np.convolve(noise, np.ones(overlap) / overlap, "valid")[:steps] - 9
        for found, how in ((alone, {}), (blocks, {"together": overlap})):
            pair = [twice(errors, **how), twice(zero, **how)]
            found.append(differences(pair, higher=True)[0].error)
    exact = 1 / np.sqrt(steps)  # the mean of all windows is that of all steps, nearly
    assert np.mean(alone) < 0.4 * exact
    assert np.mean(blocks) == pytest.approx(exact, rel=0.12)


def test_p_values_are_corrected_as_holm_does():
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    rng = np.random.default_rng(3)
    rates = (0.9, 0.86, 0.84, 0.8)
    rows = [twice(rng.random(300) < rate) for rate in rates]
    best = int(np.argmax([row[0].score for row in rows]))
    raw = []
    for place, row in enumerate(rows):
        if place != best:
            found = differences([rows[best], row], higher=True)[1]
            raw.append(found.p)
    corrected = [d.p for d in differences(rows, higher=True) if d is not None]
    # As though the other three pairs had been looked at, and told nothing.
    expected = multitest.multipletests([*raw, 1.0, 1.0, 1.0], method="holm")[1][:3]
    np.testing.assert_allclose(corrected, expected, rtol=0.2)
    assert all(c >= r for c, r in zip(corrected, raw, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 8])
def test_equals_are_told_apart_as_seldom_as_stated(count):
    rng = np.random.default_rng(4)
    apart, times = 0, 300 if count == 2 else 200
    for _ in range(times):
        # Recipes of the same quality, three seeds each, on the same 150 items.
        hard = rng.normal(size=150)
        rows = [
            [
                training(hard + rng.normal(0, 0.3) + rng.normal(size=150) < 1.0, seed=s)
                for s in range(3)
            ]
            for _ in range(count)
        ]
        apart += any(d is not None and not d.noise for d in differences(rows, higher=True))
    chance = np.sqrt(0.05 * 0.95 / times)  # of the simulation itself
    assert apart / times <= 0.05 + 3 * chance
