"""Bounds around a prediction, and how restless the past was that they follow."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="kseq")
class WindowSpread(keras.layers.Layer):
    """The standard deviation of each feature over a window, at least that of `floor`.

    What the bounds of a forecast are measured in, so that they widen and narrow with the series.
    It computes and returns float32 at least, whatever the dtype policy.

    Args:
        floor: The spread of a window that stands still, for features of a deviation near 1, until
            `set_floor` says what the quietest known one has.
        **kwargs: Arguments of `keras.layers.Layer`.

    Weights:
        `least`, `(features,)`, not trained.

    Call arguments:
        inputs: A tensor `(batch, time, features)`.
        observed: The same before gaps were filled: a feature without any value that is finite says
            nothing of its spread, which is then 1 at least.

    Output shape:
        `(batch, 1, features)`.

    Reference:
        Lei, G'Sell, Rinaldo, Tibshirani, Wasserman (2018), Distribution-free predictive inference
        for regression, section 5.2 (locally weighted conformal inference).

    Example:
        >>> layer = WindowSpread()
        >>> layer(keras.ops.convert_to_tensor([[[1.0], [3.0], [1.0], [3.0]]])).numpy().tolist()
        [[[1.0]]]
    """

    def __init__(self, *, floor: float = 0.01, **kwargs: Any) -> None:
        super().__init__(**{"autocast": False, **kwargs})
        if not floor > 0:
            raise ValueError(f"floor: expected a number above 0, got {floor}")
        self.floor = floor

    def build(self, inputs_shape: Any, observed_shape: Any = None) -> None:
        self.least = self.add_weight(
            shape=(inputs_shape[-1],),
            initializer=keras.initializers.Constant(self.floor),
            trainable=False,
            dtype=self._type(),
            autocast=False,
            name="least",
        )

    def set_floor(self, floor: Any) -> None:
        """Sets the least spread of each feature; None goes back to `floor`."""
        self.least.assign(np.broadcast_to(self.floor if floor is None else floor, self.least.shape))

    def call(self, inputs: Any, observed: Any = None) -> Any:
        x = ops.cast(inputs, self._type())
        spread = ops.maximum(ops.std(x, axis=1, keepdims=True), self.least)  # (batch, 1, features)
        if observed is None:
            return spread
        # Not `ops.isfinite(...).any`: a sum of ones and zeros is what every backend exports.
        known = ops.sum(ops.cast(ops.isfinite(observed), spread.dtype), axis=1, keepdims=True)
        return ops.where(known > 0, spread, ops.maximum(spread, 1.0))

    def compute_output_spec(self, inputs: Any, observed: Any = None) -> keras.KerasTensor:
        return keras.KerasTensor((inputs.shape[0], 1, inputs.shape[-1]), dtype=self._type())

    def _type(self) -> str:
        return str(keras.backend.result_type(self.variable_dtype, "float32"))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "floor": self.floor}


@keras.saving.register_keras_serializable(package="kseq")
class PredictionInterval(keras.layers.Layer):
    """Bounds around a prediction, `radius * spread` below and above it.

    Args:
        axes: Trailing axes of the prediction that have radii of their own: 1 for each target, 2 for
            each step of a horizon and target.
        **kwargs: Arguments of `keras.layers.Layer`.

    Weights:
        `radius`, of the shape of the trailing axes, 0 at first and not trained; `set_radius` sets
        it.

    Call arguments:
        prediction: A tensor `(batch, ..., targets)`.
        spread: What the radius is measured in, of a shape that fits the prediction's; 1 without it.

    Returns:
        `lower` and `upper`, each of the prediction's shape.

    Reference:
        Lei, G'Sell, Rinaldo, Tibshirani, Wasserman (2018), Distribution-free predictive inference
        for regression.

    Example:
        >>> layer = PredictionInterval()
        >>> layer.build((None, 1))
        >>> layer.set_radius([0.5])
        >>> bounds = layer(keras.ops.convert_to_tensor([[2.0]]))
        >>> bounds["lower"].numpy().tolist(), bounds["upper"].numpy().tolist()
        ([[1.5]], [[2.5]])
    """

    def __init__(self, *, axes: int = 1, **kwargs: Any) -> None:
        super().__init__(**{"autocast": False, **kwargs})
        self.axes = axes
        self.supports_masking = True  # it takes a mask, and hands none on

    def build(self, prediction_shape: Any, spread_shape: Any = None) -> None:
        shape = tuple(prediction_shape[-self.axes :])
        if self.axes < 1 or self.axes >= len(prediction_shape) or None in shape:
            raise ValueError(
                f"axes: expected trailing axes of a known size, got {self.axes} of "
                f"{tuple(prediction_shape)}"
            )
        self.radius = self.add_weight(
            shape=shape,
            initializer="zeros",
            trainable=False,
            dtype=keras.backend.result_type(self.variable_dtype, "float32"),
            autocast=False,
            name="radius",
        )

    def set_radius(self, radius: Any) -> None:
        """Sets how far the bounds are from the prediction, in units of the spread.

        Raises:
            ValueError: If the layer is not built, the shapes differ, or a number is below 0.
        """
        if not self.built:
            raise ValueError("build the layer before setting its radius")
        radius = ops.convert_to_numpy(radius)
        if not (radius >= 0).all():
            raise ValueError(f"radius: expected numbers of at least 0, got {radius.tolist()}")
        self.radius.assign(radius)

    def call(self, prediction: Any, spread: Any = None) -> dict[str, Any]:
        middle = ops.cast(prediction, self.radius.dtype)
        margin = self.radius if spread is None else self.radius * ops.cast(spread, middle.dtype)
        # Not `middle + margin`: on TensorFlow, Keras may take a small summand for a bias.
        return {
            "lower": ops.subtract(middle, margin),
            "upper": ops.subtract(middle, ops.negative(margin)),
        }

    def compute_mask(self, *args: Any, **kwargs: Any) -> None:
        """Bounds have no mask: they are finished."""
        return None

    def compute_output_spec(self, prediction: Any, spread: Any = None) -> dict[str, Any]:
        """Shapes and types of what `call` returns."""
        return {
            name: keras.KerasTensor(prediction.shape, dtype=self.radius.dtype)
            for name in ("lower", "upper")
        }

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axes": self.axes}
