"""Gradients of networks against central differences of the same equations in float64."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from kseq.builders.build import build
from kseq.explain.equations import recompute
from kseq.explain.gradients import Differentiable
from kseq.spec import Spec

LENGTHS = [4, 2, 1]


def weights_of(layer):
    return [keras.ops.convert_to_numpy(weight).astype(np.float64) for weight in layer.weights]


def states(layer, x):
    """The outputs of a recurrent layer over one sequence, in NumPy."""
    if not isinstance(layer, keras.layers.SimpleRNN):
        return recompute(layer.cell, x)["hidden"]
    kernel, recurrent, bias = weights_of(layer)
    h, found = np.zeros(layer.units), []
    for features in x:
        h = np.tanh(features @ kernel + h @ recurrent + bias)
        found.append(h)
    return np.stack(found)


def score(network, x, lengths):
    """All scores of a stack of one layer, summed with weights 1, 2, ..."""
    layer = next(each for each in network.layers if "_1" in each.name)
    kernel, bias = weights_of(network.get_layer("scores"))
    total = 0.0
    for row, length in zip(x, lengths, strict=True):
        valid = row[:length]
        if isinstance(layer, keras.layers.Bidirectional):
            ahead = states(layer.forward_layer, valid)[-1]
            back = states(layer.backward_layer, valid[::-1])[-1]
            context = np.concatenate([ahead, back])
        else:
            context = states(layer, valid)[-1]
        total += (context @ kernel + bias) @ np.arange(1, kernel.shape[1] + 1)
    return total


def draw(network):
    """Weights that are larger and less regular than those of the start."""
    rng = np.random.default_rng(1)
    for weight in network.weights:
        weight.assign(rng.normal(scale=0.3, size=weight.shape))


CASES = [
    pytest.param(cell, units, both, marks=[] if quick else [pytest.mark.slow])
    for cell in ("rnn", "gru", "lstm", "slstm")
    for units in (3, 33)  # the wider one is compiled in trainings
    for both in (False, True)
    for quick in [(cell, units, both) == ("lstm", 33, True)]
]


@pytest.mark.parametrize(("cell", "units", "both"), CASES)
def test_gradients_are_those_of_finite_differences(cell, units, both):
    model = {"builder": "stacked_rnn", "cell": cell, "units": units, "bidirectional": both}
    network = build(model, Spec(features=2, outputs=2))
    draw(network)
    x = np.random.default_rng(2).normal(size=(3, 4, 2))
    lengths = np.array(LENGTHS, np.int32)
    named = {tensor.name: tensor for tensor in network.inputs}
    function = Differentiable(keras.Model([named["x"], named["lengths"]], network.output))
    given = [x.astype(np.float32), lengths]
    weights = np.tile(np.array([1.0, 2.0], np.float32), (3, 1))
    assert (function(given) * weights).sum() == pytest.approx(score(network, x, lengths), rel=1e-4)
    found = function.gradient(given, weights)
    expected = np.zeros_like(x)
    for place in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[place] = 1e-5
        expected[place] = (
            score(network, x + step, lengths) - score(network, x - step, lengths)
        ) / 2e-5
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
    for row, length in enumerate(LENGTHS):  # padding is not seen
        assert not found[row, length:].any()
        assert found[row, :length].any()


def test_an_output_that_does_not_depend_on_the_input_has_a_gradient_of_zero():
    x, other = keras.Input((2,)), keras.Input((2,))
    function = Differentiable(keras.Model([x, other], 3 * other))
    one = np.ones((1, 2), np.float32)
    assert function.gradient([one, one], one).tolist() == [[0.0, 0.0]]
