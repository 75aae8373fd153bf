"""Looks whether the parts of a data set are what an estimator takes, before anything is trained."""

from __future__ import annotations

from typing import Any

import numpy as np

from kseq.data.clips import as_clips
from kseq.data.dataset import Dataset, Part
from kseq.errors import DataError, RecipeError
from kseq.estimators.base import Estimator
from kseq.estimators.forecaster import Forecaster
from kseq.estimators.video import VideoPredictor

# What a reader can give, and what could be done with it.
_GIVES = {
    "series": ("time series", "task.kind forecasting or another data.layout"),
    "sequences": ("sequences", "task.kind classification or regression"),
    "clips": ("clips", "task.kind video"),
    "texts": ("texts", "task.kind classification or regression"),
    "tagged": ("texts with a tag for each token", "task.kind tagging"),
}
# What a task takes, and what else would give it that.
_TAKES = {
    "forecasting": (["series"], "time series", ", or data.layout series"),
    # Lines that change with time are read as sequences.
    "video": (["clips", "sequences"], "clips", ", or data.reader clips"),
    "tagging": (
        ["tagged"],
        "texts with a tag for each token",
        ", or have tags read (data.tag of conll and conllu, data.spans or data.tags of jsonl)",
    ),
}
_TARGETS = (["sequences", "clips", "texts"], "sequences or texts with a target each", "")
# Tasks whose targets are what follows in the data itself.
AHEAD = (Forecaster, VideoPredictor)


def check_parts(estimator: Estimator, data: Dataset) -> None:
    """Looks whether the parts of the data are of the task's kind and can be scored.

    Raises:
        DataError: If they are not.
        RecipeError: If the recipe speaks of text and there is none.
    """
    task, given = estimator.task, _kind(data.train)
    taken, takes, instead = _TAKES.get(task, _TARGETS)
    gives, better = _GIVES[given]
    y = data.train.y
    if given not in taken:
        raise DataError(
            f"data: the reader gives {gives}, but task.kind {task} takes {takes}; use {better}"
            f"{instead}"
        )
    if getattr(estimator, "text", None) is not None and given in ("sequences", "clips"):
        raise RecipeError(
            "task.text: says how text becomes numbers, but the reader gives sequences of numbers; "
            "leave it out"
        )
    _check_fitted(estimator, data, given)
    if isinstance(estimator, Forecaster):
        horizon = int(estimator.horizon)
        if data.test is not None and _longest(data.test) < horizon:
            raise DataError(
                f"data: the test part has {_longest(data.test)} rows, but task.horizon is "
                f"{horizon}; no forecast can be scored on it"
            )
    if isinstance(estimator, VideoPredictor):
        _check_clips(estimator, data)
    if isinstance(estimator, AHEAD):
        return
    if y is None:
        raise DataError(
            f"data: the reader gives {gives} without targets, but task.kind {task} takes one each; "
            "say where they are, such as in data.target (csv), data.label (jsonl) or data.classes "
            "(clips)"
        )
    _check_steps(estimator, y)
    if task == "regression" and isinstance(y, np.ndarray) and y.dtype.kind == "U":
        raise DataError(
            f"data: the targets are text, such as {str(y.flat[0])!r}, but task.kind regression "
            "takes numbers; use task.kind classification"
        )
    if data.test is not None and data.test.y is None:
        raise DataError("the test part has no targets to score against")


def _check_clips(estimator: VideoPredictor, data: Dataset) -> None:
    """Looks whether the clips of the test can be scored, before anything is trained."""
    if data.test is None or hasattr(estimator, "form_"):  # a fitted one looks itself
        return
    task = estimator.recipe().fill().task
    how: dict[str, Any] = {
        "dimensions": task["dimensions"],
        "frames": task["window"] + task["horizon"],
    }
    form = as_clips(clips_of(data.train), name="train", **how).form
    as_clips(clips_of(data.test), fitted=form, name="test", **how)


def clips_of(part: Part) -> Any:
    """The clips of a part, by their names where they have some: messages then name the file."""
    return part.X if part.ids is None else dict(zip(part.ids, part.X, strict=True))


def _kind(part: Part) -> str:
    """What a part holds: a key of `_GIVES`."""
    first = part.X if isinstance(part.X, dict) else next(iter(part.X), None)
    if isinstance(first, dict):
        return "series"
    if not isinstance(first, (str, list)):
        return "clips" if getattr(first, "ndim", 2) > 2 else "sequences"
    # A tagging is a list of tags, or a pair of it and a label.
    tagged = isinstance(part.y, list) and isinstance(next(iter(part.y), None), (list, tuple))
    return "tagged" if tagged else "texts"


def _check_fitted(estimator: Estimator, data: Dataset, given: str) -> None:
    """Raises if a fitted model cannot be asked about data of this kind."""
    spec = getattr(estimator, "spec_", None)
    if spec is None or given == "series":
        return
    if spec.streams and given in ("sequences", "clips"):
        raise DataError("data: the reader gives numbers, but the model was fitted to text")
    if not spec.streams and given not in ("sequences", "clips"):
        raise DataError("data: the reader gives texts, but the model was fitted to numbers")
    y = data.train.y
    if given == "tagged" and spec.classes and isinstance(y, list) and not isinstance(y[0], tuple):
        raise DataError(
            "data: the reader gives tags alone, but the model was fitted to tags and a label for "
            "each text; say where it is in data.label"
        )


def _check_steps(estimator: Estimator, y: Any) -> None:
    """Raises if the targets are one a step and the task's one a sequence, or the reverse."""
    asked = getattr(estimator, "per_step", False)
    if estimator.task != "tagging" and not asked and isinstance(y, list):
        raise DataError(
            "data: the reader gives a target at every step, but the task takes one a sequence; set "
            "data.per_step to false, or task to {kind: regression, per_step: true}"
        )
    if asked and isinstance(y, np.ndarray) and y.ndim == 1:
        raise DataError(
            "data: the reader gives a target for each sequence, but task.per_step asks for one at "
            "every step; set task.per_step to false, or data.per_step to true"
        )


def _longest(part: Part) -> int:
    """Rows of the longest series of a part."""
    tables: Any = [part.X] if isinstance(part.X, dict) else part.X
    return max(len(next(iter(table.values()))) for table in tables)
