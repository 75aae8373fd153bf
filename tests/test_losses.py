"""Losses over targets that may be absent."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from kseq.losses import FrameError, MaskedError

KINDS = ("mse", "mae", "huber")


def expected(kind, truth, predicted):
    """The mean over the targets that are there, in NumPy."""
    error = (predicted - truth)[~np.isnan(truth)]
    size = np.abs(error)
    value = {
        "mse": error**2,
        "mae": size,
        "huber": np.where(size <= 1, error**2 / 2, size - 0.5),
    }[kind]
    return value.mean() if value.size else 0.0


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    truth = 2 * rng.normal(size=(4, 6, 2)).astype("float32")
    truth[rng.random(truth.shape) < 0.3] = np.nan
    return truth, rng.normal(size=truth.shape).astype("float32")


@pytest.mark.parametrize("kind", KINDS)
def test_it_equals_numpy(kind, batch):
    assert float(MaskedError(kind)(*batch)) == pytest.approx(expected(kind, *batch), rel=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_it_equals_keras_where_all_targets_are_there(kind, batch):
    truth, predicted = np.nan_to_num(batch[0]), batch[1]
    theirs = {
        "mse": keras.losses.MeanSquaredError(),
        "mae": keras.losses.MeanAbsoluteError(),
        "huber": keras.losses.Huber(),
    }[kind]
    assert float(MaskedError(kind)(truth, predicted)) == pytest.approx(
        float(theirs(truth, predicted)), rel=1e-5
    )


@pytest.mark.parametrize("kind", KINDS)
def test_padding_does_not_count(kind, batch):
    truth, predicted = batch
    padding = ((0, 0), (0, 5), (0, 0))
    padded = MaskedError(kind)(
        np.pad(truth, padding, constant_values=np.nan),
        np.pad(predicted, padding, constant_values=1e6),
    )
    assert float(padded) == pytest.approx(float(MaskedError(kind)(truth, predicted)), rel=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_without_targets_costs_nothing(kind):
    assert float(MaskedError(kind)(np.full((3, 2), np.nan), np.ones((3, 2)))) == 0.0


@pytest.mark.parametrize("kind", KINDS)
def test_absent_targets_pull_at_nothing(kind, batch):
    truth, start = batch
    weights = keras.Sequential(
        [keras.Input(start.shape[1:]), Shift(shape=start.shape[1:], name="shift")]
    )
    before = [w.copy() for w in weights.get_weights()]
    weights.compile(optimizer=keras.optimizers.SGD(0.1), loss=MaskedError(kind))
    truth = truth[:1]
    weights.fit(start[:1], truth, epochs=1, verbose=0)
    step = (weights.get_weights()[0] - before[0])[None]
    assert np.isfinite(step).all()
    assert (step[np.isnan(truth)] == 0).all()
    assert (step[~np.isnan(truth)] != 0).all()


class Shift(keras.layers.Layer):
    """Adds one weight to every entry, so that each entry has a gradient of its own."""

    def __init__(self, shape, **kwargs):
        super().__init__(**kwargs)
        self.offset = self.add_weight(shape=shape, initializer="zeros", name="offset")

    def call(self, x):
        return x + self.offset


def test_it_takes_half_precision_predictions():
    loss = MaskedError("mse")(np.array([[1.0, np.nan]]), ops.cast([[3.0, 1.0]], "float16"))
    assert float(loss) == 4.0


def test_its_configuration_round_trips():
    loss = MaskedError("huber", name="mine")
    described = json.loads(json.dumps(keras.saving.serialize_keras_object(loss)))
    again = keras.saving.deserialize_keras_object(described)
    assert isinstance(again, MaskedError)
    assert again.get_config() == loss.get_config()
    assert again.kind == "huber"


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="kind: expected mse, mae or huber, got 'rmse'"):
        MaskedError("rmse")  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
def test_frames_are_compared_as_they_are_shown(kind):
    """The error is that of the nearest shown values, where the truth is at an end of the range."""
    truth = np.array([0.0, 0.0, 1.0, 1.0, 0.5, 0.5], "float32")
    predicted = np.array([-2.0, 0.4, 3.0, 0.7, 0.9, -0.5], "float32")
    shown = np.array([0.0, 0.4, 1.0, 0.7, 0.9, -0.5])
    loss = FrameError(kind)
    assert float(loss(truth, predicted)) == pytest.approx(expected(kind, truth, shown), rel=1e-6)
    assert FrameError.from_config(loss.get_config()).kind == kind


def test_a_pixel_on_the_wrong_side_of_the_range_learns_all_the_same():
    predicted = keras.Variable([-2.0, -2.0, 3.0])
    with tf.GradientTape() as tape:
        loss = FrameError("mse")(np.array([0.0, 0.5, 0.2], "float32"), predicted.value)
    gradient = tape.gradient(loss, predicted.value).numpy()
    assert gradient[0] == 0
    assert gradient[1] < 0 < gradient[2]
