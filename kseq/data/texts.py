"""Text as users have it - strings, or lists of tokens - in one checked form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from kseq.data.tokenizers import Tokenizer, tokenize
from kseq.errors import DataError, shown


@dataclass(frozen=True)
class Texts:
    """Checked texts.

    Args:
        tokens: The tokens of each text.
        raw: The texts themselves, where they came as strings.
        offsets: Where each text's tokens stand in it, `(tokens, 2)`, where they came as strings.
    """

    tokens: list[list[str]]
    raw: list[str] | None = None
    offsets: list[np.ndarray] | None = None

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each text, `(n,)`."""
        return np.array([len(each) for each in self.tokens], np.int64)

    def take(self, rows: np.ndarray) -> Texts:
        """The texts at `rows`."""
        return Texts(*(each and [each[row] for row in rows] for each in self._fields()))

    def _fields(self) -> tuple[Any, ...]:
        return self.tokens, self.raw, self.offsets


def is_text(X: Any) -> bool:
    """Whether X looks like strings or token lists, and not like numbers.

    An iterator is not looked into: that would use it up.

    Example:
        >>> is_text(["play it again"]), is_text([["play", "it"], []]), is_text([[1.0, 2.0]])
        (True, True, False)
    """
    if not _is_collection(X) or isinstance(X, Iterator):
        return False
    for item in X:
        if not _is_token_list(item):
            return isinstance(item, str)
        if len(item):
            return isinstance(item[0], str)
    return False


def as_texts(X: Any, tokenizer: Tokenizer, name: str = "X") -> Texts:
    """Checks texts and splits those that are strings into tokens.

    Args:
        X: Strings, or lists of tokens; a list, an array or a pandas Series of them.
        tokenizer: How strings are split.
        name: What to call the data in messages.

    Raises:
        DataError: If X is empty, or an item is something else.

    Example:
        >>> as_texts(["Play it again!"], "words").tokens
        [['Play', 'it', 'again', '!']]
    """
    if isinstance(X, str):
        raise DataError(f"{name}: expected a list of texts, got one string; pass [{name}]")
    if not _is_collection(X):
        raise DataError(
            f"{name}: expected a list of strings or of token lists, got {type(X).__name__}"
        )
    items = list(X)
    if not items:
        raise DataError(f"{name}: is empty; at least one text is needed")
    strings = isinstance(items[0], str)
    for row, item in enumerate(items):
        if not (isinstance(item, str) if strings else _is_token_list(item)):
            expected = "a string" if strings else "a list of tokens"
            raise DataError(
                f"{name}: text {row}: expected {expected}, got {shown(item)}; all texts are "
                "strings, or all are lists of tokens"
            )
    if strings:
        raw = [_whole(item) for item in items]
        offsets = [tokenize(text, tokenizer) for text in raw]
        tokens = [
            [text[start:end] for start, end in places.tolist()]
            for text, places in zip(raw, offsets, strict=True)
        ]
        return Texts(tokens, raw, offsets)
    tokens = []
    for row, item in enumerate(items):
        for place, token in enumerate(item):
            if not isinstance(token, str):
                raise DataError(
                    f"{name}: text {row}, token {place}: expected a string, got {shown(token)}"
                )
            if not token:
                raise DataError(f"{name}: text {row}, token {place}: is empty")
        tokens.append([_whole(token) for token in item])
    return Texts(tokens)


def _is_collection(X: Any) -> bool:
    if isinstance(X, (str, bytes, Mapping)) or not isinstance(X, Iterable):
        return False
    return bool(getattr(X, "ndim", 1) == 1)


def _is_token_list(item: Any) -> bool:
    return isinstance(item, (list, tuple)) or (isinstance(item, np.ndarray) and item.ndim == 1)


def _whole(text: str) -> str:
    """The text without halves of surrogate pairs, which are no characters and cannot be served."""
    if text.isascii():
        return str(text)
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
