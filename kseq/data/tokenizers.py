"""Splits text into tokens, by rules that an exported graph can follow.

Whether a character joins the one before it is decided by the kinds of its neighbours alone, so that
the rule is a handful of array operations here and in TensorFlow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np

from kseq.data.codepoints import Kind, codes_of, kinds_of
from kseq.errors import DataError

Tokenizer = Literal["words", "characters"]

_WORD = (Kind.LETTER, Kind.UPPER, Kind.DIGIT, Kind.NUMBER, Kind.MARK)


def tokenize(text: str, tokenizer: Tokenizer = "words") -> np.ndarray:
    """Where the tokens of a text stand.

    `words` is for scripts that put blanks between words: letters and digits that touch make a
    token, with the apostrophes, hyphens and full stops between them (`don't`, `t.co`, `3.5`), and
    with a `@` or `#` before them; every other character is a token of its own, an emoji with its
    modifiers. `characters` makes every character one, with the marks that belong to it.

    Args:
        text: Any text.
        tokenizer: By which rule.

    Returns:
        The first character of each token and the one after its last, `(tokens, 2)`.

    Raises:
        DataError: If there is no such tokenizer.

    Example:
        >>> text = "Don't go, @ana!"
        >>> [text[a:b] for a, b in tokenize(text)]
        ["Don't", 'go', ',', '@ana', '!']
    """
    if tokenizer not in get_args(Tokenizer):
        known = " or ".join(map(repr, get_args(Tokenizer)))
        raise DataError(f"tokenizer: expected {known}, got {tokenizer!r}")
    kinds = kinds_of(codes_of(text))
    filled = kinds != Kind.SPACE
    joined = joins(np, kinds[None], tokenizer)[0] & filled
    starts = np.flatnonzero(filled & ~joined)
    ends = np.flatnonzero(filled & ~np.append(joined[1:], False)) + 1
    return np.stack([starts, ends], axis=1)


def split(text: str, tokenizer: Tokenizer = "words") -> list[str]:
    """The tokens of a text.

    Example:
        >>> split("我们 12点", "characters")
        ['我', '们', '1', '2', '点']
    """
    return [text[start:end] for start, end in tokenize(text, tokenizer)]


def joins(numpy: Any, kinds: Any, tokenizer: Tokenizer) -> Any:
    """Whether each character belongs to the token of the one before it.

    Args:
        numpy: NumPy, or TensorFlow's module of the same functions.
        kinds: The `Kind` of each character, `(batch, characters)`.
        tokenizer: By which rule.
    """

    def among(array: Any, members: Sequence[Kind]) -> Any:
        found = array == int(members[0])
        for member in members[1:]:
            found = found | (array == int(member))
        return found

    edge = numpy.zeros_like(kinds[:, :1])  # beyond either end there is a space
    before = numpy.concatenate([edge, kinds[:, :-1]], axis=1)
    after = numpy.concatenate([kinds[:, 1:], edge], axis=1)
    attached = among(kinds, (Kind.MARK, Kind.MODIFIER, Kind.GLUE)) | (before == int(Kind.GLUE))
    attached = attached & (before != int(Kind.SPACE))
    attached = attached | ((kinds == int(Kind.FLAG)) & (before == int(Kind.FLAG)))
    if tokenizer == "characters":
        return attached
    word, word_before, word_after = (among(each, _WORD) for each in (kinds, before, after))
    digits = (before == int(Kind.DIGIT)) & (after == int(Kind.DIGIT))
    inside = among(kinds, (Kind.LINK, Kind.SIGIL)) & word_before & word_after
    inside = inside | ((kinds == int(Kind.SEPARATOR)) & digits)
    inside_before = numpy.concatenate([inside[:, :1] & False, inside[:, :-1]], axis=1)
    goes_on = word & (word_before | inside_before | (before == int(Kind.SIGIL)))
    return attached | inside | goes_on
