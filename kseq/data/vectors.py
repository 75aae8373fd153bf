"""Word vectors in the text formats of GloVe and fastText."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from kseq.data.home import locate
from kseq.errors import DataError, shown

_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_HEADER = re.compile(rb"[0-9]+ ([1-9][0-9]*)")
_END = b" \r\n"
_BUFFER = 1 << 20
_SHOWN = 100  # bytes of a row in a message


def read_vectors(
    path: str | Path,
    words: Collection[str],
    *,
    extra: int = 0,
    usable: Callable[[str], bool] = lambda word: True,
) -> tuple[list[str], np.ndarray]:
    r"""The vectors of some words, from a file of a word and its numbers a line.

    The formats are GloVe's and, with a first line `count width`, that of fastText and word2vec;
    packed by gzip or not. Other lines than those asked for are passed over, unchecked, and what
    comes after the last one asked for is not read. Of a word that comes twice the first vector
    counts.

    Args:
        path: The file; looked for beside the recipe, here and in the data home.
        words: The words asked for, as the file writes them.
        extra: How many other words to take, the first in the file: it names the commonest first.
        usable: Which of the others are worth it; one that is never looked up is not.

    Returns:
        The words found in the order of the file, and their vectors `(words, width)`, float32.

    Raises:
        DataError: If the file is missing, empty or does not hold, or has none of the words; the
            message names file and line.

    Example:
        >>> from kseq.data.home import search_in
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder, search_in(folder):
        ...     _ = pathlib.Path(folder, "v.txt").write_text("the 1 2\nof 3 4\nRome 5 6\n")
        ...     read_vectors("v.txt", ["Rome"], extra=1)
        (['the', 'Rome'], array([[1., 2.],
               [5., 6.]], dtype=float32))
    """
    if extra < 0:
        raise DataError(f"extra: expected a number of words from 0, got {extra}")
    if not words and not extra:
        raise DataError(f"{path}: no words asked for")
    wanted = {word.encode("utf-8", "surrogatepass") for word in words}
    # A word may hold blanks: what stands before the first is looked up, then the whole.
    openings = {word.partition(b" ")[0] for word in wanted}
    taken: dict[bytes, np.ndarray] = {}
    missing = len(wanted)
    with _opened(str(path)) as file:
        rows = _Rows(str(path), file)
        for row in rows:
            if not extra and row.partition(b" ")[0] not in openings:
                continue
            word, numbers = rows.split(row)
            if word in wanted and word not in taken:
                missing -= 1
            elif extra and word and word not in taken:
                rows.check_text(word)
                if not usable(word.decode()):
                    continue
                extra -= 1
            else:
                continue
            taken[word] = rows.vector(numbers)
            if not missing and not extra:
                break
    if missing == len(wanted) > 0:
        raise DataError(
            f"{path}: none of the {len(wanted)} words asked for, such as "
            f"{shown(min(wanted).decode(errors='replace'))}, is among its words, such as "
            f"{shown(rows.first)}; are they written alike, capitals and all?"
        )
    return [word.decode() for word in taken], np.stack(list(taken.values()))


@contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    """The file, unpacked where it is gzip."""
    try:
        with locate(name).open("rb", buffering=_BUFFER) as raw:
            packed = raw.read(len(_GZIP)) == _GZIP
            raw.seek(0)
            if name.endswith(".gz") and not packed:
                raise DataError(f"{name}: not a gzip file, though its name ends in .gz")
            if not packed:
                yield raw
                return
            with gzip.GzipFile(fileobj=raw) as unpacked:
                # Lines come several times faster through a reader of its own.
                yield cast(BinaryIO, io.BufferedReader(cast(Any, unpacked), _BUFFER))
    except EOFError as error:
        raise DataError(f"{name}: the gzip file is cut off; fetch or copy it again") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{name}: the gzip file is damaged: {error}") from error
    except OSError as error:
        raise DataError(f"{name}: cannot be read: {error.strerror or error}") from error


class _Rows:
    """The rows of a file; the one that was given last is named where it does not hold."""

    def __init__(self, name: str, file: BinaryIO) -> None:
        self._name = name
        self._file = file
        self._line = 1
        row = file.readline()
        if row.startswith(_UTF16):
            raise DataError(f"{name}: this is UTF-16 text; save it as UTF-8")
        row = row.removeprefix(_BOM)
        header = _HEADER.fullmatch(row.rstrip())
        self._width = 0
        if header:
            self._width = int(header[1])
            self._line = 2
            row = file.readline()
        if not row:
            what = "a header and no vectors" if header else "the file is empty"
            raise DataError(f"{name}: {what}")
        # All rows are held against the first, which therefore has to be sound.
        self._width = self._width or row.rstrip(_END).count(b" ")
        self._first = row
        word, numbers = self.split(row)
        if not word or not numbers:
            raise self._error("expected a word and its numbers, divided by blanks", row)
        self.check_text(word)
        self.vector(numbers)
        self.first = word.decode()

    def __iter__(self) -> Iterator[bytes]:
        yield self._first
        for row in self._file:
            self._line += 1
            yield row

    def split(self, row: bytes) -> tuple[bytes, list[bytes]]:
        """Word and numbers of a row; nothing of an empty line."""
        row = row.rstrip(_END)
        if not row:
            return b"", []
        word, *numbers = row.rsplit(b" ", self._width)
        # What is left of a row with too many numbers looks like a word with blanks.
        more = word.split(b" ")[1:]
        if len(numbers) < self._width or (more and all(_is_number(cell) for cell in more if cell)):
            raise self._error(
                f"expected {self._width} numbers after the word, each after one blank, "
                f"got {len(numbers) + len(more)}",
                row,
            )
        return word, numbers

    def vector(self, numbers: list[bytes]) -> np.ndarray:
        """The numbers, `(width,)`."""
        try:
            values = [float(number) for number in numbers]
        except ValueError:
            values = []
        if not values or b"_" in b"".join(numbers):  # Python reads 1_000 as a number
            wrong = next(number for number in numbers if not _is_number(number))
            raise self._error(f"expected numbers, got {_text(wrong)}")
        with np.errstate(over="ignore"):
            vector = np.array(values).astype(np.float32)
        if not np.isfinite(vector).all():
            raise self._error("a number is infinite, not a number or too large for float32")
        return vector

    def check_text(self, word: bytes) -> None:
        """Raises a `DataError` if a word is not UTF-8."""
        try:
            word.decode()
        except UnicodeDecodeError as error:
            raise self._error(
                f"not UTF-8 text (byte 0x{word[error.start]:02x}); save the file as UTF-8 text"
            ) from error

    def _error(self, what: str, row: bytes = b"") -> DataError:
        return DataError(f"{self._name}, line {self._line}: {what}{row and ': ' + _text(row)}")


def _is_number(cell: bytes) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return b"_" not in cell


def _text(row: bytes) -> str:
    return shown(row[:_SHOWN].decode(errors="replace"))
