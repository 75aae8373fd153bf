"""Which recipes a search tries, chosen by keras-tuner's oracles.

This file imports keras-tuner, the extra `tune`, and is itself imported when a search begins.

keras-tuner keeps its state in files that it writes in place, and of a grid or a Gaussian process it
keeps too little to go on from. So nothing is read back from them here. An oracle answers the same
to the same questions: it is made anew, asked again, and told again how the trials ended, and then
stands where it stood.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner.engine.base_tuner import BaseTuner
from sklearn.exceptions import ConvergenceWarning

from kseq.search.process import Process
from kseq.search.section import Plan, direction
from kseq.search.space import Entry, Space

WAIT = "wait"
DONE = "done"
_EPOCHS = "tuner/epochs"
_NEVER = 10**9
Score = float | None  # of a trial that ended; None of one that failed


class Proposals:
    """The trials of a search, one after the other, as a function of how those before ended.

    Trial 0 is the recipe as it stands. Trial `k` is chosen when the ends of all trials up to
    `k - parallel` are known, and by these alone: whoever runs the trials, and in whatever order
    they end, the same ones are chosen.

    Args:
        plan: The search.
        metric: What is compared.
        folder: Where keras-tuner writes its trial folders.

    Example:
        >>> from kseq.recipe import Recipe
        >>> from kseq.search.section import read_search
        >>> search = {"strategy": "grid", "space": {"model.cell": {"choice": ["gru", "lstm"]}}}
        >>> plan = read_search(Recipe.from_dict({"task": "regression", "search": search}))
        >>> import tempfile
        >>> proposals = Proposals(plan, "mse", Path(tempfile.mkdtemp()))
        >>> proposals.next({}), proposals.next({}), proposals.next({})
        ({}, {'model.cell': 'gru'}, {'model.cell': 'lstm'})
        >>> proposals.next({}), proposals.next({0: 0.5, 1: 0.4, 2: 0.3})
        ('wait', 'done')
    """

    def __init__(self, plan: Plan, metric: str, folder: Path) -> None:
        self.plan = plan
        self.metric = metric
        self.count = 0  # trials chosen
        self._told = 0  # trials whose end the oracle knows
        self._asked: dict[int, Any] = {}  # keras-tuner's trials, by number
        self._idle = False  # whether the oracle wants to know of another end first
        self._oracle = _oracle(plan, metric)
        self._oracle.verbose = 0
        # A tuner tells its oracle where to write.
        BaseTuner(self._oracle, directory=str(folder.parent), project_name=folder.name)

    def next(self, ends: Mapping[int, Score]) -> dict[str, Any] | str:
        """The changes of the next trial; `WAIT` where an end is missing, `DONE` at the end.

        Args:
            ends: The scores of the trials that ended.
        """
        if self.plan.trials is not None and self.count >= self.plan.trials:
            return DONE
        if self.count == 0:
            self.count = 1
            return {}
        while self._idle or self._told <= self.count - self.plan.settings.parallel:
            if self._told >= self.count:
                return DONE  # the oracle waits, and there is nothing that it does not know
            if self._told not in ends:
                return WAIT
            self._tell(self._told, ends[self._told])
        with _quiet():
            trial = self._oracle.create_trial(f"kseq{self.count}")
        if trial.status == "IDLE":
            # Asking twice would draw twice, and how often one asks depends on the time of day.
            self._idle = True
            return self.next(ends)
        if trial.status == "STOPPED":
            return DONE
        self._asked[self.count] = trial
        self.count += 1
        return decoded(self.plan.space, trial.hyperparameters.values)

    def finish(self, ends: Mapping[int, Score]) -> None:
        """Tells the oracle of all that it does not know, for the record in its folders."""
        while self._told < self.count and self._told in ends:
            self._tell(self._told, ends[self._told])

    def _tell(self, number: int, score: Score) -> None:
        self._told += 1
        self._idle = False
        trial = self._asked.pop(number, None)
        if trial is None:  # the recipe as it stands may lie outside the space
            return
        with _quiet():
            if score is None:
                trial.status = "FAILED"
            else:
                self._oracle.update_trial(trial.trial_id, {self.metric: score})
                trial.status = "COMPLETED"
            self._oracle.end_trial(trial)


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        # A length scale at its bound, of a parameter that does not matter; and names of threads.
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def _oracle(plan: Plan, metric: str) -> keras_tuner.Oracle:
    settings = plan.settings
    how: dict[str, Any] = {
        "objective": keras_tuner.Objective(metric, direction(metric)),
        "hyperparameters": encoded(plan.space),
        "seed": seed_of(plan.recipe.seed),
        "max_consecutive_failed_trials": _NEVER,  # kseq itself looks at failures
    }
    if settings.strategy == "hyperband":
        epochs = plan.recipe.fill().training["epochs"]
        return keras_tuner.oracles.HyperbandOracle(max_epochs=epochs, **how)
    how["max_trials"] = None  # they are counted here
    if settings.strategy == "grid":
        return keras_tuner.oracles.GridSearchOracle(**how)
    if settings.strategy == "random":
        return keras_tuner.oracles.RandomSearchOracle(**how)
    # By default it would draw the first 3 trials a dimension, all of a short search.
    first = max(3, len(plan.space.entries) + 1)
    oracle = keras_tuner.oracles.BayesianOptimizationOracle(num_initial_points=first, **how)
    oracle.gpr = Process(oracle.alpha, oracle.seed)  # the same, sooner
    return oracle


def seed_of(seed: int) -> int:
    """A seed for keras-tuner, which takes 0 for none."""
    return int(np.random.SeedSequence(seed).generate_state(1)[0]) % (2**31 - 2) + 1


def encoded(space: Space) -> keras_tuner.HyperParameters:
    """The space as keras-tuner has it: one hyperparameter an entry, or an entry of a list.

    A choice is kept by its text where its values are not of one plain kind, which is all that
    keras-tuner takes.
    """
    found = keras_tuner.HyperParameters()
    for entry in space.entries:
        with _conditions(found, space, entry):
            if entry.length is None:
                _register(found, entry.path, entry)
                continue
            low, high = entry.length
            counts = list(range(low, high + 1))
            found.Choice(f"{entry.path}.length", counts)
            for place in range(high):
                if place < low:
                    _register(found, f"{entry.path}.{place}", entry)
                    continue
                with found.conditional_scope(
                    f"{entry.path}.length", [count for count in counts if count > place]
                ):
                    _register(found, f"{entry.path}.{place}", entry)
    return found


@contextmanager
def _conditions(found: keras_tuner.HyperParameters, space: Space, entry: Entry) -> Iterator[None]:
    """Within this context, what is registered counts when the entry does."""
    parents = {parent.path: parent for parent in space.entries}
    with ExitStack() as stack:
        for path, values in entry.when.items():
            labels = [_label(parents[path], value) for value in values]
            stack.enter_context(found.conditional_scope(path, labels))
        yield


def _register(found: keras_tuner.HyperParameters, name: str, entry: Entry) -> None:
    if entry.kind == "choice":
        found.Choice(name, [_label(entry, value) for value in entry.choices])
    elif entry.kind == "int":
        found.Int(name, int(entry.low), int(entry.high), step=entry.step or 1)
    else:
        sampling = "log" if entry.kind == "log" else "linear"
        found.Float(name, entry.low, entry.high, step=entry.step, sampling=sampling)


def _label(entry: Entry, value: Any) -> Any:
    """What keras-tuner calls a value."""
    kinds = {type(choice) for choice in entry.choices}
    if entry.kind == "int" or (len(kinds) == 1 and kinds <= {str, int, float}):
        return value
    return json.dumps(value)


def decoded(space: Space, values: Mapping[str, Any]) -> dict[str, Any]:
    """keras-tuner's values as changes of recipe paths; those that do not count are left out."""

    def read(entry: Entry, value: Any) -> Any:
        if entry.kind == "choice":
            return next(choice for choice in entry.choices if _label(entry, choice) == value)
        if entry.kind == "int":
            return int(value)
        return float(f"{value:.6g}")  # a recipe is read by people

    changes: dict[str, Any] = {}
    for entry in space.entries:
        if entry.length is not None:
            count = values.get(f"{entry.path}.length")
            if count is not None:
                changes[entry.path] = [
                    read(entry, values[f"{entry.path}.{place}"]) for place in range(int(count))
                ]
        elif entry.path in values:
            changes[entry.path] = read(entry, values[entry.path])
    changes = space.active(changes)
    if _EPOCHS in values:
        changes["training.epochs"] = int(values[_EPOCHS])
    return changes
