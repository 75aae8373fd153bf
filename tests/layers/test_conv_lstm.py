"""ConvLSTM against Keras's layers, a loop in NumPy and numerical derivatives."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from itertools import product
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from kseq.layers.conv_lstm import ConvLSTM, ConvLSTMCell

SIDES = {1: (6,), 2: (6, 5), 3: (5, 4, 4)}
KERAS = {1: keras.layers.ConvLSTM1D, 2: keras.layers.ConvLSTM2D, 3: keras.layers.ConvLSTM3D}
BATCH, TIME, CHANNELS, FILTERS = 2, 4, 2, 3


def make_x(rank=2, time=TIME):
    return np.random.default_rng(5).normal(size=(BATCH, time, *SIDES[rank], CHANNELS))


def make_layer(rank=2, **options):
    """A float64 layer whose weights are all random, bias and peepholes too."""
    options = {"padding": "same", "dtype": "float64", **options}
    layer = ConvLSTM(FILTERS, 3, **options)
    layer.build((None, None, *SIDES[rank], CHANNELS))
    random = np.random.default_rng(3)
    layer.set_weights([random.normal(scale=0.4, size=w.shape) for w in layer.weights])
    return layer


def convolve(x, kernel):
    """The convolution of a neural network, `same`, place by place, channels last."""
    spans = kernel.shape[:-2]
    pads = [((span - 1) // 2, span // 2) for span in spans]
    padded = np.pad(x, [(0, 0), *pads, (0, 0)])
    out = np.zeros((*x.shape[:-1], kernel.shape[-1]))
    for offset in product(*(range(span) for span in spans)):
        part = padded
        for axis, (start, side) in enumerate(zip(offset, x.shape[1:-1], strict=True), start=1):
            part = np.take(part, range(start, start + side), axis=axis)
        out += part @ kernel[offset]
    return out


def oracle(layer, x, mask=None, states=None):
    """The equations, step by step: outputs `(batch, time, ..., filters)`, h and c."""
    sigmoid = lambda z: 1 / (1 + np.exp(-z))  # noqa: E731
    w = {v.name: v.numpy() for v in layer.cell.weights}
    peep = np.split(w.get("peephole_kernel", np.zeros(3 * FILTERS)), 3, axis=-1)
    none = np.zeros((*x.shape[:1], *x.shape[2:-1], FILTERS))
    h, c = states or (none, none)
    outputs, before = [], none
    for t in range(x.shape[1]):
        z = convolve(x[:, t], w["kernel"]) + convolve(h, w["recurrent_kernel"]) + w["bias"]
        z_i, z_f, z_c, z_o = np.split(z, 4, axis=-1)
        i, f = sigmoid(z_i + peep[0] * c), sigmoid(z_f + peep[1] * c)
        new_c = f * c + i * np.tanh(z_c)
        new_h = sigmoid(z_o + peep[2] * new_c) * np.tanh(new_c)
        valid = np.ones(len(x), bool) if mask is None else mask[:, t]
        valid = valid.reshape(-1, *[1] * (h.ndim - 1))
        h, c = np.where(valid, new_h, h), np.where(valid, new_c, c)
        before = np.where(valid, new_h, before)
        outputs.append(before)
    return np.stack(outputs, axis=1), h, c


OPTIONS = [
    {"padding": "same"},
    {},
    {"padding": "same", "strides": 2},
    {"strides": 2},
    {"dilation_rate": 2},
    {"go_backwards": True, "use_bias": False},
    {"activation": "relu", "recurrent_activation": "hard_sigmoid", "unit_forget_bias": False},
]


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_without_peepholes_it_is_keras_s_layer(rank, options):
    x = np.random.default_rng(0).normal(size=(BATCH, TIME, *[7, 6, 6][:rank], CHANNELS))
    shared = {"return_sequences": True, "return_state": True, "dtype": "float64", **options}
    mine, theirs = ConvLSTM(FILTERS, 3, **shared), KERAS[rank](FILTERS, 3, **shared)
    expected = theirs(x)
    mine(x)
    assert [w.name for w in mine.weights] == [w.name for w in theirs.weights]
    mine.set_weights(theirs.get_weights())
    for got, want in zip(mine(x), expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-12)
    symbolic = mine.compute_output_shape((None, None, *x.shape[2:]))
    assert [shape[2:] for shape in symbolic[:1]] == [tuple(expected[0].shape[2:])]
    assert [shape[1:] for shape in symbolic[1:]] == [tuple(s.shape[1:]) for s in expected[1:]]


def test_it_starts_as_keras_s_layer_does():
    """The forget gate's bias is one, all others zero."""
    layer = ConvLSTM(FILTERS, 3)
    layer.build((None, None, 8, 8, 1))
    expected = np.zeros(4 * FILTERS)
    expected[FILTERS : 2 * FILTERS] = 1
    np.testing.assert_array_equal(layer.cell.bias.numpy(), expected)


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("peephole", ["diagonal", "channel", None])
def test_the_equations(rank, peephole):
    layer = make_layer(rank, peephole=peephole, return_sequences=True, return_state=True)
    x = make_x(rank)
    for got, want in zip(layer(x), oracle(layer, x), strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-12)
    random = np.random.default_rng(9)
    states = [random.normal(size=(BATCH, *SIDES[rank], FILTERS)) for _ in "hc"]
    for got, want in zip(layer(x, initial_state=states), oracle(layer, x, states=states)):  # noqa: B905
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-12)


