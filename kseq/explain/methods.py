"""The two methods of attribution: integrated gradients and occlusion."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from kseq.data.texts import Texts
from kseq.explain.gradients import Differentiable
from kseq.explain.outputs import Asked
from kseq.explain.subjects import Row, most_steps, together
from kseq.metrics.evaluation import counted

_GAP, _LEAST = 0.01, 1e-3  # of the change, and of the output's unit
_FIRST = 32  # points between baseline and input, doubled until the gap is closed
_OCCLUSIONS = 512  # of numbers, at most, by default
_PATCHES = 4  # along a side of a frame, by default


@dataclass(frozen=True)
class Subject:
    """A sequence and the function that is explained.

    Args:
        function: From what the network is shown to its scores.
        row: The sequence.
        baseline: What stands for nothing, of the shape of the row's `x`.
        item: The sequence as it was given; None for text.
        texts: The sequence, if it is text.
        features: The names of its features.
    """

    function: Differentiable
    row: Row
    baseline: np.ndarray
    item: np.ndarray | None
    texts: Texts | None
    features: list[str]


def integrated(
    subject: Subject, what: Asked, change: float, limit: int
) -> tuple[np.ndarray, int, float]:
    """Integrated gradients, how many points they took, and the gap that is left.

    Args:
        subject: What is explained.
        what: Which output.
        change: By how much the output differs from that of the baseline.
        limit: The most points.
    """
    x, base = subject.row.x.astype(np.float64), subject.baseline.astype(np.float64)
    points = min(_FIRST, limit)
    while True:
        nodes, shares = np.polynomial.legendre.leggauss(points)
        total = np.zeros_like(x)
        for place in range(0, points, _at_once(subject.row.x)):
            some = slice(place, place + _at_once(subject.row.x))
            at = (nodes[some] + 1) / 2
            line = base + at.reshape(-1, *[1] * x.ndim) * (x - base)
            rows = [replace(subject.row, x=each) for each in line]
            weights = np.broadcast_to(what.weights, (len(rows), *what.weights.shape))
            gradient = subject.function.gradient(together(rows), weights)
            total += np.tensordot(shares[some] / 2, gradient.astype(np.float64), axes=1)
        values = (x - base) * total
        gap = float(values.sum() - change)
        enough = abs(gap) <= max(_GAP * abs(change), _LEAST * what.unit)
        if enough or 2 * points > limit:
            break
        points *= 2
    if not enough:
        warnings.warn(
            f"integrated gradients: with {counted(points, 'point')} the values add up to "
            f"{values.sum():.4g}, but the output changes by {change:.4g}; raise limit, or take "
            "method occlusion",
            UserWarning,
            stacklevel=4,
        )
    return values, points, gap


def occlusion(
    subject: Subject, what: Asked, score: float, size: int | None
) -> tuple[np.ndarray, int]:
    """The fall of the output without each piece, shared by its steps, and how many pieces.

    Args:
        subject: What is explained.
        what: Which output.
        score: The output.
        size: What is hidden together; None for the default.
    """
    x = subject.row.x
    shape = (len(x), 1) if subject.texts is not None else x.shape
    values = np.zeros(shape)
    pieces = list(_pieces(shape, x, size, text=subject.texts is not None))
    for start in range(0, len(pieces), _at_once(x)):
        some = pieces[start : start + _at_once(x)]
        rows = []
        for piece in some:
            hidden = x.copy()
            at = piece[:1] if subject.texts is not None else piece
            hidden[at] = subject.baseline[at]
            rows.append(replace(subject.row, x=hidden))
        found = subject.function(together(rows)).astype(np.float64)
        outputs = (found * what.weights).reshape(len(rows), -1).sum(axis=1)
        for piece, value in zip(some, outputs, strict=True):
            values[piece] = (score - value) / values[piece].size
    return values, len(pieces)


def _pieces(
    shape: tuple[int, ...], x: np.ndarray, size: int | None, *, text: bool
) -> Iterator[tuple[slice, ...]]:
    """What is hidden together: tokens, steps of a column, or a patch of a frame."""
    if len(shape) == 2:
        steps = size or (1 if text else math.ceil(shape[0] * shape[1] / _OCCLUSIONS))
        lengths = [steps, 1]
    else:
        lengths = [1, *(size or max(1, math.ceil(side / _PATCHES)) for side in shape[1:-1])]
        lengths.append(shape[-1])
    cuts = [
        [slice(start, min(start + length, whole)) for start in range(0, whole, length)]
        for whole, length in zip(shape, lengths, strict=True)
    ]
    yield from itertools.product(*cuts)


def _at_once(x: np.ndarray) -> int:
    """How many variants of a sequence are worked on together."""
    return max(1, most_steps(x) // max(1, len(x)))
