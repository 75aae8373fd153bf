"""What ends a trial before its time: a bar that others set, or the clock."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from kseq.search.ledger import Outcome

_FEW = 4  # trials that have to be known for their median to be a bar


def best_so_far(history: Mapping[str, Sequence[float]]) -> list[float]:
    """The best validation score at each epoch so far, or of the loss its negative."""
    if "val_score" in history:
        values = np.array(history["val_score"], dtype=np.float64)
    else:
        values = -np.array(history.get("val_loss", []), dtype=np.float64)
    values = np.where(np.isfinite(values), values, -np.finfo(np.float64).max)
    return [float(value) for value in np.maximum.accumulate(values)]


def bars(outcomes: Sequence[Outcome]) -> list[list[float]]:
    """The median of the best values of earlier trials, for each fold and seed at each epoch.

    A trial that ended early keeps its best. Fewer than four trials set no bar.
    """
    known = [outcome.curves for outcome in outcomes if outcome.status == "done"]
    found: list[list[float]] = []
    for unit in range(max((len(curves) for curves in known), default=0)):
        curves = [each[unit] for each in known if len(each) > unit and each[unit]]
        if len(curves) < _FEW:
            break
        longest = max(map(len, curves))
        whole = [[*curve, *[curve[-1]] * (longest - len(curve))] for curve in curves]
        found.append([float(value) for value in np.median(whole, axis=0)])
    return found


class Bars(keras.callbacks.Callback):
    """Ends a training whose best value is below the bar, after the first fifth of its epochs."""

    def __init__(self, heights: Sequence[float], epochs: int) -> None:
        super().__init__()
        self.heights = heights
        self.first = max(1, epochs // 5)
        self.best = -math.inf
        self.below = False

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        logs = logs or {}
        value = logs["val_score"] if "val_score" in logs else -logs.get("val_loss", math.nan)
        if math.isfinite(value):
            self.best = max(self.best, float(value))
        if self.first <= epoch < len(self.heights) and self.best < self.heights[epoch]:
            self.below = True
            self.model.stop_training = True


class Limit(keras.callbacks.Callback):
    """Ends a training at a time."""

    def __init__(self, end: float) -> None:
        super().__init__()
        self.end = end
        self.passed = False

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if time.monotonic() > self.end:
            self.passed = True
            self.model.stop_training = True
