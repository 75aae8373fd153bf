"""Reads a YAML, TOML or JSON document that nobody vouches for.

The limits hold before anything is built from the document: its size, its depth, its number of
values and the length of its strings. YAML's aliases, anchors and tags are refused, because a few
hundred bytes of them grow to gigabytes or name code.
"""

from __future__ import annotations

import io
import json
import math
import os
import re
import tomllib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    MappingEndEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
)
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from kseq.errors import RecipeError, shown

MAX_BYTES = 256 * 1024
MAX_DEPTH = 16
MAX_VALUES = 5_000
MAX_STRING = 4_096
MAX_INTEGER = 2**63 - 1
_SURROGATE = re.compile("[\ud800-\udfff]")


def read(path: Path) -> tuple[Any, dict[str, int]]:
    """The values of a document, and the line of each recipe path where the format tells it.

    Whoever takes the values calls `check_limits` on them.

    Raises:
        RecipeError: If the file cannot be read, is none of the formats or breaks a limit.
    """
    source = str(path)
    parsers = {".yaml": _yaml, ".yml": _yaml, ".json": _json, ".toml": _toml}
    parser = parsers.get(path.suffix.lower())
    if parser is None:
        raise RecipeError(f"expected a name ending in {', '.join(parsers)}", source)
    try:
        with path.open("rb") as file:  # a device has no size to ask for
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise RecipeError("no such file", source) from None
    except (OSError, ValueError) as error:  # a ValueError is a name with a zero byte
        reason = getattr(error, "strerror", None) or error
        raise RecipeError(f"cannot be read: {reason}", source) from None
    if len(content) > MAX_BYTES:
        raise RecipeError(f"larger than {MAX_BYTES // 1024} KiB; a recipe is small", source)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecipeError(f"not UTF-8 text (byte {error.start})", source) from None
    try:
        _check_brackets(text)
        return parser(text)
    except RecipeError as error:
        raise RecipeError(error.mistakes, source) from None
    except RecursionError:
        raise RecipeError(f"nested deeper than {MAX_DEPTH} levels", source) from None


def value(text: str) -> Any:
    """One value as it would stand in a YAML recipe: `64`, `[64, 32]`, `1e-3`, `lstm`.

    Raises:
        RecipeError: If it is none.
    """
    _check_brackets(text)
    parsed, _ = _yaml(text)
    check_limits(parsed)
    return parsed


def write(values: dict[str, Any], path: Path) -> None:
    """Writes a document in the format of its name, whole or not at all."""
    if path.suffix.lower() == ".json":
        text = json.dumps(values, indent=2, ensure_ascii=False) + "\n"
    elif path.suffix.lower() in (".yaml", ".yml"):
        text = to_yaml(values)
    else:
        raise RecipeError("a recipe is written as .yaml or .json", str(path))
    staged = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        staged.write_text(text, encoding="utf-8")
        os.replace(staged, path)
    except OSError as error:
        staged.unlink(missing_ok=True)
        raise RecipeError(f"cannot be written: {error.strerror or error}", str(path)) from None


def to_yaml(values: Any, *, short: bool = True) -> str:
    """YAML with keys in their order.

    Args:
        values: The document.
        short: Whether short collections stand on one line; else every value has a line of its own.
    """
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = None if short else False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.width = 100
    stream = io.StringIO()
    yaml.dump(values, stream)
    return stream.getvalue()


def _check_brackets(text: str) -> None:
    """Refuses deep nesting at once, over which the parsers would take seconds or a whole stack."""
    depth = 0
    for bracket in re.findall(r"[\[\]{}]", text):
        depth += 1 if bracket in "[{" else -1
        if depth > MAX_DEPTH:
            raise RecipeError(f"nested deeper than {MAX_DEPTH} levels")


def _yaml(text: str) -> tuple[Any, dict[str, int]]:
    # A loader of its own each time: they keep state after an error.
    try:
        _scan(YAML(typ="safe", pure=True).parse(text))
        node = YAML(typ="safe", pure=True).compose(text)
        values = YAML(typ="safe", pure=True).load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        problem = (error.problem or error.context or "not YAML").splitlines()[0]
        raise RecipeError(f"{where}{problem}") from None
    except RecipeError:
        raise
    except (YAMLError, ValueError) as error:
        raise RecipeError(f"not YAML: {str(error).splitlines()[0]}") from None
    return values, dict(_lines(node, ""))


