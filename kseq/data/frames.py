"""Tables in long form: a row for each time step, of pandas or polars, without importing either."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kseq.errors import DataError, shown
from kseq.registry import suggest

ID, TIME = "id", "time"


@dataclass(frozen=True)
class LongFrame:
    """The sequences of a long table, in the order in which their ids first appear.

    Args:
        sequences: Their values, each `(time, features)`, sorted by time.
        ids: Their ids.
        columns: The names of the features.
        rows: The rows of the table that each is made of, in its order.
    """

    sequences: list[np.ndarray]
    ids: list[Any]
    columns: list[str]
    rows: list[np.ndarray]

    def aligned(self, y: Any, *, per_step: bool, name: str = "y") -> Any:
        """Targets or weights in the order of the sequences.

        Args:
            y: One for each sequence, in their order, or by id: a mapping, or a pandas Series whose
                index holds the ids. Or one for each row of the table, which must be the same in all
                rows of a sequence, unless steps have their own.
            per_step: Whether steps have their own.
            name: What to call them in messages.

        Raises:
            DataError: If an id is missing, or the number fits neither sequences nor rows.
        """
        if y is None or isinstance(y, str):
            return y
        if isinstance(y, Mapping):
            return self._by_id(y, list(y), name)
        if hasattr(y, "index") and hasattr(y, "iloc"):  # pandas
            keys = y.index.tolist()
            if len(keys) == len(self.ids) and set(keys) == set(self.ids):
                return self._by_id(dict(zip(keys, y.to_numpy().tolist(), strict=True)), keys, name)
            if len(keys) == len(self.ids):
                raise DataError(
                    f"{name}: its index does not hold the ids of X ({shown(self.ids[0])}, ...), "
                    f"but {shown(keys[0])}, ...; index it by them, or pass {name}.to_numpy() if it "
                    "is in their order"
                )
        total = sum(map(len, self.rows))
        if np.ndim(y) == 0 or len(y) == len(self.ids):
            return y
        if len(y) != total:
            raise DataError(
                f"{name}: has {len(y)} values, but X has {len(self.ids)} sequences in {total} rows"
            )
        values = np.asarray(y)
        if per_step:
            return [values[rows] for rows in self.rows]
        for key, rows in zip(self.ids, self.rows, strict=True):
            if (values[rows] != values[rows[0]]).any():
                raise DataError(
                    f"{name}: the rows of the sequence {shown(key)} differ in their value; expected"
                    " one a sequence"
                )
        return values[[rows[0] for rows in self.rows]]

    def _by_id(self, values: Mapping[Any, Any], keys: list[Any], name: str) -> list[Any]:
        missing = [key for key in self.ids if key not in values]
        if missing:
            raise DataError(f"{name}: has nothing for the sequence {shown(missing[0])}")
        ids = set(self.ids)
        strange = [key for key in keys if key not in ids]
        if strange:
            raise DataError(f"{name}: has a value for {shown(strange[0])}, which X does not have")
        return [values[key] for key in self.ids]


def is_frame(X: Any) -> bool:
    """Whether X is a table of pandas or polars."""
    return hasattr(X, "columns") and hasattr(X, "to_numpy") and len(getattr(X, "shape", ())) == 2


def is_long(X: Any) -> bool:
    """Whether X is a table with `id` and `time`, as columns or as the levels of its index."""
    if not is_frame(X):
        return False
    return _levels(X) == 2 or {ID, TIME} <= set(map(str, X.columns))


def long_columns(frame: Any) -> list[str]:
    """The features of a long table."""
    names = [str(each) for each in frame.columns]
    return names if _levels(frame) == 2 else [each for each in names if each not in (ID, TIME)]


def read_long(
    frame: Any,
    *,
    id: str = ID,
    time: str = TIME,
    columns: Sequence[str] | None = None,
    name: str = "X",
) -> LongFrame:
    """Cuts a long table into its sequences.

    Args:
        frame: A table of pandas or polars; or of pandas with an index of two levels, id and time.
        id: The column that says which sequence a row belongs to.
        time: The column that rows are sorted by within a sequence.
        columns: The features; all other columns by default.
        name: What to call the table in messages.

    Raises:
        DataError: If a column is missing or not numeric, or a sequence has a time twice.
    """
    if not is_frame(frame):
        raise DataError(f"{name}: expected a table of pandas or polars, got {type(frame).__name__}")
    if _levels(frame) == 2:
        keys, times = (frame.index.get_level_values(level).to_numpy() for level in (0, 1))
        features = [str(each) for each in frame.columns]
    else:
        known = [str(each) for each in frame.columns]
        for each in (id, time):
            if each not in known:
                raise DataError(
                    f"{name}: has no column {each!r}{suggest(each, known)}; it has "
                    f"{', '.join(map(repr, known))}"
                )
        keys, times = frame[id].to_numpy(), frame[time].to_numpy()
        features = [each for each in known if each not in (id, time)]
    features = _chosen(features, columns, name)
    if not len(keys):
        raise DataError(f"{name}: is empty; at least one sequence is needed")
    if not features:
        raise DataError(f"{name}: has no column of numbers beside {id!r} and {time!r}")
    for each, what in ((keys, id), (times, time)):
        absent = np.flatnonzero(_absent(each))
        if len(absent):
            raise DataError(f"{name}: row {absent[0]}: {what!r} is missing")
    values = np.stack([_column(frame, each, name) for each in features], axis=-1)
    codes, ids = _first_seen(keys)
    order = np.lexsort((np.unique(times, return_inverse=True)[1], codes))
    same = (codes[order][1:] == codes[order][:-1]) & (times[order][1:] == times[order][:-1])
    if same.any():
        place = int(np.flatnonzero(same)[0])
        key, moment = keys[order[place]], times[order[place]]
        raise DataError(
            f"{name}: the sequence {shown(_plain(key))} has the time {moment} twice, in rows "
            f"{order[place]} and {order[place + 1]}"
        )
    rows = np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)
    return LongFrame([values[each] for each in rows], ids, features, rows)


def _levels(frame: Any) -> int:
    return int(getattr(getattr(frame, "index", None), "nlevels", 1))


def _chosen(known: list[str], columns: Sequence[str] | None, name: str) -> list[str]:
    if columns is None:
        return known
    wanted = [str(each) for each in columns]
    for each in wanted:
        if each not in known:
            raise DataError(
                f"{name}: has no column {each!r}{suggest(each, known)}, which the model was "
                f"fitted to; it has {', '.join(map(repr, known))}"
            )
    return wanted


def _column(frame: Any, column: str, name: str) -> np.ndarray:
    series = frame[next(each for each in frame.columns if str(each) == column)]
    kind = str(series.dtype)
    values = series.to_numpy()
    if values.dtype.kind == "O" and kind[:1] in "IUFb":  # pandas' types that can be missing
        values = series.to_numpy(np.float64, na_value=np.nan)
    if values.dtype.kind not in "biuf":
        raise DataError(f"{name}: column {column!r} is not numeric, but {kind}")
    return np.asarray(values)


def _first_seen(keys: np.ndarray) -> tuple[np.ndarray, list[Any]]:
    """Each row's id as a number, and the ids, both in the order in which ids first appear."""
    numbers: dict[Any, int] = {}
    codes = np.array([numbers.setdefault(key, len(numbers)) for key in keys.tolist()])
    return codes, list(numbers)


def _absent(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "O":
        return np.array([each is None or each != each for each in values.tolist()])
    return np.asarray(values != values)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
