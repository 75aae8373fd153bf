"""The explanations that suit a model, as pictures of a report."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from kseq.data.series import as_series
from kseq.estimators.base import Estimator
from kseq.estimators.forecaster import Forecaster
from kseq.estimators.tagger import SequenceTagger
from kseq.estimators.video import VideoPredictor
from kseq.explain.attributions import attribute
from kseq.explain.gating import gated_layers, gates
from kseq.explain.reaches import reach_of
from kseq.explain.subjects import check_estimator, evenly, recurrent_layers, rows_of, step_name
from kseq.tags import OUTSIDE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Picture = tuple[str, str, Callable[[], "Figure"]]
Pictures = list[Picture]
_SEQUENCES = 8
_STEPS = 500
_TEXTS = 50  # that are looked through for one with something to explain
_POINTS = 128


def pictures_of(estimator: Estimator, X: Any) -> Pictures:
    """The explanations that apply to a fitted estimator, for a report.

    These are the reach, where there are recurrent layers; the gates over one item, where there are
    gates; and the attribution of one item's answer. What does not apply is left out.

    It takes seconds: the reach looks at 8 sequences (or windows) of at most 500 steps, with a few
    random projections of outputs that are more than 16; one item of at most 500 steps is explained,
    the first one, of a tagger the first of 50 in which it finds something; and integrated gradients
    take at most 128 points. Where everything is longer than 500 steps there are no pictures.

    Args:
        estimator: A fitted estimator, trained or loaded.
        X: Sequences that its `predict` takes, such as those of the test; of a forecaster series.

    Returns:
        File name, caption and drawing of each. Numbers are computed now, figures when they are
        drawn.

    Example:
        >>> from kseq import SequenceClassifier
        >>> X = np.random.default_rng(0).normal(size=(20, 12))
        >>> model = SequenceClassifier(model={"units": 4}, training={"epochs": 1}, random_state=0)
        >>> [name for name, _, _ in pictures_of(model.fit(X, X[:, -1] > 0), X)]
        ['reach.png', 'gates.png', 'attribution.png']
    """
    return [make() for _, make in planned(estimator, X)]


def planned(estimator: Estimator, X: Any) -> Iterator[tuple[str, Callable[[], Picture]]]:
    """The pictures of `pictures_of` before their numbers are computed, which may fail.

    Args:
        estimator: A fitted estimator.
        X: What `pictures_of` takes.

    Yields:
        The file name of each, and what computes it.
    """
    check_estimator(estimator)
    step = step_name(estimator)
    items = _short(estimator, X)
    if items is None:
        return
    one = cache(lambda: _one(estimator, items))

    def reached() -> Picture:
        found = reach_of(estimator, rows_of(estimator, items, _SEQUENCES), projections=4)
        return "reach.png", f"How far back the model remembers, in {step}s", found.figure

    def gated() -> Picture:
        found = gates(estimator, one())
        return "gates.png", f"Gates over the {step}s of one sequence", found.figure

    def attributed() -> Picture:
        item, future = _ahead(estimator, one())
        with warnings.catch_warnings():
            # Of a gap: the picture is a rough one anyway.
            warnings.simplefilter("ignore", UserWarning)
            found = attribute(estimator, item, future=future, limit=_POINTS)
        return "attribution.png", f"What the {found.output} rests on", found.figure

    if recurrent_layers(estimator) or isinstance(estimator, VideoPredictor):
        yield "reach.png", reached
    if gated_layers(estimator):
        yield "gates.png", gated
    yield "attribution.png", attributed


def _short(estimator: Estimator, X: Any) -> Any:
    """The sequences of at most so many steps; None if there are none."""
    if isinstance(estimator, Forecaster):
        return _long_enough(estimator, X) if estimator.recipe_.task["window"] <= _STEPS else None
    if isinstance(estimator, VideoPredictor):
        window = estimator.recipe_.task["window"]
        clips = estimator._checked(X, window, "X")
        rows = evenly(len(clips), _SEQUENCES)
        frames = clips.window(rows, clips.lengths[rows] - window, window)
        return frames[..., 0] if clips.flat else frames
    X = estimator._read(X)[0]
    lengths = estimator._parts(X).lengths
    chosen = np.flatnonzero((lengths > 0) & (lengths <= _STEPS))
    items = X.to_numpy() if hasattr(X, "iloc") else X  # of pandas
    return [items[place] for place in chosen[:_TEXTS]] if len(chosen) else None


def _long_enough(estimator: Forecaster, X: Any) -> list[Any] | None:
    """The series with a window, and the covariates known ahead of it; None if there are none."""
    task = estimator.recipe_.task
    need = task["window"] + (task["horizon"] if estimator.columns_.future else 0)
    series, form = as_series(X)
    given = X if form.many else [X]
    return [one for one, read in zip(given, series, strict=True) if len(read) >= need] or None


def _one(estimator: Estimator, items: Any) -> Any:
    """One item to explain."""
    if isinstance(estimator, SequenceTagger):
        tags = estimator.predict(items)
        tags = tags if estimator.classes_ is None else [each for each, _ in tags]
        some = (place for place, each in enumerate(tags) if set(each) - {OUTSIDE})
        return items[next(some, 0)]
    return items[0]


def _ahead(estimator: Estimator, item: Any) -> tuple[Any, Any]:
    """What comes before a forecast, and the covariates known ahead, if there are any."""
    if not isinstance(estimator, Forecaster) or not estimator.columns_.future:
        return item, None
    values = estimator.columns_.values(as_series(item)[0][0], "X")
    end, names = len(values) - estimator.recipe_.task["horizon"], estimator.columns_.inputs
    table = {name: values[:end, place] for place, name in enumerate(names)}
    return table, values[end:, -len(estimator.columns_.future) :]
