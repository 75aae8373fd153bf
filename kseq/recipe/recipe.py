"""The recipe: an estimator, its data and a search, written down."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kseq.errors import RecipeError, shown
from kseq.recipe import document
from kseq.recipe.training import Training, conflicts
from kseq.registry import builders, readers, suggest, tasks
from kseq.schema import fill

SECTIONS = ("name", "task", "seed", "data", "model", "training", "search")
# Arguments of an estimator that its task does not hold: they have a section of their own, or are
# about fits that follow each other, and a recipe is one.
NOT_TASK = ("model", "training", "random_state", "warm_start")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_MAX_SEED = 2**32 - 1


@dataclass(frozen=True)
class Recipe:
    """An immutable recipe.

    A recipe holds what its author wrote. `fill` gives the recipe with every default, in the order
    of the signatures; `validate` reports all mistakes at once.

    Args:
        task: What is learned: a name, or a mapping with `kind` and the task's parameters.
        name: The artefact's folder below `saved_models/`.
        seed: The seed of everything random in the run.
        data: The reader and its parameters; empty where the data comes from Python.
        model: The builder and its parameters.
        training: The parameters of `Training`.
        search: The section that only a search reads.
        source: The file that the recipe was read from, for messages and to find its data.
        lines: Where in that file each path stands, for messages.

    Example:
        >>> recipe = Recipe.from_dict({"task": "classification", "model": {"units": 32}})
        >>> recipe.replace("model.units", 64).model
        {'units': 64}
    """

    task: Mapping[str, Any]
    name: str = "model"
    seed: int = 0
    data: Mapping[str, Any] = field(default_factory=dict)
    model: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    search: Mapping[str, Any] = field(default_factory=dict)
    source: str | None = field(default=None, compare=False)
    lines: Mapping[str, int] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def load(cls, path: str | Path) -> Recipe:
        """Reads a recipe file: `.yaml`, `.toml` or `.json`.

        Raises:
            RecipeError: If the file cannot be read or is no recipe.
        """
        path = Path(path)
        values, lines = document.read(path)
        return cls.from_dict(values, source=str(path), lines=lines)

    @classmethod
    def from_dict(
        cls,
        values: Any,
        *,
        source: str | None = None,
        lines: Mapping[str, int] | None = None,
    ) -> Recipe:
        """Makes a recipe from plain values, which are copied.

        Raises:
            RecipeError: If a section is unknown or of the wrong kind.
        """
        lines = lines or {}
        if not isinstance(values, Mapping):
            raise RecipeError("a recipe is a mapping of sections", source)
        values = dict(values)
        try:
            document.check_limits(values)
        except RecipeError as error:
            _raise(error.mistakes, source, lines)
        values = document.plain(values)
        mistakes = [
            f"{key}: unknown section{suggest(key, list(SECTIONS))}; known: {', '.join(SECTIONS)}"
            for key in values
            if key not in SECTIONS
        ]
        task = values.get("task")
        if isinstance(task, str):
            values["task"] = {"kind": task}
        elif not (isinstance(task, dict) and isinstance(task.get("kind"), str)):
            mistakes.append(f"task: expected a name, or a mapping with `kind`, got {shown(task)}")
        for section in ("data", "model", "training", "search"):
            if values.setdefault(section, {}) is None:
                values[section] = {}
            if not isinstance(values[section], dict):
                mistakes.append(f"{section}: expected a mapping, got {shown(values[section])}")
        name = values.get("name", "model")
        if not (isinstance(name, str) and _NAME.fullmatch(name)):
            mistakes.append(
                "name: expected letters, digits, '.', '_' and '-', "
                f"starting with a letter or digit, got {shown(name)}"
            )
        seed = values.get("seed", 0)
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= _MAX_SEED:
            mistakes.append(f"seed: expected an integer from 0 to {_MAX_SEED}, got {shown(seed)}")
        _raise(mistakes, source, lines)
        return cls(**values, source=source, lines=dict(lines))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, in the order of the sections; empty sections are left out."""
        values = {name: copy.deepcopy(getattr(self, name)) for name in SECTIONS}
        return {name: value for name, value in values.items() if value != {}}

    def save(self, path: str | Path) -> None:
        """Writes the recipe as YAML or JSON, whole or not at all."""
        document.write(self.to_dict(), Path(path))

    def replace(self, path: str, value: Any) -> Recipe:
        """A recipe with another value at a path such as `model.units`.

        Raises:
            RecipeError: If the path starts with no section, or leads through a plain value.
        """
        section, *rest = path.split(".")
        if section not in SECTIONS:
            raise RecipeError(f"{path}: unknown section{suggest(section, list(SECTIONS))}")
        values = self.to_dict()
        if not rest:
            values[section] = value
        else:
            place = values.setdefault(section, {})
            while True:
                if not isinstance(place, dict):
                    raise RecipeError(f"{path}: leads through a value that has no parts")
                key, rest = _first_key(place, rest)
                if not rest:
                    break
                place = place.setdefault(key, {})
            place[key] = value
        # The file's line is not to blame for the new value.
        lines = {p: n for p, n in self.lines.items() if not f"{p}.".startswith(f"{path}.")}
        return Recipe.from_dict(values, source=self.source, lines=lines)

    def refusal(self, mistakes: str | list[str]) -> RecipeError:
        """The error of mistakes in this recipe: with its file, and their lines where known."""
        listed = [mistakes] if isinstance(mistakes, str) else mistakes
        return RecipeError([_place(mistake, self.lines) for mistake in listed], self.source)

    def validate(self) -> Recipe:
        """Checks every section against what it names, and returns the recipe.

        Raises:
            RecipeError: With all mistakes, each with its path and, from a YAML file, its line.
        """
        self.fill()
        return self

    def fill(self) -> Recipe:
        """The recipe with all defaults, checked as `validate` does."""
        values = self.to_dict()
        mistakes: list[str] = []

        model: Mapping[str, Any] = self.model
        task, wrong = _lookup("task.kind", tasks.get, self.task["kind"])
        mistakes += wrong
        if "builder" not in model and task is not None:
            model = {"builder": task.default_builder, **model}
        for section, named, find, given, skip in (
            ("task", "kind", tasks.get, self.task, NOT_TASK),
            ("model", "builder", builders.get, model, ()),
            ("data", "reader", readers.get, self.data, ()),
        ):
            if section == "data" and not given:
                continue
            if named not in given:
                mistakes.append(f"{section}.{named}: missing")
                continue
            target, wrong = _lookup(f"{section}.{named}", find, given[named])
            if wrong:
                mistakes += wrong if section != "task" else []
                continue
            rest = {key: value for key, value in given.items() if key != named}
            filled, wrong = fill(section, target, rest, skip=skip)
            values[section] = {named: given[named], **filled}
            mistakes += wrong
        values["training"], wrong = fill("training", Training, self.training)
        mistakes += wrong or conflicts(values["training"], self.task["kind"])
        if mistakes:
            raise self.refusal(mistakes)
        return Recipe.from_dict(values, source=self.source, lines=self.lines)


def _first_key(place: Mapping[str, Any], steps: list[str]) -> tuple[str, list[str]]:
    """The key that a path goes on with, and the rest: a key of a search space is a path itself."""
    for count in range(len(steps), 1, -1):
        key = ".".join(steps[:count])
        if key in place:
            return key, steps[count:]
    return steps[0], steps[1:]


def _lookup(path: str, find: Callable[[object], Any], name: object) -> tuple[Any, list[str]]:
    try:
        return find(name), []
    except RecipeError as error:
        return None, [f"{path}: {error.mistakes[0]}"]


def _raise(mistakes: list[str], source: str | None, lines: Mapping[str, int]) -> None:
    if mistakes:
        raise RecipeError([_place(mistake, lines) for mistake in mistakes], source)


def _place(mistake: str, lines: Mapping[str, int]) -> str:
    path = mistake.split(":", 1)[0]
    while path and path not in lines:  # of a missing value, or an entry of a list: what is above
        path = path.rpartition(".")[0]
    return f"line {lines[path]}: {mistake}" if path else mistake
