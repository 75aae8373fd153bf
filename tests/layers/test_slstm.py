"""SLSTM against a loop in NumPy, numerical derivatives, and `keras.layers.LSTM`."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from kseq.layers.slstm import SLSTM, SLSTMCell

BATCH, TIME, FEATURES, UNITS = 2, 5, 3, 4


def make_layer(features=FEATURES, **options):
    """A float64 SLSTM whose weights are all random, bias and peepholes too."""
    layer = SLSTM(options.pop("units", UNITS), dtype="float64", **options)
    layer.build((None, None, features))
    random = np.random.default_rng(3)
    layer.set_weights([random.normal(scale=0.5, size=w.shape) for w in layer.weights])
    return layer


def make_x(features=FEATURES):
    return np.random.default_rng(5).normal(size=(BATCH, TIME, features))


def oracle(layer, x, mask=None, state=None):
    """The equations, step by step; returns the outputs `(batch, time, units)`, h and c."""
    sigmoid = lambda z: 1 / (1 + np.exp(-z))  # noqa: E731
    w = {v.name: v.numpy() for v in layer.cell.weights}
    units = layer.units
    kernels = np.split(w["kernel"], 4, axis=1)
    recurrent = np.split(w["recurrent_kernel"], 4, axis=1)
    bias = np.split(w["bias"], 4)
    peep = np.split(w.get("peephole_kernel", np.zeros(3 * units)), 3, axis=-1)
    see = (lambda c, p: c @ p) if layer.cell.peephole == "full" else (lambda c, p: c * p)
    h, c = state or (np.zeros((len(x), units)), np.zeros((len(x), units)))
    if layer.go_backwards:
        x, mask = x[:, ::-1], None if mask is None else mask[:, ::-1]
    outputs, before = [], np.zeros((len(x), units))
    for t in range(x.shape[1]):
        z = [x[:, t] @ k + h @ r + b for k, r, b in zip(kernels, recurrent, bias, strict=True)]
        i = sigmoid(z[0] + see(c, peep[0]))
        f = sigmoid(z[1] + see(c, peep[1]))
        new_c = f * c + i * np.tanh(z[2])
        new_h = sigmoid(z[3] + see(new_c, peep[2])) * np.tanh(new_c)
        out = new_h
        if layer.cell.skip:
            out = new_h + (x[:, t] @ w["skip_kernel"] if "skip_kernel" in w else x[:, t])
        valid = np.ones((len(x), 1), bool) if mask is None else mask[:, t : t + 1]
        h, c = np.where(valid, new_h, h), np.where(valid, new_c, c)
        before = np.where(valid, out, before)
        outputs.append(before)
    return np.stack(outputs, axis=1), h, c


MASK = np.array([[True, True, True, False, False], [True] * 5])


@pytest.mark.parametrize("peephole", ["diagonal", "full", None])
@pytest.mark.parametrize(("skip", "features"), [(False, 3), (True, 3), (True, UNITS)])
def test_equals_the_equations(peephole, skip, features):
    layer = make_layer(
        features, peephole=peephole, skip=skip, return_sequences=True, return_state=True
    )
    x = make_x(features)
    for got, expected in zip(layer(x), oracle(layer, x), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-10)


@pytest.mark.parametrize("go_backwards", [False, True])
@pytest.mark.parametrize("mask", [None, MASK, np.array([[True, False, True, False, True]] * 2)])
def test_masks_and_directions(go_backwards, mask):
    layer = make_layer(go_backwards=go_backwards, return_sequences=True, return_state=True)
    x = make_x()
    for got, expected in zip(layer(x, mask=mask), oracle(layer, x, mask), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-10)


def test_initial_state():
    layer = make_layer(return_sequences=True, return_state=True)
    x, state = make_x(), (np.full((BATCH, UNITS), 0.3), np.full((BATCH, UNITS), -0.7))
    outputs, h, c = layer(x, initial_state=list(state))
    for got, expected in zip((outputs, h, c), oracle(layer, x, state=state), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-10)
    # A sequence in two pieces, the state carried over, is the sequence.
    head, *carried = layer(x[:, :2])
    tail, *_ = layer(x[:, 2:], initial_state=carried)
    whole, *_ = layer(x)
    np.testing.assert_allclose(np.concatenate([head, tail], axis=1), whole, rtol=1e-10)


@pytest.mark.parametrize("peephole", ["diagonal", "full"])
def test_gradient_is_the_numerical_one(peephole):
    layer = make_layer(3, units=2, peephole=peephole)
    x, pick = make_x()[:, :4], np.random.default_rng(1).normal(size=(BATCH, 2))
    mask = MASK[:, :4]

    @tf.function
    def loss():
        return tf.reduce_sum(layer(x, mask=mask) * pick)

    with tf.GradientTape() as tape:
        value = loss()
    gradients = tape.gradient(value, [v.value for v in layer.trainable_variables])
    step = 1e-6
    for variable, gradient in zip(layer.trainable_variables, gradients, strict=True):
        start = variable.numpy()
        for index in list(np.ndindex(start.shape))[::5]:
            moved = start.copy()
            moved[index] += step
            variable.assign(moved)
            above = loss()
            moved[index] -= 2 * step
            variable.assign(moved)
            below = loss()
            variable.assign(start)
            assert gradient.numpy()[index] == pytest.approx(
                float(above - below) / (2 * step), rel=1e-5, abs=1e-8
            )


@pytest.mark.parametrize(
    ("training", "recurrent_dropout"), [(False, 0.0), (True, 0.0), (True, 0.4)]
)
@pytest.mark.parametrize("peephole", ["diagonal", "full", None])
def test_is_an_lstm_without_peepholes_and_skip(training, recurrent_dropout, peephole):
    options = {
        "dropout": 0.5,
        "recurrent_dropout": recurrent_dropout,
        "seed": 11,
        "return_sequences": True,
    }
    lstm = keras.layers.LSTM(UNITS, use_cudnn=False, **options)
    ours = SLSTM(UNITS, peephole=peephole, skip=False, peephole_initializer="zeros", **options)
    x = make_x().astype("float32")
    lstm.build(x.shape)
    ours.build(x.shape)
    peepholes = ours.get_weights()[3:]
    ours.set_weights(lstm.get_weights() + peepholes)
    expected = lstm(x, mask=MASK, training=training)
    np.testing.assert_allclose(ours(x, mask=MASK, training=training), expected, atol=1e-6)


def test_dropout_is_the_same_at_every_step_and_spares_the_skip():
    layer = SLSTM(UNITS, dropout=0.5, recurrent_dropout=0.5, return_sequences=True, seed=1)
    layer.build((None, None, UNITS))
    kernel, recurrent, bias, peephole = layer.get_weights()
    layer.set_weights([kernel, recurrent * 0, bias, peephole * 0])
    # The forget gate shut, nothing recurs: equal inputs give equal outputs at all steps.
    bias[UNITS : 2 * UNITS] = -1e9
    layer.set_weights([kernel, recurrent * 0, bias, peephole * 0])
    x = np.ones((1, TIME, UNITS), "float32")
    first, second = layer(x, training=True).numpy(), layer(x, training=True).numpy()
    np.testing.assert_allclose(first, np.repeat(first[:, :1], TIME, axis=1), atol=1e-6)
    assert np.abs(first - second).max() > 1e-3, "every call draws a new mask"
    layer.set_weights([kernel * 0, recurrent * 0, bias * 0, peephole * 0])
    np.testing.assert_allclose(layer(x, training=True), x, atol=1e-6)


def test_forget_gate_starts_open():
    layer = SLSTM(UNITS)
    layer.build((None, None, FEATURES))
    np.testing.assert_array_equal(layer.cell.bias[UNITS : 2 * UNITS], np.ones(UNITS))
    layer = SLSTM(UNITS, unit_forget_bias=False)
    layer.build((None, None, FEATURES))
    assert not layer.cell.bias.numpy().any()


@pytest.mark.parametrize("go_backwards", [False, True])
def test_padding_is_absent(go_backwards):
    layer = make_layer(go_backwards=go_backwards)
    x = make_x()
    padded = np.concatenate([x, np.full((BATCH, 3, FEATURES), 7.0)], axis=1)
    mask = np.arange(TIME + 3)[None] < np.full((BATCH, 1), TIME)
    np.testing.assert_allclose(layer(padded, mask=mask), layer(x), rtol=1e-10)


def test_mask_metadata_as_keras_lstm():
    x = keras.Input((None, FEATURES))
    masked = keras.layers.Masking()(x)
    for layer in (SLSTM(UNITS), SLSTM(UNITS, return_sequences=True)):
        expected = keras.layers.LSTM(UNITS, return_sequences=layer.return_sequences)
        got_mask = layer.compute_mask(masked, "mask")
        assert got_mask == expected.compute_mask(masked, "mask")


# Not "bfloat16" alone: Keras' orthogonal initializer cannot, for keras.layers.LSTM neither.
@pytest.mark.parametrize("policy", ["float16", "mixed_float16", "mixed_bfloat16"])
def test_dtype_policies(policy):
    layer = SLSTM(UNITS, dtype=policy, peephole="full")
    out = layer(make_x().astype("float32"), mask=MASK)
    assert out.dtype == layer.compute_dtype
    expected = "float32" if policy.startswith("mixed") else policy
    assert {str(w.dtype) for w in layer.weights} == {expected}
    assert np.isfinite(keras.ops.convert_to_numpy(keras.ops.cast(out, "float32"))).all()


def test_config_round_trip():
    layer = SLSTM(
        UNITS,
        peephole="full",
        skip=False,
        dropout=0.1,
        recurrent_dropout=0.2,
        seed=3,
        unit_forget_bias=False,
        kernel_initializer="he_uniform",
        peephole_initializer="zeros",
        skip_initializer=keras.initializers.RandomNormal(seed=1),
        return_state=True,
        go_backwards=True,
        zero_output_for_mask=True,
        name="memory",
        dtype="mixed_bfloat16",
        trainable=False,
    )
    again = SLSTM.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    revived = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert revived.get_config() == layer.get_config()
    assert revived.cell.compute_dtype == "bfloat16"
    cell = SLSTMCell(UNITS, peephole=None, seed=4)
    assert SLSTMCell.from_config(cell.get_config()).get_config() == cell.get_config()


def test_unknown_arguments_are_refused():
    with pytest.raises(ValueError, match="peephole: expected 'diagonal', 'full' or None, got 'x'"):
        SLSTM(UNITS, peephole="x")
    with pytest.raises((TypeError, ValueError), match="drop_out"):
        SLSTM(UNITS, drop_out=0.5)
    with pytest.raises(ValueError, match="positive integer"):
        SLSTM(0)


def test_in_a_model_saved_and_reloaded(tmp_path):
    x = keras.Input((None, FEATURES), name="x")
    both = keras.layers.Bidirectional(SLSTM(UNITS, return_sequences=True, dropout=0.1), name="both")
    wrapped = keras.layers.RNN(SLSTMCell(3, peephole="full"), name="wrapped")
    model = keras.Model(x, keras.layers.Dense(1, name="out")(wrapped(both(x))))
    data, target = make_x().astype("float32"), np.ones((BATCH, 1), "float32")
    model.compile(keras.optimizers.Adam(0.01), "mse", run_eagerly=True)
    losses = model.fit(data, target, epochs=4, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    path = str(tmp_path / "model.keras")
    model.save(path)
    again = keras.models.load_model(path, compile=False)
    np.testing.assert_array_equal(again(data), model(data))
    assert again(np.concatenate([data, data], axis=1)).shape == (BATCH, 1)


def test_bidirectional_is_two_layers():
    wrapper = keras.layers.Bidirectional(SLSTM(UNITS, dtype="float64"), dtype="float64")
    x = make_x()
    got = wrapper(x, mask=MASK)
    forward, _, _ = oracle(wrapper.forward_layer, x, MASK)
    backward, _, _ = oracle(wrapper.backward_layer, x, MASK)
    expected = np.concatenate([forward[:, -1], backward[:, -1]], axis=-1)
    np.testing.assert_allclose(got, expected, rtol=1e-10)


def test_stateful_and_unrolled():
    x = make_x()
    looped, unrolled = make_layer(), make_layer(unroll=True)
    np.testing.assert_allclose(looped(x), unrolled(x), rtol=1e-10)
    stateful = SLSTM(UNITS, stateful=True, dtype="float64")
    stateful.build((BATCH, TIME, FEATURES))
    stateful.cell.set_weights(looped.cell.get_weights())
    stateful(x[:, :2])
    np.testing.assert_allclose(stateful(x[:, 2:]), looped(x), rtol=1e-10)


SCRIPT = """
import sys
import numpy as np
import keras
from kseq.layers.slstm import SLSTM
assert keras.backend.backend() == sys.argv[2]
case = np.load(sys.argv[1])
layer = SLSTM(4, peephole="full", return_sequences=True, return_state=True)
layer.build((None, None, 3))
layer.set_weights([case[f"w{n}"] for n in range(len(layer.weights))])
got = layer(case["x"], mask=keras.ops.convert_to_tensor(case["mask"]))
layer.return_sequences = False
got = [*got, layer(case["x"], mask=keras.ops.convert_to_tensor(case["mask"]))[0]]
for n, tensor in enumerate(got):
    np.testing.assert_allclose(keras.ops.convert_to_numpy(tensor), case[f"y{n}"], atol=1e-5)
"""


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends(backend, tmp_path):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    layer = make_layer(peephole="full")
    x = make_x()
    outputs, h, c = oracle(layer, x, MASK)
    case = {f"w{n}": w for n, w in enumerate(layer.get_weights())}
    case |= {f"y{n}": y for n, y in enumerate((outputs, h, c, outputs[:, -1]))}
    np.savez(tmp_path / "case.npz", x=x.astype("float32"), mask=MASK, **case)
    subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "case.npz"), backend],
        check=True,
        env={**os.environ, "KERAS_BACKEND": backend},
        cwd=Path(__file__).parents[2],
    )
