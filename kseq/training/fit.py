"""Compiles a model once and fits it, again and again."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from kseq.errors import RecipeError, TrainingError
from kseq.recipe.training import Training
from kseq.training.adam import FusedAdam
from kseq.training.callbacks import BestWeights, FiniteGuard
from kseq.training.loop import Loop, copied
from kseq.training.progress import Progress
from kseq.training.schedule import CosineSchedule


@dataclass(frozen=True)
class Outcome:
    """What a training came to.

    Args:
        history: Losses and metrics by epoch; those of the validation data start with `val_`.
        best_epoch: The epoch whose weights the model has, counted from 1.
        seconds: Wall time.
        failure: Why training had to stop, if it had to. The model has the last good weights.
    """

    history: dict[str, list[float]]
    best_epoch: int
    seconds: float
    failure: str | None = None

    @property
    def epochs(self) -> int:
        """Epochs that were run."""
        return len(self.history.get("loss", []))

    def raise_failure(self) -> None:
        """Raises the failure, if there is one.

        Raises:
            TrainingError: If the training stopped on a loss or weight that was not finite.
        """
        if self.failure:
            raise TrainingError(
                f"{self.failure}; the model keeps the weights of epoch {self.best_epoch}. "
                "Lower training.learning_rate or training.clip_norm, or look for extreme values "
                "in the data"
            )


class Trainer:
    """Trains one model in place, as often as it is asked to.

    A model is compiled and its training step traced once; another training starts from optimizer
    variables as good as new. Only settings that stand in the traced step itself compile it anew.

    Args:
        model: An uncompiled model.
    """

    def __init__(self, model: keras.Model) -> None:
        self.model = model
        self._compiled: Any = None  # what stands in the traced step
        self._fresh: list[np.ndarray] = []  # the optimizer's variables before the first step
        self._schedule = CosineSchedule()
        self._loop = Loop(model)

    def fit(
        self,
        train: keras.utils.PyDataset,
        valid: keras.utils.PyDataset | None,
        config: Training,
        *,
        loss: keras.losses.Loss | dict[str, keras.losses.Loss],
        metrics: Sequence[str] = (),
        score: Callable[[], float] | None = None,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        onward: bool = False,
    ) -> Outcome:
        """Trains the model from the weights it has.

        Args:
            train: Batches of training data, which bring their own order.
            valid: Batches of validation data, or None: then all epochs are run.
            config: The `training` section.
            loss: What is minimised.
            metrics: Keras metrics that are logged beside it, weighted as the loss is.
            score: Scores the model as it stands on the validation data, the higher the better;
                logged as `val_score`, and the best epoch is the one with the best score. Without
                it, or with `monitor` set to `loss`, it is the one with the lowest validation loss;
                with `monitor` set to `score`, the one with the highest validation accuracy.
            callbacks: The caller's own callbacks; they come last.
            onward: Whether the optimizer goes on from the state of the last training.

        Raises:
            RecipeError: If the schedule follows the validation loss and there is no validation
                data.

        Returns:
            The outcome. A failure is reported there and not raised, because the model is usable.
        """
        if config.schedule == "plateau" and valid is None:
            raise RecipeError(
                "training.schedule: plateau follows the validation loss, but nothing is held out; "
                "give validation_data, raise training.validation_fraction, or choose 'cosine'"
            )
        self._compile(config, loss, metrics)
        if not onward:
            self._start(config, config.epochs * train.num_batches)
        elif not _scheduled(config):
            self.model.optimizer.learning_rate = config.learning_rate
        guard = FiniteGuard()
        patience = config.patience if config.early_stopping else None
        metric = "accuracy" if config.monitor == "score" and score is None else None
        best = BestWeights(patience, None if config.monitor == "loss" else score, metric)
        progress = Progress(padding=getattr(train, "padding", 0.0)) if config.verbose else None
        watch: list[keras.callbacks.Callback] = [guard]
        if valid is not None:
            watch.append(best)
            if config.ema:
                watch.append(keras.callbacks.SwapEMAWeights())
            if config.schedule == "plateau":
                wait = math.ceil(config.patience / 3)
                watch.append(keras.callbacks.ReduceLROnPlateau(factor=0.5, patience=wait))
        watch += [progress] if progress else []
        started = time.monotonic()
        told = [shown for shown in (progress, *callbacks) if isinstance(shown, Progress)]
        if told:
            told[0].expect(self._loop.rehearse(train, valid, config.epochs), config.epochs)
        try:
            history = self._loop.run(
                train, valid, epochs=config.epochs, callbacks=[*watch, *callbacks]
            )
        finally:
            if progress:
                progress.close()
        best_epoch = len(history.get("loss", []))
        if best.weights is not None:
            self.model.set_weights(best.weights)
            best_epoch = best.epoch
        elif guard.failure and guard.good is not None:
            self.model.set_weights(guard.good)
            best_epoch = guard.good_epoch
        return Outcome(history, best_epoch, time.monotonic() - started, guard.failure)

    def _compile(self, config: Training, loss: Any, metrics: Sequence[str]) -> None:
        losses = loss if isinstance(loss, dict) else {"": loss}
        step = (
            {name: (type(each), each.get_config()) for name, each in losses.items()},
            list(metrics),
            (config.weight_decay, config.clip_norm, config.ema, _scheduled(config)),
        )
        if step == self._compiled:
            return
        rate = self._schedule if _scheduled(config) else config.learning_rate
        self.model.compile(
            optimizer=_optimizer(config, rate),
            loss=loss,
            weighted_metrics=list(metrics),
            jit_compile=False,  # XLA made the recurrent training loops slower wherever measured
        )
        self._loop = Loop(self.model)
        # Variables that are made while the training step is traced would have it traced twice.
        self.model.optimizer.build(self.model.trainable_variables)
        self._fresh = copied(self.model.optimizer.variables)
        self._compiled = step

    def _start(self, config: Training, updates: int) -> None:
        """Sets the optimizer back to its first step."""
        optimizer = self.model.optimizer
        for variable, value in zip(optimizer.variables, self._fresh, strict=True):
            variable.assign(value)
        if not _scheduled(config):
            optimizer.learning_rate = config.learning_rate
            return
        warmup = round(config.warmup * updates)
        floor = 0.0 if config.schedule == "cosine" else 1.0
        decay = max(1, updates - warmup)
        self._schedule.set(config.learning_rate, decay=decay, warmup=warmup, floor=floor)


def _scheduled(config: Training) -> bool:
    """Whether the learning rate is a function of the step."""
    return config.schedule == "cosine" or config.warmup > 0


def _optimizer(config: Training, rate: Any) -> keras.optimizers.Optimizer:
    optimizer = FusedAdam(
        rate,
        weight_decay=config.weight_decay or None,
        global_clipnorm=config.clip_norm,
        use_ema=bool(config.ema),
        ema_momentum=config.ema or 0.99,
    )
    if not config.weight_decay:
        return optimizer
    # Decay shrinks kernels; a bias or a scale has no reason to be small.
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta", "peephole"])
    return optimizer
