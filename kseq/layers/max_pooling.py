"""Max-pooling whose windows do not move with the padding."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

_LOWEST = -6e4  # within float16


@keras.saving.register_keras_serializable(package="kseq")
class MaskedMaxPooling1D(keras.layers.Layer):
    """The highest valid value in each window of `pool` steps, windows aligned at the first step.

    The last window may be shorter. A window without any valid step gives zeros and is masked.

    Args:
        pool: Steps a window.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: A tensor `(batch, time, features)`.
        mask: A boolean tensor `(batch, time)`, or None.

    Masking:
        `compute_mask(inputs, mask)` is the mask of the shorter sequence.

    Example:
        >>> x = keras.ops.convert_to_tensor([[[1.0], [4.0], [3.0]]])
        >>> MaskedMaxPooling1D(2)(x).numpy().tolist()
        [[[4.0], [3.0]]]
    """

    def __init__(self, pool: int, **kwargs: Any) -> None:
        if pool < 1:
            raise ValueError(f"pool: expected a positive integer, got {pool}")
        super().__init__(**kwargs)
        self.pool = pool
        self.supports_masking = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if mask is not None:
            inputs = ops.where(ops.expand_dims(mask, -1), inputs, _LOWEST)
        highest = self._windows(inputs, _LOWEST)
        if mask is not None:
            some = self.compute_mask(inputs, mask)
            highest = ops.where(ops.expand_dims(some, -1), highest, 0)
        return highest

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        if mask is None:
            return None
        valid = ops.expand_dims(ops.cast(mask, "float32"), -1)
        return self._windows(valid, 0.0)[..., 0] > 0

    def _windows(self, x: Any, filling: float) -> Any:
        """The highest value of each window of `(batch, time, features)`."""
        padded = ops.pad(x, ((0, 0), (0, self.pool - 1), (0, 0)), constant_values=filling)
        return ops.max_pool(padded, self.pool, self.pool, "valid", "channels_last")

    def compute_output_shape(self, input_shape: tuple[Any, ...]) -> tuple[Any, ...]:
        batch, time, features = input_shape
        return (batch, None if time is None else -(-time // self.pool), features)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "pool": self.pool}
