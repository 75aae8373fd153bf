from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kseq.data.spans import Marked, parse, tagged_tokens
from kseq.errors import DataError
from kseq.tags import spans

TEXT = "fly to New York."


def test_spans_are_lists_or_objects_in_any_order():
    found = parse("x", [[7, 15, "city"], {"start": 0, "end": 3, "label": "verb", "id": 1}], TEXT)
    assert found == [Marked(0, 3, "verb"), Marked(7, 15, "city")]
    assert parse("x", [], TEXT) == []


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"start": 0}, r"expected a list of spans, got \{'start': 0\}"),
        (None, "expected a list of spans, got None"),
        ([[0, 3]], r"expected a span as \[start, end, label\], .* got \[0, 3\]"),
        ([[0, 3, ""]], "expected a span as"),
        ([[0, 3, None]], "expected a span as"),
        ([[0.0, 3, "a"]], "expected a span as"),
        ([[False, True, "a"]], "expected a span as"),
        ([["0", "3", "a"]], "expected a span as"),
        ([{"start": 0, "stop": 3, "label": "a"}], "expected a span as"),
        (["a"], "expected a span as"),
        ([[3, 3, "a"]], r"the span \[3, 3, a\] is empty; expected 0 <= start < end <= 16"),
        ([[5, 3, "a"]], r"the span \[5, 3, a\] is not in the text"),
        ([[-1, 3, "a"]], r"the span \[-1, 3, a\] is not in the text"),
        ([[7, 17, "a"]], r"the span \[7, 17, a\] is not in the text"),
        ([[7, 15, "b"], [0, 8, "a"]], r"the spans \[0, 8, a\] and \[7, 15, b\] overlap"),
        ([[0, 3, "a"], [0, 3, "a"]], r"the spans \[0, 3, a\] and \[0, 3, a\] overlap"),
    ],
    ids=range(16),
)
def test_what_is_no_list_of_spans_is_an_error(value, message):
    with pytest.raises(DataError, match=f"^a.jsonl, line 3: {message}"):
        parse("a.jsonl, line 3", value, TEXT)


def tag(text: str, *marked: tuple[int, int, str], tokenizer="words", scheme="bio"):
    found = [Marked(*each) for each in marked]
    return tagged_tokens("x", text, found, tokenizer=tokenizer, scheme=scheme)


def test_tokens_within_a_span_have_its_tags():
    assert tag(TEXT, (7, 15, "city")) == (
        ["fly", "to", "New", "York", "."],
        ["O", "O", "B-city", "I-city", "O"],
    )
    assert tag(TEXT, (7, 15, "city"), scheme="bioes")[1][2:] == ["B-city", "E-city", "O"]
    assert tag(" 去北京 ", (2, 4, "city"), tokenizer="characters") == (
        ["去", "北", "京"],
        ["O", "B-city", "I-city"],
    )
    assert tag("") == ([], [])


def test_a_span_that_ends_inside_a_token_divides_it():
    assert tag("tobymac's songs", (0, 7, "artist"), (10, 14, "kind")) == (
        ["tobymac", "'s", "song", "s"],
        ["B-artist", "O", "B-kind", "O"],
    )
    assert tag("abcdef", (1, 2, "x"), (2, 4, "x")) == (
        ["a", "b", "cd", "ef"],
        ["O", "B-x", "B-x", "O"],
    )


def test_blanks_at_the_ends_of_a_span_do_no_harm():
    assert tag(TEXT, (6, 11, "x"))[1] == ["O", "O", "B-x", "O", "O"]
    with pytest.raises(DataError, match=r"x: the span \[6, 7, a\] holds no token, only ' '"):
        tag(TEXT, (6, 7, "a"))


@given(
    text=st.text("ab '.1中 ", max_size=12),
    edges=st.lists(st.integers(0, 12), max_size=6, unique=True),
    tokenizer=st.sampled_from(["words", "characters"]),
    scheme=st.sampled_from(["bio", "bioes"]),
)
def test_spans_come_back(text, edges, tokenizer, scheme):
    edges = sorted(edge for edge in edges if edge <= len(text))
    marked = [
        (start, end, f"x{start}")
        for start, end in zip(edges[::2], edges[1::2], strict=False)
        if text[start:end].strip()
    ]
    tokens, tags = tag(text, *marked, tokenizer=tokenizer, scheme=scheme)
    assert "".join(tokens) == "".join(text.split())
    found = spans(tags, reading="strict", scheme=scheme)
    assert ["".join(tokens[each.start : each.end]) for each in found] == [
        "".join(text[start:end].split()) for start, end, _ in marked
    ]
    assert [each.label for each in found] == [label for _, _, label in marked]
