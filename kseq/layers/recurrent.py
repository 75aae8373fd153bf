"""Recurrent layers: those of Keras, computed in the quickest way that is at hand.

On TensorFlow that is a loop compiled by XLA where a graph is run and not saved (`compiled.py`), and
for saved ones, of the LSTM, one operation (`block_lstm.py`); on PyTorch its fused kernels
(`torch_kernels.py`). Whatever these do not know is left to Keras.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from kseq.layers import compiled, torch_kernels
from kseq.layers.block_lstm import block_lstm
from kseq.layers.compiled import Weights

if keras.config.backend() == "tensorflow":
    import tensorflow as tf

States = Sequence[Any]
Way = Callable[..., list[Any]]


class Recurrence(keras.layers.RNN):
    """The part of a recurrent layer that chooses how its loop is run.

    To be mixed in before a layer of Keras, whose arguments, weights and results stay as they are.
    """

    unit: str  # of `kseq.layers.cells.CELLS`

    @property
    def slow_because(self) -> str | None:
        """Why a loop of Keras's is run; None if a fast one is, in a training of kseq at least."""
        backend, cell = keras.config.backend(), self.cell
        checks = {
            f"the backend is {backend}": backend not in ("tensorflow", "torch"),
            "of recurrent_dropout": bool(cell.recurrent_dropout),
            "of dropout inside the layer": bool(cell.dropout),
            "it is unrolled": self.unroll,
            "of its activations": (
                cell.activation != keras.activations.tanh
                or getattr(cell, "recurrent_activation", keras.activations.sigmoid)
                != keras.activations.sigmoid
            ),
            "it has no bias": not cell.use_bias,
            f"it computes in {self.compute_dtype}": self.compute_dtype != "float32",
            **self._refuses(),
        }
        reason = next((reason for reason, holds in checks.items() if holds), None)
        if reason is None and _has_gpu():
            return "there is a GPU, which has faster ways"
        return reason

    def _refuses(self) -> dict[str, bool]:
        """More reasons why the fast ways cannot be taken, and whether they hold."""
        narrowest = compiled.NARROWEST
        return {
            f"it has less than {narrowest} units": (
                keras.config.backend() == "tensorflow" and self.cell.units < narrowest
            )
        }

    def _way(self, ragged: bool) -> Way | None:
        """The fast way that can be taken here."""
        if self.slow_because is not None:
            return None
        if keras.config.backend() == "torch":
            return functools.partial(torch_kernels.recurrence, self.unit)
        if compiled.to_be_compiled(self.cell.units, ragged):
            return functools.partial(compiled.recurrence, self.unit, ragged=ragged)
        return None

    def _weights(self) -> Weights:
        cell = self.cell
        bias = ops.convert_to_tensor(cell.bias)
        return Weights(
            kernel=ops.convert_to_tensor(cell.kernel),
            bias=bias,
            recurrent=ops.convert_to_tensor(cell.recurrent_kernel),
            extra=bias[:0],
        )

    def _output(self, h: Any, sequences: Any) -> Any:
        """The output where it is not the state."""
        return h

    def inner_loop(
        self, sequences: Any, initial_state: Any, mask: Any, training: bool = False
    ) -> tuple[Any, Any, list[Any]]:
        """Runs over the steps; the place where Keras lets a layer do that in its own way."""
        if isinstance(mask, (list, tuple)):
            mask = mask[0]
        way = self._way(ragged=mask is not None)
        if way is None:
            return super().inner_loop(sequences, initial_state, mask, training)
        initial = (
            list(initial_state) if isinstance(initial_state, (list, tuple)) else [initial_state]
        )
        lengths = None if mask is None else ops.sum(ops.cast(mask, "int32"), axis=1)
        if self.go_backwards:
            # Each sequence by itself, so that the padding stays behind the valid steps.
            sequences = _reverse(sequences, lengths)
        all_states = self.return_state or self.stateful
        arrays = way(sequences, self._weights(), initial, all_states=all_states)
        steps = self._output(arrays[0], sequences)
        if lengths is None:
            return steps[:, -1], steps, [array[:, -1] for array in arrays]
        some = ops.expand_dims(lengths > 0, 1)
        last, *states = (_at(array, lengths - 1) for array in [steps, *arrays])
        last = ops.where(some, last, ops.zeros_like(last))
        begin = initial[: len(states)]
        states = [ops.where(some, s, b) for s, b in zip(states, begin, strict=True)]
        if not self.return_sequences:
            return last, last, states
        place = ops.expand_dims(ops.arange(ops.shape(steps)[1]), 0)
        valid = ops.expand_dims(place < ops.expand_dims(lengths, 1), 2)
        if self.go_backwards:
            # Keras reads the padding first, while its output is still zero.
            steps = ops.where(valid, steps, ops.zeros_like(steps))
            return last, ops.flip(_reverse(steps, lengths), axis=1), states
        zero = self.zero_output_for_mask
        other = ops.zeros_like(steps) if zero else ops.expand_dims(last, 1)
        return last, ops.where(valid, steps, other), states


def _has_gpu() -> bool:
    if keras.config.backend() == "tensorflow":
        return bool(tf.config.list_logical_devices("GPU"))
    return torch_kernels.has_gpu()


