"""What scikit-learn wants to know of the columns of a table."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from kseq.data.frames import is_long, long_columns
from kseq.errors import DataError


def is_wide(X: Any) -> bool:
    """Whether X is one array or table with a sequence a row and a step a column."""
    if isinstance(X, (list, tuple)) or not hasattr(X, "__array__") or is_long(X):
        return False
    return np.asarray(X).ndim == 2


def _is_rows(X: Any) -> bool:
    """Whether X is a table that is written as a list of lists of numbers."""
    if not isinstance(X, (list, tuple)) or not all(isinstance(row, (list, tuple)) for row in X):
        return False
    return len({len(row) for row in X}) == 1 and np.ndim(X[0]) == 1


def learn_columns(estimator: BaseEstimator, X: Any, features: int) -> bool:
    """Sets `n_features_in_`, and `feature_names_in_` where X has names.

    Of a wide table these are its columns, as for any estimator of scikit-learn; else the features
    of a time step.

    Args:
        estimator: What is fitted.
        X: What it is fitted to, as it came.
        features: Features of a time step.

    Returns:
        Whether X is wide.
    """
    if is_wide(X) or _is_rows(X):
        validate_data(estimator, X, reset=True, skip_check_array=True)
        return True
    vars(estimator).pop("feature_names_in_", None)
    if is_long(X):
        estimator.feature_names_in_ = np.array(long_columns(X), dtype=object)
    estimator.n_features_in_ = features
    return False


def check_columns(estimator: BaseEstimator, X: Any, name: str) -> None:
    """Compares the columns of a wide table with those of the one that was fitted to.

    A list is not looked at: it is how sequences of other lengths are given.

    Raises:
        DataError: If there are others, or more or fewer of them.
    """
    if not is_wide(X):
        return
    try:
        validate_data(estimator, X, reset=False, skip_check_array=True)
    except ValueError as error:
        steps = f"; for sequences of other lengths than in fit pass {name}[:, :, None], or a list"
        hint = steps if "is expecting" in str(error) else ""
        raise DataError(f"{name}: {error}".rstrip(".") + hint) from None
