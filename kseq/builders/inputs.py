"""Where every builder begins and ends: the inputs of a spec, and the model around them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import keras
from keras import layers
from pydantic import Field

from kseq.layers.masking import LengthMask
from kseq.spec import Spec

Noise = Annotated[float, Field(ge=0, le=1)]  # the range that keras.layers.GaussianNoise takes


@dataclass(frozen=True)
class Inputs:
    """The inputs of a model under construction.

    Args:
        x: The sequences, `(batch, time, features)`.
        lengths: The number of valid steps, `(batch,)`, if they differ.
        mask: The mask of the valid steps, `(batch, time)`; None if all are valid.
        future: The covariates known ahead, `(batch, horizon, future)`, if there are any.
    """

    x: Any
    lengths: Any = None
    mask: Any = None
    future: Any = None

    def noisy(self, noise: float) -> Any:
        """`x` with Gaussian noise of that standard deviation added in training."""
        return layers.GaussianNoise(noise, name="noise")(self.x) if noise else self.x

    def mask_of(self, sequence: Any, stride: int, name: str) -> Any:
        """The mask of a sequence of which one step stands for `stride` of `x`."""
        if self.lengths is None:
            return None
        return LengthMask(stride=stride, name=name)(sequence, self.lengths)

    def model(self, outputs: Any, name: str) -> keras.Model:
        """The model from these inputs to `outputs`: of the bare `x`, or of a dict of inputs."""
        named = {"x": self.x, "lengths": self.lengths, "future": self.future}
        inputs = {key: value for key, value in named.items() if value is not None}
        return keras.Model(inputs if len(inputs) > 1 else self.x, outputs, name=name)


def sequence_inputs(spec: Spec) -> Inputs:
    """The inputs `x`, and `lengths` and `future` where the spec has them.

    Example:
        >>> from kseq.spec import Spec
        >>> sequence_inputs(Spec(features=3, outputs=2)).mask.shape
        (None, None)
    """
    x = keras.Input((None, spec.features), name="x")
    lengths = mask = future = None
    if spec.ragged:
        lengths = keras.Input((), dtype="int32", name="lengths")
        mask = LengthMask(name="mask")(x, lengths)
    if spec.future:
        future = keras.Input((spec.horizon, spec.future), name="future")
    return Inputs(x, lengths, mask, future)
