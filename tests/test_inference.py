from __future__ import annotations

import logging

import keras
import numpy as np
import pytest

from kseq.inference import Forward


@pytest.fixture(scope="module")
def model() -> keras.Model:
    x = keras.Input((None, 2), name="x")
    lengths = keras.Input((), name="lengths", dtype="int32")
    summed = keras.layers.GRU(3, name="gru", seed=1)(x)
    shifted = keras.layers.Dense(2, name="scores")(summed)
    return keras.Model({"x": x, "lengths": lengths}, {"scores": shifted, "copy": lengths})


def inputs(batch: int, time: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(batch * time)
    return {
        "x": rng.normal(size=(batch, time, 2)).astype("float32"),
        "lengths": np.full(batch, time, "int32"),
    }


def test_it_equals_the_model_and_is_never_traced_again(model, caplog):
    forward = Forward(model)
    with caplog.at_level(logging.WARNING):
        for batch in (1, 2, 5):
            for time in range(1, 9):
                given = inputs(batch, time)
                outputs = forward(given)
                expected = model(given, training=False)
                np.testing.assert_allclose(outputs["scores"], expected["scores"], atol=1e-6)
                np.testing.assert_array_equal(outputs["copy"], given["lengths"])
    assert "retracing" not in caplog.text
    traced = forward._traced
    forward(inputs(3, 11))
    assert forward._traced is traced


def test_values_are_cast_to_what_the_model_takes(model):
    given = inputs(2, 4)
    expected = Forward(model)(given)
    wide = {"x": given["x"].astype("float64"), "lengths": given["lengths"].astype("int64")}
    outputs = Forward(model)({**wide, "unused": np.zeros(2)})
    np.testing.assert_array_equal(outputs["scores"], expected["scores"])
    assert isinstance(outputs["scores"], np.ndarray)


def test_it_follows_the_weights_of_the_model(model):
    forward = Forward(model)
    before = forward(inputs(1, 3))["scores"]
    layer = model.get_layer("scores")
    layer.bias.assign(layer.bias + 1.0)
    np.testing.assert_allclose(forward(inputs(1, 3))["scores"], before + 1.0, atol=1e-6)


@pytest.mark.parametrize("count", [0, 1, 2, 23])
def test_batches_at_the_same_time_answer_in_order(model, count):
    forward = Forward(model)
    batches = [inputs(1 + number % 3, 2 + number) for number in range(count)]
    found = list(forward.over(iter(batches)))
    assert len(found) == count
    for batch, outputs in zip(batches, found, strict=True):
        np.testing.assert_array_equal(outputs["scores"], forward(batch)["scores"])


def test_batches_are_drawn_as_they_are_needed_and_their_errors_arrive(model):
    drawn = []

    def batches():
        for number in range(100):
            drawn.append(number)
            yield {} if number == 50 else inputs(1, 3)

    found = Forward(model).over(batches())
    for _ in range(3):
        next(found)
    assert len(drawn) < 20
    with pytest.raises(KeyError, match=r"lengths|x"):
        list(found)


@pytest.mark.parametrize("cell", ["LSTM", "GRU", "SimpleRNN"])
def test_a_row_s_answer_does_not_depend_on_its_batch(cell):
    x = keras.Input((None, 3), name="x")
    hidden = getattr(keras.layers, cell)(20, seed=1)(x)
    scores = keras.layers.Dense(2, kernel_initializer=keras.initializers.GlorotUniform(1))(hidden)
    forward = Forward(keras.Model({"x": x}, {"scores": scores}))
    rows = np.random.default_rng(0).normal(size=(40, 9, 3)).astype("float32")
    together = forward({"x": rows})["scores"]
    for size in (1, 2, 3, 5, 7, 13):
        for start in range(0, 40 - size, 3):
            part = forward({"x": rows[start : start + size]})["scores"]
            np.testing.assert_array_equal(part, together[start : start + size])
