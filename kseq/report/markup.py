"""HTML from Python values, escaped unless it was made here; small drawings as SVG."""

from __future__ import annotations

import base64
import html
import re
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

# What HTML cannot hold: control characters, halves of surrogate pairs, non-characters.
_IMPOSSIBLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_VOID = frozenset({"br", "img", "link", "meta", "source"})
_STRESS = re.compile(r"(?<!`)(?P<fence>`+)(?!`)(?P<code>.+?)(?<!`)(?P=fence)(?!`)|\*\*(.+?)\*\*")
_MOST_POINTS = 160
_MOST_CELLS = (24, 48)
_LEVELS = 8


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def escaped(value: Any) -> Html:
    """A value as HTML: escaped, unless it is HTML.

    Example:
        >>> escaped("<b>"), escaped(Html("<b>"))
        ('&lt;b&gt;', '<b>')
    """
    if isinstance(value, Html):
        return value
    return Html(html.escape(_IMPOSSIBLE.sub("\ufffd", str(value))))


def element(tag: str, *content: Any, **attributes: Any) -> Html:
    """An element with its content and its attributes, all escaped.

    Args:
        tag: Its name.
        content: Its children, one after the other.
        attributes: By name, `_` for `-`, with an underscore behind it where Python has the name.
            None leaves one out, True writes it without a value.

    Example:
        >>> element("td", "a < b", class_="n")
        '<td class="n">a &lt; b</td>'
    """
    given = "".join(
        f" {name.rstrip('_').replace('_', '-')}"
        + ("" if value is True else f'="{escaped(str(value))}"')
        for name, value in attributes.items()
        if value is not None
    )
    start = f"<{tag}{given}>"
    return Html(start if tag in _VOID else f"{start}{joined(content)}</{tag}>")


def joined(parts: Iterable[Any], between: str = "") -> Html:
    """Parts one after the other, each escaped unless it is HTML."""
    return Html(escaped(between).join(map(escaped, parts)))


def sentence(text: str) -> Html:
    """A sentence of `kseq.report.statements`: names between backticks become code.

    Example:
        >>> sentence("Predicts `<load>`, does **not** beat it.")
        'Predicts <code>&lt;load&gt;</code>, does <strong>not</strong> beat it.'
    """
    parts: list[Any] = []
    end = 0
    for match in _STRESS.finditer(text):
        parts.append(text[end : match.start()])
        name = match["code"]
        if name is None:
            parts.append(element("strong", match[3]))
        else:
            padded = len(match["fence"]) > 1 and name[:1] == name[-1:] == " "
            parts.append(element("code", name[1:-1] if padded else name))
        end = match.end()
    return joined([*parts, text[end:]])


def paragraphs(lines: Iterable[str], **attributes: Any) -> Html:
    """A paragraph for each sentence."""
    return joined(element("p", sentence(line), **attributes) for line in lines)


def bullets(lines: Iterable[str]) -> Html:
    """A list of sentences; nothing where there are none."""
    items = [element("li", sentence(line)) for line in lines]
    return element("ul", *items) if items else Html()


def pairs(rows: Iterable[tuple[str, str]]) -> Html:
    """Names and values, which are sentences, side by side; nothing where there are none."""
    lines = [
        element("div", element("dt", name), element("dd", sentence(value))) for name, value in rows
    ]
    return element("dl", *lines, class_="pairs") if lines else Html()


def table(
    head: Sequence[Any], rows: Iterable[Sequence[Any]], *, caption: str, text: int = 1
) -> Html:
    """A table that scrolls in a box of its own where it is wide.

    Args:
        head: The headers of the columns.
        rows: The cells; the first of a row is its header.
        caption: What it shows.
        text: How many columns, from the left, are no numbers.
    """

    def kind(column: int) -> str | None:
        return None if column < text else "n"

    headers = [element("th", cell, scope="col", class_=kind(c)) for c, cell in enumerate(head)]
    body = []
    for first, *others in rows:
        cells = [element("td", cell, class_=kind(c)) for c, cell in enumerate(others, start=1)]
        body.append(element("tr", element("th", first, scope="row"), *cells))
    whole = element(
        "table",
        element("caption", element("span", caption)),
        element("thead", element("tr", *headers)),
        element("tbody", *body),
    )
    return scrolling(whole, caption)


def scrolling(content: Html, label: str) -> Html:
    """A box that scrolls sideways, also by keyboard."""
    return element("div", content, class_="scroll", tabindex=0, role="region", aria_label=label)


