"""A run: one training from a recipe.

It ends in a published artefact with its report, or in an error that leaves nothing behind.
"""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kseq.data.dataset import Dataset, Part
from kseq.data.home import search_in
from kseq.errors import ArtefactError, DataError, RecipeError
from kseq.estimators.base import Estimator
from kseq.estimators.forecaster import Forecaster
from kseq.estimators.load import from_recipe
from kseq.metrics.evaluation import Evaluation
from kseq.recipe import Recipe
from kseq.registry import readers
from kseq.report.write import write_report

LIBRARIES = ("kseq", "keras", "tensorflow", "numpy", "scikit-learn")


@dataclass(frozen=True)
class Run:
    """What a run came to.

    Args:
        recipe: The filled recipe.
        estimator: The fitted estimator.
        evaluation: Its score on the test part; None where the data has none.
        path: The folder of the published version; None where nothing was to be published.
    """

    recipe: Recipe
    estimator: Estimator
    evaluation: Evaluation | None
    path: Path | None


def train(
    recipe: Recipe | Mapping[str, Any] | str | Path,
    *,
    output: str | Path | None = "saved_models",
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> Run:
    """Trains, scores, reports and publishes what a recipe describes.

    Args:
        recipe: A recipe with a `data` section, its values, or the path of its file.
        output: The folder that the artefact's folder lies in; None publishes nothing.
        callbacks: Keras callbacks.

    Raises:
        RecipeError: If the recipe does not hold.
        DataError: If the data cannot be read or used.
        TrainingError: If the loss stopped being finite. Nothing is published then.
        ArtefactError: If the artefact cannot be written or does not serve what was trained.
    """
    recipe = as_recipe(recipe)
    filled = recipe.fill()
    if output is not None:
        _check_output(Path(output) / filled.name)
    data = read_data(recipe)
    estimator = from_recipe(recipe)
    _check_parts(estimator, data)
    valid = None
    if data.valid is not None:
        valid = data.valid.X if isinstance(estimator, Forecaster) else (data.valid.X, data.valid.y)
    estimator.fit(data.train.X, data.train.y, validation_data=valid, callbacks=callbacks)
    evaluation = evaluate(estimator, data)
    if output is None:
        return Run(filled, estimator, evaluation, None)
    with tempfile.TemporaryDirectory(prefix="kseq-") as folder:
        write_report(
            folder,
            recipe=filled.to_dict(),
            evaluation=evaluation,
            history=estimator.history_,
            facts=facts(estimator, data),
            **_context(estimator, data, evaluation),
        )
        published = _with_columns(filled, data)
        path = estimator.save(Path(output) / filled.name, recipe=published, report=folder)
    return Run(filled, estimator, evaluation, path)


def _check_output(folder: Path) -> None:
    """Looks whether an artefact can be published: nobody wants to learn it after the training."""
    try:
        there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
        if not there.is_dir():
            raise ArtefactError(f"{there} is a file; expected a folder to publish in")
        if not os.access(there, os.W_OK | os.X_OK):
            raise ArtefactError(f"{there} cannot be written; choose another folder to publish in")
    except OSError as error:
        raise ArtefactError(f"{folder} cannot be written: {error}") from None


def _check_parts(estimator: Estimator, data: Dataset) -> None:
    """Looks whether the parts of the data are of the task's kind and can be scored.

    Raises:
        DataError: If they are not.
    """
    series = _is_series(data.train)
    if not isinstance(estimator, Forecaster):
        if series:
            raise DataError(
                f"data: the reader gives time series, but task.kind {estimator.task} takes "
                "sequences with a target each; use task.kind forecasting or another data.layout"
            )
        return
    if not series:
        raise DataError(
            "data: the reader gives sequences, but task.kind forecasting takes time series; use "
            "task.kind classification or regression, or data.layout series"
        )
    horizon = int(estimator.horizon)
    if data.test is not None and _longest(data.test) < horizon:
        raise DataError(
            f"data: the test part has {_longest(data.test)} rows, but task.horizon is {horizon}; "
            "no forecast can be scored on it"
        )


def _is_series(part: Part) -> bool:
    return isinstance(part.X, dict) or (len(part.X) > 0 and isinstance(part.X[0], dict))


def _longest(part: Part) -> int:
    """Rows of the longest series of a part."""
    tables: Any = [part.X] if isinstance(part.X, dict) else part.X
    return max(len(next(iter(table.values()))) for table in tables)


def as_recipe(recipe: Recipe | Mapping[str, Any] | str | Path) -> Recipe:
    """A recipe from whatever describes one."""
    if isinstance(recipe, (str, Path)):
        return Recipe.load(recipe)
    return recipe if isinstance(recipe, Recipe) else Recipe.from_dict(recipe)


def read_data(recipe: Recipe) -> Dataset:
    """What the `data` section names; files are looked for beside the recipe first.

    Raises:
        RecipeError: If the recipe has no `data` section.
        DataError: If the data cannot be read.
    """
    if not recipe.data:
        raise RecipeError("data: missing; it says which reader reads which files", recipe.source)
    given = dict(recipe.fill().data)
    reader = readers.get(given.pop("reader"))
    with search_in(Path(recipe.source).parent if recipe.source else None):
        data: Dataset = reader(**given)
    return data


def evaluate(estimator: Estimator, data: Dataset) -> Evaluation | None:
    """The score on the test part; forecasts may look back into the rows before it.

    Raises:
        DataError: If the data is not of the estimator's kind, or cannot be scored.
    """
    if data.test is None:
        return None
    _check_parts(estimator, data)
    if isinstance(estimator, Forecaster):
        return estimator.evaluate(data.test.X, history=before_test(data))
    if data.test.y is None:
        raise DataError("the test part has no targets to score against")
    return estimator.evaluate(data.test.X, data.test.y)


def before_test(data: Dataset) -> Any:
    """The rows of all series before the test part."""
    parts = [part.X for part in (data.train, data.valid) if part is not None]
    if isinstance(parts[0], dict):
        return _joined(parts)
    return [_joined(pieces) for pieces in zip(*parts, strict=True)]


def _joined(tables: Sequence[Any]) -> dict[str, np.ndarray]:
    """Tables of columns, one after another in time."""
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}


