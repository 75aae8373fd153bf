"""A temperature for scores."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kseq")
class Temperature(keras.layers.Layer):
    """Scores divided by a number, so that the probabilities made of them mean what they say.

    Args:
        **kwargs: Arguments of `keras.layers.Layer`.

    Weights:
        `temperature`, a number, 1 at first and not trained.

    Call arguments:
        scores: A tensor of any shape.

    Reference:
        Guo, Pleiss, Sun, Weinberger (2017), On calibration of modern neural networks.

    Example:
        >>> layer = Temperature()
        >>> layer(keras.ops.convert_to_tensor([[1.0, 3.0]])).numpy().tolist()
        [[1.0, 3.0]]
        >>> _ = layer.temperature.assign(2.0)
        >>> layer(keras.ops.convert_to_tensor([[1.0, 3.0]])).numpy().tolist()
        [[0.5, 1.5]]
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"autocast": False, **kwargs})
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        self.temperature = self.add_weight(
            shape=(),
            initializer="ones",
            trainable=False,
            dtype=keras.backend.result_type(self.variable_dtype, "float32"),
            autocast=False,
            name="temperature",
        )

    def call(self, scores: Any) -> Any:
        return ops.cast(scores, self.temperature.dtype) / self.temperature

    def compute_output_spec(self, scores: Any) -> keras.KerasTensor:
        return keras.KerasTensor(scores.shape, dtype=self.temperature.dtype)
