"""What watches over a training: the guard against NaN, and the keeper of the best weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

Weights = list[np.ndarray]


class FiniteGuard(keras.callbacks.Callback):
    """Stops at the first loss that is not finite, with the last good weights in hand.

    A loss is computed before the update that ruins the weights, and at the end of the epoch it is
    too late; so the guard keeps a copy of the weights of every epoch that ended well. It must
    stand first in the list, before any callback that writes weights anywhere.
    """

    def __init__(self) -> None:
        super().__init__()
        self.good: Weights | None = None
        self.good_epoch = 0  # counted from 1; 0 is the untrained model
        self.failure: str | None = None
        self._epoch = 0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.good = self.model.get_weights()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch + 1

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        loss = float((logs or {}).get("loss", 0.0))
        if not math.isfinite(loss):
            self._stop(f"the loss became {loss} in epoch {self._epoch}, batch {batch + 1}")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self.failure:
            return
        weights = self.model.get_weights()
        if all(np.isfinite(weight).all() for weight in weights):
            self.good, self.good_epoch = weights, epoch + 1
        else:
            self._stop(f"a weight was no longer finite after epoch {epoch + 1}")

    def _stop(self, failure: str) -> None:
        self.failure = self.failure or failure
        self.model.stop_training = True


class BestWeights(keras.callbacks.Callback):
    """Keeps the weights of the best epoch on the validation data, and knows when to stop.

    The weights are taken at the end of the validation, not of the epoch: with a moving average of
    the weights, that is when the average stands in the model.

    Args:
        patience: Epochs without a better one after which training ends; None never ends it.
        score: Scores the model as it stands, the higher the better, and of equal scores the one
            with the lower loss; None takes the validation loss alone.
        metric: A metric of the validation that is the score, in place of `score`.
    """

    def __init__(
        self,
        patience: int | None,
        score: Callable[[], float] | None = None,
        metric: str | None = None,
    ) -> None:
        super().__init__()
        self.patience = patience
        self.score = score
        self.metric = metric
        self.best = (-math.inf, -math.inf)  # score and negative loss
        self.epoch = 0  # counted from 1
        self.weights: Weights | None = None
        self._value = self.best
        self._candidate: Weights | None = None

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        loss = float((logs or {}).get("loss", math.inf))
        if not math.isfinite(loss):
            self._value = (-math.inf, -math.inf)
            return
        score = float((logs or {})[self.metric]) if self.metric else 0.0
        self._value = (self.score() if self.score else score, -loss)
        if self._value > self.best:
            self._candidate = self.model.get_weights()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self.score is not None and logs is not None:
            logs["val_score"] = self._value[0]
        if self._candidate is not None:
            self.best, self.epoch, self.weights = self._value, epoch + 1, self._candidate
        elif self.patience is not None and epoch + 1 - self.epoch >= self.patience:
            self.model.stop_training = True
        self._candidate = None
