"""NumPy archives of sequences or of series."""

from __future__ import annotations

import numpy as np

from kseq.data.dataset import Array, Dataset, Part, Sequences
from kseq.data.files import Files
from kseq.data.npz_file import NpzFile
from kseq.data.split import Split, finish, slices
from kseq.errors import DataError, RecipeError
from kseq.registry import readers, suggest

_ROLES = ("train", "valid", "test")


@readers.register("npz")
def npz(
    *,
    path: str,
    columns: list[str] | None = None,
    per_step: bool = False,
    split: Split | None = None,
    shuffle: int | None = None,
) -> Dataset:
    """Reads a file that `numpy.savez` or `numpy.savez_compressed` has written.

    It holds either `X_train` with, as far as there are any, `y_train`, `X_valid`, `y_valid`,
    `X_test` and `y_test`; or `X` and `y`, to be split; or, for forecasting, `series`. Sequences are
    `(batch, time)` or `(batch, time, features)`. Where their lengths differ they stand one below
    the other, `(steps,)` or `(steps, features)`, with their lengths `(batch,)` in `lengths_train`
    (or `lengths`, ...). `series` is `(time,)` or `(time, columns)`, with its time stamps in `index`
    where there are any. `columns` names the features. Objects are not read: they could run code.

    Args:
        path: The file.
        columns: The features to take, by the names in the file's `columns`. None takes all.
        per_step: Whether `y` has a target at every time step: `(batch, time)` or
            `(batch, time, targets)`, or with lengths `(steps,)` or `(steps, targets)`.
        split: The sizes of [train, test] or [train, valid, test], as counts or as fractions, of
            sequences or of time steps. None is all for training.
        shuffle: The seed of a shuffle of the sequences before the split.

    Raises:
        DataError: If the file is missing or does not hold; the message names the array.
        RecipeError: If the parameters contradict each other or the file's arrays.
    """
    files = Files()
    arrays = NpzFile(path, str(files.path(path)), _known)
    if shuffle is not None and split is None:
        raise RecipeError("data.shuffle: shuffles before a split; give data.split too")
    if "series" in arrays:
        if shuffle is not None or per_step:
            raise RecipeError(f"data.{'per_step' if per_step else 'shuffle'}: not for a series")
        return _series(arrays, columns, split, files.digests)
    if "X_train" in arrays:
        if split is not None:
            raise RecipeError(f"data.split: {path} holds its parts as X_train and so on")
        found = {role: f"_{role}" for role in _ROLES if f"X_{role}" in arrays}
    elif "X" in arrays:
        found = {"path": ""}
    else:
        raise DataError(f"{path}: expected X_train, X or series; it holds {arrays.names}")
    read = {role: _sequences(arrays, suffix, per_step) for role, suffix in found.items()}
    features = {f"X{found[role]}": X[0].shape[1] for role, (X, _) in read.items()}
    if len(set(features.values())) > 1:
        raise DataError(f"{path}: the parts differ in their features: {features}")
    taken, names = _choose(arrays, columns, next(iter(features.values())))
    parts = {role: Part(X=_features(X, taken), y=y) for role, (X, y) in read.items()}
    return finish(
        parts,
        split=split,
        shuffle=shuffle,
        columns=names,
        files=files.digests,
        what=f"{path}: sequences",
    )


def _known(key: str) -> bool:
    names = {"series", "index", "columns", "X", "y", "lengths"}
    return key in names or any(
        key == f"{name}_{role}" for name in ("X", "y", "lengths") for role in _ROLES
    )


def _features(X: Sequences, taken: list[int]) -> Sequences:
    if isinstance(X, np.ndarray):
        return X if taken == list(range(X.shape[2])) else X[:, :, taken]
    return [sequence[:, taken] for sequence in X]