def facts(estimator: Estimator, data: Dataset) -> dict[str, Any]:
    """What a report says beside the score."""
    parts = {"train": data.train, "valid": data.valid, "test": data.test}
    present = {name: part for name, part in parts.items() if part is not None}
    known: dict[str, Any] = {
        "files": dict(data.files),
        "steps": {name: _steps(part) for name, part in present.items()},
        "parameters": estimator.model_.count_params(),
        "epochs": estimator.n_iter_,
        "best_epoch": estimator.best_epoch_,
        "seconds": round(estimator.fit_seconds_, 1),
        "seed": estimator.recipe_.seed,
        "machine": f"{platform.system()} {platform.machine()}",
        "versions": {"python": platform.python_version(), **{n: version(n) for n in LIBRARIES}},
    }
    if not isinstance(estimator, Forecaster):
        known["sequences"] = {name: len(part.X) for name, part in present.items()}
    if hasattr(estimator, "classes_"):
        known["classes"] = estimator.classes_.tolist()
    if hasattr(estimator, "targets_"):
        known["targets"] = list(estimator.targets_)
    return known


def _steps(part: Part) -> int:
    """Time steps in all sequences or series of a part."""
    items = [part.X] if isinstance(part.X, dict) else part.X
    return sum(len(next(iter(i.values())) if isinstance(i, dict) else i) for i in items)


def _context(estimator: Estimator, data: Dataset, evaluation: Evaluation | None) -> dict[str, Any]:
    """The time stamps and observed steps that a picture of forecasts shows."""
    if evaluation is None or data.test is None or not isinstance(estimator, Forecaster):
        return {}
    context: dict[str, Any] = {}
    count = len(evaluation.truth)
    index = data.test.index
    if index and isinstance(index[0], str):
        context["index"] = index[:count]
    if isinstance(data.test.X, dict) and evaluation.truth.shape[1] > 1:
        window = min(int(estimator.window), 2 * evaluation.truth.shape[1])
        whole = _joined([before_test(data), data.test.X])
        rows = np.stack([whole[str(target)] for target in estimator.targets_], axis=-1)
        first = len(rows) - count - evaluation.truth.shape[1] + 1
        origins = first + np.arange(count)
        if origins[0] >= window:
            context["windows"] = rows[origins[:, None] + np.arange(-window, 0)]
    return context


def _with_columns(recipe: Recipe, data: Dataset) -> Recipe:
    """The recipe with the columns that were read, so that a file to predict needs no targets."""
    if recipe.data.get("reader") != "csv" or recipe.data.get("layout") == "wide":
        return recipe
    return recipe.replace("data.columns", list(data.columns))
