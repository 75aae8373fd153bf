"""Sequences as users have them, in one checked form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kseq.errors import DataError, DataTypeError

_FLOAT32_MAX = float(np.finfo(np.float32).max)
_TURN = "; if these are (n, channels, time), pass kseq.compat.time_first({name})"


@dataclass(frozen=True)
class Sequences:
    """Checked sequences: finite, not empty, all with the same features.

    Args:
        values: `(n, time, features)`, or a list of `(time, features)` where lengths differ; of
            clips `(time, ..., channels)` each.
        lengths: Time steps of each sequence, `(n,)`.
    """

    values: np.ndarray | list[np.ndarray]
    lengths: np.ndarray

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def features(self) -> int:
        """Features a time step."""
        return int(self.values[0].shape[-1])

    @property
    def frame(self) -> list[int]:
        """The sides of a frame, where the sequences are clips."""
        return list(self.values[0].shape[1:-1])

    @property
    def time(self) -> int | None:
        """Time steps, where all sequences have the same number."""
        first = int(self.lengths[0])
        return first if (self.lengths == first).all() else None

    def take(self, rows: np.ndarray) -> Sequences:
        """The sequences at `rows`."""
        if isinstance(self.values, np.ndarray):
            return Sequences(self.values[rows], self.lengths[rows])
        return Sequences([self.values[row] for row in rows], self.lengths[rows])

    def inputs(
        self, rows: np.ndarray, *, rng: np.random.Generator | None = None
    ) -> dict[str, np.ndarray]:
        """The inputs of a model: `x`, `(batch, time, features)`, and `lengths`.

        Args:
            rows: Which sequences.
            rng: Not used: numbers are shown in training as they are.
        """
        return {"x": self.padded(rows), "lengths": self.lengths[rows].astype(np.int32)}

    def padded(self, rows: np.ndarray) -> np.ndarray:
        """`rows` as one float32 array, with zeros after each end."""
        if isinstance(self.values, np.ndarray):
            return self.values[rows].astype(np.float32)
        time = int(self.lengths[rows].max())
        batch = np.zeros((len(rows), time, *self.values[0].shape[1:]), np.float32)
        for place, row in zip(batch, rows, strict=True):
            place[: self.lengths[row]] = self.values[row]
        return batch

    def steps(self) -> np.ndarray:
        """All valid steps (of clips, pixels) in one float64 array, `(steps, features)`."""
        if isinstance(self.values, np.ndarray):
            return self.values.reshape(-1, self.features).astype(np.float64)
        return np.concatenate(self.values).reshape(-1, self.features).astype(np.float64)


def as_sequences(
    X: Any, *, features: int | None = None, frame: Sequence[int] = (), name: str = "X"
) -> Sequences:
    """Checks sequences and gives them their one form.

    Args:
        X: `(n, time, features)`; `(n, time)`, one feature; or a list of `(time, features)` or
            `(time,)` arrays, whose lengths may differ. Of clips `(n, time, height, width)` or
            `(n, time, height, width, channels)`, or a list of those.
        features: The number of features a model was fitted with.
        frame: The sides of the frames that it was fitted with.
        name: What to call the data in messages.

    Raises:
        DataError: If the data is empty, not numeric, not finite or of another shape.

    Example:
        >>> as_sequences([[1.0, 2.0, 3.0], [4.0, 5.0]]).lengths
        array([3, 2])
    """
    if hasattr(X, "toarray"):
        raise DataError(f"{name}: sparse data is not supported; pass {name}.toarray()")
    if isinstance(X, (str, bytes, Mapping)) or X is None:
        raise DataError(f"{name}: expected an array or a list of arrays, got {type(X).__name__}")
    array = _rectangular(X)
    sequences = (
        _from_list(list(X), name)
        if array is None
        else _from_array(array, name, training=features is None)
    )
    if features is not None and sequences.frame != list(frame):
        raise DataError(
            f"{name}: {_frames(sequences.frame)}, but the model was fitted to data that "
            f"{_frames(frame)}"
        )
    if features is not None and sequences.features != features:
        hint = ""
        if array is not None and array.shape[1] == features:
            one = f"; if it is one sequence, pass {name}[None]"
            hint = _TURN.format(name=name) if array.ndim == 3 else one
        raise DataError(
            f"{name}: has {sequences.features} features a time step, "
            f"but the model was fitted with {features}{hint}"
        )
    return sequences


def _frames(frame: Sequence[int]) -> str:
    if not frame:
        return "has features and no frames"
    return f"has frames of {' x '.join(map(str, frame))} pixels"


def _rectangular(X: Any) -> np.ndarray | None:
    """The data as one array, or None where lengths differ."""
    try:
        array = X if isinstance(X, np.ndarray) else np.asarray(X)
    except ValueError:  # inhomogeneous: lengths differ
        return None
    if array.dtype != object or hasattr(X, "columns"):  # a table is one array in any case
        return array
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError):
        return None


def _from_array(array: np.ndarray, name: str, *, training: bool) -> Sequences:
    if not 2 <= array.ndim <= 6:
        if array.size == 0:
            raise DataError(f"{name}: is empty; at least one sequence is needed")
        raise DataError(
            f"{name}: expected (n, time, features) or (n, time), or clips (n, time, height, width) "
            "or (n, time, height, width, channels), got an array of shape "
            f"{array.shape}. Reshape your data: one sequence alone is {name}[None]"
        )
    if len(array) == 0:
        raise DataError(f"{name}: is empty; at least one sequence is needed, got {array.shape}")
    if 0 in array.shape:
        what = "time steps" if array.shape[1] == 0 else "features"
        raise DataError(
            f"{name}: 0 feature(s) (shape={array.shape}) while a minimum of 1 is required: "
            f"the sequences have 0 {what}"
        )
    if array.ndim in (2, 4):
        array = array[..., None]
    elif array.ndim == 3 and training and array.shape[1] == 1 and array.shape[2] > 1:
        raise DataError(
            f"{name}: has sequences of 1 time step with {array.shape[2]} features, got "
            f"{array.shape}" + _TURN.format(name=name)
        )
    array = _numeric(array, name)
    finite = np.isfinite(array)
    if not finite.all():
        row, *place = (int(i) for i in np.argwhere(~finite)[0])
        raise DataError(
            f"{name}: {_value(array[(row, *place)])} in sequence {row}, {_place(place)}; fill or "
            "drop missing values first"
        )
    return Sequences(array, np.full(len(array), array.shape[1]))


def _from_list(items: Sequence[Any], name: str) -> Sequences:
    if not items:
        raise DataError(f"{name}: is empty; at least one sequence is needed")
    values: list[np.ndarray] = []
    for row, item in enumerate(items):
        where = f"{name}[{row}]"
        try:
            array = item if isinstance(item, np.ndarray) else np.asarray(item)
        except ValueError:
            raise DataError(f"{where}: its time steps differ in their number of features") from None
        if not 1 <= array.ndim <= 5:
            got = f"shape {array.shape}" if array.ndim else type(item).__name__
            raise DataError(f"{where}: expected (time, features) or (time,), got {got}")
        if array.shape[0] == 0:
            raise DataError(f"{where}: has 0 time steps; at least 1 is needed")
        if array.shape[-1] == 0:
            raise DataError(f"{where}: has 0 features a time step; at least 1 is needed")
        array = _numeric(array[..., None] if array.ndim in (1, 3) else array, where)
        if values and array.shape[1:-1] != values[0].shape[1:-1]:
            raise DataError(
                f"{where}: {_frames(array.shape[1:-1])}, but {name}[0] "
                f"{_frames(values[0].shape[1:-1])}"
            )
        if values and array.shape[-1] != values[0].shape[-1]:
            turned = array.shape[0] == values[0].shape[0]
            raise DataError(
                f"{where}: has {array.shape[-1]} features a time step, "
                f"but {name}[0] has {values[0].shape[-1]}"
                + (_TURN.format(name=name) if turned else "")
            )
        finite = np.isfinite(array)
        if not finite.all():
            place = [int(i) for i in np.argwhere(~finite)[0]]
            raise DataError(
                f"{where}: {_value(array[tuple(place)])} in {_place(place)}; fill or drop missing "
                "values first"
            )
        values.append(array)
    return Sequences(values, np.array([len(array) for array in values]))


def _numeric(array: np.ndarray, name: str) -> np.ndarray:
    if array.dtype.kind == "c":
        raise DataError(f"{name}: Complex data not supported, got {array.dtype}")
    if array.dtype.kind in "mMV":  # NumPy would turn them into numbers, of whatever unit
        raise DataError(f"{name}: not all values are numbers: got {array.dtype}")
    if np.ma.is_masked(array):
        raise DataError(f"{name}: has masked values; fill or drop missing values first")
    array = np.asarray(array)
    if array.dtype.kind not in "biuf":
        try:
            array = array.astype(np.float64)
        except (TypeError, ValueError) as error:
            message = f"{name}: not all values are numbers: {error}"
            if isinstance(error, TypeError):
                raise DataTypeError(message) from None
            raise DataError(f"{message}; text is a list of strings") from None
    if array.dtype.kind != "f":  # of clips as much is kept as the model sees
        array = array.astype(np.float64 if array.ndim < 4 else np.float32)
    if array.dtype.itemsize > 4 and np.isfinite(array).all() and array.size:
        largest = np.abs(array).max()
        if largest > _FLOAT32_MAX:
            raise DataError(f"{name}: {largest:.3g} is too large for float32; rescale the data")
    return array


def _place(place: Sequence[int]) -> str:
    """Where a value is: the step, of a clip the pixel, and the feature."""
    step, *pixel, feature = place
    if pixel:
        return f"frame {step}, pixel {tuple(pixel)}, channel {feature}"
    return f"step {step}, feature {feature}"


def _value(value: float) -> str:
    return "NaN" if np.isnan(value) else "inf" if value > 0 else "-inf"
