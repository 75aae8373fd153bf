"""Where every builder begins and ends: the inputs of a spec, and the model around them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import keras
from keras import layers
from pydantic import Field

from kseq.builders.embedding import stream_inputs, text_embedding
from kseq.layers.masking import LengthMask
from kseq.spec import Spec

Noise = Annotated[float, Field(ge=0, le=1)]  # the range that keras.layers.GaussianNoise takes


@dataclass(frozen=True)
class Inputs:
    """The inputs of a model under construction.

    Args:
        x: The sequences, `(batch, time, features)`; of text, its embedding.
        lengths: The number of valid steps, `(batch,)`, if they differ.
        mask: The mask of the valid steps, `(batch, time)`; None if all are valid.
        future: The covariates known ahead, `(batch, horizon, future)`, if there are any.
        streams: The ids of text, by name, in place of the input `x`.
    """

    x: Any
    lengths: Any = None
    mask: Any = None
    future: Any = None
    streams: Mapping[str, Any] = field(default_factory=dict)

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
        data = self.streams or {"x": self.x}
        named = {**data, "lengths": self.lengths, "future": self.future}
        inputs = {key: value for key, value in named.items() if value is not None}
        bare = not self.streams and len(inputs) == 1
        return keras.Model(self.x if bare else inputs, outputs, name=name)


def sequence_inputs(spec: Spec, embedding: Mapping[str, Any] | None = None) -> Inputs:
    """The inputs `x` or streams of ids, and `lengths` and `future` where the spec has them.

    Args:
        spec: What the data decides.
        embedding: For text, the parameters of `text_embedding`.

    Raises:
        ValueError: If there is an embedding and no text, or the sequences are clips.

    Example:
        >>> from kseq.spec import Spec
        >>> sequence_inputs(Spec(features=3, outputs=2)).mask.shape
        (None, None)
    """
    if spec.frame:
        size = " x ".join(map(str, spec.frame))
        better = "conv_lstm_classifier" if spec.horizon is None else "conv_lstm"
        raise ValueError(
            f"takes features a time step, but the sequences are clips, with frames of {size} "
            f"pixels; choose {better}"
        )
    streams = stream_inputs(spec)
    if streams:
        x = text_embedding(spec, streams, **(embedding or {}))
    elif embedding is not None:
        raise ValueError("an embedding is for text, but the sequences are numbers; leave it out")
    else:
        x = keras.Input((None, spec.features), name="x")
    lengths = mask = future = None
    if spec.ragged:
        lengths = keras.Input((), dtype="int32", name="lengths")
        mask = LengthMask(name="mask")(x, lengths)
    if spec.future:
        future = keras.Input((spec.horizon, spec.future), name="future")
    return Inputs(x, lengths, mask, future, streams)


def clip_inputs(spec: Spec) -> Inputs:
    """The input `x` `(batch, time, *frame, channels)`, and `lengths` where the spec has them.

    Args:
        spec: What the data decides.

    Example:
        >>> clip_inputs(Spec(features=1, outputs=2, frame=[8, 8])).mask.shape
        (None, None)
    """
    x = keras.Input((None, *spec.frame, spec.features), name="x")
    if not spec.ragged:
        return Inputs(x)
    lengths = keras.Input((), dtype="int32", name="lengths")
    return Inputs(x, lengths, LengthMask(name="mask")(x, lengths))
