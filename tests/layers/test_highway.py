"""The linear highway against NumPy."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from kseq.builders import build
from kseq.errors import RecipeError
from kseq.layers import LinearHighway
from kseq.spec import Spec

RANDOM = np.random.default_rng(5)


def test_it_is_one_matrix_for_all_targets():
    layer = LinearHighway(steps=3, horizon=2, targets=2)
    x = RANDOM.normal(size=(4, 5, 3)).astype("float32")
    assert not np.any(layer(x))  # starts as no contribution
    kernel = RANDOM.normal(size=(3, 2)).astype("float32")
    layer.set_weights([kernel])
    expected = np.einsum("bst,sh->bht", x[:, -3:, :2].astype("float64"), kernel)
    np.testing.assert_allclose(layer(x), expected, atol=1e-6)
    assert layer.compute_output_shape((None, 5, 3)) == (None, 2, 2)


def test_config_round_trip():
    layer = LinearHighway(steps=3, horizon=2, targets=1, name="line")
    assert LinearHighway.from_config(layer.get_config()).get_config() == layer.get_config()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps": 0, "horizon": 1, "targets": 1}, "steps: expected a positive integer, got 0"),
        ({"steps": 9, "horizon": 1, "targets": 1}, "steps: expected at most 5, the time steps"),
        ({"steps": 2, "horizon": 1, "targets": 4}, "targets: expected at most 3, the features"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(ValueError, match=message):
        LinearHighway(**arguments).build((None, 5, 3))


def test_a_stacked_rnn_adds_it_to_the_forecast():
    spec = Spec(features=2, outputs=1, time=6, horizon=3)
    model = build({"builder": "stacked_rnn", "units": 4, "highway": 4}, spec)
    x = RANDOM.normal(size=(2, 6, 2)).astype("float32")
    before = keras.ops.convert_to_numpy(model(x))
    kernel = RANDOM.normal(size=(4, 3)).astype("float32")
    model.get_layer("highway").set_weights([kernel])
    added = keras.ops.convert_to_numpy(model(x)) - before
    np.testing.assert_allclose(added, np.einsum("bst,sh->bht", x[:, -4:, :1], kernel), atol=1e-5)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (Spec(features=2, outputs=1, time=6), "highway 4 .* there is no forecast"),
        (Spec(features=2, outputs=1, time=3, horizon=2), "highway 4 .* the window has 3"),
    ],
)
def test_a_highway_needs_a_forecast_and_a_window(spec, message):
    with pytest.raises(RecipeError, match=message):
        build({"builder": "stacked_rnn", "units": 4, "highway": 4}, spec)
