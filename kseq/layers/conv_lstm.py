"""The convolutional LSTM, for maps of any rank, with peepholes."""

from __future__ import annotations

from typing import Any, Literal

import keras
from keras import ops

ConvPeephole = Literal["diagonal", "channel"]
_LAST = "channels_last"


@keras.saving.register_keras_serializable(package="kseq")
class ConvLSTMCell(keras.layers.Layer):
    """One step of an LSTM whose input, states and gates are maps.

    With σ the sigmoid, * a convolution and ∘ the element-wise product:

        i = σ(W_xi * x + W_hi * h' + W_ci ∘ c' + b_i)
        f = σ(W_xf * x + W_hf * h' + W_cf ∘ c' + b_f)
        c = f ∘ c' + i ∘ tanh(W_xc * x + W_hc * h' + b_c)
        o = σ(W_xo * x + W_ho * h' + W_co ∘ c + b_o)
        h = o ∘ tanh(c)

    where h' and c' are the states of the step before. The output gate sees the new cell state. The
    convolution of the state keeps its size. The maps are lines, planes or volumes, channels last:
    the cell learns which from its first input.

    Kernels and biases lie as in the cell of `keras.layers.ConvLSTM2D` (gates in the order i, f, c,
    o): without peepholes the two are one and the same.

    Args:
        filters: Positive integer, the channels of both states.
        kernel_size: What a filter spans: an integer, or one for each side of the map.
        peephole: What the gates see of the cell state: with `"diagonal"` each unit has weights of
            its own, as in the paper, so that all maps must have one size; with `"channel"` all
            places of a channel share theirs; with None they see nothing.
        strides: Of the input's convolution, as `kernel_size`.
        padding: Of the input's convolution, `"valid"` or `"same"`.
        dilation_rate: Of the input's convolution, as `kernel_size`.
        activation: What the cell's input and output pass through.
        recurrent_activation: What the gates pass through.
        use_bias: Whether the gates have a bias.
        unit_forget_bias: Whether the forget gate's bias starts at one.
        kernel_initializer: Initializer of the input's kernel.
        recurrent_initializer: Initializer of the state's kernel.
        bias_initializer: Initializer of the bias.
        peephole_initializer: Initializer of the peepholes. Zeros start as if there were none.
        **kwargs: What `keras.layers.Layer` takes: `name`, `dtype`, `trainable`.

    Call arguments:
        inputs: A tensor `(batch, ..., channels)` with one, two or three axes between.
        states: The two states `[h, c]`, each `(batch, ..., filters)`.

    Raises:
        ValueError: If `peephole` or `padding` is none of those named, `filters` is not positive, a
            size is given for another number of sides than the map has, or `"diagonal"` peepholes
            are asked for and the size of the map is not known.

    Example:
        >>> cell = ConvLSTMCell(4, 3, padding="same", peephole="diagonal")
        >>> none = keras.ops.zeros((2, 8, 8, 4))
        >>> output, (h, c) = cell(keras.ops.ones((2, 8, 8, 1)), [none, none])
        >>> tuple(output.shape)
        (2, 8, 8, 4)

    Reference:
        Shi et al. (2015), Convolutional LSTM network: a machine learning approach for precipitation
        nowcasting.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        *,
        peephole: ConvPeephole | None = None,
        strides: Any = 1,
        padding: Literal["valid", "same"] = "valid",
        dilation_rate: Any = 1,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        unit_forget_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        peephole_initializer: Any = "zeros",
        **kwargs: Any,
    ) -> None:
        if peephole not in ("diagonal", "channel", None):
            raise ValueError(f"peephole: expected 'diagonal', 'channel' or None, got {peephole!r}")
        if padding not in ("valid", "same"):
            raise ValueError(f"padding: expected 'valid' or 'same', got {padding!r}")
        if filters < 1:
            raise ValueError(f"filters: expected a positive integer, got {filters!r}")
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.peephole = peephole
        self.strides = strides
        self.padding = padding
        self.dilation_rate = dilation_rate
        self.activation = keras.activations.get(activation)
        self.recurrent_activation = keras.activations.get(recurrent_activation)
        self.use_bias = use_bias
        self.unit_forget_bias = unit_forget_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.recurrent_initializer = keras.initializers.get(recurrent_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.peephole_initializer = keras.initializers.get(peephole_initializer)
        self.state_size = [filters, filters]

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        rank = len(input_shape) - 2
        self._spans = _each(self.kernel_size, rank, "kernel_size")
        self._strides = _each(self.strides, rank, "strides")
        self._dilations = _each(self.dilation_rate, rank, "dilation_rate")
        gates = 4 * self.filters
        self.kernel = self.add_weight(
            shape=(*self._spans, input_shape[-1], gates),
            name="kernel",
            initializer=self.kernel_initializer,
        )
        self.recurrent_kernel = self.add_weight(
            shape=(*self._spans, self.filters, gates),
            name="recurrent_kernel",
            initializer=self.recurrent_initializer,
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(shape=(gates,), name="bias", initializer=self._first_bias)
        self.peephole_kernel = None
        if self.peephole is not None:
            size = self.map_size(input_shape[1:-1]) if self.peephole == "diagonal" else ()
            if None in size:
                raise ValueError(
                    "peephole 'diagonal' has a weight for each place of a map, but the size of the "
                    f"input {tuple(input_shape)} is not known; choose 'channel'"
                )
            # The gates i, f, o side by side.
            self.peephole_kernel = self.add_weight(
                shape=(*size, 3 * self.filters),
                name="peephole_kernel",
                initializer=self.peephole_initializer,
            )

    def _first_bias(self, shape: Any, dtype: Any = None) -> Any:
        if not self.unit_forget_bias:
            return self.bias_initializer(shape, dtype=dtype)
        one, three = (self.filters,), (3 * self.filters,)
        given = self.bias_initializer(three, dtype=dtype)
        forget = ops.ones(one, dtype=dtype)
        return ops.concatenate([given[: self.filters], forget, given[self.filters :]])

    def map_size(self, size: Any) -> tuple[Any, ...]:
        """The sides of a state for an input of sides `size`, static or not."""
        sides: list[Any] = []
        for side, span, stride, dilation in zip(
            size, self._spans, self._strides, self._dilations, strict=True
        ):
            if side is None:
                sides.append(None)
            elif self.padding == "same":
                sides.append((side + stride - 1) // stride)
            else:
                sides.append((side - (span - 1) * dilation - 1) // stride + 1)
        return tuple(sides)

    def call(self, inputs: Any, states: Any) -> tuple[Any, list[Any]]:
        h, c = states
        plain = self.padding == "same" and set(self._strides) == set(self._dilations) == {1}
        if plain:  # one convolution, of both
            kernel = ops.concatenate([self.kernel, self.recurrent_kernel], axis=-2)
            z = ops.conv(ops.concatenate([inputs, h], axis=-1), kernel, 1, "same", _LAST)
        else:
            z = ops.conv(inputs, self.kernel, self._strides, self.padding, _LAST, self._dilations)
            z = z + ops.conv(h, self.recurrent_kernel, 1, "same", _LAST)
        if self.bias is not None:
            z = z + self.bias
        z_i, z_f, z_c, z_o = ops.split(z, 4, axis=-1)
        i = self.recurrent_activation(self._peep(z_i, c, 0))
        f = self.recurrent_activation(self._peep(z_f, c, 1))
        c = f * c + i * self.activation(z_c)
        o = self.recurrent_activation(self._peep(z_o, c, 2))
        h = o * self.activation(c)
        return h, [h, c]

    def _peep(self, z: Any, c: Any, gate: int) -> Any:
        """Adds what a gate sees of the cell state."""
        if self.peephole_kernel is None:
            return z
        return z + c * self.peephole_kernel[..., gate * self.filters : (gate + 1) * self.filters]

    def first_states(self, inputs: Any) -> list[Any]:
        """The states that a sequence starts from, zeros, for inputs `(batch, ..., channels)`."""
        batch, *size, _ = ops.shape(inputs)
        none = ops.zeros((batch, *self.map_size(size), self.filters), dtype=self.compute_dtype)
        return [none, none]

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...], states_shape: Any = None
    ) -> Any:
        state = (input_shape[0], *self.map_size(input_shape[1:-1]), self.filters)
        return state, [state, state]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "peephole": self.peephole,
            "strides": self.strides,
            "padding": self.padding,
            "dilation_rate": self.dilation_rate,
            "activation": keras.activations.serialize(self.activation),
            "recurrent_activation": keras.activations.serialize(self.recurrent_activation),
            "use_bias": self.use_bias,
            "unit_forget_bias": self.unit_forget_bias,
            **{
                name: keras.initializers.serialize(getattr(self, name))
                for name in (
                    "kernel_initializer",
                    "recurrent_initializer",
                    "bias_initializer",
                    "peephole_initializer",
                )
            },
        }


def _each(value: Any, rank: int, name: str) -> tuple[int, ...]:
    """One integer for each side of a map."""
    values = (value,) * rank if isinstance(value, int) else tuple(value)
    if len(values) != rank or min(values) < 1:
        raise ValueError(f"{name}: expected a positive integer or {rank} of them, got {value!r}")
    return values


@keras.saving.register_keras_serializable(package="kseq")
class ConvLSTM(keras.layers.RNN):
    """A convolutional LSTM over a sequence of maps: lines, planes or volumes.

    Use it as `keras.layers.ConvLSTM2D`, for maps of any rank, but for dropout, regularizers and
    constraints, which it has not; `ConvLSTMCell` has the equations.

    Args:
        filters: Positive integer, the channels of the output.
        kernel_size: What a filter spans: an integer, or one for each side of the map.
        return_sequences: Whether to return every step's output, or the last one alone.
        return_state: Whether to return the last states h and c as well.
        go_backwards: Whether to read the sequence from its end.
        stateful: Whether the states of one batch start the next.
        name: The layer's name.
        dtype: The layer's dtype or dtype policy.
        trainable: Whether its weights are trained.
        **cell: The arguments of `ConvLSTMCell`: `peephole`, `padding`, `strides` and so on.

    Call arguments:
        sequences: A tensor `(batch, time, ..., channels)`.
        initial_state: The states `[h, c]` to start from, each `(batch, ..., filters)`.
        mask: A boolean tensor `(batch, time)`, the valid steps first.

    Masking:
        A masked step leaves the states as they are and repeats the output before it.

    Raises:
        ValueError: If the input has another number of axes, or for what `ConvLSTMCell` raises it.

    Example:
        >>> tuple(ConvLSTM(4, 3, peephole="channel")(keras.ops.ones((2, 5, 8, 8, 1))).shape)
        (2, 6, 6, 4)
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        *,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        name: str | None = None,
        dtype: Any = None,
        trainable: bool = True,
        **cell: Any,
    ) -> None:
        super().__init__(
            ConvLSTMCell(
                filters,
                kernel_size,
                name="conv_lstm_cell",
                dtype=dtype,
                trainable=trainable,
                **cell,
            ),
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            name=name,
            dtype=dtype,
            trainable=trainable,
        )

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        if not 4 <= len(sequences_shape) <= 6:
            raise ValueError(
                "expected (batch, time, ..., channels) with one, two or three axes between, got "
                f"{tuple(sequences_shape)}"
            )
        self._step_shape = (None, *sequences_shape[2:])
        if not self.cell.built:
            self.cell.build(self._step_shape)
            self.cell.built = True
        super().build(sequences_shape)

    def get_initial_state(self, batch_size: Any) -> list[Any]:
        """The states, zeros, where the maps have a known size."""
        state, _ = self.cell.compute_output_shape(self._step_shape)
        return [ops.zeros((batch_size, *state[1:]), dtype=self.cell.compute_dtype)] * 2

    def call(
        self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False
    ) -> Any:
        if initial_state is None and not self.stateful:
            initial_state = self.cell.first_states(sequences[:, 0])
        return super().call(sequences, initial_state=initial_state, mask=mask, training=training)

    def compute_output_shape(self, sequences_shape: Any, initial_state_shape: Any = None) -> Any:
        batch, time, *step = sequences_shape
        state, _ = self.cell.compute_output_shape((batch, *step))
        output = (batch, time, *state[1:]) if self.return_sequences else state
        return (output, state, state) if self.return_state else output

    @property
    def filters(self) -> int:
        """The channels of the output."""
        return self.cell.filters

    def get_config(self) -> dict[str, Any]:
        layer = super().get_config()
        del layer["cell"], layer["unroll"], layer["zero_output_for_mask"]
        return {**self.cell.get_config(), **layer}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> ConvLSTM:
        return cls(**config)
