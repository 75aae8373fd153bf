"""What is compared: every combination of the values that recipe paths are to take."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kseq.errors import RecipeError, shown
from kseq.metrics.evaluation import plain
from kseq.recipe import Recipe
from kseq.recipe.recipe import SECTIONS
from kseq.registry import suggest
from kseq.search.space import same, with_changes

MOST = 500
_NOT = {
    "name": "is the same for all",
    "seed": "is what seeds are for",
    "search": "is not part of a training",
    "task.kind": "decides what a score is of",
}


@dataclass(frozen=True)
class Variant:
    """One combination.

    Args:
        number: From 0 on, the last path varying fastest.
        changes: The value of each path.
        recipe: The recipe with them.
        name: What it is called in tables: by the paths that have more than one value, if any has.
    """

    number: int
    changes: dict[str, Any]
    recipe: Recipe
    name: str


def name_of(changes: Mapping[str, Any]) -> str:
    """What a combination is called: values that say enough stand alone.

    Example:
        >>> name_of({"model.cell": "gru", "model.bidirectional": True})
        'gru, bidirectional'
        >>> name_of({"model.cell": "gru", "model.bidirectional": False})
        'gru'
        >>> name_of({"model.units": [32, 16]}), name_of({"model.residual": False})
        ('units [32, 16]', 'not residual')
        >>> name_of({"model.units": None})
        'units null'
    """
    words, silent = [], []
    for path, value in changes.items():
        key = path.rpartition(".")[2]
        if value is False:
            silent.append(key)
        elif isinstance(value, str):
            words.append(value)
        else:
            words.append(key if value is True else f"{key} {_text(value)}")
    return ", ".join(words) or ", ".join(f"not {key}" for key in silent) or "the recipe"


def _text(value: Any) -> str:
    """A value as it stands in a recipe, without quotes."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return json.dumps(value, ensure_ascii=False).replace('"', "")


def variants(recipe: Recipe, vary: Mapping[str, Sequence[Any]]) -> list[Variant]:
    """Every combination, checked.

    Args:
        recipe: What they start from.
        vary: The values of each recipe path.

    Raises:
        RecipeError: With all mistakes: in the paths, and in what any of the combinations holds.

    Example:
        >>> recipe = Recipe.from_dict({"task": "classification"})
        >>> vary = {"model.cell": ["gru", "lstm"], "model.units": [8, 16]}
        >>> [variant.name for variant in variants(recipe, vary)]
        ['gru, units 8', 'gru, units 16', 'lstm, units 8', 'lstm, units 16']
    """
    recipe.validate()
    vary = _checked(recipe, vary)
    count = 1
    for values in vary.values():
        count *= len(values)
    if count > MOST:
        raise RecipeError(f"vary: {count:,} combinations; at most {MOST} are compared, vary less")
    # What all combinations have tells none from another.
    telling = [path for path, values in vary.items() if len(values) > 1] or list(vary)
    found, mistakes = [], []
    for number, chosen in enumerate(itertools.product(*vary.values())):
        changes = dict(zip(vary, chosen, strict=True))
        name = name_of({path: changes[path] for path in telling})
        try:
            variant = Variant(number, changes, with_changes(recipe, changes), name)
            variant.recipe.validate()
            found.append(variant)
        except RecipeError as error:
            mistakes += [f"{mistake} (of {name_of(changes)})" for mistake in error.mistakes]
    if mistakes:
        # One wrong value is wrong in every combination that has it.
        once = {mistake.rpartition(" (of ")[0]: mistake for mistake in reversed(mistakes)}
        raise RecipeError(list(reversed(once.values())), recipe.source)
    return found


def _better(recipe: Recipe, name: str) -> str:
    """The path that was meant, where a section has something of that name."""
    filled = recipe.fill()
    if name in ("random_state", "seeds"):
        return "; seeds says how many trainings each has"
    sections = ("model", "training", "task", "data")
    for section in sections:
        if name in getattr(filled, section) and f"{section}.{name}" not in _NOT:
            return f" (did you mean '{section}.{name}'?)"
    first = name.partition(".")[0]
    return suggest(first, list(sections)) or f"; a path begins with {', '.join(sections)}"


def _checked(recipe: Recipe, vary: Any) -> dict[str, list[Any]]:
    """The values as they would stand in a recipe."""
    if not isinstance(vary, Mapping) or not vary:
        raise RecipeError(
            "vary: expected recipe paths with the values of each, such as "
            f"{{'model.cell': ['gru', 'lstm']}}, got {shown(vary)}"
        )
    mistakes = []
    for path, values in vary.items():
        if str(path).partition(".")[0] not in SECTIONS:
            mistakes.append(f"vary: {path}: is no recipe path{_better(recipe, str(path))}")
            continue
        fixed = _NOT.get(str(path), _NOT.get(str(path).partition(".")[0]))
        if fixed is not None:
            mistakes.append(f"vary: {path} {fixed}; vary another path")
        elif isinstance(values, (str, Mapping)) or not isinstance(values, Sequence) or not values:
            mistakes.append(f"vary: {path}: expected a list of values, got {shown(values)}")
        elif any(same(a, b) for a, b in itertools.combinations(values, 2)):
            mistakes.append(f"vary: {path}: has a value twice, in {shown(list(values))}")
    if mistakes:
        raise RecipeError(mistakes)
    return {path: plain(list(values)) for path, values in vary.items()}
