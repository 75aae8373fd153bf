"""Scores as sums over items, so that they can be taken of any items again and again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, get_args

import numpy as np

from kseq.metrics.evaluation import Evaluation
from kseq.metrics.span_arrays import SpanReader
from kseq.metrics.tagging import reading_note
from kseq.tags import Reading, Scheme

# Of numbers, for each target: squared errors, absolute errors, sMAPE, truth, its square, count.
_TERMS = 6


@dataclass(frozen=True, eq=False)
class ByItem:
    """What each item adds to the sums that a score is computed from.

    Args:
        sums: `(items, terms)`.
        how: What is made of them.
        units: Of numbers, what the score of each target is divided by, `(targets,)`.

    Example:
        >>> from kseq.metrics.classification import evaluate_classification
        >>> found = evaluate_classification(["a", "b", "b"], ["a", "b", "a"], None, ["a", "b"], "b")
        >>> each = by_item(found, "accuracy")
        >>> each.sums.tolist(), float(each.score(each.sums[:2].sum(axis=0)))
        ([[1.0, 1.0], [1.0, 1.0], [0.0, 1.0]], 1.0)
    """

    sums: np.ndarray
    how: str
    units: np.ndarray = field(default_factory=lambda: np.ones(1))

    def score(self, sums: np.ndarray) -> np.ndarray:
        """The score of sums `(..., terms)`, such as those over all items."""
        if self.how == "mean":
            return _ratio(sums[..., 0], sums[..., 1], math.nan)
        if self.how in ("f1", "precision", "recall"):
            right, found, there = np.moveaxis(sums, -1, 0)
            below = {"precision": found, "recall": there, "f1": (found + there) / 2}
            return _ratio(right, below[self.how])
        if self.how in ("balanced_accuracy", "macro_f1"):
            right, found, there = np.split(sums, 3, axis=-1)
            if self.how == "balanced_accuracy":
                rates, count = _ratio(right, there), there > 0
            else:
                rates, count = _ratio(2 * right, there + found), there + found > 0
            return _ratio(rates.sum(axis=-1), count.sum(axis=-1), math.nan)
        table = sums.reshape(*sums.shape[:-1], len(self.units), _TERMS)
        means = _ratio(table[..., :-1], table[..., -1:], math.nan)
        squared, absolute, symmetric, true, power = np.moveaxis(means, -1, 0)
        each: np.ndarray
        if self.how == "r2":
            each = 1.0 - _ratio(squared, np.maximum(power - true**2, 0.0), math.nan)
        else:
            each = {
                "mse": squared, "rmse": np.sqrt(squared), "mae": absolute, "smape": symmetric,
            }[self.how]  # fmt: skip
        return np.asarray((each / self.units).mean(axis=-1))


def by_item(evaluation: Evaluation, metric: str) -> ByItem | None:
    """The score of an evaluation as one of sums over its items.

    Items are sequences, texts or the windows of forecasts.

    Args:
        evaluation: What `evaluate` returned.
        metric: One of its metrics.

    Returns:
        None where the metric is none of sums, or the answers are not kept, as those of video.
    """
    if evaluation.task == "classification":
        return _of_classes(evaluation, metric)
    if evaluation.task == "regression":
        return _of_numbers(_sequences(evaluation), metric, {})
    if evaluation.task == "forecasting":
        return _of_numbers(_windows(evaluation), metric, _units(evaluation))
    if evaluation.task == "tagging":
        return _of_tags(evaluation, metric)
    return None


def _ratio(above: np.ndarray, below: np.ndarray, nothing: float = 0.0) -> np.ndarray:
    shape = np.broadcast_shapes(np.shape(above), np.shape(below))
    return np.divide(above, below, out=np.full(shape, nothing), where=below != 0)


def _mean(values: np.ndarray, *, count: np.ndarray | None = None) -> ByItem:
    """The mean of a value an item; or of sums of values, over their counts."""
    each = np.ones_like(values) if count is None else count
    return ByItem(np.stack([values, each], axis=1).astype(np.float64), "mean")


# --- classes ---


def _of_classes(evaluation: Evaluation, metric: str) -> ByItem | None:
    truth, predicted = np.asarray(evaluation.truth), np.asarray(evaluation.predicted)
    if metric == "accuracy":
        return _mean((truth == predicted).astype(np.float64))
    if metric == "log_loss":
        if evaluation.probabilities is None:
            return None
        place = {label: column for column, label in enumerate(evaluation.labels or ())}
        codes = np.array([place.get(label, -1) for label in truth.tolist()])
        table = np.asarray(evaluation.probabilities, dtype=np.float64)
        table = table / table.sum(axis=1, keepdims=True)
        stated = np.clip(table[np.arange(len(codes)), codes], np.finfo(np.float64).eps, 1.0)
        seen = (codes >= 0).astype(np.float64)
        return _mean(-np.log(stated) * seen, count=seen)
    if metric not in ("balanced_accuracy", "macro_f1"):
        return None
    names, codes = np.unique(np.concatenate([truth, predicted]), return_inverse=True)
    one_hot = np.eye(len(names))[codes]
    there, found = one_hot[: len(truth)], one_hot[len(truth) :]
    return ByItem(np.concatenate([there * found, found, there], axis=1), metric)


# --- numbers ---


def _sequences(evaluation: Evaluation) -> np.ndarray:
    """The terms of each sequence, `(items, targets, terms)`."""
    truth, predicted = evaluation.truth, evaluation.predicted
    if not isinstance(truth, list):
        shape = (len(truth), -1)
        return _terms(np.reshape(truth, shape), np.reshape(predicted, shape))
    pairs = zip(truth, predicted, strict=True)
    return np.stack(
        [_terms(t.reshape(len(t), -1), p.reshape(len(p), -1)).sum(axis=0) for t, p in pairs]
    )


def _windows(evaluation: Evaluation) -> np.ndarray:
    """The terms of each window, `(windows, targets, terms)`, of pairs that every row has."""
    known = np.isfinite(evaluation.truth)
    for answer in evaluation.references.values():
        known &= np.isfinite(answer)
    truth = np.where(known, evaluation.truth, 0.0)
    terms = _terms(truth, np.where(known, evaluation.predicted, 0.0))
    return np.where(known[..., None], terms, 0.0).sum(axis=1)


def _terms(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    true, answer = np.asarray(truth, np.float64), np.asarray(predicted, np.float64)
    error = np.abs(true - answer)
    symmetric = 200.0 * _ratio(error, np.abs(true) + np.abs(answer))
    return np.stack([error**2, error, symmetric, true, true**2, np.ones_like(true)], axis=-1)


def _units(evaluation: Evaluation) -> dict[str, np.ndarray]:
    """What errors are divided by for the scores that have a scale, `(targets,)` each."""
    rows: list[Mapping[str, float]] = [evaluation.metrics]
    if len(evaluation.labels or ()) > 1:
        rows = list(evaluation.notes["per_target"].values())
    each = {m: np.array([row[m] for row in rows]) for m in ("mae", "mse", "mase")}
    standard = {f"{m}_standardised": np.array([row[f"{m}_standardised"] for row in rows])
                for m in ("mae", "mse")}  # fmt: skip
    found = {"mase": _ratio(each["mae"], each["mase"], math.nan)}
    for metric in ("mae", "mse"):
        name = f"{metric}_standardised"
        found[name] = _ratio(each[metric], standard[name], math.nan)
    return found


def _of_numbers(terms: np.ndarray, metric: str, units: Mapping[str, np.ndarray]) -> ByItem | None:
    items, targets, _ = terms.shape
    how = {"mase": "mae"}.get(metric, metric.removesuffix("_standardised"))
    if how not in ("mse", "rmse", "mae", "r2", "smape"):
        return None
    scale = units.get(metric, np.ones(targets))
    return ByItem(terms.reshape(items, targets * _TERMS), how, scale)


# --- tags ---


def _of_tags(evaluation: Evaluation, metric: str) -> ByItem | None:
    if metric == "label_accuracy":
        pairs = zip(evaluation.truth, evaluation.predicted, strict=True)
        if not isinstance(evaluation.truth[0], tuple):
            return None
        return _mean(np.array([float(t[1] == p[1]) for t, p in pairs]))
    truth, predicted = _tags(evaluation.truth), _tags(evaluation.predicted)
    if metric == "accuracy":
        right = [sum(a == b for a, b in zip(t, p, strict=True))
                 for t, p in zip(truth, predicted, strict=True)]  # fmt: skip
        return _mean(np.array(right, np.float64), count=np.array(list(map(len, truth))))
    spans = metric in ("f1", "precision", "recall", "boundary_f1")
    if not spans or "reading" not in evaluation.notes:
        return None
    known = ((s, r) for s in get_args(Scheme) for r in get_args(Reading))
    scheme, reading = next(p for p in known if reading_note(*p) == evaluation.notes["reading"])
    names = sorted(set(chain.from_iterable(chain(truth, predicted))))
    reader = SpanReader(names, list(map(len, truth)), scheme=scheme, reading=reading)
    true, answer = reader.read(truth), reader.read(predicted)
    edges, right_spans = answer.found_in(true)
    hits = edges if metric == "boundary_f1" else right_spans
    counts = [
        np.bincount(reader.sequence[starts], minlength=len(truth)).astype(np.float64)
        for starts in (answer.start[hits], answer.start, true.start)
    ]
    return ByItem(np.stack(counts, axis=1), "f1" if metric == "boundary_f1" else metric)


def _tags(tagging: Any) -> list[list[str]]:
    """The tags of each sequence, without the labels that may stand beside them."""
    return [list(item[0] if isinstance(item, tuple) else item) for item in tagging]
