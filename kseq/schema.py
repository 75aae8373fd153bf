"""Checks values against the signature of what will be called with them.

A keyword-only signature is the single source of a component's parameter names, types, defaults and
ranges: `fill` reads it, adds the defaults, and reports every mistake with its path.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, get_type_hints

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from kseq.errors import shown
from kseq.registry import suggest

Count = Annotated[int, Field(gt=0, le=8192)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Level = Annotated[float, Field(gt=0, lt=1)]
NonNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]


@dataclass(frozen=True)
class Section:
    """Marks a parameter that is a mapping with parameters of its own, those of `target`.

    Example:
        >>> def inner(*, width: Count = 8): ...
        >>> def build(*, part: Annotated[Mapping[str, Any] | None, Section(inner)] = None): ...
        >>> fill("model", build, {"part": {"witdh": 4}})[1]
        ["model.part.witdh: unknown (did you mean 'width'?); known here: width"]
    """

    target: Callable[..., Any]


# Strict: `true` is no number, "3" is no integer. An integer is a float, which strict mode allows.
_CONFIG = ConfigDict(strict=True, arbitrary_types_allowed=True, allow_inf_nan=False)


def parameters(target: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The keyword-only parameters of a builder, reader or class, in order."""
    return {
        name: parameter
        for name, parameter in inspect.signature(target).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }


@cache
def _adapters(target: Callable[..., Any]) -> dict[str, TypeAdapter[Any]]:
    constructor = target.__init__ if inspect.isclass(target) else target
    hints = get_type_hints(constructor, include_extras=True)
    return {name: TypeAdapter(hints.get(name, Any), config=_CONFIG) for name in parameters(target)}


@cache
def _sections(target: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    """The parameters that are sections, and whose parameters they hold."""
    constructor = target.__init__ if inspect.isclass(target) else target
    return {
        name: mark.target
        for name, hint in get_type_hints(constructor, include_extras=True).items()
        for mark in getattr(hint, "__metadata__", ())
        if isinstance(mark, Section)
    }


def fill(
    path: str,
    target: Callable[..., Any],
    values: Mapping[str, Any],
    *,
    skip: Iterable[str] = (),
) -> tuple[dict[str, Any], list[str]]:
    """Completes `values` with the defaults of `target` and checks them.

    Args:
        path: The recipe path of the values, such as `model`.
        target: A callable whose keyword-only parameters are the schema.
        values: Parameter names and values.
        skip: Parameters that are not asked for here.

    Returns:
        The filled values in the order of the signature, and the mistakes found, as sentences.

    Example:
        >>> def build(*, units: Count = 64, dropout: Fraction = 0.0): ...
        >>> fill("model", build, {"units": 32})
        ({'units': 32, 'dropout': 0.0}, [])
        >>> fill("model", build, {"unit": 32})[1]
        ["model.unit: unknown (did you mean 'units'?); known here: units, dropout"]
    """
    known = {n: p for n, p in parameters(target).items() if n not in set(skip)}
    mistakes = [
        f"{path}.{name}: unknown{suggest(name, list(known))}; known here: {', '.join(known)}"
        for name in values
        if name not in known
    ]
    filled: dict[str, Any] = {}
    for name, parameter in known.items():
        if name in values:
            value, wrong = _check(f"{path}.{name}", _adapters(target)[name], values[name])
            section = _sections(target).get(name)
            if section is not None and wrong:
                inner = ", ".join(parameters(section))
                wrong = [f"{path}.{name}: expected a mapping of {inner}, got {shown(value)}"]
            elif section is not None and isinstance(value, Mapping):
                value, wrong = fill(f"{path}.{name}", section, value)
            filled[name] = value
            mistakes += wrong
        elif parameter.default is inspect.Parameter.empty:
            mistakes.append(f"{path}.{name}: missing; it has no default")
        else:
            filled[name] = parameter.default
    return filled, mistakes


def _check(path: str, adapter: TypeAdapter[Any], value: Any) -> tuple[Any, list[str]]:
    if isinstance(value, float) and not math.isfinite(value):
        return value, [f"{path}: expected a finite number, got {value}"]
    try:
        return adapter.validate_python(value), []
    except ValidationError as error:
        return value, _mistakes(path, value, error)


def _mistakes(path: str, value: Any, error: ValidationError) -> list[str]:
    """One sentence for the value, or one for each entry of a list that does not hold."""
    wishes: dict[int | None, dict[str, None]] = {}
    for detail in error.errors(include_url=False):
        # Of a union each alternative reports; its name stands in front of the entry's index.
        entry = next((step for step in detail["loc"] if isinstance(step, int)), None)
        wishes.setdefault(entry, {})[_wish(detail["msg"])] = None
    entries = {entry: found for entry, found in wishes.items() if entry is not None}
    if not isinstance(value, list) or not entries:
        expected = dict.fromkeys(wish for found in wishes.values() for wish in found)
        return [f"{path}: expected {' or '.join(expected)}, got {shown(value)}"]
    return [
        f"{path}.{entry}: expected {' or '.join(found)}, got {shown(value[entry])}"
        for entry, found in entries.items()
    ]


def _wish(message: str) -> str:
    """What pydantic expected, without the words around it."""
    for opening in ("Input should be a valid ", "Input should be "):
        if message.startswith(opening):
            return message.removeprefix(opening)
    return message[:1].lower() + message[1:]
