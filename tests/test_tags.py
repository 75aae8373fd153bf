"""Tag schemes: reading, writing, mending, and the moves that a valid tagging makes."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest

from kseq.errors import DataError
from kseq.tags import (
    Span,
    begins,
    continues,
    convert,
    forbidden,
    repair,
    scheme_of,
    spans,
    tags_of,
)

BIO = ["O", "B-x", "I-x", "B-y", "I-y"]
BIOES = [*BIO, "E-x", "E-y", "S-x", "S-y"]


def every_tagging(names: list[str], longest: int) -> list[tuple[str, ...]]:
    return [tags for steps in range(longest + 1) for tags in product(names, repeat=steps)]


# --- names ---


@pytest.mark.parametrize(
    ("tags", "scheme"),
    [
        (["O", "B-x", "I-x"], "bio"),
        (["I-x", "O"], "bio"),
        (["B-creative-work"], "bio"),
        (["O", "S-x"], "bioes"),
        (["B-x", "E-x"], "bioes"),
        (["O"], None),
        ([], None),
        (["NOUN", "VERB", "O"], None),
        (["B-x", "NOUN"], None),
        (["B", "I", "O"], None),
        (["B-"], None),
        (["o", "b-x"], None),
        (["L-x", "U-x"], None),
    ],
)
def test_scheme_of(tags: list[str], scheme: str | None) -> None:
    assert scheme_of(tags) == scheme
    assert scheme_of(iter(tags)) == scheme


def test_a_type_may_hold_a_hyphen() -> None:
    assert spans(["B-creative-work", "I-creative-work"]) == [Span(0, 2, "creative-work")]


# --- reading ---


@pytest.mark.parametrize(
    ("tags", "lenient", "strict"),
    [
        ("", [], []),
        ("O O", [], []),
        ("B-x I-x O B-x", [(0, 2, "x"), (3, 4, "x")], [(0, 2, "x"), (3, 4, "x")]),
        ("B-x B-x I-x", [(0, 1, "x"), (1, 3, "x")], [(0, 1, "x"), (1, 3, "x")]),
        ("O I-x I-x", [(1, 3, "x")], []),
        ("B-x I-y I-y", [(0, 1, "x"), (1, 3, "y")], [(0, 1, "x")]),
        ("B-x I-y I-x", [(0, 1, "x"), (1, 2, "y"), (2, 3, "x")], [(0, 1, "x")]),
        ("B-x I-x E-x S-y", [(0, 3, "x"), (3, 4, "y")], [(0, 3, "x"), (3, 4, "y")]),
        ("S-x S-x", [(0, 1, "x"), (1, 2, "x")], [(0, 1, "x"), (1, 2, "x")]),
        ("B-x I-x S-y", [(0, 2, "x"), (2, 3, "y")], [(2, 3, "y")]),
        ("B-x E-x I-x", [(0, 2, "x"), (2, 3, "x")], [(0, 2, "x")]),
        ("E-x E-x", [(0, 1, "x"), (1, 2, "x")], []),
        ("B-x E-y", [(0, 1, "x"), (1, 2, "y")], []),
        ("B-x B-x E-x", [(0, 1, "x"), (1, 3, "x")], [(1, 3, "x")]),
    ],
)
def test_readings(tags: str, lenient: list[Span], strict: list[Span]) -> None:
    assert spans(tags.split()) == lenient
    assert spans(tags.split(), reading="strict") == strict


def test_the_strict_reading_of_a_tagging_depends_on_the_scheme() -> None:
    tags = ["B-x", "I-x", "O"]
    assert spans(tags, reading="strict") == [Span(0, 2, "x")]
    assert spans(tags, reading="strict", scheme="bioes") == []
    assert spans(tags, scheme="bioes") == [Span(0, 2, "x")]


def test_spans_refuses_other_tags() -> None:
    with pytest.raises(DataError, match=r"tag 'NOUN' of token 1: expected O or one of B-\.\.\., I"):
        spans(["O", "NOUN"])
    with pytest.raises(DataError, match=r"tag 'S-x' of token 0: expected O or one of B.*I-\.\.\.$"):
        spans(["S-x"], scheme="bio")
    with pytest.raises(DataError, match=r"expected a reading of .*'strict'.*, got 'lenient'"):
        spans(["O"], reading="lenient")
    with pytest.raises(DataError, match=r"expected a tag scheme of .*, got 'iob2'"):
        spans(["O"], scheme="iob2")


# --- writing ---


@pytest.mark.parametrize("scheme", ["bio", "bioes"])
def test_what_is_written_reads_back(scheme: str) -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        cuts = np.unique(rng.integers(0, 12, 6)).tolist()
        found = [
            Span(a, b, str(rng.choice(["x", "y"]))) for a, b in pairwise(cuts) if rng.random() < 0.7
        ]
        tags = tags_of(reversed(found), 12, scheme=scheme)
        assert len(tags) == 12
        assert spans(tags) == spans(tags, reading="strict", scheme=scheme) == found
        assert repair(tags, scheme=scheme) == (tags, 0)


@pytest.mark.parametrize(
    "found", [[(0, 0, "x")], [(2, 4, "x")], [(-1, 1, "x")], [(0, 2, "x"), (1, 3, "y")]]
)
def test_spans_that_cannot_be_written(found: list[tuple[int, int, str]]) -> None:
    with pytest.raises(DataError, match=r"span \(.*\) is empty, overlaps .* outside of 3 tokens"):
        tags_of([Span(*each) for each in found], 3, scheme="bio")


def test_iob1() -> None:
    iob1 = ["I-x", "I-x", "B-x", "I-x", "O", "I-y", "I-x"]
    assert " ".join(convert(iob1, source="iob1", target="bio")) == "B-x I-x B-x I-x O B-y B-x"
    assert " ".join(convert(iob1, source="iob1", target="bioes")) == "B-x E-x B-x E-x O S-y S-x"


def test_bio_and_bioes_there_and_back() -> None:
    bio = ["B-x", "I-x", "I-x", "B-x", "O", "B-y"]
    bioes = ["B-x", "I-x", "E-x", "S-x", "O", "S-y"]
    assert convert(bio, source="bio", target="bioes") == bioes
    assert convert(bioes, source="bioes", target="bio") == bio
    assert convert(bio, source="bio", target="bio") == bio


def test_convert_refuses_a_tag_of_another_scheme() -> None:
    with pytest.raises(DataError, match="tag 'E-x' of token 1"):
        convert(["B-x", "E-x"], source="bio", target="bioes")


def test_repair_by_hand() -> None:
    assert repair(["I-x", "I-x", "O", "I-y"], scheme="bio") == (["B-x", "I-x", "O", "B-y"], 2)
    assert repair(["B-x", "I-x", "O", "E-y"], scheme="bioes") == (["B-x", "E-x", "O", "S-y"], 2)
    assert repair([], scheme="bio") == ([], 0)


@pytest.mark.parametrize(("names", "scheme"), [(BIO, "bio"), (BIOES, "bioes")])
def test_repair_keeps_the_spans_and_is_valid(names: list[str], scheme: str) -> None:
    limits = forbidden(names, scheme)
    for tags in every_tagging(names, 3):
        mended, changed = repair(tags, scheme=scheme)
        assert is_valid(mended, names, limits)
        assert spans(mended, reading="strict", scheme=scheme) == spans(tags)
        assert (changed == 0) == is_valid(tags, names, limits)


# --- moves ---


def is_valid(tags, names, limits) -> bool:
    codes = [names.index(tag) for tag in tags]
    if not codes:
        return True
    moves = pairwise(codes)
    return not (
        limits.start[codes[0]]
        or limits.end[codes[-1]]
        or any(limits.transitions[move] for move in moves)
    )


@pytest.mark.parametrize(("names", "scheme"), [(BIO, "bio"), (BIOES, "bioes")])
def test_what_is_not_forbidden_is_what_spans_can_be_written_as(
    names: list[str], scheme: str
) -> None:
    limits = forbidden(names, scheme)
    for tags in every_tagging(names, 4 if scheme == "bio" else 3):
        found = spans(tags, reading="strict", scheme=scheme)
        written = tags_of(found, len(tags), scheme=scheme) == list(tags)
        assert is_valid(tags, names, limits) == written


def test_forbidden_by_hand() -> None:
    start, transitions, end = forbidden(["O", "B-x", "I-x", "B-y"], "bio")
    assert start.tolist() == [False, False, True, False]
    assert transitions[:, 2].tolist() == [True, False, False, True]
    assert not transitions[:, [0, 1, 3]].any()
    assert not end.any()
    assert {start.dtype, transitions.dtype, end.dtype} == {np.dtype(bool)}


def test_plain_tags_forbid_nothing() -> None:
    names = ["NOUN", "VERB", "O"]
    for scheme in (None, scheme_of(names)):
        start, transitions, end = forbidden(names, scheme)
        assert not (start.any())
        assert not (transitions.any())
        assert not (end.any())
        assert (start.shape, transitions.shape, end.shape) == ((3,), (3, 3), (3,))
    assert not continues(names).any()
    assert not begins(names).any()


def test_forbidden_refuses_a_name_of_another_scheme() -> None:
    with pytest.raises(DataError, match="tag 'NOUN' of token 1"):
        forbidden(["O", "NOUN"], "bio")
    with pytest.raises(DataError, match="tag 'S-x' of token 0"):
        forbidden(["S-x"], "bio")


def test_continues_and_begins() -> None:
    table = continues(BIOES)
    moves = {(BIOES[i], BIOES[j]) for i, j in np.argwhere(table)}
    assert moves == {
        (f"{a}-{kind}", f"{b}-{kind}") for a in "BI" for b in "IE" for kind in ("x", "y")
    }
    assert [BIOES[i] for i in np.flatnonzero(begins(BIOES))] == ["B-x", "B-y", "S-x", "S-y"]
    assert continues([]).shape == (0, 0)
    assert begins([]).shape == (0,)


@pytest.mark.parametrize(("names", "scheme"), [(BIO, "bio"), (BIOES, "bioes")])
def test_in_a_valid_tagging_continues_tells_the_spans(names: list[str], scheme: str) -> None:
    limits, goes_on = forbidden(names, scheme), continues(names)
    for tags in every_tagging(names, 3):
        if is_valid(tags, names, limits):
            codes = [names.index(tag) for tag in tags]
            inside = {step for span in spans(tags) for step in range(span.start + 1, span.end)}
            assert {i + 1 for i, move in enumerate(pairwise(codes)) if goes_on[move]} == inside
