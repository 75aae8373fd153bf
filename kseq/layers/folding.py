"""Several steps as one."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kseq")
class FoldSteps(keras.layers.Layer):
    """Lays each `size` consecutive steps side by side: fewer steps, more features.

    Folds end at the last step. Where the number of steps is no multiple of `size`, the first step
    is repeated in front: nothing is lost, and nothing jumps as it would with zeros.

    Args:
        size: Steps a fold.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: A tensor `(batch, time, features)`, of which every step is valid.

    Example:
        >>> x = keras.ops.convert_to_tensor([[[1.0], [2.0], [3.0]]])
        >>> FoldSteps(2)(x).numpy().tolist()
        [[[1.0, 1.0], [2.0, 3.0]]]

    Reference:
        Nie et al. (2023), A time series is worth 64 words (patches of a series).
    """

    def __init__(self, size: int, **kwargs: Any) -> None:
        if size < 1:
            raise ValueError(f"size: expected a positive integer, got {size}")
        super().__init__(**kwargs)
        self.size = size

    def call(self, inputs: Any) -> Any:
        front = ops.repeat(inputs[:, :1], self.size - 1, axis=1)
        padded = ops.concatenate([front, inputs], axis=1)
        # Of the steps in front, those that fill no fold go again.
        spare = (ops.shape(inputs)[1] + self.size - 1) % self.size
        folds = (ops.shape(inputs)[1] + self.size - 1) // self.size
        return ops.reshape(padded[:, spare:], (-1, folds, self.size * inputs.shape[-1]))

    def compute_output_shape(self, input_shape: tuple[Any, ...]) -> tuple[Any, ...]:
        batch, time, features = input_shape
        return (batch, None if time is None else -(-time // self.size), self.size * features)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size}
