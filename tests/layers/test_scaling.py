"""Standardize."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from kseq.layers.scaling import Standardize

X = np.array([[[1.0, 1e6], [3.0, 3e6]]], "float32")
MEAN, SCALE = [2.0, 2e6], [0.5, 1e6]


def built(**options):
    layer = Standardize(**options)
    layer.build((None, None, 2))
    return layer


def test_begins_as_the_identity():
    np.testing.assert_array_equal(built()(X), X)
    np.testing.assert_array_equal(built(invert=True)(X), X)


def test_scales_and_inverts():
    layer, inverse = built(), built(invert=True)
    layer.set_statistics(MEAN, SCALE)
    inverse.set_statistics(MEAN, SCALE)
    np.testing.assert_allclose(layer(X), [[[-2.0, -1.0], [2.0, 1.0]]])
    np.testing.assert_allclose(inverse(layer(X)), X)
    assert not layer.trainable_weights
    assert [w.name for w in layer.weights] == ["mean", "scale"]


@pytest.mark.parametrize("policy", ["float16", "mixed_float16", "mixed_bfloat16"])
def test_computes_in_float32_at_least(policy):
    layer = built(dtype=policy)
    layer.set_statistics(MEAN, SCALE)
    np.testing.assert_allclose(layer(X), [[[-2.0, -1.0], [2.0, 1.0]]])
    assert layer(X).dtype == layer(keras.Input((None, 2))).dtype == "float32"
    assert built(dtype="float64")(X).dtype == "float64"


def test_computes_in_float32_inside_a_half_precision_layer():
    inner = built()
    inner.set_statistics(MEAN, SCALE)

    @keras.saving.register_keras_serializable(package="kseq_test")
    class Outer(keras.layers.Layer):
        def call(self, x):
            return inner(x)

    outer = Outer(dtype="mixed_float16", autocast=False)
    np.testing.assert_allclose(outer(X), [[[-2.0, -1.0], [2.0, 1.0]]])


def test_saved_with_its_statistics(tmp_path):
    x = keras.Input((None, 2))
    layer = Standardize(name="scaler")
    model = keras.Model(x, layer(x))
    layer.set_statistics(MEAN, SCALE)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(X), model(X))
    inverse = Standardize(invert=True, dtype="float64")
    assert Standardize.from_config(inverse.get_config()).get_config() == inverse.get_config()


def test_mistakes():
    with pytest.raises(ValueError, match="build the layer before"):
        Standardize().set_statistics(MEAN, SCALE)
    with pytest.raises(ValueError, match="expected positive numbers, got"):
        built().set_statistics(MEAN, [1.0, 0.0])
    with pytest.raises(ValueError, match="shape"):
        built().set_statistics([1.0], [1.0])
