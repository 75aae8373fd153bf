"""What Unicode says of each character, as small sorted tables.

The same tables are searched by NumPy here and by TensorFlow in the exported graph, so that a
served model splits and folds text exactly as the estimator does; regular expressions and case
folding differ between the two.
"""

from __future__ import annotations

import sys
import unicodedata
from enum import IntEnum
from functools import cache

import numpy as np

REPLACEMENT = 0xFFFD


class Kind(IntEnum):
    """What a character does to the tokens around it."""

    SPACE = 0  # ends a token and belongs to none
    SYMBOL = 1  # is a token of its own
    LETTER = 2
    DIGIT = 3
    MARK = 4  # belongs to the character before it, and to a word that goes on
    MODIFIER = 5  # belongs to the character before it, and nothing goes on through it
    GLUE = 6  # holds the characters on both sides together: the zero-width joiner
    LINK = 7  # apostrophe, hyphen, full stop: inside a word where letters stand on both sides
    SEPARATOR = 8  # comma, colon: inside a number where digits stand on both sides
    SIGIL = 9  # @ and #: begin a word
    FLAG = 10  # regional indicators, of which two make a flag
    UPPER = 11  # a letter that has a lower case
    NUMBER = 12  # other numerals, which have no decimal value


_OF_CATEGORY = {
    **dict.fromkeys(("Zs", "Zl", "Zp", "Cc", "Cf"), Kind.SPACE),
    **dict.fromkeys(("Ll", "Lm", "Lo", "Pc"), Kind.LETTER),
    **dict.fromkeys(("Lu", "Lt"), Kind.UPPER),
    **dict.fromkeys(("Mn", "Mc", "Me"), Kind.MARK),
    **dict.fromkeys(("Nl", "No"), Kind.NUMBER),
    "Nd": Kind.DIGIT,
}
_OF_CHARACTER = {
    **dict.fromkeys("'’.-‐", Kind.LINK),
    **dict.fromkeys(",:", Kind.SEPARATOR),
    **dict.fromkeys("@#", Kind.SIGIL),
    "\u200d": Kind.GLUE,
    # The zero-width non-joiner, the soft hyphen and the word joiner stand inside words.
    **dict.fromkeys("\u200c\u00ad\u2060", Kind.MARK),
    "\u20e3": Kind.MODIFIER,  # makes a keycap of the digit before it
}
_OF_RANGE = {
    (0x1F1E6, 0x1F200): Kind.FLAG,
    (0x1F3FB, 0x1F400): Kind.MODIFIER,  # skin tones
    (0xFE00, 0xFE10): Kind.MODIFIER,  # variation selectors
    (0xE0020, 0xE0080): Kind.MODIFIER,  # tags of regional flags
}


@cache
def _categories() -> np.ndarray:
    """The general category of every code point."""
    return np.array([unicodedata.category(chr(code)) for code in range(sys.maxunicode + 1)])


@cache
def kinds() -> tuple[np.ndarray, np.ndarray]:
    """The first code point of each run of one kind, ascending, and the runs' kinds."""
    names, which = np.unique(_categories(), return_inverse=True)
    kind = np.array([_OF_CATEGORY.get(str(name), Kind.SYMBOL) for name in names], np.int32)
    every = kind[which]
    for character, value in _OF_CHARACTER.items():
        every[ord(character)] = value
    for (first, end), value in _OF_RANGE.items():
        every[first:end] = value
    starts = np.flatnonzero(np.diff(every, prepend=-1)).astype(np.int32)
    return starts, every[starts]


@cache
def folding(lowercase: bool, digits: bool) -> tuple[np.ndarray, np.ndarray]:
    """Code points that are replaced before a word is looked up, ascending, and by what.

    Args:
        lowercase: Whether capitals become small letters, each by its own: nothing depends on the
            letters around it or on a language.
        digits: Whether every decimal digit becomes `0`.
    """
    table: dict[int, int] = {}
    categories = _categories()
    if lowercase:
        for code in np.flatnonzero(np.isin(categories, ["Lu", "Lt", "Nl", "So"])).tolist():
            if len(lower := chr(code).lower()) == 1 and ord(lower) != code:
                table[code] = ord(lower)
    if digits:
        table |= dict.fromkeys(np.flatnonzero(categories == "Nd").tolist(), ord("0"))
    keys = np.array(sorted(table), np.int32)
    return keys, np.array([table[int(key)] for key in keys], np.int32)


def codes_of(text: str) -> np.ndarray:
    """The code points of a text; half a surrogate pair becomes the replacement character."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.int32)
    return np.where((codes >= 0xD800) & (codes < 0xE000), REPLACEMENT, codes)


def kinds_of(codes: np.ndarray) -> np.ndarray:
    """The `Kind` of each code point."""
    starts, values = kinds()
    found: np.ndarray = values[np.searchsorted(starts, codes, side="right") - 1]
    return found
