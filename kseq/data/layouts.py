"""What the rows of a table are: time steps of series or of sequences, or whole sequences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from kseq.data.dataset import Array, Dataset, Part, Series
from kseq.data.split import slices
from kseq.data.stamps import sort_keys
from kseq.data.tables import Table
from kseq.data.targets import as_targets, target_type
from kseq.errors import DataError, RecipeError


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The columns of a table by what they are for; see the reader `csv`."""

    columns: list[str] | None
    target: str | list[str] | None
    per_step: bool
    id: str | list[str] | None
    time: str | None
    text: str | None = None

    @property
    def targets(self) -> list[str]:
        """The target columns, however many."""
        if self.target is None:
            return []
        return [self.target] if isinstance(self.target, str) else self.target

    @property
    def ids(self) -> list[str]:
        """The columns that tell sequences apart, however many."""
        if self.id is None:
            return []
        return [self.id] if isinstance(self.id, str) else self.id

    def check(self, layout: str) -> None:
        """Raises a `RecipeError` if the columns contradict each other."""
        mistakes = []
        if layout == "long" and not self.ids:
            mistakes.append("data.id: missing; name the column that tells the sequences apart")
        if self.per_step and not self.targets:
            mistakes.append("data.target: missing; data.per_step asks for a target at every step")
        if layout == "text" and self.text is None:
            mistakes.append("data.text: missing; name the column of the texts")
        if self.columns is not None and not self.columns:
            mistakes.append("data.columns: expected at least one column, got none")
        taken: dict[str, str] = {}
        for role, names in (
            ("columns", self.columns or []),
            ("target", self.targets),
            ("id", self.ids),
            ("time", [self.time] if self.time else []),
            ("text", [self.text] if self.text else []),
        ):
            for name in names:
                if name in taken:
                    mistakes.append(f"data.{role}: '{name}' is in data.{taken[name]} already")
                taken[name] = role
        if mistakes:
            raise RecipeError(mistakes)

    def features(self, table: Table) -> list[str]:
        """The feature columns, the chosen ones or all of numbers that are nothing else."""
        if self.columns is not None:
            for column in self.columns:
                table.index(column, "columns")
            return list(self.columns)
        others = [("id", name) for name in self.ids] + ([("time", self.time)] if self.time else [])
        for role, name in others:
            table.index(name, role)
        return table.numeric(besides=[*self.targets, *self.ids, self.time])


def read_series(
    table: Table, asked: Asked, split: Sequence[float] | None, files: dict[str, str]
) -> Dataset:
    """Series from rows that are time steps, split along time."""
    columns = asked.features(table)
    values = {column: table.numbers(column) for column in columns}
    stamps = table.filled(asked.time, "time") if asked.time else None
    groups = _groups(table, asked.ids)
    if stamps is not None:
        for name, rows in groups.items():
            _check_order(table, asked, name, rows, stamps)
    where = {
        name: slices(len(rows), split, f"{table.name}: rows" + (f" of '{name}'" if name else ""))
        for name, rows in groups.items()
    }
    parts: dict[str, Part] = {}
    for role in next(iter(where.values())):
        chosen = [rows[where[name][role]] for name, rows in groups.items()]
        series: list[Series] = [
            {column: values[column][rows] for column in columns} for rows in chosen
        ]
        index = None if stamps is None else [[stamps[row] for row in rows] for rows in chosen]
        if not asked.ids:
            parts[role] = Part(X=series[0], index=None if index is None else index[0])
        else:
            parts[role] = Part(X=series, index=index, ids=list(groups))
    return Dataset(
        train=parts["train"],
        valid=parts.get("valid"),
        test=parts.get("test"),
        columns=tuple(columns),
        files=files,
    )


def read_long(tables: dict[str, Table], asked: Asked) -> tuple[dict[str, Part], tuple[str, ...]]:
    """Sequences from rows that are their time steps, by part."""
    columns = asked.features(next(iter(tables.values())))
    kind = _kind(tables, asked)
    parts = {}
    for role, table in tables.items():
        steps = np.column_stack([table.numbers(column) for column in columns])
        groups = _groups(table, asked.ids)
        if asked.time is not None:
            stamps = table.filled(asked.time, "time")
            groups = {
                name: _sorted(table, asked, name, rows, stamps) for name, rows in groups.items()
            }
        y: Array | list[Array] | None = None
        if asked.targets:
            if asked.per_step:
                found = _step_targets(table, asked, kind)
                y = [found[rows] for rows in groups.values()]
            else:
                targets = _targets(table, asked, kind)  # shape: (rows,) or (rows, targets)
                _check_constant(table, asked, groups, targets)
                y = targets[[rows[0] for rows in groups.values()]]
        parts[role] = Part(X=[steps[rows] for rows in groups.values()], y=y, ids=list(groups))
    return parts, tuple(columns)


def read_wide(tables: dict[str, Table], asked: Asked) -> tuple[dict[str, Part], tuple[str, ...]]:
    """Sequences of one feature from rows that are whole sequences, by part."""
    kind = _kind(tables, asked)
    parts = {}
    for role, table in tables.items():
        besides = {*asked.targets, *asked.ids}
        columns = asked.columns or [name for name in table.header if name not in besides]
        places = [table.index(column, "columns") for column in columns]
        X = []
        for i, row in enumerate(table.rows):
            cells = [row[place] for place in places]
            while cells and cells[-1] == "":
                cells.pop()
            if not cells:
                raise DataError(f"{table.name}, line {table.lines[i]}: a sequence without values")
            steps = [table.number(cell, i, columns[step]) for step, cell in enumerate(cells)]
            X.append(np.array(steps)[:, np.newaxis])
        y = _targets(table, asked, kind) if asked.targets else None
        ids = _names(table, asked.ids) if asked.ids else None
        parts[role] = Part(X=X, y=y, ids=ids)
    return parts, ("value",)


