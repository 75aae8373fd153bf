"""The LSTM with peephole gates and a skip connection."""

from __future__ import annotations

from typing import Any, Literal

import keras
from keras import ops

from kseq.layers.compiled import Weights
from kseq.layers.recurrent import Recurrence

Peephole = Literal["diagonal", "full"]


@keras.saving.register_keras_serializable(package="kseq")
class SLSTMCell(keras.layers.LSTMCell):
    """One step of an LSTM whose gates see the cell state and whose input skips past it.

    With σ the sigmoid and ∘ the element-wise product:

        i = σ(W_xi x + W_hi h' + W_ci c' + b_i)
        f = σ(W_xf x + W_hf h' + W_cf c' + b_f)
        c = f ∘ c' + i ∘ tanh(W_xc x + W_hc h' + b_c)
        o = σ(W_xo x + W_ho h' + W_co c + b_o)
        h = o ∘ tanh(c)
        output = h + P x

    where h' and c' are the states of the step before. The output gate sees the new cell state. The
    skip connection P is the identity where features == units, else a projection without bias; it
    is part of the output alone, not of the recurrent state h.

    Kernels and biases lie as in `keras.layers.LSTMCell` (gates in the order i, f, c, o): with zero
    peepholes and `skip=False` the two cells are one and the same.

    Args:
        units: Positive integer, the size of both states and of the output.
        peephole: `"diagonal"` for vectors W_ci, W_cf, W_co, `"full"` for matrices, None for none.
        skip: Whether to add the input to the output.
        peephole_initializer: Initializer for the peephole weights.
        skip_initializer: Initializer for the projection of the skip connection.
        **kwargs: Whatever else `keras.layers.LSTMCell` takes: `dropout`, `recurrent_dropout`,
            `seed`, `unit_forget_bias`, `kernel_initializer`, `recurrent_initializer`,
            `bias_initializer`, `name`, `dtype` and so on. Dropout does not touch the skip.

    Call arguments:
        inputs: A tensor `(batch, features)`.
        states: The two states `[h, c]`, each `(batch, units)`; or three, the output of the step
            before in front, if that is to be among the new states too.
        training: Whether to apply dropout.

    Masking:
        Where sequences are masked use `SLSTM`, not `keras.layers.RNN`: on some backends the latter
        takes h for the output of a masked step, without the skip.

    Raises:
        ValueError: If `peephole` is none of the three.

    Example:
        >>> rnn = keras.layers.RNN(SLSTMCell(4), return_sequences=True)
        >>> tuple(rnn(keras.ops.ones((2, 5, 3))).shape)
        (2, 5, 4)

    Reference:
        Gers & Schmidhuber (2000), Recurrent nets that time and count.
    """

    def __init__(
        self,
        units: int,
        *,
        peephole: Peephole | None = "diagonal",
        skip: bool = True,
        peephole_initializer: Any = "glorot_uniform",
        skip_initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        if peephole not in ("diagonal", "full", None):
            raise ValueError(f"peephole: expected 'diagonal', 'full' or None, got {peephole!r}")
        super().__init__(units, **kwargs)
        self.peephole = peephole
        self.skip = skip
        self.peephole_initializer = keras.initializers.get(peephole_initializer)
        self.skip_initializer = keras.initializers.get(skip_initializer)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        super().build(input_shape)
        self.peephole_kernel = None
        if self.peephole is not None:
            # The gates i, f, o side by side.
            rows = (self.units,) if self.peephole == "full" else ()
            self.peephole_kernel = self.add_weight(
                shape=(*rows, 3 * self.units),
                name="peephole_kernel",
                initializer=self.peephole_initializer,
            )
        self.skip_kernel = None
        if self.skip and input_shape[-1] != self.units:
            self.skip_kernel = self.add_weight(
                shape=(input_shape[-1], self.units),
                name="skip_kernel",
                initializer=self.skip_initializer,
            )

    def call(self, inputs: Any, states: Any, training: bool = False) -> tuple[Any, list[Any]]:
        *before, h, c = states
        input_mask = state_mask = None
        if training and self.dropout > 0:
            input_mask = self.get_dropout_mask(inputs)
        if training and self.recurrent_dropout > 0:
            state_mask = self.get_recurrent_dropout_mask(h)
        # shape: (batch, 4 * units)
        z = _gates(inputs, input_mask, self.kernel) + _gates(h, state_mask, self.recurrent_kernel)
        if self.bias is not None:
            z = z + self.bias
        # shape of each: (batch, units)
        z_i, z_f, z_c, z_o = ops.split(z, 4, axis=-1)
        i = self.recurrent_activation(self._peep(z_i, c, 0))
        f = self.recurrent_activation(self._peep(z_f, c, 1))
        c = f * c + i * self.activation(z_c)
        o = self.recurrent_activation(self._peep(z_o, c, 2))
        h = o * self.activation(c)
        output = self._skip(h, inputs)
        return output, [output, h, c] if before else [h, c]

    def _peep(self, z: Any, c: Any, gate: int) -> Any:
        """Adds what a gate sees of the cell state."""
        if self.peephole_kernel is None:
            return z
        weight = self.peephole_kernel[..., gate * self.units : (gate + 1) * self.units]
        return z + (c * weight if self.peephole == "diagonal" else ops.matmul(c, weight))

    def _skip(self, h: Any, inputs: Any) -> Any:
        if not self.skip:
            return h
        return h + (inputs if self.skip_kernel is None else ops.matmul(inputs, self.skip_kernel))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "peephole": self.peephole,
            "skip": self.skip,
            "peephole_initializer": keras.initializers.serialize(self.peephole_initializer),
            "skip_initializer": keras.initializers.serialize(self.skip_initializer),
        }


