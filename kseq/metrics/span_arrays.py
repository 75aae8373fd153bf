"""The spans of many taggings at once, as arrays: `kseq.tags.spans` for whole data sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from kseq.tags import OUTSIDE, Reading, Scheme, begins, continues, parse


@dataclass(frozen=True, eq=False)
class SpanArrays:
    """The spans of all sequences; places count the tokens of all sequences one after the other.

    Args:
        codes: The tag of each token, `(tokens,)`.
        start: The first token of each span, ascending, `(spans,)`.
        end: The token after its last one.
        kind: Its type, as a place in `SpanReader.kinds`.
        invalid: How many tags cannot stand where they do: those that `kseq.tags.repair` changes.
    """

    codes: np.ndarray
    start: np.ndarray
    end: np.ndarray
    kind: np.ndarray
    invalid: int

    def found_in(self, other: SpanArrays) -> tuple[np.ndarray, np.ndarray]:
        """Whether each span here is there too: with the same ends, and of the same type as well."""
        end = np.zeros(len(other.codes), dtype=np.intp)
        kind = np.zeros_like(end)
        end[other.start], kind[other.start] = other.end, other.kind
        edges = end[self.start] == self.end
        return edges, edges & (kind[self.start] == self.kind)


class SpanReader:
    """Reads taggings of the same sequences.

    Args:
        names: All tags that occur.
        lengths: How many tokens each sequence has.
        scheme: The scheme of the tags; None for plain tags, each a span of one token.
        reading: What to make of taggings that the scheme does not have.

    Example:
        >>> reader = SpanReader(["B-x", "I-x", "O"], [3, 1], scheme="bio", reading="conlleval")
        >>> found = reader.read([["B-x", "I-x", "O"], ["I-x"]])
        >>> found.start.tolist(), found.end.tolist(), found.invalid
        ([0, 3], [2, 4], 1)
    """

    def __init__(
        self,
        names: Sequence[str],
        lengths: Sequence[int],
        *,
        scheme: Scheme | None,
        reading: Reading,
    ) -> None:
        self._scheme, self._reading = scheme, reading
        self._code = {name: code for code, name in enumerate(names)}
        sizes = np.asarray(lengths, dtype=np.intp)
        self.sequence = np.repeat(np.arange(len(sizes)), sizes)  # of each token
        self._first = (np.cumsum(sizes) - sizes)[sizes > 0]  # token of each sequence

        parts = [parse(name) if scheme else ("", name) for name in names]
        self.kinds = sorted({kind for prefix, kind in parts if prefix != OUTSIDE})
        place = {kind: number for number, kind in enumerate(self.kinds)}
        self._kind = np.array([place.get(kind, -1) for _, kind in parts], dtype=np.intp)
        self._inside = np.array([prefix != OUTSIDE for prefix, _ in parts], dtype=bool)
        self._closes = np.array([prefix in ("E", "S") for prefix, _ in parts], dtype=bool)
        self._begins, self._continues = begins(names), continues(names)

    def read(self, tagging: Sequence[Sequence[str]]) -> SpanArrays:
        """The spans of a tagging, a list of tags for each sequence."""
        tokens = len(self.sequence)
        tags = chain.from_iterable(tagging)
        codes = np.fromiter(map(self._code.__getitem__, tags), dtype=np.intp, count=tokens)
        if self._scheme is None:
            every = np.arange(tokens)
            return SpanArrays(codes, every, every + 1, self._kind[codes], 0)

        # Whether a token goes on with a span is settled by its tag and the one before it.
        goes_on = np.zeros(tokens + 1, dtype=bool)
        goes_on[1:-1] = self._continues[codes[:-1], codes[1:]]
        goes_on[self._first] = False
        inside = self._inside[codes]
        start = np.flatnonzero(inside & ~goes_on[:-1])
        end = np.flatnonzero(inside & ~goes_on[1:]) + 1

        opened, closed = self._begins[codes[start]], self._closes[codes[end - 1]]
        if self._scheme == "bio":
            closed = np.ones_like(opened)  # a span may end after any of its tokens
        # In a span of one token, the tag that should open and close it is one and the same.
        invalid = np.where(end - start == 1, ~(opened & closed), 0 + ~opened + ~closed)
        kind = self._kind[codes[start]]
        if self._reading == "strict":
            whole = opened & closed
            start, end, kind = start[whole], end[whole], kind[whole]
        return SpanArrays(codes, start, end, kind, int(invalid.sum()))
