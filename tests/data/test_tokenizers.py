"""Where tokens begin and end: cases by hand, an oracle, and what holds for any text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kseq.data.codepoints import Kind, codes_of, kinds_of
from kseq.data.tokenizers import joins, split, tokenize
from kseq.errors import DataError

WORDS = {
    # Blanks.
    "": [],
    "  \t\n\u3000\u00a0 ": [],
    "\ufeffa\x00b\u200bc": ["a", "b", "c"],
    " to  be ": ["to", "be"],
    # Punctuation between letters, at their edges, and doubled.
    "Don't go!": ["Don't", "go", "!"],
    "It’s l'été.": ["It’s", "l'été", "."],
    "'tis the dogs' bone": ["'", "tis", "the", "dogs", "'", "bone"],
    "well-known - semi- -final": ["well-known", "-", "semi", "-", "-", "final"],
    "rock-'n'-roll": ["rock", "-", "'", "n", "'", "-", "roll"],
    "a--b": ["a", "-", "-", "b"],
    "U.S. e.g. etc...": ["U.S", ".", "e.g", ".", "etc", ".", ".", "."],
    "(yes/no)?!": ["(", "yes", "/", "no", ")", "?", "!"],
    "snake_case _x": ["snake_case", "_x"],
    "co\u00adoperate word\u2060joiner": ["co\u00adoperate", "word\u2060joiner"],
    # Numbers.
    "1,000,000.50 at 12:30": ["1,000,000.50", "at", "12:30"],
    "a,b 1,b a:1 1, 2": ["a", ",", "b", "1", ",", "b", "a", ":", "1", "1", ",", "2"],
    "3rd B2B 1½ x² -5 $9.99 50%": [
        *("3rd", "B2B", "1½", "x²", "-", "5", "$", "9.99", "50", "%"),
    ],
    "2024-05-01 0x1F": ["2024-05-01", "0x1F"],
    # Addresses and names.
    "https://t.co/aB3?x=1": ["https", ":", "/", "/", "t.co", "/", "aB3", "?", "x", "=", "1"],
    "me@mail.org, @ana_b #topic": ["me@mail.org", ",", "@ana_b", "#topic"],
    "C# @ # ##a @@b a@": ["C", "#", "@", "#", "#", "#a", "@", "@b", "a", "@"],
    "@!x #1 ,@a": ["@", "!", "x", "#1", ",", "@a"],
    # Emoji: skin tones, joined families, variation selectors, keycaps, flags.
    "ok👍🏽👍 🙂🙂": ["ok", "👍🏽", "👍", "🙂", "🙂"],
    "👨‍👩‍👧‍👦x ❤️‍🔥": ["👨‍👩‍👧‍👦", "x", "❤️‍🔥"],
    "☺️a 1️⃣2️⃣ #️⃣": ["☺️", "a", "1️⃣", "2️⃣", "#️⃣"],
    "🇩🇪 🇫🇷a": ["🇩🇪", "🇫🇷", "a"],
    "🏴\U000e0067\U000e0062\U000e007f!": ["🏴\U000e0067\U000e0062\U000e007f", "!"],
    # Marks: composed and not, in Indic, Thai, Hebrew and Arabic words; one without its letter.
    "cafe\u0301s e\u0301": ["cafe\u0301s", "e\u0301"],
    "नमस्ते दुनिया": ["नमस्ते", "दुनिया"],
    "שָׁלוֹם, עולם!": ["שָׁלוֹם", ",", "עולם", "!"],
    "السَّلام عليكم؟": ["السَّلام", "عليكم", "؟"],
    "می\u200cخواهم": ["می\u200cخواهم"],
    "\u0301a \u200da": ["\u0301a", "\u200da"],
    # Scripts without blanks: one token as far as letters go.
    "我们去北京。": ["我们去北京", "。"],
    "東京タワー!": ["東京タワー", "!"],
    # Halves of surrogate pairs are symbols.
    "a\ud83db": ["a", "\ud83d", "b"],
}
CHARACTERS = {
    "": [],
    " a b ": ["a", "b"],
    "我们12点": ["我", "们", "1", "2", "点"],
    "don't": ["d", "o", "n", "'", "t"],
    "@a1,0": ["@", "a", "1", ",", "0"],
    "e\u0301t 👍🏽 👩‍💻": ["e\u0301", "t", "👍🏽", "👩‍💻"],
    "🇩🇪!": ["🇩🇪", "!"],
    "हिन्दी": ["हि", "न्", "दी"],
}


@pytest.mark.parametrize("text", WORDS, ids=ascii)
def test_words(text):
    assert split(text, "words") == WORDS[text]


@pytest.mark.parametrize("text", CHARACTERS, ids=ascii)
def test_characters(text):
    assert split(text, "characters") == CHARACTERS[text]


def test_flags_that_touch_are_one_token():
    """Where a pair ends depends on all before it, and the rule sees the neighbours alone."""
    assert split("🇩🇪🇫🇷") == ["🇩🇪🇫🇷"]


def test_words_is_what_is_taken():
    assert split("a b") == split("a b", "words")


def test_places():
    places = tokenize("Hi,  you")
    assert places.tolist() == [[0, 2], [2, 3], [5, 8]]
    assert tokenize("").shape == tokenize(" ").shape == (0, 2)


@pytest.mark.parametrize("tokenizer", ["word", "", None, 3])
def test_an_unknown_tokenizer_is_refused(tokenizer):
    message = r"tokenizer: expected 'words' or 'characters', got "
    with pytest.raises(DataError, match=message + repr(tokenizer)):
        tokenize("a", tokenizer)


# Characters of every kind, so that each pair of neighbours comes up.
DENSE = "aZ1.,:'-@# !½\u0301\u200d\ufe0f🏽🙂🇩我\u00ad\u20e3\n"
texts = st.one_of(st.text(st.sampled_from(DENSE), max_size=30), st.text(st.characters()))
tokenizers = st.sampled_from(["words", "characters"])


def is_blank(character: str) -> bool:
    return kinds_of(codes_of(character))[0] == Kind.SPACE


@settings(deadline=None, max_examples=200)
@given(texts, tokenizers)
def test_tokens_cover_all_but_blanks_once(text, tokenizer):
    places = tokenize(text, tokenizer)
    covered = np.zeros(len(text), int)
    for start, end in places.tolist():
        assert start < end, "no token is empty"
        covered[start:end] += 1
    assert covered.tolist() == [int(not is_blank(character)) for character in text]
    assert (places[1:, 0] >= places[:-1, 1]).all(), "from left to right"
    assert "".join(split(text, tokenizer)) == "".join(c for c in text if not is_blank(c))


@settings(deadline=None, max_examples=200)
@given(texts, tokenizers)
def test_blanks_between_tokens_change_nothing(text, tokenizer):
    """Tokens are what they are without their neighbours, so text can be joined and split again."""
    tokens = split(text, tokenizer)
    assert split(" ".join(tokens), tokenizer) == tokens
    for token in tokens:
        assert split(token, tokenizer) == [token]


@settings(deadline=None)
@given(texts, texts, tokenizers)
def test_what_stands_behind_a_blank_does_not_matter(text, other, tokenizer):
    both = split(text, tokenizer) + split(other, tokenizer)
    assert split(f"{text} {other}", tokenizer) == both


@settings(deadline=None)
@given(texts)
@example("e\u0301")
def test_words_are_made_of_characters(text):
    """What is one character is never cut by the other tokenizer."""
    starts, ends = tokenize(text, "characters").T
    words = tokenize(text, "words")
    assert set(words[:, 0].tolist()) <= set(starts.tolist())
    assert set(words[:, 1].tolist()) <= set(ends.tolist())


@settings(deadline=None)
@given(st.lists(texts, min_size=1, max_size=4), tokenizers)
def test_a_batch_is_its_rows(batch, tokenizer):
    """Padded behind with blanks, as the exported graph does it."""
    width = max(map(len, batch))
    kinds = np.stack([kinds_of(codes_of(text.ljust(width))) for text in batch])
    together = joins(np, kinds, tokenizer) & (kinds != Kind.SPACE)
    for text, row in zip(batch, together, strict=True):
        alone = kinds_of(codes_of(text))
        expected = joins(np, alone[None], tokenizer)[0] & (alone != Kind.SPACE)
        np.testing.assert_array_equal(row[: len(text)], expected)


@settings(deadline=None)
@given(st.text(st.characters(categories=["L", "N"]), min_size=1))
def test_letters_and_digits_that_touch_are_one_word(text):
    assert split(text) == [text]


@settings(deadline=None)
@given(st.text(st.characters(categories=["Ll"]), min_size=1), st.sampled_from("-'.’"))
def test_links_hold_between_letters_alone(word, link):
    assert split(f"{word}{link}{word}") == [f"{word}{link}{word}"]
    assert split(f"{link}{word}") == [link, word]
    assert split(f"{word}{link}") == [word, link]
