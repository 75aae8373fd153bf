"""The LSTM as one operation.

This file imports TensorFlow by name: on a CPU, Keras runs the LSTM as a loop of some twenty small
operations a step, forwards and backwards, while TensorFlow has the forward pass as a single one.
The gradient is written out here: its loop does only what depends on the next step, and the weights'
share is one product over all steps. Rows of a batch are worked on in blocks, one by each core.
"""

from __future__ import annotations

import os
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


@keras.saving.register_keras_serializable("kseq")
class BlockLSTM(keras.layers.LSTM):
    """`keras.layers.LSTM` in few operations, mostly faster on a CPU with TensorFlow.

    Arguments, weights and results are those of `keras.layers.LSTM`. The fast path is taken for
    float32 on a machine without a GPU, with the standard activations, and without recurrent
    dropout, initial states or returned states; everything else is left to Keras.

    Masks have to be right-padded, as everywhere in kseq: the valid steps come first.

    Args:
        units: The size of the state.
        block: Rows of a batch that one core works on together. Products of a step run at full speed
            for sixteen, and for more are shared among cores at a loss. None takes the whole batch,
            which is better where the cores are busy with other layers at the same time.
        **options: The other arguments of `keras.layers.LSTM`.

    Example:
        >>> layer = BlockLSTM(8, return_sequences=True)
        >>> layer(keras.ops.ones((2, 5, 3))).shape  # (batch, time, units)
        TensorShape([2, 5, 8])

    Reference:
        Hochreiter and Schmidhuber (1997), Long short-term memory.
    """

    def __init__(self, units: int, *, block: int | None = 16, **options: Any) -> None:
        super().__init__(units, **options)
        self.block = block
        if self.slow_because is None:
            self.supports_jit = False  # XLA does not know the operation

    @property
    def slow_because(self) -> str | None:
        """Why the plain path of Keras is taken; None on the fast path."""
        checks = {
            "the backend is not TensorFlow": keras.config.backend() != "tensorflow",
            "of recurrent_dropout": bool(self.recurrent_dropout),
            "of dropout inside the layer": bool(self.dropout),
            "it returns states": self.return_state or self.stateful,
            "it is unrolled": self.unroll,
            "of its activations": (
                self.activation != keras.activations.tanh
                or self.recurrent_activation != keras.activations.sigmoid
            ),
            "it has no bias": not self.use_bias,
            f"it computes in {self.compute_dtype}": self.compute_dtype != "float32",
        }
        return next((reason for reason, holds in checks.items() if holds), None) or (
            "there is a GPU, where Keras calls cuDNN"
            if tf.config.list_logical_devices("GPU")
            else None
        )

    def call(
        self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False
    ) -> Any:
        """Runs the layer.

        Args:
            sequences: `(batch, time, features)`.
            initial_state: Two tensors `(batch, units)`; zeros if None.
            mask: `(batch, time)`, the valid steps first; None if all are valid.
            training: Passed on to Keras.

        Returns:
            `(batch, time, units)` with `return_sequences`, else the last valid step's
            `(batch, units)`.
        """
        if initial_state is not None or self.slow_because is not None:
            return super().call(sequences, initial_state, mask, training)
        if isinstance(mask, (list, tuple)):
            mask = mask[0]
        time = tf.shape(sequences)[1]
        lengths = None
        if mask is not None:
            lengths = tf.reduce_sum(tf.cast(mask, tf.int32), axis=1)
        if self.go_backwards:
            # Each sequence by itself, so that the padding stays behind the valid steps.
            sequences = _reverse(sequences, lengths)
        weights = tf.concat([self.cell.kernel, self.cell.recurrent_kernel], axis=0)
        steps = _from_blocks(
            _lstm(_to_blocks(sequences, self.block), weights, tf.convert_to_tensor(self.cell.bias)),
            tf.shape(sequences)[0],
        )
        if lengths is None:
            return steps if self.return_sequences else steps[:, -1]
        last = tf.gather(steps, tf.maximum(lengths - 1, 0), batch_dims=1)
        last = tf.where(lengths[:, None] > 0, last, tf.zeros_like(last))
        if not self.return_sequences:
            return last
        valid = tf.sequence_mask(lengths, time)[:, :, None]
        if self.go_backwards:
            # Keras reads the padding first, while its state is still zero.
            steps = tf.where(valid, steps, tf.zeros_like(steps))
            return tf.reverse(_reverse(steps, lengths), axis=[1])
        other = tf.zeros_like(steps) if self.zero_output_for_mask else last[:, None]
        return tf.where(valid, steps, other)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {**super().get_config(), "block": self.block}


def _reverse(sequences: Any, lengths: Any) -> Any:
    if lengths is None:
        return tf.reverse(sequences, axis=[1])
    return tf.reverse_sequence(sequences, lengths, seq_axis=1)


