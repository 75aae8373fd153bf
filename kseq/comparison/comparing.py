"""Trains every combination on the same data: `kseq.compare` and `kseq compare`."""

from __future__ import annotations

import importlib.util
import itertools
import json
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from kseq.comparison.apart import run_apart
from kseq.comparison.board import Board
from kseq.comparison.identity import key_of
from kseq.comparison.output import write
from kseq.comparison.result import Result, Results
from kseq.comparison.shared import Shared
from kseq.comparison.table import Row, parts, records, rows
from kseq.comparison.training import Job
from kseq.comparison.variants import Variant, variants
from kseq.data.dataset import Dataset
from kseq.errors import (
    DataError,
    DataTypeError,
    RecipeError,
    TrainingError,
    shown,
)
from kseq.estimators.base import Estimator
from kseq.estimators.load import from_recipe
from kseq.metrics.evaluation import METRICS, higher_is_better
from kseq.parts import check_parts
from kseq.recipe import Recipe
from kseq.registry import suggest
from kseq.run import as_recipe, beside, check_fit


@dataclass(frozen=True)
class Comparison:
    """What a comparison came to.

    Args:
        metric: What was compared.
        paths: What varied.
        rows: The combinations, best first on each test part, and the naive answers to it.
        compared: What the scores are of, in words; where test parts differ in it, that of each.
        held_out: Whether there was no test part, so that a share of the training part was taken.
        folder: Where results, table and pictures are; None where they were not kept.
        written: The table and the pictures there.
        remarks: Why pictures are not there.
    """

    metric: str
    paths: tuple[str, ...]
    rows: list[Row] = field(repr=False)
    compared: str
    held_out: bool
    folder: Path | None = None
    written: list[Path] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def unbeaten(self) -> list[Row]:
        """Naive answers that no combination beats on their test part."""
        sign = 1.0 if higher_is_better(self.metric) else -1.0
        best = {row.test: row.score or 0.0 for row in self.rows if row.best}
        return [
            row
            for row in self.rows
            if row.naive and sign * (row.score or 0.0) >= sign * best[row.test]
        ]

    @cached_property
    def parts(self) -> dict[str, tuple[str, str]]:
        """What each test part is called, and what was scored on it; see `table.parts`."""
        return parts(self.rows, self.paths)

    def records(self) -> list[dict[str, Any]]:
        """The rows as plain values."""
        return records(self.rows, self.paths, self.metric)


def compare(
    estimator_or_recipe: Estimator | Recipe | Mapping[str, Any] | str | Path,
    X: Any = None,
    y: Any = None,
    *,
    vary: Mapping[str, Sequence[Any]],
    seeds: int = 3,
    metric: str | None = None,
    validation_data: Any = None,
    test_data: Any = None,
    folder: str | Path | None = None,
    fresh: bool = False,
    verbose: bool = False,
) -> Any:
    """Trains every combination of some values on the same data and compares their test scores.

    Each combination is trained with several seeds, in a process of its own that tells its peak
    memory. `spread` is the standard deviation over seeds, `behind` how far the mean is from the
    best one, and `noise` whether that may be chance, of seeds and of test items (see
    `kseq.comparison.noise.differences`). Naive answers are rows too. Trainings that ended are kept
    in a folder and not run again, whatever else is compared there later.

    Args:
        estimator_or_recipe: An unfitted estimator; or a recipe, its values, or the path of its
            file, which may bring the data.
        X: What the estimator's `fit` takes; None reads what the recipe's `data` names.
        y: The same.
        vary: The values of each recipe path, such as `{"model.cell": ["gru", "lstm"]}`.
        seeds: Trainings of each combination.
        metric: What is compared: any metric of the task; its primary one by default.
        validation_data: For trainings to be watched on, as `fit` takes it, where X is given.
        test_data: What is scored, in the same form; a fifth of the training data by default, and
            where a recipe's data has no test part.
        folder: Where trainings, table and pictures are kept; by default `comparisons/NAME`, or
            where X is given nowhere.
        fresh: Whether a comparison that is in the folder already is moved aside.
        verbose: Whether standard error shows how it goes.

    Returns:
        A pandas DataFrame with a row for each combination, or, where pandas is not installed, its
        rows as a list of dicts.

    Raises:
        RecipeError: If a combination does not hold.
        DataError: If the data does not.
        TrainingError: If no training came to a score.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> y = np.repeat(["down", "up"], 20)
        >>> X = np.where(y == "up", 1.0, -1.0)[:, None] * np.arange(8) + rng.normal(size=(40, 8))
        >>> from kseq import SequenceClassifier
        >>> clf = SequenceClassifier(training={"epochs": 2}, random_state=0)
        >>> found = compare(clf, X, y, vary={"model.units": [4, 8]}, seeds=1)
        >>> sorted(found["name"])  # with pandas a DataFrame
        ['majority class', 'units 4', 'units 8']
    """
    found = run_comparison(
        estimator_or_recipe,
        X,
        y,
        vary=vary,
        seeds=seeds,
        metric=metric,
        validation_data=validation_data,
        test_data=test_data,
        folder=folder,
        fresh=fresh,
        verbose=verbose,
    ).records()
    if importlib.util.find_spec("pandas") is None:
        return found
    import pandas

    table = pandas.DataFrame(found)
    empty = [name for name in table if table[name].isna().all()]  # numbers that nobody knows
    return table.astype({**dict.fromkeys(empty, float), "noise": "boolean"})


