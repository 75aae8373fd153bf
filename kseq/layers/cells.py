"""Recurrent units for loops compiled by XLA: what happens between the products of a step.

This file imports TensorFlow by name. Gradients are written out, so that whatever does not depend on
the next step is computed for all steps at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import keras

if keras.config.backend() == "tensorflow":
    import tensorflow as tf


class Cell(NamedTuple):
    """A recurrent unit; arrays are `(..., width)`, and widths are multiples of the units.

    Attributes:
        states: How many states there are; the first one is the output.
        joined: Whether the two products are only seen as their sum, so that they share a gradient.
        apart: Whether XLA has to be kept from computing the gates anew wherever they are used.
        update: From the products with the input and with the state, the states before and a vector
            of further weights: the new states, and what is kept for the gradient.
        factors: From what was kept, the states before, the new states and the further weights:
            what the steps of the gradient multiply by. For all steps at once.
        back: From the gradients of the new states, the factors and the further weights: those of
            the two products, which may be one and the same, and of the states before.
        extra: From those of the products, the states before and the new states: that of the
            further weights, for all steps at once.
    """

    states: int
    joined: bool
    apart: bool
    update: Callable[[Any, Any, Any, Any], tuple[Any, Any]]
    factors: Callable[[Any, Any, Any, Any], Any]
    back: Callable[[Any, Any, Any], tuple[Any, Any, Any]]
    extra: Callable[[Any, Any, Any], Any]


def _split(x: Any, *widths: int) -> list[Any]:
    """Parts of the last axis, so many units wide."""
    units = tf.shape(x)[-1] // sum(widths)
    return tf.split(x, [width * units for width in widths], axis=-1)


def _activated(x: Any, kinds: str) -> Any:
    """The gates side by side in `x`: their sigmoid where the letter is s, their tanh where it is t.

    A sigmoid is a tanh, scaled and shifted, and one tanh over all gates is what XLA is quickest
    with: it computes gates apart anew wherever they are used.
    """
    units = tf.shape(x)[-1] // len(kinds)
    scale = tf.repeat(tf.constant([{"s": 0.5, "t": 1.0}[kind] for kind in kinds]), units)
    shift = tf.repeat(tf.constant([{"s": 0.5, "t": 0.0}[kind] for kind in kinds]), units)
    return tf.tanh(x * scale) * scale + shift


def _no_extra(d_product: Any, before: Any, states: Any) -> Any:
    return tf.zeros((0,))


def _rnn(of_input: Any, of_state: Any, states: Any, _: Any) -> tuple[Any, Any]:
    h = tf.tanh(of_input + of_state)
    return (h,), h


def _rnn_back(d_states: Any, factor: Any, _: Any) -> tuple[Any, Any, Any]:
    d_product = d_states[0] * factor
    return d_product, d_product, (tf.zeros_like(d_product),)


def _gru(of_input: Any, of_state: Any, states: Any, bias: Any) -> tuple[Any, Any]:
    x_zr, x_h = _split(of_input, 2, 1)
    h_zr, h_h = _split(of_state + bias, 2, 1)
    z, r = _split(_activated(x_zr + h_zr, "ss"), 1, 1)
    candidate = tf.tanh(x_h + r * h_h)
    return (z * (states[0] - candidate) + candidate,), tf.concat([z, r, candidate, h_h], -1)


def _gru_factors(kept: Any, before: Any, states: Any, _: Any) -> Any:
    z, r, candidate, h_h = _split(kept, 1, 1, 1, 1)
    to_candidate = (1 - z) * (1 - candidate * candidate)
    to_reset = to_candidate * h_h * r * (1 - r)
    to_update = (before[0] - candidate) * z * (1 - z)
    return tf.concat([to_update, to_reset, to_candidate, to_candidate * r, z], -1)


def _gru_back(d_states: Any, factors: Any, _: Any) -> tuple[Any, Any, Any]:
    d_h = d_states[0]
    gates, to_candidate, of_state, z = _split(factors, 2, 1, 1, 1)
    d_gates = tf.concat([d_h, d_h], -1) * gates
    d_input = tf.concat([d_gates, d_h * to_candidate], -1)
    return d_input, tf.concat([d_gates, d_h * of_state], -1), (d_h * z,)


def _lstm(of_input: Any, of_state: Any, states: Any, _: Any) -> tuple[Any, Any]:
    gates = _activated(of_input + of_state, "ssts")
    i, f, candidate, o = _split(gates, 1, 1, 1, 1)
    c = f * states[1] + i * candidate
    return (o * tf.tanh(c), c), gates


def _lstm_factors(gates: Any, before: Any, states: Any, _: Any) -> Any:
    i, f, candidate, o = _split(gates, 1, 1, 1, 1)
    squashed = tf.tanh(states[1])
    to_gates = [
        candidate * i * (1 - i),
        before[1] * f * (1 - f),
        i * (1 - candidate * candidate),
        squashed * o * (1 - o),
    ]
    return tf.concat([*to_gates, o * (1 - squashed * squashed), f], -1)


def _lstm_back(d_states: Any, factors: Any, _: Any) -> tuple[Any, Any, Any]:
    to_gates, to_cell, f = _split(factors, 4, 1, 1)
    d_h, d_c = d_states
    d_c = d_c + d_h * to_cell
    d_gates = tf.concat([d_c, d_c, d_c, d_h], -1) * to_gates
    return d_gates, d_gates, (tf.zeros_like(d_h), d_c * f)


def _peephole_lstm(of_input: Any, of_state: Any, states: Any, peephole: Any) -> tuple[Any, Any]:
    before, (p_i, p_f, p_o) = states[1], _split(peephole, 1, 1, 1)
    gates, out = _split(of_input + of_state, 3, 1)
    seen = tf.concat([before * p_i, before * p_f, tf.zeros_like(before)], -1)
    gates = _activated(gates + seen, "sst")
    i, f, candidate = _split(gates, 1, 1, 1)
    c = f * before + i * candidate
    o = _activated(out + c * p_o, "s")
    return (o * tf.tanh(c), c), tf.concat([gates, o], -1)


def _peephole_lstm_back(d_states: Any, factors: Any, peephole: Any) -> tuple[Any, Any, Any]:
    p_i, p_f, p_o = _split(peephole, 1, 1, 1)
    to_gates, to_out, to_cell, f = _split(factors, 3, 1, 1, 1)
    d_h, d_c = d_states
    d_o = d_h * to_out
    d_c = d_c + d_h * to_cell + d_o * p_o
    d_gates = tf.concat([d_c, d_c, d_c], -1) * to_gates
    d_i, d_f, _ = _split(d_gates, 1, 1, 1)
    d_gates = tf.concat([d_gates, d_o], -1)
    return d_gates, d_gates, (tf.zeros_like(d_h), d_c * f + d_i * p_i + d_f * p_f)


def _peephole_gradient(d_product: Any, before: Any, states: Any) -> Any:
    d_i, d_f, _, d_o = _split(d_product, 1, 1, 1, 1)
    return _over_steps(tf.concat([d_i * before[1], d_f * before[1], d_o * states[1]], -1))


def _over_steps(x: Any) -> Any:
    return tf.reduce_sum(x, axis=range(x.shape.rank - 1))


CELLS = {
    "rnn": Cell(1, True, False, _rnn, lambda h, *_: 1 - h * h, _rnn_back, _no_extra),
    "gru": Cell(1, False, True, _gru, _gru_factors, _gru_back, lambda d, *_: _over_steps(d)),
    "lstm": Cell(2, True, False, _lstm, _lstm_factors, _lstm_back, _no_extra),
    "peephole_lstm": Cell(
        2, True, True, _peephole_lstm, _lstm_factors, _peephole_lstm_back, _peephole_gradient
    ),
}
