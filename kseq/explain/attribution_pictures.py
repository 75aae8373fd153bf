"""Pictures of what an answer rests on: coloured tokens, maps below series, overlays on frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from kseq.explain.wording import drawable, families
from kseq.report import canvas
from kseq.report.pictures import short
from kseq.report.wording import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from kseq.explain.attributions import Attribution

_WIDTH = 5.2  # inches: a phone's width at a readable size
_LINE, _GAP = 0.34, 0.05  # of tokens, in inches
_MOST_TOKENS = 200
_MOST_LINES = 3
_MOST_COLUMNS = 20
_MOST_FRAMES = 12


def draw_attribution(found: Attribution) -> Figure:
    """The picture that suits what is explained."""
    if found.tokens is not None:
        figure = _tokens(found)
    elif found.values.ndim == 2:
        figure = _series(found)
    else:
        figure = _frames(found)
    title = drawable(short(found.output[0].upper() + found.output[1:], 56))
    canvas.heading(figure, title, drawable(_beside(found)))
    return figure


def _beside(found: Attribution) -> str:
    """The method, what it starts from or hides pieces by, and the output at both ends."""
    here, there, start = number(found.score), number(found.baseline), short(found.start)
    if found.method == "occlusion":
        return f"occlusion by {start}: {here} here, {there} with all hidden"
    return f"integrated gradients from {start}: {here} here, {there} there"


def _top(values: np.ndarray) -> float:
    return float(np.abs(values).max(initial=0.0)) or 1.0


def _tokens(found: Attribution) -> Figure:
    """Tokens as running text, each on the colour of its weight."""
    assert found.tokens is not None
    figure = canvas.new_figure(_WIDTH)
    weights = found.by_step()
    top = _top(weights)
    shown = [drawable(short(token, 40)) for token in found.tokens[:_MOST_TOKENS]]
    places, row, left = [], 0, _GAP
    for token in shown:
        wide = _wide(token)
        if left + wide > _WIDTH - _GAP and left > _GAP:
            row, left = row + 1, _GAP
        places.append((row, left, wide))
        left += wide + _GAP
    more = len(found.tokens) - len(shown)
    height = (row + 1) * _LINE + (0.25 if more else 0.0)
    figure.set_size_inches(_WIDTH, height + 0.55)
    axes, below = figure.subplots(2, 1, gridspec_kw={"height_ratios": [height, 0.12]})
    axes.set_axis_off()
    axes.set(xlim=(0, _WIDTH), ylim=(height, 0))
    for token, (row, left, wide), weight in zip(shown, places, weights, strict=False):
        colour = _colour(weight / top)
        axes.text(
            left + wide / 2,
            (row + 0.5) * _LINE,
            token,
            ha="center",
            va="center",
            fontsize=10,
            fontfamily=families(),
            color=_ink(colour),
        )
        box = {"facecolor": colour, "edgecolor": "none", "zorder": 0}
        axes.add_patch(_rectangle(left, row * _LINE + 0.03, wide, _LINE - 0.06, box))
    if more:
        axes.text(_GAP, height - 0.1, f"and {more} more", fontsize=8.5, color=canvas.MUTED)
    _key(figure, below, top)
    return figure


def _wide(token: str) -> float:
    """The width of a token with its margin, in inches."""
    from matplotlib.textpath import TextPath

    extent = TextPath((0, 0), token.replace("$", r"\$"), size=10).get_extents().width
    return max(float(extent), 4.0) / 72 * 1.04 + 0.12


def _rectangle(left: float, bottom: float, wide: float, high: float, style: Any) -> Any:
    from matplotlib.patches import FancyBboxPatch

    return FancyBboxPatch(
        (left, bottom), wide, high, boxstyle="round,pad=0,rounding_size=0.05", **style
    )


def _colour(share: float) -> Any:
    """Red speaks against the output, blue for it."""
    return canvas.colour_map("signed")(0.5 + 0.5 * share)


def _ink(colour: Any) -> str:
    """What can be read on a colour: black or white, whichever has more contrast."""
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3]
    )
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return "#14171b" if luminance > 0.18 else "#ffffff"


def _round(value: float) -> str:
    """Two figures, and no power of ten before it is needed."""
    return f"{float(f'{value:.2g}'):,g}"


def _signed(value: float) -> str:
    return f"{'-' if value < 0 else '+'}{_round(abs(value))}"


def _key(figure: Figure, axes: Axes, top: float) -> None:
    """A bar of the colours, with the weights at its ends."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    bar = figure.colorbar(
        ScalarMappable(Normalize(-top, top), cmap=canvas.colour_map("signed")),
        cax=axes,
        orientation="horizontal",
    )
    bar.outline.set_visible(False)
    bar.set_ticks([-top, 0, top], labels=[f"-{_round(top)} (against)", "0", f"{_round(top)} (for)"])
    bar.ax.tick_params(labelsize=8.5, colors=canvas.MUTED, length=0)
    first, *_, last = bar.ax.get_xticklabels()
    first.set_horizontalalignment("left")
    last.set_horizontalalignment("right")