def _scan(events: Iterator[Any]) -> None:
    """Refuses what would be dangerous to load, from the parser's events alone."""
    depth = values = documents = 0
    for event in events:
        line = event.start_mark.line + 1
        if isinstance(event, DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise RecipeError(f"line {line}: a recipe is one YAML document")
        if isinstance(event, AliasEvent) or getattr(event, "anchor", None):
            raise RecipeError(f"line {line}: YAML anchors and aliases are not accepted")
        if isinstance(event, NodeEvent):
            values += 1
            tag = getattr(event, "tag", None)
            if tag is not None:
                raise RecipeError(f"line {line}: YAML tags are not accepted, got {tag}")
        if isinstance(event, ScalarEvent) and len(event.value) > MAX_STRING:
            raise RecipeError(f"line {line}: a value longer than {MAX_STRING} characters")
        if isinstance(event, CollectionStartEvent):
            depth += 1
        elif isinstance(event, (MappingEndEvent, SequenceEndEvent)):
            depth -= 1
        if depth > MAX_DEPTH:
            raise RecipeError(f"line {line}: nested deeper than {MAX_DEPTH} levels")
        if values > MAX_VALUES:
            raise RecipeError(f"line {line}: more than {MAX_VALUES} values")


def _lines(node: Node | None, path: str) -> Iterator[tuple[str, int]]:
    if isinstance(node, MappingNode):
        for key, value in node.value:
            below = f"{path}.{key.value}" if path else str(key.value)
            yield below, key.start_mark.line + 1
            yield from _lines(value, below)
    elif isinstance(node, SequenceNode):
        for index, value in enumerate(node.value):
            yield from _lines(value, f"{path}.{index}")


def _json(text: str) -> tuple[Any, dict[str, int]]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, inner in pairs:
            if name in found:
                raise RecipeError(f"the key {shown(name)} stands twice")
            found[name] = inner
        return found

    def refuse(constant: str) -> None:
        raise RecipeError(f"{constant} is not a value of JSON")

    try:
        return json.loads(text, object_pairs_hook=once, parse_constant=refuse), {}
    except json.JSONDecodeError as error:
        raise RecipeError(f"line {error.lineno}, column {error.colno}: {error.msg}") from None
    except ValueError as error:  # an integer of thousands of digits
        if isinstance(error, RecipeError):
            raise
        raise RecipeError(f"not JSON: {error}") from None


def _toml(text: str) -> tuple[Any, dict[str, int]]:
    if text.count(".") > MAX_VALUES:  # of a dotted key each part costs as much as all before it
        raise RecipeError(f"more than {MAX_VALUES} values")
    try:
        return tomllib.loads(text), {}
    except ValueError as error:
        raise RecipeError(f"not TOML: {error}") from None


def check_limits(values: Any) -> None:
    """Refuses values that are too deep, too many or too long, or none that a document can hold.

    Raises:
        RecipeError: With the path of the first offence.
    """
    stack: list[tuple[str, Any, int]] = [("", values, 1)]
    count = 0
    while stack:
        path, value, depth = stack.pop()
        count += 1
        if count > MAX_VALUES:
            raise RecipeError(f"more than {MAX_VALUES} values")
        if depth > MAX_DEPTH:
            raise RecipeError(f"{path}: nested deeper than {MAX_DEPTH} levels")
        if isinstance(value, dict):
            for key, below in value.items():
                if not (isinstance(key, str) and key.isprintable() and len(key) <= MAX_STRING):
                    place = path or "the recipe"
                    raise RecipeError(f"{place}: expected plain text as key, got {shown(key)}")
                stack.append((f"{path}.{key}" if path else key, below, depth + 1))
        elif isinstance(value, (list, tuple)):
            stack += [(f"{path}.{i}", below, depth + 1) for i, below in enumerate(value)]
        else:
            _check_scalar(path, value)


def _check_scalar(path: str, value: Any) -> None:
    if isinstance(value, str):
        if len(value) > MAX_STRING:
            raise RecipeError(f"{path}: a value longer than {MAX_STRING} characters")
        if _SURROGATE.search(value):
            raise RecipeError(f"{path}: half a surrogate pair is no text, got {shown(value)}")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise RecipeError(f"{path}: expected a finite number, got {value}")
    elif isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise RecipeError(f"{path}: expected an integer of at most 64 bits")
    elif value is not None:
        raise RecipeError(f"{path}: {type(value).__name__} is not a value of a recipe")


def plain(value: Any) -> Any:
    """A copy of values within the limits, in Python's own types; a tuple becomes a list."""
    if isinstance(value, dict):
        return {str(key): plain(below) for key, below in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(below) for below in value]
    if value is None or isinstance(value, bool):
        return value
    # NumPy's float64 is a float and its str_ a str, which no writer of YAML knows.
    return next(kind(value) for kind in (str, float, int) if isinstance(value, kind))
