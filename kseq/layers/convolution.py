"""A convolution that does not see padding."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kseq")
class MaskedConv1D(keras.layers.Conv1D):
    """`keras.layers.Conv1D` with masked steps zeroed first, which is what lies beyond the end.

    With `padding="same"` or `"causal"` and stride 1, which this layer is for, a valid step's output
    does not depend on how much padding follows.

    Args:
        filters: Output features.
        kernel_size: Steps that an output sees.
        **kwargs: What `keras.layers.Conv1D` takes beside them.

    Call arguments:
        inputs: A tensor `(batch, time, features)`.
        mask: A boolean tensor `(batch, time)`, or None.

    Masking:
        The mask is passed on.

    Raises:
        ValueError: If the time axis would change: other padding, or strides.

    Example:
        >>> layer = MaskedConv1D(4, 3, padding="same")
        >>> tuple(layer(keras.ops.ones((2, 5, 3))).shape)
        (2, 5, 4)
    """

    def __init__(self, filters: int, kernel_size: int, **kwargs: Any) -> None:
        super().__init__(filters, kernel_size, **{"padding": "same", **kwargs})
        if self.padding == "valid" or self.strides != (1,):
            raise ValueError(
                f"{self.name}: expected padding 'same' or 'causal' and strides 1, "
                f"got padding {self.padding!r} and strides {self.strides[0]}"
            )
        self.supports_masking = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if mask is not None:
            inputs = ops.where(ops.expand_dims(mask, -1), inputs, 0)
        return super().call(inputs)
