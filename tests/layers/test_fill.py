"""FillForward against a loop."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from kseq.layers.fill import FillForward

FALLBACK = [7.0, 8.0]


def oracle(column, fallback):
    observed = [v for v in column if not np.isnan(v)]
    last = observed[0] if observed else fallback
    filled = []
    for value in column:
        last = last if np.isnan(value) else value
        filled.append(last)
    return filled


def data(time, share, dtype="float64"):
    random = np.random.default_rng(time)
    x = random.normal(size=(4, time, 2)).astype(dtype)
    x[random.random(x.shape) < share] = np.nan
    x[1, :, 0] = np.nan
    x[2, :-1] = np.nan
    x[3, 1:] = np.nan
    return x


def filled(x, fallback=FALLBACK):
    return np.array([[oracle(c, f) for c, f in zip(r.T, fallback, strict=True)] for r in x])


def built(**options):
    layer = FillForward(**options)
    layer.build((None, None, 2))
    layer.set_fallback(FALLBACK)
    return layer


@pytest.mark.parametrize("time", [1, 2, 3, 8, 13, 33])
@pytest.mark.parametrize("share", [0.0, 0.6, 0.95])
def test_equals_the_loop(time, share):
    x = data(time, share)
    np.testing.assert_array_equal(built()(x), filled(x).transpose(0, 2, 1))


def test_dynamic_time():
    x = keras.Input((None, 2))
    model = keras.Model(x, built(max_steps=20)(x))
    for time in (1, 5, 20):
        values = data(time, 0.7, "float32")
        expected = filled(values).transpose(0, 2, 1)
        np.testing.assert_array_equal(model.predict_on_batch(values), expected.astype("float32"))
    # Further than that nothing travels.
    far = np.full((1, 60, 2), np.nan, "float32")
    far[:, 0] = 1.0
    out = model.predict_on_batch(far)
    np.testing.assert_array_equal(out[0, :20], np.ones((20, 2)))
    np.testing.assert_array_equal(out[0, 59], FALLBACK)


def test_masked_steps_are_no_observations():
    nan = np.nan
    x = np.array([[[nan, 1.0], [nan, nan], [5.0, 5.0]]])
    mask = np.array([[True, True, False]])
    np.testing.assert_array_equal(built()(x, mask=mask)[0, :2], [[7.0, 1.0], [7.0, 1.0]])


def test_saved_and_untouched_by_policies(tmp_path):
    x = keras.Input((6, 2))
    model = keras.Model(x, built(name="fill", dtype="mixed_float16")(x))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    values = data(6, 0.5, "float32")
    np.testing.assert_array_equal(again(values), filled(values).transpose(0, 2, 1).astype("f4"))
    layer = FillForward(max_steps=3)
    assert FillForward.from_config(layer.get_config()).get_config() == layer.get_config()


def test_mistakes():
    with pytest.raises(ValueError, match="time steps is not known here; give max_steps"):
        FillForward()(keras.Input((None, 2)))
    with pytest.raises(ValueError, match="max_steps: expected a positive integer, got 0"):
        FillForward(max_steps=0)
    with pytest.raises(ValueError, match="build the layer before"):
        FillForward().set_fallback([1.0])
