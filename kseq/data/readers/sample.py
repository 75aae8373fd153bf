"""Small data sets that come with scikit-learn and statsmodels."""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import numpy as np

from kseq.data.dataset import Array, Dataset, Part
from kseq.data.split import Split, finish, slices
from kseq.errors import MissingExtraError, RecipeError
from kseq.registry import readers

# The usual split of the digits: four fifths, in the order of the file.
_DIGITS_SPLIT = [1437, 360]
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


@readers.register("sample")
def sample(
    *,
    name: Literal["digits", "sunspots", "co2", "elnino"],
    split: Split | None = None,
    shuffle: int | None = None,
) -> Dataset:
    """Reads a data set that needs no file.

    Args:
        name: `digits`: 1,797 images of 8 x 8, read row by row as sequences of 8 steps, for
            classification. For forecasting: `sunspots`, 309 years; `co2`, 2,284 weeks of which 59
            are missing; `elnino`, sea temperature over 732 months. These three need the extra
            `datasets`; their one column has the name of the sample.
        split: The sizes of [train, test] or [train, valid, test], as counts or as fractions. None
            is the first 1,437 digits for training and the last 360 for the test, and all of a
            series for training.
        shuffle: The seed of a shuffle of the digits before the split.

    Raises:
        MissingExtraError: If the library that brings the sample is not installed.

    Example:
        >>> sample(name="digits").train.X.shape
        (1437, 8, 8)
    """
    if name == "digits":
        return _digits(split, shuffle)
    if shuffle is not None:
        raise RecipeError("data.shuffle: not for a series")
    values, stamps = _series(name)
    parts = {
        role: Part(X={name: values[where]}, index=stamps[where])
        for role, where in slices(len(values), split, f"{name}: rows").items()
    }
    return Dataset(
        train=parts["train"],
        valid=parts.get("valid"),
        test=parts.get("test"),
        columns=(name,),
        files={f"statsmodels/{name}": _digest(values)},
    )


def _digits(split: Split | None, shuffle: int | None) -> Dataset:
    # Not at the top: it takes half a second, which `kseq data list` would wait for.
    from sklearn.datasets import load_digits

    data, labels = load_digits(return_X_y=True)
    X = data.reshape(-1, 8, 8).astype(np.float64)
    y = labels.astype(np.int64)
    return finish(
        {"path": Part(X=X, y=y)},
        split=_DIGITS_SPLIT if split is None else split,
        shuffle=shuffle,
        columns=tuple(f"x{i}" for i in range(8)),
        files={"sklearn/digits": _digest(X, y)},
        what="digits: sequences",
    )


def _series(name: str) -> tuple[Array, list[str]]:
    """The values `(time,)` and their time stamps."""
    try:
        from statsmodels.datasets import co2, elnino, sunspots
    except ImportError as error:
        raise MissingExtraError(f"the sample '{name}'", "datasets") from error
    modules: dict[str, Any] = {"co2": co2, "elnino": elnino, "sunspots": sunspots}
    frame = modules[name].load_pandas().data
    if name == "co2":
        return frame["co2"].to_numpy(np.float64), list(frame.index.strftime("%Y-%m-%d"))
    years = [int(year) for year in frame["YEAR"]]
    if name == "sunspots":
        return frame["SUNACTIVITY"].to_numpy(np.float64), [str(year) for year in years]
    stamps = [f"{year}-{month:02d}" for year in years for month in range(1, 13)]
    return frame[list(_MONTHS)].to_numpy(np.float64).reshape(-1), stamps


def _digest(*arrays: Array) -> str:
    """The sha256 of the values, the same on machines of either byte order."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()