def _to_blocks(sequences: Any, most: int | None) -> Any:
    """From `(batch, time, features)` to `(blocks, time, rows, features)`, filled with zeros."""
    batch, time, features = tf.unstack(tf.shape(sequences))
    rows = tf.maximum(1, batch if most is None else tf.minimum(most, batch))
    blocks = -(-batch // rows)
    full = tf.pad(sequences, [(0, blocks * rows - batch), (0, 0), (0, 0)])
    shaped = tf.reshape(full, (blocks, rows, time, sequences.shape[-1] or features))
    return tf.transpose(shaped, (0, 2, 1, 3))


def _from_blocks(blocks: Any, batch: Any) -> Any:
    """From `(blocks, time, rows, units)` to `(batch, time, units)`."""
    shape = tf.shape(blocks)
    rows = tf.transpose(blocks, (0, 2, 1, 3))
    return tf.reshape(rows, (shape[0] * shape[2], shape[1], blocks.shape[-1]))[:batch]


def _lstm(x: Any, weights: Any, bias: Any) -> Any:
    """The outputs `(blocks, time, rows, units)` of an LSTM over `x`, alike with features.

    The blocks are worked on at the same time, one by each core.

    Args:
        x: The sequences.
        weights: Those of the input above those of the state, `(features + units, 4 * units)`.
        bias: `(4 * units,)`. The gates stand in the order input, forget, cell, output.
    """
    count, time, rows = tf.unstack(tf.shape(x)[:3])
    units = bias.shape[0] // 4

    def for_each_block(step: Any, arrays: Any) -> Any:
        return tf.while_loop(
            lambda block, *_: block < count,
            lambda block, *arrays: (block + 1, *step(block, arrays)),
            (0, *arrays),
            parallel_iterations=_TOGETHER,
        )[1:]

    def array(width: int) -> Any:
        return tf.TensorArray(
            tf.float32, count, element_shape=(None, None, width), clear_after_read=False
        )

    @tf.custom_gradient
    def run(x: Any, weights: Any, bias: Any) -> Any:
        none = tf.zeros((rows, units))
        no_peephole = tf.zeros((units,))

        def forwards(block: Any, arrays: Any) -> Any:
            gates = tf.raw_ops.BlockLSTMV2(
                seq_len_max=tf.cast(time, tf.int64),
                x=x[block],
                cs_prev=none,
                h_prev=none,
                w=weights,
                wci=no_peephole,
                wcf=no_peephole,
                wco=no_peephole,
                b=bias,
                cell_clip=0.0,
                use_peephole=False,
            )
            return [each.write(block, gate) for each, gate in zip(arrays, gates, strict=True)]

        arrays = for_each_block(forwards, [array(units) for _ in Gates._fields])
        # Arrays as such could not be captured by a gradient that is saved with a model.
        kept = Gates(*(each.stack() for each in arrays))

        def gradient(d_outputs: Any) -> tuple[Any, Any, Any]:
            recurrent = tf.transpose(weights[-units:])

            def backwards(block: Any, arrays: Any) -> Any:
                gates = Gates(*(each[block] for each in kept))
                d_gates = _gate_gradient(d_outputs[block], gates, recurrent, none)
                return [arrays[0].write(block, d_gates)]

            (d_gates,) = for_each_block(backwards, [array(4 * units)])
            flat = tf.reshape(d_gates.stack(), (-1, 4 * units))  # (count * time * rows, ...)
            before = tf.pad(kept.h[:, :-1], [(0, 0), (1, 0), (0, 0), (0, 0)])
            seen = tf.concat([x, before], axis=-1)
            seen = tf.reshape(seen, (-1, weights.shape[0]))
            d_weights = tf.matmul(seen, flat, transpose_a=True)
            d_x = tf.matmul(flat, weights[:-units], transpose_b=True)
            return tf.reshape(d_x, tf.shape(x)), d_weights, tf.reduce_sum(flat, axis=0)

        return kept.h, gradient

    return run(x, weights, bias)


def _gate_gradient(d_output: Any, gates: Any, recurrent: Any, none: Any) -> Any:
    """The gradient with respect to the gates' sums, `(time, rows, 4 * units)`."""
    i, f, o, candidate, squashed = gates.i, gates.f, gates.o, gates.ci, gates.co
    cell_before = tf.pad(gates.cs[:-1], [(1, 0), (0, 0), (0, 0)])
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
    time = tf.shape(d_output)[0]

    def steps(values: Any) -> Any:
        return tf.TensorArray(tf.float32, time).unstack(values)

    d_outputs, forget, to_gates = steps(d_output), steps(f), steps(to_gates)
    to_cell = steps(o * (1 - squashed * squashed))
    collected = tf.TensorArray(tf.float32, time, element_shape=(None, 4 * none.shape[-1]))

    def step(t: Any, d_h: Any, d_c: Any, collected: Any) -> tuple[Any, ...]:
        d_h = d_h + d_outputs.read(t)
        d_c = d_c + d_h * to_cell.read(t)
        d_gates = tf.concat([d_c, d_c, d_c, d_h], axis=-1) * to_gates.read(t)
        return (
            t - 1,
            tf.matmul(d_gates, recurrent),
            d_c * forget.read(t),
            collected.write(t, d_gates),
        )

    _, _, _, collected = tf.while_loop(
        lambda t, *_: t >= 0, step, (time - 1, none, none, collected)
    )
    return collected.stack()
