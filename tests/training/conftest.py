"""A linear model and batches that can be made to go wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest


class Rows(keras.utils.PyDataset):
    """The same batches every epoch; `poison` puts NaN into the targets of one batch."""

    def __init__(self, batches: int = 4, poison: tuple[int, int] | None = None) -> None:
        super().__init__()
        rng = np.random.default_rng(0)
        self.x = rng.normal(size=(batches, 6, 3)).astype("float32")
        self.y = (self.x.sum(axis=-1, keepdims=True) + 1).astype("float32")
        self.poison = poison
        self.epoch = 1

    @property
    def num_batches(self) -> int:
        return len(self.x)

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        x, y = self.x[index], self.y[index]
        return (x, y * np.nan) if (self.epoch, index + 1) == self.poison else (x, y)


class Clock(keras.callbacks.Callback):
    """Tells data the epoch; Keras ends epochs of its data more often than it trains."""

    def __init__(self, *data: Any) -> None:
        super().__init__()
        self.data = data

    def on_epoch_begin(self, epoch, logs=None):
        for data in self.data:
            data.epoch = epoch + 1


class Watch(keras.callbacks.Callback):
    """Notes weights and learning rate after every batch and epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[list[np.ndarray]] = []
        self.epochs: list[list[np.ndarray]] = []
        self.rates: list[float] = []

    def on_train_batch_end(self, batch, logs=None):
        self.batches.append(self.model.get_weights())
        self.rates.append(float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)))

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append(self.model.get_weights())


@pytest.fixture
def linear() -> Callable[[], keras.Model]:
    """Makes the same untrained linear model each time."""

    def make() -> keras.Model:
        x = keras.Input((3,), name="x")
        ones = keras.initializers.Constant(0.5)
        out = keras.layers.Dense(1, name="scores", kernel_initializer=ones)(x)
        return keras.Model(x, out)

    return make


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture(scope="session")
def clock() -> type[Clock]:
    return Clock


@pytest.fixture(scope="session")
def rows() -> type[Rows]:
    return Rows
