"""Options that several commands share."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import click
from rich.console import Console

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
        click.UsageError: If a change has no `=`.
        RecipeError: If a path leads nowhere.
    """
    for change in changes:
        path, sign, text = change.partition("=")
        if not sign:
            raise click.UsageError(f"--set {change}: expected PATH=VALUE, such as model.units=64")
        recipe = recipe.replace(path.strip(), value(text))
    return recipe


def console(*, stderr: bool = False) -> Console:
    """A console that wraps nothing where its output goes to a file or a pipe."""
    wide = None if (sys.stderr if stderr else sys.stdout).isatty() else 160
    return Console(stderr=stderr, highlight=False, soft_wrap=True, width=wide)


def print_json(content: Any) -> None:
    """Writes one JSON document to stdout."""
    click.echo(json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False))
