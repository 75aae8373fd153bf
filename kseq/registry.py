"""Named things that a recipe may ask for: builders, readers, tasks.

A registry knows none of its entries. They import it and register themselves; it imports their home
package, and the installed plugins of its entry-point group, when it is first asked for a name.
"""

from __future__ import annotations

import importlib
import threading
import warnings
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from importlib.metadata import entry_points
from typing import Any, TypeVar

from kseq.errors import RecipeError, shown

Entry = TypeVar("Entry", bound=Callable[..., Any])


def suggest(name: object, known: Iterator[str] | list[str]) -> str:
    """` (did you mean 'units'?)`, or nothing where no known name is near."""
    near = get_close_matches(str(name), list(known), n=1)
    return f" (did you mean '{near[0]}'?)" if near else ""


class Registry:
    """A closed table of names.

    Args:
        kind: What is registered, for messages: "builder".
        home: The package whose import registers kseq's own entries.

    Example:
        >>> cells = Registry("cell", home="kseq.builders")
        >>> @cells.register("mine")
        ... def mine(): "My own cell."
        >>> cells.get("mine") is mine
        True
    """

    def __init__(self, kind: str, home: str) -> None:
        self.kind = kind
        self.home = home
        self._entries: dict[str, Callable[..., Any]] = {}
        self._loaded = False
        self._loading = threading.RLock()

    def register(self, name: str) -> Callable[[Entry], Entry]:
        """A decorator that enters a function or class under `name`.

        Raises:
            ValueError: If the name is taken.
        """

        def enter(entry: Entry) -> Entry:
            if name in self._entries:
                raise ValueError(f"the {self.kind} '{name}' is registered already")
            self._entries[name] = entry
            return entry

        return enter

    def get(self, name: object) -> Callable[..., Any]:
        """The entry of that name.

        Raises:
            RecipeError: If there is none; the message lists the known ones.
        """
        self._load()
        if not isinstance(name, str) or name not in self._entries:
            known = ", ".join(self.names())
            raise RecipeError(
                f"unknown {self.kind} {shown(name)}{suggest(name, self.names())}; known: {known}"
            )
        return self._entries[name]

    def names(self) -> list[str]:
        """All names, sorted."""
        self._load()
        return sorted(self._entries)

    def _load(self) -> None:
        with self._loading:
            if self._loaded:
                return
            importlib.import_module(self.home)
            self._loaded = True  # before the plugins, which may ask for names
            self._load_plugins()

    def _load_plugins(self) -> None:
        for plugin in entry_points(group=self.home):
            try:
                plugin.load()
            except Exception as broken:  # somebody else's package: reported, never fatal
                warnings.warn(
                    f"the plugin '{plugin.name}' of {plugin.value} cannot be loaded: {broken}",
                    stacklevel=4,
                )


builders = Registry("builder", home="kseq.builders")
readers = Registry("reader", home="kseq.data")
tasks = Registry("task", home="kseq.estimators")
