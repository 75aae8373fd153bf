"""SequencePooling against NumPy."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from kseq.layers.pooling import SequencePooling

X = np.random.default_rng(1).normal(size=(3, 4, 6)).astype("float32")
MASK = np.array([[True, True, False, False], [True] * 4, [False] * 4])
MODES = ["mean", "max", "attention", "last", "ends"]


def oracle(mode, x, layer):
    if mode == "mean":
        return x.mean(axis=0)
    if mode == "max":
        return x.max(axis=0)
    if mode == "last":
        return x[-1]
    if mode == "ends":
        return np.concatenate([x[-1, :3], x[0, 3:]])
    kernel, bias, score = layer.get_weights()
    weights = np.exp(np.tanh(x @ kernel + bias) @ score)
    return (weights / weights.sum() * x).sum(axis=0)


@pytest.mark.parametrize("mode", MODES)
def test_pools_the_valid_steps(mode):
    layer = SequencePooling(mode)
    whole = layer(X)
    masked = layer(X, mask=MASK)
    assert whole.shape == masked.shape == layer.compute_output_shape(X.shape) == (3, 6)
    for row, valid in enumerate(MASK):
        np.testing.assert_allclose(whole[row], oracle(mode, X[row], layer), atol=1e-6)
        if valid.any():
            np.testing.assert_allclose(masked[row], oracle(mode, X[row][valid], layer), atol=1e-6)
    np.testing.assert_array_equal(masked[2], np.zeros(6))


@pytest.mark.parametrize("mode", MODES)
def test_what_stands_in_the_padding_is_nothing(mode):
    layer = SequencePooling(mode)
    spoilt = np.where(MASK[..., None], X, np.nan)
    np.testing.assert_array_equal(layer(spoilt, mask=MASK), layer(X, mask=MASK))


@pytest.mark.parametrize("mode", MODES)
def test_half_precision_and_config(mode):
    layer = SequencePooling(mode, units=5, dtype="mixed_float16")
    many = np.full((1, 40_000, 6), 10.0, "float32")  # the sum overflows float16
    pooled = layer(many)
    assert pooled.dtype == "float16"
    np.testing.assert_allclose(pooled, np.full((1, 6), 10.0), rtol=1e-2)
    again = SequencePooling.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert layer.compute_mask(many, MASK) is None


def test_symbolic_and_reloaded(tmp_path):
    x = keras.Input((None, 6), name="x")
    mask = keras.Input((None,), dtype="bool", name="mask")
    pooled = [SequencePooling(mode, name=mode)(x, mask=mask) for mode in MODES]
    model = keras.Model({"x": x, "mask": mask}, pooled)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    inputs = {"x": X, "mask": MASK}
    for one, other in zip(model(inputs), again(inputs), strict=True):
        np.testing.assert_array_equal(one, other)


def test_unknown_mode():
    with pytest.raises(ValueError, match="expected one of mean, max, attention, last, ends, got"):
        SequencePooling("sum")
