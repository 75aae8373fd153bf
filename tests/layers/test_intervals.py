"""WindowSpread and PredictionInterval against NumPy."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from kseq.layers.intervals import PredictionInterval, WindowSpread

RNG = np.random.default_rng(0)
X = RNG.normal(size=(4, 9, 3)).astype("float32")


def numpy(values):
    return keras.ops.convert_to_numpy(values)


def test_spread_is_the_standard_deviation_over_time():
    found = numpy(WindowSpread()(X))
    np.testing.assert_allclose(found, X.astype(float).std(axis=1, keepdims=True), rtol=1e-5)
    symbolic = WindowSpread()(keras.Input((9, 3)))
    assert symbolic.shape == (None, 1, 3)
    assert symbolic.dtype == "float32"


def test_a_window_that_stands_still_has_the_floor():
    assert numpy(WindowSpread(floor=0.2)(np.ones((1, 5, 1), "float32"))).item() == np.float32(0.2)
    with pytest.raises(ValueError, match="floor: expected a number above 0, got 0"):
        WindowSpread(floor=0)


@pytest.mark.parametrize("policy", ["float16", "mixed_bfloat16"])
def test_both_compute_in_float32_at_least(policy):
    spread = WindowSpread(dtype=policy)(X)
    layer = PredictionInterval(dtype=policy)
    layer.build((None, 3))
    layer.set_radius([1.0, 1.0, 1.0])
    found = layer(np.full((1, 3), 4097.25, "float32"))
    assert keras.backend.standardize_dtype(spread.dtype) == "float32"
    np.testing.assert_array_equal(numpy(found["upper"]), np.full((1, 3), 4098.25))


def test_bounds_of_steps_and_targets():
    layer, radius = PredictionInterval(axes=2), RNG.uniform(size=(9, 3))
    layer.build((None, 9, 3))
    layer.set_radius(radius)
    spread = X.std(axis=1, keepdims=True)
    found = layer(X, spread)
    np.testing.assert_allclose(numpy(found["lower"]), X - radius * spread, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(numpy(found["upper"]), X + radius * spread, rtol=1e-5, atol=1e-6)
    assert [w.name for w in layer.weights] == ["radius"]
    assert not layer.trainable_weights


def test_a_batch_as_large_as_the_horizon_is_no_special_case():
    layer = PredictionInterval(axes=2)
    layer.build((None, 4, 1))
    layer.set_radius(np.arange(4.0)[:, None])
    x = RNG.normal(size=(4, 4, 1)).astype("float32")
    together = numpy(layer(x, np.ones((4, 1, 1), "float32"))["upper"])
    np.testing.assert_allclose(together, x + np.arange(4.0)[:, None], rtol=1e-6)


def test_what_does_not_fit():
    with pytest.raises(ValueError, match="axes: expected trailing axes of a known size, got 2"):
        PredictionInterval(axes=2).build((None, None, 3))
    with pytest.raises(ValueError, match="build the layer before"):
        PredictionInterval().set_radius([1.0])
    layer = PredictionInterval()
    layer.build((None, 1))
    for wrong in ([-1.0], [float("nan")]):
        with pytest.raises(ValueError, match="radius: expected numbers of at least 0"):
            layer.set_radius(wrong)


def test_saved_with_its_radius(tmp_path):
    x = keras.Input((9, 3), name="x")
    layer = PredictionInterval(axes=2, name="interval")
    model = keras.Model(x, layer(x, WindowSpread(floor=0.5)(x)))
    layer.set_radius(RNG.uniform(size=(9, 3)))
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    for name, values in model(X).items():
        np.testing.assert_array_equal(numpy(again(X)[name]), numpy(values))


def test_the_spread_is_no_less_than_the_quietest_known_and_of_gaps_that_of_the_training():
    layer = WindowSpread()
    still = np.zeros((1, 5, 2), np.float32)
    np.testing.assert_allclose(numpy(layer(still)), [[[0.01, 0.01]]])
    layer.set_floor([0.3, 0.2])
    np.testing.assert_allclose(numpy(layer(still)), [[[0.3, 0.2]]], rtol=1e-6)
    gaps = still.copy()
    gaps[:, :, 1] = np.nan
    np.testing.assert_allclose(numpy(layer(still, gaps)), [[[0.3, 1.0]]], rtol=1e-6)
    gaps[:, 2, 1] = 4.0  # one value is one
    np.testing.assert_allclose(numpy(layer(still, gaps)), [[[0.3, 0.2]]], rtol=1e-6)
    layer.set_floor(None)
    np.testing.assert_allclose(numpy(layer(still)), [[[0.01, 0.01]]])
