"""Convolutional LSTMs with the input's convolution in one go.

This file imports TensorFlow by name. Keras convolves input and state of every step gate by gate.
Here the input of all steps is convolved at once, a step has one convolution of its state, what is
between is compiled by XLA, and the weights' gradients are convolutions over all steps.
"""

from __future__ import annotations

import functools
from typing import Any

import keras
from keras import ops

from kseq.layers import compiled
from kseq.layers.cells import CELLS
from kseq.layers.recurrent import Recurrence

if keras.config.backend() == "tensorflow":
    import tensorflow as tf

_CELL = CELLS["lstm"]


class ConvRecurrence(Recurrence):
    """The part of a convolutional LSTM that chooses how its loop is run."""

    unit = "lstm"

    def _refuses(self) -> dict[str, bool]:
        cell = self.cell
        return {
            "the backend is not TensorFlow": keras.config.backend() != "tensorflow",
            "its channels come first": cell.data_format != "channels_last",
            "it returns states": self.return_state or self.stateful,
        }

    def _way(self, ragged: bool) -> Any:
        if self.slow_because is not None or ragged:
            return None
        purpose = compiled.current_purpose()
        return purpose and functools.partial(_conv_lstm, self.cell, purpose == "training")


@keras.saving.register_keras_serializable("kseq")
class ConvLSTM1D(ConvRecurrence, keras.layers.ConvLSTM1D):
    """`keras.layers.ConvLSTM1D`, quicker on a CPU inside the trainings and estimators of kseq.

    Arguments, weights and results are those of Keras's layer. The fast path asks for TensorFlow,
    float32, channels last, the standard activations, no dropout, no mask and no returned states.

    Example:
        >>> tuple(ConvLSTM1D(4, 3, padding="same")(keras.ops.ones((2, 5, 8, 1))).shape)
        (2, 8, 4)

    Reference:
        Shi et al. (2015), Convolutional LSTM network.
    """


@keras.saving.register_keras_serializable("kseq")
class ConvLSTM2D(ConvRecurrence, keras.layers.ConvLSTM2D):
    """`keras.layers.ConvLSTM2D`, quicker on a CPU inside the trainings and estimators of kseq.

    Arguments, weights and results are those of Keras's layer; for the fast path see `ConvLSTM1D`.

    Example:
        >>> tuple(ConvLSTM2D(4, 3)(keras.ops.ones((2, 5, 8, 8, 1))).shape)
        (2, 6, 6, 4)

    Reference:
        Shi et al. (2015), Convolutional LSTM network.
    """


@keras.saving.register_keras_serializable("kseq")
class ConvLSTM3D(ConvRecurrence, keras.layers.ConvLSTM3D):
    """`keras.layers.ConvLSTM3D`, quicker on a CPU inside the trainings and estimators of kseq.

    Arguments, weights and results are those of Keras's layer; for the fast path see `ConvLSTM1D`.

    Example:
        >>> tuple(ConvLSTM3D(2, 2)(keras.ops.ones((1, 3, 4, 4, 4, 1))).shape)
        (1, 3, 3, 3, 2)

    Reference:
        Shi et al. (2015), Convolutional LSTM network.
    """


# --- one step, but for its convolution: compiled, for maps of one size ---


@functools.cache
def _update() -> Any:
    def update(of_input: Any, of_state: Any, c: Any) -> Any:
        states, gates = _CELL.update(of_input, of_state, (None, c), None)
        return (*states, gates)

    return tf.function(update, jit_compile=True, autograph=False)


@functools.cache
def _back() -> Any:
    def back(d_h: Any, d_c: Any, gates: Any, before: Any, c: Any) -> Any:
        factors = _CELL.factors(gates, (None, before), (None, c), None)
        d_gates, _, (_, d_before) = _CELL.back((d_h, d_c), factors, None)
        return d_gates, d_before

    return tf.function(back, jit_compile=True, autograph=False)


