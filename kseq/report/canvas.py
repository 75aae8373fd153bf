"""The look that all pictures share: colours, axes, headings and how they are written.

Figures are made without pyplot, so that nothing global is touched and no display is needed.
matplotlib is the extra `plot` and is imported when a picture is asked for.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from kseq.errors import MissingExtraError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette, which colour-blind people can tell apart.
TRUTH = "#2b2f36"
MODEL = "#0072b2"
BASELINE = "#d55e00"
TRAINING = "#8c96a3"
FAINT = "#dfe3e8"
TEXT = "#2b2f36"
MUTED = "#5d6672"
DPI = 144


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
    return Figure(figsize=(width, height), dpi=DPI, facecolor="white", layout="constrained")


def heading(figure: Figure, title: str, subtitle: str, *, key: Axes | None = None) -> None:
    """Two lines of text and, below them, the legend of one of the axes, all on the left.

    Args:
        figure: A finished figure: the room for the heading is added to its height.
        title: What is shown, with the score.
        subtitle: What the score is to be read against.
        key: The axes whose lines are explained.
    """
    room = 0.56 + (0.26 if key is not None else 0.0)
    width, height = figure.get_size_inches()
    figure.set_size_inches(width, height + room)
    whole = height + room
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.set(rect=(0, 0, 1, height / whole), h_pad=0.08, w_pad=0.06)  # type: ignore[call-arg]
    left = 0.1 / width
    for text, below, style in (
        (title, 0.09, {"fontsize": 11.5, "fontweight": "bold", "color": TEXT}),
        (subtitle, 0.32, {"fontsize": 9, "color": MUTED}),
    ):
        figure.text(left, 1 - below / whole, text, style, ha="left", va="top")
    if key is not None:
        handles, labels = key.get_legend_handles_labels()
        figure.legend(
            handles,
            labels,
            loc="upper left",
            bbox_to_anchor=(left, 1 - 0.52 / whole),
            ncols=len(labels),
            frameon=False,
            fontsize=9,
            labelcolor=TEXT,
            handlelength=1.8,
            columnspacing=1.6,
            borderpad=0,
            borderaxespad=0,
        )


def dress(axes: Axes, *, x: str = "", y: str = "", grid: str = "y") -> None:
    """Labels, a faint grid, and no frame but the two axes."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color("#b4bbc4")
    axes.tick_params(colors=MUTED, labelsize=8.5, length=3)
    axes.set_xlabel(x, fontsize=9, color=MUTED)
    axes.set_ylabel(y, fontsize=9, color=MUTED)
    if grid:
        axes.grid(axis=grid, color=FAINT, linewidth=0.8)  # type: ignore[arg-type]
    axes.set_axisbelow(True)


def logarithmic(axes: Axes, which: Literal["x", "y"] = "y") -> None:
    """A logarithmic axis with plain numbers."""
    from matplotlib.ticker import LogLocator, NullLocator

    axes.set(**{f"{which}scale": "log"})
    axis = axes.xaxis if which == "x" else axes.yaxis
    low, high = axes.get_xlim() if which == "x" else axes.get_ylim()
    wide = which == "x" and high > 30 * low  # a horizontal axis has less room for its numbers
    few = (1.0,) if wide else (1.0, 2.0, 5.0)
    axis.set_major_locator(LogLocator(subs=few))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(lambda value, _: f"{value:g}")


def whole_steps(axes: Axes, most: int = 9) -> None:
    """Ticks of the horizontal axis at whole, round numbers alone."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(
        MaxNLocator(most, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1)
    )


def write(figure: Figure, path: Path) -> None:
    """Writes a PNG of 256 colours, a third of the size, whose bytes depend on the picture alone."""
    from PIL import Image  # comes with matplotlib

    drawn = BytesIO()
    figure.savefig(drawn, format="png", dpi=DPI, metadata={"Software": None})
    with Image.open(drawn) as picture:
        flat = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE)
        flat.save(path, format="PNG", optimize=True)


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