def test_diagonal_weights_are_of_the_map_s_size_and_channel_weights_are_not():
    assert make_layer(peephole="diagonal").cell.peephole_kernel.shape == (6, 5, 9)
    assert make_layer(peephole="channel").cell.peephole_kernel.shape == (9,)
    assert make_layer(peephole=None).cell.peephole_kernel is None


MASK = np.array([[True, True, False, False], [True, True, True, True]])


@pytest.mark.parametrize("peephole", ["diagonal", None])
def test_masked_steps_change_nothing(peephole):
    layer = make_layer(peephole=peephole, return_sequences=True, return_state=True)
    x = make_x()
    for got, want in zip(layer(x, mask=tf.constant(MASK)), oracle(layer, x, MASK), strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-12)
    changed = np.where(MASK[..., None, None, None], x, 9.0)
    for got, want in zip(
        layer(changed, mask=tf.constant(MASK)), layer(x, mask=tf.constant(MASK)), strict=True
    ):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("peephole", ["diagonal", "channel"])
def test_the_gradient(peephole):
    layer = make_layer(peephole=peephole, return_sequences=True)
    x = tf.constant(make_x())
    weight = np.random.default_rng(1).normal(size=(BATCH, TIME, *SIDES[2], FILTERS))

    def loss():
        return float(np.sum(layer(x).numpy() * weight))

    with tf.GradientTape() as tape:
        tape.watch(x)
        value = tf.reduce_sum(layer(x) * weight)
    variables = [w.value for w in layer.trainable_weights]
    gradients = tape.gradient(value, [*variables, x])
    random = np.random.default_rng(2)
    for variable, gradient in zip(variables, gradients, strict=False):
        start = variable.numpy()
        for _ in range(4):  # some entries of each
            place = tuple(int(random.integers(side)) for side in start.shape)
            step = np.zeros_like(start)
            step[place] = 1e-6
            variable.assign(start + step)
            up = loss()
            variable.assign(start - step)
            down = loss()
            variable.assign(start)
            assert gradient[place].numpy() == pytest.approx((up - down) / 2e-6, abs=1e-6)
    assert np.isfinite(gradients[-1]).all()
    assert np.abs(gradients[-1]).max() > 0


@pytest.mark.parametrize("peephole", ["diagonal", "channel", None])
def test_saved_and_loaded_it_is_the_same(peephole, tmp_path):
    model = keras.Sequential(
        [
            keras.Input((None, 6, 5, 2)),
            ConvLSTM(3, (3, 2), padding="same", peephole=peephole, return_sequences=True),
            ConvLSTM(2, 3, strides=(2, 1), padding="same", activation="relu"),
        ]
    )
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    x = make_x().astype("float32")
    np.testing.assert_array_equal(model(x), again(x))
    for layer in model.layers:
        assert ConvLSTM.from_config(layer.get_config()).get_config() == layer.get_config()


