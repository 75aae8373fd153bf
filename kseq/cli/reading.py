"""How a file to predict is read: as the training data was, without targets."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kseq.cli.options import changed
from kseq.data.files import Files
from kseq.data.tables import Table
from kseq.errors import DataError
from kseq.recipe import Recipe
from kseq.run import read_data

READERS = {".csv": "csv", ".tsv": "csv", ".ts": "ts", ".npz": "npz"}
TEXT_READERS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".conll": "conll",
    ".conllu": "conllu",
}
# What a reader is not asked for, where there are no targets and only one part.
_PARTS = ("train", "valid", "test", "split", "shuffle", "target", "name")
_TAGS = ("scheme", "to", "strict")
_LEFT_OUT = {
    "csv": (*_PARTS, "distinct"),
    "conll": (*_PARTS, *_TAGS),
    "jsonl": (*_PARTS, *_TAGS, "spans", "tags", "label"),
}


def reading(recipe: Recipe, file: str, *, text: bool, lines: bool = True) -> Recipe | None:
    """A recipe that reads a file without targets; None where each of its lines is a text.

    Args:
        recipe: The one that the model was trained with.
        file: What is to be read.
        text: Whether the model was fitted to text.
        lines: Whether a file of no known ending may be one of lines.

    Raises:
        DataError: If files of that ending hold nothing that the model takes.
    """
    reader = _reader(recipe, file, text)
    if reader is None and lines:
        return None
    reader = reader or str(recipe.data.get("reader"))
    data: dict[str, Any] = {"reader": reader, "path": file}
    if recipe.data.get("reader") == reader:
        left_out = _LEFT_OUT.get(reader, _PARTS)
        data = {**{k: v for k, v in recipe.data.items() if k not in left_out}, "path": file}
        if reader == "csv" and not text:
            data |= {"per_step": False, **_steps(file, recipe.data)}
    elif reader == "csv":
        series = recipe.task["kind"] == "forecasting"
        data["layout"] = "text" if text else "series" if series else "wide"
    if reader in ("conll", "conllu"):
        data["tag"] = None
    return Recipe.from_dict({"task": recipe.task, "data": data})


def text_lines(file: str) -> list[str]:
    """The lines of a file, empty ones too.

    Raises:
        DataError: If it cannot be read as text.
    """
    text = Files().text(file).removesuffix("\n")
    return [line.removesuffix("\r") for line in text.split("\n")]


def asked_texts(
    recipe: Recipe, file: str | None, texts: Sequence[str], changes: Sequence[str]
) -> tuple[Any, Sequence[str] | None]:
    """The texts of a file or of the options, and their names where the file has some.

    Args:
        recipe: The one that the model was trained with.
        file: What is to be read, or None.
        texts: Those of the options; `-` stands for the lines of standard input.
        changes: What `--set` changes in how the file is read.

    Raises:
        DataError: If there is no text, or it cannot be read.
    """
    if file is None:
        found = [line for text in texts for line in (_standard_input() if text == "-" else [text])]
        if not found:
            raise DataError("standard input: there is no text in it")
        return found, None
    recipe_of_file = reading(recipe, file, text=True, lines=not changes)
    if recipe_of_file is None:
        return text_lines(file), None
    part = read_data(changed(recipe_of_file, changes)).train
    return part.X, part.ids


def sequences_in(
    recipe: Recipe, file: str, changes: Sequence[str]
) -> tuple[Any, Sequence[str] | None]:
    """The sequences or series of a file, and their names where it has some.

    Args:
        recipe: The one that the model was trained with.
        file: What is to be read.
        changes: What `--set` changes in how it is read.

    Raises:
        DataError: If it cannot be read.
    """
    found = reading(recipe, file, text=False)
    assert found is not None  # lines are text
    part = read_data(changed(found, changes)).train
    return part.X, part.ids


def _standard_input() -> list[str]:
    try:
        return [line.removesuffix("\n") for line in sys.stdin]
    except UnicodeDecodeError as error:
        raise DataError(f"standard input: not UTF-8 text: {error.reason}") from None


def _reader(recipe: Recipe, file: str, text: bool) -> str | None:
    """The reader by the ending of the file's name; None for lines of text."""
    ending = _ending(file)
    known = TEXT_READERS if text else READERS
    named = [recipe.data.get(name) for name in ("path", "train", "valid", "test")]
    if ending in {_ending(name) for name in named if name}:
        return str(recipe.data["reader"])
    if ending in known:
        return known[ending]
    if not text or ending in READERS:
        more = " or a line of text each" if text else ""
        raise DataError(f"{file}: expected a name ending in {', '.join(known)}{more}")
    return None


def _ending(file: str) -> str:
    return Path(file.removesuffix(".gz")).suffix.lower()


def _steps(file: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """In a file of one sequence a row: the columns that are steps, should it have targets too."""
    if data.get("layout") != "wide" or data.get("target") is None:
        return {}
    targets = [data["target"]] if isinstance(data["target"], str) else data["target"]
    options: dict[str, Any] = {
        name: data[name] for name in ("delimiter", "missing", "header", "quotes") if name in data
    }
    header = Table(file, Files().text(file), **options).header
    return {"columns": [name for name in header if name not in (*targets, data.get("id"))]}
