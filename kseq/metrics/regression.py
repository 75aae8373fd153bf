"""Scores of numeric targets, one per sequence or one per time step."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kseq.errors import DataError
from kseq.metrics.evaluation import Evaluation, counted

CONSTANT = "the truth of {} is constant, so it has no variance to explain"


def evaluate_regression(
    truth: Any,
    predicted: Any,
    training_mean: Any,
    *,
    targets: Sequence[str] | None = None,
) -> Evaluation:
    """Compares predicted numbers with the true ones.

    `mse` (primary), `rmse`, `mae` and `r2`, the last as 1 - MSE / variance of the truth. With
    several targets each metric is computed for each target and averaged over them, as
    scikit-learn does; the notes hold the single values.

    Args:
        truth: `(items,)`, `(items, targets)`, or, where each time step has its own target, a list
            of `(time,)` or `(time, targets)` arrays with the valid steps alone.
        predicted: The same form.
        training_mean: The mean of the training targets, a number or `(targets,)`: the answer of
            the baseline.
        targets: Names of the targets.

    Raises:
        DataError: If there is nothing to compare, the shapes don't fit or a true value is missing.

    Example:
        >>> scored = evaluate_regression([1.0, 3.0], [1.0, 2.0], training_mean=2.0)
        >>> scored.metrics
        {'mse': 0.5, 'rmse': 0.7071067811865476, 'mae': 0.5, 'r2': 0.5}
    """
    per_step = isinstance(truth, list | tuple) and len(truth) > 0 and np.ndim(truth[0]) > 0
    form = [np.shape(rows) for rows in truth] if per_step else np.shape(truth)
    got = [np.shape(rows) for rows in predicted] if per_step else np.shape(predicted)
    if form != got or not (sum(map(len, truth)) if per_step else len(truth)):
        raise DataError(
            "expected predictions in the shape of the truth, with at least one value; got "
            f"{_brief(got)} for {_brief(form)}"
        )
    true, answers = _table(truth, per_step), _table(predicted, per_step)
    if not np.isfinite(true).all():
        wrong = int((~np.isfinite(true)).any(axis=1).sum())
        raise DataError(f"{wrong} of {len(true)} true targets are missing or infinite")
    names = _names(targets, true.shape[1])
    means = np.broadcast_to(np.asarray(training_mean, dtype=np.float64), true.shape[1:])

    rows = {
        "model": [pointwise(true[:, t], answers[:, t]) for t in range(len(names))],
        "training mean": [pointwise(true[:, t], means[t]) for t in range(len(names))],
    }
    undefined = {}
    flat = [name for t, name in enumerate(names) if np.ptp(true[:, t]) == 0]
    if flat:
        undefined["r2"] = CONSTANT.format(", ".join(flat))
    wrong = int((~np.isfinite(answers)).sum())
    if wrong:
        undefined["model"] = f"{wrong} of {answers.size} predictions are not finite numbers"
    what = counted(len(truth), "sequence")
    if per_step:
        what = f"{counted(len(true), 'step')} of {what}"
    notes: dict[str, Any] = {"compared": what}
    if undefined:
        notes["undefined"] = undefined
    if len(names) > 1:
        notes["per_target"] = dict(zip(names, rows["model"], strict=True))
    return Evaluation(
        task="regression",
        metrics=average(rows["model"]),
        baselines={"training mean": average(rows["training mean"])},
        primary="mse",
        truth=[np.asarray(r) for r in truth] if per_step else np.asarray(truth),
        predicted=[np.asarray(r) for r in predicted] if per_step else np.asarray(predicted),
        labels=names,
        items=len(true),
        notes=notes,
    )


def pointwise(truth: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """The metrics of one target; NaN where there is none.

    Args:
        truth: Finite values `(items,)`.
        predicted: `(items,)`, or one number for all.
    """
    nothing = dict.fromkeys(("mse", "rmse", "mae", "r2"), math.nan)
    if not truth.size or not np.isfinite(predicted).all():
        return nothing
    error = truth - predicted
    with np.errstate(over="ignore"):  # a diverged model: infinite, and reported as undefined
        mse = float(np.mean(error**2))
    spread = float(np.var(truth)) if np.ptp(truth) > 0 else math.nan
    return {
        "mse": mse,
        "rmse": math.sqrt(mse),
        "mae": float(np.mean(np.abs(error))),
        "r2": 1.0 - mse / spread,
    }


def average(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Each metric averaged over the targets; NaN where it is NaN for one of them."""
    return {metric: float(np.mean([row[metric] for row in rows])) for metric in rows[0]}


def _table(values: Any, per_step: bool) -> np.ndarray:
    """`(items, targets)` in float64; sequences one after the other."""
    parts = [np.asarray(rows, dtype=np.float64) for rows in values] if per_step else None
    whole = np.concatenate(parts) if parts else np.asarray(values, dtype=np.float64)
    return whole.reshape(len(whole), -1)


def _names(targets: Sequence[str] | None, count: int) -> list[str]:
    if targets is None:
        return ["target"] if count == 1 else [f"target {t}" for t in range(count)]
    if len(targets) != count:
        raise DataError(
            f"expected {counted(count, 'target name')}, got {len(targets)}: {list(targets)}"
        )
    return [str(name) for name in targets]


def _brief(form: Any) -> str:
    return str(form) if isinstance(form, tuple) else f"{len(form)} sequences of {form[:3]}..."
