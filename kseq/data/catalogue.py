"""The public data sets that `kseq data get` knows; the table itself is `catalogue.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from kseq.errors import DataError
from kseq.registry import suggest


@dataclass(frozen=True, kw_only=True)
class RemoteFile:
    """One file of a data set.

    Args:
        path: Its place in the data home, such as `etth1/ETTh1.csv.gz`.
        url: Where it comes from, at a fixed commit; of a file that is put together the folder.
        sha256: The digest of what the URL gives, or of what was put together.
        bytes: The size of the same.
        made: How it is put together, a name of `kseq.data.assemble`; None where it comes as it is.
        pieces: The files that it is put together from.
    """

    path: str
    url: str
    sha256: str
    bytes: int
    made: str | None = None
    pieces: tuple[RemoteFile, ...] = ()

    @property
    def packed(self) -> bool:
        """Whether kseq compresses the content."""
        return self.path.endswith(".gz") and not self.url.endswith(".gz")

    @property
    def sources(self) -> tuple[RemoteFile, ...]:
        """What is downloaded for it: its pieces, or itself."""
        return self.pieces or (self,)


@dataclass(frozen=True, kw_only=True)
class PublicSet:
    """A public data set.

    Args:
        name: What it is called here, and its folder in the data home.
        title: One line on what it holds.
        task: What it is commonly used for.
        licence: The terms it is published under.
        citation: Whom to cite.
        source: A page about it.
        files: Its files.
    """

    name: str
    title: str
    task: str
    licence: str
    citation: str
    source: str
    files: tuple[RemoteFile, ...]

    @property
    def bytes(self) -> int:
        """The size of the whole download."""
        return sum(source.bytes for file in self.files for source in file.sources)


@cache
def catalogue() -> dict[str, PublicSet]:
    """All known data sets by name.

    Example:
        >>> catalogue()["etth1"].files[0].path
        'etth1/ETTh1.csv.gz'
    """
    table = tomllib.loads(files("kseq.data").joinpath("catalogue.toml").read_text("utf-8"))
    return {
        name: PublicSet(
            name=name,
            files=tuple(_file(name, entry["base"], file) for file in entry["files"]),
            **{key: entry[key] for key in ("title", "task", "licence", "citation", "source")},
        )
        for name, entry in table.items()
    }


def _file(folder: str, base: str, values: dict[str, Any]) -> RemoteFile:
    url = base + values["from"]
    return RemoteFile(
        path=f"{folder}/{values.get('path', values['from'])}",
        url=url,
        sha256=values["sha256"],
        bytes=values["bytes"],
        made=values.get("made"),
        pieces=tuple(_file(folder, url, piece) for piece in values.get("pieces", ())),
    )


def find(name: str) -> PublicSet:
    """The data set of that name.

    Raises:
        DataError: If there is none; the message lists the known ones.
    """
    known = catalogue()
    if name not in known:
        raise DataError(
            f"unknown data set {name!r}{suggest(name, list(known))}; known: {', '.join(known)}"
        )
    return known[name]
