"""Tagged tokens as files hold them, brought into one valid tag scheme."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain
from typing import Literal, cast

from kseq import tags as schemes
from kseq.data.dataset import Part, Tags
from kseq.data.tokenizers import split
from kseq.errors import DataError, RecipeError, shown

Written = Literal["auto", "iob1", "bio", "bioes", "plain"]
Wanted = Literal["bio", "bioes"]

# The schemes that a tag's own name can belong to, by the scheme of the file.
_NAMED = {"iob1": ("bio",), "bio": ("bio",), "bioes": ("bio", "bioes")}
_PREFIXES = {"iob1": "B-, I-", "bio": "B-, I-", "bioes": "B-, I-, E-, S-"}


@dataclass
class Tagged:
    """The sentences of one file.

    Args:
        name: The file's name, for messages.
        tokens: The tokens of each sentence.
        tags: As many tags; of a file without, whatever the reader puts there.
        lines: The line of each token.
    """

    name: str
    tokens: list[list[str]] = field(default_factory=list)
    tags: Tags = field(default_factory=list)
    lines: list[list[int]] = field(default_factory=list)

    def add(self, tokens: list[str], tags: list[str], lines: list[int]) -> None:
        """Takes a sentence."""
        self.tokens.append(tokens)
        self.tags.append(tags)
        self.lines.append(lines)

    def place(self, sentence: int, token: int) -> str:
        """Where a token stands, for messages."""
        return f"{self.name}, line {self.lines[sentence][token]}"


def in_scheme(
    parts: Mapping[str, Tagged], *, scheme: Written, to: Wanted | None, strict: bool
) -> dict[str, Tags]:
    """The tags of each part, all valid in one scheme.

    Args:
        parts: The sentences by part.
        scheme: The scheme that the files are written in; `auto` finds it out from all parts.
        to: The scheme to write; None keeps BIO and BIOES as they are and makes BIO of IOB1.
        strict: Whether a tag that cannot stand where it does is an error. Otherwise it is read as
            conlleval reads it, with one warning for all.

    Raises:
        DataError: If a tag is none of the scheme, or, with `strict`, cannot stand where it does;
            the message names file and line.
        RecipeError: If plain tags are to be converted.
    """
    found = _scheme_of(parts) if scheme == "auto" else scheme
    if found == "plain":
        if to is not None and scheme == "plain":
            raise RecipeError(f"data.to: plain tags cannot be written as {to}")
        if to is not None and (strange := _first(parts, {schemes.OUTSIDE})):
            raise DataError(
                f"{strange[0]}: tag {shown(strange[1])} is of no span scheme, so that data.to {to} "
                "cannot be written; expected O or a prefix and a type, such as B-place"
            )
        return {role: part.tags for role, part in parts.items()}
    _check_names(parts, found)
    if found == "iob1":
        return {
            role: [schemes.convert(t, source="iob1", target=to or "bio") for t in part.tags]
            for role, part in parts.items()
        }
    repaired = _repaired(parts, found, strict)
    if to is None or to == found:
        return repaired
    return {
        role: [schemes.convert(tags, source=found, target=to) for tags in taggings]
        for role, taggings in repaired.items()
    }


def by_character(part: Part) -> Part:
    """Every character as a token of its own, with the tags of the same spans.

    Args:
        part: Tokens, with tags that are valid in their scheme or none.

    Example:
        >>> part = by_character(Part(X=[["在", "北京"]], y=[["O", "B-place"]]))
        >>> part.X, part.y
        ([['在', '北', '京']], [['O', 'B-place', 'I-place']])
    """
    # A token of blanks has no character, and keeps its place.
    pieces = [[split(token, "characters") or [token] for token in tokens] for tokens in part.X]
    X = [list(chain.from_iterable(text)) for text in pieces]
    if part.y is None:
        return Part(X=X)
    taggings = cast(Tags, part.y)
    scheme = schemes.scheme_of({tag for tags in taggings for tag in tags})
    y = []
    for text, tags in zip(pieces, taggings, strict=True):
        if scheme is None:
            y.append([tag for token, tag in zip(text, tags, strict=True) for _ in token])
            continue
        edges = [0, *accumulate(map(len, text))]
        found = [
            schemes.Span(edges[start], edges[end], label)
            for start, end, label in schemes.spans(tags, scheme=scheme)
        ]
        y.append(schemes.tags_of(found, edges[-1], scheme=scheme))
    return Part(X=X, y=y)


def _scheme_of(parts: Mapping[str, Tagged]) -> Literal["iob1", "bio", "bioes", "plain"]:
    """The scheme that all parts together are written in."""
    names = {tag for part in parts.values() for tags in part.tags for tag in tags}
    found = schemes.scheme_of(names)
    if found is None:
        spans = {tag for tag in names if schemes.scheme_of([tag])}
        if not spans or schemes.OUTSIDE not in names:
            return "plain"
        # One misspelt tag must not turn entities into plain tags that anything may follow.
        strange = _first(parts, spans | {schemes.OUTSIDE})
        assert strange is not None
        raise DataError(
            f"{strange[0]}: tag {shown(strange[1])} is neither O nor a prefix and a type, such as "
            f"{min(spans)}; mend it, or set data.scheme to plain"
        )
    if found == "bio" and _is_iob1([tags for part in parts.values() for tags in part.tags]):
        return "iob1"
    return found


def _is_iob1(taggings: Sequence[Sequence[str]]) -> bool:
    """Whether spans open with `I-`, and with `B-` only where they touch one of their own type."""
    opened = False
    for tags in taggings:
        before = ""
        for tag in tags:
            touches = before == tag[2:]
            if tag.startswith("B-") and not touches:
                return False
            opened |= tag.startswith("I-") and not touches
            before = tag[2:]
    return opened


def _first(parts: Mapping[str, Tagged], known: set[str]) -> tuple[str, str] | None:
    """The first tag that is not among the known ones: its place and itself."""
    for part, sentence, token, tag in _each(parts):
        if tag not in known:
            return part.place(sentence, token), tag
    return None


def _each(parts: Mapping[str, Tagged]) -> Iterator[tuple[Tagged, int, int, str]]:
    for part in parts.values():
        for sentence, tags in enumerate(part.tags):
            for token, tag in enumerate(tags):
                yield part, sentence, token, tag


def _check_names(parts: Mapping[str, Tagged], scheme: str) -> None:
    names = {tag for part in parts.values() for tags in part.tags for tag in tags}
    known = {
        tag for tag in names if tag == schemes.OUTSIDE or schemes.scheme_of([tag]) in _NAMED[scheme]
    }
    if strange := _first(parts, known):
        raise DataError(
            f"{strange[0]}: tag {shown(strange[1])} is not of the scheme {scheme}; expected O or "
            f"one of {_PREFIXES[scheme]} with a type"
        )


def _repaired(parts: Mapping[str, Tagged], scheme: Wanted, strict: bool) -> dict[str, Tags]:
    repaired: dict[str, Tags] = {}
    count = 0
    first = ""
    for role, part in parts.items():
        repaired[role] = []
        for sentence, tags in enumerate(part.tags):
            mended, changes = schemes.repair(tags, scheme=scheme)
            repaired[role].append(mended)
            count += changes
            if changes and not first:
                token = next(i for i, tag in enumerate(tags) if tag != mended[i])
                first = f"{part.place(sentence, token)}: {tags[token]}, read as {mended[token]}"
                if strict:
                    raise DataError(
                        f"{part.place(sentence, token)}: {tags[token]} cannot stand here in "
                        f"{scheme}; {mended[token]} could. Mend it, or set data.strict to false to "
                        "have such tags repaired"
                    )
    if count:
        warnings.warn(
            f"tags that cannot stand where they do in {scheme}: {count}, read as conlleval reads "
            f"them. The first is {first}. data.strict makes them errors",
            stacklevel=4,
        )
    return repaired
