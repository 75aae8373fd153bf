"""The tables of characters against `unicodedata` and `str`, one character at a time."""

from __future__ import annotations

import sys
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kseq.data.codepoints import REPLACEMENT, Kind, codes_of, folding, kinds, kinds_of

EVERY = np.arange(sys.maxunicode + 1, dtype=np.int32)


def kind_of(character: str) -> Kind:
    (kind,) = kinds_of(codes_of(character))
    return Kind(kind)


@pytest.mark.parametrize(
    ("characters", "kind"),
    [
        (" \t\n\r\u00a0\u3000\u2028\u200b\ufeff\u200e\x00\x85", Kind.SPACE),
        ('!?()[]{}/\\"“”…—+=%&*~|^$€§©\ufffd。，、🙂♥\ue000', Kind.SYMBOL),
        ("azßéıжאبक我あ한ªʼ_‿", Kind.LETTER),
        ("AZÉЖΩǅ", Kind.UPPER),
        ("09٣३３𝟘", Kind.DIGIT),
        ("½²Ⅷ①〇", Kind.NUMBER),
        ("\u0301\u05b0\u0e31\u093e\u0488\u200c\u00ad\u2060", Kind.MARK),
        ("\ufe0f\ufe0e\U0001f3fb\U0001f3ff\U000e0067\u20e3", Kind.MODIFIER),
        ("\u200d", Kind.GLUE),
        ("'’.-‐", Kind.LINK),
        (",:", Kind.SEPARATOR),
        ("@#", Kind.SIGIL),
        ("🇦🇿", Kind.FLAG),
    ],
    ids=lambda value: value.name if isinstance(value, Kind) else None,
)
def test_kinds(characters, kind):
    assert {character: kind_of(character) for character in characters} == dict.fromkeys(
        characters, kind
    )


def test_every_character_has_the_kind_of_its_category():
    """But for the few that are named."""
    found = kinds_of(EVERY)
    categories = np.array([unicodedata.category(chr(code)) for code in EVERY])
    for kind, wanted in {
        Kind.UPPER: ["Lu", "Lt"],
        Kind.LETTER: ["Ll", "Lm", "Lo", "Pc"],
        Kind.DIGIT: ["Nd"],
        Kind.NUMBER: ["Nl", "No"],
    }.items():
        np.testing.assert_array_equal(found == kind, np.isin(categories, wanted), kind.name)
    blank = EVERY[np.isin(categories, ["Zs", "Zl", "Zp", "Cc", "Cf"]) & (found != Kind.SPACE)]
    assert set(blank[blank < 0xE0000].tolist()) == {0xAD, 0x200C, 0x200D, 0x2060}
    assert set(categories[found == Kind.SPACE].tolist()) == {"Zs", "Zl", "Zp", "Cc", "Cf"}


def test_the_table_is_sorted_and_covers_everything():
    starts, values = kinds()
    assert starts[0] == 0
    assert (np.diff(starts) > 0).all()
    assert (np.diff(values) != 0).all(), "runs of one kind are one entry"
    assert starts.dtype == values.dtype == np.int32
    assert set(values.tolist()) == set(Kind)


@pytest.mark.parametrize("lowercase", [False, True])
@pytest.mark.parametrize("digits", [False, True])
def test_folding_is_one_character_for_one(lowercase, digits):
    keys, values = folding(lowercase, digits)
    assert keys.dtype == values.dtype == np.int32
    assert (np.diff(keys) > 0).all()
    table = dict(zip(keys.tolist(), values.tolist(), strict=True))
    assert all(key != value for key, value in table.items() if value != ord("0"))
    for code in EVERY.tolist():
        character = chr(code)
        expected = character
        if lowercase and len(lower := character.lower()) == 1:
            expected = lower
        if digits and unicodedata.category(character) == "Nd":
            expected = "0"
        assert chr(table.get(code, code)) == expected


def test_folding_twice_changes_nothing():
    table = dict(zip(*(part.tolist() for part in folding(True, True)), strict=True))
    assert all(table.get(value, value) == value for value in table.values())


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("", []),
        ("aé🙂", [0x61, 0xE9, 0x1F642]),
        ("\x00", [0]),
        ("\ud83d", [REPLACEMENT]),
        ("a\udc00b", [0x61, REPLACEMENT, 0x62]),
        ("\U0010ffff", [0x10FFFF]),
    ],
    ids=ascii,
)
def test_codes(text, codes):
    found = codes_of(text)
    assert found.tolist() == codes
    assert found.dtype == np.int32


@settings(deadline=None)
@given(st.text(st.characters()))
def test_a_code_and_a_kind_for_each_character(text):
    half = [unicodedata.category(character) == "Cs" for character in text]
    expected = [REPLACEMENT if h else ord(c) for h, c in zip(half, text, strict=True)]
    assert codes_of(text).tolist() == expected
    assert len(kinds_of(codes_of(text))) == len(text)
