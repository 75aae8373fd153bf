"""Small data for each task, and estimators that are fitted to them in a second."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import keras
import numpy as np
import pytest

from kseq import (
    Forecaster,
    SequenceClassifier,
    SequenceRegressor,
    SequenceTagger,
    VideoPredictor,
)
from kseq.builders.conv_lstm import conv_lstm
from kseq.builders.heads import head
from kseq.builders.inputs import sequence_inputs
from kseq.builders.recurrence import Widths
from kseq.estimators.base import Estimator
from kseq.layers.pooling import SequencePooling
from kseq.registry import builders
from kseq.schema import Count, Fraction
from kseq.spec import Spec

MODEL = {"cell": "gru", "units": 4, "dropout": 0.2}
TEXTS = ["Ana Ruiz met Bo", "we met Ana", "Bo left", "hello", "", "is Bo there ?"] * 5
TRAINING = {"epochs": 2, "batch_size": 8, "learning_rate": 0.01}


@dataclass(frozen=True)
class Case:
    """An estimator that is not fitted, what it is fitted to, and what it is asked."""

    estimator: Estimator
    given: tuple[Any, ...]
    asked: tuple[Any, ...]

    def fit(self) -> Estimator:
        return self.estimator.fit(*self.given)


def make_case(kind: str) -> Case:
    """A fresh case; its data are the same each time."""
    rng = np.random.default_rng(0)
    common = {"model": MODEL, "training": TRAINING, "random_state": 3}
    if kind == "classifier":
        X = rng.normal(size=(30, 6, 2))
        y = np.where(np.arange(30) % 3, "up", "down")
        return Case(SequenceClassifier(**common), (X, y), (X[:7],))
    if kind == "regressor":
        X = [rng.normal(size=(length, 2)) for length in rng.integers(3, 9, 30)]
        y = 50 + np.stack([[x.sum(), x[-1, 0]] for x in X])
        return Case(SequenceRegressor(**common), (X, y), (X[:7],))
    if kind == "text classifier":
        X = ["play it again", "stop now", "please play a song", "stop that", "", "Ünser 😀"] * 5
        y = ["play", "stop", "play", "stop", "stop", "play"] * 5
        small = {"embedding": {"width": 4, "character_units": 3, "character_width": 3}}
        return Case(SequenceClassifier(**{**common, "model": {**MODEL, **small}}), (X, y), (X[:7],))
    if kind == "tagger":
        X = [text.split() for text in TEXTS]
        y = [["B-name" if word.istitle() else "O" for word in words] for words in X]
        y[0][1] = "I-name"
        model = {"units": 4, "dropout": 0.2, "embedding": {"width": 4, "character_units": 3}}
        text = {"casing": True, "affixes": 2}
        estimator = SequenceTagger(**{**common, "model": model, "text": text})
        return Case(estimator, (X, y), (X[:7],))
    if kind == "video":
        X = rng.integers(0, 256, (20, 7, 8, 6), np.uint8)
        model = {**MODEL, "builder": "tiny_frames"}
        estimator = VideoPredictor(window=3, horizon=2, **{**common, "model": model})
        return Case(estimator, (X,), (X[:7, :4].astype(np.float32),))
    columns = {name: rng.normal(size=60).cumsum() for name in ("a", "b", "known")}
    columns["b"][[5, 50, 57]] = np.nan
    roles = {"target": "a", "past_covariates": ["b"], "future_covariates": ["known"]}
    estimator = Forecaster(window=8, horizon=3, **roles, **common)
    return Case(estimator, (columns,), (columns, rng.normal(size=(3, 1))))


KINDS = ("classifier", "regressor", "forecaster", "text classifier", "tagger", "video")


@pytest.fixture(params=KINDS)
def case(request) -> Case:
    return make_case(request.param)


@cache
def make_fitted(kind: str) -> tuple[Estimator, Case]:
    """A fitted estimator, not to be changed, and its case; fitted once a session."""
    case = make_case(kind)
    return case.fit(), case


@pytest.fixture(params=KINDS)
def fitted(request) -> tuple[Estimator, Case]:
    return make_fitted(request.param)


def told(act: Callable[[], Any]) -> list[str]:
    """The warnings that are no other library's; `pytest.warns` would pass on those as ours."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        act()
    return [str(each.message) for each in found if each.category is UserWarning]


@pytest.fixture(scope="package", autouse=True)
def tiny() -> Iterator[None]:
    """Lends the registry the builders `tiny` and `tiny_frames`, which are fitted in a second."""

    @builders.register("tiny")
    def tiny(spec: Spec, *, units: Count = 4) -> keras.Model:
        inputs = sequence_inputs(spec)
        hidden = keras.layers.Dense(units, activation="tanh", name="hidden")(inputs.x)
        context = hidden
        if not spec.per_step:
            context = SequencePooling("mean", name="readout")(hidden, mask=inputs.mask)
        return inputs.model(head(context, inputs.future, spec), name="tiny")

    @builders.register("tiny_frames")
    def tiny_frames(
        spec: Spec, *, cell: str = "gru", units: Count | Widths = 4, dropout: Fraction = 0.0
    ) -> keras.Model:
        filters = [units] if isinstance(units, int) else units
        return conv_lstm(spec, filters=filters, teacher_forcing=dropout)

    yield
    del builders._entries["tiny"], builders._entries["tiny_frames"]


def prepared(estimator: Estimator, X: Any, y: Any = None) -> Estimator:
    """As `fit`, but the weights stay as they were drawn: for all that training does not change."""
    estimator._prepare(X, y, None)
    estimator.history_ = {}
    return estimator


def answers(estimator: Estimator, asked: tuple[Any, ...]) -> np.ndarray:
    """Probabilities, numbers or forecasts as one array."""
    if estimator.task == "classification":
        return estimator.predict_proba(*asked)
    if estimator.task == "tagging":
        return np.concatenate(estimator.predict_proba(*asked))
    predicted = estimator.predict(*asked)
    return predicted["a"] if isinstance(predicted, dict) else np.asarray(predicted)
