"""What an estimator is asked for: its arguments, by name, by path and as a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator

from kseq.recipe import Recipe
from kseq.recipe.recipe import NOT_TASK

SECTIONS = ("model", "training")


class Parameters(BaseEstimator):
    """The arguments of a constructor, and the recipe that they are."""

    task: ClassVar[str]
    default_builder: ClassVar[str] = "stacked_rnn"

    model: Mapping[str, Any] | None
    training: Mapping[str, Any] | None
    warm_start: bool
    random_state: int | np.random.RandomState | None

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The constructor's arguments; with `deep` also `model__units` and the like."""
        params: dict[str, Any] = super().get_params(deep=False)
        if deep:
            for section in SECTIONS:
                if isinstance(params[section], Mapping):
                    for name, value in params[section].items():
                        params[f"{section}__{name}"] = value
        return params

    def set_params(self, **params: Any) -> Self:
        """Sets constructor arguments; `model__units=64` sets one entry of `model`."""
        sections: dict[str, dict[str, Any]] = {}
        plain = {}
        for name, value in params.items():
            section, _, inner = name.partition("__")
            if inner and section in SECTIONS:
                sections.setdefault(section, {})[inner] = value
            else:
                plain[name] = value
        super().set_params(**plain)
        for section, values in sections.items():
            # A new dict: the old one may be shared with a clone.
            setattr(self, section, {**(getattr(self, section) or {}), **values})
        return self

    def recipe(self) -> Recipe:
        """The estimator's parameters as a recipe, as they stand.

        Raises:
            RecipeError: If a value is not one that a recipe can hold.
        """
        own = {k: v for k, v in self.get_params(deep=False).items() if k not in NOT_TASK}
        return Recipe.from_dict(
            {
                "task": {"kind": self.task, **_plain(own)},
                "model": _plain(self.model or {}),
                "training": _plain(self.training or {}),
                "seed": _seed(self.random_state),
            }
        )


def parameters_of(recipe: Recipe) -> dict[str, Any]:
    """A recipe's sections as the constructor arguments of its task's estimator."""
    return {
        **{name: value for name, value in recipe.task.items() if name != "kind"},
        "model": dict(recipe.model) or None,
        "training": dict(recipe.training) or None,
        "random_state": recipe.seed,
    }


def _seed(random_state: Any) -> int:
    """An integer seed: the one given, or one drawn from a generator or from chance."""
    if isinstance(random_state, (int, np.integer)) and not isinstance(random_state, bool):
        return int(random_state)
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**31 - 1))
    if random_state is None:
        return int(np.random.randint(2**31 - 1))
    return random_state  # the recipe says what is wrong with it


def _plain(value: Any) -> Any:
    """NumPy's scalars and arrays, tuples and mappings as the plain values of a recipe."""
    if hasattr(value, "tolist"):  # an index of pandas too
        return value.tolist()
    if isinstance(value, Mapping):
        # Classes that are numbers name their weights.
        return {
            str(_plain(key)) if isinstance(key, (int, float, np.generic)) else key: _plain(inner)
            for key, inner in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value