def _series(found: Attribution) -> Figure:
    """The columns that count most, and below them what each step of each column accounts for."""
    assert found.item is not None
    time, width = found.values.shape
    order = np.argsort(-np.abs(found.values).sum(axis=0), kind="stable")
    lines = sorted(order[:_MOST_LINES].tolist())
    rows = np.sort(order[:_MOST_COLUMNS])
    high = max(0.5, 0.24 * len(rows))
    heights = [*[0.95] * len(lines), high, 0.1]
    figure = canvas.new_figure(_WIDTH, sum(heights) + 0.85)
    panels = figure.subplots(
        len(heights), 1, squeeze=False, gridspec_kw={"height_ratios": heights}
    )[:, 0]
    steps, names = np.arange(time), [drawable(short(name, 14)) for name in found.features]
    single = width == 1
    for axes, column in zip(panels, lines, strict=False):
        few = "o" if time < 8 else None
        axes.plot(
            steps, found.item[:, column], color=canvas.TEXT, linewidth=1.3, marker=few, markersize=4
        )
        axes.set_xlim(-0.5, time - 0.5)
        canvas.dress(axes, y="value" if single else names[column])
        canvas.whole_steps(axes, 8)
        axes.tick_params(axis="x", labelbottom=False)
    below, top = panels[-2], _top(found.values)
    below.imshow(
        found.values[:, rows].T,
        aspect="auto",
        cmap=canvas.colour_map("signed"),
        vmin=-top,
        vmax=top,
        interpolation="nearest",
        extent=(-0.5, time - 0.5, len(rows) - 0.5, -0.5),
    )
    canvas.dress(below, x=found.step + _beyond(found), grid="")
    below.set_yticks(range(len(rows)), ["weight"] if single else [names[row] for row in rows])
    below.tick_params(axis="y", length=0)
    canvas.whole_steps(below, 8)
    for side in ("left", "bottom"):
        below.spines[side].set_visible(False)
    _key(figure, panels[-1], top)
    return figure


def _beyond(found: Attribution) -> str:
    """What is said of covariates that no row shows."""
    if not found.held:
        return ""
    names = drawable(short(", ".join(found.held), 24))
    return f" (known future values of {names} are left as they are)"


def _frames(found: Attribution) -> Figure:
    """Frames in grey with the weights of their pixels over them."""
    assert found.item is not None
    frames, values = (_planes(each) for each in (found.item, found.values))
    count = min(len(frames), _MOST_FRAMES)
    chosen = np.unique(np.linspace(0, len(frames) - 1, count).round().astype(int))
    columns = min(3, len(chosen))
    rows = -(-len(chosen) // columns)
    side = _WIDTH / columns * frames.shape[1] / frames.shape[2]
    heights = [*[side] * rows, 0.1]
    figure = canvas.new_figure(_WIDTH, sum(heights) + 0.24 * rows + 0.4)
    grid = figure.add_gridspec(rows + 1, columns, height_ratios=heights)
    top = float(np.quantile(np.abs(values), 0.999)) or _top(values)
    for place, frame in enumerate(chosen):
        axes = figure.add_subplot(grid[place // columns, place % columns])
        axes.set_axis_off()
        axes.imshow(frames[frame], cmap="gray", vmin=0.0, vmax=1.0)
        strength = np.abs(values[frame]) / top
        axes.imshow(
            values[frame],
            cmap=canvas.colour_map("signed"),
            vmin=-top,
            vmax=top,
            alpha=np.clip(1.2 * strength, 0.0, 0.85),
            interpolation="nearest",
        )
        share = found.by_step()[frame]
        axes.set_title(f"frame {frame}: {_signed(share)}", fontsize=8.5, color=canvas.MUTED, pad=3)
    _key(figure, figure.add_subplot(grid[rows, :]), top)
    return figure


def _planes(clip: np.ndarray) -> np.ndarray:
    """Frames `(time, height, width)`: channels summed or averaged, of a volume the middle."""
    plane = clip.sum(axis=-1) if clip.shape[-1] == 1 or clip.min() < 0 else clip.mean(axis=-1)
    if plane.ndim == 2:
        return np.repeat(plane[:, None], max(1, plane.shape[1] // 8), axis=1)
    return plane[:, plane.shape[1] // 2] if plane.ndim == 4 else plane
