"""JSON lines: an object a line, with a text or tokens and what is to be learned of them."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kseq.data import spans as stretches
from kseq.data.dataset import Array, Dataset, Part
from kseq.data.files import Files
from kseq.data.split import Split, finish, roles
from kseq.data.tagged import Tagged, Wanted, Written, in_scheme
from kseq.data.tokenizers import Tokenizer
from kseq.errors import DataError, RecipeError, shown
from kseq.registry import readers, suggest

_MAX_INT = 2**63 - 1


@readers.register("jsonl")
def jsonl(
    *,
    path: str | None = None,
    train: str | None = None,
    valid: str | None = None,
    test: str | None = None,
    text: str = "text",
    spans: str | None = None,
    tokens: str | None = None,
    tags: str | None = None,
    label: str | None = None,
    tokenizer: Tokenizer = "words",
    scheme: Written = "auto",
    to: Wanted | None = None,
    strict: bool = False,
    split: Split | None = None,
    shuffle: int | None = None,
) -> Dataset:
    """Reads JSON lines, an object a line, packed by gzip or not.

    Texts are read as they are, but with `spans` as tokens with a tag each: a span that begins or
    ends inside a token divides it. `tokens` and `tags` are read as they stand. A label beside spans
    or tags makes pairs of tags and label; without label, spans and tags there are no targets.

    Args:
        path: The file that holds everything.
        train: The training texts, in place of `path`.
        valid: The validation texts.
        test: The test texts.
        text: The key of the texts.
        spans: The key of the list of spans: `[start, end, label]`, or objects with these keys;
            places of characters from 0, `end` exclusive. They must not overlap.
        tokens: The key of the list of tokens, in place of `text`.
        tags: The key of the list of tags, one a token.
        label: The key of the label of the whole: text, or a number.
        tokenizer: By which rule texts with spans are divided: `words`, or `characters` for scripts
            without blanks between words.
        scheme: How the tags mark spans: `iob1`, `bio` (IOB2) or `bioes`; `plain` tags, such as
            parts of speech, mark none. `auto` finds it out.
        to: The scheme to write the tags in. None is BIO for spans, makes BIO of IOB1 and keeps the
            others.
        strict: Whether a tag that cannot stand where it does, such as an `I-` after `O`, is an
            error. Otherwise it is repaired as conlleval reads it, with a warning.
        split: The sizes of [train, test] or [train, valid, test], as counts or as fractions, of
            texts. None is all for training.
        shuffle: The seed of a shuffle of the texts before the split.

    Raises:
        DataError: If a file is missing or does not hold; the message names file and line.
        RecipeError: If the parameters contradict each other.

    Example:
        >>> from kseq.data.home import search_in
        >>> import pathlib, tempfile
        >>> line = '{"text": "fly to Rome", "spans": [[7, 11, "city"]], "intent": "flight"}'
        >>> with tempfile.TemporaryDirectory() as folder, search_in(folder):
        ...     _ = pathlib.Path(folder, "a.jsonl").write_text(line)
        ...     part = jsonl(path="a.jsonl", spans="spans", label="intent").train
        >>> part.X, part.y
        ([['fly', 'to', 'Rome']], [(['O', 'O', 'B-city'], 'flight')])
    """
    keys = _Keys(text, spans, tokens, tags, label, tokenizer, to or "bio")
    keys.check(scheme=scheme, to=to, strict=strict)
    wanted = roles(path=path, train=train, valid=valid, test=test, split=split, shuffle=shuffle)
    files = Files()
    read = {role: keys.read(name, files.text(name)) for role, name in wanted.items()}
    y: Mapping[str, Any] = dict.fromkeys(read)
    if spans is not None or tags is not None:
        tagged = {role: each.tagged for role, each in read.items()}
        y = (
            in_scheme(tagged, scheme=scheme, to=to, strict=strict)
            if tags is not None
            else {role: each.tags for role, each in tagged.items()}
        )
        if label is not None:
            y = {role: list(zip(y[role], each.labels, strict=True)) for role, each in read.items()}
    elif label is not None:
        y = _arrays(read)
    return finish(
        {role: Part(X=each.X, y=y[role]) for role, each in read.items()},
        split=split,
        shuffle=shuffle,
        columns=(),
        files=files.digests,
        what=f"{path}: texts",
    )


@dataclass
class _Lines:
    """What the lines of a file hold."""

    tagged: Tagged
    X: list[Any] = field(default_factory=list)
    labels: list[Any] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class _Keys:
    """Which keys are read, and how; see the reader."""

    text: str
    spans: str | None
    tokens: str | None
    tags: str | None
    label: str | None
    tokenizer: Tokenizer
    scheme: Wanted

    def check(self, *, scheme: Written, to: Wanted | None, strict: bool) -> None:
        """Raises a `RecipeError` if the keys contradict each other."""
        mistakes = []
        if self.tags is not None and self.tokens is None:
            mistakes.append("data.tags: tags are of tokens; give data.tokens too")
        if self.spans is not None and self.tokens is not None:
            mistakes.append("data.spans: not together with data.tokens; spans are of data.text")
        if self.tags is None:
            given = {"scheme": scheme != "auto", "strict": strict}
            given["to"] = to is not None and self.spans is None
            mistakes += [
                f"data.{name}: says something of tags; give data.tags too"
                for name, asked in given.items()
                if asked
            ]
        if mistakes:
            raise RecipeError(mistakes)

    def read(self, name: str, text: str) -> _Lines:
        """The texts of a file."""
        found = _Lines(Tagged(name))
        for number, line in enumerate(text.split("\n"), start=1):
            if line.strip():
                self._add(found, _Object(f"{name}, line {number}", line), number)
        return found

    def _add(self, found: _Lines, row: _Object, number: int) -> None:
        if self.label is not None:
            found.labels.append(row.label(self.label, alone=self.spans is None is self.tags))
            found.lines.append(number)
        if self.tokens is None and self.spans is None:
            found.X.append(row.string(self.text, "text"))
            return
        if self.tokens is None:
            assert self.spans is not None
            text = row.string(self.text, "text")
            where = f"{row.where}, '{self.spans}'"
            marked = stretches.parse(where, row.get(self.spans, "spans"), text)
            tokens, tags = stretches.tagged_tokens(
                where, text, marked, tokenizer=self.tokenizer, scheme=self.scheme
            )
        else:
            tokens = row.strings(self.tokens, "tokens")
            tags = [] if self.tags is None else row.strings(self.tags, "tags")
            if self.tags is not None and len(tags) != len(tokens):
                raise DataError(
                    f"{row.where}: {len(tokens)} tokens ('{self.tokens}') and {len(tags)} tags "
                    f"('{self.tags}'); expected a tag for each token"
                )
        found.X.append(tokens)
        found.tagged.add(tokens, tags, [number] * len(tokens))


class _Object:
    """One line; the parameter that a value is asked for stands in the messages."""

    def __init__(self, where: str, line: str) -> None:
        self.where = where
        try:
            values = json.loads(line, parse_constant=_refuse)
        except json.JSONDecodeError as error:
            hint = "; expected one object a line" if line.lstrip()[:1] in "[{" else ""
            raise DataError(
                f"{where}, column {error.colno}: not JSON: {error.msg}{hint}"
            ) from error
        except (ValueError, RecursionError) as error:
            raise DataError(f"{where}: not JSON that can be read: {error}") from error
        if not isinstance(values, dict):
            raise DataError(f"{where}: expected an object, {{...}}, got {shown(values)}")
        self.values = values

    def get(self, key: str, parameter: str) -> Any:
        """The value of a key, which has to be there."""
        if key not in self.values:
            there = ", ".join(self.values) or "nothing"
            raise DataError(
                f"{self.where}: no '{key}' (asked for by data.{parameter})"
                f"{suggest(key, list(self.values))}; there are: {there}"
            )
        return self.values[key]

    def string(self, key: str, parameter: str) -> str:
        """A text."""
        return self._text(key, self.get(key, parameter))

    def strings(self, key: str, parameter: str) -> list[str]:
        """A list of texts, none of them empty."""
        values = self.get(key, parameter)
        if not isinstance(values, list):
            raise DataError(f"{self.where}, '{key}': expected a list of texts, got {shown(values)}")
        for place, value in enumerate(values):
            if not self._text(key, value):
                raise DataError(f"{self.where}, '{key}': entry {place} is an empty text")
        return values

    def label(self, key: str, *, alone: bool) -> str | int | float:
        """A label: text, which is not empty, or where it is alone a number."""
        value = self.get(key, "label")
        if alone and isinstance(value, (int, float)) and not isinstance(value, bool):
            if abs(value) > (_MAX_INT if isinstance(value, int) else sys.float_info.max):
                raise DataError(f"{self.where}, '{key}': {shown(value)} is too large")
            return value
        if not isinstance(value, str):
            expected = "a text or a number" if alone else "a text"
            raise DataError(f"{self.where}, '{key}': expected {expected}, got {shown(value)}")
        if not self._text(key, value):
            raise DataError(f"{self.where}, '{key}': the label is empty")
        return value

    def _text(self, key: str, value: Any) -> str:
        if not isinstance(value, str):
            raise DataError(f"{self.where}, '{key}': expected a text, got {shown(value)}")
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise DataError(
                f"{self.where}, '{key}': half of a surrogate pair at character {error.start}; "
                "no text can hold it"
            ) from error
        return value


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _arrays(read: Mapping[str, _Lines]) -> dict[str, Array]:
    """The labels by part as arrays `(batch,)`, all text or all numbers."""
    labels = [label for each in read.values() for label in each.labels]
    text = isinstance(labels[0], str)
    for each in read.values():
        for number, label in zip(each.lines, each.labels, strict=True):
            if isinstance(label, str) != text:
                raise DataError(
                    f"{each.tagged.name}, line {number}: the label {shown(label)} is "
                    f"{'a number, others are text' if text else 'text, others are numbers'}; "
                    f"the first is {shown(labels[0])}"
                )
    kind: Any = np.float64
    if text:
        kind = np.str_
    elif all(isinstance(label, int) for label in labels):
        kind = np.int64
    return {role: np.array(each.labels, dtype=kind) for role, each in read.items()}
