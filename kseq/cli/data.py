"""`kseq data`."""

from __future__ import annotations

import click
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn
from rich.table import Table

from kseq.cli.options import console, json_option, print_json
from kseq.data.catalogue import catalogue
from kseq.data.download import get as download
from kseq.data.download import is_whole
from kseq.data.home import data_home


@click.group("data", short_help="List and download public data sets.")
def command() -> None:
    """List and download public data sets.

    They lie in the folder that KSEQ_DATA_HOME names, by default in the user's cache.
    """


@command.command("list")
@json_option
def names(as_json: bool) -> None:
    """List the public data sets and whether they are there."""
    home = data_home()
    rows = [
        {
            "name": entry.name,
            "there": all(is_whole(file, home / file.path) for file in entry.files),
            "megabytes": round(entry.bytes / 1e6, 1),
            "task": entry.task,
            "title": entry.title,
            "licence": entry.licence,
        }
        for entry in catalogue().values()
    ]
    if as_json:
        print_json({"home": str(home), "sets": rows})
        return
    table = Table("name", "there", "MB", "task", "title", "licence", box=None)
    for row in rows:
        cells = {**row, "there": "yes" if row["there"] else "-"}
        table.add_row(*(str(cell) for cell in cells.values()))
    out = console()
    out.print(table)
    out.print(f"data home: {home}")


@command.command("get")
@click.argument("name")
@json_option
def get(name: str, as_json: bool) -> None:
    """Download the public data set NAME into the data home, checked by its hash."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        console=console(stderr=True),
        transient=True,
    )
    tasks: dict[str, TaskID] = {}
    with bar:

        def progress(path: str, received: int, expected: int) -> None:
            if path not in tasks:
                tasks[path] = bar.add_task(path, total=expected)
            bar.update(tasks[path], completed=received)

        paths = download(name, progress=progress)
    if as_json:
        print_json({"files": [str(path) for path in paths]})
    else:
        for path in paths:
            click.echo(str(path))
