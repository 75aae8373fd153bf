"""Classes of whole sequences as users have them, in one checked form."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import DataConversionWarning
from sklearn.model_selection import train_test_split

from kseq.errors import DataError


def read_labels(y: Any, name: str = "y") -> np.ndarray:
    """Labels as a one-dimensional array of text or numbers.

    Args:
        y: A class for each sequence.
        name: What to call the labels in messages.

    Raises:
        DataError: If they are no labels, or not of one kind.

    Example:
        >>> read_labels(["up", "down"])
        array(['up', 'down'], dtype='<U4')
    """
    if y is None:
        raise DataError(f"{name}: is missing; requires y to be passed, but the target y is None")
    try:
        labels = np.asarray(y)
    except ValueError:  # rows of unequal length
        raise DataError(f"{name}: expected one class a sequence, got a list for each") from None
    if labels.dtype.kind == "U" and not hasattr(y, "dtype"):
        labels = np.asarray(y, dtype=object)  # numbers and None among text became text
    if labels.ndim == 2 and labels.shape[1] == 1:
        warnings.warn(
            f"A column-vector y was passed when a 1d array was expected: use {name}.ravel()",
            DataConversionWarning,
            stacklevel=4,
        )
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise DataError(f"{name}: expected one class a sequence, got an array of {labels.shape}")
    if labels.dtype == object:
        kinds = sorted({"text" if isinstance(v, str) else type(v).__name__ for v in labels})
        if len(kinds) > 1 or kinds[0] not in ("text", "bool", "int", "float"):
            raise DataError(f"{name}: expected labels of one kind, got {' and '.join(kinds)}")
        labels = np.array(labels.tolist())
    if labels.dtype.kind not in "biufU":
        raise DataError(f"{name}: labels of type {labels.dtype} are not supported")
    if labels.dtype.kind == "f":
        if not np.isfinite(labels).all():
            raise DataError(f"{name}: contains NaN or infinity")
        if (labels != labels.round()).any():
            raise DataError(
                f"{name}: Unknown label type: continuous. Classes are text or whole numbers; "
                "for numbers as targets use SequenceRegressor"
            )
    return labels


def encode_labels(labels: np.ndarray, classes: np.ndarray, name: str) -> np.ndarray:
    """The place of each label among the sorted classes.

    Raises:
        DataError: If one is none of them.

    Example:
        >>> encode_labels(np.array([4, 2, 4]), np.array([2, 4]), "y")
        array([1, 0, 1])
    """
    unseen = sorted(set(labels.tolist()) - set(classes.tolist()), key=str)
    if unseen:
        known = "classes" if name == "y" else "y"
        raise DataError(
            f"{name}: the class {unseen[0]!r} does not occur in {known}; "
            f"the classes are {classes.tolist()}"
        )
    return np.searchsorted(classes, labels)


def hold_out_labels(codes: np.ndarray, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Holds out a share of the sequences, the classes in proportion where they suffice.

    Args:
        codes: The class of each, `(n,)`, from 0 on.
        fraction: The share.
        seed: Of the draw.

    Returns:
        The rows to learn from, and the rows held out, of which there may be none.
    """
    count = round(fraction * len(codes))
    every, nothing = np.arange(len(codes)), np.arange(0)
    if count == 0 or count == len(codes):
        return every, nothing
    sizes = np.bincount(codes)
    sizes = sizes[sizes > 0]
    enough = min(count, len(codes) - count) >= len(sizes)
    stratify = codes if sizes.min() > 1 and enough else None
    rows, held = train_test_split(every, test_size=count, random_state=seed, stratify=stratify)
    # Every class must be learned from: a class that was held out whole goes back.
    lost = ~np.isin(codes[held], codes[rows])
    rows, held = np.concatenate([rows, held[lost]]), held[~lost]
    return (rows, held) if len(held) else (every, nothing)
