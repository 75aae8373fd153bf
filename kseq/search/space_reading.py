"""Reads the space of a search.

    space:
      model.cell: {choice: [lstm, slstm]}
      model.units: {length: [1, 3], choice: [16, 32, 64]}       # one to three layers
      model.peephole: {choice: [diagonal, full], when: {model.cell: slstm}}
      model.dropout: {float: [0.0, 0.5]}
      training.batch_size: {int: [16, 64], step: 16}
      training.learning_rate: {log: [1.0e-4, 1.0e-2]}

Everything that can be known to be wrong with it is found here, before anything is trained.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from kseq.errors import RecipeError, shown
from kseq.recipe import Recipe
from kseq.registry import builders, suggest, tasks
from kseq.schema import parameters
from kseq.search.space import Entry, Space, same, with_changes
from kseq.spec import Spec

KINDS = ("choice", "int", "float", "log")
_KEYS = (*KINDS, "step", "length", "when")
_SECTIONS = ("task", "model", "training")
_MOST_ITEMS = 64  # entries of a list
# What a task is asked for: with another one a score means something else.
_ASKED = frozenset(
    {
        *("kind", "horizon", "target", "season", "per_step", "reading"),
        *("dimensions", "stride", "thresholds"),
    }
)
_DECIDED = frozenset(f.name for f in fields(Spec)) - {"horizon", "per_step"}
_FORMS = "{choice: [a, b]}, {int: [low, high], step: 8}, {float: [low, high]} or {log: [low, high]}"


def read_space(recipe: Recipe, space: Any) -> Space:
    """The space of a recipe's search, checked.

    Args:
        recipe: The recipe, which holds.
        space: The `space` of its `search` section.

    Raises:
        RecipeError: With all mistakes, each with its path: paths that are none, values that do not
            hold there, empty or reversed ranges, conditions on what does not vary.
    """
    if not isinstance(space, Mapping) or not space:
        raise recipe.refusal(
            f"search.space: expected a mapping of recipe paths, such as model.units: {_FORMS}, "
            f"got {shown(space)}"
        )
    mistakes: list[str] = []
    entries: dict[str, Entry] = {}
    for path, given in space.items():
        wrong = _unsearchable(str(path), recipe)
        if wrong:
            mistakes.append(f"search.space.{path}: {wrong}")
            continue
        entry, found = _entry(str(path), given)
        mistakes += [f"search.space.{path}{place}" for place in found]
        if entry is not None:
            entries[entry.path] = entry
    for entry in entries.values():
        mistakes += _conditions(entry, entries, space)
    # What hangs on a mistaken entry is looked at when that is mended.
    sound = {
        path: entry
        for path, entry in entries.items()
        if path not in entry.when and _parents(entry, entries) <= set(entries)
    }
    ordered, circle = _order(sound)
    mistakes += circle
    for entry in ordered:
        mistakes += _values(recipe, entry, entries)
    if mistakes:
        raise recipe.refusal(mistakes)
    return Space(tuple(ordered))


def _unsearchable(path: str, recipe: Recipe) -> str | None:
    """Why a path cannot be searched, whatever its values."""
    section, _, name = path.partition(".")
    if "__" in path and "." not in path:
        return f"is no recipe path; write {path.replace('__', '.')}"
    if section == "spec" or (section == "model" and name in _DECIDED):
        return f"{name or section} is what the data decides, and cannot be searched"
    if section == "data":
        return "the data is what scores are compared on, and cannot be searched"
    if section not in _SECTIONS or not all(path.split(".")):
        near = suggest(section, list(_SECTIONS))
        return f"unknown path{near}; a path starts with {', '.join(f'{s}.' for s in _SECTIONS)}"
    if not name:
        return "is a whole section; name a parameter of it"
    asked = {"kind", *parameters(tasks.get(recipe.task["kind"]))} & _ASKED
    if section == "task" and name in asked:
        return "decides what is asked and scored; trials with different values have no order"
    return None


def _entry(path: str, given: Any) -> tuple[Entry | None, list[str]]:
    """The entry, and mistakes that begin with the place below its path."""
    if not isinstance(given, Mapping):
        return None, [f": expected {_FORMS}, got {shown(given)}"]
    mistakes = [
        f".{key}: unknown{suggest(key, list(_KEYS))}; known here: {', '.join(_KEYS)}"
        for key in given
        if key not in _KEYS
    ]
    kinds = [kind for kind in KINDS if kind in given]
    if len(kinds) != 1:
        many = "only one of them" if kinds else f"one of {', '.join(KINDS)}"
        return None, [f": expected {many}, got {shown(dict(given))}"]
    (kind,) = kinds
    how: dict[str, Any] = {"path": path, "kind": kind}
    values = given[kind]
    if kind == "choice":
        mistakes += _choice(values)
        if "step" in given:
            mistakes.append(".step: is for int and float alone")
    else:
        mistakes += _range(kind, values, given.get("step"))
    length = given.get("length")
    if length is not None:
        whole = isinstance(length, list) and all(type(end) is int for end in length)
        if not whole or len(length) != 2 or not 1 <= length[0] <= length[1] <= _MOST_ITEMS:
            mistakes.append(
                f".length: expected the fewest and the most entries, from 1 to {_MOST_ITEMS}, "
                f"got {shown(length)}"
            )
        else:
            how["length"] = (length[0], length[1])
    when = given.get("when", {})
    if "when" in given and not when and isinstance(when, Mapping):
        mistakes.append(".when: is empty; leave it out where the path always counts")
    if not isinstance(when, Mapping):
        mistakes.append(f".when: expected a mapping such as model.cell: slstm, got {shown(when)}")
        when = {}
    if mistakes:
        return None, mistakes
    if kind == "choice":
        how["choices"] = tuple(values)
    else:
        how |= {"low": values[0], "high": values[1], "step": given.get("step")}
    conditions = {
        str(parent): tuple(value) if isinstance(value, list) else (value,)
        for parent, value in when.items()
    }
    return Entry(**how, when=conditions), []


def _choice(values: Any) -> list[str]:
    if not isinstance(values, list):
        return [f".choice: expected a list of values, got {shown(values)}"]
    if not values:
        return [".choice: is empty; expected two values or more"]
    for place, value in enumerate(values):
        if any(same(value, other) for other in values[:place]):
            return [f".choice.{place}: {shown(value)} stands twice"]
    return []


def _range(kind: str, values: Any, step: Any) -> list[str]:
    number = (int,) if kind == "int" else (int, float)

    def is_number(value: Any) -> bool:
        return isinstance(value, number) and not isinstance(value, bool) and math.isfinite(value)

    what = "whole numbers" if kind == "int" else "numbers"
    if not (isinstance(values, list) and len(values) == 2 and all(map(is_number, values))):
        return [f".{kind}: expected [low, high], two {what}, got {shown(values)}"]
    low, high = values
    if kind == "log" and low <= 0:
        return [f".log: expected a low above 0, which has a logarithm, got {shown(values)}"]
    if low > high:
        return [f".{kind}: low is above high, got {shown(values)}"]
    if low == high:
        return [f".{kind}: low is high, so nothing varies, got {shown(values)}"]
    if step is None:
        return []
    if kind == "log":
        return [".step: is for int and float alone"]
    if not is_number(step) or step <= 0 or step > high - low:
        return [f".step: expected a positive number up to {high - low:g}, got {shown(step)}"]
    return []


def _conditions(entry: Entry, entries: Mapping[str, Entry], space: Mapping[str, Any]) -> list[str]:
    mistakes = []
    for parent, values in entry.when.items():
        where = f"search.space.{entry.path}.when.{parent}"
        if parent == entry.path:
            mistakes.append(f"{where}: a path cannot be its own condition")
        elif parent not in space:
            near = suggest(parent, list(space))
            mistakes.append(f"{where}: is not in the space, so it never varies{near}")
        elif parent in entries:
            impossible = [value for value in values if not entries[parent].could_be(value)]
            if impossible or not values:
                mistakes.append(
                    f"{where}: {shown(impossible[0] if impossible else [])} is no value that the "
                    f"space has there ({entries[parent].label})"
                )
    return mistakes


def _parents(entry: Entry, entries: Mapping[str, Entry]) -> set[str]:
    """The paths that an entry depends on, and those that these depend on."""
    found: set[str] = set()
    left = list(entry.when)
    while left:
        path = left.pop()
        if path not in found:
            found.add(path)
            left += entries[path].when if path in entries else []
    return found


def _order(entries: Mapping[str, Entry]) -> tuple[list[Entry], list[str]]:
    """Entries after those that they depend on, otherwise as they were given."""
    ordered: dict[str, Entry] = {}
    left = dict(entries)
    while left:
        ready = [path for path, entry in left.items() if set(entry.when) <= set(ordered)]
        if not ready:
            circle = ", ".join(left)
            return [], [f"search.space: the conditions of {circle} wait for each other"]
        ordered[ready[0]] = left.pop(ready[0])
    return list(ordered.values()), []


def _values(recipe: Recipe, entry: Entry, entries: Mapping[str, Entry]) -> list[str]:
    """Values that the recipe refuses at the entry's path."""
    where = f"search.space.{entry.path}"
    if entry.path.startswith("model.") and entry.path != "model.builder":
        mistake = _unknown_to_some(recipe, entry, entries)
        if mistake:
            return [f"{where}: {mistake}"]
    base: dict[str, Any] = {}
    if "model.builder" in entries and "model.builder" not in entry.when:
        base["model.builder"] = entries["model.builder"].choices[0]
    _condition(base, entry, entries)
    mistakes: list[str] = []
    for value in entry.ends():
        try:
            with_changes(recipe, {**base, entry.path: value}).fill()
        except RecipeError as error:
            found = [bare(mistake) for mistake in error.mistakes]
            ours = [m for m in found if m.startswith(entry.path)]
            if not ours and entry.path == "model.builder":
                ours = found  # what the builder lacks
            mistakes += [f"{where}{_after(entry.path, mistake)}" for mistake in ours[:1]]
        if mistakes:
            break
    return mistakes


