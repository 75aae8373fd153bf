"""What the steps of a forecast start from."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


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
