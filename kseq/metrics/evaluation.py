"""The score of a model on test data, beside what naive baselines reach there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

_HIGHER_IS_BETTER = frozenset(
    {
        "accuracy",
        "balanced_accuracy",
        "boundary_f1",
        "exact_match",
        "f1",
        "label_accuracy",
        "macro_f1",
        "precision",
        "psnr",
        "r2",
        "recall",
        "ssim",
        "unknown_accuracy",
    }
)

# What an evaluation of each task can hold; of a tagging `f1` to `boundary_f1` where tags are of
# spans, the last two where a label comes with them. Of video also `csi_T` for each threshold T.
METRICS = {
    "classification": ("accuracy", "balanced_accuracy", "macro_f1", "log_loss"),
    "regression": ("mse", "rmse", "mae", "r2"),
    "forecasting": (
        *("mae", "mse", "rmse", "r2", "smape", "mase", "mse_standardised", "mae_standardised"),
    ),
    "tagging": (
        *("f1", "precision", "recall", "macro_f1", "boundary_f1", "accuracy"),
        *("unknown_accuracy", "label_accuracy", "exact_match"),
    ),
    "video": ("mse", "mae", "frame_mse", "frame_mae", "ssim", "psnr"),
}


def higher_is_better(metric: str) -> bool:
    """Whether a larger value of the metric is the better one.

    Example:
        >>> higher_is_better("accuracy"), higher_is_better("mae")
        (True, False)
    """
    return metric in _HIGHER_IS_BETTER or metric.startswith("csi_")


@dataclass(frozen=True, kw_only=True, eq=False)
class Evaluation:
    """What came of comparing predictions with the truth.

    A metric that has no value is NaN in here and null in `to_dict`; `notes["undefined"]` says why,
    under the metric's name, or `"row.metric"` where it concerns one row alone.

    Args:
        task: The task, such as `classification`.
        metrics: The model's metrics.
        baselines: The same metrics of each baseline, by its name.
        primary: The metric that decides.
        truth: The true answers: `(items,)`, `(items, targets)`, a list of `(time,)` or
            `(time, targets)` arrays, `(windows, horizon, targets)`, or of a tagging a list of lists
            of tags, or of pairs (tags, label of the sequence). Of video the first few windows,
            `(windows, time, ..., channels)` with pixels from 0 to 1.
        predicted: The model's answers, in the form of `truth`.
        labels: The classes of a classification; the types of a tagging's spans, or its plain tags;
            the names of the targets otherwise.
        probabilities: `(items, classes)`, where the model gives them.
        lower: The lower bounds of prediction intervals in the form of `truth`, where there are any.
        upper: The upper bounds.
        references: The baselines' answers in the form of `truth`, where a picture needs them.
        by_step: The primary metric at each lead time of a forecast, for `model` and the baselines.
        rows: Which of the sequences that were given `truth` is of, `(items,)`, where those without
            a target are left out; None where all are there.
        lengths: How many steps each of them has, with those that have no target, `(items,)`.
        items: How many sequences, steps or windows were compared; `notes["compared"]` says what.
        notes: What else must be known to read the numbers, JSON-able.

    Example:
        >>> scored = Evaluation(
        ...     task="regression", primary="mse", metrics={"mse": 1.0}, items=2,
        ...     baselines={"training mean": {"mse": 4.0}}, truth=[1.0, 2.0], predicted=[2.0, 3.0],
        ... )
        >>> scored.better(), scored.best_baseline()
        (True, 'training mean')
    """

    task: str
    metrics: dict[str, float]
    baselines: dict[str, dict[str, float]]
    primary: str
    truth: Any = field(repr=False)
    predicted: Any = field(repr=False)
    labels: Sequence[Any] | None = None
    probabilities: Any = field(default=None, repr=False)
    lower: Any = field(default=None, repr=False)
    upper: Any = field(default=None, repr=False)
    references: dict[str, Any] = field(default_factory=dict, repr=False)
    by_step: dict[str, list[float]] = field(default_factory=dict)
    rows: Any = field(default=None, repr=False)
    lengths: Any = field(default=None, repr=False)
    items: int
    notes: dict[str, Any] = field(default_factory=dict)

    def best_baseline(self) -> str | None:
        """The name of the best baseline on the primary metric; None where none has a value."""
        values = {name: row.get(self.primary, math.nan) for name, row in self.baselines.items()}
        known = {name: value for name, value in values.items() if math.isfinite(value)}
        if not known:
            return None
        choose = max if higher_is_better(self.primary) else min
        return choose(known, key=lambda name: known[name])

    def better(self) -> bool | None:
        """Whether the model beats the best baseline; None where one of them has no value."""
        best = self.best_baseline()
        mine = self.metrics.get(self.primary, math.nan)
        if best is None or not math.isfinite(mine):
            return None
        theirs = self.baselines[best][self.primary]
        return mine > theirs if higher_is_better(self.primary) else mine < theirs

    def to_dict(self) -> dict[str, Any]:
        """The numbers as plain JSON values, without truth and predictions.

        Never holds NaN or infinity: such a value is None, with a reason in `notes`.
        """
        notes = dict(self.notes)
        undefined = {**self._unexplained(), **notes.get("undefined", {})}
        if undefined:
            notes["undefined"] = undefined
        content: dict[str, Any] = {
            "task": self.task,
            "primary": self.primary,
            "metrics": self.metrics,
            "baselines": self.baselines,
            "items": self.items,
            "notes": notes,
        }
        if self.by_step:
            content["by_step"] = self.by_step
        return {name: plain(value) for name, value in content.items()}

    def _unexplained(self) -> dict[str, str]:
        """A plain reason for each undefined value that nobody has explained."""
        explained = set(self.notes.get("undefined", {}))
        reasons = {}
        for row, values in {"model": self.metrics, **self.baselines}.items():
            for metric, value in values.items():
                where = f"{row}.{metric}"
                if not math.isfinite(value) and explained.isdisjoint({where, metric, row}):
                    reasons[where] = "the result is not a finite number"
        steps = [value for values in self.by_step.values() for value in values]
        if not all(math.isfinite(value) for value in steps) and "by_step" not in explained:
            reasons["by_step"] = "nothing to compare at that lead time, or no finite result"
        return reasons


def counted(count: int, what: str) -> str:
    """The count with its noun.

    Example:
        >>> counted(1, "window"), counted(1200, "window")
        ('1 window', '1,200 windows')
    """
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def plain(value: Any) -> Any:
    """The value as JSON can hold it: numpy and paths turned plain, NaN and infinity None.

    Raises:
        TypeError: If there is no such form.

    Example:
        >>> plain({"loss": np.float32(0.5), "best": float("nan"), "shape": (2, np.int64(3))})
        {'loss': 0.5, 'best': None, 'shape': [2, 3]}
    """
    if isinstance(value, np.ndarray):
        value = value.tolist()
    elif isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        ordered = sorted(value) if isinstance(value, set | frozenset) else value
        return [plain(inner) for inner in ordered]
    if isinstance(value, Path):
        return value.as_posix()
    raise TypeError(f"{type(value).__name__} has no JSON form: {value!r}")