def _at(steps: Any, place: Any) -> Any:
    """One step of each row, `(batch, units)`."""
    index = ops.reshape(ops.maximum(place, 0), (-1, 1, 1))
    return ops.take_along_axis(steps, index, axis=1)[:, 0]


def _reverse(sequences: Any, lengths: Any) -> Any:
    """Reverses every row within its length."""
    if lengths is None:
        return ops.flip(sequences, axis=1)
    if keras.config.backend() == "tensorflow":
        return tf.reverse_sequence(sequences, lengths, seq_axis=1)
    place, lengths = ops.expand_dims(ops.arange(sequences.shape[1]), 0), ops.expand_dims(lengths, 1)
    place = ops.where(place < lengths, lengths - 1 - place, place)
    return ops.take_along_axis(sequences, ops.expand_dims(place, 2), axis=1)


@keras.saving.register_keras_serializable("kseq")
class SimpleRNN(Recurrence, keras.layers.SimpleRNN):
    """`keras.layers.SimpleRNN`, quicker on a CPU inside the trainings and estimators of kseq.

    Arguments, weights and results are those of `keras.layers.SimpleRNN`. The fast path asks for
    TensorFlow or PyTorch, float32, the standard activations, and no dropout inside the layer.

    Masks have to be right-padded, as everywhere in kseq: the valid steps come first.

    Args:
        units: The size of the state.
        **options: The other arguments of `keras.layers.SimpleRNN`.

    Example:
        >>> tuple(SimpleRNN(8, return_sequences=True)(keras.ops.ones((2, 5, 3))).shape)
        (2, 5, 8)

    Reference:
        Elman (1990), Finding structure in time.
    """

    unit = "rnn"

    def __init__(self, units: int, **options: Any) -> None:
        super().__init__(units, **options)


@keras.saving.register_keras_serializable("kseq")
class GRU(Recurrence, keras.layers.GRU):
    """`keras.layers.GRU`, quicker on a CPU inside the trainings and estimators of kseq.

    Arguments, weights and results are those of `keras.layers.GRU`. The fast path asks for
    TensorFlow or PyTorch, float32, the standard activations, `reset_after`, and no dropout inside
    the layer.

    Masks have to be right-padded, as everywhere in kseq: the valid steps come first.

    Args:
        units: The size of the state.
        **options: The other arguments of `keras.layers.GRU`.

    Example:
        >>> tuple(GRU(8)(keras.ops.ones((2, 5, 3))).shape)
        (2, 8)

    Reference:
        Cho et al. (2014), Learning phrase representations using RNN encoder-decoder.
    """

    unit = "gru"

    def __init__(self, units: int, **options: Any) -> None:
        super().__init__(units, **options)

    def _refuses(self) -> dict[str, bool]:
        return {"it has no reset_after": not self.cell.reset_after, **super()._refuses()}

    def _weights(self) -> Weights:
        bias = ops.convert_to_tensor(self.cell.bias)  # that of the input, that of the state
        return super()._weights()._replace(bias=bias[0], extra=bias[1])


@keras.saving.register_keras_serializable("kseq")
class LSTM(Recurrence, keras.layers.LSTM):
    """`keras.layers.LSTM`, quicker on a CPU.

    Arguments, weights and results are those of `keras.layers.LSTM`. The fast paths ask for
    TensorFlow or PyTorch, float32, the standard activations, and no dropout inside the layer.

    Masks have to be right-padded, as everywhere in kseq: the valid steps come first.

    Args:
        units: The size of the state.
        block: In saved models and wherever else the loop is not compiled, rows of a batch that one
            core works on together. Products of a step run at full speed for sixteen, and for more
            are shared among cores at a loss. None takes the whole batch, which is better where the
            cores are busy with other layers meanwhile.
        **options: The other arguments of `keras.layers.LSTM`.

    Example:
        >>> tuple(LSTM(8, return_sequences=True)(keras.ops.ones((2, 5, 3))).shape)
        (2, 5, 8)

    Reference:
        Hochreiter and Schmidhuber (1997), Long short-term memory.
    """

    unit = "lstm"

    def __init__(self, units: int, *, block: int | None = 16, **options: Any) -> None:
        super().__init__(units, **options)
        self.block = block
        if self.slow_because is None and keras.config.backend() == "tensorflow":
            self.supports_jit = False  # XLA does not know the operation

    def _refuses(self) -> dict[str, bool]:
        tells_states = self.return_state or self.stateful
        return {"it returns states": keras.config.backend() == "torch" and tells_states}

    def _way(self, ragged: bool) -> Way | None:
        if keras.config.backend() == "tensorflow" and self.slow_because is None:
            return super()._way(ragged) or self._in_blocks
        return super()._way(ragged)

    def _in_blocks(
        self, x: Any, weights: Weights, initial: States, *, all_states: bool
    ) -> list[Any]:
        both = ops.concatenate([weights.kernel, weights.recurrent], axis=0)
        states = block_lstm(x, both, weights.bias, initial, self.block)
        return states if all_states else states[:1]

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {**super().get_config(), "block": self.block}
