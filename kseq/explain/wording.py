"""Texts as a picture can show them."""

from __future__ import annotations

from functools import cache

_FAMILIES = ("CJK", "Gothic", "WenQuanYi", "PingFang", "YaHei", "Unicode", "Noto Sans")


def drawable(text: str) -> str:
    """The text with a box in place of what matplotlib's own font has no letter for.

    Example:
        >>> drawable("Zürich")
        'Zürich'
    """
    return "".join(letter if _known(ord(letter)) else "\N{WHITE SQUARE}" for letter in text)


@cache
def _known(letter: int) -> bool:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return bool(get_font(findfont(FontProperties())).get_char_index(letter))
