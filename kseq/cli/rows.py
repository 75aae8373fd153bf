"""Predictions as the rows of a table."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TextIO

import numpy as np

from kseq.estimators.base import Estimator
from kseq.estimators.classifier import SequenceClassifier
from kseq.estimators.conformal import Interval
from kseq.estimators.forecaster import Forecaster
from kseq.estimators.regressor import SequenceRegressor

Row = dict[str, Any]


def predictions(
    estimator: Estimator, X: Any, ids: Sequence[str] | None, interval: float | None = None
) -> Iterator[Row]:
    """A row for each sequence or text, or for each of its steps, of a classifier or regressor.

    Args:
        estimator: The fitted model.
        X: What to predict.
        ids: Names of the rows.
        interval: Of a regressor: the level of the bounds that are written too.
    """
    names = ids if ids is not None else range(len(X))
    if isinstance(estimator, SequenceClassifier):
        probabilities = estimator.predict_proba(X)
        labels = estimator.classes_[probabilities.argmax(axis=1)].tolist()
        for name, label, row in zip(names, labels, probabilities.tolist(), strict=True):
            shares = {f"p({c})": p for c, p in zip(estimator.classes_, row, strict=True)}
            yield {"id": name, "label": label, **shares}
        return
    assert isinstance(estimator, SequenceRegressor)
    found = estimator.predict(X, interval=interval)
    fields = found._asdict() if isinstance(found, Interval) else {"prediction": found}
    for name, *values in zip(names, *fields.values(), strict=True):
        if estimator.spec_.per_step:
            for step, at in enumerate(zip(*values, strict=True)):
                yield {"id": name, "step": step, **_values(fields, at)}
        else:
            yield {"id": name, **_values(fields, values)}


def forecasts(estimator: Forecaster, forecast: Any, ids: Sequence[str] | None) -> Iterator[Row]:
    """A row for each step ahead of each series; after the forecast its bounds, where it has any."""
    if isinstance(forecast, Interval):
        every = (forecasts(estimator, each, ids) for each in forecast)
        targets = set(map(str, estimator.targets_))
        for rows in zip(*every, strict=True):
            bounds: Row = {}
            for end, row in zip(forecast._fields[1:], rows[1:], strict=True):
                bounds |= {f"{name} {end}": row[name] for name in row if name in targets}
            yield {**rows[0], **bounds}
        return
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


def _values(names: Iterable[str], values: Iterable[Any]) -> Row:
    """The columns of one prediction, and of its bounds."""
    row: Row = {}
    for name, value in zip(names, values, strict=True):
        if np.ndim(value) == 0:
            row[name] = float(value)
        else:
            row |= {f"{name} {i}": float(v) for i, v in enumerate(value)}
    return row
