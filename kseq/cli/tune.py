"""`kseq tune`."""

from __future__ import annotations

from typing import Any

import click

from kseq.cli.options import (
    changed,
    console,
    json_option,
    print_json,
    recipe_argument,
    set_option,
)
from kseq.metrics.evaluation import counted
from kseq.recipe import Recipe
from kseq.report.table import score_table
from kseq.report.wording import metric_name, number
from kseq.search.board import tried
from kseq.search.section import Search
from kseq.search.tuning import tune, work

_ANYWHERE = 8476  # the port of a chief that is given none


@click.command("tune", short_help="Search for a better recipe.")
@recipe_argument
@set_option
@click.option("--folder", type=click.Path(file_okay=False), help="Where the search is kept.")
@click.option(
    "--output",
    type=click.Path(file_okay=False),
    default="saved_models",
    show_default=True,
    help="The folder that the best recipe's artefact is published in.",
)
@click.option(
    "--workers",
    type=click.IntRange(0, 256),
    default=0,
    help="Processes on this machine that run trials; 0 runs them in this one.",
)
@click.option(
    "--role",
    type=click.Choice(["chief", "worker"]),
    help="Over several machines: one chief hands out trials to workers with the same recipe.",
)
@click.option(
    "--address",
    metavar="HOST:PORT",
    help="Where the chief listens: for a chief by default this machine alone, 127.0.0.1:8476.",
)
@click.option("--train/--no-train", default=True, help="Train and publish the best recipe.")
@click.option("--fresh", is_flag=True, help="Move aside a search that is there, and begin anew.")
@click.option("--quiet", is_flag=True, help="No progress.")
@json_option
def command(
    recipe: str,
    changes: tuple[str, ...],
    folder: str | None,
    output: str,
    workers: int,
    role: str | None,
    address: str | None,
    train: bool,
    fresh: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Search what the `search` section of the file RECIPE marks, and train the best recipe.

    After an interruption the same command goes on where it was.
    """
    place = _place(role, address)
    if role == "worker" and (workers or folder or fresh or as_json):
        raise click.UsageError(
            "--role worker: runs one trial after the other and keeps nothing, so it takes no "
            "--workers, --folder, --fresh or --json; start another for each process"
        )
    loaded = changed(Recipe.load(recipe), changes)
    if role == "worker":
        assert place is not None
        work(loaded, place)
        return
    parallel = loaded.search.get("parallel", Search.parallel)
    if workers and isinstance(parallel, int) and workers > parallel:
        click.echo(
            f"kseq: warning: search.parallel is {parallel}, so only as many of {workers} workers "
            "will be busy",
            err=True,
        )
    kept = folder or f"searches/{loaded.name}"
    try:
        found = tune(
            loaded,
            folder=folder,
            workers=workers,
            address=place,
            refit=train,
            output=output,
            fresh=fresh,
            verbose=not quiet,
        )
    except KeyboardInterrupt:
        raise click.Abort(
            f"the trials that ended are kept in {kept}, and the same command goes on"
        ) from None
    if as_json:
        print_json(_values(found))
        return
    out = console()
    spread = f" ± {found.best.spread:.2g}" if len(found.best.scores) > 1 else ""
    out.print(
        f"best of {counted(len(found.outcomes), 'trial')}: {metric_name(found.metric)} "
        f"{number(found.best.score)}{spread} on held-out data, trial {found.best.number}: "
        f"{tried(found.best.changes)}",
        markup=False,
    )
    alike = [o for o in found.outcomes if o.status == "done" and o.score == found.best.score]
    if len({tried(outcome.changes) for outcome in alike}) > 1:
        out.print(
            f"{len(alike)} trials tie at that score; cv kfold, more seeds or another metric would "
            "tell them apart"
        )
    asked = loaded.search.get("trials")
    if asked is not None and len(found.outcomes) < asked and "minutes" not in loaded.search:
        out.print(f"there were no more than these to try, of {asked} that were asked for")
    failed = sum(outcome.status == "failed" for outcome in found.outcomes)
    if failed:
        out.print(f"{counted(failed, 'trial')} failed; results.csv says why")
    out.print(f"wrote {found.folder}/best.yaml, results.csv and pictures")
    if found.run is None:
        return
    if found.run.evaluation is not None:
        out.print(score_table(found.run.evaluation))
    out.print(f"published {found.run.path}")


def _place(role: str | None, address: str | None) -> tuple[str, int] | None:
    """The address as host and port.

    Raises:
        click.UsageError: If it is none, or needed and not given.
    """
    if role is None:
        if address is not None:
            raise click.UsageError("--address: is for --role chief or worker")
        return None
    if address is None:
        if role == "worker":
            raise click.UsageError("--address: missing; a worker needs that of its chief")
        return ("127.0.0.1", _ANYWHERE)
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise click.UsageError(f"--address {address}: expected HOST:PORT, such as 127.0.0.1:8476")
    return host, int(port)


def _values(found: Any) -> dict[str, Any]:
    run = found.run
    return {
        "folder": str(found.folder),
        "metric": found.metric,
        "best": found.best.to_dict(),
        "trials": len(found.outcomes),
        "failed": sum(outcome.status == "failed" for outcome in found.outcomes),
        "seconds": found.seconds,
        "recipe": found.recipe.to_dict(),
        "path": None if run is None else str(run.path),
        "score": None if run is None or run.evaluation is None else run.evaluation.to_dict(),
    }
