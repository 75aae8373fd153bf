"""NumPy archives, read without running what may lie in them."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable
from pickle import UnpicklingError

import numpy as np

from kseq.data.dataset import Array
from kseq.errors import DataError

_BROKEN = (
    ValueError,
    OSError,
    EOFError,
    KeyError,
    NotImplementedError,
    UnpicklingError,
    zipfile.BadZipFile,
    zlib.error,
)


class NpzFile:
    """Some arrays of an archive. Objects are not read.

    Args:
        name: The file as messages call it.
        path: Where it lies.
        wanted: Which arrays to read, by their names.

    Raises:
        DataError: If it cannot be read; the message names the file and the array.
    """

    def __init__(self, name: str, path: str, wanted: Callable[[str], bool]) -> None:
        self.name = name
        try:
            # Opened here, because numpy leaves a file open that turns out to be no archive.
            with open(path, "rb") as file:
                head = file.read(6)
                file.seek(0)
                if head == b"\x93NUMPY":
                    raise DataError(f"{name}: a single array (.npy); expected an .npz of savez")
                if not head.startswith(b"PK"):
                    raise DataError(f"{name}: not an .npz file; expected one from numpy.savez")
                with np.load(file, allow_pickle=False) as archive:
                    chosen = [key for key in archive.files if wanted(key)]
                    self._names = list(archive.files)
                    self._arrays = {key: self._load(archive, key) for key in chosen}
        except DataError:
            raise
        except MemoryError:
            raise DataError(f"{name}: does not fit into memory; divide it") from None
        except _BROKEN as error:
            raise DataError(f"{name}: the .npz file is damaged or cut off: {error}") from error

    def __contains__(self, key: str) -> bool:
        return key in self._arrays

    @property
    def names(self) -> str:
        """What the archive holds, for messages."""
        return ", ".join(self._names) or "nothing"

    def __getitem__(self, key: str) -> Array:
        return self._arrays[key]

    def get(self, key: str) -> Array | None:
        """The array, or None."""
        return self._arrays.get(key)

    def _load(self, archive: np.lib.npyio.NpzFile, key: str) -> Array:
        try:
            array = archive[key]
        except MemoryError:
            raise DataError(f"{self.name}: '{key}' does not fit into memory; divide it") from None
        except _BROKEN as error:
            if "Object arrays" in str(error):
                raise DataError(
                    f"{self.name}: '{key}' holds Python objects, which are not read; "
                    "expected numbers or text"
                ) from error
            raise DataError(
                f"{self.name}: '{key}' is damaged or cut off ({error or type(error).__name__})"
            ) from error
        if not isinstance(array, np.ndarray):
            raise DataError(f"{self.name}: '{key}' is not an array")
        return array

    def numbers(self, key: str) -> Array:
        """The array as float64, NaN allowed."""
        array = self._arrays[key]
        if array.dtype.kind not in "biuf":
            raise DataError(f"{self.name}: '{key}' expected numbers, got {array.dtype}")
        values = array.astype(np.float64)
        if np.isinf(values).any():
            raise DataError(f"{self.name}: '{key}' holds infinite values")
        return values
