"""Shows how a comparison goes."""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from kseq.comparison.result import Result
from kseq.metrics.evaluation import counted
from kseq.report.wording import duration, metric_name, number


class Board:
    """A line for each training that ended, and on a terminal a bar below them.

    Args:
        trainings: How many there are in all.
        show: Whether to show anything.
        console: Where; standard error by default.
    """

    def __init__(
        self, trainings: int, *, show: bool = True, console: Console | None = None
    ) -> None:
        self.trainings = trainings
        self.show = show
        self.console = console or Console(stderr=True, highlight=False, soft_wrap=True)
        self._ended = self._resumed = 0
        self._began = time.monotonic()
        self._bar: Progress | None = None

    def __enter__(self) -> Board:
        if self.show and self.console.is_terminal:
            self._bar = Progress(
                MofNCompleteColumn(),
                BarColumn(),
                TimeElapsedColumn(),
                TextColumn("{task.description}"),
                console=self.console,
                transient=True,
            )
            self._task = self._bar.add_task("", total=self.trainings)
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def moved_aside(self, folder: Path | None) -> None:
        """What was in the folder, if anything was, is in another one now."""
        if self.show and folder is not None:
            self.console.print(f"the comparison that was there is now in {folder}", markup=False)

    def going_on(self, count: int) -> None:
        """Some trainings ended before the comparison was interrupted."""
        self._ended = self._resumed = count
        if self.show and count:
            self.console.print(f"going on: {counted(count, 'training')} ended before")
        if self._bar is not None:
            self._bar.update(self._task, completed=count)

    def begun(self, name: str) -> None:
        """The trainings of a combination begin."""
        if self._bar is not None:
            self._bar.update(self._task, description=escape(name))

    def ended(self, name: str, result: Result) -> None:
        """A training of a combination ended."""
        self._ended += 1
        if not self.show:
            return
        said = [f"{self._ended}/{self.trainings}", name, f"seed {result.seed}"]
        if result.status != "done":
            said.append(f"failed: {result.reason}")
        else:
            said.append(f"{metric_name(result.metric)} {number(result.score)}")
            said.append(f"{result.seconds:.1f} s")
        left = self.trainings - self._ended
        if left:
            each = (time.monotonic() - self._began) / max(1, self._ended - self._resumed)
            said.append(f"{duration(each * left)} left")
        self.console.print("  ".join(said), markup=False)
        if self._bar is not None:
            self._bar.update(self._task, completed=self._ended)
