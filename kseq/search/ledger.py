"""What a search knows, on disk: one file for each trial that ended, written whole or not at all.

In the search's folder, `searches/NAME`, lie `search.json`, which says what is searched;
`trial_0007/outcome.json`, how trial 7 ended; `trial_0007/started.json`, how often it was begun;
`keras_tuner`, that library's own record, written and never read; and at last `best.yaml`,
`results.csv` and pictures.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Literal

from kseq.metrics.evaluation import higher_is_better, plain
from kseq.records import Records

# How often a process may die in a trial before the trial is given up.
MOST_DEATHS = 5


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a trial ended.

    Args:
        number: Of the trial, from 0 on.
        changes: What it changed in the recipe, by path.
        status: `done`; `pruned`, given up as hopeless; or `failed`.
        score: The mean of the metric over folds and seeds; None of a failed trial.
        spread: Its standard deviation over them; 0 where there is one.
        scores: The metric of each fold and seed.
        metrics: The means of all metrics.
        seconds: Wall time of the trial.
        elapsed: Wall time of the search when it ended, with that before interruptions.
        epochs: Epochs run, in all folds and seeds.
        parameters: An upper bound on the model's parameters, computed before it was built.
        curves: The best validation score so far at each epoch, the higher the better, of each fold
            and seed.
        reason: Why it failed.
        limit: What it went beyond, `size` or `time`, if that is why.
        twin: The earlier trial of the same recipe that it was read from, in place of being run.
        worker: Who ran it.
    """

    number: int
    changes: dict[str, Any]
    status: Literal["done", "pruned", "failed"]
    score: float | None = None
    spread: float = 0.0
    scores: list[float] = field(default_factory=list)
    metrics: dict[str, float | None] = field(default_factory=dict)
    seconds: float = 0.0
    elapsed: float = 0.0
    epochs: int = 0
    parameters: int | None = None
    curves: list[list[float]] = field(default_factory=list)
    reason: str = ""
    limit: Literal["", "size", "time"] = ""
    twin: int | None = None
    worker: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        content: dict[str, Any] = plain(asdict(self))
        return content


def best_of(outcomes: Iterable[Outcome], metric: str) -> Outcome | None:
    """The best trial that was not given up, of equals the first; None where there is none."""
    done = [outcome for outcome in outcomes if outcome.status == "done"]
    sign = 1 if higher_is_better(metric) else -1
    return max(done, key=lambda o: (sign * (o.score or 0.0), -o.number), default=None)


class Ledger(Records[Outcome]):
    """A search's folder, held by one process at a time.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> folder = Path(tempfile.mkdtemp(), "search")
        >>> with Ledger(folder, {"seed": 0}) as ledger:
        ...     ledger.keep(Outcome(number=0, changes={}, status="done", score=0.5))
        >>> with Ledger(folder, {"seed": 0}) as ledger:
        ...     ledger.outcomes[0].score
        0.5
    """

    record: ClassVar[type[Any]] = Outcome
    what: ClassVar[str] = "search"
    piece: ClassVar[str] = "trial"

    def begin(self, number: int) -> int:
        """Keeps that a trial is begun, and returns how often it was begun before."""
        path = self.place(number) / "started.json"
        try:
            before = int(json.loads(path.read_text(encoding="utf-8"))["times"])
        except (OSError, ValueError, KeyError, TypeError):
            before = 0
        self.write(path, json.dumps({"times": before + 1}))
        return before

    def forgive(self, number: int) -> None:
        """A trial that was interrupted on purpose did not die."""
        (self.place(number) / "started.json").unlink(missing_ok=True)
