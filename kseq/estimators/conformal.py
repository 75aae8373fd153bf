"""How far predictions were from held-out targets, and the intervals that follow from it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from kseq.errors import DataError, shown

# Levels whose order statistics are kept of many scores; one between two takes the upper one.
_LEVELS = np.concatenate([np.arange(1, 90) / 100, np.arange(900, 1000) / 1000])
# Products such as 0.07 * 100 are a little above the integer that they are.
_ROUNDING = 1e-9


class Interval(NamedTuple):
    """Predictions and the bounds that hold a share of what is predicted.

    Args:
        prediction: What `predict` gives without an interval.
        lower: The lower bounds, in the same form.
        upper: The upper bounds, in the same form.
    """

    prediction: Any
    lower: Any
    upper: Any


@dataclass(frozen=True, eq=False)
class Calibration:
    """The scores of held-out predictions, and which of them bounds a share of the next ones.

    With n scores of predictions that are exchangeable with the next one, it has a score of at most
    the k-th smallest, k = ceil((n + 1) level), with a probability of at least the level.

    Args:
        scores: `(kept, *cells)`, sorted: all scores of a cell, or of many the order statistics for
            each level of whole percents, and tenths of percents above 90. Filled up with infinity.
        counts: `(*cells)`, how many scores there were.

    Reference:
        Papadopoulos, Proedrou, Vovk, Gammerman (2002), Inductive confidence machines for
        regression; Lei et al. (2018), Distribution-free predictive inference for regression.

    Example:
        >>> found = Calibration.of(np.arange(1.0, 20.0))  # 19 scores
        >>> found.quantile(0.9), found.highest
        (array(18., dtype=float32), 0.95)
    """

    scores: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, scores: np.ndarray) -> Calibration | None:
        """From scores `(n, *cells)`, NaN where a target was absent; None where a cell has none."""
        sorted_ = np.sort(scores, axis=0)  # NaN goes last
        counts = np.isfinite(scores).sum(axis=0)
        if not counts.size or not counts.min():
            return None
        every = [kept_ranks(count) for count in counts.reshape(-1).tolist()]
        kept = np.full((max(map(len, every)), counts.size), np.inf, np.float32)
        columns = sorted_.reshape(len(scores), -1)
        for cell, ranks in enumerate(every):
            kept[: len(ranks), cell] = columns[ranks - 1, cell]
        return cls(kept.reshape(-1, *counts.shape), counts)

    @property
    def highest(self) -> float:
        """The highest level that there are enough scores for."""
        return float(self.counts.min() / (self.counts.min() + 1))

    def holds(self, level: float) -> bool:
        """Whether there are enough scores for a level."""
        return _rank(int(self.counts.min()), level) <= self.counts.min()

    def quantile(self, level: float) -> np.ndarray:
        """The score that bounds the next one with the probability `level`, `(*cells)`.

        Infinite where there are too few scores.
        """
        found = np.full(self.counts.size, np.inf, np.float32)
        columns = self.scores.reshape(len(self.scores), -1)
        for cell, count in enumerate(self.counts.reshape(-1).tolist()):
            place = np.searchsorted(kept_ranks(count), _rank(count, level))
            if place < len(columns):
                found[cell] = columns[place, cell]
        return found.reshape(self.counts.shape)

    def levels(self, scores: np.ndarray) -> np.ndarray:
        """What a level must be above for its bounds to hold each of the scores `(n, *cells)`.

        Above the highest level bounds are infinite. Of many scores only the levels that are kept
        are told apart.
        """
        columns = self.scores.reshape(len(self.scores), -1)
        asked = scores.reshape(len(scores), -1)
        found = np.empty(asked.shape)
        for cell, count in enumerate(self.counts.reshape(-1).tolist()):
            ranks = kept_ranks(count)
            needed = np.append(ranks - 1, count) / (count + 1)
            places = np.searchsorted(columns[: len(ranks), cell], asked[:, cell])
            found[:, cell] = needed[places]
        return found.reshape(scores.shape)


def kept_ranks(count: int) -> np.ndarray:
    """Which order statistics are kept of `count` scores, counted from 1.

    Example:
        >>> kept_ranks(4)
        array([1, 2, 3, 4])
        >>> len(kept_ranks(10**6))
        190
    """
    if count <= len(_LEVELS):
        return np.arange(1, count + 1)
    ranks = np.ceil((count + 1) * _LEVELS - _ROUNDING).astype(int)
    return np.unique(np.append(ranks[ranks <= count], count))


def _rank(count: int, level: float) -> int:
    return math.ceil((count + 1) * level - _ROUNDING)


def around(found: Mapping[str, np.ndarray], radius: np.ndarray | None) -> list[np.ndarray]:
    """Forecasts, and where there is a radius the bounds around them.

    Args:
        found: `forecast` `(n, horizon, targets)` and its `spread`.
        radius: How far the bounds are, in units of the spread, `(horizon, targets)`.
    """
    middle = found["forecast"]
    if radius is None:
        return [middle]
    margin = found["spread"] * radius
    return [middle, middle - margin, middle + margin]


def checked_level(level: Any) -> float:
    """A level as a number between 0 and 1.

    Raises:
        DataError: If it is something else.
    """
    number = isinstance(level, (int, float, np.integer, np.floating))
    if not number or isinstance(level, bool) or not 0 < level < 1:
        raise DataError(
            f"interval: expected a level between 0 and 1, such as 0.9, got {shown(level)}"
        )
    return float(level)


def lacking(calibration: Calibration | None, level: float) -> str:
    """Why there are no bounds of a level; empty where there are.

    Example:
        >>> lacking(Calibration.of(np.arange(2.0)), 0.9)
        '0.9 needs at least 9 held-out targets, but there were 2, enough for 0.666'
    """
    if calibration is None:
        return "needs targets that no training learned from, but none were held out"
    if calibration.holds(level):
        return ""
    needed = math.ceil(1 / (1 - level) - 1 - _ROUNDING)
    # Rounded down: of a level above the highest there are no bounds.
    highest = math.floor(1000 * calibration.highest + _ROUNDING) / 1000
    return (
        f"{level} needs at least {needed} held-out targets, but there were "
        f"{calibration.counts.min()}, enough for {highest:g}"
    )


def enough(calibration: Calibration | None, level: float) -> Calibration:
    """The scores, if there are enough of them for the level.

    Raises:
        DataError: If not; it says what to do.
    """
    reason = lacking(calibration, level)
    if calibration is None:
        raise DataError(
            f"interval: {reason}; fit with validation_data, or raise "
            "training.validation_fraction and fit without warm_start"
        )
    if reason:
        raise DataError(
            f"interval: {reason}; ask for a lower level, or hold out more by validation_data or "
            "training.validation_fraction"
        )
    return calibration
