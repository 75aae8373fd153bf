"""Delimited text: a series, sequences below each other, or a sequence or text a row."""

from __future__ import annotations

from typing import Literal

from kseq.data.dataset import Dataset
from kseq.data.files import Files
from kseq.data.layouts import Asked, read_long, read_series, read_texts, read_wide
from kseq.data.split import HashSplit, Split, finish, roles
from kseq.data.tables import Table
from kseq.errors import RecipeError
from kseq.registry import readers

# What makes no sense in a layout, by its name.
_FOREIGN = {
    "series": ("train", "valid", "test", "target", "per_step", "shuffle", "text", "distinct"),
    "long": ("text", "distinct"),
    "wide": ("time", "per_step", "text", "distinct"),
    "text": ("columns", "time", "per_step"),
}


@readers.register("csv")
def csv(
    *,
    layout: Literal["series", "long", "wide", "text"],
    path: str | None = None,
    train: str | None = None,
    valid: str | None = None,
    test: str | None = None,
    columns: list[str] | None = None,
    target: str | list[str] | None = None,
    per_step: bool = False,
    id: str | list[str] | None = None,
    time: str | None = None,
    text: str | None = None,
    distinct: bool = False,
    split: Split | HashSplit | None = None,
    shuffle: int | None = None,
    header: list[str] | None = None,
    delimiter: Literal[",", ";", "\t", "|", " "] | None = None,
    quotes: bool = True,
    missing: list[str] | None = None,
) -> Dataset:
    r"""Reads CSV files and their like, packed by gzip or not.

    Args:
        layout: What a row is. `series`: a time step of a series, for forecasting. `long`: a time
            step of the sequence that `id` names. `wide`: a whole sequence of one feature, its steps
            in the order of the columns; empty cells at the end make it shorter. `text`: a text.
        path: The file that holds everything.
        train: The training sequences, in place of `path`.
        valid: The validation sequences.
        test: The test sequences.
        columns: The columns that are features, in this order. None takes all columns of numbers
            that have no other part to play.
        target: The column of the targets, or the columns of several numeric targets.
        per_step: Whether every row of a sequence has its own target, in the layout `long`. A
            step whose cell is empty has none, unless targets are text.
        id: The column, or columns together, that name the sequence or series of a row.
        time: The column of time stamps. Series keep it as their index and have to be in its order;
            in the layout `long` the rows of a sequence are sorted by it.
        text: The column of the texts in the layout `text`. They are read as they stand, blanks
            included, and may be empty.
        distinct: Whether a row is left out whose text and targets have stood in the file before.
        split: The sizes of [train, test] or [train, valid, test], as counts or as fractions, of
            sequences, of texts or, in the layout `series`, of time steps. None is all for training.
            For texts also `{by: hash, shares: [8, 1, 1]}`: the MD5 of target and text, modulo the
            sum of the shares, decides (0 is the test, 1 validation), so that equal rows stay
            together and a row keeps its part when the file grows.
        shuffle: The seed of a shuffle of the sequences before the split.
        header: The names of the columns. None reads them from the first line.
        delimiter: What divides cells. None finds out: comma, semicolon or tab.
        quotes: Whether quotation marks around a cell are taken off; if not, they are text.
        missing: What stands for a missing value. None is `NA`, `NaN`, `nan`, `null` and `?`; an
            empty cell always does.

    Raises:
        DataError: If a file is missing or does not hold; the message names file, line and column.
        RecipeError: If the parameters contradict each other.

    Example:
        >>> from kseq.data.home import search_in
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder, search_in(folder):
        ...     _ = pathlib.Path(folder, "a.csv").write_text("day,load\n1,0.5\n2,NA\n")
        ...     csv(layout="series", path="a.csv", time="day").train.X
        {'load': array([0.5, nan])}
    """
    given = {
        "train": train,
        "valid": valid,
        "test": test,
        "target": target,
        "per_step": per_step or None,
        "shuffle": shuffle,
        "time": time,
        "columns": columns,
        "text": text,
        "distinct": distinct or None,
    }
    foreign = [name for name in _FOREIGN[layout] if given[name] is not None]
    if foreign:
        raise RecipeError([f"data.{name}: not in the layout '{layout}'" for name in foreign])
    if isinstance(split, dict) and layout != "text":
        raise RecipeError("data.split: only texts are split by hash; expected sizes")
    if header is not None and len({name.strip() for name in header} - {""}) < len(header):
        raise RecipeError("data.header: expected a name for each column, no two alike")
    asked = Asked(columns=columns, target=target, per_step=per_step, id=id, time=time, text=text)
    asked.check(layout)
    wanted = roles(path=path, train=train, valid=valid, test=test, split=split, shuffle=shuffle)
    files = Files()
    tables = {
        role: Table(
            name,
            files.text(name),
            delimiter=delimiter,
            missing=missing,
            header=header,
            quotes=quotes,
            verbatim=text,
        )
        for role, name in wanted.items()
    }
    if layout == "series":
        assert not isinstance(split, dict)
        return read_series(tables["path"], asked, split, files.digests)
    keys: list[str] = []
    features: tuple[str, ...] = ()
    if layout == "text":
        parts, keys = read_texts(tables, asked, distinct=distinct)
    else:
        parts, features = (read_long if layout == "long" else read_wide)(tables, asked)
    return finish(
        parts,
        split=split,
        shuffle=shuffle,
        columns=features,
        files=files.digests,
        what=f"{path}: {'texts' if layout == 'text' else 'sequences'}",
        keys=keys,
    )