def run_comparison(
    estimator_or_recipe: Any,
    X: Any = None,
    y: Any = None,
    *,
    vary: Mapping[str, Sequence[Any]],
    seeds: int = 3,
    metric: str | None = None,
    validation_data: Any = None,
    test_data: Any = None,
    folder: str | Path | None = None,
    fresh: bool = False,
    verbose: bool = False,
) -> Comparison:
    """What `compare` makes a table of; see there."""
    if isinstance(seeds, bool) or not isinstance(seeds, int) or not 0 < seeds <= 100:
        raise RecipeError(
            "seeds: expected how many trainings each combination has, from 1 to 100, got "
            f"{shown(seeds)}"
        )
    recipe = _recipe(estimator_or_recipe, X)
    if X is not None:
        _check_paths(vary)
    found = variants(recipe, vary)
    _check_metric(metric, recipe)
    data = Shared(X, y, validation_data, test_data)
    jobs = [
        Job(variant.recipe, variant.name, variant.changes, [], metric, data.of(variant.recipe))
        for variant in found
    ]
    _check(jobs)
    with ExitStack() as stack:
        if folder is None and X is not None:
            place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kseq-")))
        else:
            place = Path(folder or Path("comparisons") / recipe.name)
        results = stack.enter_context(Results(place, {}, fresh=fresh))
        board = stack.enter_context(Board(len(jobs) * seeds, show=verbose))
        board.moved_aside(results.aside)
        ended = _trained(jobs, seeds, data, results, board)
        kept = None if folder is None and X is not None else place
        comparison = _compared(found, ended, tuple(vary), data.held_out)
        if kept is not None:
            written, remarks = write(results, comparison.rows, comparison.paths, comparison.metric)
            comparison = replace(comparison, folder=kept, written=written, remarks=remarks)
    return comparison


def _trained(
    jobs: Sequence[Job], seeds: int, data: Shared, results: Results, board: Board
) -> list[list[Result]]:
    """How the trainings of each combination ended; those that are kept are not run again."""
    kept = {result.key: result for result in results.outcomes.values()}
    free = itertools.count(max(results.outcomes, default=-1) + 1)
    ended: list[list[Result]] = []
    wanted = []
    for job in jobs:
        digest = data.digest(job.recipe)
        runs = [job.recipe.replace("seed", job.recipe.seed + place) for place in range(seeds)]
        wanted.append([(key_of(run, digest, job.metric), run.seed) for run in runs])
    board.going_on(sum(key in kept for each in wanted for key, _ in each))
    for job, each in zip(jobs, wanted, strict=True):
        mine = {key: kept[key] for key, _ in each if key in kept}
        left = [(next(free), key, seed) for key, seed in each if key not in kept]
        if left:
            board.begun(job.name)
            for result in run_apart(replace(job, seeds=left)):
                if result.status == "done":
                    results.keep(result)
                elif result.reason.startswith("metric: "):  # of every training alike
                    raise RecipeError(result.reason)
                mine[result.key] = result
                board.ended(job.name, result)
        ended.append([mine[key] for key, _ in each if key in mine])
    return ended