def _conv_lstm(
    cell: Any,
    keep: bool,
    x: Any,
    weights: compiled.Weights,
    initial: Any,
    *,
    all_states: bool,
) -> list[Any]:
    """The outputs after every step, `(batch, time, ..., filters)`, of `x` alike with channels."""
    time = tf.shape(x)[1]

    def of_input(x: Any, kernel: Any) -> Any:
        return ops.conv(x, kernel, cell.strides, cell.padding, "channels_last", cell.dilation_rate)

    def of_state(h: Any, kernel: Any) -> Any:
        return ops.conv(h, kernel, 1, "same", "channels_last")

    def turned(array: Any) -> Any:
        """Batch and time change places."""
        return tf.transpose(array, (1, 0, *range(2, array.shape.rank)))

    def flat(array: Any) -> Any:
        return tf.reshape(array, (-1, *array.shape[2:]))

    def unflat(array: Any) -> Any:
        return tf.reshape(array, (time, -1, *array.shape[1:]))

    def steps(values: Any) -> Any:
        return tf.TensorArray(tf.float32, time).unstack(values)

    def array() -> Any:
        return tf.TensorArray(tf.float32, time)

    def gradients(convolve: Any, x: Any, kernel: Any, d: Any) -> Any:
        """Of both; what they ask for of the convolution itself is not computed a second time."""
        with tf.GradientTape() as tape:
            tape.watch([x, kernel])
            y = convolve(x, kernel)
        return tape.gradient(y, [x, kernel], d)

    @tf.custom_gradient
    def run(x: Any, kernel: Any, bias: Any, recurrent: Any, h: Any, c: Any) -> Any:
        x = turned(x)
        inputs = steps(unflat(of_input(flat(x), kernel) + bias))

        def step(t: Any, h: Any, c: Any, arrays: Any) -> Any:
            h, c, gates = _update()(inputs.read(t), of_state(h, recurrent), c)
            h.set_shape(state)
            c.set_shape(state)
            values = [h, c, gates][: len(arrays)]
            return t + 1, h, c, [a.write(t, v) for a, v in zip(arrays, values, strict=True)]

        state = h.shape
        arrays = [array() for _ in range(3 if keep else 1)]
        *_, arrays = tf.while_loop(lambda t, *_: t < time, step, (0, h, c, arrays))
        hs, *others = (each.stack() for each in arrays)
        hs.set_shape((None, *state))

        def gradient(d_outputs: Any) -> Any:
            assert keep, "no gradient is taken of what was compiled for prediction"
            cs, gates = others
            gates.set_shape((None, *state[:-1], 4 * state[-1]))
            given, kept = steps(turned(d_outputs)), steps(gates)
            before = tf.concat([c[None], cs[:-1]], axis=0)
            cells, cells_before = steps(cs), steps(before)

            def step(t: Any, d_h: Any, d_c: Any, collected: Any) -> Any:
                d_gates, d_c = _back()(
                    d_h + given.read(t), d_c, kept.read(t), cells_before.read(t), cells.read(t)
                )
                d_h, _ = gradients(of_state, h, recurrent, d_gates)
                d_c.set_shape(state)
                return t - 1, d_h, d_c, collected.write(t, d_gates)

            none = tf.zeros_like(c)
            _, d_h, d_c, collected = tf.while_loop(
                lambda t, *_: t >= 0, step, (time - 1, none, none, array())
            )
            d_gates = collected.stack()
            d_gates.set_shape(gates.shape)
            d_x, d_kernel = gradients(of_input, flat(x), kernel, flat(d_gates))
            outputs_before = tf.concat([h[None], hs[:-1]], axis=0)
            _, d_recurrent = gradients(of_state, flat(outputs_before), recurrent, flat(d_gates))
            d_bias = tf.reduce_sum(flat(d_gates), axis=range(d_gates.shape.rank - 2))
            return turned(unflat(d_x)), d_kernel, d_bias, d_recurrent, d_h, d_c

        return turned(hs), gradient

    kernel, bias, recurrent = (tf.convert_to_tensor(w) for w in weights[:3])
    outputs = run(x, kernel, bias, recurrent, *initial)
    outputs.set_shape((*x.shape[:2], *outputs.shape[2:]))
    return [outputs]
