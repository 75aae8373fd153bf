"""Clips: folders of images, animated images, NumPy archives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from kseq.data.clip_files import ARCHIVES, read_clips, several
from kseq.data.dataset import Array, Dataset, Part
from kseq.data.files import Files
from kseq.data.npz_file import NpzFile
from kseq.data.split import Split, finish, roles
from kseq.errors import DataError, RecipeError
from kseq.registry import readers

_KEYS = {"train": ("train",), "valid": ("valid", "dev"), "test": ("test",)}


@readers.register("clips")
def clips(
    *,
    path: str | None = None,
    train: str | None = None,
    valid: str | None = None,
    test: str | None = None,
    classes: bool = False,
    split: Split | None = None,
    shuffle: int | None = None,
) -> Dataset:
    """Reads clips for video, or to be classified.

    Each path is a folder that holds a folder of images for each clip, or animated images (`.gif`),
    or archives (`.npz`) with an array `frames`, `(time, height, width[, channels])`; or it is a
    file of these. An archive may hold `clips` too, `(n, time, height, width[, channels])`; or its
    parts as `train`, `valid` (or `dev`) and `test` of that form. Pixels are bytes, or numbers from
    0 to 1. Reading images needs Pillow, which the extra `plot` brings.

    Args:
        path: A file or folder with all clips.
        train: The clips to learn from, in place of `path`.
        valid: The clips that training is watched on.
        test: The clips that the score is taken on.
        classes: Whether each clip has a class. Then a folder holds a folder of clips for each
            class, and an archive `y` beside `clips`, or `y_train` beside `train` and so on.
        split: The sizes of [train, test] or [train, valid, test] of `path`, as counts or as
            fractions. None is all for training.
        shuffle: The seed of a shuffle of the clips before the split.

    Raises:
        DataError: If there are no clips, or one cannot be read; the message names the file.
        RecipeError: If the parameters contradict each other.
        MissingExtraError: If images are to be read without Pillow.
    """
    given = roles(path=path, train=train, valid=valid, test=test, split=split, shuffle=shuffle)
    files = Files()
    parts: dict[str, Part] = {}
    channels = None  # of the part that is learned from, which comes first
    for role, name in given.items():
        place = files.folder(name)
        own = _divided(name, place, classes) if role == "path" else {}
        if own and split is not None:
            raise RecipeError(f"data.split: {name} holds its parts as train and so on")
        if own and "train" not in own:
            raise DataError(f"{name}: expected an array 'train'; it holds {', '.join(own)}")
        if own:
            parts = own
            continue
        parts[role] = part = _part(name, place, classes, channels)
        first: Any = next(iter(part.X))
        channels = first.shape[-1] if first.ndim == 4 else None
    return finish(
        parts,
        split=split,
        shuffle=shuffle,
        columns=(),
        files=files.digests,
        what=f"{path}: clips",
    )


def _part(name: str, place: Path, classes: bool, channels: int | None) -> Part:
    """All clips of a file or folder."""
    if not classes:
        values, names = read_clips(place, channels=channels)
        return Part(X=values, ids=names)
    if place.is_file():
        arrays = _archive(name, place, ("clips", "y"))
        X = several(_array(arrays, "clips"), f"{name}: 'clips'")
        return Part(X=list(X), y=_targets(arrays, "y", len(X)))
    folders = sorted(e for e in place.iterdir() if e.is_dir() and not e.name.startswith("."))
    if not folders:
        raise DataError(f"{name}: expected a folder of clips for each class; it holds no folders")
    items, ids, labels = [], [], []
    for folder in folders:
        values, names = read_clips(folder, channels=channels)
        channels = channels or (values[0].shape[-1] if values[0].ndim == 4 else None)
        items += values
        ids += [f"{folder.name}/{clip}" for clip in names]
        labels += [folder.name] * len(values)
    return Part(X=items, y=np.array(labels), ids=ids)


def _divided(name: str, place: Path, classes: bool) -> dict[str, Part]:
    """The parts that an archive holds; none where it holds clips."""
    if place.suffix.lower() not in ARCHIVES:
        return {}
    known = {key: role for role, keys in _KEYS.items() for key in keys}
    arrays = _archive(name, place, (*known, *(f"y_{key}" for key in known)))
    found: dict[str, Part] = {}
    for key, role in known.items():
        if key not in arrays:
            continue
        if role in found:
            raise DataError(f"{name}: holds both {' and '.join(_KEYS[role])}; leave one out")
        X = several(arrays[key], f"{name}: '{key}'")
        found[role] = Part(X=X, y=_targets(arrays, f"y_{key}", len(X)) if classes else None)
    return found


def _archive(name: str, place: Path, keys: tuple[str, ...]) -> NpzFile:
    return NpzFile(name, str(place), lambda key: key in keys)


def _array(arrays: NpzFile, key: str) -> Array:
    if key not in arrays:
        raise DataError(f"{arrays.name}: expected an array '{key}'; it holds {arrays.names}")
    return arrays[key]


def _targets(arrays: NpzFile, key: str, count: int) -> Array:
    """The classes of an archive's clips."""
    y = _array(arrays, key)
    if y.shape != (count,) or y.dtype.kind not in "biufU":
        raise DataError(
            f"{arrays.name}: '{key}' expected the class of each of {count} clips, got {y.dtype} of "
            f"the shape {y.shape}"
        )
    return y
