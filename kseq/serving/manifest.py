"""The list of an artefact's files, and the checks that hold it.

A manifest names every file of a version folder with its size and SHA-256. What it says is untrusted
until it is compared with what lies on the disk.
"""

from __future__ import annotations

import hashlib
import json
import math
import platform
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from kseq.errors import ArtefactError

FORMAT_VERSION = 1
HOME = "assets.extra/kseq"
NAME = f"{HOME}/manifest.json"
JSON_LIMIT = 16 * 2**20
MANIFEST_LIMIT = 2**20
FILES_LIMIT = 10_000
_LIBRARIES = ("kseq", "keras", "tensorflow", "numpy")
_CHUNK = 2**20


@dataclass(frozen=True)
class Entry:
    """What the manifest says of one file: its SHA-256 in hexadecimal and its size in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True)
class Manifest:
    """A manifest that was read and whose form is right.

    Args:
        files: By path relative to the version folder, with `/` between its parts.
        libraries: The versions that wrote the artefact.
        notes: What the writer left beside, e.g. whether there is a warm-up file.
    """

    files: dict[str, Entry]
    libraries: dict[str, Any]
    notes: dict[str, Any]


def dump_json(value: Any, what: str) -> bytes:
    r"""`value` as sorted, indented JSON in UTF-8.

    Raises:
        ArtefactError: If it holds anything but plain values, or NaN, or is too large to be read.

    Example:
        >>> dump_json({"b": 1, "a": [True, None]}, "an example")
        b'{\n "a": [\n  true,\n  null\n ],\n "b": 1\n}\n'
    """
    try:
        _plain(value, what)
        text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
        data = f"{text}\n".encode()
    except (UnicodeEncodeError, RecursionError) as broken:
        raise ArtefactError(f"{what} cannot be written as JSON: {broken}") from broken
    if len(data) > JSON_LIMIT:
        raise ArtefactError(
            f"{what} takes {len(data)} bytes as JSON; at most {JSON_LIMIT} can be read back"
        )
    return data


def _plain(value: Any, where: str) -> None:
    """Refuses what JSON would change without a word, such as keys that are numbers."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise ArtefactError(f"{where}: the key {key!r} is no string, so JSON changes it")
            _plain(inner, f"{where}.{key}")
    elif isinstance(value, list | tuple):
        for inner in value:
            _plain(inner, f"{where}[]")
    elif isinstance(value, float) and not math.isfinite(value):
        raise ArtefactError(f"{where}: {value} has no place in JSON")
    elif value is not None and not isinstance(value, str | int | float):
        raise ArtefactError(f"{where}: expected a plain value, got {type(value).__name__}")


