"""Whether prediction intervals hold the share of what comes that they promise, and how wide."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from kseq.metrics.evaluation import Evaluation

LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


def with_interval(
    evaluation: Evaluation, level: float | None, margin: Any, needed: Any
) -> Evaluation:
    """The evaluation with its bounds and `notes["interval"]`; as it is where there are none.

    The note holds the `level`; over all `points` with a truth their `coverage`, the share between
    the bounds, and the mean `width`, upper less lower; `curve`, the coverage at further levels;
    of several targets `per_target`, and of a forecast `by_step`, both at each.

    Args:
        evaluation: Of numbers.
        level: The share that the bounds are to hold.
        margin: How far the bounds are from the predictions, in the form of the truth, or of its
            items one after the other; NaN where there are none.
        needed: What a level must be above for its bounds to hold each truth, in the same form.

    Example:
        >>> scored = Evaluation(
        ...     task="regression", primary="mse", metrics={"mse": 1.0}, items=2, baselines={},
        ...     truth=np.array([1.0, 2.0]), predicted=np.array([1.5, 4.0]),
        ... )
        >>> note = with_interval(scored, 0.9, [1.0, 1.0], [0.3, 0.97]).notes["interval"]
        >>> note["coverage"], note["width"], note["points"]
        (0.5, 2.0, 2)
    """
    of_steps = evaluation.task == "forecasting"
    true, near, far, need = (
        _table(values, of_steps)
        for values in (evaluation.truth, evaluation.predicted, margin, needed)
    )
    known = np.isfinite(true)
    if level is None or not known.any() or np.isnan(far).any():
        return evaluation
    inside = np.abs(true - near) <= far

    def share(values: np.ndarray, axes: Any = None) -> Any:
        """The mean over what has a truth; NaN where nothing has."""
        count = known.sum(axis=axes)
        total = np.where(known, values, 0.0).sum(axis=axes)
        return np.divide(total, count, out=np.full(np.shape(count), np.nan), where=count > 0)

    note: dict[str, Any] = {
        "level": float(level),
        "coverage": float(share(inside)),
        "width": float(share(2 * far)),
        "points": int(known.sum()),
        "curve": [
            {"level": each, "coverage": float(share(need < each - 1e-12))} for each in LEVELS
        ],
    }
    names = [str(name) for name in evaluation.labels or []]
    if len(names) > 1:
        others = tuple(range(true.ndim - 1))
        pairs = zip(share(inside, others).tolist(), share(2 * far, others).tolist(), strict=True)
        note["per_target"] = {
            name: {"coverage": covered, "width": width}
            for name, (covered, width) in zip(names, pairs, strict=True)
        }
    if of_steps:
        note["by_step"] = {
            "coverage": share(inside, (0, 2)).tolist(),
            "width": share(2 * far, (0, 2)).tolist(),
        }
    return replace(
        evaluation,
        lower=_moved(evaluation.predicted, -np.asarray(margin)),
        upper=_moved(evaluation.predicted, np.asarray(margin)),
        notes={**evaluation.notes, "interval": note},
    )


def _table(values: Any, of_steps: bool) -> np.ndarray:
    """`(points, targets)`, or of a forecast `(windows, horizon, targets)`."""
    if isinstance(values, list) and np.ndim(values[0]) > 0:
        values = np.concatenate(values)
    whole = np.asarray(values, dtype=np.float64)
    return whole if of_steps else whole.reshape(len(whole), -1)


def _moved(predicted: Any, margin: Any) -> Any:
    """The predictions with their margin added."""
    if not isinstance(predicted, list):
        return predicted + np.asarray(margin).reshape(np.shape(predicted))
    cuts = np.cumsum([len(item) for item in predicted])[:-1]
    return [p + r.reshape(p.shape) for p, r in zip(predicted, np.split(margin, cuts), strict=True)]
