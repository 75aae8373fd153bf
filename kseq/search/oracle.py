"""keras-tuner's side of a search: who asks for trials, and who runs them.

This file imports keras-tuner, the extra `tune`, and is itself imported when a search begins.

Workers speak with the oracle as keras-tuner has it, in one process or through its chief. A trial
travels as two texts among its values: the job, and then the outcome.
"""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Protocol

import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus

from kseq.errors import TrainingError
from kseq.metrics.evaluation import counted
from kseq.search.experiment import Experiment, Job
from kseq.search.ledger import MOST_DEATHS, Ledger, Outcome
from kseq.search.proposals import DONE, WAIT, Proposals
from kseq.search.pruning import bars
from kseq.search.section import direction

# So many trials at the beginning that all fail: something else than the recipes is wrong.
_FAILED_FIRST = 3
_REPEATED = 20  # proposals one after the other that were all made before


class Watch(Protocol):
    """What is told how a search goes; from any thread."""

    def listening(self, host: str, port: int) -> None:
        """Workers from elsewhere may come."""

    def begun(self, number: int, changes: dict[str, Any], worker: str) -> None:
        """A trial was handed out."""

    def ended(self, outcome: Outcome, now: bool) -> None:
        """A trial ended, now or before the search was interrupted."""


class SearchOracle(keras_tuner.Oracle):
    """Hands out the trials of a search and takes their outcomes.

    A trial that nobody finished is handed out again. The first error of its own is kept in
    `failure`, for whoever supervises.

    Args:
        experiment: What the trials have in common.
        ledger: Where outcomes are kept; those in there are not tried again.
        watch: Is told how it goes.
    """

    def __init__(self, experiment: Experiment, ledger: Ledger, watch: Watch) -> None:
        super().__init__(objective=_objective(experiment), max_consecutive_failed_trials=10**9)
        self.verbose = 0
        self.experiment = experiment
        self.ledger = ledger
        self.watch = watch
        self.failure: BaseException | None = None
        self.closed = False  # to no more trials: an interruption
        self.seen: dict[str, float] = {}  # when a worker last spoke, by its name
        self.heard = time.monotonic()  # when any of them did
        self._jobs: dict[int, Job] = {}
        self._again: list[int] = []  # trials to hand out once more
        self._turn = threading.RLock()
        with ledger.writing():
            self._proposals = Proposals(
                experiment.plan, experiment.metric, ledger.folder / "keras_tuner"
            )
        before = max((outcome.elapsed for outcome in ledger.outcomes.values()), default=0.0)
        self._begun = time.monotonic() - before
        self._over = False
        self._alike: dict[str, list[int]] = defaultdict(list)  # trials of the same recipe
        self._repeated = 0  # proposals that were all made before, one after the other
        self._replay()

    # --- what workers ask ---

    def create_trial(self, tuner_id: str) -> Trial:
        """The next trial for a worker; one of status IDLE where it has to wait."""
        with self._speaking(tuner_id):
            if tuner_id in self.ongoing_trials:
                return self.ongoing_trials[tuner_id]
            number = self._next()
            if number is None:
                if self.finished or self.closed:
                    self.tuner_ids.discard(tuner_id)
                    return _without_work(TrialStatus.STOPPED)
                return _without_work(TrialStatus.IDLE)
            job = self._jobs[number]
            deaths = self.ledger.begin(number)
            if deaths >= MOST_DEATHS:
                reason = f"the process died {deaths} times while it ran; memory may be short"
                self._end(
                    Outcome(number=number, changes=job.changes, status="failed", reason=reason)
                )
                return _without_work(TrialStatus.IDLE)
            values = keras_tuner.HyperParameters()
            values.values["job"] = job.to_json()
            trial = Trial(values, str(number), TrialStatus.RUNNING)
            self.ongoing_trials[tuner_id] = trial
            self.tuner_ids.add(tuner_id)
            self.watch.begun(number, job.changes, tuner_id)
            return trial

    def end_trial(self, trial: Trial) -> None:
        """Takes the outcome of a trial; a second one of the same trial is left aside."""
        with self._speaking(self._owner(trial.trial_id)):
            values = trial.hyperparameters.values
            if values["search"] != self.experiment.fingerprint:
                return  # of a worker that an earlier chief at this address had
            owner = self._owner(trial.trial_id)
            if owner is not None:
                del self.ongoing_trials[owner]
            outcome = Outcome(**json.loads(values["outcome"]))
            if outcome.number in self._again:  # it was given up too soon
                self._again.remove(outcome.number)
            if outcome.number in self._jobs and outcome.number not in self.ledger.outcomes:
                self._end(outcome)

    def get_trial(self, trial_id: str) -> Trial:
        """The trial, as a sign of life of whoever runs it."""
        owner = self._owner(trial_id)
        with self._speaking(owner):
            if owner is None:
                return _without_work(TrialStatus.STOPPED)
            return self.ongoing_trials[owner]

    def update_trial(self, trial_id: str, metrics: Any, step: int = 0) -> Trial:
        """Nothing: scores come with the outcome."""
        return self.get_trial(trial_id)

    def get_space(self) -> keras_tuner.HyperParameters:
        """No space, which is nobody's business, but what tells this search from others."""
        values = keras_tuner.HyperParameters()
        values.values["search"] = self.experiment.fingerprint
        return values

    def save(self) -> None:
        """Nothing: the ledger is what is kept."""

    def reload(self) -> None:
        """Nothing: the ledger is what is read."""

    # --- what a supervisor does ---

    def lost(self, tuner_id: str) -> int | None:
        """A worker is gone: its trial is handed out again.

        Returns:
            The number of the trial, if it had one.
        """
        with self._turn:
            self.tuner_ids.discard(tuner_id)
            self.seen.pop(tuner_id, None)
            trial = self.ongoing_trials.pop(tuner_id, None)
            if trial is None:
                return None
            self._again.append(int(trial.trial_id))
            self._again.sort()
            return int(trial.trial_id)

    def silent(self, seconds: float) -> list[str]:
        """Workers with a trial that have not spoken for so long."""
        with self._turn:
            now = time.monotonic()
            return [
                tuner_id
                for tuner_id in self.ongoing_trials
                if now - self.seen.get(tuner_id, now) > seconds
            ]

    def close(self) -> None:
        """Hands out no more trials; those that run were interrupted, and did not die."""
        with self._turn:
            self.closed = True
            for trial in self.ongoing_trials.values():
                self.ledger.forgive(int(trial.trial_id))
            self.ongoing_trials.clear()
            self.tuner_ids.clear()

    @property
    def finished(self) -> bool:
        """Whether every trial has ended and there are no more, or no time for more."""
        with self._turn:
            self._look_at_the_clock()
            return self._over and not self.ongoing_trials and not self._again

    # --- the search ---

    def _replay(self) -> None:
        """Goes to where the search stood: trials that ended are chosen again, and not run."""
        self._check_first()
        last = max(self.ledger.outcomes, default=-1)
        while self._proposals.count <= last and (job := self._propose()) is not None:
            if not self._known(job):  # it was begun
                self._again.append(job.number)
        trials = self.experiment.plan.trials
        self._over = self._over or (trials is not None and self._proposals.count >= trials)

    def _known(self, job: Job) -> bool:
        """Whether a trial need not be run: it ended before, or has a twin that did."""
        outcome = self.ledger.outcomes.get(job.number)
        if outcome is None:
            twin = self._twin(job)
            if twin is not None:
                mine = replace(twin, number=job.number, changes=job.changes)
                self._end(replace(mine, seconds=0.0, twin=twin.number))
            return twin is not None
        if outcome.changes != job.changes:
            raise TrainingError(
                f"{self.ledger.folder}: trial {job.number} was chosen as {outcome.changes} and "
                f"would now be {job.changes}; the library that chooses may have changed. "
                "Begin anew with --fresh, which keeps the old folder"
            )
        self.watch.ended(outcome, False)
        return True

    def _next(self) -> int | None:
        if self.closed:
            return None
        if self._again:
            return self._again.pop(0)
        self._look_at_the_clock()
        job = self._propose()
        # One at a time: each is a question to a Gaussian process, while others wait.
        return None if job is None or self._known(job) else job.number

    def _look_at_the_clock(self) -> None:
        minutes = self.experiment.plan.settings.minutes
        if minutes is not None and self._elapsed() >= 60 * minutes:
            self._over = True

    def _propose(self) -> Job | None:
        """The next trial that was never chosen; None where there is none, now or ever."""
        if self._over:
            return None
        ends = {number: outcome.score for number, outcome in self.ledger.outcomes.items()}
        number = self._proposals.count
        with self.ledger.writing():
            changes = self._proposals.next(ends)
        if changes == WAIT:
            return None
        if changes == DONE:
            self._over = True
            with self.ledger.writing():
                self._proposals.finish(ends)
            return None
        assert isinstance(changes, dict)
        earlier = self._earlier(number)
        slow = [
            (outcome.parameters, self._epochs(outcome.changes))
            for outcome in earlier
            if outcome.limit == "time" and outcome.parameters is not None
        ]
        heights = bars(earlier) if self.experiment.plan.settings.prune else []
        job = Job(number, changes, self.experiment.fingerprint, heights, slow)
        self._jobs[number] = job
        alike = self._alike[self.experiment.key(changes)]
        alike.append(number)
        # A space that is used up: nothing new would ever come.
        self._repeated = self._repeated + 1 if len(alike) > 1 else 0
        self._over = self._over or self._repeated >= _REPEATED
        return job

    def _epochs(self, changes: dict[str, Any]) -> int:
        epochs = self.experiment.plan.recipe.fill().training["epochs"]
        return int(changes.get("training.epochs", epochs))

    def _twin(self, job: Job) -> Outcome | None:
        """A trial that ended and was of the same recipe; a Gaussian process may ask again."""
        for number in self._alike[self.experiment.key(job.changes)]:
            outcome = self.ledger.outcomes.get(number)
            if number < job.number and outcome is not None and outcome.status == "done":
                return outcome
        return None

    def _earlier(self, number: int) -> list[Outcome]:
        """How the trials ended that a trial may know of, whoever runs them, and when."""
        known = range(number - self.experiment.plan.settings.parallel + 1)
        outcomes = self.ledger.outcomes
        return [outcomes[other] for other in known if other in outcomes]

    def _end(self, outcome: Outcome) -> None:
        outcome = replace(outcome, elapsed=self._elapsed())
        self.ledger.keep(outcome)
        self.watch.ended(outcome, True)
        self._check_first()

    def _check_first(self) -> None:
        ended = self.ledger.outcomes
        first = [ended[number] for number in range(_FAILED_FIRST) if number in ended]
        # What goes beyond a limit says nothing about the rest.
        failed = [each for each in first if each.status == "failed" and not each.limit]
        if len(failed) == _FAILED_FIRST:
            raise TrainingError(
                f"the first {counted(_FAILED_FIRST, 'trial')} all failed; trial 0, the recipe as "
                f"it stands: {first[0].reason}. When that is mended, begin anew with --fresh"
            )

    def _elapsed(self) -> float:
        """Seconds since the search began, without interruptions."""
        return round(time.monotonic() - self._begun, 3)

    def _owner(self, trial_id: str) -> str | None:
        for tuner_id, trial in list(self.ongoing_trials.items()):
            if trial.trial_id == trial_id:
                return tuner_id
        return None

    @contextmanager
    def _speaking(self, tuner_id: str | None) -> Iterator[None]:
        """One worker at a time. keras-tuner would keep its lock for ever after an error."""
        with self._turn:
            if tuner_id is not None:
                self.seen[tuner_id] = self.heard = time.monotonic()
            try:
                yield
            except BaseException as error:
                self.failure = self.failure or error
                raise


def _without_work(status: str) -> Trial:
    return Trial(keras_tuner.HyperParameters(), "", status)


def _objective(experiment: Experiment) -> keras_tuner.Objective:
    return keras_tuner.Objective(experiment.metric, direction(experiment.metric))
