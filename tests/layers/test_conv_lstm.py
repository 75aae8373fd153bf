"""The convolutional LSTMs are those of Keras: the same outputs, gradients and configuration."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from kseq.layers import ConvLSTM1D, ConvLSTM2D, ConvLSTM3D
from kseq.layers.compiled import compiled_for

PAIRS = {
    1: (keras.layers.ConvLSTM1D, ConvLSTM1D),
    2: (keras.layers.ConvLSTM2D, ConvLSTM2D),
    3: (keras.layers.ConvLSTM3D, ConvLSTM3D),
}
CASES = {
    "same": {"padding": "same"},
    "valid": {"padding": "valid"},
    "strided": {"padding": "same", "strides": 2},
    "dilated": {"padding": "same", "dilation_rate": 2},
    "backwards": {"padding": "same", "go_backwards": True},
    "last": {"padding": "same", "return_sequences": False},
}


def make_x(rank: int, time: int = 4) -> np.ndarray:
    random = np.random.default_rng(rank)
    return random.normal(size=(2, time, *(6, 5, 4)[:rank], 2)).astype("float32")


def pair(rank, x, **options):
    """A plain layer and ours, with the same random weights."""
    layers = []
    for make in PAIRS[rank]:
        layer = make(3, 3 if rank < 3 else 2, **{"return_sequences": True, **options})
        layer.build(x.shape)
        random = np.random.default_rng(1)
        layer.set_weights([random.normal(scale=0.4, size=w.shape) for w in layer.weights])
        layers.append(layer)
    return layers


def answers(layer, x, purpose="training", **given) -> list[np.ndarray]:
    """The output, and the gradients with respect to the input and all weights."""

    @tf.function(autograph=False)
    def run(x):
        with compiled_for(purpose):
            if purpose == "prediction":
                return [layer(x, **given)]
            with tf.GradientTape() as tape:
                tape.watch(x)
                out = layer(x, **given)
                pick = np.random.default_rng(2).normal(size=out.shape).astype("float32")
                loss = tf.reduce_sum(tf.sin(out) * pick)
            sources = [x, *(w.value for w in layer.trainable_weights)]
            return [out, *tape.gradient(loss, sources)]

    return [each.numpy() for each in run(tf.constant(x))]


def assert_same(expected, found) -> None:
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    "rank", [1, *(pytest.param(rank, marks=pytest.mark.slow) for rank in (2, 3))]
)
def test_outputs_and_gradients(rank, case):
    x = make_x(rank)
    plain, ours = pair(rank, x, **CASES[case])
    assert ours.slow_because is None
    expected = answers(plain, x)
    assert_same(expected, answers(ours, x))
    assert_same(expected[:1], answers(ours, x, "prediction"))


def test_first_states_and_their_gradient():
    x = make_x(2)
    plain, ours = pair(2, x, padding="same")
    random = np.random.default_rng(4)
    states = [random.normal(size=(2, 6, 5, 3)).astype("float32") for _ in range(2)]
    found = []
    for layer in (plain, ours):

        @tf.function(autograph=False)
        def run(states, layer=layer):
            with compiled_for("training"), tf.GradientTape() as tape:
                tape.watch(states)
                out = layer(tf.constant(x), initial_state=states)
                loss = tf.reduce_sum(tf.sin(out))
            return [out, *tape.gradient(loss, states)]

        found.append([each.numpy() for each in run([tf.constant(state) for state in states])])
    assert_same(*found)


def test_what_is_left_to_keras():
    x = make_x(2)
    mask = np.array([[True, True, True, False], [True] * 4])
    plain, ours = pair(2, x, padding="same")
    assert_same(answers(plain, x, mask=mask), answers(ours, x, mask=mask))
    assert pair(2, x, dropout=0.1)[1].slow_because == "of dropout inside the layer"
    assert pair(2, x, return_state=True)[1].slow_because == "it returns states"
    # Outside of kseq's own graphs nothing is compiled.
    assert ours._way(ragged=False) is None
    np.testing.assert_allclose(ours(x), plain(x), atol=1e-6)


def test_configuration():
    for rank, (plain, ours) in PAIRS.items():
        options = {"filters": 2, "kernel_size": 3, "strides": 2, "name": f"maps_{rank}"}
        assert ours(**options).get_config() == plain(**options).get_config()
        again = keras.saving.deserialize_keras_object(
            keras.saving.serialize_keras_object(ours(**options))
        )
        assert type(again) is ours
        assert again.get_config() == ours(**options).get_config()
