"""Publishing a version: whole or not at all.

A server polls the folder and loads the highest number it sees, so a version is written beside,
under a name that is no number, and renamed when it is complete. A writer holds a lock as long as it
lives; what a dead one left is removed by the next. On object stores a rename is not atomic: publish
on a file system and copy from there.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

from kseq.errors import ArtefactError
from kseq.serving.lock import Lock

_STAGING = ".new-"
_GUARD = ".lock"
_HIGHEST = 2**63 - 1  # TF Serving reads the names as 64-bit integers


def publish(base: str | os.PathLike[str], write: Callable[[Path], None]) -> Path:
    """Publishes what `write` writes as the next version below `base`.

    Args:
        base: The folder of all versions of a model; made where it is missing.
        write: Fills the empty folder that it is given.

    Returns:
        The folder of the new version. Its number is above any that was ever published here.

    Raises:
        ArtefactError: If something cannot be written, by `write` too. Whatever else `write` raises
            is passed on. In both cases nothing is published and nothing stays behind.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     done = publish(folder, lambda new: None)
        ...     done.name
        '1'
    """
    folder = Path(base)
    try:
        _prepare(folder)
        return _publish(folder, write)
    except OSError as broken:
        raise ArtefactError(f"{folder} cannot be written: {broken}") from broken


def _prepare(base: Path) -> None:
    if base.exists() and not base.is_dir():
        raise ArtefactError(f"{base} is a file; expected the folder that holds a model's versions")
    if (base / "saved_model.pb").exists():
        raise ArtefactError(f"{base} is one version; save to the folder above it: {base.parent}")
    base.mkdir(parents=True, exist_ok=True)


def _publish(base: Path, write: Callable[[Path], None]) -> Path:
    staging = base / f"{_STAGING}{uuid.uuid4().hex}"
    alive = _owner(staging)
    with contextlib.ExitStack() as stack:
        with Lock(base / _GUARD):
            _remove_dead(base)
            # Lock before folder: a staging folder without a live lock belongs to the dead.
            stack.callback(alive.unlink, missing_ok=True)
            stack.enter_context(Lock(alive, wait=False))
            stack.callback(shutil.rmtree, staging, ignore_errors=True)
            staging.mkdir()
        write(staging)
        _sync(staging)
        with Lock(base / _GUARD) as guard:
            number = max(guard.stored(), *_numbers(base)) + 1
            if number > _HIGHEST:
                raise ArtefactError(f"{base} has no number left above {_HIGHEST}")
            # Stored first: a number is skipped rather than used twice.
            guard.store(number)
            target = base / str(number)
            if os.path.lexists(target):
                raise ArtefactError(f"{target} exists; a version is never overwritten")
            staging.rename(target)
    _sync_one(base)
    return target


def _owner(staging: Path) -> Path:
    return staging.with_name(f"{staging.name}.lock")


def _remove_dead(base: Path) -> None:
    """Removes what writers left that died. The caller holds the guard."""
    for path in base.glob(f"{_STAGING}*"):
        staging = path.with_name(path.name.removesuffix(".lock"))
        try:
            with Lock(_owner(staging), wait=False):
                shutil.rmtree(staging, ignore_errors=True)
        except OSError:
            continue  # its writer lives
        _owner(staging).unlink(missing_ok=True)


def _numbers(base: Path) -> list[int]:
    """All numbers taken below `base`, "001" among them, and 0."""
    names = [path.name for path in base.iterdir()]
    numbers = [
        int(name) for name in names if name.isascii() and name.isdecimal() and len(name) < 30
    ]
    return [0, *(number for number in numbers if number <= _HIGHEST)]


def _sync(folder: Path) -> None:
    """Flushes a folder and all below it to the disk."""
    for root, _, files in os.walk(folder, topdown=False):
        for name in files:
            _sync_one(Path(root, name))
        _sync_one(Path(root))


def _sync_one(path: Path) -> None:
    if os.name == "nt" and path.is_dir():
        return  # Windows opens no folders
    # Windows flushes only what is open for writing.
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
