"""Marked stretches of a text: from characters to tokens with tags."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Any, NamedTuple

from kseq import tags as schemes
from kseq.data.tokenizers import Tokenizer, tokenize
from kseq.errors import DataError, shown


class Marked(NamedTuple):
    """A stretch of a text.

    Args:
        start: Its first character, from 0.
        end: The character after its last one.
        label: Its type.
    """

    start: int
    end: int
    label: str

    def __str__(self) -> str:
        return f"[{self.start}, {self.end}, {self.label}]"


def parse(where: str, value: Any, text: str) -> list[Marked]:
    """The stretches that a JSON list describes, in the order of the text.

    Args:
        where: File, line and key, for messages.
        value: A list of `[start, end, label]` or of objects with these keys.
        text: The text that they are of.

    Raises:
        DataError: If it is no such list, or if a stretch is empty, lies outside of the text or
            overlaps another.
    """
    if not isinstance(value, list):
        raise DataError(f"{where}: expected a list of spans, got {shown(value)}")
    found = sorted(_marked(where, entry) for entry in value)
    until = Marked(0, 0, "")
    for each in found:
        if not 0 <= each.start < each.end <= len(text):
            what = "is empty" if each.start == each.end else "is not in the text"
            raise DataError(
                f"{where}: the span {each} {what}; expected 0 <= start < end <= {len(text)}, "
                "in characters"
            )
        if each.start < until.end:
            raise DataError(f"{where}: the spans {until} and {each} overlap")
        until = each
    return found


def _marked(where: str, entry: Any) -> Marked:
    values: Any = entry
    if isinstance(entry, dict):
        values = [entry.get(name) for name in Marked._fields]
    match values:
        case [int(start), int(end), str(label)] if label:
            if not isinstance(start, bool) and not isinstance(end, bool):
                return Marked(start, end, label)
    raise DataError(
        f"{where}: expected a span as [start, end, label], two whole numbers and a text, or as an "
        f"object with these keys, got {shown(entry)}"
    )


def tagged_tokens(
    where: str,
    text: str,
    marked: list[Marked],
    *,
    tokenizer: Tokenizer,
    scheme: schemes.Scheme,
) -> tuple[list[str], list[str]]:
    """The tokens of a text and their tags; a token is divided where a stretch begins or ends.

    Args:
        where: File, line and key, for messages.
        text: The text.
        marked: Its stretches, as `parse` gives them.
        tokenizer: By which rule tokens are found.
        scheme: The scheme of the tags.

    Raises:
        DataError: If a stretch holds no token.

    Example:
        >>> marked = [Marked(0, 2, "amount"), Marked(2, 4, "unit")]
        >>> tagged_tokens("", "12kg flour", marked, tokenizer="words", scheme="bio")
        (['12', 'kg', 'flour'], ['B-amount', 'B-unit', 'O'])
    """
    edges = sorted({edge for start, end, _ in marked for edge in (start, end)})
    pieces: list[tuple[int, int]] = []
    for start, end in tokenize(text, tokenizer).tolist():
        for edge in edges:
            if start < edge < end:
                pieces.append((start, edge))
                start = edge
        pieces.append((start, end))
    starts, ends = [start for start, _ in pieces], [end for _, end in pieces]
    found = []
    for each in marked:
        first, last = bisect_left(starts, each.start), bisect_right(ends, each.end)
        if first >= last:
            held = shown(text[each.start : each.end])
            raise DataError(f"{where}: the span {each} holds no token, only {held}")
        found.append(schemes.Span(first, last, each.label))
    tokens = [text[start:end] for start, end in pieces]
    return tokens, schemes.tags_of(found, len(tokens), scheme=scheme)
