"""Docstrings: their examples run, and they name every argument."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import kseq
from kseq.registry import builders, readers, tasks

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(kseq.__path__, "kseq.")
    if module.name not in ("kseq.__main__", "kseq.serving._clean_process")  # they run on import
)
EXTRAS = ("matplotlib", "PIL", "pandas", "statsmodels", "tensorflow_serving", "keras_tuner")
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


# Their examples start processes.
SLOW = {"kseq.comparison.comparing"}


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in ["kseq", *MODULES]],
)
def test_the_examples_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # an example that writes a file leaves none in the repository
    module = importlib.import_module(name)
    finder = doctest.DocTestFinder(exclude_empty=True)
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    report: list[str] = []
    for test in finder.find(module, name):
        _skip_without_extras(test)
        runner.run(test, out=report.append)
    assert not runner.summarize(verbose=False).failed, "".join(report)


def _skip_without_extras(test: doctest.DocTest) -> None:
    for example in test.examples:
        for extra in EXTRAS:
            if re.search(rf"\b{extra}\b", example.source):
                pytest.importorskip(extra, reason=f"{test.name} needs {extra}")


def _public() -> Iterator[tuple[str, Any]]:
    """Every class and function that a user meets, by its full name."""
    found: dict[str, Any] = {}
    for name in ["kseq", *MODULES]:
        module = importlib.import_module(name)
        for export in getattr(module, "__all__", []):
            thing = getattr(module, export)
            if inspect.isclass(thing) or inspect.isfunction(thing):
                found[f"{thing.__module__}.{thing.__qualname__}"] = thing
    for registry in (builders, readers, tasks):
        for entry in map(registry.get, registry.names()):
            found[f"{entry.__module__}.{entry.__qualname__}"] = entry
    yield from sorted(found.items())


PUBLIC = dict(_public())


def _arguments(thing: Callable[..., Any]) -> list[str]:
    """The parameters that a docstring has to name."""
    kinds = inspect.Parameter
    return [
        name
        for name, parameter in inspect.signature(thing).parameters.items()
        if parameter.kind not in (kinds.VAR_POSITIONAL, kinds.VAR_KEYWORD)
        and name not in ("self", "spec")
    ]


@pytest.mark.parametrize("name", PUBLIC)
def test_every_argument_is_described(name):
    thing = PUBLIC[name]
    text = inspect.getdoc(thing)
    assert text, f"{name} has no docstring"
    if inspect.isclass(thing) and issubclass(thing, Exception):
        return
    missing = [name for name in _arguments(thing) if not re.search(rf"\b{name}\b", text)]
    assert not missing, f"{name} does not mention {missing}"


def _methods() -> Iterator[tuple[str, Any]]:
    """The public methods that kseq's classes add; those that override are documented above."""
    for name, thing in PUBLIC.items():
        for member, value in vars(thing).items() if inspect.isclass(thing) else ():
            new = not any(hasattr(base, member) for base in thing.__bases__)
            if inspect.isfunction(getattr(value, "__func__", value)) and new:
                yield f"{name}.{member}", value


METHODS = {name: method for name, method in _methods() if not name.split(".")[-1].startswith("_")}


@pytest.mark.parametrize("name", METHODS)
def test_every_public_method_has_a_docstring(name):
    assert inspect.getdoc(METHODS[name])
