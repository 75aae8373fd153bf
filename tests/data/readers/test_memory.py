"""Problems of memory: the targets follow from the sequences as is said."""

from __future__ import annotations

import numpy as np
import pytest

from kseq.data.readers.memory import memory


@pytest.mark.parametrize("steps", [2, 7, 200])
def test_adding(steps):
    data = memory(problem="adding", steps=steps, train=500, valid=20, test=30)
    assert [len(part.X) for part in (data.train, data.valid, data.test)] == [500, 20, 30]
    X, y = data.train.X, data.train.y
    assert X.shape == (500, steps, 2)
    values, marks = X[:, :, 0], X[:, :, 1]
    assert set(np.unique(marks)) <= {0.0, 1.0}
    assert (marks[:, : steps // 2].sum(axis=1) == 1).all()
    assert (marks[:, steps // 2 :].sum(axis=1) == 1).all()
    np.testing.assert_allclose(y, [v[m == 1].sum() for v, m in zip(values, marks, strict=True)])
    assert 0 <= values.min() < values.max() <= 1


def test_always_saying_1_has_the_error_that_is_stated():
    y = memory(problem="adding", steps=4, train=50_000, valid=1, test=1).train.y
    assert np.mean((y - 1) ** 2) == pytest.approx(1 / 6, rel=0.02)


def test_copy():
    data = memory(problem="copy", steps=9, symbols=12, train=400, valid=1, test=1)
    X, y = data.train.X, data.train.y
    assert data.columns[0] == "s01"
    assert data.columns[-1] == "blank"
    assert (X.sum(axis=2) == 1).all()
    assert (X[:, 1:, -1] == 1).all()
    assert y.tolist() == [data.columns[place] for place in X[:, 0].argmax(axis=1)]
    assert len(set(y)) == 12


def test_parts_differ_and_a_seed_gives_the_same():
    first, second, other = (memory(train=50, valid=50, test=50, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(first.train.X, second.train.X)
    assert not np.array_equal(first.train.X, first.valid.X)
    assert not np.array_equal(first.test.X, first.valid.X)
    assert not np.array_equal(first.train.X, other.train.X)
