"""The look that all pictures share: colours, axes, headings and how they are written.

Figures are made without pyplot, so that nothing global is touched and no display is needed.
matplotlib is the extra `plot` and is imported when a picture is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from kseq.errors import MissingExtraError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 144
_LETTER, _HANDLE = 0.062, 0.5  # inches that a legend takes, about: a letter, and what is before


@dataclass(frozen=True)
class Palette:
    """The colours of a picture, as `#rrggbb`, and the colour maps of its planes by their names.

    Args:
        ground: What is drawn on.
        truth: What was observed.
        model: What the model answers.
        baseline: The best baseline.
        training: The training part, and what matters less.
        faint: Grids.
        axis: Axes.
        text: Titles.
        muted: Labels and numbers.
        shares: The map of shares from 0 to 1, which begins near the ground.
        errors: The map of errors.
        signed: The map of what may be negative; its middle is near the ground.
    """

    ground: str
    truth: str
    model: str
    baseline: str
    training: str
    faint: str
    axis: str
    text: str
    muted: str
    shares: tuple[str, ...]
    errors: tuple[str, ...]
    signed: tuple[str, ...]


# Model and baseline are of Okabe and Ito's palette, which colour-blind people can tell apart.
LIGHT = Palette(
    ground="#ffffff",
    truth="#2b2f36",
    model="#0072b2",
    baseline="#d55e00",
    training="#8c96a3",
    faint="#dfe3e8",
    axis="#b4bbc4",
    text="#2b2f36",
    muted="#5d6672",
    shares=("Blues",),
    errors=("Reds",),
    signed=("RdBu",),
)
DARK = Palette(
    ground="#15181d",
    truth="#e6e9ed",
    model="#56b4e9",
    baseline="#f0913f",
    training="#7d8896",
    faint="#2c323a",
    axis="#4c5561",
    text="#e6e9ed",
    muted="#a3adb9",
    shares=("#1b2026", "#1d4463", "#2f7fb3", "#7cc8f5"),
    errors=("#15181d", "#6e2c17", "#d5633a", "#ffc9a8"),
    signed=("#ff9d7a", "#b3492b", "#23272e", "#2f7fb3", "#7cc8f5"),
)
_palette: ContextVar[Palette] = ContextVar("palette", default=LIGHT)

# The colours of the palette in use: `canvas.MODEL`. Never import them by name, because that takes
# the colour of the moment.
TRUTH: str
MODEL: str
BASELINE: str
TRAINING: str
FAINT: str
TEXT: str
MUTED: str


def palette() -> Palette:
    """The palette that pictures are drawn with; `LIGHT` outside of `drawn_with`."""
    return _palette.get()


@contextmanager
def drawn_with(other: Palette) -> Iterator[None]:
    """Within this context, pictures are drawn and written with another palette.

    Example:
        >>> with drawn_with(DARK):
        ...     palette().ground
        '#15181d'
    """
    before = _palette.set(other)
    try:
        yield
    finally:
        _palette.reset(before)


if not TYPE_CHECKING:

    def __getattr__(name: str) -> str:
        colours = asdict(palette())
        if name.isupper() and name.lower() in colours:
            return colours[name.lower()]
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def colour_map(which: Literal["shares", "errors", "signed"]) -> Any:
    """The palette's colour map of shares or of errors."""
    from matplotlib import colormaps
    from matplotlib.colors import LinearSegmentedColormap

    names = getattr(palette(), which)
    if len(names) == 1:
        return colormaps[names[0]]
    return LinearSegmentedColormap.from_list(which, list(names))


