"""Data from Python in the form that a reader would give it, so that a search can divide it."""

from __future__ import annotations

from typing import Any

import numpy as np

from kseq.data.dataset import Dataset, Part
from kseq.data.frames import is_long, long_columns, read_long
from kseq.data.series import as_series
from kseq.errors import DataError
from kseq.estimators.validation import same_length, validation_set
from kseq.parts import AHEAD
from kseq.recipe import Recipe


def as_dataset(
    recipe: Recipe, X: Any, y: Any, validation_data: Any, test_data: Any = None
) -> Dataset:
    """What `fit` takes as a data set.

    A long table becomes its sequences here, with the targets of each in their order.

    Args:
        recipe: What is to be fitted.
        X: What its estimator takes.
        y: The same.
        validation_data: The same.
        test_data: What is scored, in the form that validation data has.

    Raises:
        DataError: If X cannot be divided, or y is missing or of another length.

    Example:
        >>> recipe = Recipe.from_dict({"task": "regression"})
        >>> as_dataset(recipe, [[1.0, 2.0], [3.0, 4.0]], [0, 1], None).train.y
        array([0, 1])
    """
    ahead = recipe.task["kind"] in [estimator.task for estimator in AHEAD]
    train = _part(recipe, X, y, "", ahead)
    # Other long tables have the columns of the first, in its order.
    columns = long_columns(X) if is_long(X) else None
    valid = test = None
    if validation_data is not None and ahead:
        valid = _part(recipe, validation_data, None, "validation ", ahead)
    elif validation_data is not None:
        valid_X, valid_y, weight = validation_set(validation_data)
        if weight is not None:
            raise DataError("validation_data: weights are not taken here; expected a pair (X, y)")
        valid = _part(recipe, valid_X, valid_y, "validation ", ahead, columns)
    if test_data is not None and ahead:
        test = _part(recipe, test_data, None, "test ", ahead)
    elif test_data is not None:
        if not (isinstance(test_data, tuple) and len(test_data) == 2):
            raise DataError(f"test_data: expected a pair (X, y), got {type(test_data).__name__}")
        test = _part(recipe, *test_data, "test ", ahead, columns)
    return Dataset(train=train, valid=valid, test=test)


def _part(
    recipe: Recipe, X: Any, y: Any, name: str, ahead: bool, columns: list[str] | None = None
) -> Part:
    if recipe.task["kind"] == "forecasting":
        read, form = as_series(X, f"{name}X")
        tables: Any = [
            {name: one.values[:, place] for place, name in enumerate(one.columns)} for one in read
        ]
        return Part(X=tables if form.many else tables[0])
    if recipe.task["kind"] in ("classification", "regression") and is_long(X):
        frame = read_long(X, columns=columns, name=f"{name}X")
        X = frame.sequences
        y = frame.aligned(y, per_step=bool(recipe.task.get("per_step")), name=f"{name}y")
    elif is_long(X):
        raise DataError(f"{name}X: is a table of steps, which this task does not take")
    X = _plain(X)
    if isinstance(X, (str, bytes, dict)) or not hasattr(X, "__len__"):
        raise DataError(f"{name}X: expected sequences, got {type(X).__name__}")
    if ahead:
        return Part(X=X)
    if y is None:
        raise DataError(f"{name}y: is missing; the target of each sequence is needed")
    y = _targets(y)
    same_length(len(X), y, f"{name}y")
    return Part(X=X, y=y)


def _targets(y: Any) -> Any:
    """A target for each sequence as an array; lists for each stay lists."""
    y = _plain(y)
    if isinstance(y, list) and y and all(np.ndim(value) == 0 for value in y):
        return np.asarray(y)
    return y


def _plain(values: Any) -> Any:
    """Tables and tuples as what can be divided: arrays and lists."""
    if hasattr(values, "to_numpy"):
        return values.to_numpy()
    return list(values) if isinstance(values, tuple) else values
