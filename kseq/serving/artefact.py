"""The part of a saved model that kseq reads back: recipe, preprocessing, weights, report.

Nothing here imports Keras or TensorFlow, unpickles, or runs what lies in a folder.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors import numpy as safetensors

from kseq.errors import ArtefactError
from kseq.serving.manifest import (
    HOME,
    JSON_LIMIT,
    Manifest,
    compare,
    dump_json,
    listing,
    load_manifest,
    parse_json,
    seal,
)

_RECIPE = f"{HOME}/recipe.json"
_PREPROCESSING = f"{HOME}/preprocessing.json"
_WEIGHTS = f"{HOME}/weights.safetensors"
_REPORT = f"{HOME}/report"
_WEIGHTS_LIMIT = 8 * 2**30


@dataclass(frozen=True, eq=False)
class Artefact:
    """What an estimator is rebuilt from.

    Args:
        recipe: The filled recipe, plain values.
        preprocessing: Vocabularies, scales, class names, the spec: plain values.
        arrays: Weights by name, see `kseq.serving.weights`.
        report: A folder of metrics and pictures, where there is one.

    Example:
        >>> artefact = Artefact({"name": "ner"}, {"classes": ["a", "b"]}, {"w": np.zeros(2)})
        >>> artefact.report is None
        True
    """

    recipe: dict[str, Any]
    preprocessing: dict[str, Any]
    arrays: dict[str, np.ndarray]
    report: Path | None = None


def write(
    artefact: Artefact,
    directory: str | os.PathLike[str],
    *,
    notes: Mapping[str, Any] | None = None,
) -> None:
    """Writes an artefact into a version folder, and last the manifest of all that lies there.

    Args:
        artefact: What to write.
        directory: The version folder; a SavedModel may lie in it already.
        notes: Plain values to keep in the manifest.

    Raises:
        ArtefactError: If it holds what cannot be read back, or the folder cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write(Artefact({"task": "tagging"}, {}, {"w": np.ones(3)}), folder)
        ...     read(folder).recipe
        {'task': 'tagging'}
    """
    folder = Path(directory)
    files = {
        _RECIPE: dump_json(artefact.recipe, "recipe"),
        _PREPROCESSING: dump_json(artefact.preprocessing, "preprocessing"),
        _WEIGHTS: _pack(artefact.arrays),
    }
    try:
        (folder / HOME).mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            with (folder / name).open("xb") as file:
                file.write(data)
        if artefact.report is not None:
            for name, path in listing(artefact.report).items():
                target = folder / _REPORT / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
        seal(folder, notes or {})
    except OSError as broken:
        raise ArtefactError(f"the artefact cannot be written: {broken}") from broken


def _pack(arrays: Mapping[str, np.ndarray]) -> bytes:
    for name, array in arrays.items():
        if array.dtype.kind not in "biuf":
            raise ArtefactError(f"the weight '{name}' has the type {array.dtype}, not numbers")
        if not np.isfinite(array).all():
            raise ArtefactError(f"the weight '{name}' holds NaN or infinity: train the model anew")
    # Not ascontiguousarray: it would make a scalar an array of one.
    dense = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    try:
        return safetensors.save(dense)
    except (SafetensorError, ValueError, KeyError, TypeError) as broken:
        raise ArtefactError(f"the weights cannot be written: {broken}") from broken


def locate(path: str | os.PathLike[str]) -> Path:
    """The version folder meant by a path: `saved_models/NAME/3`, or `saved_models/NAME`'s newest.

    Raises:
        ArtefactError: If there is none.
    """
    folder = Path(path)
    if not folder.exists():
        raise ArtefactError(f"{folder} does not exist; expected a saved model's folder")
    if not folder.is_dir():
        raise ArtefactError(f"{folder} is a file; kseq reads the folders that `save` publishes")
    if (folder / HOME).is_dir():
        return folder
    versions = [p for p in folder.iterdir() if p.name.isascii() and p.name.isdecimal()]
    versions = [p for p in versions if p.is_dir()]
    return max(versions, key=lambda version: int(version.name)) if versions else folder


def read(path: str | os.PathLike[str]) -> Artefact:
    """Reads an artefact back. Looks at `assets.extra/kseq` alone and runs nothing that lies there.

    Args:
        path: A version folder, or the folder that holds versions: the newest is taken.

    Raises:
        ArtefactError: If it is missing or damaged, or written by a newer kseq; the message names
            the file.
    """
    try:
        folder = locate(path)
        listed = load_manifest(folder)
        compare(folder, listed, HOME)
        return Artefact(
            recipe=_json(folder, listed, _RECIPE),
            preprocessing=_json(folder, listed, _PREPROCESSING),
            arrays=_unpack(_bytes(folder, listed, _WEIGHTS, _WEIGHTS_LIMIT), folder / _WEIGHTS),
            report=folder / _REPORT if (folder / _REPORT).is_dir() else None,
        )
    except OSError as broken:
        raise ArtefactError(f"{path} cannot be read: {broken}") from broken


def check(path: str | os.PathLike[str]) -> Manifest:
    """Compares every file of a version, the SavedModel too, with the manifest.

    Args:
        path: As for `read`.

    Returns:
        The manifest.

    Raises:
        ArtefactError: If a file is missing, extra or altered; the message names it.
    """
    try:
        folder = locate(path)
        listed = load_manifest(folder)
        compare(folder, listed)
    except OSError as broken:
        raise ArtefactError(f"{path} cannot be read: {broken}") from broken
    return listed


def _bytes(folder: Path, listed: Manifest, name: str, limit: int) -> bytes:
    if name not in listed.files:
        raise ArtefactError(f"{folder}: {name} is missing; it is no whole artefact")
    size = listed.files[name].size
    if size > limit:
        raise ArtefactError(f"{folder}: {name} has {size} bytes, at most {limit} are read")
    with (folder / name).open("rb") as file:
        return file.read(size)


def _json(folder: Path, listed: Manifest, name: str) -> dict[str, Any]:
    data = _bytes(folder, listed, name, JSON_LIMIT)
    return parse_json(data, str(folder / name))


def _unpack(data: bytes, path: Path) -> dict[str, np.ndarray]:
    try:
        return safetensors.load(data)
    except (SafetensorError, ValueError, KeyError, TypeError) as broken:
        raise ArtefactError(f"{path} is damaged: {broken}") from broken