def new_figure(width: float = 7.0, height: float = 3.6) -> Figure:
    """An empty figure, in inches.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: F401  # the package first: it says whether there is one
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("a picture", "plot") from None
    return Figure(
        figsize=(width, height), dpi=DPI, facecolor=palette().ground, layout="constrained"
    )


def heading(
    figure: Figure,
    title: str,
    subtitle: str,
    *,
    key: Axes | None = None,
    foot: Sequence[str] = (),
) -> None:
    """Two lines of text and, below them, the legend of one of the axes, all on the left.

    Args:
        figure: A finished figure: the room for heading and foot is added to its height.
        title: What is shown, with the score.
        subtitle: What the score is to be read against.
        key: The axes whose lines are explained.
        foot: What numbers in the picture stand for, in columns at its foot.
    """
    figure.set_label(f"{title}; {subtitle}")  # what a reader who cannot see it is told
    width, height = figure.get_size_inches()
    handles, labels = ([], []) if key is None else key.get_legend_handles_labels()
    columns = len(labels)
    if sum(_LETTER * len(label) + _HANDLE for label in labels) > width:
        columns = max(1, int(width / (_LETTER * max(map(len, labels)) + _HANDLE)))
    room = 0.56 + (0.26 if key is not None else 0.0)
    room += 0.2 * (-(-len(labels) // columns) - 1) if labels else 0.0
    beside = max(1, int(width / (_LETTER * max(map(len, foot), default=1) + 0.2)))
    lines = -(-len(foot) // beside)
    below_all = 0.17 * lines + 0.08 if foot else 0.0
    whole = height + room + below_all
    figure.set_size_inches(width, whole)
    engine = figure.get_layout_engine()
    if engine is not None:
        rect = (0, below_all / whole, 1, height / whole)
        engine.set(rect=rect, h_pad=0.08, w_pad=0.06)  # type: ignore[call-arg]
    left = 0.1 / width
    for text, below, style in (
        (title, 0.09, {"fontsize": 11.5, "fontweight": "bold", "color": palette().text}),
        (subtitle, 0.32, {"fontsize": 9, "color": palette().muted}),
    ):
        figure.text(left, 1 - below / whole, text, style, ha="left", va="top")
    for place, text in enumerate(foot):
        x = left + (place // lines) / beside
        y = (below_all - 0.17 * (place % lines)) / whole
        style = {"fontsize": 8, "color": palette().text}
        figure.text(x, y, text, style, ha="left", va="top")
    if key is not None:
        figure.legend(
            handles,
            labels,
            loc="upper left",
            bbox_to_anchor=(left, 1 - 0.52 / whole),
            ncols=columns,
            frameon=False,
            fontsize=9,
            labelcolor=palette().text,
            handlelength=1.8,
            columnspacing=1.6,
            borderpad=0,
            borderaxespad=0,
        )


def dress(axes: Axes, *, x: str = "", y: str = "", grid: str = "y") -> None:
    """Labels, a faint grid, and no frame but the two axes.

    A label says where its axis is logarithmic.
    """
    if x and axes.get_xscale() == "log":
        x += " (log scale)"
    if y and axes.get_yscale() == "log":
        y += " (log scale)"
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(palette().axis)
    axes.set_facecolor(palette().ground)
    axes.tick_params(colors=palette().muted, labelsize=8.5, length=3)
    axes.set_xlabel(x, fontsize=9, color=palette().muted)
    axes.set_ylabel(y, fontsize=9, color=palette().muted)
    if grid:
        axes.grid(axis=grid, color=palette().faint, linewidth=0.8)  # type: ignore[arg-type]
    axes.set_axisbelow(True)


def logarithmic(axes: Axes, which: Literal["x", "y"] = "y") -> None:
    """A logarithmic axis with plain numbers: at least three of them, where that can be."""
    from matplotlib.ticker import FixedLocator, LogLocator, MaxNLocator, NullLocator

    axes.set(**{f"{which}scale": "log"})
    axis = axes.xaxis if which == "x" else axes.yaxis
    low, high = axes.get_xlim() if which == "x" else axes.get_ylim()
    wide = which == "x" and high > 30 * low  # a horizontal axis has less room for its numbers
    choices = ((1.0,), (1.0, 2.0, 5.0), (1.0, 2.0, 3.0, 5.0, 7.0))
    for few in choices[0 if wide else 1 :]:
        places = np.asarray(LogLocator(subs=few).tick_values(low, high))
        if ((low <= places) & (places <= high)).sum() >= 3:
            axis.set_major_locator(LogLocator(subs=few))
            break
    else:  # less than a decade, so that even distances are round numbers too
        even = MaxNLocator(5, steps=[1, 2, 2.5, 5, 10])
        places = np.asarray(even.tick_values(low, high))
        axis.set_major_locator(FixedLocator(places[(low <= places) & (places <= high)].tolist()))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(lambda value, _: f"{value:g}")


def whole_steps(axes: Axes, most: int = 9) -> None:
    """Ticks of the horizontal axis at whole, round numbers alone."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(
        MaxNLocator(most, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1)
    )


def png(figure: Figure) -> bytes:
    """A PNG of 256 colours, a third of the size, whose bytes depend on the picture alone."""
    from matplotlib.text import Text
    from PIL import Image  # comes with matplotlib

    # A dollar sign in somebody's label is no formula.
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            axis.get_ticklabels()  # makes them
    for text in figure.findobj(Text):
        text.set_parse_math(False)
    drawn = BytesIO()
    figure.savefig(drawn, format="png", dpi=DPI, metadata={"Software": None})
    with Image.open(drawn) as picture:
        flat = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE)
        small = BytesIO()
        flat.save(small, format="PNG", optimize=True)
    return small.getvalue()


def write(figure: Figure, path: Path) -> None:
    """Writes the picture as `png` makes it."""
    path.write_bytes(png(figure))


def write_animation(frames: np.ndarray, path: Path, *, pause: int = 200) -> None:
    """Writes a GIF that plays for ever.

    Args:
        frames: Bytes `(time, height, width, 3)`, or one channel.
        path: Where to.
        pause: Milliseconds a frame.

    Raises:
        MissingExtraError: If Pillow, which comes with matplotlib, is not installed.
    """
    try:
        from PIL import Image
    except ImportError:
        raise MissingExtraError("an animation", "plot") from None
    grey = frames.shape[-1] == 1
    pictures = [Image.fromarray(frame[..., 0] if grey else frame) for frame in frames]
    if not grey:
        pictures = [picture.quantize(64, dither=Image.Dither.NONE) for picture in pictures]
    first, *rest = pictures
    first.save(path, format="GIF", save_all=True, append_images=rest, duration=pause, loop=0)


def still(frame: np.ndarray) -> bytes:
    """A PNG of one frame, bytes `(height, width, 3)`."""
    from PIL import Image

    drawn = BytesIO()
    Image.fromarray(frame).quantize(64, dither=Image.Dither.NONE).save(drawn, "PNG", optimize=True)
    return drawn.getvalue()
