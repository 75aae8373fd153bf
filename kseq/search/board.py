"""The table that shows how a search goes."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from kseq.metrics.evaluation import counted
from kseq.report.wording import duration, metric_name, number
from kseq.search.ledger import Outcome, best_of
from kseq.search.section import Plan

_ROWS = 12  # trials that are shown; the best one always is


class Board:
    """Shows the trials: what was tried, score, time, the best so far and the time left.

    On a terminal a table that is drawn anew; elsewhere a line for each trial that ended.

    Args:
        plan: The search.
        metric: What is compared.
        workers: How many trials run at the same time.
        show: Whether to show anything.
        console: Where; standard error by default.
    """

    def __init__(
        self,
        plan: Plan,
        metric: str,
        workers: int,
        *,
        show: bool = True,
        console: Console | None = None,
    ) -> None:
        self.plan = plan
        self.metric = metric
        self.workers = workers
        self.console = console or Console(stderr=True, highlight=False, soft_wrap=True)
        self.show = show
        self._running: dict[int, tuple[float, Mapping[str, Any]]] = {}
        self._ended: list[Outcome] = []
        self._live: Live | None = None
        self._turn = threading.RLock()

    def __enter__(self) -> Board:
        if self.show and self.console.is_terminal:
            self._live = Live(
                get_renderable=self.table,
                console=self.console,
                refresh_per_second=2,
                transient=True,
            )
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Takes the live table away, and leaves it as it stands at last."""
        if self._live is not None:
            self._live.stop()
            self._live = None
            self.console.print(self.table())

    def moved_aside(self, folder: Path | None) -> None:
        """What was in the folder, if anything was, is in another one now."""
        if self.show and folder is not None:
            self.console.print(f"the search that was there is now in {folder}", markup=False)

    def going_on(self, count: int) -> None:
        """Some trials ended before the search was interrupted."""
        if self.show and count:
            self.console.print(f"going on: {counted(count, 'trial')} ended before")

    def listening(self, host: str, port: int) -> None:
        """Workers from elsewhere may come."""
        if self.show:
            self.console.print(f"waiting for workers at {host}:{port}")

    def begun(self, number: int, changes: Mapping[str, Any], worker: str) -> None:
        """A trial was handed out."""
        with self._turn:
            self._running[number] = (time.monotonic(), changes)

    def ended(self, outcome: Outcome, now: bool) -> None:
        """A trial ended, now or before the search was interrupted."""
        with self._turn:
            self._running.pop(outcome.number, None)
            self._ended.append(outcome)
            if self.show and self._live is None and now:
                self.console.print(self._line(outcome), markup=False)

    def table(self) -> Table:
        """The trials as they stand."""
        with self._turn:
            best = best_of(self._ended, self.metric)
            shown = sorted(self._ended, key=lambda outcome: outcome.number)
            kept = shown[-_ROWS:]
            if best is not None and best not in kept:
                kept = [best, *kept]
            table = Table(box=None, show_edge=False, pad_edge=False, title_justify="left")
            table.title = Text(self._heading(best))
            table.title_style = "bold"
            for column in ("trial", "tried", metric_name(self.metric), "s"):
                right = column not in ("tried",)
                table.add_column(
                    column,
                    justify="right" if right else "left",
                    overflow="ellipsis",
                    no_wrap=True,
                    ratio=None if right else 1,
                )
            for outcome in kept:
                style = "bold" if outcome is best else ""
                table.add_row(
                    *(Text(cell, style=style) for cell in (
                        str(outcome.number),
                        tried(outcome.changes),
                        _score(outcome),
                        f"{outcome.seconds:.0f}",
                    ))
                )  # fmt: skip
            now = time.monotonic()
            for trial, (began, changes) in sorted(self._running.items()):
                cells = (str(trial), tried(changes), "running", f"{now - began:.0f}")
                table.add_row(*(Text(cell, style="dim") for cell in cells))
            return table

    def left(self) -> float | None:
        """Seconds that the search still takes, or so; None where that is not known."""
        run = [outcome for outcome in self._ended if outcome.twin is None]
        times = [outcome.seconds for outcome in run if outcome.status != "failed"]
        if not times:
            return None
        mean = sum(times) / len(times)
        known = []
        if self.plan.trials is not None:
            known.append((self.plan.trials - len(self._ended)) * mean / self.workers)
        if self.plan.settings.minutes is not None:
            known.append(60 * self.plan.settings.minutes - max(o.elapsed for o in self._ended))
        return max(0.0, min(known)) if known else None

    def _heading(self, best: Outcome | None) -> str:
        of = "" if self.plan.trials is None else f" of {self.plan.trials}"
        said = [f"{len(self._ended)}{of} trials"]
        if best is not None:
            said.append(f"best {number(best.score)} (trial {best.number})")
        left = self.left()
        if left is not None and (left > 0 or self._running):
            said.append(f"about {duration(left)} left")
        return ", ".join(said)

    def _line(self, outcome: Outcome) -> str:
        best, left = best_of(self._ended, self.metric), self.left()
        of = "" if self.plan.trials is None else f"/{self.plan.trials}"
        said = [
            f"trial {outcome.number} ({len(self._ended)}{of})",
            f"{metric_name(self.metric)} {_score(outcome)}",
            f"{outcome.seconds:.1f} s",
            tried(outcome.changes),
        ]
        if best is not None:
            said.append(f"best {number(best.score)}")
        if left is not None:
            said.append(f"{duration(left)} left")
        if outcome.reason:
            said.append(outcome.reason)
        if outcome.twin is not None:
            said.append(f"as trial {outcome.twin}")
        return "  ".join(said)


def tried(changes: Mapping[str, Any]) -> str:
    """What a trial changed, in a line.

    Example:
        >>> tried({"model.units": [32, 16], "training.learning_rate": 0.00123})
        'units [32, 16], learning_rate 0.00123'
        >>> tried({})
        'the recipe as it stands'
    """
    if not changes:
        return "the recipe as it stands"
    return ", ".join(f"{path.rpartition('.')[2]} {_value(v)}" for path, v in changes.items())


def _value(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value).replace("'", "")


def _score(outcome: Outcome) -> str:
    if outcome.score is None:
        return outcome.status
    spread = f" ± {outcome.spread:.2g}" if len(outcome.scores) > 1 else ""
    pruned = " (pruned)" if outcome.status == "pruned" else ""
    return f"{number(outcome.score)}{spread}{pruned}"