@dataclass(frozen=True)
class Picture:
    """A picture of the report.

    Args:
        name: Its file beside the page.
        caption: What it shows, in a few words.
        alt: What is told to those who cannot see it.
        light: The file's bytes, PNG or GIF.
        dark: A PNG for dark screens, where there is one.
        still: Of an animation: a PNG for those who want nothing to move.
    """

    name: str
    caption: str
    alt: str
    light: bytes
    dark: bytes | None = None
    still: bytes | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        if self.light.startswith(b"GIF"):
            width, height = struct.unpack("<HH", self.light[6:10])
        else:
            width, height = struct.unpack(">II", self.light[16:24])
        return width, height


def figure(picture: Picture) -> Html:
    """A picture in the page, with its dark form and its caption."""
    moving = picture.name.endswith(".gif")
    width, height = picture.size
    if not moving:  # drawn at 144 dots an inch
        width, height = round(width * 0.55), round(height * 0.55)
    sources = []
    if picture.still is not None:
        media = "(prefers-reduced-motion: reduce)"
        sources.append(element("source", media=media, srcset=_uri(picture.still, "png")))
    if picture.dark is not None:
        media = "screen and (prefers-color-scheme: dark)"
        sources.append(element("source", media=media, srcset=_uri(picture.dark, "png")))
    wide = "wide" if width > 480 and width > 1.3 * height and not moving else None
    image = element(
        "img",
        src=_uri(picture.light, "gif" if moving else "png"),
        alt=picture.alt,
        width=width,
        height=height,
    )
    content = element("picture", *sources, image)
    if wide:
        content = scrolling(content, picture.caption)
    elif moving:
        content = element("div", content, class_="film")
    return element("figure", content, element("figcaption", picture.caption), class_=wide)


def _uri(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def lines(series: Sequence[tuple[str, Any]], label: str) -> Html:
    """Small curves over a common axis, `(class, values)` each; NaN is a gap."""
    curves = [(name, np.asarray(values, dtype=np.float64)) for name, values in series]
    known = np.concatenate([values[np.isfinite(values)] for _, values in curves])
    low, high = (known.min(), known.max()) if known.size else (0.0, 1.0)
    width, height, margin = 200, 48, 3
    scale = (height - 2 * margin) / ((high - low) or 1.0)
    paths = []
    for name, values in curves:
        places = np.unique(np.linspace(0, len(values) - 1, min(len(values), _MOST_POINTS)).round())
        steps, pen = [], "M"
        for place in places.astype(int).tolist():
            if not np.isfinite(values[place]):
                pen = "M"
                continue
            x = margin + (width - 2 * margin) * place / max(len(values) - 1, 1)
            y = height - margin - scale * (values[place] - low)
            steps.append(f"{pen}{x:.1f} {y:.1f}")
            pen = "L"
        paths.append(element("path", d="".join(steps), class_=name))
    return _drawing(width, height, paths, label, "lines")


def plane(values: np.ndarray, label: str) -> Html:
    """A small map of `(rows, columns)`, the higher the darker; large ones are averaged."""
    for axis, most in enumerate(_MOST_CELLS):
        if values.shape[axis] > most:
            pieces = np.array_split(values, most, axis=axis)
            values = np.stack([piece.mean(axis=axis) for piece in pieces], axis=axis)
    finite = np.isfinite(values)
    low = values[finite].min(initial=np.inf) if finite.any() else 0.0
    spread = (values[finite].max() - low if finite.any() else 0.0) or 1.0
    levels = np.zeros(values.shape, int)
    levels[finite] = ((values[finite] - low) / spread * (_LEVELS - 1)).round().astype(int)
    paths = []
    for level in range(1, _LEVELS):
        cells = [f"M{x} {y}h1v1h-1z" for y, x in np.argwhere(levels == level).tolist()]
        if cells:
            share = f"{level / (_LEVELS - 1):.2f}"
            paths.append(element("path", d="".join(cells), fill_opacity=share))
    rows, columns = values.shape
    return _drawing(columns, rows, paths, label, "plane")


def _drawing(width: int, height: int, paths: list[Html], label: str, kind: str) -> Html:
    box = f"0 0 {width} {height}"
    stretch = "none" if kind == "lines" else None
    return element(
        "svg",
        *paths,
        viewBox=box,
        preserveAspectRatio=stretch,
        class_=kind,
        role="img",
        aria_label=label,
    )
