"""What a reader returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kseq.data.moving_digits import MovingDigits

Array: TypeAlias = NDArray[Any]
Series: TypeAlias = dict[str, NDArray[np.float64]]
Sequences: TypeAlias = NDArray[np.float64] | list[NDArray[np.float64]]
Texts: TypeAlias = list[str] | list[list[str]]
Tags: TypeAlias = list[list[str]]
TagsAndLabel: TypeAlias = list[tuple[list[str], str]]


@dataclass(frozen=True)
class Part:
    """One part of a data set: training, validation or test.

    Args:
        X: Sequences: a float64 array `(batch, time, features)` where all lengths in the data set
            are equal, else a list of arrays `(time, features)`. Series, for forecasting: a dict of
            column name to float64 array `(time,)`, or a list of such dicts where the file has an
            id column. NaN is a missing value. Clips: an array `(batch, time, height, width)` or
            `(batch, time, height, width, channels)`, a list of these without the batch, or clips
            that are made when they are needed. Text: a list of texts, or of lists of tokens.
        y: Targets of sequences and texts: an array `(batch,)` of text or numbers,
            `(batch, targets)`, or, with a target at every step, a list of arrays `(time,)` or
            `(time, targets)`. Of tokens also a list of lists of tags, one a token, or of pairs:
            such a list and the label of the whole. None where there are none, as in series.
        index: The time stamps of a series as text, or a list of such lists, one a series.
        ids: The names of the sequences or series, where the file gives them.

    Example:
        >>> part = Part(X=np.zeros((4, 10, 2)), y=np.array(["a", "b", "a", "b"]))
        >>> len(part.X), part.index is None
        (4, True)
        >>> part = Part(X=[["in", "Rome"]], y=[["O", "B-place"]])
    """

    X: Sequences | Series | list[Series] | Texts | MovingDigits
    y: Array | list[Array] | Tags | TagsAndLabel | None = None
    index: list[str] | list[list[str]] | None = None
    ids: list[str] | None = None


@dataclass(frozen=True)
class Dataset:
    """A data set in up to three parts.

    Args:
        train: What is learned from.
        valid: What training is watched on, where the data says so.
        test: What the score is taken on.
        columns: The names of the features, in the order of the last axis of X; none for text.
        files: The sha256 of every file read, by its name as it was asked for.
    """

    train: Part
    valid: Part | None = None
    test: Part | None = None
    columns: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)
