"""The cells that read and foretell, and what they start from."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from kseq.layers.frames import FrameRNN, NextFrameCell, StackedConvLSTMCell
from kseq.layers.frames_ahead import FramesAhead, LastSteps
from kseq.layers.sampling import ReadingLoss, ScheduledSampling


def randomised(layer, seed=3):
    random = np.random.default_rng(seed)
    layer.set_weights([random.normal(scale=0.4, size=w.shape) for w in layer.weights])
    return layer


def shown(frames, coins):
    """Frames with their channel of coins."""
    frames = np.asarray(frames, "float64")
    coins = np.broadcast_to(
        np.asarray(coins, "float64")[..., None, None, None], (*frames.shape[:-1], 1)
    )
    return np.concatenate([frames * coins, coins], axis=-1)


FRAMES = np.random.default_rng(0).random((2, 5, 6, 6, 1))


@pytest.mark.parametrize("output", ["change", "linear", "sigmoid"])
@pytest.mark.parametrize("layer_norm", [False, True])
def test_a_forecast_is_the_cell_stepped_by_hand(output, layer_norm):
    cell = NextFrameCell(
        [4, 3], 3, peephole="diagonal", layer_norm=layer_norm, output=output, dtype="float64"
    )
    layer = FrameRNN(cell, return_sequences=True, dtype="float64")
    coins = np.array([[1, 1, 0, 1, 0], [1, 0, 0, 0, 1]])
    x = shown(FRAMES, coins)
    layer(x)
    randomised(layer)
    found = layer(x).numpy()

    kernel, bias = cell.kernel.numpy(), cell.bias.numpy()
    states = [s.numpy() for s in cell.stack.first_states(FRAMES[:, 0])]
    before = np.zeros_like(FRAMES[:, 0])
    for t in range(5):
        true = coins[:, t].reshape(-1, 1, 1, 1)
        frame = true * FRAMES[:, t] + (1 - true) * before
        outputs, x = [], frame
        for number, inner in enumerate(cell.stack.cells):
            pair = states[2 * number : 2 * number + 2]
            x, pair = inner(x, pair)
            states[2 * number : 2 * number + 2] = pair
            if layer_norm:
                x = cell.stack.norms[number](x)
            outputs.append(np.asarray(x))
        made = np.concatenate(outputs, axis=-1) @ kernel + bias
        if output == "change":
            made = made + frame
        elif output == "sigmoid":
            made = 1 / (1 + np.exp(-made))
        np.testing.assert_allclose(found[:, t], made, rtol=0, atol=1e-12)
        before = np.clip(made, 0, 1)  # what is shown of it


def test_an_untrained_change_repeats_the_last_frame():
    layer = FrameRNN(NextFrameCell([4], 3), return_sequences=True)
    found = layer(shown(FRAMES, [[1, 1, 1, 0, 0]] * 2).astype("float32")).numpy()
    np.testing.assert_allclose(found[:, 3], FRAMES[:, 2], atol=1e-6)
    np.testing.assert_allclose(found[:, 4], FRAMES[:, 2], atol=1e-6)


def test_states_are_given_and_taken():
    """Read in two parts it is what it is read at once."""
    layer = FrameRNN(StackedConvLSTMCell([4, 3], 3), return_state=True)
    x = FRAMES.astype("float32")
    whole = layer(x)
    randomised(layer)
    whole = layer(x)
    _, *states = layer(x[:, :2])
    for got, want in zip(layer(x[:, 2:], initial_state=states), whole, strict=True):
        np.testing.assert_allclose(got, want, atol=1e-6)
    symbolic = layer.compute_output_shape((None, None, 6, 6, 1))
    assert [shape[1:] for shape in symbolic] == [tuple(t.shape[1:]) for t in whole]


def test_saved_and_loaded_it_is_the_same(tmp_path):
    past, ahead = keras.Input((None, 6, 6, 1)), keras.Input((None, 6, 6, 1))
    _, *states = FrameRNN(StackedConvLSTMCell([4], 3, layer_norm=True), return_state=True)(past)
    driver = ScheduledSampling(0.5, 10, seed=1)(past, ahead)
    frames = FrameRNN(NextFrameCell([4], 3, layer_norm=True), return_sequences=True)(
        driver, initial_state=states
    )
    model = keras.Model([past, ahead], LastSteps()(frames, ahead))
    randomised(model)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    x, y = FRAMES[:, :2].astype("float32"), FRAMES[:, 2:].astype("float32")
    assert model([x, y]).shape == (2, 3, 6, 6, 1)
    np.testing.assert_array_equal(model([x, y]), again([x, y]))


def coins(layer, training, horizon=200):
    past, future = np.ones((50, 1, 1, 1)), np.full((50, horizon + 1, 1, 1), 5.0)
    out = keras.ops.convert_to_numpy(layer(past, future, training=training))
    assert out.shape == (50, 1 + horizon, 1, 2)
    np.testing.assert_array_equal(out[:, 0, 0], [[1.0, 1.0]] * 50)
    # A frame is there where the coin says so, and nowhere else.
    np.testing.assert_array_equal(out[:, 1:, 0, 0], 5.0 * out[:, 1:, 0, 1])
    return out[:, 1:, 0, 1]


def test_true_frames_are_shown_less_and_less():
    layer = ScheduledSampling(0.8, 4, seed=0)
    shares = [coins(layer, True).mean() for _ in range(6)]
    np.testing.assert_allclose(shares, [0.8, 0.6, 0.4, 0.2, 0, 0], atol=0.02)
    assert float(layer.steps.numpy()) == 6


def test_prediction_never_sees_a_true_frame_and_counts_no_step():
    layer = ScheduledSampling(1.0, 4, seed=0)
    assert not coins(layer, False).any()
    assert float(layer.steps.numpy()) == 0
    assert coins(layer, True).all()


def test_what_is_random_follows_the_seed():
    one, other, third = (coins(ScheduledSampling(0.5, 9, seed=s), True) for s in (1, 1, 2))
    np.testing.assert_array_equal(one, other)
    assert (one != third).any()


def test_the_number_of_frames_ahead():
    x = np.ones((2, 3, 4, 5, 1), "float32")
    ahead = FramesAhead(7)(x)
    assert ahead.shape == (2, 7, 4, 5, 1) == FramesAhead(7).compute_output_shape(x.shape)
    assert not np.asarray(ahead).any()
    assert LastSteps()(ahead, x).shape == (2, 3, 4, 5, 1)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_true_frames_are_shown_in_mixed_precision_too(policy):
    layer = ScheduledSampling(0.5, 4, seed=0, dtype=policy)
    assert 0.4 < coins(layer, True).astype("float32").mean() < 0.6
    assert layer.steps.dtype == "float32"


def test_wrong_arguments():
    with pytest.raises(ValueError, match=r"output: expected one of .* got 'tanh'"):
        NextFrameCell([4], 3, output="tanh")
    with pytest.raises(ValueError, match="filters: expected a positive integer, got 0"):
        StackedConvLSTMCell([4, 0], 3)
    for option in ("stateful", "unroll"):
        with pytest.raises(ValueError, match=f"{option}: not for maps"):
            FrameRNN(StackedConvLSTMCell([4], 3), **{option: True})


def test_what_is_learned_by_reading():
    """The second to the last frame read, each foretold at the step before it."""
    layer = ReadingLoss(0.5)
    told = np.random.default_rng(1).normal(size=(2, 7, 6, 6, 1)).astype("float32")
    read = FRAMES.astype("float32")
    passed = np.arange(3.0)
    np.testing.assert_array_equal(layer(passed, told, read, training=True), passed)
    expected = 0.5 * np.mean((told[:, :4] - read[:, 1:]) ** 2)
    assert float(layer.losses[0]) == pytest.approx(expected, rel=1e-6)
    layer(passed, told, read, training=False)
    assert not layer.losses
    assert ReadingLoss.from_config(layer.get_config()).weight == 0.5
