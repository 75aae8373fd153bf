"""From the `model` section of a recipe to a Keras model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from kseq.builders.size import parameter_bound
from kseq.errors import RecipeError
from kseq.registry import builders
from kseq.schema import fill
from kseq.spec import Spec

MAX_PARAMETERS = 200_000_000


def build(
    model: Mapping[str, Any], spec: Spec, *, max_parameters: int = MAX_PARAMETERS
) -> keras.Model:
    """Builds the model that a recipe's `model` section names.

    Args:
        model: The builder's name as `builder`, and its parameters.
        spec: What the data decides.
        max_parameters: How many parameters the model may have. A recipe is untrusted input, so a
            bound is computed before anything is allocated.

    Returns:
        An uncompiled model.

    Raises:
        RecipeError: If the builder or a parameter is unknown, a value does not hold, the builder
            refuses the combination, or the model would be too large.

    Example:
        >>> from kseq.spec import Spec
        >>> recipe = {"builder": "stacked_rnn", "units": 8}
        >>> build(recipe, Spec(features=3, outputs=2, time=20)).name
        'stacked_rnn'
    """
    if "builder" not in model:
        raise RecipeError(f"model.builder: missing; known: {', '.join(builders.names())}")
    try:
        function = builders.get(model["builder"])
    except RecipeError as error:
        raise RecipeError(f"model.builder: {error}") from None
    given = {name: value for name, value in model.items() if name != "builder"}
    parameters, mistakes = fill("model", function, given)
    if mistakes:
        raise RecipeError(mistakes)
    _check_size(parameter_bound(spec, parameters), max_parameters)
    try:
        built = function(spec, **parameters)
    except RecipeError:
        raise
    except ValueError as error:
        raise RecipeError(f"model: {model['builder']}: {error}") from error
    # A builder whose parameters the bound does not know is counted at the latest now.
    _check_size(built.count_params(), max_parameters)
    return built


def _check_size(count: int, most: int) -> None:
    if count > most:
        raise RecipeError(
            f"model: about {count:,} parameters, expected at most {most:,}; choose fewer units, "
            "filters or layers"
        )
