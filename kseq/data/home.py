"""Where data files are looked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from difflib import get_close_matches
from pathlib import Path

from kseq.data.catalogue import catalogue
from kseq.errors import DataError

_folder: ContextVar[Path | None] = ContextVar("kseq_data_folder", default=None)


def data_home() -> Path:
    """The folder that downloaded data sets lie in.

    It is the environment variable `KSEQ_DATA_HOME` where that is set, else `kseq/data` in the
    user's cache folder (`XDG_CACHE_HOME`, else `~/.cache`). It need not exist.
    """
    if chosen := os.environ.get("KSEQ_DATA_HOME"):
        return Path(chosen).expanduser()
    if cache := os.environ.get("XDG_CACHE_HOME"):
        return Path(cache).expanduser() / "kseq" / "data"
    return Path("~/.cache/kseq/data").expanduser()


@contextmanager
def search_in(folder: str | Path | None) -> Iterator[None]:
    """Within this context, `locate` looks in `folder` first: the folder of a recipe.

    Example:
        >>> with search_in("recipes"):
        ...     pass
    """
    token = _folder.set(None if folder is None else Path(folder))
    try:
        yield
    finally:
        _folder.reset(token)


def locate(name: str | Path, folder: str | Path | None = None, *, folders: bool = False) -> Path:
    """The file of that name.

    An absolute name is taken as it is. Any other is looked for in `folder` (by default the one of
    `search_in`), in the current folder and in the data home, in this order.

    Args:
        name: A file name, such as `etth1/ETTh1.csv.gz`.
        folder: The folder to look in first.
        folders: Whether it may be a folder.

    Raises:
        DataError: If there is no such file; the message names the places looked at.
    """
    if not str(name).strip():
        raise DataError("an empty file name; expected the name of a data file")
    path = Path(name).expanduser()
    candidates = [path] if path.is_absolute() else [p / path for p in _places(folder)]
    try:
        for candidate in candidates:
            if candidate.is_file() or (folders and candidate.is_dir()):
                return candidate
        for candidate in candidates:
            if candidate.is_dir():
                raise DataError(f"{name} is a folder ({candidate}); expected a data file")
    except OSError as error:
        raise DataError(f"{name}: cannot be looked for: {error.strerror or error}") from error
    places = "\n".join(f"  {candidate.parent}" for candidate in candidates)
    raise DataError(f"{name}: no such file{_hint(path, candidates)}. Looked in\n{places}")


def _places(folder: str | Path | None) -> list[Path]:
    first = Path(folder) if folder is not None else _folder.get()
    places = [place.absolute() for place in (first, Path.cwd(), data_home()) if place is not None]
    return list(dict.fromkeys(places))


def _hint(path: Path, candidates: list[Path]) -> str:
    """The nearest file name in the folders that do exist, or how to download the set."""
    for candidate in candidates:
        try:
            beside = [entry.name for entry in candidate.parent.iterdir() if entry.is_file()]
        except OSError:
            continue
        # A stored file is often the compressed form of the one that is asked for.
        if f"{path.name}.gz" in beside:
            return f" (did you mean '{path.with_name(path.name + '.gz')}'?)"
        if near := get_close_matches(path.name, beside, n=1, cutoff=0.8):
            return f" (did you mean '{path.with_name(near[0])}'?)"
    if not path.is_absolute() and path.parts[0] in catalogue():
        return f"; run `kseq data get {path.parts[0]}`"
    return ""
