"""Runs the trials that an oracle hands out.

This file imports keras-tuner, the extra `tune`, and is itself imported when a search begins.
"""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

import keras_tuner
from keras_tuner.engine.base_tuner import BaseTuner
from keras_tuner.engine.trial import Trial

from kseq.search.experiment import Experiment, Job

OTHER_SEARCH = (
    "the chief there searches another recipe, or other data; give both the same recipe and files"
)
_PAUSE = 0.05  # seconds before a worker asks again


class Retired(Exception):
    """A worker has run as many trials as it was to."""


class SearchTuner(BaseTuner):
    """Runs the trials that an oracle hands out, one after the other, until there are no more.

    Args:
        experiment: What the trials have in common.
        oracle: Who hands them out. Where keras-tuner's environment names a chief, it is asked
            instead.
        name: Of this worker.
        folder: For what keras-tuner may write.
        most: Trials after which it retires.
    """

    def __init__(
        self,
        experiment: Experiment,
        oracle: keras_tuner.Oracle,
        name: str,
        folder: Path,
        most: int | None = None,
    ) -> None:
        self.experiment = experiment
        self.most = most
        self.current = ""  # the trial that runs
        self._run = 0
        self._idle = False
        super().__init__(oracle, directory=str(folder), project_name=".")
        self.tuner_id = name

    def pre_create_trial(self) -> None:
        """Waits a moment, where the last answer was to wait.

        Raises:
            Retired: After `most` trials.
        """
        if self._idle:
            time.sleep(_PAUSE)
        self._idle = True
        if self.most is not None and self._run >= self.most:
            raise Retired

    def on_trial_begin(self, trial: Trial) -> None:
        """There is work."""
        self._idle = False
        self._run += 1
        self.current = trial.trial_id

    def run_trial(self, trial: Trial, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Runs the job, and puts its outcome into the trial.

        Raises:
            FatalError: If the job is of another search.
        """
        job = Job.from_json(trial.hyperparameters.values["job"])
        if job.search != self.experiment.fingerprint:
            raise keras_tuner.errors.FatalError(OTHER_SEARCH)
        outcome = self.experiment.run(job, self.tuner_id)
        trial.hyperparameters.values["outcome"] = json.dumps(outcome.to_dict())
        trial.hyperparameters.values["search"] = job.search
        return {self.oracle.objective.name: math.nan if outcome.score is None else outcome.score}

    def on_trial_end(self, trial: Trial) -> None:
        """Hands the outcome over."""
        self.oracle.end_trial(trial)
        self.current = ""

    def save(self) -> None:
        """Nothing: the ledger is what is kept."""

    def reload(self) -> None:
        """Nothing: the ledger is what is read."""
