"""Tag schemes: spans of tokens written as one tag per token, and what may follow what.

A span scheme writes a span's type behind a prefix, `B-person`; `O` stands outside all spans.

- BIO (IOB2): `B-` begins a span, `I-` goes on with it.
- BIOES: a span of one token is `S-`; a longer one begins with `B-` and ends with `E-`.
- IOB1: as BIO, but `B-` only where a span touches one of its own type before it. Its names look
  like BIO's; `convert` turns it into one of the others.

All other tags, such as parts of speech, are plain: each stands for itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple, get_args

import numpy as np

from kseq.errors import DataError, shown

Scheme = Literal["bio", "bioes"]
Source = Literal["iob1", "bio", "bioes"]
Reading = Literal["conlleval", "strict"]

OUTSIDE = "O"
_PREFIXES = {"iob1": "BI", "bio": "BI", "bioes": "BIES"}


class Span(NamedTuple):
    """Tokens that belong together.

    Args:
        start: The first token, from 0.
        end: The token after the last one.
        label: The type.
    """

    start: int
    end: int
    label: str


class Forbidden(NamedTuple):
    """What no valid tagging holds; True is forbidden.

    Args:
        start: `(tags,)`, tags that cannot come first.
        transitions: `(tags, tags)`, from the row's tag to the column's.
        end: `(tags,)`, tags that cannot come last.
    """

    start: np.ndarray
    transitions: np.ndarray
    end: np.ndarray


@lru_cache(maxsize=4096)
def parse(tag: str) -> tuple[str, str]:
    """Prefix and type of a tag; the prefix is `O` outside spans and empty for a plain tag.

    Args:
        tag: Its name.

    Example:
        >>> parse("B-creative-work"), parse("O"), parse("NOUN")
        (('B', 'creative-work'), ('O', ''), ('', 'NOUN'))
    """
    if tag == OUTSIDE:
        return OUTSIDE, ""
    if len(tag) > 2 and tag[1] == "-" and tag[0] in "BIES":
        return tag[0], tag[2:]
    return "", tag


def scheme_of(tags: Iterable[str]) -> Scheme | None:
    """The span scheme that a set of tag names belongs to; None for plain tags.

    A span scheme's names are all `O` or a prefix, a hyphen and a type, and one at least has a
    prefix; `E-` or `S-` make it BIOES. IOB1 has the names of BIO.

    Args:
        tags: Names of tags, in any order, repeats allowed.

    Example:
        >>> scheme_of(["O", "B-person", "I-person"]), scheme_of(["O", "S-person"])
        ('bio', 'bioes')
        >>> scheme_of(["NOUN", "VERB"]) is None, scheme_of(["O"]) is None
        (True, True)
    """
    prefixes = {parse(tag)[0] for tag in set(tags)}
    if "" in prefixes or prefixes <= {OUTSIDE}:
        return None
    return "bioes" if prefixes & {"E", "S"} else "bio"


def spans(
    tags: Sequence[str], *, reading: Reading = "conlleval", scheme: Scheme | None = None
) -> list[Span]:
    """The spans that a tagging stands for, from left to right.

    Valid taggings read the same either way. They differ in what a model may also give:

    - `conlleval`, as the script of the CoNLL shared tasks reads: an `I-` (or `E-`) after `O`, after
      a span's end or after another type begins a span, and a span that breaks off has ended there.
    - `strict`: a span begins with `B-` (or `S-`) alone, and in BIOES it ends with `E-` (or `S-`)
      alone; whatever else stands there is no span.

    Args:
        tags: One tag per token.
        reading: What to make of taggings that the scheme does not have.
        scheme: The scheme; where it is not given, it is BIOES if these tags hold an `E-` or `S-`
            and BIO if not. The strict reading of a BIOES tagging needs it: `B-x O` has no end in
            BIOES and is a span in BIO.

    Raises:
        DataError: If a tag is not of a span scheme, or not of the given one.

    Reference:
        Tjong Kim Sang, De Meulder (2003), Introduction to the CoNLL-2003 shared task. Ramshaw,
        Marcus (1995), Text chunking using transformation-based learning.

    Example:
        >>> spans(["B-person", "I-person", "O", "I-place"])
        [Span(start=0, end=2, label='person'), Span(start=3, end=4, label='place')]
        >>> spans(["B-person", "I-person", "O", "I-place"], reading="strict")
        [Span(start=0, end=2, label='person')]
    """
    parts = _parts(tags, scheme or "bioes")
    if reading not in get_args(Reading):
        raise DataError(f"expected a reading of {get_args(Reading)}, got {shown(reading)}")
    found = []
    start, label = -1, ""  # the open span; -1: none
    for place, (prefix, kind) in enumerate(parts):
        if start >= 0 and (prefix not in "IE" or kind != label):
            found.append(Span(start, place, label))
            start = -1
        if start < 0 and prefix != OUTSIDE:
            start, label = place, kind
        if prefix in "ES":
            found.append(Span(start, place + 1, label))
            start = -1
    if start >= 0:
        found.append(Span(start, len(parts), label))
    if reading == "conlleval":
        return found
    # What conlleval reads and strict does not are whole spans: those without a proper first or
    # last tag.
    whole = scheme == "bioes" or (scheme is None and any(prefix in "ES" for prefix, _ in parts))
    return [
        span
        for span in found
        if parts[span.start][0] in "BS" and (not whole or parts[span.end - 1][0] in "ES")
    ]


def tags_of(found: Iterable[Span], steps: int, *, scheme: Scheme) -> list[str]:
    """The tagging that stands for these spans.

    Args:
        found: Spans that don't overlap, in any order.
        steps: How many tokens there are.
        scheme: The scheme to write.

    Raises:
        DataError: If a span is empty, ends after the last token or overlaps another.

    Example:
        >>> tags_of([Span(0, 2, "person"), Span(3, 4, "place")], 4, scheme="bioes")
        ['B-person', 'E-person', 'O', 'S-place']
    """
    tags = [OUTSIDE] * steps
    until = 0
    for start, end, label in sorted(found):
        if not until <= start < end <= steps:
            raise DataError(
                f"span ({start}, {end}, {label!r}) is empty, overlaps the one before it or lies "
                f"outside of {steps} tokens"
            )
        until = end
        tags[start:end] = [f"I-{label}"] * (end - start)
        tags[start] = f"B-{label}"
        if scheme == "bioes":
            tags[end - 1] = f"E-{label}" if end - start > 1 else f"S-{label}"
    return tags


def convert(tags: Sequence[str], *, source: Source, target: Scheme) -> list[str]:
    """The same spans in another scheme.

    A tagging that `source` does not have is read as conlleval reads it; see `spans`.

    Args:
        tags: One tag per token.
        source: The scheme they are in.
        target: The scheme to write.

    Raises:
        DataError: If a tag is not of the scheme.

    Example:
        >>> convert(["I-person", "I-person", "B-person"], source="iob1", target="bioes")
        ['B-person', 'E-person', 'S-person']
    """
    _parts(tags, source)
    return tags_of(spans(tags), len(tags), scheme=target)


def repair(tags: Sequence[str], *, scheme: Scheme) -> tuple[list[str], int]:
    """The valid tagging with the spans that conlleval reads, and how many tags it changes.

    There is one such tagging alone: a stray `I-x` becomes `B-x`; in BIOES, a last `I-x` becomes
    `E-x` and a `B-x` alone `S-x`. A valid tagging comes back as it is, with 0 changes.

    Args:
        tags: One tag per token.
        scheme: The scheme they should be valid in.

    Raises:
        DataError: If a tag is not of the scheme.

    Example:
        >>> repair(["O", "I-person", "I-place"], scheme="bio")
        (['O', 'B-person', 'B-place'], 2)
    """
    mended = convert(tags, source=scheme, target=scheme)
    return mended, sum(old != new for old, new in zip(tags, mended, strict=True))


def forbidden(names: Sequence[str], scheme: Scheme | None) -> Forbidden:
    """What a valid tagging of the scheme cannot hold.

    BIO: `I-x` only after `B-x` or `I-x`. BIOES: `B-x` and `I-x` only before `I-x` or `E-x`, and
    these nowhere else.

    Args:
        names: The tags in the order of their codes.
        scheme: Their scheme, as `scheme_of` gives it; None (plain tags) forbids nothing.

    Raises:
        DataError: If a name is not of the scheme.

    Example:
        >>> start, transitions, end = forbidden(["O", "B-x", "I-x"], "bio")
        >>> start.tolist(), transitions[0].tolist(), end.any().item()
        ([False, False, True], [False, False, True], False)
    """
    count = len(names)
    if scheme is None:
        none = np.zeros(count, dtype=bool)
        return Forbidden(none, np.zeros((count, count), dtype=bool), none.copy())
    parts = _parts(names, scheme)
    inner = np.array([prefix in "IE" for prefix, _ in parts], dtype=bool)
    unfinished = np.array([prefix in "BI" for prefix, _ in parts], dtype=bool)
    if scheme == "bio":  # a span may end after any of its tokens
        unfinished[:] = False
    crossing = unfinished[:, None] | inner
    return Forbidden(inner, crossing & ~continues(names), unfinished)


def continues(names: Sequence[str]) -> np.ndarray:
    """Whether a tag goes on with the span that another tag is in, `(tags, tags)` [from, to].

    `B-x` and `I-x` go on with `I-x` or `E-x` of the same type; nothing goes on after `O`, `E-`,
    `S-` or a plain tag.

    Args:
        names: The tags in the order of their codes.

    Example:
        >>> continues(["O", "B-x", "I-x"]).tolist()
        [[False, False, False], [False, False, True], [False, False, True]]
    """
    parts = [parse(name) for name in names]
    table = [
        [a in ("B", "I") and b in ("I", "E") and kind == other for b, other in parts]
        for a, kind in parts
    ]
    return np.array(table, dtype=bool).reshape(len(names), len(names))


def begins(names: Sequence[str]) -> np.ndarray:
    """Whether a tag begins a span whatever comes before it (`B-`, `S-`), `(tags,)`.

    Args:
        names: The tags in the order of their codes.

    Example:
        >>> begins(["O", "B-x", "I-x", "E-x", "S-x"]).tolist()
        [False, True, False, False, True]
    """
    return np.array([parse(name)[0] in ("B", "S") for name in names], dtype=bool)


def _parts(tags: Sequence[str], scheme: Source) -> list[tuple[str, str]]:
    """Prefix and type of each tag, all of the scheme."""
    parts = [parse(tag) for tag in tags]
    if scheme not in _PREFIXES:
        raise DataError(f"expected a tag scheme of {sorted(_PREFIXES)}, got {shown(scheme)}")
    known = _PREFIXES[scheme]
    strange = {prefix for prefix, _ in parts}.difference(known, OUTSIDE)
    if strange:
        place = next(place for place, (prefix, _) in enumerate(parts) if prefix in strange)
        expected = ", ".join(f"{prefix}-..." for prefix in known)
        raise DataError(
            f"tag {shown(tags[place])} of token {place}: expected O or one of {expected}"
        )
    return parts
