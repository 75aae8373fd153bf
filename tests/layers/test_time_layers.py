"""The small layers that mask, fold, pool and turn the time axis."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from kseq.layers.convolution import MaskedConv1D
from kseq.layers.folding import FoldSteps
from kseq.layers.masking import LengthMask
from kseq.layers.max_pooling import MaskedMaxPooling1D
from kseq.layers.shuffle import DimensionShuffle

RANDOM = np.random.default_rng(2)


def x_of(time, features=3):
    return RANDOM.normal(size=(2, time, features)).astype("float32")


def mask_of(lengths, time):
    return np.arange(time)[None] < np.array(lengths)[:, None]


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("length", range(8))
def test_length_mask(stride, length):
    mask = LengthMask(stride=stride)(np.zeros((1, 5, 1)), np.array([length]))
    assert int(np.sum(mask)) == min(5, -(-length // stride))
    assert mask.dtype == "bool"


@pytest.mark.parametrize("kernel_size", [1, 2, 3, 8])
@pytest.mark.parametrize("padding", ["same", "causal"])
def test_convolution_does_not_see_padding(kernel_size, padding):
    layer = MaskedConv1D(4, kernel_size, padding=padding)
    x = x_of(5)
    expected = layer(x)
    spoilt = np.concatenate([x, np.full((2, 4, 3), np.nan, "float32")], axis=1)
    got = layer(spoilt, mask=mask_of([5, 5], 9))[:, :5]
    np.testing.assert_allclose(got, expected, atol=1e-6)
    plain = keras.layers.Conv1D(4, kernel_size, padding=padding)
    plain.build(x.shape)
    plain.set_weights(layer.get_weights())
    np.testing.assert_allclose(plain(x), expected, atol=1e-6)


@pytest.mark.parametrize("options", [{"padding": "valid"}, {"strides": 2}])
def test_convolution_keeps_the_time_axis(options):
    with pytest.raises(ValueError, match="expected padding 'same' or 'causal' and strides 1"):
        MaskedConv1D(4, 3, **options)


@pytest.mark.parametrize("pool", [1, 2, 3, 7])
@pytest.mark.parametrize("time", [1, 4, 5, 6])
def test_max_pooling(pool, time):
    x, layer = x_of(time) - 10, MaskedMaxPooling1D(pool)
    starts = range(0, time, pool)
    expected = np.stack([x[:, s : s + pool].max(axis=1) for s in starts], axis=1)
    np.testing.assert_array_equal(layer(x), expected)
    assert layer.compute_output_shape(x.shape) == expected.shape
    spoilt = np.concatenate([x, np.full((2, 5, 3), np.nan, "float32")], axis=1)
    mask = mask_of([time, 0], time + 5)
    got = layer(spoilt, mask=mask)
    np.testing.assert_array_equal(got[0, : len(starts)], expected[0])
    assert not np.asarray(got)[0, len(starts) :].any()
    assert not np.asarray(got)[1].any()
    shorter = np.asarray(layer.compute_mask(spoilt, mask))
    np.testing.assert_array_equal(shorter.sum(axis=1), [len(starts), 0])
    strided = LengthMask(stride=pool)(got, np.array([time, 0]))
    np.testing.assert_array_equal(strided, shorter)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("time", [1, 2, 6, 7])
def test_folding(size, time):
    x, layer = x_of(time), FoldSteps(size)
    missing = -time % size
    padded = np.concatenate([x[:, :1].repeat(missing, axis=1), x], axis=1)
    expected = padded.reshape(2, -1, size * 3)
    np.testing.assert_array_equal(layer(x), expected)
    assert layer.compute_output_shape(x.shape) == expected.shape


@pytest.mark.parametrize("time", [2, 5, 9])
def test_shuffle(time):
    x, layer = x_of(time), DimensionShuffle(5)
    expected = np.zeros((2, 3, 5), "float32")
    expected[:, :, : min(time, 5)] = x.transpose(0, 2, 1)[:, :, :5]
    np.testing.assert_array_equal(layer(x), expected)
    assert layer.compute_output_shape(x.shape) == expected.shape


LAYERS = [
    MaskedConv1D(4, 3),
    FoldSteps(2),
    MaskedMaxPooling1D(2),
    DimensionShuffle(5),
]


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_dynamic_time_in_every_dtype_and_reloaded(policy, tmp_path):
    x = keras.Input((None, 3), name="x")
    lengths = keras.Input((), dtype="int32", name="lengths")
    mask = LengthMask(name="mask", dtype=policy)(x, lengths)
    outputs = [LengthMask(stride=2, name="half")(x, lengths)]
    for layer in LAYERS:
        config = {**layer.get_config(), "dtype": policy, "name": type(layer).__name__}
        twin = type(layer).from_config(config)
        assert twin.get_config().keys() == layer.get_config().keys()
        takes_mask = "mask" in layer.call.__code__.co_varnames
        outputs.append(twin(x, **({"mask": mask} if takes_mask else {})))
    model = keras.Model({"x": x, "lengths": lengths}, outputs)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    for time in (4, 7):
        inputs = {"x": x_of(time), "lengths": np.array([time, 2])}
        for symbolic, one, other in zip(
            outputs, model.predict_on_batch(inputs), again.predict_on_batch(inputs), strict=True
        ):
            np.testing.assert_array_equal(one, other)
            assert str(one.dtype) == symbolic.dtype
            assert one.ndim == symbolic.ndim
            assert one.shape[-1] == (symbolic.shape[-1] or one.shape[-1])


@pytest.mark.parametrize("make", [FoldSteps, MaskedMaxPooling1D, DimensionShuffle])
def test_sizes_are_positive(make):
    with pytest.raises(ValueError, match="expected a positive integer, got 0"):
        make(0)
