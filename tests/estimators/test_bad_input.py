"""Every kind of estimator beside every kind of fault: what is said, not only that something is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.exceptions import NotFittedError

from kseq import Forecaster, KseqError, SequenceClassifier, SequenceRegressor, SequenceTagger

RNG = np.random.default_rng(0)
X = RNG.normal(size=(8, 5, 2))
LABELS = np.arange(8) % 2
NUMBERS = RNG.normal(size=8)
SERIES = RNG.normal(size=40).cumsum()
TEXTS = [["Ana", "met", "Bo"], ["Bo", "left"]] * 4
TAGS = [["N", "V", "N"], ["N", "V"]] * 4
HOLED = np.where(np.arange(80).reshape(8, 5, 2) == 23, np.nan, X)
INFINITE = np.where(np.arange(80).reshape(8, 5, 2) == 23, -np.inf, X)
ODD = [X[0], X[1][:, :1], *X[2:]]
EMPTY = [X[0], X[1][:0], *X[2:]]


def classifier(**params: Any) -> SequenceClassifier:
    return SequenceClassifier(model={"builder": "tiny"}, training={"epochs": 1}, **params)


def regressor(**params: Any) -> SequenceRegressor:
    return SequenceRegressor(model={"builder": "tiny"}, training={"epochs": 1}, **params)


def tagger(**params: Any) -> SequenceTagger:
    return SequenceTagger(training={"epochs": 1}, **params)


def forecaster(**params: Any) -> Forecaster:
    model = {"model": {"builder": "tiny"}, "training": {"epochs": 1}}
    return Forecaster(**{"window": 6, "horizon": 2, **model, **params})


def step(values: Any = None) -> list[Any]:
    return [RNG.normal(size=5) for _ in range(8)] if values is None else values


FIT: list[tuple[Any, tuple[Any, ...], str]] = [
    # --- classifier: X ---
    (classifier(), (HOLED, LABELS), r"X: NaN in sequence 2, step 1, feature 1; fill or drop"),
    (classifier(), (INFINITE, LABELS), r"X: -inf in sequence 2, step 1, feature 1"),
    (classifier(), (X * 1e300, LABELS), r"X: .*e\+300 is too large for float32; rescale"),
    (classifier(), (ODD, LABELS), r"X\[1\]: has 1 features a time step, but X\[0\] has 2"),
    (classifier(), (EMPTY, LABELS), r"X\[1\]: has 0 time steps; at least 1 is needed"),
    (classifier(), ([], []), r"X: is empty; at least one sequence is needed"),
    (classifier(), (None, LABELS), r"X: expected an array or a list of arrays, got NoneType"),
    (classifier(), ({"a": X}, LABELS), r"X: expected an array or a list of arrays, got dict"),
    (classifier(), ("play it", LABELS), r"X: expected an array or a list of arrays, got str"),
    (classifier(), (3.0, LABELS), r"X: expected \(n, time, features\) or \(n, time\)"),
    (classifier(), (X[0, 0], LABELS), r"one sequence alone is X\[None\]"),
    (classifier(), (X[:, None], LABELS), r"the sequences are clips, with frames of 5 x 2 pixels"),
    (classifier(), (X[:, :0], LABELS), r"X: 0 feature\(s\) \(shape=\(8, 0, 2\)\)"),
    (classifier(), (X[:, :1], LABELS), r"1 time step with 2 features.*kseq\.compat\.time_first"),
    (classifier(), (X.astype(complex), LABELS), r"X: Complex data not supported, got complex128"),
    (classifier(), (X.astype("M8[s]"), LABELS), r"X: not all values are numbers: got datetime64"),
    (classifier(), (csr_array(X[:, :, 0]), LABELS), r"X: sparse data is not supported; pass X.to"),
    (
        classifier(),
        (np.full((8, 5), "a"), LABELS),
        r"X: not all values are numbers.*text is",
    ),
    (classifier(), (["a b"] * 7 + [3], LABELS), r"X: text 7: expected a string, got 3"),
    (classifier(text={}), (X, LABELS), r"X: expected a list of strings or of token lists"),
    # --- classifier: y ---
    (classifier(), (X, LABELS[:-1]), r"y: has 7 targets for 8 sequences"),
    (classifier(), (X, None), r"requires y to be passed, but the target y is None"),
    (classifier(), (X, np.zeros(8)), r"y: has 1 class, 0\.0 alone; at least 2 are needed"),
    (classifier(), (X, NUMBERS), r"y: Unknown label type: continuous.*use SequenceRegressor"),
    (classifier(), (X, np.where(LABELS, np.nan, 1.0)), r"y: contains NaN or infinity"),
    (classifier(), (X, ["a", None] * 4), r"y: expected labels of one kind, got NoneType and text"),
    (classifier(), (X, np.zeros((8, 2))), r"y: expected one class a sequence, got an array of \(8"),
    (classifier(), (X, {1: 2}), r"y: expected one class a sequence, got an array of \(\)"),
    # --- regressor ---
    (regressor(), (HOLED, NUMBERS), r"X: NaN in sequence 2, step 1, feature 1"),
    (regressor(), (X, NUMBERS[:3]), r"y: has 3 targets for 8 sequences"),
    (regressor(), (X, np.full(8, np.nan)), r"y: Input y contains NaN"),
    (regressor(), (X, np.full(8, 1e300)), r"y: contains infinity or a value too large for float32"),
    (regressor(), (X, ["a"] * 8), r"y: not all targets are numbers"),
    (regressor(), (X, np.zeros((8, 5, 1))), r"y: expected \(n,\) or \(n, targets\).*set per_step"),
    (regressor(per_step=True), (X, NUMBERS), r"y\[0\]: expected \(time,\) or \(time, targets\)"),
    (regressor(per_step=True), (X, [*step()[:7], [1]]), r"y\[7\]: has 1 targets for 5 time steps"),
    (regressor(per_step=True), (X, np.full((8, 5), np.nan)), r"y: has no target that is not NaN"),
    # --- tagger ---
    (tagger(), (TEXTS, TAGS[:-1]), r"y: has 7 targets for 8 texts"),
    (tagger(), (TEXTS, [["N"], *TAGS[1:]]), r"y: text 0: has 1 tags for 3 tokens \('Ana met Bo'\)"),
    (
        tagger(),
        (TEXTS, [["N", 3, "N"], *TAGS[1:]]),
        r"text 0, token 1: expected a tag as text",
    ),
    (tagger(), (X, TAGS), r"X: expected a list of strings or of token lists, got ndarray"),
    (tagger(), ("Ana met Bo", TAGS), r"X: expected a list of texts, got one string; pass \[X\]"),
    (tagger(), ([["Ana", ""], *TEXTS[1:]], TAGS), r"X: text 0, token 1: is empty"),
    (tagger(), ([["Ana", 4], *TEXTS[1:]], TAGS), r"X: text 0, token 1: expected a string, got 4"),
    # --- forecaster ---
    (forecaster(), (SERIES[:7],), r"series: (has )?7 rows"),
    (forecaster(), (None,), r"series: expected an array or a table, got NoneType"),
    (forecaster(), (np.where(SERIES[3] == SERIES, np.inf, SERIES),), r"series: inf in row 3"),
    (
        forecaster(missing="error"),
        (np.where(np.arange(40) == 3, np.nan, SERIES),),
        r"a value is missing in row 3",
    ),
    (forecaster(), (["a"] * 40,), r"series: not all values are numbers"),
    (forecaster(), (SERIES[None, None, None],), r"series: expected \(time,\) or \(time, columns\)"),
    (forecaster(target="x"), ({"a": SERIES},), r"series: the series has no column 'x'; it has 'a'"),
    (
        forecaster(),
        (pd.DataFrame({"a": ["x"] * 40}),),
        r"series\['a'\]: not all values are numbers",
    ),
    (forecaster(window=0), (SERIES,), r"task\.window: expected greater than 0, got 0"),
]
ASK: list[tuple[str, tuple[Any, ...], str]] = [
    (
        "classifier",
        (X[:, :, :1],),
        r"X: has 1 features a time step, but the model was fit",
    ),
    ("classifier", (X[0],), r"has 1 features .* with 2; if it is one sequence, pass X\[None\]"),
    ("classifier", (["text"],), r"X: is text, but the model was fitted to numbers"),
    ("classifier", ([],), r"X: is empty; at least one sequence is needed"),
    ("classifier", (HOLED,), r"X: NaN in sequence 2, step 1, feature 1"),
    ("forecaster", (SERIES[:3],), r"history: has 3 rows, but task\.window is 6"),
]


@pytest.mark.parametrize(("estimator", "given", "message"), FIT)
def test_fit_says_what_is_wrong(estimator: Any, given: tuple[Any, ...], message: str):
    with pytest.raises(KseqError, match=message):
        estimator.fit(*given)


@pytest.fixture(scope="module")
def fitted() -> dict[str, Any]:
    return {"classifier": classifier().fit(X, LABELS), "forecaster": forecaster().fit(SERIES)}


@pytest.mark.parametrize(("kind", "asked", "message"), ASK)
def test_predict_says_what_is_wrong(fitted, kind: str, asked: tuple[Any, ...], message: str):
    with pytest.raises(KseqError, match=message):
        fitted[kind].predict(*asked)


@pytest.mark.parametrize("estimator", [classifier(), forecaster()])
def test_callbacks_are_those_of_keras(estimator: Any):
    given = (SERIES,) if estimator.__class__.__name__ == "Forecaster" else (X, LABELS)
    with pytest.raises(KseqError, match=r"callbacks\[0\]: expected a keras.*Callback, got 'x'"):
        estimator.fit(*given, callbacks=["x"])


def test_a_fit_that_fails_leaves_no_fitted_estimator_behind():
    estimator = classifier().fit(X, LABELS)
    with pytest.raises(KseqError):
        estimator.fit(X, LABELS, callbacks=["x"])
    with pytest.raises(NotFittedError):
        estimator.predict(X)
