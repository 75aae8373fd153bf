"""A run: one training from a recipe.

It ends in a published artefact with its report, or in an error that leaves nothing behind.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import keras
import numpy as np

from kseq.data.dataset import Dataset, Part
from kseq.data.home import search_in
from kseq.data.texts import as_texts
from kseq.errors import ArtefactError, DataError, RecipeError
from kseq.estimators.base import Estimator
from kseq.estimators.forecaster import Forecaster
from kseq.estimators.load import from_recipe
from kseq.estimators.tagger import SequenceTagger
from kseq.estimators.video import VideoPredictor
from kseq.explain.pictures import Pictures, planned
from kseq.metrics.evaluation import Evaluation
from kseq.parts import AHEAD, check_parts, clips_of
from kseq.recipe import Recipe
from kseq.registry import readers
from kseq.report.calibration import with_calibration
from kseq.report.facts import facts
from kseq.report.write import left_out, write_report

Made = TypeVar("Made")


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
        check_output(Path(output) / filled.name)
    _check_tokenizer(filled)
    data = read_data(recipe)
    estimator = from_recipe(recipe)
    check_parts(estimator, data)
    with beside(recipe):  # word vectors may lie there too
        fit(estimator, data, callbacks)
    evaluation = evaluate(estimator, data)
    if output is None:
        return Run(filled, estimator, evaluation, None)
    with tempfile.TemporaryDirectory(prefix="kseq-") as folder:
        explained, remarks = _explained(estimator, data)
        write_report(
            folder,
            recipe=filled.to_dict(),
            evaluation=evaluation,
            history=estimator.history_,
            facts=facts(estimator, data),
            explained=explained,
            remarks=remarks,
            **_context(estimator, data, evaluation),
        )
        published = _with_columns(filled, data)
        path = estimator.save(Path(output) / filled.name, recipe=published, report=folder)
    return Run(filled, estimator, evaluation, path)


def check_output(folder: Path) -> None:
    """Looks whether an artefact can be published: nobody wants to learn it after the training."""
    try:
        there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
        if not there.is_dir():
            raise ArtefactError(f"{there} is a file; expected a folder to publish in")
        if not os.access(there, os.W_OK | os.X_OK):
            raise ArtefactError(f"{there} cannot be written; choose another folder to publish in")
    except OSError as error:
        raise ArtefactError(f"{folder} cannot be written: {error}") from None


def _check_tokenizer(recipe: Recipe) -> None:
    """Raises if training texts are divided by another rule than those to predict will be."""
    divided = recipe.data.get("tokenizer") if recipe.data.get("spans") is not None else None
    wanted = (recipe.task.get("text") or {}).get("tokenizer", "words")
    if divided is not None and recipe.task["kind"] == "tagging" and divided != wanted:
        raise RecipeError(
            f"task.text.tokenizer: is {wanted!r}, but data.tokenizer divides the training texts by "
            f"{divided!r}; set both alike",
            recipe.source,
        )


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
    with beside(recipe):
        data: Dataset = reader(**given)
    return data


def beside(recipe: Recipe) -> AbstractContextManager[None]:
    """Within this context, files are looked for in the recipe's folder first."""
    return search_in(Path(recipe.source).parent if recipe.source else None)


def fit(
    estimator: Estimator, data: Dataset, callbacks: Sequence[keras.callbacks.Callback] = ()
) -> None:
    """Fits an estimator to the training part, watched on the validation part where there is one.

    Raises:
        RecipeError: If a parameter does not hold.
        DataError: If the data does not.
        TrainingError: If the loss stopped being finite.
    """
    X, y, valid = _given(estimator, data)
    estimator.fit(X, y, validation_data=valid, callbacks=callbacks)


def check_fit(estimator: Estimator, data: Dataset) -> None:
    """Does all that `fit` does before the training: what is wrong with the data shows here.

    Raises:
        RecipeError: If a parameter does not hold.
        DataError: If the data does not.
    """
    estimator._prepare(*_given(estimator, data))


