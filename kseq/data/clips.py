"""Clips as users have them, in one checked form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from kseq.data.clip_files import read_clips
from kseq.data.moving_digits import MovingDigits
from kseq.errors import DataError
from kseq.metrics.evaluation import counted

_ROUNDED = 1e-3  # how far beyond the range a value may be, as a share of it
_SIDES = {1: "width", 2: "height, width", 3: "depth, height, width"}


@dataclass(frozen=True)
class FrameForm:
    """What all frames of some clips are like.

    Args:
        sides: Pixels along each side: of a plane height and width.
        channels: Values of a pixel.
        maximum: The largest value that a pixel can have, 1 or 255.
    """

    sides: tuple[int, ...]
    channels: int
    maximum: float

    @property
    def shape(self) -> tuple[int, ...]:
        """The sides and the channels."""
        return (*self.sides, self.channels)


@dataclass(frozen=True)
class Clips:
    """Checked clips: not empty, finite, all with frames of one form.

    Args:
        values: Each `(time, ..., channels)`, bytes or float32; or clips that are drawn when they
            are needed.
        names: What each is called in messages.
        lengths: Frames of each, `(n,)`.
        form: What the frames are like.
        flat: Whether they came without an axis of channels.
    """

    values: Sequence[np.ndarray] | MovingDigits
    names: Sequence[str]
    lengths: np.ndarray
    form: FrameForm
    flat: bool

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def integers(self) -> bool:
        """Whether all values are bytes."""
        if isinstance(self.values, MovingDigits):
            return True
        return all(values.dtype == np.uint8 for values in self.values)

    def window(
        self, rows: np.ndarray, starts: np.ndarray, frames: int, *, epoch: int = 0
    ) -> np.ndarray:
        """Frames of some clips, `(batch, frames, ..., channels)`, as they are.

        Args:
            rows: Which clips.
            starts: The first frame of each.
            frames: How many of each.
            epoch: The pass over the data, for clips that are drawn anew in each.
        """
        if isinstance(self.values, MovingDigits):
            drawn = self.values.draw(rows, epoch=epoch)[..., None]
            places = starts[:, None] + np.arange(frames)
            return drawn[np.arange(len(rows))[:, None], places]
        pairs = zip(rows, starts, strict=True)
        return np.stack([self.values[row][start : start + frames] for row, start in pairs])


def as_clips(
    X: Any,
    *,
    dimensions: int = 2,
    fitted: FrameForm | None = None,
    frames: int = 1,
    name: str = "X",
) -> Clips:
    """Checks clips and gives them their one form.

    Args:
        X: `(n, time, height, width)` or `(n, time, height, width, channels)`, bytes or other
            numbers from 0 to 255, or from 0 to 1 where none is larger; a list of
            `(time, height, width[, channels])` arrays, whose lengths may differ, or a mapping of
            names to these; a folder or file that `read_clips` reads; `MovingDigits`; or what this
            function has given.
        dimensions: The sides of a frame: 1, 2 or 3, in place of the two above.
        fitted: What the frames are like that a model was fitted to.
        frames: The fewest frames that a clip must have.
        name: What to call the data in messages.

    Raises:
        DataError: If there is no clip, or one does not hold; the message names it.

    Example:
        >>> clips = as_clips(np.zeros((3, 20, 16, 16), np.uint8))
        >>> clips.form.shape, clips.lengths.tolist()
        ((16, 16, 1), [20, 20, 20])
    """
    if isinstance(X, Clips):
        return _like(X, fitted, frames)
    if isinstance(X, MovingDigits):
        if dimensions != 2:
            raise DataError(f"{name}: has frames of 2 sides, but task.dimensions is {dimensions}")
        clips = Clips(
            X,
            [f"{name}[{row}]" for row in range(len(X))],
            np.full(len(X), X.frames),
            FrameForm((X.size, X.size), 1, 255.0),
            flat=True,
        )
        return _like(clips, fitted, frames)
    items, names = _named(X, dimensions, fitted, name)
    given = [_numbers(item, where) for item, where in zip(items, names, strict=True)]
    flat = _flat(given, names, dimensions)
    values: list[np.ndarray] = []
    for array, where in zip(given, names, strict=True):
        values.append(_within(array[..., None] if flat else array, where))
        _alike(values[-1].shape[1:], values[0].shape[1:], where, f"{names[0]} has")
    top = max(float(array.max()) for array in values)
    if fitted is None and 1 < top < 2 and any(array.dtype != np.uint8 for array in values):
        raise DataError(
            f"{name}: its largest value is {top:.4g}, so that pixels go neither from 0 to 1 nor "
            "from 0 to 255; clip them to 1, or multiply by 255"
        )
    form = FrameForm(values[0].shape[1:-1], values[0].shape[-1], 255.0 if top > 1 else 1.0)
    _check_form(form, dimensions, flat, names[0])
    _check_scale(values, names, fitted or form, of_model=fitted is not None)
    lengths = np.array([len(array) for array in values])
    return _like(Clips(values, names, lengths, form, flat), fitted, frames)


def _named(
    X: Any, dimensions: int, fitted: FrameForm | None, name: str
) -> tuple[list[Any], list[str]]:
    """The clips, and what each is called."""
    if isinstance(X, (str, Path)):
        items, names = read_clips(X, channels=None if fitted is None else fitted.channels)
        if fitted is not None and fitted.maximum == 1:  # a picture's bytes are from 0 to 255
            items = [item / np.float32(255) if item.dtype == np.uint8 else item for item in items]
        return items, names
    if isinstance(X, Mapping):
        return _items(list(X.values()), dimensions, name), [str(key) for key in X]
    items = _items(X, dimensions, name)
    return items, [f"{name}[{row}]" for row in range(len(items))]


def _items(X: Any, dimensions: int, name: str) -> list[Any]:
    """The clips of an array or a list."""
    form = f"(n, time, {_SIDES[dimensions]}) or (n, time, {_SIDES[dimensions]}, channels)"
    if X is None or isinstance(X, bytes) or not hasattr(X, "__len__"):
        raise DataError(
            f"{name}: expected {form}, a list of clips, or a folder, got {type(X).__name__}"
        )
    if isinstance(X, np.ndarray) and X.dtype == object and X.ndim == 1:
        X = list(X)
    if hasattr(X, "shape") and len(X.shape) not in (dimensions + 2, dimensions + 3):
        one = len(X.shape) == dimensions + 1
        hint = f"; if it is one clip, pass {name}[None]" if one else ""
        raise DataError(f"{name}: expected {form}, got an array of shape {tuple(X.shape)}{hint}")
    if len(X) == 0:
        raise DataError(f"{name}: is empty; at least one clip is needed")
    return list(X)


def _numbers(item: Any, where: str) -> np.ndarray:
    """A clip as bytes or float32."""
    if np.ma.is_masked(item):
        raise DataError(f"{where}: has masked pixels; fill them first")
    try:
        array = np.asarray(item)
    except ValueError:
        raise DataError(f"{where}: its frames differ in size") from None
    if array.dtype.kind == "U":
        raise DataError(f"{where}: is text; the path of a file or folder is passed by itself")
    if array.dtype.kind not in "biuf":
        raise DataError(f"{where}: expected numbers, got {array.dtype}")
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind in "bf":  # true is 1
        return array.astype(np.float32, copy=False)
    if array.size and (array.min() < 0 or array.max() > 255):
        low, high = array.min(), array.max()
        raise DataError(f"{where}: has values from {low} to {high}; expected 0 to 255")
    return array.astype(np.uint8)


def _flat(arrays: Sequence[np.ndarray], names: Sequence[str], dimensions: int) -> bool:
    """Whether there is no axis of channels."""
    sides = _SIDES[dimensions]
    for array, where in zip(arrays, names, strict=True):
        if array.ndim not in (dimensions + 1, dimensions + 2):
            raise DataError(
                f"{where}: expected (time, {sides}) or (time, {sides}, channels), got an array of "
                f"shape {array.shape}"
            )
        if array.ndim != arrays[0].ndim:
            raise DataError(
                f"{where}: has the shape {array.shape}, but {names[0]} has {arrays[0].shape}: some "
                "have an axis of channels and some have none"
            )
    return arrays[0].ndim == dimensions + 1


def _within(array: np.ndarray, where: str) -> np.ndarray:
    """The clip, checked, without what rounding has put a little beyond the range."""
    if array.shape[0] == 0:
        raise DataError(f"{where}: has 0 frames")
    if array.size == 0:
        raise DataError(f"{where}: has frames without pixels: {array.shape}")
    if array.dtype == np.uint8:
        return array
    finite = np.isfinite(array)
    if not finite.all():
        step, *place, channel = (int(i) for i in np.argwhere(~finite)[0])
        value = array[(step, *place, channel)]
        raise DataError(
            f"{where}: {value} in frame {step}, pixel {tuple(place)}; fill or drop missing values "
            "first"
        )
    low, high = float(array.min()), float(array.max())
    if low < -_ROUNDED or high > 255 * (1 + _ROUNDED):
        raise DataError(
            f"{where}: has values from {low:g} to {high:g}; expected 0 to 255, or 0 to 1"
        )
    top = 1.0 if high <= 1 + _ROUNDED else 255.0
    return np.clip(array, 0, top) if low < 0 or high > top else array


def _alike(got: tuple[int, ...], expected: tuple[int, ...], where: str, who: str) -> None:
    """Raises unless frames `(..., channels)` are alike."""
    if got[:-1] != expected[:-1]:
        raise DataError(f"{where}: has frames of {_size(got)}, but {who} {_size(expected)}")
    if got[-1] != expected[-1]:
        raise DataError(f"{where}: has {_channels(got)} a pixel, but {who} {_channels(expected)}")


def _check_form(form: FrameForm, dimensions: int, flat: bool, where: str) -> None:
    """Raises if the axes seem to have another meaning than they have here."""
    if dimensions == 3 and flat and form.sides[-1] <= 3:
        raise DataError(
            f"{where}: has volumes of {_size(form.shape)}; if these are pictures, set "
            "task.dimensions to 2"
        )
    if not flat and form.sides[0] in (1, 3) and form.channels > 4:
        raise DataError(
            f"{where}: has frames of {_size(form.shape)} with {form.channels} channels; channels "
            "come last: see numpy.moveaxis"
        )


def _check_scale(
    values: Sequence[np.ndarray], names: Sequence[str], form: FrameForm, *, of_model: bool
) -> None:
    """Raises if a clip is on another scale than the others, or than those of the fit."""
    who = "the model was fitted to values" if of_model else "others go"
    for array, where in zip(values, names, strict=True):
        high = float(array.max())
        if form.maximum == 1 and high > 1:
            raise DataError(f"{where}: has values above 1, but {who} from 0 to 1; divide by 255")
        if form.maximum > 1 and array.dtype != np.uint8 and 0 < high <= 1:
            raise DataError(
                f"{where}: has no value above {high:g}, but {who} from 0 to 255; multiply by 255, "
                "or pass bytes"
            )


def _like(clips: Clips, fitted: FrameForm | None, frames: int) -> Clips:
    """The clips, on the scale of those that a model was fitted to.

    Raises:
        DataError: If their frames are not like those, or a clip has too few.
    """
    for where, length in zip(clips.names, clips.lengths, strict=True):
        if length < frames:
            raise DataError(
                f"{where}: has {counted(int(length), 'frame')}, but at least {frames} are needed"
            )
    if fitted is None:
        return clips
    _alike(clips.form.shape, fitted.shape, clips.names[0], "the model was fitted to")
    if isinstance(clips.values, MovingDigits) and fitted.maximum == 1:
        raise DataError(f"{clips.names[0]}: has bytes, but the model was fitted to 0 to 1")
    return replace(clips, form=fitted)


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape[:-1])) + " pixels"


def _channels(shape: tuple[int, ...]) -> str:
    return counted(shape[-1], "channel")
