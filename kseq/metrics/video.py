"""Scores of foretold frames, beside repeating the last frame that was seen."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

from kseq.errors import DataError
from kseq.metrics.evaluation import Evaluation, counted

Frames = np.ndarray  # (batch, time, ..., channels), pixels from 0 to 1

PERSISTENCE = "persistence"
_SHOWN = 8  # windows that are kept for pictures
# Of the structural similarity: the Gaussian window of 11 pixels that Wang et al. use.
_SIGMA, _RADIUS = 1.5, 5
_STABLE = (0.01**2, 0.03**2)
_BEST_PSNR = 100.0  # decibels, of frames that are equal


def evaluate_video(
    windows: Iterable[tuple[Frames, Frames, Frames]],
    *,
    maximum: float = 1.0,
    thresholds: Sequence[float] = (),
    clips: int | None = None,
) -> Evaluation:
    """Compares foretold frames with the true ones, and with the last frame that was seen.

    `mse` (primary) and `mae` are means over pixels from 0 to 1; `frame_mse` and `frame_mae` are
    sums over the pixels of a frame, averaged over frames, as Moving MNIST is usually scored. `ssim`
    is the structural similarity under a Gaussian window, averaged over frames; `psnr` is in
    decibels, of each frame and then averaged, with 100 for one that is equal. `csi_T` is the
    critical success index at a threshold T: of all pixels that reach it in truth or in the
    forecast, the share that does in both. The notes hold every metric by lead time.

    Args:
        windows: For some windows at a time: the frames seen, the true frames ahead and those
            foretold, each `(batch, time, ..., channels)` with pixels from 0 to 1.
        maximum: What 1 stands for in the data: thresholds are on that scale.
        thresholds: Of the critical success index.
        clips: How many clips the windows are from.

    Raises:
        DataError: If there is nothing to compare.

    Example:
        >>> seen, ahead = np.zeros((1, 2, 16, 16, 1)), np.full((1, 3, 16, 16, 1), 0.1)
        >>> scored = evaluate_video([(seen, ahead, ahead)])
        >>> scored.metrics["mse"], round(scored.baselines["persistence"]["frame_mse"], 2)
        (0.0, 2.56)

    Reference:
        Wang et al. (2004), Image quality assessment: from error visibility to structural
        similarity.
    """
    totals: dict[str, _Totals] = {}
    shown: list[list[np.ndarray]] = [[], [], []]
    count = 0
    for seen, truth, foretold in windows:
        for name, answer in (
            ("model", foretold),
            (PERSISTENCE, np.broadcast_to(seen[:, -1:], truth.shape)),
        ):
            totals.setdefault(name, _Totals(maximum, thresholds)).add(truth, answer)
        for kept, part in zip(shown, (seen, truth, foretold), strict=True):
            kept.extend(part[: max(0, _SHOWN - count)])
        count += len(truth)
    if not count:
        raise DataError("there is no window to compare")
    rows = {name: total.by_lead_time() for name, total in totals.items()}
    means = {name: total.overall() for name, total in totals.items()}
    seen, truth, foretold = (np.stack(kept) for kept in shown)
    notes: dict[str, Any] = {
        "compared": counted(count, "window"),
        "by_lead_time": {m: {n: rows[n][m] for n in rows} for m in rows["model"]},
        "scale": f"pixels from 0 to 1, which stands for {maximum:g}",
    }
    if clips is not None:
        notes["compared"] += f" of {counted(clips, 'clip')}"
    if undefined := _undefined(means, truth.shape, thresholds):
        notes["undefined"] = undefined
    return Evaluation(
        task="video",
        metrics=means["model"],
        baselines={PERSISTENCE: means[PERSISTENCE]},
        primary="mse",
        truth=truth,
        predicted=foretold,
        references={"seen": seen},
        by_step={name: row["mse"] for name, row in rows.items()},
        items=count,
        notes=notes,
    )


def _undefined(
    means: dict[str, dict[str, float]], shape: tuple[int, ...], thresholds: Sequence[float]
) -> dict[str, str]:
    reasons = {}
    if math.isnan(means[PERSISTENCE]["ssim"]):
        sides = " x ".join(map(str, shape[2:-1]))
        reasons["ssim"] = f"its window is {2 * _RADIUS + 1} pixels wide, and frames are {sides}"
    for threshold in thresholds:
        for name, row in means.items():
            if math.isnan(row[_csi(threshold)]):
                reasons[f"{name}.{_csi(threshold)}"] = (
                    f"{threshold:g} is reached neither in truth nor in what is foretold"
                )
    return reasons


def _csi(threshold: float) -> str:
    return f"csi_{threshold:g}"


class _Totals:
    """Sums over windows, each `(time,)`.

    Args:
        maximum: What 1 stands for.
        thresholds: Of the critical success index.
    """

    def __init__(self, maximum: float, thresholds: Sequence[float]) -> None:
        self._maximum = maximum
        self._thresholds = thresholds
        self._sums: dict[str, np.ndarray] = {}
        self._hits: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._windows = 0

    def add(self, truth: Frames, answer: Frames) -> None:
        """Compares some windows."""
        self._windows += len(truth)
        error = truth.astype(np.float64) - answer
        pixels = tuple(range(2, error.ndim))
        mse = np.mean(error**2, axis=pixels)  # shape: (batch, time)
        mae = np.mean(np.abs(error), axis=pixels)
        size = float(np.prod(error.shape[2:]))
        with np.errstate(divide="ignore"):
            psnr = np.minimum(-10 * np.log10(mse), _BEST_PSNR)
        found = {
            "mse": mse,
            "mae": mae,
            "frame_mse": mse * size,
            "frame_mae": mae * size,
            "ssim": similarity(truth, answer),
            "psnr": psnr,
        }
        for name, values in found.items():
            self._sums[name] = self._sums.get(name, 0.0) + values.sum(axis=0)
        steps = (0, *pixels)
        for threshold in self._thresholds:
            true, told = (x * self._maximum >= threshold for x in (truth, answer))
            both, either = (true & told).sum(axis=steps), (true | told).sum(axis=steps)
            before = self._hits.get(_csi(threshold), (0, 0))
            self._hits[_csi(threshold)] = (before[0] + both, before[1] + either)

    def by_lead_time(self) -> dict[str, list[float]]:
        """Each metric at each lead time."""
        means = {name: (total / self._windows).tolist() for name, total in self._sums.items()}
        shares = {
            name: [_share(*pair) for pair in zip(*hits, strict=True)]
            for name, hits in self._hits.items()
        }
        return {**means, **shares}

    def overall(self) -> dict[str, float]:
        """Each metric over all lead times."""
        means = {name: float(np.mean(total) / self._windows) for name, total in self._sums.items()}
        return {**means, **{n: _share(h[0].sum(), h[1].sum()) for n, h in self._hits.items()}}


def _share(part: Any, whole: Any) -> float:
    return float(part) / float(whole) if whole else math.nan


def similarity(truth: Frames, answer: Frames) -> np.ndarray:
    """The structural similarity of frames, channels averaged.

    Args:
        truth: `(batch, time, ..., channels)`, pixels from 0 to 1.
        answer: The same form.

    Returns:
        `(batch, time)`; NaN where a frame is narrower than the window of 11 pixels.

    Example:
        >>> x = np.random.default_rng(0).random((1, 2, 16, 16, 1))
        >>> similarity(x, x).tolist()
        [[1.0, 1.0]]
    """
    sides = tuple(range(2, truth.ndim - 1))
    if min(truth.shape[side] for side in sides) <= 2 * _RADIUS:
        return np.full(truth.shape[:2], np.nan)
    # Only where the window lies inside the frame.
    inner = (slice(None), slice(None), *[slice(_RADIUS, -_RADIUS)] * len(sides))

    def local(values: np.ndarray) -> np.ndarray:
        """The mean of the pixels around each, the nearer ones weighing more."""
        found: np.ndarray = gaussian_filter(values, _SIGMA, radius=_RADIUS, axes=sides)[inner]
        return found

    x, y = truth.astype(np.float64), answer.astype(np.float64)
    mean_x, mean_y = local(x), local(y)
    spread = local(x * x) - mean_x**2 + local(y * y) - mean_y**2
    together = local(x * y) - mean_x * mean_y
    light, contrast = _STABLE
    index = (2 * mean_x * mean_y + light) / (mean_x**2 + mean_y**2 + light)
    index = index * (2 * together + contrast) / (spread + contrast)
    found: np.ndarray = index.mean(axis=tuple(range(2, truth.ndim)))
    return found
