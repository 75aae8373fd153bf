"""Predictions as the rows of a table."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from typing import Any, TextIO

import numpy as np

from kseq.estimators.base import Estimator
from kseq.estimators.classifier import SequenceClassifier
from kseq.estimators.forecaster import Forecaster

Row = dict[str, Any]


def predictions(estimator: Estimator, X: Any, ids: Sequence[str] | None) -> Iterator[Row]:
    """A row for each sequence or text, or for each of its steps, of a classifier or regressor."""
    names = ids if ids is not None else range(len(X))
    if isinstance(estimator, SequenceClassifier):
        probabilities = estimator.predict_proba(X)
        labels = estimator.classes_[probabilities.argmax(axis=1)].tolist()
        for name, label, row in zip(names, labels, probabilities.tolist(), strict=True):
            shares = {f"p({c})": p for c, p in zip(estimator.classes_, row, strict=True)}
            yield {"id": name, "label": label, **shares}
        return
    for name, value in zip(names, estimator.predict(X), strict=True):
        if estimator.spec_.per_step:
            for step, at in enumerate(value):
                yield {"id": name, "step": step, **_values(at)}
        else:
            yield {"id": name, **_values(value)}


def forecasts(estimator: Forecaster, forecast: Any, ids: Sequence[str] | None) -> Iterator[Row]:
    """A row for each step ahead of each series."""
    many = forecast if isinstance(forecast, list) or np.ndim(forecast) == 3 else [forecast]
    names = ids if ids is not None else range(len(many))
    for name, one in zip(names, many, strict=True):
        columns = one if isinstance(one, dict) else _named(estimator, np.asarray(one))
        for step in range(int(estimator.horizon)):
            row = {str(target): float(values[step]) for target, values in columns.items()}
            yield {**({"id": name} if len(many) > 1 else {}), "step": step + 1, **row}


def write_rows(rows: list[Row], stream: TextIO) -> None:
    """Writes rows as CSV."""
    writer = csv.DictWriter(stream, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def _named(estimator: Forecaster, forecast: np.ndarray) -> dict[Any, np.ndarray]:
    table = forecast[:, None] if forecast.ndim == 1 else forecast
    return dict(zip(estimator.targets_, table.T, strict=True))


def _values(value: Any) -> Row:
    if np.ndim(value) == 0:
        return {"prediction": float(value)}
    return {f"prediction {i}": float(v) for i, v in enumerate(value)}
