"""A learning rate that rises, and then falls along a cosine."""

from __future__ import annotations

from typing import Any

import keras


@keras.saving.register_keras_serializable("kseq")
class CosineSchedule(keras.optimizers.schedules.CosineDecay):
    """Keras' cosine decay after a linear warm-up, with numbers that can be set.

    Keras' own are constants of the traced training step; these are variables, so that trainings
    with other learning rates and lengths share one trace.

    Args:
        rate: The learning rate at its height.
        decay: Steps over which it falls.
        warmup: Steps before, over which it rises from zero.
        floor: What it falls to, as a share of its height.
        name: The schedule's name.

    Example:
        >>> schedule = CosineSchedule(0.1, decay=10, warmup=2)
        >>> [round(float(schedule(step)), 3) for step in (0, 1, 2, 7, 12)]
        [0.0, 0.05, 0.1, 0.05, 0.0]

    Reference:
        Loshchilov and Hutter (2017), SGDR: stochastic gradient descent with warm restarts.
    """

    def __init__(
        self,
        rate: float = 0.0,
        *,
        decay: int = 1,
        warmup: int = 0,
        floor: float = 0.0,
        name: str = "cosine_schedule",
    ) -> None:
        super().__init__(0.0, 1, warmup_target=0.0, name=name)
        self.warmup_target, self.decay_steps, self.warmup_steps, self.alpha = (
            keras.Variable(0.0, trainable=False, dtype="float32", name=each)
            for each in ("rate", "decay", "warmup", "floor")
        )
        self.set(rate, decay=decay, warmup=warmup, floor=floor)

    def set(self, rate: float, *, decay: int, warmup: int = 0, floor: float = 0.0) -> None:
        """Sets the numbers, which are those of the constructor."""
        self.warmup_target.assign(rate)
        self.decay_steps.assign(decay)
        self.warmup_steps.assign(warmup)
        self.alpha.assign(floor)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {
            "rate": float(self.warmup_target),
            "decay": int(self.decay_steps),
            "warmup": int(self.warmup_steps),
            "floor": float(self.alpha),
            "name": self.name,
        }
