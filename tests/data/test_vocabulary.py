"""What training text decides, and the ids that follow."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kseq.data.vocabulary import (
    CASINGS,
    FIRST,
    PADDING,
    UNKNOWN,
    Folder,
    TextOptions,
    Vocabulary,
    casing_of,
)

TEXTS = [["The", "cat", "saw", "the", "Cat"], ["THE", "dog", "ran", "in", "1984"], []]
EVERYTHING = {"casing": True, "affixes": 2}


def learned(texts=TEXTS, known=(), **options) -> Vocabulary:
    return Vocabulary.learn(texts, TextOptions(**options), known)


def ids(vocabulary: Vocabulary, *tokens: str) -> dict[str, list]:
    """The ids of one text."""
    inputs = vocabulary.encode([list(tokens)]).inputs(np.array([0]))
    assert inputs.pop("lengths").tolist() == [len(tokens)]
    return {name: array[0].tolist() for name, array in inputs.items()}


# --- words ---


def test_words_stand_by_how_often_they_occur_and_then_as_they_came():
    assert learned().words == ["the", "cat", "saw", "dog", "ran", "in", "0000"]
    assert learned(lowercase=False, digits=False).words == [
        *("The", "cat", "saw", "the", "Cat", "THE", "dog", "ran", "in", "1984")
    ]


def test_ids_follow_padding_and_unknown():
    vocabulary = learned()
    assert (PADDING, UNKNOWN, FIRST) == (0, 1, 2)
    assert ids(vocabulary, "the", "CAT", "bird", "2001", "ran")["words"] == [2, 3, 1, 8, 6]
    assert vocabulary.word_ids(["the", "CAT", "bird", "the"]).tolist() == [2, 3, 1, 2]
    assert vocabulary.word_ids([]).shape == (0,)
    assert vocabulary.places(["in", "the"]).tolist() == [7, 2]


@pytest.mark.parametrize(("least", "words"), [(1, 7), (2, 2), (3, 1), (4, 0)])
def test_words_that_are_too_rare_are_unknown(least, words):
    vocabulary = learned(min_count=least)
    assert len(vocabulary.words) == words
    assert ids(vocabulary, "cat")["words"] == [3 if least <= 2 else UNKNOWN]


def test_counts_are_of_folded_words():
    assert learned([["A", "a", "1", "2"]], min_count=2).words == ["a", "0"]
    assert learned([["A", "a", "1", "2"]], min_count=2, digits=False).words == ["a"]
    assert learned([["A", "a", "1", "2"]], min_count=2, lowercase=False).words == ["0"]


@pytest.mark.parametrize(
    ("token", "folded"),
    [
        ("ÉCOLE", "école"),
        ("İstanbul", "İstanbul"),  # its small letter is two characters
        ("ΟΔΟΣ", "οδοσ"),  # str.lower looks at the neighbours, and ends in ς
        ("STRASSE ẞ ß", "strasse ß ß"),
        ("ǅⅧⒶ", "ǆⅷⓐ"),
        ("ٱ٣३𝟘9", "ٱ0000"),
        ("½²", "½²"),
        ("e\u0301A\u030a", "e\u0301a\u030a"),
        ("𐐀", "𐐨"),
    ],
    ids=ascii,
)
def test_folding(token, folded):
    assert Folder(TextOptions())(token) == folded
    assert Folder(TextOptions(lowercase=False, digits=False))(token) == token
    assert len(folded) == len(token)


@settings(deadline=None)
@given(st.text(st.characters()), st.text(st.characters()))
def test_folding_is_by_character(one, other):
    fold = Folder(TextOptions())
    assert fold(one + other) == fold(one) + fold(other)
    assert fold(fold(one)) == fold(one)


# --- words with vectors ---


def test_words_with_vectors_are_known_whether_they_occur_or_not():
    vocabulary = learned(known=["cat", "bird", "dog"], min_count=3)
    assert vocabulary.words == ["the", "cat", "bird", "dog"]
    assert vocabulary.places(["bird", "dog"]).tolist() == [4, 5]
    assert learned(known=["cat"], words=False, casing=True).words == []


# --- rare words are at times unknown in training ---


def test_rare_are_the_words_that_occur_once_and_have_no_vector():
    vocabulary = learned(known=["dog", "bird"])
    rare = [vocabulary.words[place - FIRST] for place in vocabulary.rare]
    assert rare == ["saw", "ran", "in", "0000"]
    assert learned(min_count=2).rare == []
    assert learned(words=False).rare == []


@pytest.mark.parametrize("rate", [0.0, 0.25, 0.5, 0.9])
def test_rare_words_are_hidden_at_their_rate_in_training_alone(rate):
    names = [f"w{chr(0x4E00 + number)}" for number in range(400)]
    vocabulary = learned([[*names, "often", "often", "vector"]], ["vector"], unknown_rate=rate)
    tokens = [*names, "often", "vector", "new"]
    sequences = vocabulary.encode([tokens] * 2)
    plain = sequences.inputs(np.array([0, 1]))["words"]
    assert (plain[:, :400] >= FIRST).all()
    shown = sequences.inputs(np.array([0, 1]), rng=np.random.default_rng(3))["words"]
    assert shown.dtype == plain.dtype == np.int32
    hidden = shown != plain
    assert (shown[hidden] == UNKNOWN).all()
    assert not hidden[:, 400:].any(), "what is no rare word stays"
    assert abs(hidden[:, :400].mean() - rate) < 0.06
    if rate:
        assert (hidden[0] != hidden[1]).any(), "each occurrence is drawn by itself"
        again = sequences.inputs(np.array([0, 1]), rng=np.random.default_rng(3))["words"]
        np.testing.assert_array_equal(again, shown)
        other = sequences.inputs(np.array([0, 1]), rng=np.random.default_rng(4))["words"]
        assert (other != shown).any()


def test_word_dropout_hides_every_other_word_as_well_and_no_padding():
    vocabulary = learned([["once", "often", "often", "vector"]], ["vector"], word_dropout=0.3)
    sequences = vocabulary.encode([["once", "often", "vector"] * 400, ["often"]])
    plain = sequences.inputs(np.array([0, 1]))["words"]
    shown = sequences.inputs(np.array([0, 1]), rng=np.random.default_rng(3))["words"]
    hidden = (shown == UNKNOWN).reshape(2, -1, 3)[0].mean(axis=0)
    np.testing.assert_allclose(hidden, [0.5, 0.3, 0.3], atol=0.08)
    assert (shown[plain == 0] == 0).all()
    np.testing.assert_array_equal(sequences.inputs(np.array([0, 1]))["words"], plain)


def test_hiding_touches_words_alone():
    sequences = learned(**EVERYTHING).encode([["dog", "ran"]])
    plain = sequences.inputs(np.array([0]))
    for seed in range(5):
        shown = sequences.inputs(np.array([0]), rng=np.random.default_rng(seed))
        for name in plain:
            assert name == "words" or (shown[name] == plain[name]).all()


# --- characters ---


def test_characters_keep_their_case_and_are_counted():
    vocabulary = learned([["Aba", "a", "b"], ["aé"]])
    # Of a token that has a character twice it counts once.
    assert vocabulary.characters == ["a", "b", "A", "é"]
    assert ids(vocabulary, "abA", "é!")["characters"] == [[2, 3, 4], [5, UNKNOWN, PADDING]]


def test_no_more_characters_are_read_than_asked_for():
    vocabulary = learned([["abcdef", "ab"]], max_characters=3)
    assert ids(vocabulary, "abcdef", "f")["characters"] == [[2, 3, 4], [7, 0, 0]]


def test_a_batch_is_as_wide_as_its_longest_token():
    sequences = learned().encode([["a"], ["in", "dog"], [], ["a" * 100]])
    widths = {
        rows: sequences.inputs(np.array(rows))["characters"].shape[1:]
        for rows in [(0,), (0, 1), (2,), (2, 0), (3,), (0, 1, 2, 3)]
    }
    assert widths == {
        **{(0,): (1, 1), (0, 1): (2, 3), (2,): (1, 1), (2, 0): (1, 1)},
        **{(3,): (1, 24), (0, 1, 2, 3): (2, 24)},
    }


# --- prefixes and suffixes ---


def test_affixes_are_of_folded_words_and_occur_in_two_at_least():
    vocabulary = learned([["Reads", "rest", "READ1", "read2", "it", "it"]], affixes=3)
    # Distinct words: reads, rest, read0, it.
    assert vocabulary.prefixes == ["r", "re", "rea"]
    assert vocabulary.suffixes == ["t"]
    found = ids(vocabulary, "Red", "it", "t")
    assert found["prefixes"] == [[2, 3, 1], [1, 1, 0], [1, 0, 0]]
    assert found["suffixes"] == [[1, 1, 1], [2, 1, 0], [2, 0, 0]]


@settings(deadline=None)
@given(
    st.lists(st.text(st.sampled_from("abA1é"), min_size=1, max_size=6), max_size=12),
    st.integers(1, 5),
)
def test_affixes_against_slices(tokens, most):
    vocabulary = learned([tokens], affixes=most)
    words = {Folder(vocabulary.options)(token) for token in tokens}
    for name, cut in (("prefixes", lambda w, n: w[:n]), ("suffixes", lambda w, n: w[len(w) - n :])):
        counts = Counter(cut(w, n) for w in words for n in range(1, most + 1) if n <= len(w))
        entries = getattr(vocabulary, name)
        assert set(entries) == {affix for affix, count in counts.items() if count > 1}
        if not tokens:
            continue
        for token, row in zip(tokens, ids(vocabulary, *tokens)[name], strict=True):
            word = Folder(vocabulary.options)(token)
            for n, found in enumerate(row, start=1):
                if n > len(word):
                    assert found == PADDING
                elif found != UNKNOWN:
                    assert entries[found - FIRST] == cut(word, n)
                else:
                    assert cut(word, n) not in entries


# --- casing ---


@pytest.mark.parametrize(
    ("tokens", "casing"),
    [
        (["the", "école", "我们", "don't", "a.b", "_", "e\u0301"], 1),
        (["NATO", "U.S", "ÉÀ"], 2),
        (["The", "A", "O'neil", "Ǆ", "É", "I"], 3),
        (["iPhone", "McDonald", "eBAY", "'The", "a.B"], 4),
        (["1984", "3.5", "10%", "٣"], 5),
        (["B2B", "3rd", "x1", "A1"], 6),
        (["!", "...", "🙂", "½", "\u0301", "@"], 7),
    ],
)
def test_casing(tokens, casing):
    assert {token: casing_of(token) for token in tokens} == dict.fromkeys(tokens, casing)
    assert ids(learned(casing=True), *tokens)["casing"] == [casing] * len(tokens)
    assert casing < CASINGS


# --- streams ---


@pytest.mark.parametrize(
    ("options", "streams"),
    [
        ({}, {"words": 9, "characters": 23}),
        ({"words": False}, {"characters": 23}),
        ({"characters": False}, {"words": 9}),
        ({"words": False, "characters": False}, {}),
        ({"characters": False, "casing": True}, {"words": 9, "casing": 8}),
        (
            {"affixes": 1, "casing": True},
            {"words": 9, "characters": 23, "prefixes": 2, "suffixes": 3, "casing": 8},
        ),
    ],
    ids=str,
)
def test_streams_are_what_is_encoded_and_hold_every_id(options, streams):
    vocabulary = learned(**options)
    assert len({c for text in TEXTS for token in text for c in token}) + FIRST == 23
    assert vocabulary.streams == streams
    assert list(vocabulary.streams) == list(streams)
    if streams:
        inputs = vocabulary.encode([*TEXTS, ["new!", "Ω"]]).inputs(np.arange(4))
        assert set(inputs) == {*streams, "lengths"}
        for name, count in streams.items():
            assert inputs[name].dtype == np.int32
            assert inputs[name].min() == PADDING
            assert inputs[name].max() < count


def test_nothing_is_learned_from_texts_that_are_encoded():
    vocabulary = learned()
    before = json.dumps(vocabulary.to_dict())
    assert ids(vocabulary, "bird", "bird")["words"] == [UNKNOWN, UNKNOWN]
    assert json.dumps(vocabulary.to_dict()) == before


def test_texts_without_tokens():
    vocabulary = learned([[], []], **EVERYTHING)
    assert vocabulary.words == vocabulary.characters == vocabulary.rare == []
    inputs = vocabulary.encode([[], []]).inputs(np.array([0, 1]))
    shapes = {name: array.shape for name, array in inputs.items()}
    assert shapes == {
        **{"words": (2, 1), "characters": (2, 1, 1), "casing": (2, 1), "lengths": (2,)},
        **{"prefixes": (2, 1, 2), "suffixes": (2, 1, 2)},
    }
    assert not any(array.any() for array in inputs.values())
