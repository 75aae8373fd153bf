"""Numbers as targets, of sequences or of their steps, in one checked form."""

from __future__ import annotations

from typing import Any

import numpy as np

from kseq.errors import DataError
from kseq.estimators.supervised import Parts
from kseq.estimators.validation import same_length

Targets = np.ndarray | list[np.ndarray]


def read_numbers(y: Any, sequences: Parts, per_step: bool, name: str) -> tuple[Targets, bool]:
    """Targets with a last axis of their own, and whether they came without one.

    Args:
        y: `(n,)` or `(n, targets)`; with `per_step` a target for every step.
        sequences: What they belong to.
        per_step: Whether every step has its own.
        name: What to call the targets in messages.

    Raises:
        DataError: If they are no finite numbers, or do not fit the sequences.
    """
    if y is None:
        raise DataError(f"{name}: is missing; requires y to be passed, but the target y is None")
    if hasattr(y, "columns") or not hasattr(y, "__len__"):  # of a table the rows are meant
        y = np.asarray(y)
    same_length(len(sequences), y, name)
    if not per_step:
        values = _floats(y, name)
        if values.ndim not in (1, 2):
            raise DataError(
                f"{name}: expected (n,) or (n, targets), got {values.shape}; "
                "set per_step where every time step has a target"
            )
        if np.isnan(values).any():
            raise DataError(f"{name}: Input y contains NaN")
        return (values[:, None], True) if values.ndim == 1 else (values, False)
    items = [_floats(item, f"{name}[{row}]") for row, item in enumerate(y)]
    flat = items[0].ndim == 1
    for row, (item, length) in enumerate(zip(items, sequences.lengths, strict=True)):
        if item.ndim != items[0].ndim or item.ndim not in (1, 2):
            raise DataError(f"{name}[{row}]: expected (time,) or (time, targets), got {item.shape}")
        if len(item) != length:
            raise DataError(f"{name}[{row}]: has {len(item)} targets for {length} time steps")
        if item.shape[1:] != items[0].shape[1:]:
            raise DataError(
                f"{name}[{row}]: has {item.shape[1]} targets a step, "
                f"but {name}[0] has {items[0].shape[1]}"
            )
    if not any(np.isfinite(item).any() for item in items):
        raise DataError(f"{name}: has no target that is not NaN")
    return [item[:, None] if flat else item for item in items], flat


def _floats(values: Any, name: str) -> np.ndarray:
    try:
        array = np.asarray(values)
        if array.dtype.kind == "c":
            raise DataError(f"{name}: Complex data not supported")
        array = array.astype(np.float64)
        if (np.abs(array) > np.finfo(np.float32).max).any():
            raise DataError(f"{name}: contains infinity or a value too large for float32")
        return array
    except (TypeError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{name}: not all targets are numbers: {error}") from None


def observed(
    truth: Targets, predicted: list[np.ndarray]
) -> tuple[Targets, Targets, dict[str, Any]]:
    """What can be scored: of targets at each step those that are there.

    Args:
        truth: `(n, targets)`; or `(time, targets)` of each sequence, NaN where there is no target.
        predicted: The same of each sequence.

    Returns:
        Truth and predictions; and where steps or whole sequences are left out, the `rows` of
        sequences that stay, and the `lengths` of these with all their steps.

    Example:
        >>> truth = [np.full((2, 1), np.nan), np.array([[1.0], [np.nan], [3.0]])]
        >>> observed(truth, [np.zeros((2, 1)), np.zeros((3, 1))])[2]
        {'rows': array([1]), 'lengths': array([3])}
    """
    if isinstance(truth, np.ndarray):
        return truth, np.stack(predicted), {}
    kept = [np.isfinite(item).all(axis=-1) for item in truth]
    rows = np.flatnonzero([steps.any() for steps in kept])
    true, answers = ([items[row][kept[row]] for row in rows] for items in (truth, predicted))
    return true, answers, {"rows": rows, "lengths": np.array([len(truth[row]) for row in rows])}


def take(targets: Targets, rows: np.ndarray) -> Targets:
    """The targets of the sequences at `rows`."""
    return targets[rows] if isinstance(targets, np.ndarray) else [targets[row] for row in rows]


def all_rows(targets: Targets) -> np.ndarray:
    """All targets in one array, `(rows, targets)`."""
    return targets if isinstance(targets, np.ndarray) else np.concatenate(targets)


def scale(targets: Targets, mean: np.ndarray, deviation: np.ndarray) -> Targets:
    """The targets with that mean taken off, in units of that deviation."""
    if isinstance(targets, np.ndarray):
        return (targets - mean) / deviation
    return [(item - mean) / deviation for item in targets]


def formed(values: list[np.ndarray], flat: bool, per_step: bool) -> Any:
    """Predictions as y was given: one array, or a list where each has its own length.

    Args:
        values: `(targets,)` or `(time, targets)` of each sequence.
        flat: Whether y came without an axis for targets.
        per_step: Whether every step has its own.
    """
    if flat:
        values = [value[..., 0] for value in values]
    if per_step and len({len(value) for value in values}) > 1:
        return values
    return np.stack(values)
