"""The Keras models of an estimator, and their reuse by the next fit.

Building a model, compiling it and tracing its training step takes longer than many a training, and
Keras keeps some memory of every model. So an estimator has its models on loan: when it is fitted
again, or is gone, the next fit of the same architecture takes them, with weights, optimizer and
seeds as good as new. No two estimators ever share a model.
"""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from kseq.inference import Forward
from kseq.training import Trainer, copied

_IDLE = 4  # models that wait for a next fit, at most


@dataclass(eq=False)
class Models:
    """The models of one estimator, over the same layers.

    Args:
        network: The builder's model.
        trainable: From raw input to scores; this one is trained.
        servable: From raw input to finished output; this one predicts and is saved.
        parts: What else an estimator asks.
        bounded: The servable model with bounds around its predictions, for estimators that have
            them.
    """

    network: keras.Model
    trainable: keras.Model
    servable: keras.Model
    parts: Any = None
    bounded: keras.Model | None = None

    def __post_init__(self) -> None:
        self.trainer = Trainer(self.trainable)
        self.forward = Forward(self.servable)
        self.derived: dict[str, Any] = {}  # by others, who need them again
        self.seed: int | None = None
        self.shown = False  # to somebody who may still look when the estimator is gone
        every = [*(self.bounded or self.servable).variables, *self.trainable.variables]
        self._variables = list({id(variable): variable for variable in every}.values())
        self._fresh: list[np.ndarray] = []

    def keep(self, seed: int) -> None:
        """Keeps the variables as they are, as those of `seed`: what `renew` goes back to."""
        self.seed = seed
        self._fresh = copied(self._variables)

    def renew(self) -> None:
        """Weights, states and seeds are what they were when they were kept."""
        for variable, value in zip(self._variables, self._fresh, strict=True):
            variable.assign(value)

    def take_over(self, network: keras.Model, seed: int) -> None:
        """As `renew`, but with the weights and seeds of a network that was drawn by `seed`."""
        self.renew()
        for mine, other in zip(self.network.variables, network.variables, strict=True):
            mine.assign(other)
        self.keep(seed)


class Loan:
    """Models that one estimator has, until it lets go of this.

    Args:
        models: The models.
        give_back: What is done with them then, unless they were shown.
    """

    def __init__(self, models: Models, give_back: Callable[[Models], None]) -> None:
        self.models = models
        finalizer = weakref.finalize(self, give_back, models)
        finalizer.atexit = False


class Pool:
    """Models that nobody has, by architecture; those that waited longest go first."""

    def __init__(self) -> None:
        self._idle: OrderedDict[int, tuple[Hashable, Models]] = OrderedDict()
        self._lock = threading.RLock()  # a finalizer may run while it is held

    def lend(
        self,
        architecture: Hashable,
        seed: int,
        draw: Callable[[], keras.Model],
        assemble: Callable[[keras.Model], Models],
    ) -> Loan:
        """Models of that architecture, as good as newly built.

        Args:
            architecture: What decides the models, but not their weights.
            seed: What decides their weights.
            draw: Builds the network; all that is random in it follows the seed.
            assemble: Makes the models around it.
        """
        models = self._take(architecture)
        if models is None:
            models = assemble(draw())
            models.keep(seed)
        elif models.seed == seed:
            models.renew()
        else:
            models.take_over(draw(), seed)
        return Loan(models, lambda models: self._give(architecture, models))

    def clear(self) -> None:
        """Forgets all models that nobody has."""
        with self._lock:
            self._idle.clear()

    def _take(self, architecture: Hashable) -> Models | None:
        with self._lock:
            for key, (found, models) in self._idle.items():
                if found == architecture:
                    del self._idle[key]
                    return models
        return None

    def _give(self, architecture: Hashable, models: Models) -> None:
        if models.shown:
            return
        with self._lock:
            self._idle[id(models)] = (architecture, models)
            while len(self._idle) > _IDLE:
                self._idle.popitem(last=False)


POOL = Pool()
