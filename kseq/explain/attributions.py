"""What an answer rests on: how much of it each step and feature of the input accounts for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import keras
import numpy as np
from keras import ops

from kseq.errors import DataError, shown
from kseq.estimators.base import Estimator
from kseq.estimators.forecaster import Forecaster
from kseq.estimators.video import VideoPredictor
from kseq.explain import attribution_pictures
from kseq.explain.gradients import Differentiable
from kseq.explain.methods import Subject, integrated, occlusion
from kseq.explain.outputs import asked, head_of
from kseq.explain.subjects import (
    Row,
    check_estimator,
    check_one,
    differentiable,
    fallback,
    once,
    one_row,
    step_name,
    stream_widths,
    together,
    windows_of,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Method = Literal["integrated_gradients", "occlusion"]
_METHODS = ("integrated_gradients", "occlusion")


@dataclass(frozen=True)
class Attribution:
    """How much of an output each step and feature accounts for.

    Args:
        values: `(time, features)`, or of clips `(time, ..., channels)`: what speaks for the output
            is positive.
        item: The sequence as it was given, `(time, features)` or `(time, ..., channels)` with
            pixels from 0 to 1; None for text.
        tokens: The tokens of a text, else None.
        features: The names of the features; of text, of the streams of its embedding.
        output: What is explained, in words.
        score: The output for the sequence.
        baseline: The output for the baseline.
        method: `integrated_gradients` or `occlusion`.
        points: Gradients that were taken, or occlusions that were tried.
        gap: By how much the sum of all values differs from `score` - `baseline`; None for
            occlusion, which promises no such sum.
        step: What a step is called.
        start: What the baseline is, in words.
        held: Covariates whose known values ahead are left as they are, here and at the baseline.
    """

    values: np.ndarray
    item: np.ndarray | None
    tokens: list[str] | None
    features: list[str]
    output: str
    score: float
    baseline: float
    method: Method
    points: int
    gap: float | None
    step: str
    start: str = "the baseline"
    held: tuple[str, ...] = ()

    def by_step(self) -> np.ndarray:
        """What each step accounts for, `(time,)`."""
        return self.values.reshape(len(self.values), -1).sum(axis=1)

    def by_feature(self) -> np.ndarray:
        """What each feature accounts for over all steps, `(features,)`; of clips each pixel."""
        total: np.ndarray = self.values.sum(axis=0)
        return total

    def strongest(self, most: int = 5) -> list[tuple[str, float]]:
        """What accounts for most, by its name, strongest first.

        Of several columns that is a step of one column, since in the sum over a step columns may
        cancel; else a token, a step or a frame.
        """
        cells = self.tokens is None and self.values.ndim == 2 and self.values.shape[1] > 1
        weights = self.values if cells else self.by_step()
        order = np.argsort(-np.abs(weights), axis=None, kind="stable")[:most].tolist()
        return [(self._name(place, cells), float(weights.flat[place])) for place in order]

    def _name(self, place: int, cells: bool) -> str:
        if self.tokens is not None:
            return self.tokens[place]
        if not cells:
            return f"{self.step} {place}"
        step, column = divmod(place, self.values.shape[1])
        return f"{self.step} {step}, {_column(self.features[column])}"

    def to_dict(self) -> dict[str, Any]:
        """The numbers as plain values."""
        return {
            "values": self.values.tolist(),
            "by_step": self.by_step().tolist(),
            "tokens": self.tokens,
            "features": self.features,
            "output": self.output,
            "score": self.score,
            "baseline": self.baseline,
            "method": self.method,
            "points": self.points,
            "gap": self.gap,
            "step": self.step,
            "start": self.start,
            "held": list(self.held),
        }

    def figure(self) -> Figure:
        """Coloured tokens, columns and steps below their series, or an overlay on the frames.

        Raises:
            MissingExtraError: If matplotlib is not installed.
        """
        return attribution_pictures.draw_attribution(self)


def attribute(
    estimator: Estimator,
    item: Any,
    *,
    method: Method = "integrated_gradients",
    output: Any = None,
    baseline: Any = None,
    size: int | None = None,
    future: Any = None,
    limit: int = 1024,
) -> Attribution:
    """How much of one output of a fitted model each step and feature of a sequence accounts for.

    Integrated gradients add up: over the straight line from the baseline to the sequence they take
    the mean gradient (by Gauss-Legendre quadrature, with 32 points, doubled until the sum is within
    1 % of the change of the output) times the difference. Occlusion puts the baseline in place of
    one piece after another and takes the fall of the output; it needs no gradient. What a
    forecaster takes off a window and puts on its forecast (`normalize`) counts like all else, so
    that with `last` much goes to the last step.

    Args:
        estimator: A fitted estimator, trained or loaded.
        item: One sequence that `predict` takes a list of: a string or list of tokens; numbers
            `(time, features)` or `(time,)`; a series, of which the last window is taken; a clip.
        method: `integrated_gradients` or `occlusion`.
        output: What is explained. Of a classifier a class, the predicted one by default. Of a
            tagger a token's place, or a pair of it and a tag; by default the predicted tag where
            the most certain span begins, or of the first token that is not `O`; or a label of the
            whole text. Of a forecaster a target, or a pair of it and a step ahead from 1 on; by
            default the mean over the horizon of the first target. Of a regressor a target's place;
            with `per_step` a step or a pair of both, by default the last step. Of video a frame
            ahead from 1 on, or a pair of it and a region, `(from, to)` for each side; by default
            all of the next frame. Scores are raw ones, forecasts and numbers in their own units.
        baseline: What stands for nothing, in the form of the item or broadcast to it. By default
            the training mean of numbers and of the pixels of clips with a class (zero where
            `standardize` is false), black frames of video to continue, and for text an embedding
            of zeros. Of text a token, or as many tokens.
        size: What is occluded together: steps of numbers and text (1 token; of numbers by default
            so many that there are 512 pieces at most), or the side of a patch in pixels (by default
            a quarter of a frame's).
        future: Of a forecaster with future covariates, their next rows, as in `predict`. They are
            left as they are: the values are those of the window alone.
        limit: The most points of integrated gradients.

    Raises:
        DataError: If the item, the output or an option does not hold.

    Warns:
        UserWarning: If the gap could not be closed within the limit.

    Example:
        >>> from kseq import SequenceClassifier
        >>> X = np.random.default_rng(0).normal(size=(20, 12))
        >>> model = SequenceClassifier(model={"units": 4}, training={"epochs": 1}, random_state=0)
        >>> found = attribute(model.fit(X, X[:, -1] > 0), X[0])
        >>> found.values.shape, bool(abs(found.gap) < 1e-3)
        ((12, 1), True)

    Reference:
        Sundararajan et al. (2017), Axiomatic attribution for deep networks. Zeiler and Fergus
        (2014), Visualizing and understanding convolutional networks (occlusion).
    """
    check_estimator(estimator)
    if method not in _METHODS:
        raise DataError(f"method: expected one of {', '.join(_METHODS)}, got {shown(method)}")
    for name, value in (("size", size), ("limit", limit)):
        if value is not None and (
            isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1
        ):
            raise DataError(f"{name}: expected a positive integer, got {shown(value)}")
    if size is not None and method != "occlusion":
        raise DataError(f"size: is what occlusion hides together, but method is {method!r}")
    subject = _subject(estimator, item, baseline, head_of(estimator, output), future)
    scores = subject.function(together([subject.row]))[0]
    what = asked(estimator, scores, output, subject.texts)
    before = subject.function(together([replace(subject.row, x=subject.baseline)]))[0]
    ends = [float((what.weights * each).sum(dtype=np.float64)) for each in (scores, before)]
    gap: float | None = None
    if method == "occlusion":
        values, points = occlusion(subject, what, ends[0], size)
    else:
        values, points, gap = integrated(subject, what, ends[0] - ends[1], limit)
    features = subject.features
    if subject.texts is not None:
        if method == "occlusion":
            features = [step_name(estimator)]
        else:  # the numbers of an embedding mean nothing one by one
            cuts = np.cumsum(list(stream_widths(estimator).values()))[:-1]
            parts = np.split(values, cuts, axis=1)
            values = np.stack([part.sum(axis=1) for part in parts], axis=1)
    return Attribution(
        values=values,
        item=subject.item,
        tokens=None if subject.texts is None else subject.texts.tokens[0],
        features=features,
        output=what.words,
        score=ends[0] + what.offset,
        baseline=ends[1] + what.offset,
        method=method,
        points=points,
        gap=gap,
        step=step_name(estimator),
        start=_start(estimator, baseline),
        held=_held(estimator),
    )


# --- what is explained ---


def _subject(estimator: Estimator, item: Any, baseline: Any, head: str, future: Any) -> Subject:
    if isinstance(estimator, Forecaster):
        return _of_series(estimator, item, baseline, future)
    if future is not None:
        raise DataError("future: is for forecasters with future covariates")
    row = one_row(estimator, item)
    function, zero = differentiable(estimator, head), np.zeros_like(row.x)
    if estimator.spec_.streams:
        texts = estimator._parts([item])
        base = zero if baseline is None else _embedded(estimator, baseline, len(row.x))
        return Subject(function, row, base, None, texts, list(stream_widths(estimator)))
    if isinstance(estimator, VideoPredictor):
        top = np.float32(estimator.form_.maximum)
        base = zero if baseline is None else _like(np.asarray(baseline) / top, row.x)
        return Subject(function, row, base, row.x, None, _channels(row.x))
    layer = estimator._models.servable.get_layer("standardize")
    mean, scale = (ops.convert_to_numpy(each) for each in (layer.mean, layer.scale))
    raw = row.x * scale + mean
    if estimator.spec_.frame:
        base = zero if baseline is None else (_like(baseline, row.x) - mean) / scale
        pixels = raw - raw.min()
        return Subject(function, row, base, pixels / (pixels.max() or 1), None, _channels(row.x))
    base = zero if baseline is None else (_like(baseline, row.x) - mean) / scale
    names = getattr(estimator, "feature_names_in_", np.array([]))
    if getattr(estimator, "_wide", True) or len(names) != row.x.shape[1]:
        names = np.arange(row.x.shape[1])
    return Subject(function, row, base.astype(np.float32), raw, None, [str(n) for n in names])


def _held(estimator: Estimator) -> tuple[str, ...]:
    """Covariates whose values ahead are no part of the window."""
    ahead = estimator.columns_.future if isinstance(estimator, Forecaster) else ()
    return tuple(_column(str(name)) for name in ahead)


def _column(name: str) -> str:
    """What a column is called within words: of one without a name it is the place."""
    return f"column {name}" if name.isdecimal() else name


def _start(estimator: Estimator, baseline: Any) -> str:
    """What stands for nothing, in words."""
    if baseline is not None:
        if isinstance(baseline, str):
            return f"the token {baseline!r}"
        return f"{float(baseline):g} everywhere" if np.ndim(baseline) == 0 else "what was given"
    if estimator.spec_.streams:
        return "zero embeddings"
    if isinstance(estimator, VideoPredictor):
        return "black frames"
    scaled = isinstance(estimator, Forecaster) or estimator.recipe_.task["standardize"]
    return "the training mean" if scaled else "zeros"


def _of_series(estimator: Forecaster, item: Any, baseline: Any, future: Any) -> Subject:
    """From a window in its own units to the forecast in its own: what is taken off comes back."""
    model = estimator._models.servable
    known = estimator.columns_.known(future, 1, estimator.recipe_.task["horizon"])
    x = windows_of(estimator, [item], 2, ahead=False)[0][-1]
    inputs = {each.name: each for each in model.inputs}
    others = () if known is None else (known[0].astype(np.float32),)
    given = [inputs["x"], *([inputs["future"]] if others else [])]
    function = once(
        estimator,
        "differentiable forecast",
        lambda: Differentiable(keras.Model(given, model.output["forecast"])),
    )
    mean = np.broadcast_to(fallback(estimator), x.shape).astype(np.float32)
    base = mean if baseline is None else _like(baseline, x)
    names = [str(name) for name in estimator.columns_.inputs]
    return Subject(function, Row(x, others), base, x, None, names)


def _embedded(estimator: Estimator, baseline: Any, count: int) -> np.ndarray:
    """The embedding of a baseline of text: a token for all, or one for each."""
    tokens = [baseline] * count if isinstance(baseline, str) else baseline
    if isinstance(tokens, np.ndarray) and tokens.dtype.kind == "f":
        width = sum(stream_widths(estimator).values())
        return _like(tokens, np.zeros((count, width), np.float32))
    check_one(estimator, tokens)
    if len(tokens) != count:
        raise DataError(
            f"baseline: expected a token, or as many as the text has, {count}, got {len(tokens)}"
        )
    return one_row(estimator, list(tokens)).x


def _like(baseline: Any, x: np.ndarray) -> np.ndarray:
    """A baseline of numbers in the shape of the sequence."""
    try:
        given = np.asarray(baseline, dtype=np.float32)
        if given.ndim == x.ndim - 1 and x.shape[-1] == 1 and given.shape == x.shape[:-1]:
            given = given[..., None]  # without the axis of the only feature
        whole = np.broadcast_to(given, x.shape)
    except (TypeError, ValueError):
        raise DataError(
            f"baseline: expected numbers of the shape {x.shape}, or what can be broadcast to it, "
            f"got {shown(baseline)}"
        ) from None
    if not np.isfinite(whole).all():
        raise DataError("baseline: has a value that is no finite number")
    return whole.astype(np.float32)


def _channels(x: np.ndarray) -> list[str]:
    return [f"channel {number}" for number in range(x.shape[-1])]
