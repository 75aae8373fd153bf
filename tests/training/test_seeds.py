from __future__ import annotations

import random

import keras
import numpy as np
import pytest

from kseq import SequenceClassifier
from kseq.training import seeded

X = np.random.default_rng(0).normal(size=(24, 5, 2))
Y = np.arange(24) % 2


def fitted(seed: int) -> SequenceClassifier:
    model = {"cell": "gru", "units": 4, "dropout": 0.3, "recurrent_dropout": 0.2}
    training = {"epochs": 2, "batch_size": 8, "mixup": 0.3}
    return SequenceClassifier(model=model, training=training, random_state=seed).fit(X, Y)


def weights(estimator) -> np.ndarray:
    return np.concatenate([weight.ravel() for weight in estimator.model_.get_weights()])


@pytest.fixture(scope="module")
def first() -> np.ndarray:
    return weights(fitted(1))


def test_the_same_seed_gives_the_same_weights_whatever_came_before(first):
    random.random()
    np.random.rand(3)
    keras.layers.Dropout(0.5)
    np.testing.assert_array_equal(weights(fitted(1)), first)


@pytest.mark.slow
def test_another_seed_gives_other_weights(first):
    assert not np.allclose(weights(fitted(2)), first)


@pytest.mark.slow
def test_a_fit_leaves_no_trace_in_the_global_generators():
    python, numpy = random.getstate(), np.random.get_state()
    fitted(1)
    assert random.getstate() == python
    assert np.random.get_state()[2] == numpy[2]
    np.testing.assert_array_equal(np.random.get_state()[1], numpy[1])


def test_the_generator_is_put_back_after_an_error():
    state = random.getstate()
    with pytest.raises(ZeroDivisionError), seeded(3):
        1 / int(random.random())
    assert random.getstate() == state
