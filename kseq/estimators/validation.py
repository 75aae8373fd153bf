"""What training is watched by: sequences that are held out, or given for it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split

from kseq.errors import DataError


def draw_rows(count: int, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draws the rows to learn from, and a share that is held out, which may be none.

    Example:
        >>> rows, held = draw_rows(10, 0.2, seed=0)
        >>> len(rows), len(held)
        (8, 2)
    """
    every, size = np.arange(count), round(fraction * count)
    if not 0 < size < count:
        return every, every[:0]
    rows, held = train_test_split(every, test_size=size, random_state=seed)
    return rows, held


def set_apart(held: Any, given: Any, onward: bool, task: Mapping[str, Any]) -> bool:
    """Whether what is held out was never learned from, so that errors on it say what to expect.

    A fit that goes on holds out rows that an earlier one may have learned.

    Args:
        held: What is held out; None where nothing is.
        given: The `validation_data` of the fit.
        onward: Whether the fit goes on from the weights of the last one.
        task: The filled `task` section: it says whether anything is asked of it.
    """
    if held is None or given is not None or not onward:
        return held is not None
    lost = "probabilities are not calibrated" if task.get("calibrate") else None
    if task.get("interval") is not None:
        lost = "there are no intervals"
    if lost is not None:
        warnings.warn(
            "warm_start: an earlier fit may have learned from the rows that this one holds out of "
            f"X, so that they cannot say how far the model can be trusted, and {lost}; give "
            "validation_data that no fit has learned from",
            UserWarning,
            stacklevel=3,
        )
    return False


def same_length(count: int, y: Any, name: str = "y") -> None:
    """Raises unless `y` has a target for each of `count` sequences.

    Raises:
        DataError: If the numbers differ.
    """
    if isinstance(y, (str, bytes, Mapping)) or getattr(y, "ndim", 1) == 0:
        raise DataError(f"{name}: expected a target for each sequence, got {type(y).__name__}")
    if len(y) != count:
        raise DataError(f"{name}: has {len(y)} targets for {count} sequences")


def validation_set(data: Any) -> tuple[Any, Any, Any]:
    """The validation sequences, their targets, and their weights or None.

    Raises:
        DataError: If it is something else.
    """
    if not isinstance(data, (tuple, list)) or len(data) not in (2, 3):
        raise DataError(
            "validation_data: expected a pair (X, y), or (X, y, sample_weight), "
            f"got {type(data).__name__}"
        )
    return data[0], data[1], data[2] if len(data) == 3 else None
