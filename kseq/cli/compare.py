"""`kseq compare`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import click
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from kseq.cli.options import changed, console, json_option, print_json, recipe_argument, set_option
from kseq.comparison.comparing import Comparison, run_comparison
from kseq.comparison.table import Row
from kseq.errors import RecipeError, TrainingError
from kseq.metrics.evaluation import counted
from kseq.recipe import Recipe
from kseq.recipe.document import value
from kseq.report.wording import metric_name, number

# Columns that a narrow terminal does without, the first one first; and letters of a name.
_LESS = ("MB", "s/epoch", "ms/prediction", "s", "parameters", "reach")
_NAME = 24


@click.command("compare", short_help="Train variants on the same data and compare them.")
@recipe_argument
@click.option(
    "--vary",
    "varied",
    multiple=True,
    required=True,
    metavar="PATH=A,B,...",
    help="Values of a recipe path, such as model.cell=gru,lstm. Repeatable: all combinations.",
)
@click.option("--seeds", type=click.IntRange(1, 100), default=3, show_default=True)
@click.option("--metric", metavar="NAME", help="What is compared; the task's primary one.")
@set_option
@click.option("--folder", metavar="FOLDER", help="Where it is kept; comparisons/NAME.")
@click.option("--fresh", is_flag=True, help="Move an earlier comparison in that folder aside.")
@click.option("--quiet", is_flag=True, help="Do not show how it goes.")
@json_option
def command(
    recipe: str,
    varied: tuple[str, ...],
    seeds: int,
    metric: str | None,
    changes: tuple[str, ...],
    folder: str | None,
    fresh: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Train every combination of values on the same data, and compare their test scores.

    After an interruption the same command goes on where it was.
    """
    vary = _read(varied)
    _check_apart(vary, changes)
    loaded = changed(Recipe.load(recipe), changes)
    try:
        found = run_comparison(
            loaded,
            vary=vary,
            seeds=seeds,
            metric=metric,
            folder=folder,
            fresh=fresh,
            verbose=not quiet,
        )
    except KeyboardInterrupt:
        kept = folder or f"comparisons/{loaded.name}"
        raise click.Abort(
            f"the trainings that ended are kept in {kept}, and the same command goes on"
        ) from None
    if as_json:
        print_json(
            {
                "folder": str(found.folder),
                "metric": found.metric,
                "compared": found.compared,
                "held_out": found.held_out,
                "remarks": found.remarks,
                "rows": found.records(),
            }
        )
    else:
        _show(found, seeds)
    combinations = [row for row in found.rows if not row.naive]
    without = [row for row in combinations if row.score is None]
    if without:
        raise TrainingError(
            f"{len(without)} of {counted(len(combinations), 'combination')} came to no score; the "
            "same command tries again"
        )


def _read(varied: Sequence[str]) -> dict[str, list[Any]]:
    """The values of each path.

    Raises:
        click.UsageError: If an option has no path, no `=` or no value.
        RecipeError: If a value is none.
    """
    found: dict[str, list[Any]] = {}
    for option in varied:
        path, sign, text = option.partition("=")
        path = path.strip()
        if not sign or not path or not text.strip():
            raise click.UsageError(
                f"--vary {option}: expected PATH=A,B,..., such as model.cell=gru,lstm"
            )
        if path in found:
            raise click.UsageError(f"--vary {option}: {path} is varied twice; give all its values")
        try:
            # A list in brackets, as YAML writes one: its own entries may be lists.
            found[path] = value(f"[{text}]")
        except RecipeError as error:
            raise RecipeError(error.mistakes, f"--vary {option}") from None
    return found


def _check_apart(vary: Iterable[str], changes: Sequence[str]) -> None:
    """Raises where what varies, or a part of it, is set too."""
    for change in changes:
        path = change.partition("=")[0].strip()
        for other in vary:
            if path == other or path.startswith(f"{other}."):
                raise click.UsageError(
                    f"--set {change}: {other} varies, so that no combination would have it; leave "
                    "one of the two out"
                )


