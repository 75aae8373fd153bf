"""Clips from folders of images, animated images and NumPy archives."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from kseq.data.npz_file import NpzFile
from kseq.errors import DataError, MissingExtraError
from kseq.metrics.evaluation import counted

IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".pgm", ".ppm", ".webp")
ANIMATED = (".gif",)
ARCHIVES = (".npz",)


def read_clips(
    path: str | Path, *, channels: int | None = None
) -> tuple[list[np.ndarray], list[str]]:
    """The clips that lie in a file or folder.

    A folder holds a folder of images for each clip, in the order of the numbers in their names, or
    animated images (`.gif`), or archives (`.npz`); a folder of images alone is one clip. An archive
    holds `frames`, one clip, or `clips`, several. Most programs that write a `.gif` leave out a
    frame that is like the one before it; it stays left out.

    Args:
        path: The file or folder.
        channels: How many a pixel should have, where that is known. A picture whose colours are
            all grey has one channel otherwise.

    Returns:
        The clips `(time, height, width, channels)` or as an archive has them, and their names.

    Raises:
        DataError: If there is none, or one cannot be read; the message names the file.
        MissingExtraError: If images are to be read without Pillow.
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise DataError(f"{path}: no such file or folder; expected clips")
    items: list[np.ndarray] = []
    names: list[str] = []
    palettes: list[int] = []  # those whose colours may all be grey
    drawn: list[int] = []  # those from pictures
    for source in _sources(path):
        name = source.name
        if source.suffix.lower() in ARCHIVES:
            found = _archive(source, name)
        else:
            clip, palette = _sequence(source) if source.is_dir() else _animation(source)
            found = [(clip, name)]
            drawn.append(len(items))
            if palette:
                palettes.append(len(items))
        items += [clip for clip, _ in found]
        names += [called for _, called in found]
    if channels == 3:
        items = [_coloured(clip) if p in drawn else clip for p, clip in enumerate(items)]
    elif palettes and all(_grey(items[place]) for place in palettes):
        for place in palettes:
            items[place] = items[place][..., :1]
    if {array.ndim for array in items} == {3, 4}:  # archives may leave the channel out
        items = [array[..., None] if array.ndim == 3 else array for array in items]
    return items, names


def _sources(path: Path) -> list[Path]:
    """The files and folders that each hold a clip or several."""
    known = (*ANIMATED, *ARCHIVES)
    if path.is_file():
        if path.suffix.lower() not in known:
            raise DataError(f"{path}: expected a folder, or a file of {', '.join(known)}")
        return [path]
    entries = [entry for entry in path.iterdir() if not entry.name.startswith(".")]
    entries.sort(key=_order)
    clips = [e for e in entries if e.is_dir() or e.suffix.lower() in known]
    images = [e for e in entries if e.is_file() and e.suffix.lower() in IMAGES]
    if clips and images:
        raise DataError(
            f"{path}: holds the image {images[0].name} beside clips such as {clips[0].name}; "
            "put the images of each clip into a folder of its own"
        )
    if images:
        return [path]
    if not clips:
        raise DataError(
            f"{path}: holds no clips; expected folders of images, or files of {', '.join(known)}"
        )
    return clips


def _order(path: Path) -> list[Any]:
    """Sorts `frame10` behind `frame9`."""
    return [
        (0, int(part), "") if part.isdecimal() else (1, 0, part)
        for part in re.split(r"(\d+)", path.name)
        if part
    ]


