"""What the trials of a search learn from and are scored on; the test part is not among it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold, TimeSeriesSplit

from kseq.data.dataset import Dataset, Part
from kseq.data.split import take
from kseq.errors import DataError, RecipeError
from kseq.estimators.labels import hold_out_labels, read_labels
from kseq.estimators.validation import draw_rows
from kseq.recipe import Recipe
from kseq.search.section import Search


@dataclass(frozen=True)
class Split:
    """One way to learn and to be scored.

    Args:
        train: What is learned from.
        valid: What training is watched on; None leaves it to the estimator to hold some out.
        scored: What the score is taken on.
    """

    train: Part
    valid: Part | None
    scored: Part


def splits(
    recipe: Recipe, settings: Search, data: Dataset, groups: Sequence[Any] | None = None
) -> list[Split]:
    """The splits of a search.

    Args:
        recipe: A filled recipe.
        settings: Its search section.
        data: The data; its test part is left alone.
        groups: The group of each training sequence, for `grouped`.

    Raises:
        DataError: If the data cannot be divided so.
        RecipeError: If trials were to be pruned and nothing is held out to watch.

    Example:
        >>> from kseq.search.section import Search
        >>> recipe = Recipe.from_dict({"task": "regression"}).fill()
        >>> data = Dataset(train=Part(X=np.zeros((10, 5, 1)), y=np.arange(10.0)))
        >>> found = splits(recipe, Search(space={}, cv="kfold", folds=5), data)
        >>> len(found), len(found[0].train.X), len(found[0].scored.X)
        (5, 8, 2)
    """
    if settings.prune and data.valid is None and not recipe.training["validation_fraction"]:
        raise RecipeError(
            "search.prune: watches the validation loss, but nothing is held out; give data.valid, "
            "or raise training.validation_fraction",
            recipe.source,
        )
    if settings.cv == "holdout" and data.valid is not None:
        return [Split(data.train, data.valid, data.valid)]
    if recipe.task["kind"] == "forecasting":
        return list(_of_series(recipe, settings, data.train))
    rows = list(_of_items(recipe, settings, data.train, groups))
    return [Split(take(data.train, r), data.valid, take(data.train, s)) for r, s in rows]


def _of_series(recipe: Recipe, settings: Search, part: Part) -> Iterator[Split]:
    """Divides series by time; of many, each at the same share."""
    need = recipe.task["window"] + recipe.task["horizon"]
    tables: Any = part.X if isinstance(part.X, list) else [part.X]
    lengths = [len(next(iter(table.values()))) for table in tables]
    if settings.cv == "holdout":
        ends = [(round((1 - settings.holdout) * n), n) for n in lengths]
        bounds = [ends]
    else:
        blocks = settings.folds + 1
        bounds = [
            [(n - (blocks - fold) * (n // blocks), n - (blocks - fold - 1) * (n // blocks))
             for n in lengths]
            for fold in range(1, blocks)
        ]  # fmt: skip
    for number, ends in enumerate(bounds):
        longest = int(np.argmax(lengths))
        start, stop = ends[longest]
        if start < need or stop - start < recipe.task["horizon"]:
            raise DataError(
                f"data: {lengths[longest]} rows leave {start} to learn from and {stop - start} to "
                f"be scored on in split {number + 1}, but task.window {recipe.task['window']} and "
                f"task.horizon {recipe.task['horizon']} need {need} and "
                f"{recipe.task['horizon']}; lower search.folds, or raise search.holdout"
            )
        yield Split(
            _rows(part, [slice(0, start) for start, _ in ends]),
            None,
            _rows(part, [slice(start, stop) for start, stop in ends]),
        )


def _rows(part: Part, where: Sequence[slice]) -> Part:
    """Some rows of each series."""
    tables: Any = part.X if isinstance(part.X, list) else [part.X]
    X = [
        {name: column[rows] for name, column in table.items()}
        for table, rows in zip(tables, where, strict=True)
    ]
    return Part(X=X if isinstance(part.X, list) else X[0])


def _of_items(
    recipe: Recipe, settings: Search, part: Part, groups: Sequence[Any] | None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows to learn from, and rows to be scored on."""
    if not isinstance(part.X, (np.ndarray, list)):
        raise DataError(
            "data: what is made on the fly cannot be divided; give a validation part and leave "
            "search.cv at holdout"
        )
    count, seed = len(part.X), recipe.seed
    labels: np.ndarray | None = None
    if recipe.task["kind"] == "classification":
        labels = np.unique(read_labels(part.y), return_inverse=True)[1]
    every = np.arange(count)
    if settings.cv == "holdout":
        rows, held = (
            draw_rows(count, settings.holdout, seed)
            if labels is None
            else hold_out_labels(labels, settings.holdout, seed)
        )
        if not len(held):
            raise DataError(
                f"data: search.holdout {settings.holdout:g} of {count} leaves nothing to be scored "
                "on; raise it, or give a validation part"
            )
        yield rows, held
        return
    least = settings.folds + (settings.cv == "time_series")
    if count < least:
        raise DataError(
            f"data: {count} training sequences, but search.folds {settings.folds} of cv "
            f"{settings.cv} need {least}"
        )
    if settings.cv == "grouped":
        if groups is None or len(groups) != count:
            there = 0 if groups is None else len(groups)
            raise DataError(f"search.groups: {there} groups for {count} training sequences")
        kinds = len({str(group) for group in groups})
        if kinds < settings.folds:
            raise DataError(f"search.groups: {kinds} groups for search.folds {settings.folds}")
        names = np.array([str(group) for group in groups])
        yield from GroupKFold(settings.folds).split(every, groups=names)
    elif settings.cv == "time_series":
        yield from TimeSeriesSplit(settings.folds).split(every)
    elif labels is not None and np.bincount(labels).min() >= settings.folds:
        yield from StratifiedKFold(settings.folds, shuffle=True, random_state=seed).split(
            every, labels
        )
    else:
        yield from KFold(settings.folds, shuffle=True, random_state=seed).split(every)
