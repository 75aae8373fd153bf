"""Joins a builder's network to the scaling, filling and normalising of a forecast."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from kseq.estimators.models import Models
from kseq.inference import Forward
from kseq.layers.fill import FillForward
from kseq.layers.intervals import PredictionInterval, WindowSpread
from kseq.layers.scaling import Standardize
from kseq.spec import Spec


def assemble(network: keras.Model, spec: Spec, task: Mapping[str, Any], width: int) -> Models:
    """The model that is trained and those that serve, over the same layers.

    Args:
        network: The builder's network.
        spec: What it was built from.
        task: The filled `task` section.
        width: Columns of a window: targets first, future covariates last.

    Returns:
        One model from whole windows `(batch, window, width)` to standardised forecasts, and one
        from raw histories `(batch, time, width)`, at least `window` steps, perhaps with gaps, to
        `forecast` `(batch, horizon, targets)` in original units; the same with the bounds `lower`
        and `upper`; and as `parts` what gives the forecast and the `spread` `(batch, 1, targets)`
        of the targets in the window, in standard deviations.
    """
    targets = spec.outputs if task["channels"] == "joint" else width - (spec.features - 1)
    scale = Standardize(name="standardize")
    scale_future = Standardize(name="standardize_future") if spec.future else None

    def scores(x: Any, known: Any) -> Any:
        known = scale_future(known) if scale_future else None
        return _normalised(network, x, known, targets, task)

    window = keras.Input((spec.time, width), name="x")
    raw = keras.Input((None, width), name="x")
    known = keras.Input((spec.horizon, spec.future), name="future") if spec.future else None
    # The last rows alone: a longer history says nothing more to the model.
    seen = ops.reshape(raw[:, -(spec.time or 0) :], (-1, spec.time, width))
    filled = scale(FillForward(name="fill")(seen))
    known_filled = FillForward(name="fill_future")(known) if spec.future else None
    forecast = Standardize(invert=True, name="forecast")(scores(filled, known_filled))
    spread = WindowSpread(name="spread")(filled[:, :, :targets], seen[:, :, :targets])
    bounds = PredictionInterval(axes=2, name="interval")(forecast, spread)
    named = {"future": known} if spec.future else {}
    given = {"x": raw, **named}

    def served(name: str, **outputs: Any) -> keras.Model:
        return keras.Model(given, {"forecast": forecast, **outputs}, name=name)

    return Models(
        network=network,
        trainable=keras.Model(
            {"x": window, **named} if named else window, scores(scale(window), known)
        ),
        servable=served("servable"),
        parts=Forward(served("raw", spread=spread)),
        bounded=served("servable", **bounds),
    )


def network_inputs(x: Any, known: Any, targets: int, task: Mapping[str, Any]) -> tuple[Any, Any]:
    """What the network is shown of standardised windows, and the level that was taken off them.

    Args:
        x: Windows `(batch, time, columns)`, targets first.
        known: Future covariates `(batch, horizon, columns)`, or None.
        targets: How many targets.
        task: The filled `task` section.

    Returns:
        The network's input, of independent channels `(targets * batch, time, 1 + covariates)`, one
        target after another; and the level `(batch, 1, targets)`, None where none is taken off.
    """
    own, rest = x[:, :, :targets], x[:, :, targets:]
    level = None
    if task["normalize"] != "none":
        level = own[:, -1:] if task["normalize"] == "last" else ops.mean(own, axis=1, keepdims=True)
        own = own - level
    if task["channels"] == "joint":
        shown = ops.concatenate([own, rest], axis=-1)
    else:
        alone = [ops.concatenate([own[:, :, i : i + 1], rest], axis=-1) for i in range(targets)]
        known = None if known is None else ops.concatenate([known] * targets, axis=0)
        shown = ops.concatenate(alone, axis=0)
    return (shown if known is None else {"x": shown, "future": known}), level


def _normalised(
    network: keras.Model, x: Any, known: Any, targets: int, task: Mapping[str, Any]
) -> Any:
    """Takes the level off a window `(batch, time, features)` and puts it on its forecast."""
    shown, level = network_inputs(x, known, targets, task)
    forecast = network(shown)
    if task["channels"] == "independent":
        # (targets * batch, horizon, 1) -> (batch, horizon, targets)
        forecast = ops.reshape(forecast, (targets, -1, task["horizon"]))
        forecast = ops.transpose(forecast, (1, 2, 0))
    if level is None:
        return forecast
    # Not `forecast + level`: on TensorFlow, Keras takes a summand `(batch, 1, 1)` for a bias and
    # adds it along time where batch and horizon happen to be equal.
    return ops.subtract(forecast, ops.negative(level))
