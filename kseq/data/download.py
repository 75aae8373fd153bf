"""Brings public data sets into the data home: checked, whole, or not at all."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import io
import os
import secrets
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    UnknownHandler,
)

from kseq.data.assemble import assemble
from kseq.data.catalogue import PublicSet, RemoteFile, find
from kseq.data.home import data_home
from kseq.errors import DataError

Progress = Callable[[str, int, int], None]

_CHUNK = 1 << 16


def get(
    name: str,
    home: str | Path | None = None,
    *,
    progress: Progress | None = None,
    mirror: str | None = None,
    timeout: float = 30.0,
) -> list[Path]:
    """Downloads a public data set; files that are there and whole are left alone.

    Args:
        name: A name of the catalogue, such as `etth1`.
        home: The folder to put it in; None is the data home.
        progress: Called with a file's path in the home, the bytes received and the bytes expected.
        mirror: Another server, `http://host:port/base`, that holds the files under the paths of
            their URLs. None is the environment variable `KSEQ_DATA_MIRROR`, if it is set.
        timeout: Seconds to wait for the server each time.

    Returns:
        The paths of its files.

    Raises:
        DataError: If the name is unknown, the server cannot be reached or sends something else
            than the catalogue says, or the file cannot be written. Nothing partial is left.
    """
    entry = find(name)
    folder = Path(home) if home is not None else data_home()
    base = mirror or os.environ.get("KSEQ_DATA_MIRROR") or None
    targets = [_target(folder, file) for file in entry.files]
    for file, target in zip(entry.files, targets, strict=True):
        if not is_whole(file, target):
            _store(file, target, base, progress, timeout)
    _write_terms(entry, folder)
    return targets


def is_whole(file: RemoteFile, path: Path) -> bool:
    """Whether the stored file holds what the catalogue says."""
    digest = hashlib.sha256()
    try:
        with gzip.open(path) if file.packed else path.open("rb") as stored:
            while chunk := stored.read(_CHUNK):
                digest.update(chunk)
    except (OSError, EOFError, zlib.error):
        return False
    return digest.hexdigest() == file.sha256


def _target(home: Path, file: RemoteFile) -> Path:
    root = os.path.abspath(home)
    target = Path(os.path.abspath(home / file.path))
    if not target.is_relative_to(root) or target == Path(root):
        raise DataError(f"{file.path}: lies outside of the data home {home}; not stored")
    return target


def _url(file: RemoteFile, mirror: str | None) -> str:
    url = file.url
    if mirror is not None:
        url = mirror.rstrip("/") + urlsplit(url).path
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise DataError(f"{url}: expected a URL that begins with https:// or http://")
    return url


def _store(
    file: RemoteFile, target: Path, mirror: str | None, progress: Progress | None, timeout: float
) -> None:
    # Beside the target, so that the last step is a rename within one file system.
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("xb") as out:
            if file.packed:
                # No name and no time in the header: the same bytes on every machine.
                with gzip.GzipFile(filename="", mode="wb", fileobj=out, mtime=0) as packed:
                    _fill(file, packed, mirror, progress, timeout)
            else:
                _fill(file, out, mirror, progress, timeout)
        os.replace(partial, target)
    except OSError as error:
        raise DataError(
            f"{target}: cannot be written: {error.strerror or error}; "
            "free it or set KSEQ_DATA_HOME to another folder"
        ) from error
    finally:
        with suppress(OSError):
            partial.unlink()


def _fill(
    file: RemoteFile,
    out: BinaryIO | gzip.GzipFile,
    mirror: str | None,
    progress: Progress | None,
    timeout: float,
) -> None:
    """Writes a file's content, as it comes or put together."""
    if file.made is None:
        _receive(file, _url(file, mirror), out, progress, timeout)
        return
    pieces = {}
    for piece in file.pieces:
        content = io.BytesIO()
        _receive(piece, _url(piece, mirror), content, progress, timeout)
        pieces[piece.path] = content.getvalue()
    made = assemble(file.made, pieces)
    if (found := hashlib.sha256(made).hexdigest()) != file.sha256:
        raise DataError(
            f"{file.path}: put together it is not what the catalogue describes; nothing was kept\n"
            f"  sha256 expected {file.sha256}\n"
            f"  sha256 found {found}"
        )
    out.write(made)


