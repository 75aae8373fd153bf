"""The LSTM as one operation of TensorFlow's, for graphs that are saved.

This file imports TensorFlow by name: on a CPU, Keras runs the LSTM as a loop of some twenty small
operations a step, forwards and backwards, while TensorFlow has the forward pass as a single one,
which TF Serving has too. The gradient is written out here: its loop does only what depends on the
next step, and the weights' share is one product over all steps. Rows of a batch are worked on in
blocks, one by each core.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras

if keras.config.backend() == "tensorflow":
    import tensorflow as tf


_TOGETHER = os.cpu_count() or 1


class Gates(NamedTuple):
    """What TensorFlow's operation gives for every step, each `(time, rows, units)`."""

    i: Any  # the input gate
    cs: Any  # the cell state
    f: Any  # the forget gate
    o: Any  # the output gate
    ci: Any  # the candidate, tanh of the cell input
    co: Any  # tanh of the cell state
    h: Any  # the output


def block_lstm(
    sequences: Any, weights: Any, bias: Any, initial: Sequence[Any], most: int | None
) -> list[Any]:
    """The outputs and the cell states of an LSTM after every step, `(batch, time, units)` each.

    Args:
        sequences: `(batch, time, features)`.
        weights: Those of the input above those of the state, `(features + units, 4 * units)`.
        bias: `(4 * units,)`. The gates stand in the order input, forget, cell, output.
        initial: The first output and cell state, `(batch, units)` each.
        most: Rows of a block; None for all of the batch.
    """
    batch, time = tf.shape(sequences)[0], tf.shape(sequences)[1]
    rows = tf.maximum(1, batch if most is None else tf.minimum(most, batch))
    blocks = -(-batch // rows)
    units = bias.shape[0] // 4

    def to_blocks(array: Any) -> Any:
        """From `(batch, time, width)` to `(blocks, time, rows, width)`, filled with zeros."""
        full = tf.pad(array, [(0, blocks * rows - batch), (0, 0), (0, 0)])
        shaped = tf.reshape(full, (blocks, rows, tf.shape(array)[1], tf.shape(array)[2]))
        return tf.transpose(
            tf.ensure_shape(shaped, (None, None, None, array.shape[2])), (0, 2, 1, 3)
        )

    def from_blocks(array: Any) -> Any:
        array = tf.transpose(array, (0, 2, 1, 3))
        return tf.reshape(array, (blocks * rows, time, units))[:batch]

    first = [to_blocks(state[:, None])[:, 0] for state in initial]
    states = _lstm(to_blocks(sequences), weights, tf.convert_to_tensor(bias), *first)
    return [from_blocks(state) for state in states]


def _lstm(x: Any, weights: Any, bias: Any, h: Any, c: Any) -> Any:
    """The outputs and cell states `(blocks, time, rows, units)`, the blocks at the same time."""
    count, time = tf.unstack(tf.shape(x)[:2])
    units = bias.shape[0] // 4

    def for_each_block(step: Any, arrays: Any) -> Any:
        return tf.while_loop(
            lambda block, *_: block < count,
            lambda block, *arrays: (block + 1, *step(block, arrays)),
            (0, *arrays),
            parallel_iterations=_TOGETHER,
        )[1:]

    def array(*shape: int | None) -> Any:
        return tf.TensorArray(tf.float32, count, element_shape=shape, clear_after_read=False)

    @tf.custom_gradient
    def run(x: Any, weights: Any, bias: Any, h: Any, c: Any) -> Any:
        no_peephole = tf.zeros((units,))

        def forwards(block: Any, arrays: Any) -> Any:
            gates = tf.raw_ops.BlockLSTMV2(
                seq_len_max=tf.cast(time, tf.int64),
                x=x[block],
                cs_prev=c[block],
                h_prev=h[block],
                w=weights,
                wci=no_peephole,
                wcf=no_peephole,
                wco=no_peephole,
                b=bias,
                cell_clip=0.0,
                use_peephole=False,
            )
            return [each.write(block, gate) for each, gate in zip(arrays, gates, strict=True)]

        arrays = for_each_block(forwards, [array(None, None, units) for _ in Gates._fields])
        # Arrays as such could not be captured by a gradient that is saved with a model.
        kept = Gates(*(each.stack() for each in arrays))

        def gradient(*d_states: Any) -> tuple[Any, ...]:
            recurrent = tf.transpose(weights[-units:])

            def backwards(block: Any, arrays: Any) -> Any:
                gates = Gates(*(each[block] for each in kept))
                d_block = [each[block] for each in d_states]
                found = _gate_gradient(d_block, gates, recurrent, c[block])
                return [each.write(block, d) for each, d in zip(arrays, found, strict=True)]

            widths = (None, None, 4 * units), (None, units), (None, units)
            arrays = for_each_block(backwards, [array(*shape) for shape in widths])
            d_gates, d_h, d_c = (each.stack() for each in arrays)
            flat = tf.reshape(d_gates, (-1, 4 * units))  # (count * time * rows, ...)
            seen = tf.concat([x, tf.concat([h[:, None], kept.h[:, :-1]], axis=1)], axis=-1)
            seen = tf.reshape(seen, (-1, weights.shape[0]))
            d_weights = tf.matmul(seen, flat, transpose_a=True)
            d_x = tf.matmul(flat, weights[:-units], transpose_b=True)
            return tf.reshape(d_x, tf.shape(x)), d_weights, tf.reduce_sum(flat, axis=0), d_h, d_c

        return (kept.h, kept.cs), gradient

    return run(x, weights, bias, h, c)


def _gate_gradient(d_states: Any, gates: Any, recurrent: Any, first: Any) -> Any:
    """The gradients of the gates' sums, `(time, rows, 4 * units)`, and of the first states."""
    i, f, o, candidate, squashed = gates.i, gates.f, gates.o, gates.ci, gates.co
    cell_before = tf.concat([first[None], gates.cs[:-1]], axis=0)
    # What does not depend on the next step is computed for all steps at once.
    to_gates = tf.concat(
        [
            candidate * i * (1 - i),
            cell_before * f * (1 - f),
            i * (1 - candidate * candidate),
            squashed * o * (1 - o),
        ],
        axis=-1,
    )
    time = tf.shape(f)[0]

    def steps(values: Any) -> Any:
        return tf.TensorArray(tf.float32, time).unstack(values)

    (d_outputs, d_cells), forget, to_gates = map(steps, d_states), steps(f), steps(to_gates)
    to_cell = steps(o * (1 - squashed * squashed))
    collected = tf.TensorArray(tf.float32, time, element_shape=(None, 4 * first.shape[-1]))

    def step(t: Any, d_h: Any, d_c: Any, collected: Any) -> tuple[Any, ...]:
        d_h = d_h + d_outputs.read(t)
        d_c = d_c + d_cells.read(t) + d_h * to_cell.read(t)
        d_gates = tf.concat([d_c, d_c, d_c, d_h], axis=-1) * to_gates.read(t)
        return (
            t - 1,
            tf.matmul(d_gates, recurrent),
            d_c * forget.read(t),
            collected.write(t, d_gates),
        )

    none = tf.zeros_like(first)
    _, d_h, d_c, collected = tf.while_loop(
        lambda t, *_: t >= 0, step, (time - 1, none, none, collected)
    )
    return collected.stack(), d_h, d_c
