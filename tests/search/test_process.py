"""The quick Gaussian process beside scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern

from kseq.search.process import Process


@pytest.mark.parametrize("dimensions", [1, 4])
def test_it_answers_as_scikit_learns_does(dimensions):
    rng = np.random.default_rng(0)
    X, rows = rng.random((15, dimensions)), rng.random((40, dimensions))
    y = np.sin(5 * X).sum(axis=1) * 100 + 7
    mine = Process(alpha=1e-4, random_state=1).fit(X, y)
    theirs = GaussianProcessRegressor(
        kernel=Matern(nu=2.5), alpha=1e-4, n_restarts_optimizer=20, normalize_y=True, random_state=1
    ).fit(X, y)
    mean, deviation = theirs.predict(rows, return_std=True)
    found, spread = mine.predict(rows, return_std=True)
    np.testing.assert_allclose(found, mean, rtol=1e-8)
    np.testing.assert_allclose(spread, deviation, rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(mine.predict(rows), mean, rtol=1e-8)
    one = mine.predict(rows[:1], return_std=True)
    np.testing.assert_allclose(one[0], mean[:1], rtol=1e-8)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_equal_scores_and_nothing_known():
    mean, deviation = Process().predict(np.zeros((2, 3)), return_std=True)
    assert mean.tolist() == [0.0, 0.0]
    assert deviation.tolist() == [1.0, 1.0]
    X = np.random.default_rng(0).random((5, 2))
    mean, deviation = Process(random_state=0).fit(X, np.full(5, 0.3)).predict(X, return_std=True)
    np.testing.assert_allclose(mean, 0.3)
    assert np.isfinite(deviation).all()