def _show(found: Comparison, seeds: int) -> None:
    out = console()
    for line in _headline(found, seeds):
        out.print(line, markup=False)
    if found.held_out:
        out.print("there is no test part: a fifth of the training part was held out")
    table, left_out = _fitting(found, out)
    out.print(table)
    if left_out:
        out.print(f"the terminal has no room for {', '.join(left_out)}; results.csv has all")
    if any(row.difference is not None and row.difference.noise is None for row in found.rows):
        out.print("(?): two seeds or more of each, and more test items, would tell noise from it")
    for row in found.unbeaten():
        name = _called(row, found)
        out.print(f"nothing beats the naive answer {name}: {number(row.score)}", markup=False)
    failed = [row for row in found.rows if row.failed]
    for row in failed:
        out.print(f"{row.name}: {row.failed}", markup=False)
    for row in found.rows:
        if row.left_out:
            out.print(f"{row.name}: the reach was left out: {row.left_out}", markup=False)
    names = [path.name for path in found.written]
    out.print(f"wrote {' and '.join(names)} in {found.folder}", markup=False)
    for remark in found.remarks:
        out.print(remark, markup=False)


def _headline(found: Comparison, seeds: int) -> list[str]:
    """What the scores are of; a line for each test part where it is not the same for all."""
    what, of_each = metric_name(found.metric), counted(seeds, "seed")
    parts = found.parts
    if len(parts) < 2:
        return [f"{what} of {found.compared}, {of_each}"]
    own = f"{len(parts)} test parts, each with its own best"
    if len({compared for _, compared in parts.values()}) == 1:
        return [f"{what} of {found.compared}, {of_each}", own]
    return [f"{what}, {of_each}", own, *(f"{name}: {of}" for name, of in parts.values())]


def _called(row: Row, found: Comparison) -> str:
    """A row's name; of a naive answer with its test part, where there are several."""
    part, _ = found.parts.get(row.test, ("", ""))
    return f"{row.name} ({part})" if row.naive and part else row.name


def _fitting(found: Comparison, out: Console) -> tuple[Table, list[str]]:
    """The table without the columns that there is no room for, and which these are."""
    left_out: list[str] = []
    longest = max(len(_called(row, found)) for row in found.rows)
    for title in (*_LESS, ""):
        table = comparison_table(found, left_out)
        whole = Measurement.get(out, out.options.update(width=10_000), table).maximum
        if title == "" or whole - max(0, longest - _NAME) <= out.width:
            break
        left_out.append(title)
    return table, left_out


def comparison_table(found: Comparison, without: Collection[str] = ()) -> Table:
    """The rows for the terminal: the best first, and what is not worse by more than noise bold.

    Args:
        found: The comparison.
        without: Columns to leave out.
    """
    names = [_called(row, found) for row in found.rows]
    titles = [metric_name(found.metric), "behind the best", "parameters", "s/epoch", "s",
              "ms/prediction", "MB", "reach"]  # fmt: skip
    kept = [place for place, title in enumerate(titles) if title not in without]
    table = Table(box=None, show_edge=False, pad_edge=False)
    # Names alone may take several lines, where they are very long.
    table.add_column("", min_width=min(_NAME, max(map(len, names))))
    for place in kept:
        table.add_column(titles[place], justify="right", no_wrap=True)
    before: str | None = None
    for row, name in zip(found.rows, names, strict=True):
        if before is not None and row.test != before:
            table.add_section()
        before = row.test
        style = "dim" if row.naive else "bold" if row.alike else ""
        cells = _cells(row)
        shown = [name, *(cells[place] for place in kept)]
        table.add_row(*(Text(cell, style=style) for cell in shown))
    return table


def _cells(row: Row) -> list[str]:
    spread = "" if row.spread is None else f" ± {row.spread:.2g}"
    score = "failed" if row.score is None else f"{number(row.score)}{spread}"
    behind = ""
    if row.best:
        behind = "best"
    elif row.difference is not None:
        behind = number(row.difference.behind)
        if row.difference.noise is None:
            behind += " (?)"
        elif row.difference.noise:
            behind += " (noise)"
    parameters, memory = row.mean("parameters"), row.mean("memory")
    predict = row.mean("predict_seconds")
    return [
        score,
        behind,
        "" if parameters is None else f"{parameters:,.0f}",
        *("" if value is None else f"{value:.3g}" for value in (
            row.mean("epoch_seconds"),
            row.mean("seconds"),
            None if predict is None else 1e3 * predict,
            None if memory is None else memory / 1e6,
        )),
        "" if row.reach is None else _reach(*row.reach),
    ]  # fmt: skip


def _reach(lag: float | None, within: int) -> str:
    return f"> {within - 1}" if lag is None else f"{lag:g}"
