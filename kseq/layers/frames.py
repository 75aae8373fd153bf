"""Frames from the frames before them: stacked convolutional LSTMs that read and foretell."""

from __future__ import annotations

from typing import Any, Literal, get_args

import keras
from keras import ops

from kseq.layers.conv_lstm import ConvLSTMCell, ConvPeephole

Output = Literal["change", "linear", "sigmoid"]


@keras.saving.register_keras_serializable(package="kseq")
class StackedConvLSTMCell(keras.layers.Layer):
    """One step of convolutional LSTMs above each other.

    Args:
        filters: The channels of each.
        kernel_size: What a filter spans, in every one.
        peephole: What the gates see of the cell state, see `ConvLSTMCell`.
        layer_norm: Whether each one's output is normalised over its channels.
        **kwargs: What `keras.layers.Layer` takes.

    Call arguments:
        inputs: A tensor `(batch, ..., channels)`.
        states: The states h and c of each, the lowest first, each `(batch, ..., filters)`.

    Returns:
        The outputs of all side by side, `(batch, ..., sum of filters)`, and the new states.

    Example:
        >>> cell = StackedConvLSTMCell([4, 2], 3)
        >>> x = keras.ops.ones((1, 8, 8, 1))
        >>> output, states = cell(x, cell.first_states(x))
        >>> tuple(output.shape), len(states)
        ((1, 8, 8, 6), 4)
    """

    def __init__(
        self,
        filters: list[int],
        kernel_size: Any,
        *,
        peephole: ConvPeephole | None = None,
        layer_norm: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = list(filters)
        self.kernel_size = kernel_size
        self.peephole = peephole
        self.layer_norm = layer_norm
        own = {"dtype": self.dtype_policy, "trainable": self.trainable}
        self.cells = [
            ConvLSTMCell(
                width,
                kernel_size,
                padding="same",
                peephole=peephole,
                name=f"conv_lstm_{number}",
                **own,
            )
            for number, width in enumerate(self.filters, start=1)
        ]
        self.norms = [
            keras.layers.LayerNormalization(name=f"norm_{number}", **own)
            for number in range(1, len(self.filters) + 1)
            if layer_norm
        ]
        self.state_size = [width for width in self.filters for _ in "hc"]

    def build(self, input_shape: Any) -> None:
        shape = tuple(input_shape)
        for number, cell in enumerate(self.cells):
            cell.build(shape)
            cell.built = True
            shape = (*shape[:-1], cell.filters)
            if self.norms:
                self.norms[number].build(shape)

    def first_states(self, inputs: Any) -> list[Any]:
        """The states that a sequence starts from, zeros, for inputs `(batch, ..., channels)`."""
        places = ops.shape(inputs)[:-1]
        return [ops.zeros((*places, size), dtype=self.compute_dtype) for size in self.state_size]

    def call(self, inputs: Any, states: Any) -> tuple[Any, list[Any]]:
        x, outputs, after = inputs, [], []
        for number, cell in enumerate(self.cells):
            x, new = cell(x, list(states[2 * number : 2 * number + 2]))
            after += new
            if self.norms:
                x = self.norms[number](x)
            outputs.append(x)
        return ops.concatenate(outputs, axis=-1), after

    def compute_output_shape(self, input_shape: Any, states_shape: Any = None) -> Any:
        places = tuple(input_shape[:-1])
        return (*places, sum(self.filters)), [(*places, size) for size in self.state_size]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "peephole": self.peephole,
            "layer_norm": self.layer_norm,
        }


