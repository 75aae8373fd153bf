"""Searches for a recipe: `kseq.tune` and `kseq tune`."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import joblib

from kseq.data.dataset import Dataset
from kseq.data.files import Files
from kseq.errors import DataError, DataTypeError, MissingExtraError, RecipeError, shown
from kseq.estimators.base import Estimator
from kseq.estimators.load import from_recipe
from kseq.parts import check_parts
from kseq.recipe import Recipe
from kseq.run import Run, as_recipe, beside, check_output, read_data, train
from kseq.search.board import Board
from kseq.search.experiment import Experiment
from kseq.search.given import as_dataset
from kseq.search.ledger import Ledger, Outcome
from kseq.search.results import best_recipe, found, rows, write_results
from kseq.search.section import read_search


@dataclass(frozen=True)
class Tuning:
    """What a search came to.

    Args:
        recipe: The best recipe, an ordinary one.
        best: How its trial ended.
        metric: What it is the best in.
        outcomes: How all trials ended, in their order; trial 0 is the recipe as it stood.
        rows: The trials as rows of a table: status, score, time, the value of each path.
        folder: Where they are kept, with `best.yaml`, `results.csv` and pictures; None where they
            were not to be.
        seconds: Wall time of the search, without earlier ones that it went on from.
        estimator: Fitted with the best recipe; None where that was not to be.
        run: The training of the best recipe, with its score on the test part, where the data came
            from the recipe.
    """

    recipe: Recipe
    best: Outcome
    metric: str
    outcomes: list[Outcome] = field(repr=False)
    rows: list[dict[str, Any]] = field(repr=False)
    folder: Path | None
    seconds: float
    estimator: Estimator | None = None
    run: Run | None = None

    def table(self) -> Any:
        """The trials as a pandas DataFrame, a row each, the values of each path in a column.

        Raises:
            MissingExtraError: If pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise MissingExtraError("a table", "pandas") from None
        return pandas.DataFrame(self.rows).convert_dtypes()


def tune(
    estimator_or_recipe: Estimator | Recipe | Mapping[str, Any] | str | Path,
    X: Any = None,
    y: Any = None,
    *,
    search: Mapping[str, Any] | None = None,
    validation_data: Any = None,
    groups: Any = None,
    folder: str | Path | None = None,
    workers: int = 0,
    address: tuple[str, int] | None = None,
    refit: bool = True,
    output: str | Path | None = "saved_models",
    fresh: bool = False,
    verbose: bool = False,
) -> Tuning:
    """Searches for the recipe that is the best on held-out data.

    The trials are chosen by keras-tuner, and scored by any metric of the task on a validation part,
    or by cross-validation. What ended is on disk: after an interruption, however hard, the same
    call goes on where it was and finds what it would have found. The same seed chooses the same
    trials, with any number of workers up to `search.parallel`.

    Args:
        estimator_or_recipe: An unfitted estimator; or a recipe, its values, or the path of its
            file, which may bring the data and the `search` section.
        X: What the estimator's `fit` takes; None reads what the recipe's `data` names.
        y: The same.
        search: The `search` section, in place of the recipe's own; see `kseq.search.Search`.
        validation_data: For trials to be scored on, as `fit` takes it, where X is given.
        groups: The group of each sequence of X, for `cv: grouped`.
        folder: Where the search is kept; by default `searches/NAME`, or where X is given nowhere.
        workers: Processes on this machine that run trials; 0 runs them in this one.
        address: Host and port at which workers from elsewhere may ask for trials. Whoever reaches
            it can take part: there is no password.
        refit: Whether the best recipe is then trained on the whole training part: from a recipe's
            data as `kseq.train` does, with the score on the test part.
        output: Where a recipe's data came from the recipe: the folder to publish in; None
            publishes nothing.
        fresh: Whether a search that is in the folder already is moved aside.
        verbose: Whether a table on standard error shows how it goes.

    Raises:
        RecipeError: If the recipe or its space does not hold.
        DataError: If the data does not.
        TrainingError: If no trial came to a score, or the workers could not work.
        ArtefactError: If the folder holds another search or cannot be written.
        MissingExtraError: If keras-tuner is not installed.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> y = np.repeat(["down", "up"], 15)
        >>> X = np.where(y == "up", 1.0, -1.0)[:, None] * np.arange(8) + rng.normal(size=(30, 8))
        >>> from kseq import SequenceClassifier
        >>> clf = SequenceClassifier(training={"epochs": 2}, random_state=0)
        >>> space = {"model.cell": {"choice": ["gru", "rnn"]}, "model.units": {"int": [4, 8]}}
        >>> found = tune(clf, X, y, search={"space": space, "strategy": "random", "trials": 3})
        >>> len(found.outcomes), found.estimator.predict(X[:2]).shape
        (3, (2,))
    """
    _check_numbers(workers, address)
    experiment = prepare(
        estimator_or_recipe, X, y, search=search, validation_data=validation_data, groups=groups
    )
    plan = experiment.plan
    from_data = X is None
    if from_data and refit and output is not None:
        check_output(Path(output) / plan.recipe.name)
    started = time.monotonic()
    board = Board(plan, experiment.metric, max(workers, 1), show=verbose)
    with ExitStack() as stack:
        if folder is None and not from_data:
            place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kseq-")))
        else:
            place = Path(folder or Path("searches") / plan.recipe.name)
        ledger = stack.enter_context(Ledger(place, experiment.identity(), fresh=fresh))
        stack.enter_context(board)
        board.moved_aside(ledger.aside)
        board.going_on(ledger.resumed)
        _search(experiment, ledger, board, workers, address)
        outcomes = [ledger.outcomes[number] for number in sorted(ledger.outcomes)]
        best = found(outcomes, experiment.metric)
        recipe = best_recipe(plan, best)
        kept = None if folder is None and not from_data else place
        if kept is not None:
            write_results(ledger, plan, experiment.metric, outcomes, recipe)
    seconds = time.monotonic() - started
    run = estimator = None
    if refit and from_data:
        run = train(recipe, output=output)
        estimator = run.estimator
    elif refit:
        estimator = from_recipe(recipe)
        known = {} if validation_data is None else {"validation_data": validation_data}
        estimator.fit(X, y, **known)
    return Tuning(
        recipe=recipe,
        best=best,
        metric=experiment.metric,
        outcomes=outcomes,
        rows=rows(plan, outcomes, experiment.metric),
        folder=kept,
        seconds=seconds,
        estimator=estimator,
        run=run,
    )


