"""Column files of the CoNLL shared tasks: a token a line, a blank line after each sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from kseq import tags as schemes
from kseq.data.dataset import Dataset, Part
from kseq.data.files import Files
from kseq.data.split import Split, finish, roles
from kseq.data.tagged import Tagged, Wanted, Written, by_character, in_scheme
from kseq.errors import DataError, RecipeError, shown
from kseq.registry import readers

_DOCUMENT = "-DOCSTART-"
_BLANKS = re.compile(r"[ \t]+")
_COMMENT = re.compile(r"#(\s|$)")


@readers.register("conll")
def conll(
    *,
    path: str | None = None,
    train: str | None = None,
    valid: str | None = None,
    test: str | None = None,
    token: int = 0,
    tag: int | None = -1,
    delimiter: Literal["\t", " "] | None = None,
    scheme: Written = "auto",
    to: Wanted | None = None,
    strict: bool = False,
    comments: bool = True,
    unit: Literal["token", "character"] = "token",
    split: Split | None = None,
    shuffle: int | None = None,
) -> Dataset:
    r"""Reads tagged tokens from CoNLL column files, packed by gzip or not.

    A line is a token and its columns; all lines have the same number of them. A line whose columns
    are all empty ends a sentence, and so does a `-DOCSTART-` line, which is left out.

    Args:
        path: The file that holds everything.
        train: The training sentences, in place of `path`.
        valid: The validation sentences.
        test: The test sentences.
        token: The column of the tokens, from 0, or from the end: -1 is the last.
        tag: The column of the tags. None reads the tokens alone.
        delimiter: What divides columns: a tab, or blanks. None is the tab where the first line has
            one.
        scheme: How the tags mark spans: `iob1`, `bio` (IOB2) or `bioes`; `plain` tags, such as
            parts of speech, mark none. `auto` finds it out.
        to: The scheme to write the tags in. None makes BIO of IOB1 and keeps the others.
        strict: Whether a tag that cannot stand where it does, such as an `I-` after `O`, is an
            error. Otherwise it is repaired as conlleval reads it, with a warning.
        comments: Whether lines that begin with `# ` are left out, unless they are rows: a line
            with as many columns as the others and, where blanks divide them, with a tag that other
            rows have. So `# text = ...` is a comment, and a `#` with a tag is a token.
        unit: What is tagged: each `token` of the file, or each `character` of it, where the spans
            stay what they were; for scripts that put no blanks between words.
        split: The sizes of [train, test] or [train, valid, test], as counts or as fractions, of
            sentences. None is all for training.
        shuffle: The seed of a shuffle of the sentences before the split.

    Raises:
        DataError: If a file is missing or does not hold; the message names file and line.
        RecipeError: If the parameters contradict each other.

    Reference:
        Tjong Kim Sang, De Meulder (2003), Introduction to the CoNLL-2003 shared task,
        https://www.clips.uantwerpen.be/conll2003/ner/

    Example:
        >>> from kseq.data.home import search_in
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder, search_in(folder):
        ...     _ = pathlib.Path(folder, "a.conll").write_text("in\tO\nRome\tB-place\n\nYes\tO\n")
        ...     part = conll(path="a.conll").train
        >>> part.X, part.y
        ([['in', 'Rome'], ['Yes']], [['O', 'B-place'], ['O']])
    """
    wanted = roles(path=path, train=train, valid=valid, test=test, split=split, shuffle=shuffle)
    if tag is None and to is not None:
        raise RecipeError("data.to: there are no tags to write, as data.tag is null")
    files = Files()
    columns = _Columns(token, tag, delimiter, comments)
    read = {role: columns.read(name, files.text(name)) for role, name in wanted.items()}
    if tag is None:
        parts = {role: Part(X=found.tokens) for role, found in read.items()}
    else:
        y = in_scheme(read, scheme=scheme, to=to, strict=strict)
        parts = {role: Part(X=found.tokens, y=y[role]) for role, found in read.items()}
    if unit == "character":
        parts = {role: by_character(part) for role, part in parts.items()}
    return finish(
        parts,
        split=split,
        shuffle=shuffle,
        columns=(),
        files=files.digests,
        what=f"{path}: sentences",
    )


class _Row(NamedTuple):
    """The columns of a line; none where a sentence ends."""

    line: int
    cells: list[str]
    doubtful: bool = False  # it may be a comment


@dataclass(frozen=True)
class _Columns:
    """Which columns are read, and how; see the reader."""

    token: int
    tag: int | None
    delimiter: str | None
    comments: bool

    def read(self, name: str, text: str) -> Tagged:
        """The sentences of a file."""
        lines = [line.removesuffix("\r") for line in text.split("\n")]
        delimiter = self.delimiter or self._sniff(lines)
        rows = list(self._rows(lines, delimiter))
        filled = [row for row in rows if row.cells]
        sure = [row for row in filled if not row.doubtful]
        if not sure and delimiter == "\t":
            sure = filled  # every token is a #
        if not sure:
            raise DataError(f"{name}: there is no token in it")
        first = sure[0]
        token, tag = self._places(name, first)
        known = None
        if self.tag is not None and delimiter == " ":
            known = {row.cells[tag] for row in sure if len(row.cells) == len(first.cells)}

        found = Tagged(name)
        sentence: list[_Row] = []
        for row in [*rows, _Row(0, [])]:
            if row.cells:
                if row.doubtful and not _is_row(row, first, tag, known):
                    continue
                self._check(name, row, first, token, tag)
                sentence.append(row)
            elif sentence:
                found.add(
                    [row.cells[token] for row in sentence],
                    [row.cells[tag] for row in sentence],
                    [row.line for row in sentence],
                )
                sentence = []
        return found

    def _sniff(self, lines: list[str]) -> str:
        rows = (line for line in lines if line.strip() and not line.startswith(("#", _DOCUMENT)))
        first = next(rows, None) or next((line for line in lines if line.strip()), "")
        return "\t" if "\t" in first else " "

    def _rows(self, lines: list[str], delimiter: str) -> Iterator[_Row]:
        for number, line in enumerate(lines, start=1):
            # A line of tabs alone ends a sentence too.
            if not line.strip() or line.startswith(_DOCUMENT):
                yield _Row(number, [])
                continue
            cells = line.split("\t") if delimiter == "\t" else _BLANKS.split(line.strip(" \t"))
            yield _Row(number, cells, self.comments and _COMMENT.match(line) is not None)

    def _places(self, name: str, row: _Row) -> tuple[int, int]:
        """The columns of token and tag, counted from 0; without tags twice the token's."""
        width = len(row.cells)
        places: list[int] = []
        for parameter, column in (("token", self.token), ("tag", self.tag)):
            if column is None:
                places.append(places[0])
                continue
            if not -width <= column < width:
                raise DataError(
                    f"{name}, line {row.line}: no column {column} (data.{parameter}); "
                    f"the line has {width}: {shown(row.cells)}"
                )
            places.append(column % width)
        if self.tag is not None and places[0] == places[1]:
            raise DataError(
                f"{name}, line {row.line}: column {places[0]} is both data.token and data.tag; "
                f"expected a token and a tag, got {shown(row.cells)}"
            )
        return places[0], places[1]

    def _check(self, name: str, row: _Row, first: _Row, token: int, tag: int) -> None:
        where = f"{name}, line {row.line}"
        if len(row.cells) != len(first.cells):
            raise DataError(
                f"{where}: expected {len(first.cells)} columns as in line {first.line}, "
                f"got {len(row.cells)}: {shown(row.cells)}"
            )
        if tag != token:
            row.cells[tag] = row.cells[tag].strip(" ")
        for parameter, column in (("token", token), ("tag", tag)):
            if not row.cells[column]:
                raise DataError(
                    f"{where}: the {parameter} (column {column}) is empty: {shown(row.cells)}"
                )


def _is_row(row: _Row, first: _Row, tag: int, known: set[str] | None) -> bool:
    """Whether a line that begins as a comment has what makes a row.

    The tags of the other rows, where they are given, have to speak for it: a sentence in a comment
    can fall into as many words as there are columns.
    """
    if len(row.cells) != len(first.cells):
        return False
    if known is None or row.cells[tag] in known:
        return True
    return schemes.scheme_of(known) is not None and schemes.scheme_of([row.cells[tag]]) is not None