def _sequence(folder: Path) -> tuple[np.ndarray, bool]:
    """The frames of a folder of images, and whether they come from a palette."""
    files = sorted(
        (e for e in folder.iterdir() if e.suffix.lower() in IMAGES and not e.name.startswith(".")),
        key=_order,
    )
    if not files:
        inner = [e.name for e in folder.iterdir() if e.is_dir()]
        hint = f", but the folder {min(inner)}: name this folder itself" if inner else ""
        raise DataError(f"{folder}: holds no images ({', '.join(IMAGES)}){hint}")
    frames: list[np.ndarray] = []
    palettes: list[bool] = []
    for file in files:
        (frame,), from_palette = _pictures(file)
        frames.append(frame)
        palettes.append(from_palette)
    coloured = [place for place, frame in enumerate(frames) if frame.shape[-1] == 3]
    if len(coloured) < len(frames) and all(palettes[p] and _grey(frames[p]) for p in coloured):
        for place in coloured:
            frames[place] = frames[place][..., :1]
    for file, frame in zip(files, frames, strict=True):
        if frame.shape != frames[0].shape:
            raise DataError(
                f"{file}: is {_described(frame)}, but {files[0].name} is {_described(frames[0])}"
            )
    return np.stack(frames), all(palettes)


def _animation(file: Path) -> tuple[np.ndarray, bool]:
    frames, palette = _pictures(file, every=True)
    return np.stack(frames), palette


def _pictures(file: Path, *, every: bool = False) -> tuple[list[np.ndarray], bool]:
    """The pictures in a file, `(height, width, channels)`, and whether they have a palette."""
    try:
        from PIL import Image, ImageSequence, UnidentifiedImageError
    except ImportError:
        raise MissingExtraError("reading images", "plot") from None
    try:
        with Image.open(file) as picture:
            palette = picture.mode in ("P", "PA")
            pages = ImageSequence.Iterator(picture) if every else [picture]
            count = getattr(picture, "n_frames", 1)
            if not every and count > 1:
                raise ValueError(f"it holds {count} pictures, expected one")
            frames = [_pixels(page, palette) for page in pages]
            if len({frame.shape[-1] for frame in frames}) > 1:  # grey pages among coloured ones
                palette = True
                frames = [_coloured(frame) for frame in frames]
    except UnidentifiedImageError:
        raise DataError(f"{file}: cannot be read as an image: it is none") from None
    except Exception as broken:  # of a damaged file Pillow raises whatever it stumbles over
        why = f"{broken}" or type(broken).__name__
        raise DataError(f"{file}: cannot be read as an image: {why}") from None
    return frames, palette


def _pixels(picture: Any, palette: bool) -> np.ndarray:
    if picture.mode in ("1", "L", "LA", "I;16", "I", "F") and not palette:
        if picture.mode in ("I;16", "I", "F"):
            raise ValueError(f"its pixels are {picture.mode}, expected bytes; convert it")
        return np.asarray(picture.convert("L"))[..., None]
    return np.asarray(picture.convert("RGB"))


def _coloured(clip: np.ndarray) -> np.ndarray:
    return np.broadcast_to(clip, (*clip.shape[:-1], 3))


def _grey(clip: np.ndarray) -> bool:
    return bool((clip == clip[..., :1]).all())


def _described(frame: np.ndarray) -> str:
    height, width, channels = frame.shape
    return f"{height} x {width} pixels of {counted(channels, 'channel')}"


def several(clips: np.ndarray, name: str) -> np.ndarray:
    """The clips of an array, `(n, time, ...)`.

    Raises:
        DataError: If it holds none.
    """
    if clips.ndim < 3 or not len(clips):
        raise DataError(f"{name}: expected (n, time, height, width[, channels]), got {clips.shape}")
    return clips


def _archive(file: Path, name: str) -> list[tuple[np.ndarray, str]]:
    arrays = NpzFile(name, str(file), lambda key: key in ("frames", "clips"))
    if "frames" in arrays and "clips" in arrays:
        raise DataError(f"{name}: holds both 'frames', one clip, and 'clips'; leave one out")
    if "frames" in arrays:
        frames = arrays["frames"]
        if frames.ndim == 4 and frames.shape[-1] > 4:
            raise DataError(
                f"{name}: 'frames' is one clip (time, height, width[, channels]), got the shape "
                f"{frames.shape}; several are called 'clips'"
            )
        return [(frames, name)]
    if "clips" in arrays:
        clips = several(arrays["clips"], f"{name}: 'clips'")
        return [(clip, f"{name}[{row}]") for row, clip in enumerate(clips)]
    raise DataError(f"{name}: expected 'frames', one clip, or 'clips'; it holds {arrays.names}")
