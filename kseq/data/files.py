"""Reads whole files, and says clearly why one cannot be read."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from pathlib import Path

from kseq.data.home import locate
from kseq.errors import DataError

_GZIP = b"\x1f\x8b"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


class Files:
    """Opens the files of one data set and keeps the sha256 of each.

    Attributes:
        digests: The digests by name as asked for; of an absolute name the last part alone, because
            they are written into artefacts that leave the machine.
    """

    def __init__(self) -> None:
        self.digests: dict[str, str] = {}

    def path(self, name: str) -> Path:
        """The path of a file that is there, its digest noted."""
        path = locate(name)
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise DataError(f"{name}: cannot be read: {error.strerror or error}") from error
        self._note(name, digest)
        return path

    def folder(self, name: str) -> Path:
        """The path of a file or folder that is there, the digest of all that lies in it noted.

        Raises:
            DataError: If it is missing or cannot be read.
        """
        path = locate(name, folders=True)
        if path.is_file():
            return self.path(name)
        whole = hashlib.sha256()
        try:
            for file in sorted(entry for entry in path.rglob("*") if entry.is_file()):
                if file.name.startswith("."):  # what systems leave behind
                    continue
                with file.open("rb") as opened:
                    digest = hashlib.file_digest(opened, "sha256").hexdigest()
                whole.update(f"{file.relative_to(path).as_posix()} {digest}\n".encode())
        except OSError as error:
            raise DataError(f"{name}: cannot be read: {error.strerror or error}") from error
        self._note(name, whole.hexdigest())
        return path

    def text(self, name: str) -> str:
        """The text of a UTF-8 file, unpacked where it is gzip.

        Raises:
            DataError: If it is missing, empty, cut off, or not UTF-8 text.
        """
        return _decode(name, self.content(name))

    def content(self, name: str) -> bytes:
        """The content of a file, unpacked where it is gzip.

        Raises:
            DataError: If it is missing, empty or cut off.
        """
        path = locate(name)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise DataError(f"{name}: cannot be read: {error.strerror or error}") from error
        self._note(name, hashlib.sha256(content).hexdigest())
        return _unpack(name, content)

    def _note(self, name: str, digest: str) -> None:
        key = name
        if Path(name).expanduser().is_absolute():
            key = Path(name).name
            if self.digests.get(key, digest) != digest:
                key = f"{key} ({len(self.digests) + 1})"
        self.digests[key] = digest


def _unpack(name: str, content: bytes) -> bytes:
    if not content:
        raise DataError(f"{name}: the file is empty")
    if not content.startswith(_GZIP):
        if name.endswith(".gz"):
            raise DataError(f"{name}: not a gzip file, though its name ends in .gz")
        return content
    try:
        return gzip.decompress(content)
    except EOFError as error:
        raise DataError(f"{name}: the gzip file is cut off; fetch or copy it again") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{name}: the gzip file is damaged: {error}") from error


def _decode(name: str, content: bytes) -> str:
    if content.startswith(_UTF16):
        raise DataError(f"{name}: this is UTF-16 text; save it as UTF-8")
    if b"\0" in content:
        raise DataError(f"{name}: not a text file: it holds zero bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{name}, line {line}: not UTF-8 text (byte 0x{content[error.start]:02x}); "
            "save the file as UTF-8"
        ) from error
    if not text.strip():
        raise DataError(f"{name}: the file is empty")
    return text
