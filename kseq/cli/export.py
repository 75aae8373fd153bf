"""`kseq export`."""

from __future__ import annotations

from pathlib import Path

import click

from kseq.cli.options import artefact_argument, json_option, print_json
from kseq.estimators.load import restore
from kseq.recipe import Recipe
from kseq.serving import artefact as artefacts


@click.command("export", short_help="Publish a saved model's SavedModel in another folder.")
@artefact_argument
@click.argument("destination", type=click.Path(file_okay=False))
@json_option
def command(artefact: str, destination: str, as_json: bool) -> None:
    """Publish ARTEFACT as the next version below DESTINATION, such as a TF Serving model folder.

    The model is checked, rebuilt, exported, verified in a clean process and published atomically.
    """
    artefacts.check(Path(artefact))
    saved = artefacts.read(Path(artefact))
    path = restore(saved, artefact).save(
        destination, recipe=Recipe.from_dict(saved.recipe), report=saved.report
    )
    if as_json:
        print_json({"path": str(path)})
    else:
        click.echo(f"published {path}")