def _sequences(
    arrays: NpzFile, suffix: str, per_step: bool
) -> tuple[Sequences, Array | list[Array] | None]:
    """The sequences and targets of one part."""
    key = f"X{suffix}"
    X = arrays.numbers(key)
    lengths = arrays.get(f"lengths{suffix}")
    dimensions = (1, 2) if lengths is not None else (2, 3)
    if X.ndim not in dimensions:
        shape = "(steps[, features])" if lengths is not None else "(batch, time[, features])"
        raise DataError(f"{arrays.name}: '{key}' expected {shape}, got the shape {X.shape}")
    if X.ndim == dimensions[0]:
        X = X[..., np.newaxis]
    if 0 in X.shape:
        raise DataError(f"{arrays.name}: '{key}' is empty: its shape is {X.shape}")
    y = _targets(arrays, f"y{suffix}")
    if lengths is None:
        if y is not None:
            expected = X.shape[:2] if per_step else X.shape[:1]
            _check_targets(arrays, f"y{suffix}", y, expected)
        return X, list(y) if per_step and y is not None else y
    _check_lengths(arrays, f"lengths{suffix}", lengths, len(X))
    ends = np.cumsum(lengths)[:-1]
    if y is not None:
        _check_targets(arrays, f"y{suffix}", y, (len(X),) if per_step else (len(lengths),))
        if per_step:
            return np.split(X, ends), np.split(y, ends)
    return np.split(X, ends), y


def _targets(arrays: NpzFile, key: str) -> Array | None:
    array = arrays.get(key)
    if array is None or array.dtype.kind == "U":
        return array
    if array.dtype.kind in "biu":
        return array.astype(np.int64)
    values = arrays.numbers(key)
    if np.isnan(values).any():
        raise DataError(f"{arrays.name}: '{key}' has missing targets (NaN); drop their sequences")
    return values


def _check_targets(arrays: NpzFile, key: str, y: Array, expected: tuple[int, ...]) -> None:
    if y.shape[: len(expected)] != expected or y.ndim > len(expected) + 1:
        wanted = ", ".join(str(size) for size in expected)
        raise DataError(
            f"{arrays.name}: '{key}' expected the shape ({wanted}[, targets]), got {y.shape}"
        )


def _check_lengths(arrays: NpzFile, key: str, lengths: Array, steps: int) -> None:
    if lengths.ndim != 1 or lengths.dtype.kind not in "iu" or (lengths < 1).any():
        raise DataError(f"{arrays.name}: '{key}' expected whole numbers above zero (batch,)")
    if lengths.sum() != steps:
        raise DataError(f"{arrays.name}: '{key}' sums to {lengths.sum()}, there are {steps} steps")


def _choose(
    arrays: NpzFile, columns: list[str] | None, features: int
) -> tuple[list[int], tuple[str, ...]]:
    """The places and names of the wanted features."""
    names = [f"x{i}" for i in range(features)]
    named = arrays.get("columns")
    if named is not None:
        if named.dtype.kind != "U" or named.shape != (features,):
            raise DataError(
                f"{arrays.name}: 'columns' expected {features} names, "
                f"got {named.dtype} of the shape {named.shape}"
            )
        names = [str(name) for name in named]
    if columns is None:
        return list(range(features)), tuple(names)
    for column in columns:
        if column not in names:
            raise DataError(
                f"{arrays.name}: no column '{column}' (asked for by data.columns)"
                f"{suggest(column, names)}; there are: {', '.join(names)}"
            )
    return [names.index(column) for column in columns], tuple(columns)


def _series(
    arrays: NpzFile, columns: list[str] | None, split: Split | None, files: dict[str, str]
) -> Dataset:
    values = arrays.numbers("series")
    if values.ndim not in (1, 2) or 0 in values.shape:
        raise DataError(
            f"{arrays.name}: 'series' expected (time, columns), got the shape {values.shape}"
        )
    values = values.reshape(len(values), -1)
    taken, names = _choose(arrays, columns, values.shape[1])
    stamps = arrays.get("index")
    if stamps is not None and stamps.shape != (len(values),):
        raise DataError(
            f"{arrays.name}: 'index' expected {len(values)} time stamps, got {stamps.shape}"
        )
    parts = {}
    for role, where in slices(len(values), split, f"{arrays.name}: rows").items():
        X = {name: values[where, place] for name, place in zip(names, taken, strict=True)}
        index = None if stamps is None else [str(stamp) for stamp in stamps[where]]
        parts[role] = Part(X=X, index=index)
    return Dataset(
        train=parts["train"],
        valid=parts.get("valid"),
        test=parts.get("test"),
        columns=names,
        files=files,
    )
