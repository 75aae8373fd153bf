"""`kseq train`."""

from __future__ import annotations

from importlib.util import find_spec

import click
import keras

from kseq.cli.options import (
    changed,
    console,
    json_option,
    print_json,
    recipe_argument,
    set_option,
    writing,
)
from kseq.errors import MissingExtraError
from kseq.recipe import Recipe
from kseq.report.facts import no_intervals
from kseq.report.table import score_table
from kseq.report.wording import calibration_line, interval_line
from kseq.run import train
from kseq.serving.manifest import HOME
from kseq.training import Progress


@click.command("train", short_help="Train, score, report and publish a recipe.")
@recipe_argument
@set_option
@click.option(
    "--output",
    type=click.Path(file_okay=False),
    default="saved_models",
    show_default=True,
    help="The folder that artefacts are published in.",
)
@click.option("--csv-log", type=click.Path(dir_okay=False), help="Log every epoch to a CSV file.")
@click.option("--tensorboard", type=click.Path(file_okay=False), help="Log for TensorBoard.")
@click.option("--quiet", is_flag=True, help="No progress.")
@json_option
def command(
    recipe: str,
    changes: tuple[str, ...],
    output: str,
    csv_log: str | None,
    tensorboard: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Train what the file RECIPE describes, score it beside naive baselines, and publish it."""
    shown = console(stderr=True)
    loaded = changed(Recipe.load(recipe), changes)
    callbacks: list[keras.callbacks.Callback] = []
    if not quiet:
        callbacks.append(Progress(shown))
    if csv_log:
        with writing("--csv-log", csv_log) as log:
            log.open("a").close()  # an error now, not once the data has been read
        callbacks.append(keras.callbacks.CSVLogger(csv_log))
    if tensorboard:
        if find_spec("tensorboard") is None:
            raise MissingExtraError("--tensorboard", "tune")
        with writing("--tensorboard", tensorboard) as folder:
            folder.mkdir(exist_ok=True)
        callbacks.append(keras.callbacks.TensorBoard(tensorboard))
    run = train(loaded, output=output, callbacks=callbacks)
    if as_json:
        score = None if run.evaluation is None else run.evaluation.to_dict()
        print_json({"path": str(run.path), "score": score, "epochs": run.estimator.n_iter_})
        return
    out = console()
    estimator = run.estimator
    out.print(
        f"{run.recipe.name}: {estimator.model_.count_params():,} parameters, "
        f"best epoch {estimator.best_epoch_} of {estimator.n_iter_}, "
        f"{estimator.fit_seconds_:.0f} s"
    )
    if run.evaluation is None:
        out.print("no score: the data has no test part")
    else:
        out.print(score_table(run.evaluation))
        for line in (interval_line(run.evaluation), calibration_line(run.evaluation)):
            if line:
                out.print(line)
    missing = no_intervals(estimator)
    if missing:
        out.print(missing)
    out.print(f"published {run.path}")
    if run.path is not None:
        out.print(f"report {run.path / HOME / 'report' / 'report.html'}")
