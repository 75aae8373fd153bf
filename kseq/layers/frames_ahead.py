"""How many frames are ahead: asked for before a forecast, and cut out after it."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kseq")
class LastSteps(keras.layers.Layer):
    """The last steps of a sequence, as many as another one has.

    Args:
        **kwargs: What `keras.layers.Layer` takes.

    Call arguments:
        inputs: A tensor `(batch, time, ...)`.
        other: A tensor `(batch, steps, ...)`.

    Example:
        >>> tuple(LastSteps()(keras.ops.ones((2, 5, 3)), keras.ops.ones((2, 4, 1))).shape)
        (2, 4, 3)
    """

    def call(self, inputs: Any, other: Any) -> Any:
        return inputs[:, ops.shape(inputs)[1] - ops.shape(other)[1] :]

    def compute_output_shape(self, inputs_shape: Any, other_shape: Any) -> tuple[int | None, ...]:
        return (inputs_shape[0], other_shape[1], *inputs_shape[2:])


@keras.saving.register_keras_serializable(package="kseq")
class FramesAhead(keras.layers.Layer):
    """The frames ahead of a clip as they are known in prediction: their number, and zeros.

    Args:
        horizon: How many.
        **kwargs: What `keras.layers.Layer` takes.

    Call arguments:
        inputs: A tensor `(batch, time, ..., channels)`.

    Example:
        >>> tuple(FramesAhead(4)(keras.ops.ones((2, 5, 8, 8, 1))).shape)
        (2, 4, 8, 8, 1)
    """

    def __init__(self, horizon: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.horizon = horizon

    def call(self, inputs: Any) -> Any:
        return ops.repeat(ops.zeros_like(inputs[:, :1]), self.horizon, axis=1)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        return (input_shape[0], self.horizon, *input_shape[2:])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "horizon": self.horizon}
