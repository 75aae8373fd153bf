"""How far a training has come, and how long it still takes."""

from __future__ import annotations

import time
from typing import Any

import keras
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from kseq.metrics.evaluation import counted


class Progress(keras.callbacks.Callback):
    """A progress bar over the epochs, with losses and time left.

    Where the console is no terminal, some twenty plain lines over the whole training instead.

    Args:
        console: Where to show it; standard error by default.
        padding: The share of the steps that are padding; said once, unless there is none.
    """

    def __init__(self, console: Console | None = None, padding: float = 0.0) -> None:
        super().__init__()
        self.padding = padding
        self.console = console or Console(stderr=True)
        self._bar: Bar | None = None
        self._task: Any = None
        self._started = 0.0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._started = time.monotonic()
        if self.padding:
            self.console.print(f"sequences of similar length together: {self.padding:.1%} padding")
        if not self.console.is_terminal:
            return
        self._bar = Bar(
            TextColumn("epoch"),
            MofNCompleteColumn(),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[losses]}"),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self.console,
        )
        self._bar.start()
        self._task = self._bar.add_task("", total=self.params["epochs"], losses="")

    def expect(self, seconds: float | None, epochs: int) -> None:
        """Says how long the training will take.

        Args:
            seconds: An epoch, as measured; None where that is not known.
            epochs: How many will be run at most.
        """
        if seconds is None:
            return
        whole = seconds * epochs
        said = f"{whole:.0f} s" if whole < 120 else f"{whole / 60:.0f} min"
        self.console.print(f"expected: about {said}, {counted(epochs, 'epoch')} of {seconds:.2g} s")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        total = self.params["epochs"]
        losses = "  ".join(
            f"{name.replace('val_', 'validation ')} {value:.4g}"
            for name, value in (logs or {}).items()
            if name != "learning_rate"
        )
        if self._bar is not None:
            self._bar.update(self._task, completed=epoch + 1, losses=losses)
        elif (epoch + 1) % max(1, total // 20) == 0 or epoch + 1 == total:
            spent = time.monotonic() - self._started
            left = spent / (epoch + 1) * (total - epoch - 1)
            self.console.print(f"epoch {epoch + 1}/{total}  {losses}  {left:.0f} s left")

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self.close()

    def close(self) -> None:
        """Takes the bar away; also after an error, which skips `on_train_end`."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
