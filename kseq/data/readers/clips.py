"""Clips: folders of images, animated images, NumPy archives."""

from __future__ import annotations

from pathlib import Path

from kseq.data.clip_files import ARCHIVES, read_clips
from kseq.data.dataset import Dataset, Part
from kseq.data.files import Files
from kseq.data.npz_file import NpzFile
from kseq.data.split import Split, finish, roles
from kseq.errors import DataError, RecipeError
from kseq.registry import readers

_PARTS = {"train": ("train",), "valid": ("valid", "dev"), "test": ("test",)}


@readers.register("clips")
def clips(
    *,
    path: str | None = None,
    train: str | None = None,
    valid: str | None = None,
    test: str | None = None,
    split: Split | None = None,
    shuffle: int | None = None,
) -> Dataset:
    """Reads clips for video.

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
    for role, name in given.items():
        place = files.folder(name)
        own = _parts(name, place) if role == "path" else {}
        if own and split is not None:
            raise RecipeError(f"data.split: {name} holds its parts as train and so on")
        if own and "train" not in own:
            raise DataError(f"{name}: expected an array 'train'; it holds {', '.join(own)}")
        if own:
            parts = own
            continue
        values, names = read_clips(place)
        parts[role] = Part(X=values, ids=names)
    what = f"{path}: clips"
    return finish(parts, split=split, shuffle=shuffle, columns=(), files=files.digests, what=what)


def _parts(name: str, place: Path) -> dict[str, Part]:
    """The parts that an archive holds; none where it holds clips."""
    if place.suffix.lower() not in ARCHIVES:
        return {}
    known = {key: role for role, keys in _PARTS.items() for key in keys}
    arrays = NpzFile(name, str(place), known.__contains__)
    return {role: Part(X=arrays[key]) for key, role in known.items() if key in arrays}
