"""The public data sets that `kseq data get` knows; the table itself is `catalogue.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from kseq.errors import DataError
from kseq.registry import suggest


@dataclass(frozen=True, kw_only=True)
class RemoteFile:
    """One file of a data set.

    Args:
        path: Its place in the data home, such as `etth1/ETTh1.csv.gz`.
        url: Where it comes from, at a fixed commit.
        sha256: The digest of what the URL gives.
        bytes: The size of what the URL gives.
    """

    path: str
    url: str
    sha256: str
    bytes: int

    @property
    def packed(self) -> bool:
        """Whether kseq compresses what the URL gives."""
        return self.path.endswith(".gz") and not self.url.endswith(".gz")


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
        return sum(file.bytes for file in self.files)


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
            files=tuple(
                RemoteFile(
                    path=f"{name}/{file['path']}",
                    url=entry["base"] + file["from"],
                    sha256=file["sha256"],
                    bytes=file["bytes"],
                )
                for file in entry["files"]
            ),
            **{key: entry[key] for key in ("title", "task", "licence", "citation", "source")},
        )
        for name, entry in table.items()
    }


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