def work(recipe: Recipe | Mapping[str, Any] | str | Path, address: tuple[str, int]) -> None:
    """Runs trials of a search whose chief listens at `address`, until there are no more.

    Args:
        recipe: The recipe that the chief has; its data is read here.
        address: Host and port.

    Raises:
        TrainingError: If the chief cannot be reached.
    """
    experiment = prepare(recipe)
    from kseq.search.worker import task_of
    from kseq.search.worker import work as take_part

    take_part(task_of(experiment, address))


def prepare(
    estimator_or_recipe: Any,
    X: Any = None,
    y: Any = None,
    *,
    search: Mapping[str, Any] | None = None,
    validation_data: Any = None,
    groups: Any = None,
) -> Experiment:
    """What the trials of a search have in common, checked; see `tune`."""
    if find_spec("keras_tuner") is None:
        raise MissingExtraError("a search", "tune")
    if isinstance(estimator_or_recipe, Estimator):
        if X is None:
            raise DataError("X: missing; an estimator brings no data")
        recipe = estimator_or_recipe.recipe()
        if estimator_or_recipe.random_state is None:  # else no call would be the same again
            recipe = recipe.replace("seed", 0)
    elif isinstance(estimator_or_recipe, (Recipe, Mapping, str, Path)):
        recipe = as_recipe(estimator_or_recipe)
        if X is not None:  # what was not used should not stand in the best recipe
            recipe = recipe.replace("data", {})
    else:
        raise DataTypeError(
            "estimator_or_recipe: expected a kseq estimator, a recipe or the path of its file, got "
            f"{shown(estimator_or_recipe)}"
        )
    plan = read_search(recipe, search, grouped=groups is not None)
    if plan.settings.groups is not None:
        with beside(plan.recipe):
            groups = Files().text(plan.settings.groups).splitlines()
    if X is None:
        data = read_data(plan.recipe)
        digest = joblib.hash((sorted(data.files.items()), groups))
    else:
        data = as_dataset(plan.recipe, X, y, validation_data)
        digest = joblib.hash((X, y, validation_data, groups))
    check_parts(from_recipe(plan.recipe), Dataset(train=data.train, valid=data.valid))
    labelled = data.train.y is not None and isinstance(next(iter(data.train.y), None), tuple)
    if plan.settings.metric in ("label_accuracy", "exact_match") and not labelled:
        raise plan.recipe.refusal(
            f"search.metric: {plan.settings.metric} is of texts that have a label beside their "
            "tags, and these have none"
        )
    # The test part stays here: no trial can see it.
    experiment = Experiment(plan, Dataset(train=data.train, valid=data.valid), groups, digest)
    _ = experiment.splits  # raises, now and not in every trial
    return experiment


def _search(
    experiment: Experiment,
    ledger: Ledger,
    board: Board,
    workers: int,
    address: tuple[str, int] | None,
) -> None:
    # These files are keras-tuner's through and through.
    from kseq.search.chief import serve
    from kseq.search.oracle import SearchOracle
    from kseq.search.tuner import SearchTuner
    from kseq.search.worker import alone

    if 0 not in ledger.outcomes:
        experiment.check()
    oracle = SearchOracle(experiment, ledger, board)
    try:
        if oracle.finished:
            return
        if workers or address is not None:
            serve(oracle, experiment, workers=workers, address=address or ("127.0.0.1", 0))
        else:
            with alone():
                SearchTuner(experiment, oracle, "here", ledger.folder / "keras_tuner").search()
    finally:
        oracle.close()


def _check_numbers(workers: Any, address: Any) -> None:
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 0:
        raise RecipeError(f"workers: expected a number of processes, got {shown(workers)}")
    if address is not None and not (isinstance(address, Sequence) and len(address) == 2):
        raise RecipeError(f"address: expected (host, port), got {shown(address)}")
