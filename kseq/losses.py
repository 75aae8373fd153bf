"""Losses for targets that may be absent, and for tags."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import keras
from keras import ops


class MaskedLoss(keras.losses.Loss, ABC):
    """A sum over the targets that are there, each with its weight, divided by their number.

    A subclass says in `terms` what each target costs and which are there. A weight belongs to a
    sequence, `(batch,)`, or to each of its steps, `(batch, time)`. As in Keras, the sum is divided
    by the number of targets, not by the sum of their weights: a weight means the same in every
    batch.
    """

    @abstractmethod
    def terms(self, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
        """What each target costs, zero where there is none, and how many of them there are."""

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The scalar loss of a batch."""
        costs, count = self.terms(y_true, ops.convert_to_tensor(y_pred))
        if sample_weight is not None:
            weight = ops.cast(sample_weight, costs.dtype)
            missing = len(costs.shape) - len(weight.shape)
            costs = costs * ops.reshape(weight, (*ops.shape(weight), *[1] * missing))
        return ops.sum(costs) / ops.maximum(ops.cast(count, costs.dtype), 1.0)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The scalar loss of a batch without weights."""
        return self(y_true, y_pred)


@keras.saving.register_keras_serializable(package="kseq")
class MaskedError(MaskedLoss):
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
        kind: str = "mse",
        name: str = "masked_error",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        if kind not in ("mse", "mae", "huber"):
            raise ValueError(f"kind: expected mse, mae or huber, got {kind!r}")
        self.kind = kind

    def terms(self, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
        """The error of each target."""
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
        return value, ops.sum(ops.cast(present, y_pred.dtype))

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {**super().get_config(), "kind": self.kind}


@keras.saving.register_keras_serializable(package="kseq")
class FrameError(keras.losses.Loss):
    """The mean error of pixels that are shown between 0 and 1.

    What lies beyond the end of the range that the true pixel is at is no error, because it is shown
    as that end. So a model need not hit zero to the last digit wherever nothing is, which it never
    does, and what it shows there is free of noise.

    Args:
        kind: `mse`, the squared error; `mae`, the absolute error; or `huber` with delta 1.
        name: The loss's name.

    Example:
        >>> import numpy as np
        >>> loss = FrameError("mae")
        >>> float(loss(np.array([[0.0, 0.0, 1.0]]), np.array([[-3.0, 0.3, 7.0]])))
        0.10000000149011612
    """

    def __init__(
        self,
        kind: str = "mse",
        name: str = "frame_error",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.kind = kind
        self._error = MaskedError(kind)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The mean error.

        Args:
            y_true: Pixels from 0 to 1, of any shape.
            y_pred: Pixels, perhaps beyond.
        """
        y_true = ops.cast(y_true, y_pred.dtype)
        # Not a clip, which would have no gradient where a pixel is on the wrong side.
        below = ops.logical_and(y_true <= 0.0, y_pred < 0.0)
        above = ops.logical_and(y_true >= 1.0, y_pred > 1.0)
        return self._error(y_true, ops.where(ops.logical_or(below, above), y_true, y_pred))

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {**super().get_config(), "kind": self.kind}


class ChainLoss(MaskedLoss):
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

    def terms(self, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
        """The negative log-likelihood of each tagging, and the number of tags.

        Args:
            y_true: Tag ids, `(batch, time)`; a step with -1 has no tag.
            y_pred: Emissions, `(batch, time, tags)`.
        """
        present = ops.greater_equal(y_true, 0)
        tags = ops.cast(ops.maximum(y_true, 0), "int32")
        return self.likelihood(y_pred, tags, present), ops.sum(ops.cast(present, "int32"))


@keras.saving.register_keras_serializable(package="kseq")
class TagCrossEntropy(MaskedLoss):
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

    def terms(self, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
        """The cross-entropy of each step.

        Args:
            y_true: Tag ids, `(batch, time)`; a step with -1 has no tag.
            y_pred: Scores, `(batch, time, tags)`.
        """
        present = ops.cast(ops.greater_equal(y_true, 0), y_pred.dtype)
        truth = ops.one_hot(ops.cast(ops.maximum(y_true, 0), "int32"), y_pred.shape[-1])
        smooth = self.label_smoothing
        truth = truth * (1 - smooth) + smooth / y_pred.shape[-1]
        error = -ops.sum(truth * ops.log_softmax(y_pred), axis=-1)
        return error * present, ops.sum(present)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {**super().get_config(), "label_smoothing": self.label_smoothing}
