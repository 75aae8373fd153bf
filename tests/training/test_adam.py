"""The one-pass Adam against Keras's."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from kseq.training.adam import FusedAdam


def trained(optimizer, steps: int = 30, embedded: bool = False) -> list[np.ndarray]:
    """The weights of a small model; its ids are embedded, or are one of 50 and a product."""
    keras.utils.set_random_seed(3)
    if embedded:
        inputs = keras.Input((4,), dtype="int32")
        x = keras.layers.Embedding(50, 6, embeddings_initializer="glorot_uniform")(inputs)
    else:
        inputs = keras.Input((4, 50))
        x = keras.layers.Dense(6, use_bias=False)(inputs)
    x = keras.layers.LSTM(5)(x)
    model = keras.Model(inputs, keras.layers.Dense(2)(x))
    model.compile(optimizer, "mse")
    random = np.random.default_rng(0)
    ids = random.integers(0, 30, (steps * 8, 4))
    y = random.normal(size=(steps * 8, 2))
    X = ids if embedded else np.eye(50, dtype="float32")[ids]
    model.fit(X, y, batch_size=8, shuffle=False, verbose=0)
    return model.get_weights()


CASES = {
    "plain": {},
    "clipped": {"global_clipnorm": 0.05},
    "averaged": {"use_ema": True, "ema_momentum": 0.9},
    "decayed": {"weight_decay": 0.05},
    "scheduled": {"learning_rate": keras.optimizers.schedules.CosineDecay(0.02, 25)},
}


@pytest.mark.parametrize(
    "case", [pytest.param(c, marks=[] if c == "plain" else pytest.mark.slow) for c in CASES]
)
def test_updates_are_those_of_keras(case):
    options = {"learning_rate": 0.01, **CASES[case]}
    theirs = trained(keras.optimizers.Adam(epsilon=1e-7, **options))
    for mine, other in zip(trained(FusedAdam(**options)), theirs, strict=True):
        np.testing.assert_allclose(mine, other, atol=2e-5)


def test_rows_of_an_embedding_add_up_before_they_are_squared():
    # The gradient of an embedding lists a row for every occurrence of an id.
    dense, rows = trained(FusedAdam(0.01)), trained(FusedAdam(0.01), embedded=True)
    for one, other in zip(dense, rows, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-5)


@pytest.mark.slow
def test_rows_that_never_occur_stay():
    before, after = (trained(FusedAdam(rate), 1, embedded=True)[0] for rate in (0.0, 0.01))
    assert not np.array_equal(before[:30], after[:30])
    np.testing.assert_array_equal(before[30:], after[30:])


def test_configuration_round_trip():
    optimizer = FusedAdam(0.5, global_clipnorm=2.0, use_ema=True, weight_decay=0.1)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert isinstance(again, FusedAdam)
    assert again.get_config() == optimizer.get_config()
    assert (again.global_clipnorm, again.use_ema, again.weight_decay) == (2.0, True, 0.1)
