"""CoNLL-U, the files of the Universal Dependencies treebanks."""

from __future__ import annotations

import re
from typing import Literal

from kseq.data.dataset import Dataset, Part
from kseq.data.files import Files
from kseq.data.split import Split, finish, roles
from kseq.data.tagged import Tagged
from kseq.errors import DataError, shown
from kseq.registry import readers

_WIDTH = 10
_FORM = 1
_TAGS = {"upos": 3, "xpos": 4, "feats": 5}
_WORD = re.compile(r"[1-9][0-9]*")
# A range is a token that stands for several words; a decimal is a word that is not in the text.
_SKIPPED = re.compile(r"[1-9][0-9]*-[1-9][0-9]*|[0-9]+\.[1-9][0-9]*")


@readers.register("conllu")
def conllu(
    *,
    path: str | None = None,
    train: str | None = None,
    valid: str | None = None,
    test: str | None = None,
    tag: Literal["upos", "xpos", "feats"] | None = "upos",
    split: Split | None = None,
    shuffle: int | None = None,
) -> Dataset:
    r"""Reads words and their tags from CoNLL-U files, packed by gzip or not.

    Words are the rows whose id is a whole number: multiword tokens (`3-4`) and empty nodes (`8.1`)
    are left out, as the shared tasks do. The ids of a sentence have to count up from 1.

    Args:
        path: The file that holds everything.
        train: The training sentences, in place of `path`.
        valid: The validation sentences.
        test: The test sentences.
        tag: The column of the tags: universal parts of speech, those of the language, or
            morphological features. None reads the words alone.
        split: The sizes of [train, test] or [train, valid, test], as counts or as fractions, of
            sentences. None is all for training.
        shuffle: The seed of a shuffle of the sentences before the split.

    Raises:
        DataError: If a file is missing or does not hold; the message names file and line.
        RecipeError: If the parameters contradict each other.

    Reference:
        https://universaldependencies.org/format.html

    Example:
        >>> from kseq.data.home import search_in
        >>> import pathlib, tempfile
        >>> row = "1\tGo\tgo\tVERB\tVB\t_\t0\troot\t_\t_\n"
        >>> with tempfile.TemporaryDirectory() as folder, search_in(folder):
        ...     _ = pathlib.Path(folder, "a.conllu").write_text(f"# text = Go\n{row}")
        ...     part = conllu(path="a.conllu").train
        >>> part.X, part.y
        ([['Go']], [['VERB']])
    """
    wanted = roles(path=path, train=train, valid=valid, test=test, split=split, shuffle=shuffle)
    files = Files()
    parts = {}
    for role, name in wanted.items():
        found = _read(name, files.text(name), tag)
        parts[role] = Part(X=found.tokens, y=None if tag is None else found.tags)
    return finish(
        parts,
        split=split,
        shuffle=shuffle,
        columns=(),
        files=files.digests,
        what=f"{path}: sentences",
    )


def _read(name: str, text: str, tag: str | None) -> Tagged:
    """The sentences of a file."""
    column = _FORM if tag is None else _TAGS[tag]
    found = Tagged(name)
    tokens: list[str] = []
    tags: list[str] = []
    lines: list[int] = []
    for number, line in enumerate([*text.split("\n"), ""], start=1):
        line = line.removesuffix("\r")
        if not line.strip():
            if tokens:
                found.add(tokens, tags, lines)
            tokens, tags, lines = [], [], []
        elif not line.startswith("#"):
            cells = _cells(f"{name}, line {number}", line, len(tokens) + 1, column)
            if cells:
                tokens.append(cells[_FORM])
                tags.append(cells[column])
                lines.append(number)
    if not found.tokens:
        raise DataError(f"{name}: there is no word in it")
    if tag is not None and all(cell == "_" for sentence in found.tags for cell in sentence):
        others = [other for other in _TAGS if other != tag]
        raise DataError(
            f"{name}: the column {tag} (data.tag) is empty, '_' in every row; "
            f"choose another of {', '.join(others)}"
        )
    return found


def _cells(where: str, line: str, expected: int, tag: int) -> list[str]:
    """The cells of a row; none where it is no word."""
    cells = line.split("\t")
    if len(cells) != _WIDTH:
        hint = "" if "\t" in line else "; tabs have to divide them"
        raise DataError(
            f"{where}: expected the {_WIDTH} columns of CoNLL-U, got {len(cells)}: "
            f"{shown(line)}{hint}"
        )
    if _SKIPPED.fullmatch(cells[0]):
        return []
    if not _WORD.fullmatch(cells[0]):
        raise DataError(
            f"{where}: expected an id such as 3, 3-4 or 8.1, got {shown(cells[0])}; "
            "a comment begins with #, a blank line ends a sentence"
        )
    if int(cells[0]) != expected:
        raise DataError(
            f"{where}: expected the id {expected}, got {cells[0]}; is a line missing, or the "
            "blank line between two sentences?"
        )
    for column in (_FORM, tag):
        if not cells[column]:
            raise DataError(f"{where}: column {column + 1} is empty; expected '_' for no value")
    return cells
