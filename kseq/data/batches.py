"""Batches in a seeded order, padded to their own longest sequence."""

from __future__ import annotations

from typing import Any, TypeAlias

import keras
import numpy as np

from kseq.data.sequences import Sequences
from kseq.data.text_sequences import TextSequences

Targets: TypeAlias = np.ndarray | list[np.ndarray]

_POOL = 50  # batches that are sorted by length together


class SequenceBatches(keras.utils.PyDataset):
    """Sequences and their targets, a batch at a time.

    Where lengths differ, sequences of similar length share a batch. The order of epoch `e`,
    counted from 1, depends on `(seed, e)` alone.

    Args:
        sequences: The sequences, numbers or text.
        targets: `(n, outputs)`; a list of `(time, outputs)`, one target a step, or of `(time,)`
            ids; or a dict of both kinds by the names of the model's outputs.
        batch_size: Sequences a batch.
        ragged: Whether the model takes `lengths`.
        weights: How much each sequence counts, `(n,)`, or each of its steps, a list of `(time,)`;
            or a dict of both kinds by the names of the model's outputs.
        seed: Of the order of every epoch; None keeps the given order.
        epochs: Epochs that were run before.
        mixup: Parameter of the Beta distribution that sequences are mixed by; 0 mixes none.
    """

    def __init__(
        self,
        sequences: Sequences | TextSequences,
        targets: Targets | dict[str, Targets],
        *,
        batch_size: int,
        ragged: bool,
        weights: Targets | dict[str, Targets] | None = None,
        seed: int | None = None,
        epochs: int = 0,
        mixup: float = 0.0,
    ) -> None:
        super().__init__()
        self.sequences = sequences
        self.targets = targets
        self.batch_size = batch_size
        self.ragged = ragged
        self.seed = seed
        self.mixup = mixup
        self.weights = weights
        self.epoch = epochs + 1
        self._plan()

    @property
    def num_batches(self) -> int:
        """Batches an epoch."""
        return len(self._batches)

    @property
    def padding(self) -> float:
        """The share of an epoch's steps that are padding."""
        lengths = self.sequences.lengths
        steps = sum(len(rows) * int(lengths[rows].max()) for rows in self._batches)
        return 1 - int(lengths.sum()) / max(1, steps)

    def __len__(self) -> int:
        return self.num_batches

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        rows = self._batches[index]
        inputs = self._inputs(index)
        time = next(iter(inputs.values())).shape[1]
        if isinstance(self.targets, dict):
            y: Any = {name: _padded(each, rows, time) for name, each in self.targets.items()}
        else:
            y = _padded(self.targets, rows, time)
        x = inputs if self.ragged else inputs["x"]
        weights: Any = None
        if isinstance(self.weights, dict):
            weights = {name: _padded(w, rows, time, 0) for name, w in self.weights.items()}
        elif self.weights is not None:
            weights = _padded(self.weights, rows, time, 0)
        if self.mixup:
            x, y, weights = self._mix(index, x, y, weights)
        return (x, y) if weights is None else (x, y, weights)

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

    def _inputs(self, index: int) -> dict[str, np.ndarray]:
        seeds = None if self.seed is None else [self.seed, self.epoch, index]
        rng = None if seeds is None else np.random.default_rng(seeds)
        return self.sequences.inputs(self._batches[index], rng=rng)

    def _mix(self, index: int, x: Any, y: Any, weights: Any) -> tuple[Any, Any, Any]:
        rng = np.random.default_rng([self.seed or 0, self.epoch, index])
        other = rng.permutation(len(x))
        share = rng.beta(self.mixup, self.mixup, len(x)).astype(np.float32)
        mix_x, mix_y = share.reshape(-1, *[1] * (x.ndim - 1)), share[:, None]
        x = mix_x * x + (1 - mix_x) * x[other]
        if weights is not None:  # the two losses are mixed, each with its own weight
            mixed = share * weights + (1 - share) * weights[other]
            mix_y = (share * weights / mixed)[:, None]
            weights = mixed
        return x, mix_y * y + (1 - mix_y) * y[other], weights


def _padded(targets: Targets, rows: np.ndarray, time: int, absent: float = np.nan) -> np.ndarray:
    """The targets of `rows`; where a step has none, what is absent: for ids that is -1."""
    if isinstance(targets, np.ndarray):
        return targets[rows].astype(np.float32)
    first = targets[0]
    shape = (len(rows), time, *first.shape[1:])
    ids = first.dtype.kind in "iu"
    y = np.full(shape, -1, np.int32) if ids else np.full(shape, absent, np.float32)
    for place, row in zip(y, rows, strict=True):
        place[: len(targets[row])] = targets[row]
    return y
