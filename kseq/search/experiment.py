"""One trial: a recipe is trained on every split with every seed, and scored."""

from __future__ import annotations

import contextlib
import gc
import json
import math
import os
import socket
import statistics
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import joblib
import keras

from kseq.builders.size import parameter_bound
from kseq.data.dataset import Dataset
from kseq.errors import KseqError, RecipeError, TrainingError
from kseq.estimators.load import from_recipe
from kseq.metrics.evaluation import Evaluation, plain
from kseq.recipe import Recipe
from kseq.report.facts import taggings
from kseq.run import beside, check_fit, fit, score
from kseq.search.ledger import Outcome
from kseq.search.pruning import Bars, Limit, best_so_far
from kseq.search.section import Plan
from kseq.search.space import with_changes
from kseq.search.splits import Split, splits
from kseq.spec import Spec
from kseq.tags import scheme_of

_PRIMARY = {
    "classification": "accuracy",
    "regression": "mse",
    "forecasting": "mae",
    "video": "mse",
}
# How backends say that memory ran out.
_MEMORY = ("ResourceExhausted", "OutOfMemory", "MemoryError", "out of memory", "OOM")


class OverLimitError(TrainingError):
    """A trial that goes beyond a limit of the search, `size` or `time`."""

    def __init__(self, message: str, limit: str) -> None:
        super().__init__(message)
        self.limit = limit


@dataclass(frozen=True)
class Job:
    """What is to be tried.

    Args:
        number: Of the trial.
        changes: What it changes in the recipe, by path.
        search: What tells the search that it belongs to from others.
        bars: For each fold and seed the score that must be reached by each epoch, the higher the
            better; a trial below it is given up.
        slow: What took too long before: bound on the parameters, and epochs.
    """

    number: int
    changes: dict[str, Any]
    search: str = ""
    bars: list[list[float]] = field(default_factory=list)
    slow: list[tuple[int, int]] = field(default_factory=list)

    def to_json(self) -> str:
        """The job as text."""
        return json.dumps(vars(self))

    @classmethod
    def from_json(cls, text: str) -> Job:
        """The job of a text."""
        given = json.loads(text)
        return cls(**{**given, "slow": [(bound, epochs) for bound, epochs in given["slow"]]})


