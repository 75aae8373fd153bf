"""Pictures of foretold frames: filmstrip, animation, scores by lead time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from kseq.metrics.evaluation import Evaluation
from kseq.report import canvas
from kseq.report.wording import beside_line, metric_name, score_line

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_FRAMES = 10  # in a row of the filmstrip
_CLIPS = 3  # side by side in the animation
_LARGE = 128  # the least height of a clip in the animation, in pixels
_GAP = 2
_SEEN, _FORETOLD = (93, 102, 114), (0, 114, 178)
_METRICS = ("mse", "mae", "ssim", "psnr")


def filmstrip(evaluation: Evaluation, *, window: int = 0) -> Figure:
    """One window, frame by frame: what was seen, what came, what was foretold, and the error.

    Args:
        evaluation: Of video.
        window: Which of the windows that the evaluation keeps.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    seen, truth, foretold = _window(evaluation, window)
    error = np.abs(truth - foretold)
    before, ahead = _chosen(len(seen)), _chosen(len(truth))
    rows = [
        ("seen", seen[before], before - len(seen) + 1),
        ("truth", truth[ahead], ahead + 1),
        ("model", foretold[ahead], ahead + 1),
        ("error", error[ahead], ahead + 1),
    ]
    columns = max(len(before), len(ahead))
    height, width = seen.shape[1:3]
    side = 8.6 / columns
    figure = canvas.new_figure(9.2, max(4 * (side * height / width + 0.22), 2.4))
    panels = figure.subplots(4, columns, squeeze=False)
    for axes_row, (name, frames, numbers) in zip(panels, rows, strict=True):
        # What was seen ends where the rest begins.
        skip = columns - len(frames) if name == "seen" else 0
        for place, axes in enumerate(axes_row):
            axes.set_axis_off()
            if 0 <= place - skip < len(frames):
                frame = frames[place - skip]
                map_of = canvas.colour_map("errors") if name == "error" else "gray"
                plain = frame.mean(axis=-1) if name == "error" else frame
                picture = plain[..., 0] if plain.ndim == 3 and plain.shape[-1] == 1 else plain
                axes.imshow(picture, cmap=map_of, vmin=0.0, vmax=1.0, aspect="equal")
                number = numbers[place - skip]
                axes.set_title(
                    f"{number:+d}" if number else "0", fontsize=7, color=canvas.MUTED, pad=2
                )
        first = axes_row[skip]
        first.text(
            -0.08,
            0.5,
            name,
            fontsize=8.5,
            color=canvas.MUTED,
            transform=first.transAxes,
            rotation=90,
            ha="right",
            va="center",
        )
    title = f"{len(truth)} frames foretold from {len(seen)}: {score_line(evaluation)}"
    canvas.heading(figure, title, beside_line(evaluation))
    return figure


def animation(evaluation: Evaluation) -> np.ndarray:
    """The first windows as films: above the truth, below what the model was shown and foretold.

    A bar between them is grey while the model is shown the frames, and blue when it foretells them.

    Args:
        evaluation: Of video.

    Returns:
        Bytes `(time, height, width, 3)`.
    """
    films = []
    for window in range(min(_CLIPS, len(evaluation.truth))):
        seen, truth, foretold = _window(evaluation, window)
        above, below = np.concatenate([seen, truth]), np.concatenate([seen, foretold])
        large = math.ceil(_LARGE / min(above.shape[1:3]))
        above, below = (_bytes(film, large) for film in (above, below))
        bar = np.empty((len(above), 3 * _GAP, above.shape[2], 3), np.uint8)
        bar[: len(seen)], bar[len(seen) :] = _SEEN, _FORETOLD
        films.append(np.concatenate([above, bar, below], axis=1))
        films.append(np.full((*films[-1].shape[:2], 3 * _GAP, 3), 255, np.uint8))
    return np.concatenate(films[:-1], axis=2)


def lead_times(evaluation: Evaluation) -> Figure:
    """Each metric at each frame ahead, of the model and of repeating the last frame.

    Args:
        evaluation: Of video.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    found = evaluation.notes["by_lead_time"]
    scores = {
        name: rows
        for name, rows in found.items()
        if (name in _METRICS or name.startswith("csi_")) and np.isfinite(list(rows.values())).any()
    }
    columns = min(3, len(scores))
    lines = math.ceil(len(scores) / columns)
    figure = canvas.new_figure(3.1 * columns, 2.3 * lines)
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes, (name, rows) in zip(panels, scores.items(), strict=False):
        for who, values in rows.items():
            model = who == "model"
            axes.plot(
                np.arange(1, len(values) + 1),
                values,
                color=canvas.MODEL if model else canvas.BASELINE,
                linestyle="-" if model else (0, (4, 2)),
                linewidth=1.8,
                marker="o" if len(values) < 3 else None,
                label=who,
            )
        if name != "psnr":
            axes.set_ylim(bottom=0)
        canvas.whole_steps(axes, 6)
        canvas.dress(axes, x="frames ahead", y=metric_name(name))
    for axes in panels[len(scores) :]:
        axes.set_axis_off()
    title = f"Scores by lead time: {score_line(evaluation)}"
    canvas.heading(figure, title, beside_line(evaluation), key=panels[0])
    return figure


def _window(evaluation: Evaluation, window: int) -> list[np.ndarray]:
    """The frames seen, the true ones ahead and those foretold, as pictures."""
    parts = (evaluation.references["seen"], evaluation.truth, evaluation.predicted)
    return [_pictures(part[window]) for part in parts]


def _chosen(count: int) -> np.ndarray:
    """The places of at most ten of so many frames, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, min(count, _MOST_FRAMES)).round().astype(int))


def _pictures(clip: np.ndarray) -> np.ndarray:
    """Frames as planes of one or three channels: of a volume the middle, of a line a band."""
    rank = clip.ndim - 2
    if rank == 1:
        clip = np.repeat(clip[:, None], max(1, clip.shape[1] // 8), axis=1)
    elif rank == 3:
        clip = clip[:, clip.shape[1] // 2]
    return clip if clip.shape[-1] in (1, 3) else clip.mean(axis=-1, keepdims=True)


def _bytes(clip: np.ndarray, large: int) -> np.ndarray:
    """A clip in colour, each pixel `large` times as wide."""
    whole = np.rint(255 * np.clip(clip, 0, 1)).astype(np.uint8)
    coloured = np.broadcast_to(whole, (*whole.shape[:-1], 3))
    return coloured.repeat(large, axis=1).repeat(large, axis=2)
