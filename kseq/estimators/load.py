"""From recipes and artefacts to estimators."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kseq.errors import ArtefactError, RecipeError
from kseq.estimators.base import Estimator
from kseq.estimators.parameters import parameters_of
from kseq.recipe import Recipe
from kseq.registry import tasks
from kseq.serving import artefact


def from_recipe(recipe: Recipe | Mapping[str, Any] | str | Path) -> Estimator:
    """The unfitted estimator that a recipe describes.

    Args:
        recipe: A recipe, its values, or the path of its file.

    Raises:
        RecipeError: If the recipe does not hold.

    Example:
        >>> from_recipe({"task": "classification", "model": {"units": 8}})
        SequenceClassifier(model={'units': 8}, random_state=0)
    """
    if isinstance(recipe, (str, Path)):
        recipe = Recipe.load(recipe)
    elif not isinstance(recipe, Recipe):
        recipe = Recipe.from_dict(recipe)
    recipe.validate()
    estimator: Estimator = tasks.get(recipe.task["kind"])(**parameters_of(recipe))
    return estimator


def load(path: str | Path) -> Estimator:
    """A saved estimator, ready to predict.

    Reads `assets.extra/kseq` alone: hashes and shapes are checked, the model is rebuilt from its
    recipe, and arrays are assigned. Nothing in the folder is executed.

    Args:
        path: `saved_models/NAME`, for its newest version, or `saved_models/NAME/VERSION`.

    Raises:
        ArtefactError: If it is missing, damaged, or not what its manifest says.
    """
    return restore(artefact.read(Path(path)), path)


def restore(saved: artefact.Artefact, path: str | Path) -> Estimator:
    """The estimator of an artefact that has been read.

    Args:
        saved: What was read.
        path: Where from, for messages.

    Raises:
        ArtefactError: If its parts do not fit each other.
    """
    try:
        recipe = Recipe.from_dict(saved.recipe)
        estimator = from_recipe(recipe)
    except RecipeError as error:
        raise ArtefactError(f"{path}: recipe.json: {error}") from None
    estimator._restore(recipe, saved.preprocessing, saved.arrays)
    return estimator
