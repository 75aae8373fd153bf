"""Data of other packages in the forms that the estimators take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kseq.data.frames import read_long
from kseq.errors import DataError


def time_first(X: Any) -> Any:
    """Sequences in the order of aeon and sktime, `(n, channels, time)`, as kseq takes them.

    Args:
        X: `(n, channels, time)`, or a list of `(channels, time)` arrays, whose lengths may differ.

    Returns:
        `(n, time, channels)`, or a list of `(time, channels)` arrays. Nothing is copied.

    Raises:
        DataError: If X is something else.

    Example:
        >>> time_first(np.zeros((10, 3, 50))).shape
        (10, 50, 3)
    """
    if isinstance(X, np.ndarray) and X.ndim == 3:
        return np.swapaxes(X, 1, 2)
    if not isinstance(X, (list, tuple)):
        got = f"shape {X.shape}" if hasattr(X, "shape") else type(X).__name__
        raise DataError(f"X: expected (n, channels, time) or a list of (channels, time), got {got}")
    turned = []
    for row, each in enumerate(X):
        item = np.asarray(each)
        if item.ndim != 2:
            raise DataError(f"X[{row}]: expected (channels, time), got shape {item.shape}")
        turned.append(item.T)
    return turned


def from_long(
    frame: Any, *, id: str = "id", time: str = "time", columns: Sequence[str] | None = None
) -> tuple[list[np.ndarray], np.ndarray]:
    """The sequences of a table with a row for each time step.

    The estimators take such tables as they are where the columns are called `id` and `time`. This
    is for other names, and for what splits data by sequences, such as cross-validation.

    Args:
        frame: A table of pandas or polars, with rows in any order; or one of pandas with an index
            of two levels, id and time.
        id: The column that says which sequence a row belongs to.
        time: The column that rows are sorted by within a sequence.
        columns: The features; all other columns by default.

    Returns:
        A list of `(time, features)` arrays, and their ids, `(n,)`, in the order in which they first
        appear.

    Raises:
        DataError: If a column is missing or not numeric, or a sequence has a time twice.

    Example:
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"who": ["a", "b", "a"], "hour": [2, 1, 1], "pulse": [61, 70, 60]})
        >>> X, ids = from_long(frame, id="who", time="hour")
        >>> X[0].tolist(), ids.tolist()
        ([[60], [61]], ['a', 'b'])
    """
    found = read_long(frame, id=id, time=time, columns=columns, name="frame")
    return found.sequences, np.array(found.ids)
