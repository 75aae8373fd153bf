"""Losses for targets that may be absent, and for tags."""

from __future__ import annotations

from collections.abc import Callable
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


class ChainLoss(keras.losses.Loss):
    """The negative log-likelihood of taggings, a step.

    It belongs to a layer, and no file could hold it: a model that was compiled with it is to be
    loaded with `compile=False`.

    Args:
        likelihood: The method of a `CRF` that gives each sequence's negative log-likelihood from
            `(emissions, tags, mask)`.
        name: The loss's name.
    """

    def __init__(self, likelihood: Callable[..., Any], name: str = "chain_loss") -> None:
        super().__init__(name=name)
        self.likelihood = likelihood

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The scalar sum over all sequences, divided by the number of tags.

        Args:
            y_true: Tag ids, `(batch, time)`; a step with -1 has no tag.
            y_pred: Emissions, `(batch, time, tags)`.
        """
        present = ops.greater_equal(y_true, 0)
        tags = ops.cast(ops.maximum(y_true, 0), "int32")
        total = ops.sum(self.likelihood(y_pred, tags, present))
        return total / ops.maximum(ops.sum(ops.cast(present, total.dtype)), 1.0)


@keras.saving.register_keras_serializable(package="kseq")
class TagCrossEntropy(keras.losses.Loss):
    """The cross-entropy of tags that are chosen each by itself, a step.

    Args:
        label_smoothing: The share of the probability that the target spreads over all tags.
        name: The loss's name.

    Example:
        >>> import numpy as np
        >>> scores = np.zeros((1, 2, 4), "float32")
        >>> round(float(TagCrossEntropy()(np.array([[3, -1]]), scores)), 4)  # log 4
        1.3863
    """

    def __init__(
        self, label_smoothing: float = 0.0, name: str = "tag_cross_entropy", **kwargs: Any
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.label_smoothing = label_smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The scalar mean over all steps that have a tag.

        Args:
            y_true: Tag ids, `(batch, time)`; a step with -1 has no tag.
            y_pred: Scores, `(batch, time, tags)`.
        """
        present = ops.cast(ops.greater_equal(y_true, 0), y_pred.dtype)
        truth = ops.one_hot(ops.cast(ops.maximum(y_true, 0), "int32"), y_pred.shape[-1])
        smooth = self.label_smoothing
        truth = truth * (1 - smooth) + smooth / y_pred.shape[-1]
        error = -ops.sum(truth * ops.log_softmax(y_pred), axis=-1)
        return ops.sum(error * present) / ops.maximum(ops.sum(present), 1.0)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {**super().get_config(), "label_smoothing": self.label_smoothing}