def _condition(base: dict[str, Any], entry: Entry, entries: Mapping[str, Entry]) -> None:
    """Adds values with which the entry counts."""
    for parent, values in entry.when.items():
        _condition(base, entries[parent], entries)
        base[parent] = values[0]


def _unknown_to_some(recipe: Recipe, entry: Entry, entries: Mapping[str, Entry]) -> str | None:
    """A builder that the entry can meet and that has no such parameter."""
    name = entry.path.split(".")[1]
    chosen = entries.get("model.builder")
    if "model.builder" in entry.when:
        names: Sequence[Any] = entry.when["model.builder"]
    elif chosen is not None:
        names = chosen.choices
    else:
        names = [recipe.fill().model["builder"]]
    try:
        known = {each: list(parameters(builders.get(each))) for each in names}
    except RecipeError:
        return None  # said at model.builder itself
    without = [each for each, having in known.items() if name not in having]
    if not without:
        return None
    if len(without) < len(known):
        having = [each for each in known if each not in without]
        return (
            f"{without[0]} has no such parameter; add when: {{model.builder: {json.dumps(having)}}}"
        )
    every = list(dict.fromkeys(one for having in known.values() for one in having))
    return f"unknown{suggest(name, every)}; {without[0]} takes {', '.join(known[without[0]])}"


def _after(path: str, mistake: str) -> str:
    """A mistake without the path that it begins with."""
    return mistake.removeprefix(path) if mistake.startswith(path) else f": {mistake}"


def bare(mistake: str) -> str:
    """A mistake without the line of the file that it may have."""
    head, _, rest = mistake.partition(": ")
    return rest if head.startswith("line ") else mistake
