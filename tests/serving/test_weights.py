"""Weights by name: the same names in every process, compared before anything is assigned."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from kseq.errors import ArtefactError
from kseq.layers.intervals import WindowSpread
from kseq.layers.temperature import Temperature
from kseq.serving.weights import assign, collect


def build(units: int = 4, name: str = "recurrent_1") -> keras.Model:
    """Explicit names beside automatic ones, non-trainable weights, and seed states."""
    x = keras.Input((None, 3), name="x")
    hidden = keras.layers.BatchNormalization(name="scale")(x)
    hidden = keras.layers.GRU(units, dropout=0.5, return_sequences=True, name=name)(hidden)
    hidden = keras.layers.GRU(units)(hidden)
    scores = keras.Sequential([keras.layers.Dropout(0.5), keras.layers.Dense(2)])
    return keras.Model(x, scores(hidden))


def test_a_round_trip() -> None:
    first, second = build(), build()
    x = np.ones((2, 5, 3), "float32")
    arrays = collect(first)
    assert any("moving_mean" in name for name in arrays)
    assert not any("seed" in name for name in arrays)
    assert len(arrays) == len(first.weights)
    assign(second, arrays)
    np.testing.assert_array_equal(first(x), second(x))


def test_names_do_not_depend_on_what_was_built_before() -> None:
    names = list(collect(build()))
    for _ in range(3):
        keras.layers.Dense(1)
    assert list(collect(build())) == names
    assert "0004 recurrent_1/gru_cell/kernel" in names
    assert "0007 gru/gru_cell/kernel" in names
    assert names[-1].endswith("dense/bias")


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (lambda: build(units=5), r"0004 .*: the model has float32 \(3, 15\).* float32 \(3, 12\)"),
        (lambda: build(name="other"), "0004 other/gru_cell/kernel.*saved weights have nothing"),
    ],
)
def test_another_model_is_refused_untouched(other, message) -> None:
    arrays, model = collect(build()), other()
    before = collect(model)
    with pytest.raises(ArtefactError, match=message):
        assign(model, arrays)
    for name, array in collect(model).items():
        np.testing.assert_array_equal(array, before[name])


@pytest.mark.parametrize("change", ["type", "shape", "missing", "extra"])
def test_every_difference_is_seen_before_the_first_weight_changes(change: str) -> None:
    model = build()
    before = collect(model)
    arrays = {name: array + 1 for name, array in before.items()}
    last = list(arrays)[-1]
    if change == "type":
        arrays[last] = arrays[last].astype("float64")
    elif change == "shape":
        arrays[last] = arrays[last][None]
    elif change == "missing":
        del arrays[last]
    else:
        arrays["0099 more"] = np.ones(1)
    with pytest.raises(ArtefactError, match=r"0099 more|dense/bias"):
        assign(model, arrays)
    for name, array in collect(model).items():
        np.testing.assert_array_equal(array, before[name])


def test_a_long_list_of_differences_is_cut() -> None:
    with pytest.raises(ArtefactError, match=r"and \d+ more"):
        assign(build(), {})


def tempered(*, place: bool) -> keras.Model:
    """Two heads, the first one with a temperature where there is a place for it."""
    x = keras.Input((3,), name="x")
    scores = keras.layers.Dense(2, name="scores")(x)
    if place:
        scores = Temperature(name="temperature")(scores)
    return keras.Model(x, keras.layers.Dense(2, name="after")(scores))


def test_a_temperature_that_was_not_saved_yet_is_one() -> None:
    old, new = tempered(place=False), tempered(place=True)
    layer = new.get_layer("temperature")
    layer.temperature.assign(3.0)
    assign(new, collect(old))
    assert float(layer.temperature) == 1.0
    x = np.ones((2, 3), "float32")
    np.testing.assert_array_equal(old(x), new(x))
    layer.temperature.assign(3.0)
    saved = collect(new)
    assert "0002 temperature/temperature" in saved
    layer.temperature.assign(1.0)
    assign(new, saved)
    assert float(layer.temperature) == 3.0
    del saved["0001 scores/bias"]
    with pytest.raises(ArtefactError, match="0001 scores/bias: the model has"):
        assign(new, saved)


def spread(*, place: bool) -> keras.Model:
    """A window and its spread, with a weight or without one."""
    x = keras.Input((4, 2), name="x")
    model = keras.Model(x, WindowSpread(name="spread")(keras.layers.Dense(2, name="scores")(x)))
    assert "0002 spread/least" in collect(model)
    if not place:
        model.get_layer("spread")._non_trainable_variables.clear()
    return model


def test_a_least_spread_that_was_not_saved_yet_is_that_of_the_layer() -> None:
    old, new = spread(place=False), spread(place=True)
    assert list(collect(old)) == ["0000 scores/kernel", "0001 scores/bias"]
    new.get_layer("spread").set_floor(3.0)
    assign(new, collect(old))
    assert np.asarray(new.get_layer("spread").least).tolist() == [np.float32(0.01)] * 2
