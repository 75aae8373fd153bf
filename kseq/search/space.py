"""The space of a search: which recipe paths vary, over what, and when they count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kseq.recipe import Recipe
from kseq.registry import builders
from kseq.schema import parameters


@dataclass(frozen=True)
class Entry:
    """One path of a space.

    Args:
        path: The recipe path.
        kind: `choice`, `int`, `float`, or `log`: numbers whose logarithm is uniform.
        choices: The values of a `choice`.
        low: The smallest number of a range.
        high: The largest.
        step: The distance between numbers of a range; None where every number is one.
        length: Where the value is a list: how many entries it has, at least and at most.
        when: Values of other paths of the space with which this one counts.
    """

    path: str
    kind: str
    choices: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0
    step: float | None = None
    length: tuple[int, int] | None = None
    when: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """What varies, in a few characters.

        Example:
            >>> Entry("model.dropout", "float", low=0.0, high=0.5).label
            'float from 0 to 0.5'
        """
        if self.kind == "choice":
            what = f"choice of {len(self.choices)}"
        else:
            what = f"{self.kind} from {self.low:g} to {self.high:g}"
        return what if self.length is None else f"{self.length[0]} to {self.length[1]} of: {what}"

    def ends(self) -> list[Any]:
        """Values that hold if all values do."""
        if self.kind == "choice":
            single = list(self.choices)
        else:
            number = int if self.kind == "int" else float
            single = [number(self.low), number(self.high)]
        if self.length is None:
            return single
        return [[one] * count for one in single for count in dict.fromkeys(self.length)]

    def could_be(self, value: Any) -> bool:
        """Whether the path can take a value."""
        if self.length is not None or self.kind in ("float", "log"):
            return False
        if self.kind == "choice":
            return any(same(value, choice) for choice in self.choices)
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not whole or not self.low <= value <= self.high:
            return False
        return self.step is None or (value - self.low) % self.step == 0


@dataclass(frozen=True)
class Space:
    """The entries of a space; one that another depends on stands before it."""

    entries: tuple[Entry, ...]

    def paths(self) -> dict[str, Entry]:
        """The entries by path."""
        return {entry.path: entry for entry in self.entries}

    def active(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """The changes of the paths that count, in the order of the space."""
        kept: dict[str, Any] = {}
        for entry in self.entries:
            counts = all(
                path in kept and any(same(kept[path], value) for value in values)
                for path, values in entry.when.items()
            )
            if counts and entry.path in changes:
                kept[entry.path] = changes[entry.path]
        return kept


def same(left: Any, right: Any) -> bool:
    """Whether two values of a recipe are one: 1 is not `true`, and 1 is 1.0.

    Example:
        >>> same(1, True), same(1, 1.0)
        (False, True)
    """
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def with_changes(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """The recipe with other values at some paths.

    Where one of them is another builder, what the recipe's `model` has for the old one, and the new
    one has no parameter for, is left out.

    Example:
        >>> recipe = Recipe.from_dict({"task": "classification", "model": {"patch": 4}})
        >>> with_changes(recipe, {"model.builder": "lstm_fcn", "model.units": 8}).model
        {'builder': 'lstm_fcn', 'units': 8}
    """
    if "model.builder" in changes:
        known = {"builder", *parameters(builders.get(changes["model.builder"]))}
        model = {name: value for name, value in recipe.model.items() if name in known}
        recipe = recipe.replace("model", model)
    for path, value in changes.items():
        recipe = recipe.replace(path, value)
    return recipe