def _given(estimator: Estimator, data: Dataset) -> tuple[Any, Any, Any]:
    """What `fit` is given: X, y and the validation data."""
    valid: Any = None
    if data.valid is not None:
        valid = data.valid.X if isinstance(estimator, AHEAD) else (data.valid.X, data.valid.y)
    learned: Any = data.train.X
    if isinstance(estimator, VideoPredictor):
        learned = clips_of(data.train)
        valid = None if data.valid is None else clips_of(data.valid)
    return learned, data.train.y, valid


def evaluate(estimator: Estimator, data: Dataset) -> Evaluation | None:
    """The score on the test part; forecasts may look back into the rows before it.

    Raises:
        DataError: If the data is not of the estimator's kind, or cannot be scored.
    """
    if data.test is None:
        return None
    check_parts(estimator, data)
    before = [part for part in (data.train, data.valid) if part is not None]
    evaluation = score(estimator, data.test, before=before)
    return with_calibration(evaluation, estimator, data.test.X, data.test.y)


def score(estimator: Estimator, part: Part, *, before: Sequence[Part]) -> Evaluation:
    """The score on a part of the data.

    Args:
        estimator: A fitted estimator.
        part: What it is scored on.
        before: Of series, the parts that come before it in time; a forecast looks back into them.

    Raises:
        DataError: If the part cannot be scored.
    """
    if isinstance(estimator, Forecaster):
        return estimator.evaluate(part.X, history=_followed(before))
    if isinstance(estimator, VideoPredictor):
        return estimator.evaluate(clips_of(part))
    return estimator.evaluate(part.X, part.y)


def before_test(data: Dataset) -> Any:
    """The rows of all series before the test part."""
    return _followed([part for part in (data.train, data.valid) if part is not None])


def items_of_test(estimator: Estimator, data: Dataset) -> Any:
    """The items of the test part, to be explained; of series with the window before it.

    Raises:
        DataError: If the data has no test part, or it is not of the estimator's kind.
    """
    if data.test is None:
        raise DataError("the data has no test part; give FILE, data.split or data.test")
    if isinstance(estimator, VideoPredictor):
        return clips_of(data.test)
    if not isinstance(estimator, Forecaster):
        return data.test.X
    window = int(estimator.recipe_.task["window"])
    before, after = before_test(data), data.test.X
    if isinstance(after, dict):
        return _joined([{name: rows[-window:] for name, rows in before.items()}, after])
    return [
        _joined([{name: rows[-window:] for name, rows in first.items()}, then])
        for first, then in zip(before, after, strict=True)
    ]


def _followed(parts: Sequence[Part]) -> Any:
    """The rows of all series in parts that follow each other."""
    tables = [part.X for part in parts]
    if isinstance(tables[0], dict):
        return _joined(tables)
    return [_joined(pieces) for pieces in zip(*tables, strict=True)]


def _joined(tables: Sequence[Any]) -> dict[str, np.ndarray]:
    """Tables of columns, one after another in time."""
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}


def _explained(estimator: Estimator, data: Dataset) -> tuple[Pictures, list[str]]:
    """What the model looks at in the test part, for the report; and remarks on what failed.

    Whatever fails here, the training has come to its end and is not lost for it.
    """
    remarks: list[str] = []
    if data.test is None or find_spec("matplotlib") is None:
        return [], remarks

    def tried(what: str, make: Callable[[], Made]) -> list[Made]:
        try:
            return [make()]
        except Exception as error:  # the training must not be lost for it
            remarks.append(left_out(what, error))
            return []

    plans = tried(
        "What the model looks at", lambda: list(planned(estimator, items_of_test(estimator, data)))
    )
    found = [picture for plan in plans for name, make in plan for picture in tried(name, make)]
    return found, remarks


def _context(estimator: Estimator, data: Dataset, evaluation: Evaluation | None) -> dict[str, Any]:
    """What a report shows beside the score: test items, or a forecast's stamps and past steps."""
    if evaluation is None or data.test is None or isinstance(estimator, VideoPredictor):
        return {}
    if not isinstance(estimator, Forecaster):
        items = data.test.X
        if isinstance(estimator, SequenceTagger):
            items = as_texts(items, estimator.vocabulary_.options.tokenizer).tokens
        return {"items": items, "ids": data.test.ids}
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
    if recipe.data.get("reader") != "csv" or recipe.data.get("layout") in ("wide", "text"):
        return recipe
    return recipe.replace("data.columns", list(data.columns))
