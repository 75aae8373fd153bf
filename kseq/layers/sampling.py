"""How a forecast of frames is taught: what its steps start from, and what it learns by reading."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kseq.losses import FrameError


@keras.saving.register_keras_serializable(package="kseq")
class ScheduledSampling(keras.layers.Layer):
    """What a forecast of frames goes on from: the true frames at first, later its own.

    In training each frame ahead is shown with a probability that falls from `start` to zero over
    `decay` training steps; otherwise, and always in prediction, the forecast has to go on from the
    frame that it has made itself.

    Args:
        start: The probability of showing the true frame at the first training step.
        decay: Training steps until it is zero.
        seed: Of the draws.
        **kwargs: What `keras.layers.Layer` takes.

    Call arguments:
        past: The frames seen, `(batch, time, ..., channels)`.
        future: The frames ahead, `(batch, horizon, ..., channels)`. In prediction nothing but their
            number counts.
        training: Whether to show true frames.

    Returns:
        `(batch, time + horizon - 1, ..., channels + 1)`: the frames that each step starts from; in
        the channel added, 1 where the frame is shown and 0 where the step starts from its own.

    Example:
        >>> frames = keras.ops.ones((2, 3, 4, 4, 1))
        >>> shown = ScheduledSampling()(frames, frames)
        >>> keras.ops.convert_to_numpy(shown)[0, :, 0, 0, 1].tolist()
        [1.0, 1.0, 1.0, 0.0, 0.0]

    Reference:
        Bengio et al. (2015), Scheduled sampling for sequence prediction with recurrent neural
        networks.
    """

    def __init__(
        self, start: float = 0.0, decay: int = 1000, *, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.start = start
        self.decay = decay
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, past_shape: Any, future_shape: Any = None) -> None:
        # Not in the policy's half precision, which counts no further than some thousands.
        self.steps = self.add_weight(
            shape=(),
            name="steps",
            initializer="zeros",
            trainable=False,
            dtype="float32",
            autocast=False,
        )

    def call(self, past: Any, future: Any, training: bool = False) -> Any:
        seen = ops.concatenate([past, ops.ones_like(past[..., :1])], axis=-1)
        ahead = ops.zeros_like(future[:, 1:])
        coin = ahead[..., :1]
        if training and self.start:
            left = self.start * (1.0 - self.steps / self.decay)
            batch, horizon = ops.shape(ahead)[:2]
            draws = keras.random.uniform(
                (batch, horizon), dtype="float32", seed=self.seed_generator
            )
            draws = ops.reshape(draws, (batch, horizon, *[1] * (len(ahead.shape) - 2)))
            coin = coin + ops.cast(draws < left, coin.dtype)
            ahead = future[:, 1:] * coin
            self.steps.assign_add(1.0)
        return ops.concatenate([seen, ops.concatenate([ahead, coin], axis=-1)], axis=1)

    def compute_output_shape(self, past_shape: Any, future_shape: Any) -> tuple[int | None, ...]:
        batch, time, *rest, channels = past_shape
        horizon = future_shape[1]
        steps = None if time is None or horizon is None else time + horizon - 1
        return (batch, steps, *rest, channels + 1)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "start": self.start,
            "decay": self.decay,
            "seed": self.seed,
        }


@keras.saving.register_keras_serializable(package="kseq")
class ReadingLoss(keras.layers.Layer):
    """Adds to the loss of a training how badly the frames that are read were foretold.

    A model that reads K frames can foretell each but the first from those before it. What it says
    of them is compared as `kseq.losses.FrameError` compares frames, by the squared error.

    Args:
        weight: What the error is multiplied by.
        **kwargs: What `keras.layers.Layer` takes.

    Call arguments:
        inputs: Whatever is to go on.
        told: What was foretold at every step, `(batch, time or more, ..., channels)`.
        read: The frames that were read, `(batch, time, ..., channels)`.
        training: Whether to add the loss.

    Returns:
        The inputs.

    Example:
        >>> frames = keras.ops.ones((1, 3, 4, 4, 1))
        >>> layer = ReadingLoss(0.5)
        >>> _ = layer(frames, frames, frames, training=True)
        >>> float(layer.losses[0])
        0.0
    """

    def __init__(self, weight: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.weight = weight
        self._error = FrameError("mse")

    def call(self, inputs: Any, told: Any, read: Any, training: bool = False) -> Any:
        if training:
            told = told[:, : ops.shape(read)[1] - 1]
            error = self._error(ops.cast(read[:, 1:], "float32"), ops.cast(told, "float32"))
            self.add_loss(self.weight * error)
        return inputs

    def compute_output_shape(self, inputs_shape: Any, told_shape: Any, read_shape: Any) -> Any:
        return inputs_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "weight": self.weight}
