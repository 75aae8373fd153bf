"""What a search knows, on disk: one file for each trial that ended, written whole or not at all.

In the search's folder, `searches/NAME`, lie `search.json`, which says what is searched;
`trial_0007/outcome.json`, how trial 7 ended; `trial_0007/started.json`, how often it was begun;
`keras_tuner`, that library's own record, written and never read; and at last `best.yaml`,
`results.csv` and pictures.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import uuid
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from kseq.errors import ArtefactError
from kseq.metrics.evaluation import higher_is_better, plain
from kseq.serving.lock import Lock

FORMAT = 1
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


class Ledger:
    """A search's folder, held by one process at a time.

    Args:
        folder: The folder; made where it is missing.
        identity: What is searched, as plain values: a folder holds one search.
        fresh: Whether a search that is there already is moved aside.

    Raises:
        ArtefactError: If the folder cannot be used, is in use, or holds another search.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp(), "search")
        >>> with Ledger(folder, {"seed": 0}) as ledger:
        ...     ledger.record(Outcome(number=0, changes={}, status="done", score=0.5))
        >>> with Ledger(folder, {"seed": 0}) as ledger:
        ...     ledger.outcomes[0].score
        0.5
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any], *, fresh: bool = False) -> None:
        self.folder = folder
        self.identity = plain(dict(identity))
        self.fresh = fresh
        self.outcomes: dict[int, Outcome] = {}
        self.resumed = 0  # trials that had ended before
        self._stack = ExitStack()

    def __enter__(self) -> Ledger:
        with self._stack as stack, self.writing():
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                stack.enter_context(Lock(self.folder / ".lock", wait=False))
            except BlockingIOError:
                raise ArtefactError(f"{self.folder}: another search is running in it") from None
            if self.fresh:
                self._move_aside()
            self._check_identity()
            for path in sorted(self.folder.glob("trial_*/outcome.json")):
                self._read(path)
            self.resumed = len(self.outcomes)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def record(self, outcome: Outcome) -> None:
        """Keeps how a trial ended.

        Raises:
            ArtefactError: If it cannot be written, such as on a full disk.
        """
        self.write(self._place(outcome.number) / "outcome.json", sealed(outcome.to_dict()))
        self.outcomes[outcome.number] = outcome

    def begin(self, number: int) -> int:
        """Keeps that a trial is begun, and returns how often it was begun before."""
        path = self._place(number) / "started.json"
        try:
            before = int(json.loads(path.read_text(encoding="utf-8"))["times"])
        except (OSError, ValueError, KeyError, TypeError):
            before = 0
        self.write(path, json.dumps({"times": before + 1}))
        return before

    def forgive(self, number: int) -> None:
        """A trial that was interrupted on purpose did not die."""
        (self._place(number) / "started.json").unlink(missing_ok=True)

    def write(self, path: Path, text: str) -> None:
        """Writes a file whole or not at all, through to the disk.

        Raises:
            ArtefactError: If it cannot be written.
        """
        staged = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        with self.writing():
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                with staged.open("w", encoding="utf-8", newline="\n") as file:
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(staged, path)
            except OSError:
                staged.unlink(missing_ok=True)
                raise

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Within this context, what the system says about files is an `ArtefactError`."""
        try:
            yield
        except OSError as error:
            raise ArtefactError(
                f"{self.folder} cannot be written: {error.strerror or error}"
                + (". What ended is kept; the same command goes on" if self.outcomes else "")
            ) from error

    def _place(self, number: int) -> Path:
        return self.folder / f"trial_{number:04d}"

    def _read(self, path: Path) -> None:
        try:
            content = unsealed(path.read_text(encoding="utf-8"))
            outcome = Outcome(**content)
        except (ValueError, TypeError) as broken:
            aside = path.with_name(f"{path.name}.damaged-{uuid.uuid4().hex[:8]}")
            os.replace(path, aside)
            warnings.warn(
                f"{path}: damaged ({broken}); kept as {aside.name}, and the trial is run again",
                stacklevel=5,
            )
            return
        self.outcomes[outcome.number] = outcome

    def _check_identity(self) -> None:
        path = self.folder / "search.json"
        try:
            there = unsealed(path.read_text(encoding="utf-8"))["identity"]
        except FileNotFoundError:
            if any(self.folder.glob("trial_*/outcome.json")):
                raise ArtefactError(
                    f"{path}: missing beside finished trials, so nobody knows what they are of; "
                    "begin anew with --fresh, which keeps the old folder"
                ) from None
            content = {"format": FORMAT, "identity": self.identity, "begun": time.time()}
            self.write(path, sealed(content))
            return
        except (ValueError, TypeError, KeyError) as broken:
            raise ArtefactError(
                f"{path}: damaged ({broken}); begin anew with --fresh, which keeps the old folder"
            ) from None
        difference = _difference(there, self.identity)
        if difference:
            raise ArtefactError(
                f"{self.folder}: holds another search: {difference}; choose another --folder, or "
                "begin anew with --fresh, which keeps the old one"
            )

    def _move_aside(self) -> None:
        """Moves what an earlier search left into a folder beside, all but the lock."""
        things = [path for path in self.folder.iterdir() if path.name != ".lock"]
        if not things:
            return
        number = 1
        while (aside := self.folder.with_name(f"{self.folder.name}.old-{number}")).exists():
            number += 1
        aside.mkdir()
        for path in things:
            os.replace(path, aside / path.name)


def sealed(content: dict[str, Any]) -> str:
    """JSON with a digest of itself."""
    text = json.dumps(content, sort_keys=True, allow_nan=False)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return json.dumps({"sha256": digest, "content": content}, sort_keys=True, indent=1) + "\n"


def unsealed(text: str) -> dict[str, Any]:
    """What was sealed.

    Raises:
        ValueError: If it is not what was written.
    """
    try:
        given = json.loads(text)
        content = given["content"]
        digest = given["sha256"]
    except (ValueError, KeyError, TypeError):
        raise ValueError("it is torn") from None
    written = json.dumps(content, sort_keys=True, allow_nan=False)
    if hashlib.sha256(written.encode()).hexdigest() != digest:
        raise ValueError("its digest is another")
    if not isinstance(content, dict):
        raise ValueError("it holds no mapping")
    return content


def _difference(old: Any, new: Any, path: str = "") -> str:
    """The first place at which two trees of values differ, in words; empty where none does."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            below = f"{path}.{key}" if path else str(key)
            if key not in old or key not in new:
                return f"{below} is {'missing' if key in old else 'new'}"
            found = _difference(old[key], new[key], below)
            if found:
                return found
        return ""
    return "" if old == new else f"{path} was {old!r} and is {new!r}"
