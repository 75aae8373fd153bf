"""Texts as a picture can show them."""

from __future__ import annotations

from functools import cache

# What fonts are called that have the letters of East Asia, which matplotlib's own has not.
_WIDE_FONTS = ("CJK", "WenQuanYi", "PingFang", "YaHei", "Hiragino", "Malgun", "Arial Unicode")


def drawable(text: str) -> str:
    """The text with a box in place of what no font at hand has a letter for.

    Example:
        >>> import matplotlib
        >>> drawable("Zürich")
        'Zürich'
    """
    return "".join(letter if _known(ord(letter)) else "\N{WHITE SQUARE}" for letter in text)


@cache
def families() -> list[str]:
    """The fonts to draw texts in: matplotlib's own, and one with more letters if there is one."""
    from matplotlib.font_manager import fontManager

    names = sorted({font.name for font in fontManager.ttflist})
    wide = [name for name in names if any(part in name for part in _WIDE_FONTS)]
    return ["DejaVu Sans", *wide[:1]]


@cache
def _known(letter: int) -> bool:
    from matplotlib.font_manager import findfont, get_font

    return any(get_font(findfont(name)).get_char_index(letter) for name in families())
