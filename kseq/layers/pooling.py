"""From a sequence to one vector."""

from __future__ import annotations

from typing import Any, Literal

import keras
from keras import ops

Pooling = Literal["mean", "max", "attention", "last", "ends"]


@keras.saving.register_keras_serializable(package="kseq")
class SequencePooling(keras.layers.Layer):
    """Pools the valid steps of `(batch, time, features)` into `(batch, features)`.

    A row without any valid step gives zeros.

    Args:
        mode: `"mean"` and `"max"` over the valid steps; `"attention"` for their mean weighted by
            softmax(v · tanh(W x + b)); `"last"` for the last valid step; `"ends"` for the first
            half of the features at the last valid step beside the second half at the first one,
            which is where the two directions of a bidirectional layer end.
        units: The width of the attention's hidden layer; None for as wide as the features.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: A tensor `(batch, time, features)`.
        mask: A boolean tensor `(batch, time)`, True for valid steps, which lead for `"last"` and
            `"ends"`; None if all are valid.

    Raises:
        ValueError: If there is no such mode.

    Example:
        >>> x = keras.ops.convert_to_tensor([[[1.0], [3.0], [99.0]]])
        >>> mask = keras.ops.convert_to_tensor([[True, True, False]])
        >>> SequencePooling("mean")(x, mask=mask).numpy().tolist()
        [[2.0]]

    Reference:
        Bahdanau et al. (2015), Neural machine translation by jointly learning to align and
        translate (the additive score).
    """

    def __init__(self, mode: Pooling = "mean", *, units: int | None = None, **kwargs: Any) -> None:
        modes = ("mean", "max", "attention", "last", "ends")
        if mode not in modes:
            raise ValueError(f"mode: expected one of {', '.join(modes)}, got {mode!r}")
        super().__init__(**kwargs)
        self.mode = mode
        self.units = units
        self.supports_masking = True

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        if self.mode == "attention":
            features = input_shape[-1]
            units = self.units or features
            wide = {"dtype": self._wide(self.variable_dtype), "autocast": False}
            self.kernel = self.add_weight(shape=(features, units), name="kernel", **wide)
            self.bias = self.add_weight(shape=(units,), initializer="zeros", name="bias", **wide)
            self.score = self.add_weight(shape=(units, 1), name="score", **wide)

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if self.mode in ("last", "ends"):
            return self._ends(inputs, mask)
        # Sums over time and the softmax are no work for float16.
        x = ops.cast(inputs, self._wide(self.compute_dtype))
        valid = None if mask is None else ops.expand_dims(mask, -1)  # shape: (batch, time, 1)
        pooled = getattr(self, f"_{self.mode}")(x, valid)
        return ops.cast(pooled, self.compute_dtype)

    def _mean(self, x: Any, valid: Any) -> Any:
        if valid is None:
            return ops.mean(x, axis=1)
        count = ops.sum(ops.cast(valid, x.dtype), axis=1)
        return ops.sum(ops.where(valid, x, 0), axis=1) / ops.maximum(count, 1)

    def _max(self, x: Any, valid: Any) -> Any:
        if valid is None:
            return ops.max(x, axis=1)
        highest = ops.max(ops.where(valid, x, -1e30), axis=1)
        return ops.where(ops.any(valid, axis=1), highest, 0)

    def _attention(self, x: Any, valid: Any) -> Any:
        scores = ops.matmul(ops.tanh(ops.matmul(x, self.kernel) + self.bias), self.score)
        if valid is None:
            return ops.sum(ops.softmax(scores, axis=1) * x, axis=1)
        # shape: (batch, time, 1)
        weights = ops.softmax(ops.where(valid, scores, -1e30), axis=1)
        # Where nothing is valid the softmax is uniform over padding.
        return ops.sum(ops.where(valid, weights * x, 0), axis=1)

    def _ends(self, x: Any, mask: Any) -> Any:
        if mask is None:
            first, last = x[:, 0], x[:, -1]
        else:
            count = ops.sum(ops.cast(mask, "int32"), axis=1)
            index = ops.reshape(ops.maximum(count - 1, 0), (-1, 1, 1))
            some = ops.expand_dims(count > 0, -1)
            first = ops.where(some, x[:, 0], 0)
            last = ops.where(some, ops.squeeze(ops.take_along_axis(x, index, axis=1), 1), 0)
        if self.mode == "last":
            return last
        half = x.shape[-1] // 2
        return ops.concatenate([last[:, :half], first[:, half:]], axis=-1)

    @staticmethod
    def _wide(dtype: str) -> str:
        return keras.backend.result_type(dtype, "float32")

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        return None

    def compute_output_shape(self, input_shape: tuple[Any, ...]) -> tuple[Any, ...]:
        return (input_shape[0], input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mode": self.mode, "units": self.units}
