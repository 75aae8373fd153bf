"""Batches in a seeded order, padded to their own longest sequence."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from kseq.data.sequences import Sequences

_POOL = 50  # batches that are sorted by length together


class SequenceBatches(keras.utils.PyDataset):
    """Sequences and their targets, a batch at a time.

    Where lengths differ, sequences of similar length share a batch. The order of epoch `e` depends
    on `(seed, e)` alone.

    Args:
        sequences: The sequences.
        targets: `(n, outputs)`, or a list of `(time, outputs)`, one target a step.
        batch_size: Sequences a batch.
        ragged: Whether the model takes `lengths`.
        seed: Of the order of every epoch; None keeps the given order.
        mixup: Parameter of the Beta distribution that sequences are mixed by; 0 mixes none.
    """

    def __init__(
        self,
        sequences: Sequences,
        targets: np.ndarray | list[np.ndarray],
        *,
        batch_size: int,
        ragged: bool,
        seed: int | None = None,
        mixup: float = 0.0,
    ) -> None:
        super().__init__()
        self.sequences = sequences
        self.targets = targets
        self.batch_size = batch_size
        self.ragged = ragged
        self.seed = seed
        self.mixup = mixup
        self.epoch = 0
        self._plan()

    @property
    def num_batches(self) -> int:
        """Batches an epoch."""
        return len(self._batches)

    def __len__(self) -> int:
        return self.num_batches

    def __getitem__(self, index: int) -> tuple[Any, np.ndarray]:
        rows = self._batches[index]
        x = self.sequences.padded(rows, self._spare(index))
        y = self._targets(rows, x.shape[1])
        if self.ragged:
            return {"x": x, "lengths": self.sequences.lengths[rows].astype(np.int32)}, y
        if self.mixup:
            x, y = self._mix(index, x, y)
        return x, y

    def on_epoch_end(self) -> None:
        """Draws the order of the next epoch."""
        self.epoch += 1
        self._plan()

    def _plan(self) -> None:
        order = np.arange(len(self.sequences))
        rng = np.random.default_rng([self.seed or 0, self.epoch])
        if self.seed is not None:
            order = rng.permutation(order)
            if self.ragged:
                pools = np.array_split(order, -(-len(order) // (_POOL * self.batch_size)))
                lengths = self.sequences.lengths
                order = np.concatenate(
                    [pool[np.argsort(lengths[pool], kind="stable")] for pool in pools]
                )
        cuts = np.arange(self.batch_size, len(order), self.batch_size)
        self._batches = np.split(order, cuts)
        if self.seed is not None and self.ragged:
            self._batches = [self._batches[i] for i in rng.permutation(len(self._batches))]

    def _spare(self, index: int) -> int:
        """Steps of padding that a batch has beyond its longest sequence.

        Keras fixes the axes that agree in the first two batches. Where these are equally long, one
        more step in the first, which the mask hides, leaves the time axis free.
        """
        if index or not self.ragged or self.num_batches < 2:
            return 0
        first, second = (self.sequences.lengths[rows].max() for rows in self._batches[:2])
        return int(first == second)

    def _targets(self, rows: np.ndarray, time: int) -> np.ndarray:
        if isinstance(self.targets, np.ndarray):
            return self.targets[rows].astype(np.float32)
        y = np.full((len(rows), time, self.targets[0].shape[-1]), np.nan, np.float32)
        for place, row in zip(y, rows, strict=True):
            place[: len(self.targets[row])] = self.targets[row]
        return y

    def _mix(self, index: int, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng([self.seed or 0, self.epoch, index])
        other = rng.permutation(len(x))
        share = rng.beta(self.mixup, self.mixup, len(x)).astype(np.float32)
        mix_x, mix_y = share[:, None, None], share[:, None]
        return mix_x * x + (1 - mix_x) * x[other], mix_y * y + (1 - mix_y) * y[other]
