"""The .ts format of the UEA and UCR archives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kseq.data.dataset import Array, Dataset, Part
from kseq.data.files import Files
from kseq.data.split import Split, finish, roles
from kseq.data.tables import parse_number
from kseq.errors import DataError
from kseq.registry import readers, suggest

_MISSING = ("?", "NaN", "nan")


@readers.register("ts")
def ts(
    *,
    path: str | None = None,
    train: str | None = None,
    valid: str | None = None,
    test: str | None = None,
    split: Split | None = None,
    shuffle: int | None = None,
) -> Dataset:
    """Reads sequences from .ts files, packed by gzip or not.

    Class labels are text, regression targets numbers. What the header declares (dimensions, length,
    class labels) is checked in every line.

    Args:
        path: The file that holds everything.
        train: The training sequences, in place of `path`.
        valid: The validation sequences.
        test: The test sequences.
        split: The sizes of [train, test] or [train, valid, test], as counts or as fractions. None
            is all for training.
        shuffle: The seed of a shuffle before the split.

    Raises:
        DataError: If a file is missing or does not hold; the message names file and line.
        RecipeError: If the parameters contradict each other.

    Reference:
        Bagnall et al. (2018), The UEA multivariate time series classification archive,
        arXiv:1811.00075; https://www.aeon-toolkit.org, "Loading data".
    """
    wanted = roles(path=path, train=train, valid=valid, test=test, split=split, shuffle=shuffle)
    files = Files()
    parts: dict[str, Part] = {}
    first: tuple[str, int] | None = None
    for role, name in wanted.items():
        part, channels = _read(name, files.text(name))
        if first is not None and channels != first[1]:
            raise DataError(f"{name}: {channels} channels, but {first[0]} has {first[1]}")
        first = first or (name, channels)
        parts[role] = part
    assert first is not None
    return finish(
        parts,
        split=split,
        shuffle=shuffle,
        columns=tuple(f"x{channel}" for channel in range(first[1])),
        files=files.digests,
        what=f"{path}: sequences",
    )


@dataclass
class _Header:
    """What the lines that begin with @ declare; None where they don't."""

    dimensions: int | None = None
    equal_length: bool | None = None
    series_length: int | None = None
    labels: set[str] = field(default_factory=set)
    has_labels: bool = False
    has_targets: bool = False

    def read(self, where: str, line: str) -> None:
        """Takes one directive; names are written in any case."""
        name, *values = line[1:].split()
        value = values[0].lower() if values else ""
        match name.lower():
            case "timestamps":
                if _truth(where, name, value):
                    raise DataError(
                        f"{where}: @{name} true is not supported; expected plain values"
                    )
            case "univariate":
                if _truth(where, name, value):
                    self.dimensions = 1
            case "dimensions" | "dimension":
                self.dimensions = _whole(where, name, value)
            case "equallength":
                self.equal_length = _truth(where, name, value)
            case "serieslength":
                self.series_length = _whole(where, name, value)
            case "classlabel":
                self.has_labels = _truth(where, name, value)
                self.labels = set(values[1:])
            case "targetlabel":
                self.has_targets = _truth(where, name, value)
            case "problemname" | "missing":
                pass
            case _:
                known = ["timeStamps", "univariate", "dimensions", "equalLength", "seriesLength"]
                known += ["classLabel", "targetLabel", "problemName", "missing", "data"]
                raise DataError(f"{where}: unknown header @{name}{suggest(name, known)}")


def _read(name: str, text: str) -> tuple[Part, int]:
    """The sequences of a file, and how many channels they have."""
    header = _Header()
    X: list[NDArray[np.float64]] = []
    labels: list[str] = []
    targets: list[float] = []
    lines = _lines(text)
    for number, line in lines:
        if line.lower() == "@data":
            break
        if not line.startswith("@"):
            raise DataError(f"{name}, line {number}: expected a header line (@...) or @data")
        header.read(f"{name}, line {number}", line)
    else:
        raise DataError(f"{name}: no @data line; expected the .ts format of the UEA/UCR archives")
    if header.has_labels and header.has_targets:
        raise DataError(f"{name}: both @classLabel and @targetLabel are true; expected one")
    for number, line in lines:
        where = f"{name}, line {number}"
        channels = line.split(":")
        if header.has_labels or header.has_targets:
            last = channels.pop().strip()
            if header.has_labels:
                labels.append(_label(where, last, header))
            else:
                targets.append(_target(where, last))
        X.append(_sequence(where, channels, header, X))
    if not X:
        raise DataError(f"{name}: no sequence after @data")
    y: Array | None = None
    if header.has_labels:
        y = np.array(labels)
    elif header.has_targets:
        y = np.array(targets)
    return Part(X=X, y=y), X[0].shape[1]


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.split("\n"), start=1):
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            yield number, stripped


def _sequence(
    where: str, channels: list[str], header: _Header, before: list[NDArray[np.float64]]
) -> NDArray[np.float64]:
    """One case `(time, channels)`."""
    expected = header.dimensions or (before[0].shape[1] if before else None)
    if not channels or (expected is not None and len(channels) != expected):
        raise DataError(f"{where}: expected {expected or 'some'} channels, got {len(channels)}")
    values = [_values(where, i, channel) for i, channel in enumerate(channels)]
    lengths = {len(channel) for channel in values}
    if len(lengths) > 1:
        raise DataError(
            f"{where}: the channels of a sequence have different lengths ({sorted(lengths)})"
        )
    (length,) = lengths
    if header.equal_length:
        declared = header.series_length or (len(before[0]) if before else length)
        if length != declared:
            raise DataError(
                f"{where}: expected {declared} steps as @equalLength is true, got {length}"
            )
    return np.stack(values, axis=-1)


def _values(where: str, channel: int, text: str) -> NDArray[np.float64]:
    values = []
    for step, cell in enumerate(text.split(",")):
        cell = cell.strip()
        value = np.nan if cell in _MISSING else parse_number(cell)
        if value is None:
            raise DataError(
                f"{where}, channel {channel + 1}, step {step + 1}: "
                f"expected a finite number or '?', got {cell[:40]!r}"
            )
        values.append(value)
    return np.array(values, dtype=np.float64)


def _label(where: str, label: str, header: _Header) -> str:
    if label in ("", "?"):
        raise DataError(f"{where}: the class label is missing")
    if header.labels and label not in header.labels:
        known = ", ".join(sorted(header.labels))
        raise DataError(f"{where}: the label '{label[:40]}' is not in @classLabel: {known}")
    return label


def _target(where: str, cell: str) -> float:
    value = parse_number(cell)
    if value is None:
        raise DataError(f"{where}: expected a finite number as target, got {cell[:40]!r}")
    return value


def _truth(where: str, name: str, value: str) -> bool:
    if value not in ("true", "false"):
        raise DataError(f"{where}: @{name} expected true or false, got {value!r}")
    return value == "true"


def _whole(where: str, name: str, value: str) -> int:
    if not value.isdecimal() or int(value) == 0:
        raise DataError(f"{where}: @{name} expected a whole number above zero, got {value!r}")
    return int(value)
