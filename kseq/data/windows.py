"""Windows over series: what a forecaster sees, and what it is to say."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

Origin = tuple[np.ndarray, int]  # rows of a series `(time, columns)`, first row to forecast


class OriginBatches(keras.utils.PyDataset):
    """Batches of windows, each known by its origin: where what is to be said begins.

    The order of epoch `e`, counted from 1, depends on `(seed, e)` alone.

    Args:
        origins: One for each window.
        window: Steps seen.
        horizon: Steps ahead.
        batch_size: Windows a batch.
        seed: Of the order of every epoch; None keeps the order of the origins.
        epochs: Epochs that were run before.
    """

    def __init__(
        self,
        origins: np.ndarray,
        *,
        window: int,
        horizon: int,
        batch_size: int,
        seed: int | None = None,
        epochs: int = 0,
    ) -> None:
        super().__init__()
        self.origins = origins
        self.window = window
        self.horizon = horizon
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = epochs + 1
        self._order = self._draw()

    @property
    def num_batches(self) -> int:
        """Batches an epoch."""
        return -(-len(self.origins) // self.batch_size)

    def __len__(self) -> int:
        return self.num_batches

    def batch(self, index: int) -> np.ndarray:
        """The origins of one batch of this epoch."""
        return self._order[index * self.batch_size : (index + 1) * self.batch_size]

    def on_epoch_end(self) -> None:
        """Draws the order of the next epoch."""
        self.epoch += 1
        self._order = self._draw()

    def _draw(self) -> np.ndarray:
        if self.seed is None:
            return self.origins
        order: Any = np.random.default_rng([self.seed, self.epoch]).permutation(self.origins)
        return order


class WindowBatches(OriginBatches):
    """Windows cut from series when they are needed, never all at once.

    Args:
        inputs: All series end to end, `(rows, features)`, without gaps.
        targets: The same rows, `(rows, outputs)`; NaN is absent.
        future: The same rows, `(rows, future)`, or None.
        origins: Row of the first step to forecast, one a window; `origin - window` to
            `origin + horizon` lie within one series.
        **how: `window`, `horizon`, `batch_size`, `seed` and `epochs`, see `OriginBatches`.
    """

    def __init__(
        self,
        inputs: np.ndarray,
        targets: np.ndarray,
        future: np.ndarray | None,
        origins: np.ndarray,
        **how: Any,
    ) -> None:
        super().__init__(origins, **how)
        self.inputs = inputs.astype(np.float32)
        self.targets = targets.astype(np.float32)
        self.future = None if future is None else future.astype(np.float32)
        self._before = np.arange(-self.window, 0)
        self._after = np.arange(self.horizon)

    def __getitem__(self, index: int) -> tuple[Any, np.ndarray]:
        rows = self.batch(index)[:, None]
        x, y = self.inputs[rows + self._before], self.targets[rows + self._after]
        if self.future is None:
            return x, y
        return {"x": x, "future": self.future[rows + self._after]}, y


def origins(length: int, window: int, horizon: int, *, start: int = 0) -> np.ndarray:
    """Every row from `start` on that has `window` rows before it and `horizon` from it on.

    Example:
        >>> origins(6, window=3, horizon=2)
        array([3, 4])
    """
    return np.arange(max(window, start), length - horizon + 1)


def naive(points: list[Origin], horizon: int, *, season: int) -> np.ndarray:
    """The seasonal naive forecasts: each step repeats the same step of the last season seen.

    With a season of 1 that is the last value. Nothing is filled in: where the repeated value is
    missing, or the series too short, the forecast is NaN.

    Args:
        points: Where to forecast from.
        horizon: Steps ahead.
        season: Steps after which a series repeats itself.

    Returns:
        `(windows, horizon, columns)`.

    Example:
        >>> naive([(np.array([[1.0], [2.0], [3.0]]), 3)], 3, season=2)[0, :, 0]
        array([2., 3., 2.])
    """
    ahead = np.arange(horizon)
    back = ahead - season * (ahead // season + 1)
    nothing = np.full((horizon, points[0][0].shape[1]), np.nan)
    return np.stack([row[o + back] if o >= season else nothing for row, o in points])


def rows_held_out(rows: int, fraction: float, window: int, horizon: int) -> int:
    """Rows held out at the end of a series: at least one horizon, unless the series is short."""
    count = round(fraction * rows)
    if fraction == 0 or rows - max(count, horizon) < window + horizon:
        return 0
    return max(count, horizon)
