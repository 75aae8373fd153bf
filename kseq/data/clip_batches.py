"""Batches of windows over clips: the frames that a model sees, and those that it is to foretell."""

from __future__ import annotations

from typing import Any

import numpy as np

from kseq.data.clips import Clips
from kseq.data.windows import OriginBatches


class ClipBatches(OriginBatches):
    """Windows cut from clips when they are needed, never all at once.

    Clips that are drawn are others in every epoch where there is a seed, and stay the same without.

    Args:
        clips: The clips.
        origins: For each window its clip and the first frame to foretell, `(windows, 2)`.
        **how: `window`, `horizon`, `batch_size`, `seed` and `epochs`, see `OriginBatches`.
    """

    def __init__(self, clips: Clips, origins: np.ndarray, **how: Any) -> None:
        super().__init__(origins, **how)
        self.clips = clips

    def __getitem__(self, index: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """The raw frames seen and ahead, and those ahead again from 0 to 1, all float32."""
        frames = self.frames(index)
        x, future = frames[:, : self.window], frames[:, self.window :]
        return {"x": x, "future": future}, future / np.float32(self.clips.form.maximum)

    def frames(self, index: int) -> np.ndarray:
        """The whole windows of a batch, `(batch, window + horizon, ..., channels)`, float32."""
        rows, origins = self.batch(index).T
        epoch = 0 if self.seed is None else self.epoch
        starts, count = origins - self.window, self.window + self.horizon
        return self.clips.window(rows, starts, count, epoch=epoch).astype(np.float32)


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