def _recipe(estimator_or_recipe: Any, X: Any) -> Recipe:
    if isinstance(estimator_or_recipe, Estimator):
        if X is None:
            raise DataError("X: missing; an estimator brings no data")
        recipe = estimator_or_recipe.recipe()
        # Without a seed no call would be the same again.
        return recipe.replace("seed", 0) if estimator_or_recipe.random_state is None else recipe
    if isinstance(estimator_or_recipe, (Recipe, Mapping, str, Path)):
        recipe = as_recipe(estimator_or_recipe)
        return recipe if X is None else recipe.replace("data", {})
    raise DataTypeError(
        "estimator_or_recipe: expected a kseq estimator, a recipe or the path of its file, got "
        f"{shown(estimator_or_recipe)}"
    )


def _check_paths(vary: Any) -> None:
    """Raises where what the data is would vary, though the data is given."""
    paths = vary if isinstance(vary, Mapping) else ()  # what else it may be is said later
    named = [path for path in paths if str(path).partition(".")[0] == "data"]
    if named:
        raise RecipeError(
            [
                f"vary: {path} cannot vary where X is given: it says what is read; leave X out and "
                "compare a recipe that has data, or vary another path"
                for path in named
            ]
        )


def _check_metric(metric: str | None, recipe: Recipe) -> None:
    kind = recipe.task["kind"]
    known = METRICS[kind]
    counts = kind == "video" and str(metric).startswith("csi_")  # at any threshold
    if metric is not None and metric not in known and not counts:
        raise RecipeError(
            f"metric: {shown(metric)} is none of this task{suggest(metric, list(known))}; there "
            f"are {', '.join(known)}"
        )


def _check(jobs: Sequence[Job]) -> None:
    """Does what comes before a training: what is wrong shows here, and not in a row.

    Raises:
        DataError: If the data does not hold.
        RecipeError: With the mistakes of all combinations that cannot be built.
    """
    mistakes: dict[str, None] = {}
    seen = set()
    for job in jobs:
        check_parts(from_recipe(job.recipe), job.data)
        recipe = job.recipe
        built = json.dumps([recipe.task, recipe.model, recipe.data], sort_keys=True)
        if built in seen:
            continue
        seen.add(built)
        try:
            with beside(recipe):
                check_fit(from_recipe(recipe), Dataset(train=job.data.train, valid=job.data.valid))
        except RecipeError as error:
            mistakes |= {f"{each} (of {job.name})": None for each in error.mistakes}
    if mistakes:
        raise RecipeError(list(mistakes), jobs[0].recipe.source)


def _compared(
    found: Sequence[Variant],
    ended: Sequence[Sequence[Result]],
    paths: tuple[str, ...],
    held_out: bool,
) -> Comparison:
    every = [result for results in ended for result in results]
    done = [result for result in every if result.score is not None]
    if not done:
        reasons = "; ".join(dict.fromkeys(result.reason for result in every if result.reason))
        raise TrainingError(f"no training came to a score: {reasons}")
    metric = done[0].metric
    table = rows(found, ended, metric)
    scored = list(parts(table, paths).values())
    alike = len({words for _, words in scored}) == 1
    return Comparison(
        metric=metric,
        paths=paths,
        rows=table,
        compared="; ".join(f"{name}: {words}" for name, words in scored)
        if not alike
        else scored[0][1],
        held_out=held_out,
    )
