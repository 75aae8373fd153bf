"""Batches of windows over clips: the frames that a model sees, and those that it is to foretell."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from kseq.data.clips import Clips


class ClipBatches(keras.utils.PyDataset):
    """Windows cut from clips when they are needed, never all at once.

    Args:
        clips: The clips.
        origins: For each window its clip and the first frame to foretell, `(windows, 2)`.
        window: Frames seen.
        horizon: Frames foretold.
        batch_size: Windows a batch.
        seed: Of the order of every epoch; None keeps the order, and with it the clips that are
            drawn.
        epochs: Epochs that were run before.
    """

    def __init__(
        self,
        clips: Clips,
        origins: np.ndarray,
        *,
        window: int,
        horizon: int,
        batch_size: int,
        seed: int | None = None,
        epochs: int = 0,
    ) -> None:
        super().__init__()
        self.clips = clips
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

    def __getitem__(self, index: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """The raw frames seen and ahead, and those ahead again from 0 to 1, all float32."""
        frames = self.frames(slice(index * self.batch_size, (index + 1) * self.batch_size))
        x, future = frames[:, : self.window], frames[:, self.window :]
        return {"x": x, "future": future}, future / np.float32(self.clips.form.maximum)

    def frames(self, places: slice) -> np.ndarray:
        """Whole windows, `(batch, window + horizon, ..., channels)`, float32."""
        rows, origins = self._order[places].T
        epoch = 0 if self.seed is None else self.epoch
        starts, count = origins - self.window, self.window + self.horizon
        return self.clips.window(rows, starts, count, epoch=epoch).astype(np.float32)

    def on_epoch_end(self) -> None:
        """Draws the order of the next epoch."""
        self.epoch += 1
        self._order = self._draw()

    def _draw(self) -> np.ndarray:
        if self.seed is None:
            return self.origins
        order: Any = np.random.default_rng([self.seed, self.epoch]).permutation(self.origins)
        return order


def clip_origins(lengths: np.ndarray, window: int, horizon: int, *, stride: int = 1) -> np.ndarray:
    """The clip and the first frame to foretell of every window, `(windows, 2)`.

    Example:
        >>> clip_origins(np.array([5, 6]), window=3, horizon=2).tolist()
        [[0, 3], [1, 3], [1, 4]]
    """
    found = [
        (row, origin)
        for row, length in enumerate(lengths)
        for origin in range(window, length - horizon + 1, stride)
    ]
    return np.array(found, dtype=int).reshape(-1, 2)
