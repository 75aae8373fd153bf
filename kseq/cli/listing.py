"""`kseq list`."""

from __future__ import annotations

import inspect

import click
from rich.table import Table

from kseq.cli.hush import hushed
from kseq.cli.options import console, json_option, print_json
from kseq.registry import builders, readers, tasks

REGISTRIES = {"builders": builders, "tasks": tasks, "readers": readers}


@click.command("list", short_help="The builders, tasks and readers that a recipe can name.")
@click.argument("kind", type=click.Choice(list(REGISTRIES)), required=False)
@json_option
def command(kind: str | None, as_json: bool) -> None:
    """List the builders, tasks and readers that a recipe can name."""
    chosen = {kind: REGISTRIES[kind]} if kind else REGISTRIES
    with hushed():  # asking for the names imports what bears them
        found = {
            title: {name: _summary(registry.get(name)) for name in registry.names()}
            for title, registry in chosen.items()
        }
    if as_json:
        print_json(found)
        return
    out = console()
    for title, entries in found.items():
        table = Table(title=title, title_justify="left", title_style="bold", box=None)
        table.add_column(no_wrap=True)
        table.add_column()
        table.show_header = False
        for name, summary in entries.items():
            table.add_row(name, summary)
        out.print(table)


def _summary(entry: object) -> str:
    return (inspect.getdoc(entry) or "").split("\n\n")[0].replace("\n", " ")
