"""One training of a comparison: its score, and what it cost."""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import keras
import numpy as np

from kseq.comparison.result import Result
from kseq.data.dataset import Dataset, Part
from kseq.errors import KseqError, RecipeError, TrainingError
from kseq.estimators.base import Estimator
from kseq.estimators.forecaster import Forecaster
from kseq.estimators.load import from_recipe
from kseq.estimators.video import VideoPredictor
from kseq.explain.reaches import reach
from kseq.metrics.by_item import by_item
from kseq.metrics.evaluation import Evaluation
from kseq.recipe import Recipe
from kseq.run import beside, fit, items_of_test, score

_SEQUENCES, _PROJECTIONS = 16, 4  # of the reach
_PREDICTIONS = 15  # of one item, after one that is not timed


@dataclass(frozen=True)
class Job:
    """The trainings of one combination.

    Args:
        recipe: What is trained.
        name: What it is called; no part of what a training is known by.
        changes: The values of the paths that vary.
        seeds: The number of each training, its key and its seed.
        metric: What is compared; None is the primary metric.
        data: What it is trained and scored on.
    """

    recipe: Recipe
    name: str
    changes: dict[str, Any]
    seeds: list[tuple[int, str, int]]
    metric: str | None
    data: Dataset


class Clock(keras.callbacks.Callback):
    """Times epochs."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self._began = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.seconds.append(time.perf_counter() - self._began)

    def median(self) -> float | None:
        """The median epoch; the first one, in which functions are traced, counts where alone."""
        return statistics.median(self.seconds[1:] or self.seconds) if self.seconds else None


def run(job: Job, *, alone: bool) -> Iterator[Result]:
    """Trains with each seed. What goes wrong stands in the results.

    Args:
        job: What to train.
        alone: Whether this process does nothing else, so that its memory is that of the trainings.
    """
    for place, (number, key, seed) in enumerate(job.seeds):
        how: dict[str, Any] = {"number": number, "key": key, "changes": job.changes, "seed": seed}
        # Later ones live in what the first one has left behind.
        before = _memory(anew=True) if alone and not place else None
        try:
            yield Result(**how, **_measured(job, seed, before))
        except KseqError as error:
            reason = "; ".join(line.strip() for line in str(error).splitlines())
            yield Result(**how, status="failed", reason=reason)
        gc.collect()


def _measured(job: Job, seed: int, before: int | None) -> dict[str, Any]:
    estimator = from_recipe(job.recipe.replace("seed", seed))
    clock, began = Clock(), time.monotonic()
    with beside(job.recipe):
        fit(estimator, Dataset(train=job.data.train, valid=job.data.valid), [clock])
    seconds = time.monotonic() - began
    assert job.data.test is not None
    earlier = [part for part in (job.data.train, job.data.valid) if part is not None]
    evaluation = score(estimator, job.data.test, before=earlier)
    metric = job.metric or evaluation.primary
    if metric not in evaluation.metrics:
        known = ", ".join(evaluation.metrics)
        raise RecipeError(f"metric: {metric} is not measured on these data; there are {known}")
    if not math.isfinite(evaluation.metrics[metric]):
        raise TrainingError(f"{metric} has no value on the test part")
    each = by_item(evaluation, metric)
    peak = None if before is None else _memory()
    return {
        "status": "done",
        "metric": metric,
        "metrics": dict(evaluation.metrics),
        "baselines": {name: dict(row) for name, row in evaluation.baselines.items()},
        "sums": [] if each is None else each.sums.tolist(),
        "how": "" if each is None else each.how,
        "units": [] if each is None else each.units.tolist(),
        "together": _together(evaluation),
        "test": _digest(job.data, evaluation),
        "compared": evaluation.notes.get("compared", ""),
        "parameters": estimator.model_.count_params(),
        "epochs": estimator.n_iter_,
        "seconds": round(seconds, 3),
        "epoch_seconds": clock.median(),
        "predict_seconds": _latency(estimator, job.data.test),
        "reach": _reach(estimator, job.data),
        "memory": None if before is None or peak is None else max(peak - before, 0),
    }


def _together(evaluation: Evaluation) -> int:
    """Windows of forecasts overlap, and what overlaps is no more than one observation."""
    return int(np.shape(evaluation.truth)[1]) if evaluation.task == "forecasting" else 1


def _digest(data: Dataset, evaluation: Evaluation) -> str:
    """What tells the items that were asked about from others, whatever is known of each."""
    part: Any = data.test
    lengths = [np.shape(each)[:1] for each in part.X] if not isinstance(part.X, dict) else []
    found: str = joblib.hash(
        (evaluation.truth, lengths, part.ids, part.index, sorted(data.files.items()))
    )
    return found


def _reach(estimator: Estimator, data: Dataset) -> dict[str, Any]:
    """What the model makes of earlier steps, over some test items."""
    try:
        found = reach(
            estimator,
            items_of_test(estimator, data),
            sequences=_SEQUENCES,
            projections=_PROJECTIONS,
        )
    except Exception as error:  # a training that ended must not be lost for it
        return {"left_out": f"{type(error).__name__}: {error}"}
    return {"norms": found.norms.tolist(), "counts": found.counts.tolist(), "step": found.step}


def _latency(estimator: Estimator, part: Part) -> float | None:
    """Seconds that a prediction of one item takes, the median."""
    times = []
    ask = _question(estimator, part)
    ask()
    for _ in range(_PREDICTIONS):
        began = time.perf_counter()
        ask()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def _question(estimator: Estimator, part: Part) -> Callable[[], Any]:
    """Predicts one item."""
    asked: Any = estimator
    X: Any = part.X
    if isinstance(estimator, Forecaster):
        window = np.stack(estimator._tails[:1])
        ahead = len(estimator.columns_.future)
        known = np.zeros((1, int(estimator.horizon), ahead)) if ahead else None
        return lambda: estimator._run(window, known)
    if isinstance(estimator, VideoPredictor):
        clip = X[0][None, : int(estimator.window)]
        return lambda: asked.predict(clip)
    return lambda: asked.predict(X[:1])


def _memory(*, anew: bool = False) -> int | None:
    """Bytes of memory that the process had at most; None where that is not known.

    Args:
        anew: Whether to forget what it had at most before, which is also what a parent had.
    """
    try:
        if anew:
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        (most,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
        return int(most) * 1024
    except (OSError, ValueError):
        return None
