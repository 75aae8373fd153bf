"""The `training` section: names, types, defaults and ranges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from kseq.schema import Fraction, NonNegative, Positive

_LABELLING = {"classification": "cross-entropy", "tagging": "the likelihood of the tags"}

Epochs = Annotated[int, Field(gt=0, le=1_000_000)]


@dataclass(frozen=True, kw_only=True)
class Training:
    """How a model is trained.

    Args:
        epochs: Passes over the training data, at most.
        batch_size: Sequences or windows an update.
        learning_rate: Adam's step size, at its height.
        schedule: How the learning rate falls: `constant`, `cosine` to zero over all epochs, or
            `plateau`, halved when the validation loss has not fallen for a third of `patience`.
        warmup: Share of all updates over which the learning rate rises from zero.
        weight_decay: Decoupled weight decay (AdamW); 0 is plain Adam.
        clip_norm: The gradient is scaled down to this norm over all weights; None leaves it.
        loss: For regression, forecasting and video: squared, absolute or Huber error; for video
            also `bce`, the binary cross-entropy of pixels from 0 to 1. Classification and tagging
            have a loss of their own.
        label_smoothing: Share of the probability that the target spreads over all classes.
        mixup: Parameter of the Beta distribution by which pairs of training sequences are mixed
            (Zhang et al. 2018); 0 mixes none. Classification of equal lengths only.
        ema: Momentum of the moving average of the weights that the model ends with; 0 keeps the
            last or best weights as they are.
        validation_fraction: Share of the training data held out where `fit` gets no
            `validation_data`: the last rows of each series, or sequences drawn at random (for
            classes in proportion). 0 holds out nothing.
        early_stopping: Whether training ends once no epoch has been better on the validation data
            for `patience` epochs. The weights of the best epoch are kept either way.
        monitor: What the best epoch is the best in: `loss`; `score`, which is the accuracy, or for
            tags of spans their F1; or `auto`, which is the score for tagging and else the loss.
        patience: Epochs.
        verbose: Whether to show a progress bar.
    """

    epochs: Epochs = 100
    batch_size: Epochs = 32
    learning_rate: Positive = 1e-3
    schedule: Literal["constant", "cosine", "plateau"] = "constant"
    warmup: Fraction = 0.0
    weight_decay: NonNegative = 0.0
    clip_norm: Positive | None = 1.0
    loss: Literal["mse", "mae", "huber", "bce"] = "mse"
    label_smoothing: Fraction = 0.0
    mixup: NonNegative = 0.0
    ema: Fraction = 0.0
    validation_fraction: Fraction = 0.1
    early_stopping: bool = True
    monitor: Literal["auto", "loss", "score"] = "auto"
    patience: Epochs = 10
    verbose: bool = False


def conflicts(training: Mapping[str, Any], task: str) -> list[str]:
    """Mistakes in values that hold one by one, but not together or not for the task.

    Example:
        >>> conflicts({**vars(Training()), "mixup": 0.2}, "regression")
        ['training.mixup: is for classification alone, got 0.2']
    """
    mistakes = []
    if training["schedule"] == "plateau" and training["warmup"]:
        mistakes.append(
            "training.warmup: cannot be combined with schedule 'plateau'; choose 'constant' or "
            "'cosine', or warmup 0"
        )
    if task in _LABELLING and training["loss"] != "mse":
        mistakes.append(
            f"training.loss: {task} always takes {_LABELLING[task]}; leave it out, "
            f"got {training['loss']!r}"
        )
    elif task != "video" and training["loss"] == "bce":
        mistakes.append("training.loss: 'bce' is for video alone; choose 'mse', 'mae' or 'huber'")
    if task not in _LABELLING and training["monitor"] == "score":
        mistakes.append(
            "training.monitor: 'score' is for classification and tagging alone; choose 'loss' or "
            "'auto'"
        )
    if task != "classification" and training["mixup"]:
        mistakes.append(f"training.mixup: is for classification alone, got {training['mixup']!r}")
    if task not in _LABELLING and training["label_smoothing"]:
        mistakes.append(
            "training.label_smoothing: is for classification and tagging alone, got "
            f"{training['label_smoothing']!r}"
        )
    return mistakes
