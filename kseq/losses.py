"""Losses for targets that may be absent."""

from __future__ import annotations

from typing import Any, Literal

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kseq")
class MaskedError(keras.losses.Loss):
    """The mean error over the targets that are there; a NaN target is absent.

    Padding and missing values are NaN in `y_true`, so they count neither in the sum nor in the
    number that it is divided by: the loss of a batch does not depend on how far it was padded.

    Args:
        kind: `mse`, the squared error; `mae`, the absolute error; or `huber` with delta 1.
        name: The loss's name.

    Example:
        >>> import numpy as np
        >>> loss = MaskedError("mae")
        >>> float(loss(np.array([[1.0, np.nan]]), np.array([[3.0, 8.0]])))
        2.0
    """

    def __init__(
        self,
        kind: Literal["mse", "mae", "huber"] = "mse",
        name: str = "masked_error",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        if kind not in ("mse", "mae", "huber"):
            raise ValueError(f"kind: expected mse, mae or huber, got {kind!r}")
        self.kind = kind

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The scalar mean over all targets present."""
        y_pred = ops.convert_to_tensor(y_pred)
        y_true = ops.cast(y_true, y_pred.dtype)
        present = ops.logical_not(ops.isnan(y_true))
        # The NaN is replaced before the difference, or its gradient would be NaN as well.
        zero = ops.zeros_like(y_pred)
        error = ops.where(present, y_pred - ops.where(present, y_true, zero), zero)
        size = ops.abs(error)
        if self.kind == "mse":
            value = ops.square(error)
        elif self.kind == "mae":
            value = size
        else:
            value = ops.where(size <= 1.0, 0.5 * ops.square(error), size - 0.5)
        count = ops.sum(ops.cast(present, y_pred.dtype))
        return ops.sum(value) / ops.maximum(count, 1.0)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {**super().get_config(), "kind": self.kind}
