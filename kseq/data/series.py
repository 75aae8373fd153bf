"""Time series as users have them, in one checked form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from kseq.data.frames import is_frame
from kseq.errors import DataError

Column = str | int


@dataclass(frozen=True)
class Series:
    """One series: `values` `(time, columns)` in float64, NaN where a value is missing.

    Args:
        values: The numbers.
        columns: Their names; positions where the data has none.
        index: Time stamps of the rows, where the data has them.
    """

    values: np.ndarray
    columns: tuple[Column, ...]
    index: Any = None

    def __len__(self) -> int:
        return len(self.values)

    def select(self, names: Sequence[Column], role: str) -> np.ndarray:
        """The columns `names`, in their order.

        Raises:
            DataError: If the series has no such column.
        """
        missing = [name for name in names if name not in self.columns]
        if missing:
            raise DataError(
                f"{role}: the series has no column {missing[0]!r}; "
                f"it has {', '.join(map(repr, self.columns))}"
            )
        return self.values[:, [self.columns.index(name) for name in names]]


@dataclass(frozen=True)
class SeriesForm:
    """How the series came, so that forecasts go back the same way.

    Args:
        many: Whether a list (or a 3-D array) of series came.
        flat: Whether each was one-dimensional.
        kind: `array`, `pandas`, or `mapping` of columns; a polars table counts as one.
    """

    many: bool
    flat: bool
    kind: Literal["array", "pandas", "mapping"]


def as_series(data: Any, name: str = "series") -> tuple[list[Series], SeriesForm]:
    """Checks one series or many.

    Args:
        data: A `(time,)` or `(time, columns)` array, a pandas Series or DataFrame, a polars
            DataFrame, a mapping of column names to `(time,)` arrays, or a list of any of these; a
            `(n, time, columns)` array is a list of n.
        name: What to call the data in messages.

    Raises:
        DataError: If the data is empty, not numeric, infinite or of another shape.

    Example:
        >>> series, form = as_series([1.0, 2.0, 3.0])
        >>> series[0].values.shape, form.many
        ((3, 1), False)
    """
    if _is_many(data):
        items = list(data)
        if not items:
            raise DataError(f"{name}: is empty; at least one series is needed")
        read = [_one(item, f"{name}[{i}]") for i, item in enumerate(items)]
        if all(form.flat for _, form in read) and len({one.columns for one, _ in read}) > 1:
            # Each has a name of its own: what they share is that they are one column.
            read = [(replace(one, columns=(0,)), form) for one, form in read]
        for i, (one, _) in enumerate(read):
            if one.columns != read[0][0].columns:
                raise DataError(
                    f"{name}[{i}]: has the columns {list(one.columns)}, "
                    f"but {name}[0] has {list(read[0][0].columns)}"
                )
        form = read[0][1]
        return [one for one, _ in read], SeriesForm(True, form.flat, form.kind)
    one, form = _one(data, name)
    return [one], form


def _is_many(data: Any) -> bool:
    if isinstance(data, np.ndarray):
        return data.ndim == 3
    if isinstance(data, (list, tuple)):
        return not data or isinstance(data[0], (list, tuple, Mapping)) or np.ndim(data[0]) > 0
    return False


def _one(data: Any, name: str) -> tuple[Series, SeriesForm]:
    if data is None or isinstance(data, (str, bytes)):
        raise DataError(f"{name}: expected an array or a table, got {type(data).__name__}")
    if isinstance(data, Mapping):
        series = Series(_stacked(list(data), list(data.values()), name), tuple(data))
        form = SeriesForm(False, False, "mapping")
    elif hasattr(data, "iloc"):  # a pandas Series or DataFrame, without importing pandas
        flat = np.ndim(data) == 1
        columns = [data] if flat else [data.iloc[:, i] for i in range(data.shape[1])]
        names = [0 if data.name is None else data.name] if flat else list(data.columns)
        # Among the kinds of index only those of time have a frequency.
        if hasattr(data.index, "freq") and not data.index.is_monotonic_increasing:
            raise DataError(f"{name}: its time stamps do not increase; pass {name}.sort_index()")
        series = Series(_stacked(names, columns, name), tuple(names), data.index)
        form = SeriesForm(False, flat, "pandas")
    elif is_frame(data):  # of polars
        names = list(data.columns)
        series = Series(_stacked(names, [data[each] for each in names], name), tuple(names))
        form = SeriesForm(False, False, "mapping")
    else:
        values = _floats(data, name)
        flat = values.ndim == 1
        if flat:
            values = values[:, None]
        if values.ndim != 2:
            got = f"shape {values.shape}" if values.ndim else type(data).__name__
            raise DataError(f"{name}: expected (time,) or (time, columns), got {got}")
        series = Series(values, tuple(range(values.shape[1])))
        form = SeriesForm(False, flat, "array")
    if not series.values.size:
        raise DataError(f"{name}: is empty, got shape {series.values.shape}")
    wrong = np.argwhere(np.abs(series.values) > np.finfo(np.float32).max)
    if len(wrong):
        row, column = wrong[0]
        raise DataError(
            f"{name}: {series.values[row, column]:.3g} in row {row}, column "
            f"{series.columns[column]!r} is not a finite float32 number"
        )
    return series, form


def _stacked(names: list[Any], columns: list[Any], name: str) -> np.ndarray:
    """Named columns side by side, `(time, columns)`."""
    if not names:
        raise DataError(f"{name}: has no columns")
    for column in names:
        if isinstance(column, bool) or not isinstance(column, (str, int)):
            raise DataError(f"{name}: a column is named by text or a position, got {column!r}")
        if names.count(column) > 1:
            raise DataError(f"{name}: has more than one column {column!r}")
    values = [
        _floats(column, f"{name}[{key!r}]") for key, column in zip(names, columns, strict=True)
    ]
    for key, column in zip(names, values, strict=True):
        if column.ndim != 1:
            raise DataError(f"{name}[{key!r}]: expected (time,), got shape {column.shape}")
    lengths = {len(column) for column in values}
    if len(lengths) > 1:
        raise DataError(f"{name}: its columns differ in length: {sorted(lengths)}")
    return np.stack(values, axis=-1)


def _floats(data: Any, name: str) -> np.ndarray:
    try:
        table = hasattr(data, "iloc") and data.dtype.kind not in "cmM"
        # pandas' own missing values have no float.
        array = data.to_numpy(np.float64, na_value=np.nan) if table else np.asanyarray(data)
        if array.dtype.kind == "c":
            raise DataError(f"{name}: complex numbers are not supported")
        if array.dtype.kind in "mM":  # NumPy would turn them into numbers, of whatever unit
            raise DataError(f"{name}: not all values are numbers: got {array.dtype}")
        array = array.astype(np.float64)
        return np.ma.filled(array, np.nan) if np.ma.isMaskedArray(array) else np.asarray(array)
    except DataError:
        raise
    except (TypeError, ValueError) as error:
        raise DataError(f"{name}: not all values are numbers: {error}") from None


def fill_forward(values: np.ndarray, fallback: np.ndarray | None = None) -> np.ndarray:
    """Missing values take the last one observed before them, `(time, columns)`.

    At the start, where nothing came before, they take the first one observed after them; a column
    without any observation takes `fallback`, or zero.
    """
    missing = np.isnan(values)
    if not missing.any():
        return values
    steps = np.arange(len(values))[:, None]
    last = np.maximum.accumulate(np.where(missing, -1, steps), axis=0)
    first = np.argmax(~missing, axis=0)
    filled = np.take_along_axis(values, np.where(last < 0, first, last), axis=0)
    rest = np.zeros(values.shape[1]) if fallback is None else fallback
    return np.where(np.isnan(filled), rest, filled)
