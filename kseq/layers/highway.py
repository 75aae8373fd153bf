"""A straight line from the last steps of a series to its forecast."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kseq")
class LinearHighway(keras.layers.Layer):
    """Forecasts each target as a linear map of its own last steps.

    All targets share one matrix `(steps, horizon)`, which starts at zero: a forecast to which the
    highway is added is at first what it was without.

    Args:
        steps: How many of the last steps it sees.
        horizon: Steps ahead.
        targets: The number of targets; they are the first features.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: A tensor `(batch, time, features)` of at least `steps` time steps.

    Output shape:
        `(batch, horizon, targets)`.

    Masking:
        A mask is not used: every window is whole.

    Example:
        >>> layer = LinearHighway(steps=2, horizon=3, targets=1)
        >>> layer(keras.ops.ones((1, 5, 2))).shape
        TensorShape([1, 3, 1])

    Reference:
        Lai et al. (2018), Modeling long- and short-term temporal patterns with deep neural networks
        (the autoregressive part of LSTNet).
    """

    def __init__(self, *, steps: int, horizon: int, targets: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for name, value in (("steps", steps), ("horizon", horizon), ("targets", targets)):
            if value < 1:
                raise ValueError(f"{name}: expected a positive integer, got {value}")
        self.steps = steps
        self.horizon = horizon
        self.targets = targets

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        time, features = input_shape[1:]
        if time is not None and time < self.steps:
            raise ValueError(f"steps: expected at most {time}, the time steps, got {self.steps}")
        if features is not None and features < self.targets:
            raise ValueError(
                f"targets: expected at most {features}, the features, got {self.targets}"
            )
        self.kernel = self.add_weight(
            shape=(self.steps, self.horizon), initializer="zeros", name="kernel"
        )

    def call(self, inputs: Any) -> Any:
        own = inputs[:, -self.steps :, : self.targets]  # (batch, steps, targets)
        return ops.einsum("bst,sh->bht", own, self.kernel)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (input_shape[0], self.horizon, self.targets)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "steps": self.steps,
            "horizon": self.horizon,
            "targets": self.targets,
        }
