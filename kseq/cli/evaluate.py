"""`kseq evaluate`."""

from __future__ import annotations

from pathlib import Path

import click

from kseq.cli.options import (
    artefact_argument,
    changed,
    console,
    json_option,
    print_json,
    set_option,
)
from kseq.errors import DataError
from kseq.estimators.load import restore
from kseq.recipe import Recipe
from kseq.report.table import score_table, type_table
from kseq.report.wording import calibration_line, interval_line
from kseq.run import evaluate, read_data
from kseq.serving import artefact as artefacts


@click.command("evaluate", short_help="Score a saved model on test data.")
@artefact_argument
@click.option(
    "--recipe",
    type=click.Path(dir_okay=False),
    help="A recipe whose data section to score on; by default the one it was trained with.",
)
@set_option
@json_option
def command(artefact: str, recipe: str | None, changes: tuple[str, ...], as_json: bool) -> None:
    """Score the saved model ARTEFACT on the test part of its recipe's data."""
    saved = artefacts.read(Path(artefact))
    estimator = restore(saved, artefact)
    chosen = Recipe.load(recipe) if recipe else Recipe.from_dict(saved.recipe)
    evaluation = evaluate(estimator, read_data(changed(chosen, changes)))
    if evaluation is None:
        raise DataError("the data has no test part; give data.split or data.test")
    if as_json:
        print_json(evaluation.to_dict())
    else:
        out = console()
        out.print(score_table(evaluation))
        types = type_table(evaluation)
        if types is not None:
            out.print()
            out.print(types)
        for line in (interval_line(evaluation), calibration_line(evaluation)):
            if line:
                out.print(f"\n{line}")
