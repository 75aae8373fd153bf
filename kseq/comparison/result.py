"""How a training of a comparison ended, and what is kept of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np

from kseq.metrics.by_item import ByItem
from kseq.metrics.evaluation import plain
from kseq.records import Records


@dataclass(frozen=True, kw_only=True)
class Result:
    """One training of one combination.

    Args:
        number: Of the training in its folder.
        key: What tells it from all others: recipe, seed, data, versions.
        changes: The values of the paths that vary.
        seed: Of the training.
        status: `done`; or `failed`, which is not kept, so that the next call tries again.
        metric: What is compared.
        metrics: All metrics on the test part.
        baselines: Those of the naive baselines.
        sums: What each test item adds to the sums behind the metric; empty where it is none.
        how: What is made of the sums; see `ByItem`.
        units: The same.
        together: Test items that are no more than one observation: windows that overlap.
        test: What tells the test part from others.
        compared: What was compared, in words.
        parameters: Of the model.
        epochs: That were run.
        seconds: Wall time of the training.
        epoch_seconds: The median epoch, with its validation.
        predict_seconds: One prediction of one item, the median.
        memory: Bytes that training and scoring took beyond what the process had before; known on
            Linux, of the first training of a process.
        reach: How far back the model remembers: what `kseq.explain.Reach` holds of it; or as
            `left_out` why nobody can tell.
        reason: Why it failed.
    """

    number: int
    key: str
    changes: dict[str, Any]
    seed: int
    status: Literal["done", "failed"]
    metric: str = ""
    metrics: dict[str, float | None] = field(default_factory=dict)
    baselines: dict[str, dict[str, float | None]] = field(default_factory=dict)
    sums: list[list[float]] = field(default_factory=list, repr=False)
    how: str = ""
    units: list[float] = field(default_factory=list)
    together: int = 1
    test: str = ""
    compared: str = ""
    parameters: int | None = None
    epochs: int = 0
    seconds: float = 0.0
    epoch_seconds: float | None = None
    predict_seconds: float | None = None
    memory: int | None = None
    reach: dict[str, Any] = field(default_factory=dict, repr=False)
    reason: str = ""

    @property
    def score(self) -> float | None:
        """The metric that is compared; None of a training that failed."""
        return self.metrics.get(self.metric)

    def by_item(self) -> ByItem | None:
        """The score as one of sums over test items."""
        if not self.sums:
            return None
        return ByItem(np.array(self.sums), self.how, np.array(self.units))

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        content: dict[str, Any] = plain(asdict(self))
        return content

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Result:
        """What `to_dict` gave."""
        return cls(**content)


class Results(Records[Result]):
    """A comparison's folder, held by one process at a time."""

    record: ClassVar[type[Any]] = Result
    what: ClassVar[str] = "comparison"
    piece: ClassVar[str] = "training"