def _receive(
    file: RemoteFile,
    url: str,
    out: BinaryIO | gzip.GzipFile,
    progress: Progress | None,
    timeout: float,
) -> None:
    digest = hashlib.sha256()
    received = 0
    for chunk in _chunks(url, file.bytes, timeout):
        received += len(chunk)
        if received > file.bytes:
            raise DataError(
                f"{url}: the server sends more than the {file.bytes} bytes of {file.path}; "
                "nothing was kept"
            )
        digest.update(chunk)
        out.write(chunk)
        if progress is not None:
            progress(file.path, received, file.bytes)
    if received == file.bytes and digest.hexdigest() == file.sha256:
        return
    if received < file.bytes:
        raise DataError(f"{url}: got {received} of {file.bytes} bytes; nothing was kept, try again")
    raise DataError(
        f"{url}: not the file that the catalogue describes; nothing was kept\n"
        f"  sha256 expected {file.sha256}\n"
        f"  sha256 received {digest.hexdigest()}"
    )


def _chunks(url: str, expected: int, timeout: float) -> Iterator[bytes]:
    """What the server sends; ends early where the connection does."""
    host = urlsplit(url).netloc.rpartition("@")[2]
    received = 0
    try:
        request = Request(url, headers={"User-Agent": "kseq"})
        with _opener().open(request, timeout=timeout) as response:
            while chunk := response.read(_CHUNK):
                received += len(chunk)
                yield chunk
    except HTTPError as error:
        error.close()
        raise DataError(f"{url}: the server answers {error.code} {error.reason}") from error
    except TimeoutError as error:
        raise _stalled(host, received, expected, timeout) from error
    except URLError as error:
        if isinstance(error.reason, TimeoutError):
            raise _stalled(host, received, expected, timeout) from error
        raise DataError(
            f"{host} cannot be reached: {error.reason}; nothing was downloaded. "
            "Without a network, copy the file to the data home or set KSEQ_DATA_MIRROR"
        ) from error
    except (http.client.HTTPException, OSError, ValueError) as error:
        what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise DataError(
            f"{url}: the connection broke after {received} of {expected} bytes ({what}); "
            "nothing was kept, try again"
        ) from error


def _stalled(host: str, received: int, expected: int, timeout: float) -> DataError:
    return DataError(
        f"{host} has sent nothing for {timeout:g} s after {received} of {expected} bytes; "
        "nothing was kept, try again"
    )


def _opener() -> OpenerDirector:
    """An opener for the web alone: a redirect cannot lead to a local file or to FTP."""
    opener = OpenerDirector()
    for handler in (
        ProxyHandler(),
        HTTPHandler(),
        HTTPSHandler(),
        HTTPRedirectHandler(),
        HTTPDefaultErrorHandler(),
        HTTPErrorProcessor(),
        UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


def _write_terms(entry: PublicSet, home: Path) -> None:
    """Leaves the licence and the origin beside the files, unless there is such a note."""
    note = home / entry.name / "LICENCE.txt"
    if note.exists():
        return
    lines = [
        entry.title,
        "",
        f"Licence: {entry.licence}",
        f"Cite: {entry.citation}",
        f"Source: {entry.source}",
        "",
        "Files, with the sha256 of what each URL gives:",
        *(
            f"  {file.path}\n    {source.url}\n    {source.sha256}"
            for file in entry.files
            for source in file.sources
        ),
        "Changes: renamed, put together where there are several, packed by gzip where the name "
        "says so.",
    ]
    try:
        note.write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError as error:
        raise DataError(f"{note}: cannot be written: {error.strerror or error}") from error