def parse_json(data: bytes, what: str) -> dict[str, Any]:
    """The JSON object in `data`.

    Raises:
        ArtefactError: If it is not UTF-8, not JSON, not an object, or has NaN or a key twice.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) != len(pairs):
            raise ValueError("a key stands there twice")
        return result

    def no_constant(name: str) -> Any:
        raise ValueError(f"{name} is not allowed")

    try:
        value = json.loads(
            data.decode("utf-8"), object_pairs_hook=unique, parse_constant=no_constant
        )
    except (ValueError, RecursionError) as broken:
        raise ArtefactError(f"{what} is damaged: {broken}") from broken
    if not isinstance(value, dict):
        raise ArtefactError(f"{what} is damaged: expected a JSON object")
    return value


def listing(root: Path, below: str = "") -> dict[str, Path]:
    """All files of `root`, by path relative to it; of one folder of it, if `below` is given.

    Raises:
        ArtefactError: If there is a symbolic link or anything else but files and folders.
    """
    found: dict[str, Path] = {}
    folder = root
    for part in PurePosixPath(below).parts:
        folder = folder / part
        _refuse_odd(folder)
    folders = [folder]
    while folders:
        for path in sorted(folders.pop().iterdir()):
            _refuse_odd(path)
            if path.is_dir():
                folders.append(path)
            else:
                found[path.relative_to(root).as_posix()] = path
        if len(found) + len(folders) > FILES_LIMIT:
            raise ArtefactError(f"{folder} holds more than {FILES_LIMIT} files")
    return found


def _refuse_odd(path: Path) -> None:
    mode = path.lstat().st_mode
    if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
        kind = "a symbolic link" if stat.S_ISLNK(mode) else "neither a file nor a folder"
        raise ArtefactError(f"{path} is {kind}, which an artefact may not hold")


def digest(path: Path) -> Entry:
    """Size and SHA-256 of a file."""
    total, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            total.update(chunk)
            size += len(chunk)
    return Entry(total.hexdigest(), size)


def seal(folder: Path, notes: Mapping[str, Any]) -> None:
    """Writes the manifest of a version folder. To be called when all other files are there."""
    entries = {name: digest(path) for name, path in listing(folder).items()}
    content = {
        "format_version": FORMAT_VERSION,
        "libraries": {
            **{name: _installed(name) for name in _LIBRARIES},
            "python": platform.python_version(),
        },
        "notes": dict(notes),
        "files": {
            name: {"sha256": entry.sha256, "size": entry.size} for name, entry in entries.items()
        },
    }
    data = dump_json(content, "the manifest")
    if len(data) > MANIFEST_LIMIT:
        raise ArtefactError(f"{folder} holds too many files ({len(entries)}) for one manifest")
    with (folder / NAME).open("xb") as file:
        file.write(data)


def _installed(name: str) -> str | None:
    for package in (name, f"{name}-cpu", f"{name}-intel"):
        try:
            return version(package)
        except PackageNotFoundError:
            continue
    return None


def load_manifest(folder: Path) -> Manifest:
    """Reads the manifest of a version folder and checks its form.

    Raises:
        ArtefactError: If it is missing, damaged, too large, or of a format this kseq doesn't know.
    """
    path = folder / NAME
    if not path.is_file():
        raise ArtefactError(f"{path} is missing: {folder} is no model saved by kseq, or damaged")
    for part in (path.parent.parent, path.parent, path):
        _refuse_odd(part)
    with path.open("rb") as file:
        data = file.read(MANIFEST_LIMIT + 1)
    if len(data) > MANIFEST_LIMIT:
        raise ArtefactError(f"{path} is larger than {MANIFEST_LIMIT} bytes: it is not kseq's")
    content = parse_json(data, str(path))
    _check_format(content.get("format_version"), path)
    files = content.get("files")
    if not isinstance(files, dict) or len(files) > FILES_LIMIT:
        raise ArtefactError(f"{path} is damaged: expected a mapping of files under 'files'")
    sections = {}
    for name in ("libraries", "notes"):
        sections[name] = content.get(name, {})
        if not isinstance(sections[name], dict):
            raise ArtefactError(f"{path} is damaged: expected a mapping under '{name}'")
    entries = {name: _entry(name, value, path) for name, value in files.items()}
    return Manifest(files=entries, **sections)


def _check_format(found: Any, path: Path) -> None:
    if type(found) is not int or found < 1:
        raise ArtefactError(f"{path} is damaged: {found!r} is no format version")
    if found > FORMAT_VERSION:
        raise ArtefactError(
            f"{path} was written by a newer kseq (format {found}, this kseq reads up to "
            f"{FORMAT_VERSION}): install a newer kseq"
        )


def _entry(name: str, value: Any, path: Path) -> Entry:
    parts = PurePosixPath(name)
    odd = (
        not parts.parts
        or parts.is_absolute()
        or ".." in parts.parts
        or parts.as_posix() != name
        or any(sign in name for sign in "\\\0")
        or PureWindowsPath(name).drive
    )
    if odd:
        raise ArtefactError(f"{path} names the file {name!r}, which would lie outside the artefact")
    if (
        not isinstance(value, dict)
        or not isinstance(value.get("sha256"), str)
        or not re.fullmatch("[0-9a-f]{64}", value["sha256"])
        or type(value.get("size")) is not int
        or value["size"] < 0
    ):
        raise ArtefactError(f"{path} is damaged: {name!r} has no right size and sha256")
    return Entry(value["sha256"], value["size"])


def compare(folder: Path, manifest: Manifest, below: str = "") -> None:
    """Compares what lies on the disk with the manifest: names, then sizes, then hashes.

    Args:
        folder: The version folder.
        manifest: Its manifest.
        below: Look at this folder of it only.

    Raises:
        ArtefactError: If a file is missing, extra or altered; the message names it.
    """
    on_disk = listing(folder, below)
    on_disk.pop(NAME, None)
    prefix = f"{below}/" if below else ""
    expected = {name: e for name, e in manifest.files.items() if name.startswith(prefix)}
    for name in sorted(expected.keys() - on_disk.keys()):
        raise ArtefactError(f"{folder}: {name} is missing; copy the artefact again, as a whole")
    for name in sorted(on_disk.keys() - expected.keys()):
        raise ArtefactError(f"{folder}: {name} is extra; the manifest doesn't list it")
    for name, entry in expected.items():
        size = on_disk[name].stat().st_size
        if size != entry.size:
            raise ArtefactError(f"{folder}: {name} has {size} bytes, expected {entry.size}")
    for name, entry in expected.items():
        if digest(on_disk[name]) != entry:
            raise ArtefactError(f"{folder}: {name} was altered; its SHA-256 is not the manifest's")
