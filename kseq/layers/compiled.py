"""Recurrences compiled by XLA.

This file imports TensorFlow by name. Keras runs a recurrence as a loop of some twenty small
operations a step, forwards and backwards. Here the input's product is one for all steps, what
remains of a step is compiled, and the weights' gradients are products over all steps. Rows of a
batch are worked on in blocks, one by each core: products of a step are then small enough that
TensorFlow does not share them among cores, which costs more than it brings.

XLA compiles for sizes that are known. So blocks have one of a few numbers of rows, and the number
of steps is filled up to one of a few; the loop runs over the real ones alone.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal, NamedTuple

import keras

from kseq.layers.cells import CELLS

if keras.config.backend() == "tensorflow":
    import tensorflow as tf

Purpose = Literal["training", "prediction"]

_CORES = os.cpu_count() or 1
_ROWS = 16  # of a block: with more, TensorFlow shares the products; with less they are slower
_FEWEST = 8  # rows of a block that is made for a core without work
_PURPOSE: ContextVar[Purpose | None] = ContextVar("purpose", default=None)
# Compiling takes a second or so, which narrower layers hardly earn back.
NARROWEST = 32


@contextmanager
def compiled_for(purpose: Purpose | None) -> Iterator[None]:
    """Lets recurrent layers that are called here be compiled: in a graph that is not saved.

    Args:
        purpose: For `training`, forward loops keep what the gradient needs; None compiles nothing.
    """
    token = _PURPOSE.set(purpose)
    try:
        yield
    finally:
        _PURPOSE.reset(token)


def to_be_compiled(units: int, ragged: bool) -> bool:
    """Whether a layer is compiled if it is called now.

    That is in a graph alone, and for predictions where all sequences are equally long: there may be
    too few of them to compile for every length.

    Args:
        units: The size of its state.
        ragged: Whether sequences differ in length.
    """
    purpose = None if tf.executing_eagerly() else _PURPOSE.get()
    pays = purpose == "training" or (purpose == "prediction" and not ragged)
    return pays and units >= NARROWEST


# --- what XLA compiles: the loops over one block of rows, in time-major arrays ---


def _steps(values: Any) -> Any:
    return tf.TensorArray(tf.float32, tf.shape(values)[0]).unstack(values)


class Asked(NamedTuple):
    """What a forward loop gives: of all steps."""

    states: int  # how many of them
    keep: bool  # whether what the gradient needs as well


@functools.cache
def _forwards(name: str, asked: Asked) -> Any:
    """The states of all steps that are asked for, `(time, rows, units)` each, and what is kept."""
    cell = CELLS[name]

    def loop(length: Any, of_input: Any, weights: Any, extra: Any, states: Any) -> Any:
        inputs, time = _steps(of_input), tf.shape(of_input)[0]
        first = cell.update(of_input[0], tf.matmul(states[0], weights), states, extra)[1]

        def step(t: Any, states: Any, _: Any, arrays: Any) -> tuple[Any, ...]:
            products = inputs.read(t), tf.matmul(states[0], weights)
            states, kept = cell.update(*products, states, extra)
            values = [*states[: asked.states], *[kept] * asked.keep]
            arrays = [a.write(t, value) for a, value in zip(arrays, values, strict=True)]
            # What leaves the loop is computed once.
            return t + 1, states, kept if apart else (), arrays

        apart = cell.apart and not asked.keep
        arrays = [tf.TensorArray(tf.float32, time) for _ in range(asked.states + asked.keep)]
        _, _, kept, arrays = tf.while_loop(
            lambda t, *_: t < length,
            step,
            (0, tuple(states), tf.zeros_like(first) if apart else (), arrays),
        )
        return [each.stack() for each in arrays], kept

    return tf.function(loop, jit_compile=True, autograph=False)


@functools.cache
def _backwards(name: str) -> Any:
    """The gradients of the products (with the state, with the input), first states and `extra`."""
    cell = CELLS[name]

    def loop(
        length: Any,
        d_outputs: Any,
        kept: Any,
        first: Any,
        states: Any,
        weights: Any,
        extra: Any,
    ) -> Any:
        before = [
            tf.concat([begin[None], state[:-1]], axis=0)
            for begin, state in zip(first, states, strict=True)
        ]
        factors = _steps(cell.factors(kept, before, states, extra))
        given, time = [_steps(each) for each in d_outputs], tf.shape(kept)[0]

        def step(t: Any, d_states: Any, arrays: Any) -> tuple[Any, ...]:
            d_states = list(d_states)
            for number, each in enumerate(given):
                d_states[number] += each.read(t)
            d_input, d_product, d_before = cell.back(d_states, factors.read(t), extra)
            values = [d_product] if cell.joined else [d_product, d_input]
            arrays = [a.write(t, d) for a, d in zip(arrays, values, strict=True)]
            through = tf.matmul(d_product, weights)
            return t - 1, (d_before[0] + through, *d_before[1:]), arrays

        arrays = [tf.TensorArray(tf.float32, time) for _ in range(2 - cell.joined)]
        _, d_first, arrays = tf.while_loop(
            lambda t, *_: t >= 0,
            step,
            (length - 1, tuple(tf.zeros_like(state) for state in first), arrays),
        )
        d_products = [each.stack() for each in arrays]
        return d_products, d_first, cell.extra(d_products[0], before, states)

    return tf.function(loop, jit_compile=True, autograph=False)


# --- all rows of a batch ---


class Weights(NamedTuple):
    """The weights of a recurrent layer, as tensors."""

    kernel: Any  # (features, gates * units)
    bias: Any  # (gates * units,)
    recurrent: Any  # (units, gates * units)
    extra: Any  # (n,): peepholes, or the GRU's bias inside the reset gate; empty if there are none


def recurrence(
    name: str,
    x: Any,
    weights: Weights,
    initial: Sequence[Any],
    *,
    all_states: bool,
    ragged: bool,
) -> list[Any]:
    """The outputs of a recurrent layer, or its states, after every step.

    Args:
        name: The cell, of `CELLS`.
        x: `(batch, time, features)`.
        weights: The layer's weights.
        initial: The first states, `(batch, units)` each.
        all_states: Whether all states are asked for, not the first one alone, the output.
        ragged: Whether batches differ in their number of steps.

    Returns:
        `(batch, time, units)` each.
    """
    cell, keep = CELLS[name], _PURPOSE.get() == "training"
    asked = Asked(cell.states if keep or all_states else 1, keep)
    batch, time = tf.shape(x)[0], tf.shape(x)[1]
    blocks = tf.maximum(-(-batch // _ROWS), tf.minimum(_CORES, batch // _FEWEST))
    blocks = tf.maximum(1, blocks)
    rows = tf.maximum(1, -(-batch // (4 * blocks))) * 4
    steps = _filled(time, ragged) if x.shape[1] is None else max(1, x.shape[1])
    features, units = weights.kernel.shape[0], weights.recurrent.shape[0]

    def to_blocks(array: Any) -> Any:
        """From `(batch, time, width)` to `(blocks, steps, rows, width)`, filled with zeros."""
        fill = [(0, blocks * rows - batch), (0, steps - tf.shape(array)[1]), (0, 0)]
        shaped = tf.reshape(tf.pad(array, fill), (blocks, rows, steps, array.shape[-1]))
        return tf.transpose(shaped, (0, 2, 1, 3))

    def from_blocks(array: Any, width: int) -> Any:
        array = tf.transpose(array, (0, 2, 1, 3))
        return tf.reshape(array, (blocks * rows, steps, width))[:batch, :time]

    def by_block(count: int, work: Callable[[Any], Sequence[Any]]) -> list[Any]:
        """Stacks what `work` gives for each block; the blocks are worked on at the same time."""

        def each(block: Any, arrays: Any) -> tuple[Any, Any]:
            given = work(block)
            return block + 1, [a.write(block, g) for a, g in zip(arrays, given, strict=True)]

        arrays = [tf.TensorArray(tf.float32, blocks) for _ in range(count)]
        _, arrays = tf.while_loop(
            lambda block, _: block < blocks, each, (0, arrays), parallel_iterations=_CORES
        )
        return [array.stack() for array in arrays]

    @tf.custom_gradient
    def run(x: Any, kernel: Any, bias: Any, recurrent: Any, extra: Any, *first: Any) -> Any:
        begin = [tf.pad(state, [(0, blocks * rows - batch), (0, 0)]) for state in first]
        begin = [tf.reshape(state, (blocks, rows, units)) for state in begin]
        x = to_blocks(x)

        def flat(array: Any, width: int) -> Any:
            return tf.reshape(array, (-1, width))

        def forwards(block: Any) -> Any:
            of_input = tf.nn.bias_add(tf.matmul(flat(x[block], features), kernel), bias)
            of_input = tf.reshape(of_input, (steps, rows, kernel.shape[1]))
            initial = tuple(state[block] for state in begin)
            return _forwards(name, asked)(time, of_input, recurrent, extra, initial)[0]

        arrays = by_block(asked.states + keep, forwards)
        states, kept = arrays[: asked.states], arrays[-1]

        def gradient(*given: Any) -> Any:
            assert keep, "no gradient is taken of what was compiled for prediction"
            d_outputs = [to_blocks(each) for each in given]
            kernel_back, recurrent_back = tf.transpose(kernel), tf.transpose(recurrent)

            def backwards(block: Any) -> Any:
                def of_block(arrays: Any) -> Any:
                    return [array[block] for array in arrays]

                first, after = of_block(begin), of_block(states)
                d_products, d_first, d_extra = _backwards(name)(
                    time, of_block(d_outputs), kept[block], first, after, recurrent_back, extra
                )
                d_state = d_products[0]
                d_input = flat(d_products[-1], kernel.shape[1])
                d_recurrent = tf.matmul(first[0], d_state[0], transpose_a=True) + tf.matmul(
                    flat(after[0][:-1], units),
                    flat(d_state[1:], kernel.shape[1]),
                    transpose_a=True,
                )
                return [
                    tf.reshape(tf.matmul(d_input, kernel_back), (steps, rows, features)),
                    tf.matmul(flat(x[block], features), d_input, transpose_a=True),
                    tf.matmul(tf.ones((1, steps * rows)), d_input)[0],
                    d_recurrent,
                    d_extra,
                    *d_first,
                ]

            d_x, *others = by_block(5 + cell.states, backwards)
            d_weights = [tf.reduce_sum(each, axis=0) for each in others[:4]]
            d_first = [flat(each, units)[:batch] for each in others[4:]]
            return from_blocks(d_x, features), *d_weights, *d_first

        outputs = [from_blocks(state, units) for state in states]
        return outputs if all_states else outputs[0], gradient

    # Variables as such would want to be told to the gradient.
    given = run(x, *map(tf.convert_to_tensor, weights), *initial)
    states = list(given) if all_states else [given]
    for state in states:
        state.set_shape((*x.shape[:2], weights.recurrent.shape[0]))
    return states


def _filled(time: Any, ragged: bool) -> Any:
    """The number of steps that is compiled for: two sizes an octave if ragged, else eight.

    The fill is computed in large products alone: a third of them at most, or an eighth.
    """
    octaves = [range(8 << o, 16 << o, (4 if ragged else 1) << o) for o in range(18)]
    sizes = tf.constant([size for octave in octaves for size in octave])
    return tf.gather(sizes, tf.searchsorted(sizes, time[None])[0])
