"""From a sequence of features to the scores that a spec asks for."""

from __future__ import annotations

from typing import Any, Literal

from keras import layers

from kseq.layers.pooling import SequencePooling
from kseq.spec import Spec

Readout = Literal["auto", "last", "mean", "max", "attention", "steps"]


def choose_readout(readout: Readout, spec: Spec) -> Readout:
    """What `"auto"` stands for, and whether the readout fits the targets.

    Raises:
        ValueError: If the targets are one a step and the readout one a sequence, or the reverse.

    Example:
        >>> choose_readout("auto", Spec(features=1, outputs=2, per_step=True))
        'steps'
    """
    if readout == "auto":
        return "steps" if spec.per_step else "last"
    if readout == "steps" and not spec.per_step:
        raise ValueError(
            "readout 'steps' gives one output a time step, but the targets are one a sequence; "
            "choose 'last', 'mean', 'max', 'attention' or 'auto'"
        )
    if readout != "steps" and spec.per_step:
        raise ValueError(
            f"readout {readout!r} gives one output a sequence, but the targets are one a time "
            "step; choose 'steps' or 'auto'"
        )
    return readout


def read_out(x: Any, mask: Any, readout: Readout) -> Any:
    """Pools `(batch, time, features)` into `(batch, features)`, unless it is done or not wanted."""
    if readout == "last" or readout == "steps" or readout == "auto":
        return x
    return SequencePooling(readout, name="readout")(x, mask=mask)


def head(context: Any, future: Any, spec: Spec, mask: Any = None) -> Any:
    """Raw scores of the shape that the spec asks for, in float32.

    Args:
        context: Features `(batch, time, features)` if the spec is per step, else
            `(batch, features)`.
        future: The covariates known ahead, `(batch, horizon, future)`, or None. A small network
            sees them beside the context and corrects the forecast of each step ahead.
        spec: What the data decides.
        mask: The valid steps of the context, `(batch, time)`, for the classes of whole sequences.

    Returns:
        The scores; with `spec.classes` a dict of those of the `tags` and of the `classes`.
    """
    if spec.classes:
        pooled = SequencePooling("max", name="whole")(context, mask=mask)
        return {
            "tags": layers.Dense(spec.outputs, dtype="float32", name="scores")(context),
            "classes": layers.Dense(spec.classes, dtype="float32", name="class_scores")(pooled),
        }
    if spec.horizon is None:
        return layers.Dense(spec.outputs, dtype="float32", name="scores")(context)
    direct = layers.Dense(spec.horizon * spec.outputs, dtype="float32", name="scores")(context)
    shape = (spec.horizon, spec.outputs)
    direct = layers.Reshape(shape, dtype="float32", name="scores_ahead")(direct)
    if future is None:
        return direct
    repeated = layers.RepeatVector(spec.horizon, name="context_ahead")(context)
    both = layers.Concatenate(name="context_and_future")([repeated, future])
    hidden = layers.Dense(_future_width(context), activation="relu", name="future_hidden")(both)
    correction = layers.Dense(spec.outputs, dtype="float32", name="future_scores")(hidden)
    return layers.Add(dtype="float32", name="scores_with_future")([direct, correction])


def _future_width(context: Any) -> int:
    return min(context.shape[-1], 64)