@dataclass
class Experiment:
    """What the trials of a search have in common: it goes to the processes that run them.

    Args:
        plan: The search.
        data: The data.
        groups: The group of each training sequence, for grouped cross-validation.
        digest: What tells these data from others.
    """

    plan: Plan
    data: Dataset
    groups: Sequence[Any] | None = None
    digest: str = ""

    def __getstate__(self) -> dict[str, Any]:
        """What was computed is computed anew elsewhere; here it may be, in another thread."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @cached_property
    def splits(self) -> list[Split]:
        """What is learned from and scored on."""
        return splits(self.plan.recipe.fill(), self.plan.settings, self.data, self.groups)

    @cached_property
    def metric(self) -> str:
        """What the best recipe is the best in."""
        if self.plan.settings.metric is not None:
            return self.plan.settings.metric
        kind = self.plan.recipe.task["kind"]
        if kind != "tagging":
            return _PRIMARY[kind]
        tags = {tag for row in taggings(self.data.train.y) for tag in row}
        return "f1" if scheme_of(tags) else "accuracy"

    def identity(self) -> dict[str, Any]:
        """What is searched, apart from how long."""
        settings = {
            name: value
            for name, value in vars(self.plan.settings).items()
            if name not in ("trials", "minutes")
        }
        return {
            "recipe": self.plan.recipe.to_dict(),
            "search": {**settings, "metric": self.metric},
            "data": self.digest,
        }

    @cached_property
    def fingerprint(self) -> str:
        """What tells this search from others, in a few characters."""
        found: str = joblib.hash(plain(self.identity()))
        return found

    def key(self, changes: Mapping[str, Any]) -> str:
        """What two trials have in common if they are of the same recipe."""
        filled = with_changes(self.plan.recipe, changes).fill()
        return json.dumps(filled.to_dict(), sort_keys=True)

    def check(self) -> None:
        """Does all that a trial does before its training, with the recipe as it stands.

        What is wrong with the data would be wrong in every trial. The model is kept for the first.

        Raises:
            RecipeError: If a parameter does not hold.
            DataError: If the data does not.
        """
        trial = _Trial(self, Job(0, {}))
        split = self.splits[0]
        estimator = from_recipe(trial.recipe)
        estimator._gate = trial.gate
        with beside(self.plan.recipe), contextlib.suppress(OverLimitError):
            check_fit(estimator, Dataset(train=split.train, valid=split.valid))

    def run(self, job: Job, worker: str = "") -> Outcome:
        """Runs a trial. What goes wrong in it stands in its outcome.

        Args:
            job: The trial.
            worker: Who runs it.
        """
        trial = _Trial(self, job)
        how: dict[str, Any] = {"number": job.number, "changes": job.changes, "worker": worker}
        try:
            trial.run()
        except Exception as error:  # of whatever kind: it is recorded, and the search goes on
            how |= {"status": "failed", "reason": _reason(error)}
            how |= {"limit": error.limit} if isinstance(error, OverLimitError) else {}
        else:
            how |= {
                "status": "pruned" if trial.pruned else "done",
                "score": statistics.fmean(trial.scores),
                "spread": statistics.pstdev(trial.scores),
                "metrics": {
                    name: statistics.fmean(row[name] for row in trial.metrics)
                    for name in trial.metrics[0]
                },
            }
        if how["status"] == "failed":
            gc.collect()  # the model hangs in a circle with the error's traceback
        return Outcome(
            **how,
            scores=trial.scores,
            seconds=round(time.monotonic() - trial.began, 3),
            epochs=trial.epochs,
            parameters=trial.bound,
            curves=trial.curves,
        )


def _reason(error: Exception) -> str:
    """Why a trial failed, in one line; of what kseq did not foresee, with the place."""
    text = f"{type(error).__name__}: {error}"
    if any(sign in text for sign in _MEMORY) and not isinstance(error, KseqError):
        return f"out of memory ({text.splitlines()[0][:200]})"
    if isinstance(error, KseqError):
        return "; ".join(line.strip() for line in str(error).splitlines())
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{text.splitlines()[0][:400]} ({Path(last.filename).name}:{last.lineno})"


class _Trial:
    """A trial while it runs."""

    def __init__(self, experiment: Experiment, job: Job) -> None:
        self.experiment = experiment
        self.job = job
        self.settings = experiment.plan.settings
        self.recipe = with_changes(experiment.plan.recipe, job.changes)
        self.began = time.monotonic()
        self.scores: list[float] = []
        self.metrics: list[dict[str, float]] = []
        self.curves: list[list[float]] = []
        self.epochs = 0
        self.bound: int | None = None
        self.pruned = False

    def run(self) -> None:
        """Trains and scores on every split with every seed, unless it is given up."""
        filled = self.recipe.fill()
        unit = 0
        for seed in range(self.settings.seeds):
            for split in self.experiment.splits:
                self._unit(filled.replace("seed", filled.seed + seed), split, unit)
                unit += 1
                if self.pruned:
                    return

    def _unit(self, recipe: Recipe, split: Split, unit: int) -> None:
        estimator = from_recipe(recipe)
        estimator._gate = self.gate
        watch: list[keras.callbacks.Callback] = []
        if self.settings.prune and unit < len(self.job.bars):
            watch.append(Bars(self.job.bars[unit], recipe.training["epochs"]))
        limit = self.settings.trial_minutes
        if limit is not None:
            watch.append(Limit(self.began + 60 * limit))
        with beside(self.experiment.plan.recipe):
            fit(estimator, Dataset(train=split.train, valid=split.valid), watch)
        self.epochs += estimator.n_iter_
        if any(isinstance(each, Limit) and each.passed for each in watch):
            raise OverLimitError(f"did not end within search.trial_minutes {limit:g}", "time")
        self.curves.append(best_so_far(estimator.history_))
        before = [split.train] if split.valid is split.scored else [split.train, split.valid]
        evaluation = score(estimator, split.scored, before=[p for p in before if p is not None])
        self._take(evaluation)
        self.pruned = any(isinstance(each, Bars) and each.below for each in watch)

    def _take(self, evaluation: Evaluation) -> None:
        metric = self.experiment.metric
        if metric not in evaluation.metrics:
            known = ", ".join(evaluation.metrics)
            raise RecipeError(
                f"search.metric: {metric} is not measured on these data; there are {known}"
            )
        found = float(evaluation.metrics[metric])
        if not math.isfinite(found):
            raise TrainingError(f"{metric} has no value on the data that is scored")
        self.scores.append(found)
        self.metrics.append(dict(evaluation.metrics))

    def gate(self, recipe: Recipe, spec: Spec) -> None:
        """Refuses a model before it is built."""
        parameters = {name: v for name, v in recipe.model.items() if name != "builder"}
        self.bound = parameter_bound(spec, parameters)
        most = self.settings.max_parameters
        if most is not None and self.bound > most:
            raise OverLimitError(
                f"model: up to {self.bound:,} parameters, search.max_parameters is {most:,}", "size"
            )
        epochs = recipe.training["epochs"]
        for bound, run in self.job.slow:
            if self.bound >= bound and epochs >= run:
                raise OverLimitError(
                    f"model: up to {self.bound:,} parameters and {epochs} epochs; a trial of "
                    f"{bound:,} and {run} did not end within search.trial_minutes",
                    "size",
                )


def name_of_this() -> str:
    """A name for this process, unlike that of any other."""
    return f"{socket.gethostname()}-{os.getpid()}"
