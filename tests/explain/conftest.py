"""Small fitted estimators, each trained once; nothing of them is changed but by who copies it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kseq import Forecaster, SequenceClassifier, SequenceTagger

ONE = {"epochs": 1, "validation_fraction": 0}


def sequences(count: int = 12, *, ragged: bool = True) -> tuple[Any, np.ndarray]:
    """Sequences of two features, and three classes."""
    rng = np.random.default_rng(0)
    X = [rng.normal(3.0, 2.0, size=(6 - i % 4 if ragged else 6, 2)) for i in range(count)]
    return (X if ragged else np.stack(X)), np.array(["a", "b", "c"] * (count // 3))


def classifier(ragged: bool = True, **model: Any) -> SequenceClassifier:
    """A classifier that has hardly learned anything."""
    X, y = sequences(ragged=ragged)
    return SequenceClassifier(model=model, training=ONE, random_state=0).fit(X, y)


@pytest.fixture(scope="session")
def lstm() -> SequenceClassifier:
    """Two layers that read both ways, sequences of different lengths."""
    return classifier(cell="lstm", units=[4, 3], bidirectional=True)


@pytest.fixture(scope="session")
def rnn() -> SequenceClassifier:
    """A plain recurrent layer, one way, sequences of equal length."""
    return classifier(False, cell="rnn", units=4)


TOKENS = [["Ana", "met", "Bo"], ["Bo", "left", "town", "with", "Ana"], ["we", "met", "Ana"]]
TAGS = [["B-name", "O", "B-name"], ["B-name", "O", "O", "O", "B-name"], ["O", "O", "B-name"]]


@pytest.fixture(scope="session")
def tagger() -> SequenceTagger:
    """Finds names, and has a label for each text."""
    y = list(zip(TAGS * 8, ["two", "two", "one"] * 8, strict=True))
    model = {"units": 6, "embedding": {"width": 8}}
    return SequenceTagger(
        text={"characters": False, "casing": True},
        model=model,
        training={"epochs": 12, "learning_rate": 0.03},
        random_state=0,
    ).fit(TOKENS * 8, y)


WAVES = np.stack(
    [1e4 + 500 * np.sin(np.arange(80) / 5), np.cos(np.arange(80) / 7), np.arange(80) % 7], axis=1
)


@pytest.fixture(scope="session")
def forecaster() -> Forecaster:
    """Two targets, each by itself, and a covariate known ahead."""
    return Forecaster(
        window=10,
        horizon=3,
        future_covariates=[2],
        channels="independent",
        model={"cell": "gru", "units": 4},
        training=ONE,
        random_state=0,
    ).fit(WAVES)