def test_the_cell_alone_in_keras_s_cell_stack_of_one():
    cell = ConvLSTMCell(FILTERS, 3, padding="same", peephole="channel")
    x = make_x().astype("float32")
    cell.build((None, *x.shape[2:]))
    states = cell.first_states(x[:, 0])
    for t in range(TIME):
        output, states = cell(x[:, t], states)
    layer = ConvLSTM(FILTERS, 3, padding="same", peephole="channel")
    layer.build((None, *x.shape[1:]))
    layer.set_weights(cell.get_weights())
    np.testing.assert_allclose(layer(x), output, atol=1e-6)
    assert ConvLSTMCell.from_config(cell.get_config()).get_config() == cell.get_config()


def test_maps_of_any_size_without_diagonal_peepholes():
    layer = make_layer(peephole="channel", dtype="float32")
    for sides in ((6, 5), (9, 4)):
        assert layer(np.ones((1, 3, *sides, CHANNELS), "float32")).shape == (1, *sides, FILTERS)
    model = keras.Sequential([keras.Input((None, None, None, 1)), ConvLSTM(2, 3)])
    assert model(np.ones((1, 2, 8, 9, 1))).shape == (1, 6, 7, 2)


def test_stateful_goes_on_where_it_was():
    x = make_x().astype("float32")
    whole = make_layer(dtype="float32", peephole="diagonal")
    halves = ConvLSTM(FILTERS, 3, padding="same", peephole="diagonal", stateful=True)
    halves.build((BATCH, 2, *x.shape[2:]))
    halves.set_weights(whole.get_weights())
    halves(x[:, :2])
    np.testing.assert_allclose(halves(x[:, 2:]), whole(x), atol=1e-6)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision(policy):
    layer = ConvLSTM(FILTERS, 3, peephole="diagonal", dtype=policy, return_sequences=True)
    out = layer(make_x().astype("float32"))
    assert out.dtype == policy.removeprefix("mixed_")
    assert {w.dtype for w in layer.weights} == {"float32"}
    assert np.isfinite(keras.ops.convert_to_numpy(keras.ops.cast(out, "float32"))).all()


def test_wrong_arguments():
    with pytest.raises(ValueError, match="peephole: expected 'diagonal', 'channel' or None"):
        ConvLSTM(2, 3, peephole="full")
    with pytest.raises(ValueError, match="padding: expected 'valid' or 'same', got 'causal'"):
        ConvLSTM(2, 3, padding="causal")
    with pytest.raises(ValueError, match=r"kernel_size: expected a positive integer or 2 of them"):
        ConvLSTM(2, (3, 3, 3)).build((None, None, 8, 8, 1))
    with pytest.raises(ValueError, match="with one, two or three axes between"):
        ConvLSTM(2, 3).build((None, None, 8))
    with pytest.raises(ValueError, match=r"the size of the input .* is not known; choose .channel"):
        ConvLSTM(2, 3, peephole="diagonal").build((None, None, None, 8, 1))


SCRIPT = """
import sys
import numpy as np
import keras
from kseq.layers.conv_lstm import ConvLSTM
assert keras.backend.backend() == sys.argv[2]
case = np.load(sys.argv[1])
options = {"padding": "same", "peephole": "diagonal", "return_sequences": True}
layer = ConvLSTM(3, 3, return_state=True, **options)
layer.build((None, None, 6, 5, 2))
layer.set_weights([case[f"w{n}"] for n in range(len(layer.weights))])
got = layer(case["x"], mask=keras.ops.convert_to_tensor(case["mask"]))
for n, tensor in enumerate(got):
    np.testing.assert_allclose(keras.ops.convert_to_numpy(tensor), case[f"y{n}"], atol=1e-5)
"""


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends(backend, tmp_path):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    layer = make_layer(peephole="diagonal")
    x = make_x()
    case = {f"w{n}": w for n, w in enumerate(layer.get_weights())}
    case |= {f"y{n}": y for n, y in enumerate(oracle(layer, x, MASK))}
    np.savez(tmp_path / "case.npz", x=x.astype("float32"), mask=MASK, **case)
    subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "case.npz"), backend],
        check=True,
        env={**os.environ, "KERAS_BACKEND": backend},
        cwd=Path(__file__).parents[2],
    )


def test_channels_come_last_whatever_keras_is_set_to():
    layer, x = make_layer(peephole="diagonal"), make_x()
    expected = layer(x)
    keras.config.set_image_data_format("channels_first")
    try:
        np.testing.assert_array_equal(layer(x), expected)
        assert make_layer(padding="valid")(x).shape == (BATCH, 4, 3, FILTERS)
    finally:
        keras.config.set_image_data_format("channels_last")
