"""Missing values become the last observed one."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kseq")
class FillForward(keras.layers.Layer):
    """Replaces NaN in `(batch, time, features)` by what was observed before it.

    A missing value takes the last observed value of its feature; where none stands before it, the
    first observed one after it; where the feature has none at all, `fallback`, a weight
    `(features,)` that is zero until `set_fallback` is called.

    Values travel by shifts of 1, 2, 4, ... steps, so that time costs its logarithm.

    Args:
        max_steps: How far a value has to travel at most, where the number of time steps is not
            known when the layer is called. Beyond it `fallback` steps in.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: A tensor `(batch, time, features)`.
        mask: A boolean tensor `(batch, time)`; what stands at masked steps is no observation.

    Masking:
        A mask is passed on.

    Raises:
        ValueError: If the number of time steps is unknown and `max_steps` is not given.

    Example:
        >>> nan = float("nan")
        >>> x = keras.ops.convert_to_tensor([[[nan], [1.0], [nan], [3.0]]])
        >>> FillForward()(x).numpy()[0, :, 0].tolist()
        [1.0, 1.0, 1.0, 3.0]
    """

    def __init__(self, *, max_steps: int | None = None, **kwargs: Any) -> None:
        # Data passes through untouched: a cast to float16 would round it.
        super().__init__(**{"autocast": False, **kwargs})
        if max_steps is not None and max_steps < 1:
            raise ValueError(f"max_steps: expected a positive integer, got {max_steps}")
        self.max_steps = max_steps
        self.supports_masking = True

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.fallback = self.add_weight(
            shape=(input_shape[-1],),
            initializer="zeros",
            trainable=False,
            dtype=keras.backend.result_type(self.variable_dtype, "float32"),
            autocast=False,
            name="fallback",
        )

    def set_fallback(self, fallback: Any) -> None:
        """Sets what a feature without any observation is filled with, `(features,)` numbers.

        Raises:
            ValueError: If the layer is not built or the sizes differ.
        """
        if not self.built:
            raise ValueError("build the layer before setting its fallback")
        self.fallback.assign(fallback)

    def call(self, inputs: Any, mask: Any = None) -> Any:
        steps = self._steps(inputs.shape[1])
        seen = ops.logical_not(ops.isnan(inputs))
        if mask is not None:
            seen = ops.logical_and(seen, ops.expand_dims(mask, -1))
        values = ops.where(seen, inputs, 0)
        for forward in (True, False):
            shift = 1
            while shift < steps:
                values = ops.where(seen, values, _shift(values, shift, forward))
                seen = ops.logical_or(seen, _shift(seen, shift, forward))
                shift *= 2
        return ops.where(seen, values, ops.cast(self.fallback, values.dtype))

    def _steps(self, time: int | None) -> int:
        if time is not None:
            return time
        if self.max_steps is None:
            raise ValueError(
                f"{self.name}: the number of time steps is not known here; give max_steps"
            )
        return self.max_steps

    def compute_output_spec(self, inputs: Any, mask: Any = None) -> keras.KerasTensor:
        self._steps(inputs.shape[1])
        return keras.KerasTensor(inputs.shape, dtype=inputs.dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "max_steps": self.max_steps}


def _shift(x: Any, steps: int, forward: bool) -> Any:
    """Moves `(batch, time, features)` along time; zeros (False) come in at the end left behind."""
    padding = (steps, 0) if forward else (0, steps)
    padded = ops.pad(x, ((0, 0), padding, (0, 0)))
    return padded[:, : ops.shape(x)[1]] if forward else padded[:, steps:]
