"""Options that several commands share."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from kseq.errors import RecipeError
from kseq.recipe import Recipe
from kseq.recipe.document import value

recipe_argument = click.argument("recipe", type=click.Path(dir_okay=False))
artefact_argument = click.argument("artefact", type=click.Path())
set_option = click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="PATH=VALUE",
    help="Replace a value of the recipe, such as model.units=64. Repeatable.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Machine output on stdout.")


def changed(recipe: Recipe, changes: Sequence[str]) -> Recipe:
    """The recipe with every `PATH=VALUE` replaced.

    Raises:
        click.UsageError: If a change has no path or no `=`.
        RecipeError: If a path leads nowhere, or a value is none.
    """
    for change in changes:
        path, sign, text = change.partition("=")
        if not sign or not path.strip():
            raise click.UsageError(f"--set {change}: expected PATH=VALUE, such as model.units=64")
        try:
            recipe = recipe.replace(path.strip(), value(text))
        except RecipeError as error:
            raise RecipeError(error.mistakes, f"--set {change}") from None
    return recipe


@contextmanager
def writing(option: str, path: str) -> Iterator[Path]:
    """The file or folder that an option names, the folder above it made.

    Raises:
        click.UsageError: If it cannot be written, now or inside `with`.
    """
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        yield Path(path)
    except OSError as error:
        reason = error.strerror or error
        raise click.UsageError(f"{option} {path}: cannot be written: {reason}") from None


def console(*, stderr: bool = False) -> Console:
    """A console that wraps nothing where its output goes to a file or a pipe."""
    wide = None if (sys.stderr if stderr else sys.stdout).isatty() else 160
    return Console(stderr=stderr, highlight=False, soft_wrap=True, width=wide)


def print_json(content: Any) -> None:
    """Writes one JSON document to stdout; NaN and infinity, which JSON has not, become null."""
    text = json.dumps(_finite(content), indent=2, sort_keys=True, allow_nan=False)
    click.echo(text)


def _finite(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content
