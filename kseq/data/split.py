"""Which rows or sequences are for training, for validation and for the test."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal, NotRequired

import numpy as np
from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from kseq.data.dataset import Dataset, Part
from kseq.errors import DataError, RecipeError

Split = Annotated[list[int] | list[float], Field(min_length=2, max_length=3)]

_NAMES = {1: ("train",), 2: ("train", "test"), 3: ("train", "valid", "test")}
_TENTHS = [8, 1, 1]


class HashSplit(TypedDict):
    """A split that is decided for each text by itself, whatever else is in the file.

    `by` is `hash`; `shares` are the whole-number shares of [train, test] or [train, valid, test],
    by default [8, 1, 1]. See `hashed`.
    """

    __pydantic_config__ = ConfigDict(strict=True, extra="forbid")  # type: ignore[misc]

    by: Literal["hash"]
    shares: NotRequired[
        Annotated[list[Annotated[int, Field(gt=0)]], Field(min_length=2, max_length=3)]
    ]


def roles(
    *,
    path: str | None,
    train: str | None,
    valid: str | None,
    test: str | None,
    split: Sequence[float] | HashSplit | None,
    shuffle: int | None,
) -> dict[str, str]:
    """The files to read by what they are for: `path` alone, or `train` with `valid` and `test`.

    Raises:
        RecipeError: If the parameters contradict each other; all mistakes at once.
    """
    mistakes = []
    if path is None and train is None:
        mistakes.append("data.path: missing; give path, or train (with valid and test)")
    if path is not None:
        mistakes += [
            f"data.{name}: not together with data.path; give path and split, or train, valid, test"
            for name, value in (("train", train), ("valid", valid), ("test", test))
            if value is not None
        ]
    elif split is not None:
        mistakes.append("data.split: divides one file; give data.path in place of data.train")
    if shuffle is not None and split is None:
        mistakes.append("data.shuffle: shuffles before a split; give data.split too")
    if shuffle is not None and isinstance(split, dict):
        mistakes.append("data.shuffle: a split by hash does not depend on the order")
    if mistakes:
        raise RecipeError(mistakes)
    if path is not None:
        return {"path": path}
    given = {"train": train, "valid": valid, "test": test}
    return {name: value for name, value in given.items() if value is not None}


def slices(count: int, split: Sequence[float] | None, what: str) -> dict[str, slice]:
    """Where each part begins and ends.

    Args:
        count: The rows or sequences there are.
        split: Sizes of [train, test] or [train, valid, test], all whole numbers (what is left over
            is not used), or all fractions that sum to at most one. None is all for training.
        what: What is split, for messages: "series.csv: rows".

    Raises:
        DataError: If there are too few for a part.
        RecipeError: If the sizes make no sense.

    Example:
        >>> slices(10, [0.8, 0.2], "x.csv: rows")
        {'train': slice(0, 8, None), 'test': slice(8, 10, None)}
    """
    if split is None:
        return {"train": slice(0, count)}
    if len(split) not in (2, 3):
        raise RecipeError(
            f"data.split: expected [train, test] or [train, valid, test], got {split}"
        )
    if any(size <= 0 for size in split):
        raise RecipeError(f"data.split: expected sizes above zero, got {list(split)}")
    if all(isinstance(size, int) for size in split):
        edges = [0, *(int(edge) for edge in np.cumsum(split))]
        if edges[-1] > count:
            asked = " + ".join(str(size) for size in split)
            raise DataError(f"{what}: data.split asks for {asked} = {edges[-1]}, there are {count}")
    else:
        # The tolerance keeps 0.7 + 0.2 + 0.1 from falling one short of the whole.
        shares = [float(share) for share in np.cumsum(split)]
        if shares[-1] > 1 + 1e-9:
            raise RecipeError(
                f"data.split: expected fractions that sum to at most 1, got {list(split)}"
            )
        edges = [0, *(math.floor(share * count + 1e-9) for share in shares)]
    names = _NAMES[len(split)]
    parts = {name: slice(edges[i], edges[i + 1]) for i, name in enumerate(names)}
    for name, part in parts.items():
        if part.start == part.stop:
            raise DataError(f"{what}: data.split {list(split)} of {count} leaves none for {name}")
    return parts


def hashed(keys: Sequence[str], shares: Sequence[int], what: str) -> dict[str, np.ndarray]:
    """The rows of each part by the MD5 of their keys, read as one large number.

    The number modulo the sum of the shares is a bucket. The test takes the first buckets,
    validation the next, training the rest: with [8, 1, 1] bucket 0 is the test, 1 validation. Equal
    keys fall into one part, and a row keeps its part when others are added.

    Args:
        keys: What tells the rows apart, as text.
        shares: Whole numbers for [train, test] or [train, valid, test].
        what: What is split, for messages: "names.tsv: texts".

    Raises:
        DataError: If no row falls into a part.

    Example:
        >>> hashed(["a", "b", "e"], [1, 1], "x.csv: texts")
        {'train': array([0, 1]), 'test': array([2])}
    """
    # A split needs no secrecy: MD5 is as good as any, and at hand in every language.
    numbers = [
        int(hashlib.md5(key.encode(), usedforsecurity=False).hexdigest(), 16) % sum(shares)
        for key in keys
    ]
    names = _NAMES[len(shares)]
    edges = [0, *(int(edge) for edge in np.cumsum(shares[::-1]))]
    parts = {}
    for place, name in enumerate(reversed(names)):
        chosen = [edges[place] <= number < edges[place + 1] for number in numbers]
        parts[name] = np.flatnonzero(chosen)
        if not len(parts[name]):
            raise DataError(
                f"{what}: data.split.shares {list(shares)} of {len(keys)} leaves none for {name}"
            )
    return {name: parts[name] for name in names}


def finish(
    parts: dict[str, Part],
    *,
    split: Sequence[float] | HashSplit | None,
    shuffle: int | None,
    columns: tuple[str, ...],
    files: dict[str, str],
    what: str,
    keys: Sequence[str] = (),
) -> Dataset:
    """A data set of sequences or texts from the parts that were read.

    Args:
        parts: One part under `path`, to be split, or parts under `train`, `valid` and `test`.
        split: See `slices` and `hashed`.
        shuffle: The seed of a shuffle before splitting, or None to keep the order.
        columns: The names of the features.
        files: The digests of the files.
        what: What is split, for messages.
        keys: What a split by hash is made on, by row.
    """
    if isinstance(split, dict):
        found = hashed(keys, split.get("shares", _TENTHS), what)
        parts = {name: take(parts["path"], rows) for name, rows in found.items()}
    elif "path" in parts:
        whole = parts["path"]
        count = len(whole.X)
        order = np.arange(count)
        if shuffle is not None:
            order = np.random.default_rng(shuffle).permutation(count)
        parts = {
            name: take(whole, order[where]) for name, where in slices(count, split, what).items()
        }
    parts = _same_form(parts)
    return Dataset(
        train=parts["train"],
        valid=parts.get("valid"),
        test=parts.get("test"),
        columns=columns,
        files=files,
    )


def take(part: Part, rows: np.ndarray) -> Part:
    """Some items of a part, in the order of `rows`."""

    def pick(values: Any) -> Any:
        if values is None or isinstance(values, np.ndarray):
            return None if values is None else values[rows]
        return [values[row] for row in rows]

    return Part(X=pick(part.X), y=pick(part.y), ids=pick(part.ids))


def _same_form(parts: dict[str, Part]) -> dict[str, Part]:
    """Arrays where all sequences of all parts have one length, else lists; text stays a list.

    A model is built for one form: parts that differed in it could not be scored.
    """
    if any(
        isinstance(part.X, list) and isinstance(part.X[0], (str, list)) for part in parts.values()
    ):
        return parts
    first: list[Any] = [next(iter(part.X)) for part in parts.values()]
    if any(np.ndim(one) > 2 for one in first):
        return parts  # clips, which may be large and need no common form
    lengths = {len(sequence) for part in parts.values() for sequence in part.X}
    if len(lengths) == 1:
        return {
            name: part if isinstance(part.X, np.ndarray) else replace(part, X=np.stack(part.X))  # type: ignore[arg-type]
            for name, part in parts.items()
        }
    return {name: replace(part, X=list(part.X)) for name, part in parts.items()}