def _gates(x: Any, mask: Any, kernel: Any) -> Any:
    """The product of `(batch, width)` with a kernel of four gates, under dropout.

    Keras makes one mask for all gates, or a list of four where the recurrent state is dropped too.
    """
    if mask is None:
        return ops.matmul(x, kernel)
    if not isinstance(mask, list):
        return ops.matmul(x * mask, kernel)
    kernels = ops.split(kernel, 4, axis=1)
    return ops.concatenate(
        [ops.matmul(x * m, k) for m, k in zip(mask, kernels, strict=True)], axis=-1
    )


@keras.saving.register_keras_serializable(package="kseq")
class SLSTM(Recurrence):
    """An LSTM with peephole gates and a skip connection, over a whole sequence.

    Use it as `keras.layers.LSTM`; `SLSTMCell` has the equations.

    Args:
        units: Positive integer, the size of the output.
        return_sequences: Whether to return every step's output, or the last valid one alone.
        return_state: Whether to return the last states h and c as well.
        go_backwards: Whether to read the sequence from its end.
        stateful: Whether the states of one batch start the next.
        unroll: Whether to unroll the loop over time.
        zero_output_for_mask: Whether masked steps give zeros, not the output before them.
        name: The layer's name.
        dtype: The layer's dtype or dtype policy.
        trainable: Whether its weights are trained.
        **cell: The arguments of `SLSTMCell`: `peephole`, `skip`, `dropout`, `recurrent_dropout`,
            `seed` and so on.

    Call arguments:
        sequences: A tensor `(batch, time, features)`.
        initial_state: The states `[h, c]` to start from, each `(batch, units)`.
        mask: A boolean tensor `(batch, time)`, the valid steps first.
        training: Whether to apply dropout.

    Masking:
        A masked step leaves the states as they are and repeats the output before it.

    Example:
        >>> tuple(SLSTM(4, peephole="full")(keras.ops.ones((2, 5, 3))).shape)
        (2, 4)
    """

    def __init__(
        self,
        units: int,
        *,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        name: str | None = None,
        dtype: Any = None,
        trainable: bool = True,
        **cell: Any,
    ) -> None:
        super().__init__(
            SLSTMCell(units, name="slstm_cell", dtype=dtype, trainable=trainable, **cell),
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            unroll=unroll,
            zero_output_for_mask=zero_output_for_mask,
            name=name,
            dtype=dtype,
            trainable=trainable,
        )
        self.unit = "lstm" if self.cell.peephole is None else "peephole_lstm"

    def _refuses(self) -> dict[str, bool]:
        tells_states = self.return_state or self.stateful
        on_torch = keras.config.backend() == "torch"
        return {
            "of its full peepholes": self.cell.peephole == "full",
            "PyTorch has no kernel with peepholes": on_torch and self.cell.peephole is not None,
            "it returns states": on_torch and tells_states,
            **super()._refuses(),
        }

    def _weights(self) -> Weights:
        weights = super()._weights()
        if self.cell.peephole is None:
            return weights
        return weights._replace(extra=ops.convert_to_tensor(self.cell.peephole_kernel))

    def _output(self, h: Any, sequences: Any) -> Any:
        return self.cell._skip(h, sequences)

    def inner_loop(
        self, sequences: Any, initial_state: Any, mask: Any, training: bool = False
    ) -> tuple[Any, Any, Any]:
        if mask is None or not self.cell.skip or self._way(ragged=True) is not None:
            return super().inner_loop(sequences, initial_state, mask, training)
        # A masked step repeats the output before it, which Keras takes, depending on the backend,
        # from the first state. So the output, which is not h here, goes along as a state in front.
        before = ops.zeros_like(initial_state[0])
        last_output, outputs, states = keras.layers.RNN.inner_loop(
            self, sequences, [before, *initial_state], mask, training
        )
        return last_output, outputs, states[1:]

    @property
    def units(self) -> int:
        """The size of the output."""
        return self.cell.units

    def get_config(self) -> dict[str, Any]:
        layer = super().get_config()
        del layer["cell"]
        return {**self.cell.get_config(), **layer}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> SLSTM:
        return cls(**config)
