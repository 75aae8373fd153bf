"""What a report says beside the score: where the data came from and how the training went."""

from __future__ import annotations

import platform
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from kseq.data.dataset import Dataset, Part
from kseq.data.moving_digits import MovingDigits
from kseq.data.texts import as_texts
from kseq.estimators.base import Estimator
from kseq.estimators.forecaster import Forecaster
from kseq.estimators.intervals import IntervalEstimator
from kseq.estimators.video import VideoPredictor
from kseq.tags import scheme_of, spans

LIBRARIES = ("kseq", "keras", "tensorflow", "numpy", "scikit-learn")


def facts(estimator: Estimator, data: Dataset) -> dict[str, Any]:
    """The facts of a run; see `kseq.report.card.model_card` for what is made of them.

    Args:
        estimator: The fitted estimator.
        data: What it was fitted to and tested on.
    """
    parts = {"train": data.train, "valid": data.valid, "test": data.test}
    present = {name: part for name, part in parts.items() if part is not None}

    def each(count: Callable[[Part], int]) -> dict[str, int]:
        return {name: count(part) for name, part in present.items()}

    known: dict[str, Any] = {
        "files": dict(data.files),
        "parameters": estimator.model_.count_params(),
        "epochs": estimator.n_iter_,
        "best_epoch": estimator.best_epoch_,
        "seconds": round(estimator.fit_seconds_, 1),
        "seed": estimator.recipe_.seed,
        "machine": f"{platform.system()} {platform.machine()}",
        "versions": {"python": platform.python_version(), **{n: version(n) for n in LIBRARIES}},
    }
    if estimator.spec_.streams:
        tokenizer = estimator.vocabulary_.options.tokenizer
        tags = estimator.spec_.tags
        known["texts"] = each(lambda part: len(part.X))
        known["tokens"] = each(lambda part: int(as_texts(part.X, tokenizer).lengths.sum()))
        known["tokenizer"], known["fitted_on"] = tokenizer, estimator.fitted_on_
        known["vocabulary"] = dict(estimator.spec_.streams)
        if tags:
            known["tags"] = list(tags)
        scheme = scheme_of(tags)
        if scheme:
            reading = estimator.recipe_.task["reading"]
            known["spans"] = each(
                lambda part: sum(
                    len(spans(row, reading=reading, scheme=scheme)) for row in taggings(part.y)
                )
            )
    elif isinstance(estimator, VideoPredictor):
        known["clips"] = each(lambda part: len(part.X))
        known["frames"] = each(_steps)
        known["frame"] = list(estimator.form_.shape)
    else:
        known["steps"] = each(_steps)
        if not isinstance(estimator, Forecaster):
            known["sequences"] = each(lambda part: len(part.X))
    if getattr(estimator, "classes_", None) is not None:
        known["classes"] = estimator.classes_.tolist()
    if hasattr(estimator, "targets_"):
        known["targets"] = list(estimator.targets_)
    missing = no_intervals(estimator)
    if missing:
        known["limits"] = [missing]
    return known


def no_intervals(estimator: Estimator) -> str:
    """Why there are no prediction intervals, and what to do; empty where that is as asked for."""
    reason = estimator.without_interval() if isinstance(estimator, IntervalEstimator) else ""
    if not reason:
        return ""
    return (
        f"There are no prediction intervals: task.interval {reason}; give the data a larger "
        "validation part, or where it has none raise training.validation_fraction."
    )


def taggings(y: Any) -> list[list[str]]:
    """The tags of each text, without the labels that may stand beside them.

    Example:
        >>> taggings([(["O", "B-city"], "flight")])
        [['O', 'B-city']]
    """
    return [list(item[0] if isinstance(item, tuple) else item) for item in y]


def _steps(part: Part) -> int:
    """Time steps in all sequences, series or clips of a part."""
    if isinstance(part.X, MovingDigits):
        return len(part.X) * part.X.frames
    items = [part.X] if isinstance(part.X, dict) else part.X
    return sum(len(next(iter(i.values())) if isinstance(i, dict) else i) for i in items)
