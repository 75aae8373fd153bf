"""Text in the forms that users have it in, and what is no text."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from kseq.data.texts import Texts, as_texts, is_text
from kseq.errors import DataError

RAW = ["Play it again!", "", "e\u0301 🙂🙂"]
TOKENS = [["Play", "it", "again", "!"], [], ["e\u0301", "🙂", "🙂"]]


class Mine(str):
    """A string of another type."""


@pytest.mark.parametrize(
    "given",
    [
        RAW,
        tuple(RAW),
        np.array(RAW),
        np.array(RAW, object),
        pd.Series(RAW),
        pd.Series(RAW, dtype="string"),
        pd.Index(RAW),
        [Mine(text) for text in RAW],
        [np.str_(text) for text in RAW],
    ],
    ids=lambda given: f"{type(given).__name__} of {type(given[0]).__name__}",
)
def test_strings_in_every_form(given):
    assert is_text(given)
    texts = as_texts(given, "words")
    assert texts.tokens == TOKENS
    assert texts.raw == RAW
    assert texts.lengths.tolist() == [4, 0, 3]
    assert len(texts) == 3
    assert {type(text) for text in texts.raw} == {str}
    assert {type(token) for tokens in texts.tokens for token in tokens} == {str}
    for text, tokens, offsets in zip(RAW, TOKENS, texts.offsets, strict=True):
        assert [text[start:end] for start, end in offsets] == tokens


@pytest.mark.parametrize(
    "given",
    [
        TOKENS,
        tuple(map(tuple, TOKENS)),
        [np.array(tokens, str) for tokens in TOKENS],
        [np.array(tokens, object) for tokens in TOKENS],
        pd.Series(TOKENS),
        np.array([*TOKENS, None], object)[:3],
        [[Mine(token) for token in tokens] for tokens in TOKENS],
        [TOKENS[0], tuple(TOKENS[1]), np.array(TOKENS[2])],
    ],
    ids=lambda given: f"{type(given).__name__} of {type(given[0]).__name__}",
)
def test_token_lists_in_every_form(given):
    assert is_text(given)
    texts = as_texts(given, "words")
    assert texts.tokens == TOKENS
    assert texts.raw is None
    assert texts.offsets is None
    assert {type(token) for tokens in texts.tokens for token in tokens} == {str}


def test_the_tokenizer_is_asked_for():
    assert as_texts(["ab 12"], "characters").tokens == [["a", "b", "1", "2"]]
    assert as_texts([["ab 12"]], "characters").tokens == [["ab 12"]], "tokens stay as they are"


@pytest.mark.parametrize(
    "given",
    [
        [[1.0, 2.0]],
        [1.0, 2.0],
        np.zeros((2, 3)),
        np.array([["a", "b"]]),  # two axes: no text, but numbers that are none
        np.array("a"),
        [[["a"]]],
        [np.array(3.0)],
        [np.array([["a"]])],
        [[], ()],
        [np.array([])],
        [],
        [None, "a"],
        "abc",
        b"abc",
        None,
        5,
        {"a": [1]},
        pd.DataFrame({"a": ["x"]}),
        pd.Series([1.0]),
        memoryview(np.zeros((2, 3))),
        [b"abc"],
    ],
    ids=lambda given: type(given).__name__,
)
def test_what_does_not_look_like_text(given):
    assert not is_text(given)


def test_what_begins_with_empty_texts_is_text():
    assert is_text([[], (), np.array([]), ["a"]])
    assert is_text(["", ""])


def test_looking_does_not_use_up_an_iterator():
    given = (text for text in RAW)
    assert not is_text(given)
    assert as_texts(given, "words").tokens == TOKENS


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("a b", r"X: expected a list of texts, got one string; pass \[X\]"),
        (b"a b", "X: expected a list of strings or of token lists, got bytes"),
        (None, "of token lists, got NoneType"),
        (5, "of token lists, got int"),
        ({"a": ["b"]}, "of token lists, got dict"),
        (np.array([["a"]]), "of token lists, got ndarray"),
        (pd.DataFrame({"a": ["x"]}), "of token lists, got DataFrame"),
        ([], "X: is empty; at least one text is needed"),
        (np.array([], str), "X: is empty"),
        (
            ["a", None],
            r"X: text 1: expected a string, got None; all texts are strings, or all are lists of "
            "tokens",
        ),
        (["a", np.nan], "X: text 1: expected a string, got nan"),
        (["a", ["b"]], r"X: text 1: expected a string, got \['b'\]"),
        (["a", b"b"], "X: text 1: expected a string, got b'b'"),
        ([["a"], "b"], "X: text 1: expected a list of tokens, got 'b'; all texts are strings"),
        ([None, "b"], "X: text 0: expected a list of tokens, got None"),
        ([["a"], 3], "X: text 1: expected a list of tokens, got 3"),
        ([np.array(3.0)], "X: text 0: expected a list of tokens, got array"),
        ([np.array([["a"]])], "X: text 0: expected a list of tokens, got array"),
        ([["a"], ["b", 3]], "X: text 1, token 1: expected a string, got 3"),
        ([["a"], [["b"]]], r"X: text 1, token 0: expected a string, got \['b'\]"),
        ([["a", b"b"]], "X: text 0, token 1: expected a string, got b'b'"),
        ([["a", ""]], "X: text 0, token 1: is empty"),
        (["a" * 10_000, None], "text 1"),
    ],
)
def test_what_is_no_text_is_refused(given, message):
    with pytest.raises(DataError, match=message) as caught:
        as_texts(given, "words")
    assert len(str(caught.value)) < 250


def test_messages_name_the_data():
    with pytest.raises(DataError, match="validation X: is empty"):
        as_texts([], "words", "validation X")


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("\ud83d\ude42!", "🙂!"),  # a pair that JSON may hold is one character
        ("\ud83d", "\ufffd"),
        ("\ude42 a", "\ufffd a"),
        ("a\ud83d b", "a\ufffd b"),
        ("\ude42\ud83d", "\ufffd\ufffd"),
        ("\ud83d\ud83d\ude42", "\ufffd🙂"),
    ],
    ids=ascii,
)
def test_halves_of_surrogate_pairs_are_replaced(text, whole):
    texts = as_texts([text], "words")
    assert texts.raw == [whole]
    assert [whole[start:end] for start, end in texts.offsets[0]] == texts.tokens[0]
    assert as_texts([[text]], "words").tokens == [[whole]]
    whole.encode("utf-8")


def test_take():
    texts = as_texts(RAW, "words")
    taken = texts.take(np.array([2, 0]))
    assert isinstance(taken, Texts)
    assert taken.tokens == [TOKENS[2], TOKENS[0]]
    assert taken.raw == [RAW[2], RAW[0]]
    np.testing.assert_array_equal(taken.offsets[1], texts.offsets[0])
    taken = as_texts(TOKENS, "words").take(np.array([1]))
    assert (taken.tokens, taken.raw, taken.offsets) == ([[]], None, None)
    assert len(texts.take(np.array([], int))) == 0


def test_the_given_lists_are_not_kept():
    given = [["a"], ["b"]]
    texts = as_texts(given, "words")
    given[0].append("c")
    assert texts.tokens == [["a"], ["b"]]
