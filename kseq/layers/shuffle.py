"""Time and features change places."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kseq")
class DimensionShuffle(keras.layers.Layer):
    """Views `(batch, time, features)` as `features` steps of `time` values each.

    Args:
        time: The number of time steps of the output. A shorter sequence is padded with zeros at its
            end, a longer one is cut there.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: A tensor `(batch, time, features)`, of which every step is valid.

    Example:
        >>> x = keras.ops.convert_to_tensor([[[1.0], [2.0]]])
        >>> DimensionShuffle(3)(x).numpy().tolist()
        [[[1.0, 2.0, 0.0]]]

    Reference:
        Karim et al. (2018), LSTM fully convolutional networks for time series classification.
    """

    def __init__(self, time: int, **kwargs: Any) -> None:
        if time < 1:
            raise ValueError(f"time: expected a positive integer, got {time}")
        super().__init__(**kwargs)
        self.time = time

    def call(self, inputs: Any) -> Any:
        padded = ops.pad(inputs, ((0, 0), (0, self.time), (0, 0)))
        return ops.transpose(padded[:, : self.time], (0, 2, 1))

    def compute_output_shape(self, input_shape: tuple[Any, ...]) -> tuple[Any, ...]:
        return (input_shape[0], input_shape[2], self.time)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "time": self.time}
