"""What a search leaves behind: the best recipe, a table of all trials, and pictures."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from kseq.data.home import locate
from kseq.errors import DataError, MissingExtraError, TrainingError
from kseq.metrics.evaluation import counted
from kseq.recipe import Recipe
from kseq.report import canvas, searches
from kseq.run import beside
from kseq.search.ledger import Ledger, Outcome, best_of
from kseq.search.section import Plan
from kseq.search.space import with_changes

# Recipe paths that name files.
_FILES = ("data.path", "data.train", "data.valid", "data.test", "task.text.vectors")


def found(outcomes: Sequence[Outcome], metric: str) -> Outcome:
    """The best trial.

    Raises:
        TrainingError: If there is none.
    """
    best = best_of(outcomes, metric)
    if best is None:
        reasons = "; ".join(f"trial {o.number}: {o.reason}" for o in outcomes[:3] if o.reason)
        raise TrainingError(
            f"{counted(len(outcomes), 'trial')} and no score{': ' if reasons else ''}{reasons}"
        )
    return best


def best_recipe(plan: Plan, best: Outcome) -> Recipe:
    """The recipe of a trial, as an ordinary one."""
    changes = dict(best.changes)
    if plan.settings.strategy == "hyperband":
        changes.pop("training.epochs", None)  # of a trial, not of the recipe
    return with_changes(plan.recipe, changes)


def completed(plan: Plan, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The trials to be shown: that of the recipe as it stands with the values that stand there."""
    filled = plan.recipe.fill()
    own: dict[str, Any] = {}
    for path in plan.space.paths():
        section, *steps = path.split(".")
        value: Any = getattr(filled, section)
        for step in steps:
            value = value.get(step) if isinstance(value, dict) else None
        own[path] = value
    own = plan.space.active(own)
    return [replace(o, changes=own) if o.number == 0 else o for o in outcomes]


def rows(plan: Plan, outcomes: Sequence[Outcome], metric: str) -> list[dict[str, Any]]:
    """A row for each trial: how it ended, and the value of each path that varied."""
    paths = [*plan.space.paths()]
    if plan.settings.strategy == "hyperband":
        paths.append("training.epochs")
    return [
        {
            "trial": outcome.number,
            "status": outcome.status,
            metric: outcome.score,
            "spread": outcome.spread if outcome.score is not None else None,
            "seconds": outcome.seconds,
            "epochs": outcome.epochs,
            "parameters_at_most": outcome.parameters,
            **{path: outcome.changes.get(path) for path in paths},
            "reason": outcome.reason if outcome.twin is None else f"as trial {outcome.twin}",
        }
        for outcome in completed(plan, outcomes)
    ]


def write_results(
    ledger: Ledger, plan: Plan, metric: str, outcomes: Sequence[Outcome], recipe: Recipe
) -> list[Path]:
    """Writes `best.yaml`, `results.csv` and, where matplotlib is installed, the pictures.

    Returns:
        What was written.
    """
    folder = ledger.folder
    written = [folder / "best.yaml", folder / "results.csv"]
    _seen_from(folder, recipe).save(written[0])
    table = rows(plan, outcomes, metric)
    shown = completed(plan, outcomes)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(table[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in table)
    ledger.write(written[1], text.getvalue())
    try:
        for name, figure in searches.pictures(
            plan.space.paths(), shown, metric, best_of(shown, metric)
        ):
            with ledger.writing():
                canvas.write(figure, folder / name)
            written.append(folder / name)
    except MissingExtraError:
        pass  # the table says the same
    return written


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    return json.dumps(value) if isinstance(value, (list, dict, bool)) else value


def _seen_from(folder: Path, recipe: Recipe) -> Recipe:
    """The recipe with files named as they are found from another folder.

    A recipe names files relative to itself, to the current folder or to the data home. The first
    does not hold for the best recipe, which stands elsewhere.
    """
    if recipe.source is None:
        return recipe
    home = Path(recipe.source).absolute().parent
    for path in _FILES:
        section, *rest = path.split(".")
        value: Any = getattr(recipe, section)
        for step in rest:
            value = value.get(step) if isinstance(value, dict) else None
        if not isinstance(value, str) or Path(value).is_absolute():
            continue
        try:
            with beside(recipe):
                found = locate(value, folders=True)
        except DataError:
            continue
        if home in found.parents:
            named = os.path.relpath(found, folder.absolute())
            recipe = recipe.replace(path, Path(named).as_posix())
    return recipe