@keras.saving.register_keras_serializable(package="kseq")
class NextFrameCell(keras.layers.Layer):
    """One step of a forecast: from a frame, and what is remembered, to the next frame.

    Pixels go from 0 to 1. What is foretold may lie beyond, for a loss to say so; the step after it
    goes on from the nearest value within.

    Args:
        filters: See `StackedConvLSTMCell`.
        kernel_size: See `StackedConvLSTMCell`.
        peephole: See `StackedConvLSTMCell`.
        layer_norm: See `StackedConvLSTMCell`.
        output: How a frame is made: as a `change` of the one before it, which starts at zero;
            `linear`; or by a `sigmoid`, with values from 0 to 1.
        **kwargs: What `keras.layers.Layer` takes.

    Call arguments:
        inputs: A step of what `ScheduledSampling` gives, `(batch, ..., channels + 1)`.
        states: Those of the stack, and the frame before, `(batch, ..., channels)`.

    Returns:
        The next frame, and the new states with it, brought into the range, at their end.

    Raises:
        ValueError: If `output` is none of the three.

    Example:
        >>> cell = NextFrameCell([4], 3)
        >>> step = keras.ops.ones((1, 8, 8, 2))
        >>> frame, states = cell(step, cell.first_states(step))
        >>> bool(keras.ops.all(frame == 1.0))  # of an untrained cell the frame before
        True
    """

    def __init__(
        self,
        filters: list[int],
        kernel_size: Any,
        *,
        peephole: ConvPeephole | None = None,
        layer_norm: bool = False,
        output: Output = "change",
        **kwargs: Any,
    ) -> None:
        if output not in get_args(Output):
            raise ValueError(f"output: expected one of {get_args(Output)}, got {output!r}")
        super().__init__(**kwargs)
        self.stack = StackedConvLSTMCell(
            filters,
            kernel_size,
            peephole=peephole,
            layer_norm=layer_norm,
            name="stack",
            dtype=self.dtype_policy,
            trainable=self.trainable,
        )
        self.output_kind = output

    @property
    def state_size(self) -> list[int]:
        """The channels of each state; the frame's own are known once the cell is built."""
        return [*self.stack.state_size, getattr(self, "channels", 1)]

    def build(self, input_shape: Any) -> None:
        self.channels = input_shape[-1] - 1
        step = (*input_shape[:-1], self.channels)
        self.stack.build(step)
        self.stack.built = True
        width = sum(self.stack.filters)
        self.kernel = self.add_weight(
            shape=(width, self.channels),
            name="kernel",
            initializer="zeros" if self.output_kind == "change" else "glorot_uniform",
        )
        self.bias = self.add_weight(shape=(self.channels,), name="bias", initializer="zeros")

    def first_states(self, inputs: Any) -> list[Any]:
        """The states that a sequence starts from, for inputs `(batch, ..., channels + 1)`."""
        return [*self.stack.first_states(inputs), ops.zeros_like(inputs[..., :-1])]

    def call(self, inputs: Any, states: Any) -> tuple[Any, list[Any]]:
        *remembered, before = states
        shown = inputs[..., -1:]
        frame = inputs[..., :-1] + (1.0 - shown) * before
        x, remembered = self.stack(frame, remembered)
        after = ops.matmul(x, self.kernel) + self.bias
        if self.output_kind == "change":
            after = after + frame
        elif self.output_kind == "sigmoid":
            after = ops.sigmoid(after)
        return after, [*remembered, ops.clip(after, 0.0, 1.0)]

    def compute_output_shape(self, input_shape: Any, states_shape: Any = None) -> Any:
        frame = (*input_shape[:-1], input_shape[-1] - 1)
        _, states = self.stack.compute_output_shape(frame)
        return frame, [*states, frame]

    def get_config(self) -> dict[str, Any]:
        stack = self.stack
        return {
            **super().get_config(),
            "filters": stack.filters,
            "kernel_size": stack.kernel_size,
            "peephole": stack.peephole,
            "layer_norm": stack.layer_norm,
            "output": self.output_kind,
        }


@keras.saving.register_keras_serializable(package="kseq")
class FrameRNN(keras.layers.RNN):
    """Runs a cell of this file over maps.

    Args:
        cell: A `StackedConvLSTMCell`, a `NextFrameCell`, or one like them: with `first_states` and
            `compute_output_shape`.
        return_sequences: Whether to return every step's output, or the last one alone.
        return_state: Whether to return the last states as well.
        **kwargs: What else `keras.layers.RNN` takes.

    Call arguments:
        sequences: A tensor `(batch, time, ..., channels)`.
        initial_state: The states to start from, as many as the cell has, or its first ones alone.

    Raises:
        ValueError: If it is to be stateful or unrolled: its states depend on the size of the maps.

    Example:
        >>> layer = FrameRNN(StackedConvLSTMCell([4], 3), return_state=True)
        >>> [tuple(each.shape) for each in layer(keras.ops.ones((1, 5, 8, 8, 1)))]
        [(1, 8, 8, 4), (1, 8, 8, 4), (1, 8, 8, 4)]
    """

    def __init__(
        self,
        cell: Any,
        *,
        return_sequences: bool = False,
        return_state: bool = False,
        **kwargs: Any,
    ) -> None:
        for option in ("stateful", "unroll"):
            if kwargs.get(option):
                raise ValueError(f"{option}: not for maps; leave it out")
        super().__init__(
            cell, return_sequences=return_sequences, return_state=return_state, **kwargs
        )

    def call(
        self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False
    ) -> Any:
        first = self.cell.first_states(sequences[:, 0])
        given = list(initial_state or [])
        return super().call(
            sequences, initial_state=[*given, *first[len(given) :]], mask=mask, training=training
        )

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        if not self.cell.built:
            self.cell.build((sequences_shape[0], *sequences_shape[2:]))
            self.cell.built = True

    def compute_output_shape(self, sequences_shape: Any, initial_state_shape: Any = None) -> Any:
        batch, time, *step = sequences_shape
        output, states = self.cell.compute_output_shape((batch, *step))
        if self.return_sequences:
            output = (batch, time, *output[1:])
        return (output, *states) if self.return_state else output
