"""Scaling by statistics that travel with the model."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kseq")
class Standardize(keras.layers.Layer):
    """(x - mean) / scale for each feature, or x * scale + mean.

    Built as the identity; `set_statistics` gives it its numbers, which are saved as weights but not
    trained. It computes and returns float32 at least, whatever the dtype policy: raw numbers
    overflow float16.

    Args:
        invert: Whether to go back to the original scale.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: A tensor `(..., features)`.

    Masking:
        A mask is passed on.

    Example:
        >>> layer = Standardize()
        >>> layer.build((None, None, 1))
        >>> layer.set_statistics([10.0], [2.0])
        >>> layer(keras.ops.convert_to_tensor([[[14.0]]])).numpy().tolist()
        [[[2.0]]]
    """

    def __init__(self, *, invert: bool = False, **kwargs: Any) -> None:
        super().__init__(**{"autocast": False, **kwargs})
        self.invert = invert
        self.supports_masking = True

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        dtype = keras.backend.result_type(self.variable_dtype, "float32")
        fixed = {"trainable": False, "dtype": dtype, "autocast": False}
        shape = (input_shape[-1],)
        self.mean = self.add_weight(shape=shape, initializer="zeros", name="mean", **fixed)
        self.scale = self.add_weight(shape=shape, initializer="ones", name="scale", **fixed)

    def set_statistics(self, mean: Any, scale: Any) -> None:
        """Sets both weights, each from `(features,)` numbers.

        Raises:
            ValueError: If the layer is not built, the sizes differ, or a scale is not above 0.
        """
        if not self.built:
            raise ValueError("build the layer before setting its statistics")
        scale = ops.convert_to_numpy(scale)
        if not (scale > 0).all():
            raise ValueError(f"scale: expected positive numbers, got {scale.tolist()}")
        self.mean.assign(mean)
        self.scale.assign(scale)

    def call(self, inputs: Any) -> Any:
        x = ops.cast(inputs, self.mean.dtype)
        return x * self.scale + self.mean if self.invert else (x - self.mean) / self.scale

    def compute_output_spec(self, inputs: Any) -> keras.KerasTensor:
        return keras.KerasTensor(inputs.shape, dtype=self.mean.dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "invert": self.invert}
