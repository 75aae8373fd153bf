"""Temperature."""

from __future__ import annotations

import keras
import numpy as np

from kseq.layers.temperature import Temperature

SCORES = np.array([[1.0, -3.0, 4.0]], "float32")


def test_begins_as_the_identity_and_divides():
    layer = Temperature()
    np.testing.assert_array_equal(layer(SCORES), SCORES)
    layer.temperature.assign(2.5)
    np.testing.assert_allclose(layer(SCORES), SCORES / 2.5, rtol=1e-6)
    assert not layer.trainable_weights


def test_half_scores_become_float32():
    layer = Temperature(dtype="mixed_float16")
    found = layer(keras.ops.cast(SCORES, "float16"))
    assert keras.backend.standardize_dtype(found.dtype) == "float32"
    assert layer(keras.Input((3,), dtype="float16")).dtype == "float32"


def test_saved(tmp_path):
    x = keras.Input((3,))
    layer = Temperature(name="temperature")
    model = keras.Model(x, layer(x))
    layer.temperature.assign(3.0)
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(again(SCORES), model(SCORES))
