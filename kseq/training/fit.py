"""Compiles a model and fits it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras

from kseq.errors import RecipeError, TrainingError
from kseq.recipe.training import Training
from kseq.training.adam import FusedAdam
from kseq.training.callbacks import BestWeights, FiniteGuard
from kseq.training.progress import Progress


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


def fit(
    model: keras.Model,
    train: keras.utils.PyDataset,
    valid: keras.utils.PyDataset | None,
    config: Training,
    *,
    loss: keras.losses.Loss | dict[str, keras.losses.Loss],
    metrics: Sequence[str] = (),
    score: Callable[[], float] | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> Outcome:
    """Trains a model in place.

    Args:
        model: An uncompiled model.
        train: Batches of training data, which bring their own order.
        valid: Batches of validation data, or None: then all epochs are run.
        config: The `training` section.
        loss: What is minimised.
        metrics: Keras metrics that are logged beside it.
        score: Scores the model as it stands on the validation data, the higher the better; logged
            as `val_score`, and the best epoch is the one with the best score. Without it, or with
            `monitor` set to `loss`, it is the one with the lowest validation loss; with `monitor`
            set to `score`, the one with the highest validation accuracy.
        callbacks: The caller's own callbacks; they come last.

    Raises:
        RecipeError: If the schedule follows the validation loss and there is no validation data.

    Returns:
        The outcome. A failure is reported there and not raised, because the model is usable.
    """
    if config.schedule == "plateau" and valid is None:
        raise RecipeError(
            "training.schedule: plateau follows the validation loss, but nothing is held out; "
            "give validation_data, raise training.validation_fraction, or choose 'cosine'"
        )
    updates = config.epochs * train.num_batches
    model.compile(
        optimizer=_optimizer(config, updates),
        loss=loss,
        metrics=list(metrics),
        jit_compile=False,  # XLA made the recurrent training loops slower wherever it was measured
    )
    # Variables that are made while the training step is traced would have it traced twice.
    model.optimizer.build(model.trainable_variables)
    guard = FiniteGuard()
    patience = config.patience if config.early_stopping else None
    metric = "accuracy" if config.monitor == "score" and score is None else None
    best = BestWeights(patience, None if config.monitor == "loss" else score, metric)
    progress = Progress() if config.verbose else None
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
    try:
        record = model.fit(
            train,
            validation_data=valid,
            epochs=config.epochs,
            shuffle=False,  # the batches bring their own seeded order
            verbose=0,
            callbacks=[*watch, *callbacks],
        )
    finally:
        if progress:
            progress.close()
    history = {name: [float(v) for v in values] for name, values in record.history.items()}
    best_epoch = len(history.get("loss", []))
    if best.weights is not None:
        model.set_weights(best.weights)
        best_epoch = best.epoch
    elif guard.failure and guard.good is not None:
        model.set_weights(guard.good)
        best_epoch = guard.good_epoch
    return Outcome(history, best_epoch, time.monotonic() - started, guard.failure)


def _optimizer(config: Training, updates: int) -> keras.optimizers.Optimizer:
    warmup = round(config.warmup * updates)
    rate: float | keras.optimizers.schedules.LearningRateSchedule = config.learning_rate
    if config.schedule == "cosine" or warmup:
        rate = keras.optimizers.schedules.CosineDecay(
            0.0 if warmup else config.learning_rate,
            decay_steps=max(1, updates - warmup),
            alpha=0.0 if config.schedule == "cosine" else 1.0,
            warmup_target=config.learning_rate if warmup else None,
            warmup_steps=warmup,
        )
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
