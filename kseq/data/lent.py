"""Batches that are lent to a training and taken back after it."""

from __future__ import annotations

from typing import Any

import keras


class LentBatches(keras.utils.PyDataset):
    """Passes on to batches until they are taken back.

    On TensorFlow, Keras' generator of batches is never forgotten by the process, and with it
    whatever it refers to; without this, that would be the data of every fit.

    Args:
        batches: The batches.
    """

    def __init__(self, batches: keras.utils.PyDataset) -> None:
        super().__init__()
        self._batches: keras.utils.PyDataset | None = batches

    def take_back(self) -> None:
        """Forgets the batches."""
        self._batches = None

    @property
    def num_batches(self) -> int:
        """Batches an epoch."""
        return int(self._lent.num_batches)

    def __getitem__(self, index: int) -> Any:
        return self._lent[index]

    def on_epoch_end(self) -> None:
        """Draws the order of the next epoch."""
        self._lent.on_epoch_end()

    @property
    def _lent(self) -> keras.utils.PyDataset:
        if self._batches is None:
            raise RuntimeError("these batches were taken back")
        return self._batches
