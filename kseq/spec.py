"""What the data decides about a model, and the user never does."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Spec:
    """The sizes that a builder takes from the data.

    A model built from a spec takes a dict of inputs, batch first: `x` `(batch, time, features)`;
    `lengths` `(batch,)`, the number of valid leading steps, if `ragged`; `future`
    `(batch, horizon, future)` if there are covariates known ahead. Text comes as `streams` of ids
    in place of `x`, each `(batch, time)` or `(batch, time, ids)`. The model returns raw scores:
    `(batch, outputs)`, `(batch, time, outputs)` if `per_step`, or `(batch, horizon, outputs)`; if
    there are `classes` beside targets a step, a dict of `tags` and `classes`.

    Of clips, `x` is `(batch, time, *frame, features)`. A forecast of frames is
    `(batch, horizon, *frame, outputs)`, and the model takes the frames ahead in the same form as
    `future`: their number is the horizon, and what they show is seen in training alone.

    Args:
        features: Input features a time step; of clips, the channels of a pixel; 0 for text.
        outputs: Classes of a classification, targets of a regression or forecast.
        time: Time steps, where all sequences have the same number; None where lengths differ.
        per_step: Whether every time step has its own target.
        horizon: Steps ahead, for a forecast. Then the first `outputs` features are the past of the
            targets.
        future: Covariates known over the horizon.
        streams: For text, how many ids each stream has, padding and unknown among them.
        affixes: For text, how many prefixes and how many suffixes a token has.
        vectors: For text, the width of pretrained word vectors, if there are any.
        tags: The names of the outputs, where they are tags of the steps.
        classes: Classes of the whole sequence, where every step has a tag too.
        frame: The sides of a frame, where the sequences are clips: one, two or three.

    Example:
        >>> Spec(features=3, outputs=2).ragged
        True
    """

    features: int
    outputs: int
    time: int | None = None
    per_step: bool = False
    horizon: int | None = None
    future: int = 0
    streams: dict[str, int] = field(default_factory=dict)
    affixes: int = 0
    vectors: int = 0
    tags: list[str] = field(default_factory=list)
    classes: int = 0
    frame: list[int] = field(default_factory=list)

    @property
    def ragged(self) -> bool:
        """Whether lengths differ, so that the model takes `lengths` beside `x`."""
        return self.time is None

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """The shape of the model's output without the batch axis."""
        if self.frame and self.horizon is not None:
            return (None, *self.frame, self.outputs)
        if self.horizon is not None:
            return (self.horizon, self.outputs)
        return (None, self.outputs) if self.per_step else (self.outputs,)

    def to_dict(self) -> dict[str, Any]:
        """The spec as plain values, for the artefact."""
        return asdict(self)
