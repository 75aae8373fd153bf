"""From lengths to a mask."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kseq")
class LengthMask(keras.layers.Layer):
    """The mask of sequences that lie at the left of their padding.

    Args:
        stride: How many steps of the original sequence one step of `inputs` stands for.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: The sequences, a tensor `(batch, time, features)`, of which only the time counts.
        lengths: The number of valid leading steps, an integer tensor `(batch,)`.

    Returns:
        A boolean tensor `(batch, time)`, True for valid steps.

    Example:
        >>> LengthMask()(keras.ops.ones((1, 3, 2)), keras.ops.convert_to_tensor([2])).numpy()
        array([[ True,  True, False]])
    """

    def __init__(self, *, stride: int = 1, **kwargs: Any) -> None:
        super().__init__(**{"autocast": False, **kwargs})
        self.stride = stride
        self.supports_masking = True

    def call(self, inputs: Any, lengths: Any) -> Any:
        steps = ops.arange(ops.shape(inputs)[1], dtype="int32") * self.stride
        return ops.expand_dims(steps, 0) < ops.expand_dims(ops.cast(lengths, "int32"), 1)

    def compute_output_spec(self, inputs: Any, lengths: Any) -> keras.KerasTensor:
        return keras.KerasTensor(inputs.shape[:2], dtype="bool")

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        return None  # what it returns is a mask, and has none

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "stride": self.stride}
