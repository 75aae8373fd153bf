"""A vocabulary as plain values and back; what comes back is not trusted."""

from __future__ import annotations

import json

import numpy as np
import pytest

from kseq.data.vocabulary import TextOptions, Vocabulary
from kseq.errors import DataError

OPTIONS = TextOptions(casing=True, affixes=2, min_count=1, unknown_rate=0.25, vectors="v.txt")
VOCABULARY = Vocabulary.learn([["The", "then", "🙂", "a\u2028b", "\x00"]], OPTIONS, ["of"])


def values(**changes):
    """The vocabulary's values as JSON brings them, with some changed; None takes one away."""
    plain = json.loads(json.dumps(VOCABULARY.to_dict())) | changes
    return {name: value for name, value in plain.items() if value is not None}


def test_it_round_trips_through_json():
    again = Vocabulary.from_dict(values())
    assert again == VOCABULARY
    assert again.options == OPTIONS
    tokens = [["then", "🙂", "of", "new"]]
    one, other = (v.encode(tokens).inputs(np.array([0])) for v in (again, VOCABULARY))
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])


def test_options_that_are_missing_are_the_defaults():
    assert Vocabulary.from_dict(values(options={})).options == TextOptions()


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (None, "options: missing"),
        ([], "options: missing"),
        ({}, "options: missing"),
        (values(options=None), "options: missing"),
        (values(options="words"), "options: missing"),
        (values(options={"tokeniser": "words"}), "tokeniser: unknown .did you mean 'tokenizer'"),
        (values(options={"tokenizer": "word"}), "vocabulary.options.tokenizer: expected 'words'"),
        (values(options={"max_characters": 10**9}), "options.max_characters: expected less than"),
        (values(options={"affixes": True}), "options.affixes: expected integer, got True"),
        (values(words=None), "vocabulary: words: expected a list of strings"),
        (values(words="the"), "vocabulary: words: expected a list of strings"),
        (values(words=["the", 3]), "vocabulary: words: expected a list of strings"),
        (values(words=["the", "the"]), "vocabulary: words: something stands there twice"),
        (values(characters=[["a"]]), "vocabulary: characters: expected a list of strings"),
        (values(characters=["ab"]), "vocabulary: characters: expected one character each"),
        (values(characters=[""]), "vocabulary: characters: expected one character each"),
        (values(prefixes={"a": 1}), "vocabulary: prefixes: expected a list of strings"),
        (values(suffixes=["a", None]), "vocabulary: suffixes: expected a list of strings"),
        (values(rare=None), "vocabulary: rare: expected a list of integers"),
        (values(rare=[2.0]), "vocabulary: rare: expected a list of integers"),
        (values(rare=[True]), "vocabulary: rare: expected a list of integers"),
        (values(rare=[1]), "vocabulary: rare: expected ids of words"),
        (values(rare=[-3]), "vocabulary: rare: expected ids of words"),
        (values(rare=[10**9]), "vocabulary: rare: expected ids of words"),
        (values(words=[], rare=[2]), "vocabulary: rare: expected ids of words"),
    ],
)
def test_broken_values_are_refused(broken, message):
    with pytest.raises(DataError, match=message):
        Vocabulary.from_dict(broken)
