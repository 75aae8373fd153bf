"""What a search or a comparison knows, on disk: one file for each piece of work that ended.

Each is written whole or not at all, and holds a digest of itself.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import uuid
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

from kseq.errors import ArtefactError
from kseq.metrics.evaluation import plain
from kseq.serving.lock import Lock

FORMAT = 1


class Ended(Protocol):
    """How a piece of work ended: a dataclass of plain values."""

    @property
    def number(self) -> int:
        """Of the piece, from 0 on."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, which are also the arguments that make it anew."""


Kept = TypeVar("Kept", bound=Ended)


class Records(Generic[Kept]):
    """A folder of what ended, held by one process at a time.

    Args:
        folder: The folder; made where it is missing.
        identity: What the work is, as plain values: a folder holds that of one.
        fresh: Whether what is there already is moved aside.

    Raises:
        ArtefactError: If the folder cannot be used, is in use, or holds other work.
    """

    record: ClassVar[type[Any]]  # of what ended
    what: ClassVar[str]  # that it is a part of, such as `search`
    piece: ClassVar[str]  # and what a part is called

    def __init__(self, folder: Path, identity: Mapping[str, Any], *, fresh: bool = False) -> None:
        self.folder = folder
        self.identity = plain(dict(identity))
        self.fresh = fresh
        self.outcomes: dict[int, Kept] = {}
        self.resumed = 0  # that had ended before
        self.aside: Path | None = None  # where `fresh` moved what was there
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with self._stack as stack, self.writing():
            self._check_place()
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                stack.enter_context(Lock(self.folder / ".lock", wait=False))
            except BlockingIOError:
                raise ArtefactError(
                    f"{self.folder}: another {self.what} is running in it"
                ) from None
            if self.fresh:
                self._move_aside()
            self._check_identity()
            for path in sorted(self.folder.glob(f"{self.piece}_*/outcome.json")):
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

    def keep(self, outcome: Kept) -> None:
        """Keeps how a piece ended.

        Raises:
            ArtefactError: If it cannot be written, such as on a full disk.
        """
        self.write(self.place(outcome.number) / "outcome.json", sealed(outcome.to_dict()))
        self.outcomes[outcome.number] = outcome

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

    def place(self, number: int) -> Path:
        """The folder of a piece."""
        return self.folder / f"{self.piece}_{number:04d}"

    def _check_place(self) -> None:
        """Nobody wants these files among others, or others moved aside with them."""
        if self.folder.exists() and not self.folder.is_dir():
            raise ArtefactError(f"{self.folder}: is a file; expected a folder, or none yet")
        found = self.folder.iterdir() if self.folder.exists() else ()
        # A process that was killed leaves hidden files, half written.
        there = {path.name for path in found if not path.name.startswith(".")}
        mine = any(name.startswith(f"{self.piece}_") for name in there)
        if there and f"{self.what}.json" not in there and not mine:
            raise ArtefactError(
                f"{self.folder}: holds other things, such as {min(there)}, and no {self.what}; "
                "choose another --folder"
            )

    def _read(self, path: Path) -> None:
        try:
            content = unsealed(path.read_text(encoding="utf-8"))
            outcome = self.record(**content)
        except (ValueError, TypeError) as broken:
            aside = path.with_name(f"{path.name}.damaged-{uuid.uuid4().hex[:8]}")
            os.replace(path, aside)
            warnings.warn(
                f"{path}: damaged ({broken}); kept as {aside.name}, and the {self.piece} is "
                "run again",
                stacklevel=5,
            )
            return
        self.outcomes[outcome.number] = outcome

    def _check_identity(self) -> None:
        path = self.folder / f"{self.what}.json"
        try:
            there = unsealed(path.read_text(encoding="utf-8"))["identity"]
        except FileNotFoundError:
            if any(self.folder.glob(f"{self.piece}_*/outcome.json")):
                raise ArtefactError(
                    f"{path}: missing beside finished {self.piece}s, so nobody knows what they "
                    "are of; begin anew with --fresh, which keeps the old folder"
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
                f"{self.folder}: holds another {self.what}: {difference}; choose another "
                "--folder, or begin anew with --fresh, which keeps the old one"
            )

    def _move_aside(self) -> None:
        """Moves what earlier work left into a folder beside, all but the lock."""
        things = [path for path in self.folder.iterdir() if path.name != ".lock"]
        if not things:
            return
        number = 1
        while (aside := self.folder.with_name(f"{self.folder.name}.old-{number}")).exists():
            number += 1
        aside.mkdir()
        for path in things:
            os.replace(path, aside / path.name)
        self.aside = aside


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