def read_texts(
    tables: dict[str, Table], asked: Asked, *, distinct: bool
) -> tuple[dict[str, Part], list[str]]:
    """Texts by part, and what a split by hash is made on: target and text of each row.

    Args:
        tables: The tables by part.
        asked: The columns.
        distinct: Whether a row whose text and targets have stood above is left out.
    """
    assert asked.text is not None
    kind = _kind(tables, asked)
    parts, keys = {}, []
    for role, table in tables.items():
        texts = table.text(asked.text, "text")
        targets = [table.filled(name, "target") for name in asked.targets]
        cells = list(zip(*targets, texts, strict=True))
        rows = list(range(len(table)))
        if distinct:
            first = {pair: row for row, pair in reversed(list(enumerate(cells)))}
            rows = sorted(first.values())
        y = _targets(table, asked, kind)[rows] if targets else None
        ids = _names(table, asked.ids) if asked.ids else None
        parts[role] = Part(
            X=[texts[row] for row in rows],
            y=y,
            ids=None if ids is None else [ids[row] for row in rows],
        )
        keys = ["".join(cells[row]) for row in rows]
    return parts, keys


def _groups(table: Table, ids: list[str]) -> dict[str, np.ndarray]:
    """The rows of each sequence, in the order of their first appearance."""
    if not ids:
        return {"": np.arange(len(table))}
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(_names(table, ids)):
        rows.setdefault(name, []).append(row)
    return {name: np.array(found) for name, found in rows.items()}


def _names(table: Table, ids: list[str]) -> list[str]:
    """The name of the sequence in each row: the cells of the id columns, joined by dashes."""
    return ["-".join(cells) for cells in zip(*(table.filled(id, "id") for id in ids), strict=True)]


def _sorted(
    table: Table, asked: Asked, name: str, rows: np.ndarray, stamps: list[str]
) -> np.ndarray:
    keys = sort_keys([stamps[row] for row in rows])
    if keys is None:
        raise DataError(
            f"{table.name}: column '{asked.time}' (data.time) of '{name}' cannot be sorted by; "
            f"expected numbers or ISO dates (2016-07-01 00:00:00), got {stamps[rows[0]]!r}"
        )
    order = sorted(range(len(rows)), key=keys.__getitem__)
    for before, after in pairwise(order):
        if keys[before] == keys[after]:
            lines = [table.lines[rows[i]] for i in (before, after)]
            raise DataError(
                f"{table.name}, lines {lines[0]} and {lines[1]}: '{name}' has two rows at "
                f"{asked.time} {stamps[rows[after]]}; is data.id the right column?"
            )
    return rows[order]


def _check_order(
    table: Table, asked: Asked, name: str, rows: np.ndarray, stamps: list[str]
) -> None:
    """Series are read in the order of the file; stamps that run back would be a false order."""
    keys = sort_keys([stamps[row] for row in rows])
    if keys is None:
        return
    for i in range(1, len(keys)):
        if keys[i] < keys[i - 1]:
            raise DataError(
                f"{table.name}, line {table.lines[rows[i]]}: {asked.time} {stamps[rows[i]]} comes "
                f"after {stamps[rows[i - 1]]}{f' in {name!r}' if name else ''}; sort the file by "
                "time, or set data.id where it holds several series"
            )


def _kind(tables: dict[str, Table], asked: Asked) -> type:
    """The type of the targets, one for all parts."""
    if len(asked.targets) != 1 or not isinstance(asked.target, str):
        return float
    read = Table.present if asked.per_step else Table.filled
    cells = [cell for table in tables.values() for cell in read(table, asked.target, "target")]
    return target_type(cells)


def _targets(table: Table, asked: Asked, kind: type) -> Array:
    if isinstance(asked.target, str):
        return as_targets(table.filled(asked.target, "target"), kind)
    for column in asked.targets:
        table.filled(column, "target")
    return np.column_stack([table.numbers(column, "target") for column in asked.targets])


def _step_targets(table: Table, asked: Asked, kind: type) -> Array:
    """A target for every row. A number may be missing, a label may not."""
    if kind is str:
        return _targets(table, asked, kind)
    numbers = [table.numbers(column, "target") for column in asked.targets]
    if isinstance(asked.target, list):
        return np.column_stack(numbers)
    whole = kind is int and not np.isnan(numbers[0]).any()
    return numbers[0].astype(np.int64) if whole else numbers[0]


def _check_constant(
    table: Table, asked: Asked, groups: dict[str, np.ndarray], targets: Array
) -> None:
    for name, rows in groups.items():
        same = (targets[rows] == targets[rows[0]]).reshape(len(rows), -1).all(axis=1)
        if not same.all():
            other = rows[int(np.argmin(same))]
            raise DataError(
                f"{table.name}, lines {table.lines[rows[0]]} and {table.lines[other]}: '{name}' "
                f"has the targets {targets[rows[0]]} and {targets[other]}; expected one a sequence "
                "(set data.per_step where every step has its own)"
            )
