"""Problems that are solved by remembering: made, so that how far back is known."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from kseq.data.dataset import Dataset, Part
from kseq.registry import readers

Sequences = Annotated[int, Field(gt=0, le=1_000_000)]
Steps = Annotated[int, Field(ge=2, le=100_000)]


@readers.register("memory")
def memory(
    *,
    problem: Literal["adding", "copy"] = "adding",
    steps: Steps = 100,
    train: Sequences = 10_000,
    valid: Sequences = 1000,
    test: Sequences = 2000,
    symbols: Annotated[int, Field(ge=2, le=256)] = 8,
    seed: Annotated[int, Field(ge=0)] = 0,
) -> Dataset:
    """Makes sequences whose target was seen many steps before the end.

    Args:
        problem: `adding`, for regression: each step has a number from 0 to 1 and a mark, which is 1
            at one step of the first half and one of the second, and the target is the sum of the
            two marked numbers; always saying 1 has a mean squared error of 1/6. `copy`, for
            classification: the first step has one of some symbols, all others are blank, and the
            target is that symbol, `steps - 1` steps later.
        steps: Of each sequence.
        train: Sequences to learn from.
        valid: Sequences of the validation.
        test: Sequences of the test.
        symbols: Of `copy`, how many there are; guessing is right once in so many times.
        seed: Of the sequences.

    Example:
        >>> data = memory(problem="adding", steps=50, train=100, valid=10, test=10)
        >>> data.train.X.shape, data.test.y.shape
        ((100, 50, 2), (10,))

    Reference:
        Hochreiter and Schmidhuber (1997), Long short-term memory, experiments 2 and 4; the marks
        stand as in Le et al. (2015), A simple way to initialize recurrent networks of rectified
        linear units.
    """
    parts = []
    for number, count in enumerate((train, valid, test)):
        rng = np.random.default_rng([seed, number])
        if problem == "adding":
            parts.append(_adding(rng, count, steps))
        else:
            parts.append(_copy(rng, count, steps, symbols))
    columns = ("value", "mark") if problem == "adding" else _names(symbols)
    return Dataset(train=parts[0], valid=parts[1], test=parts[2], columns=columns)


def _adding(rng: np.random.Generator, count: int, steps: int) -> Part:
    rows, half = np.arange(count), steps // 2
    X = np.zeros((count, steps, 2))
    X[:, :, 0] = rng.uniform(size=(count, steps))
    X[rows, rng.integers(0, half, count), 1] = 1.0
    X[rows, rng.integers(half, steps, count), 1] = 1.0
    return Part(X=X, y=(X[:, :, 0] * X[:, :, 1]).sum(axis=1))


def _copy(rng: np.random.Generator, count: int, steps: int, symbols: int) -> Part:
    names = np.array(_names(symbols)[:-1])
    shown = rng.integers(0, symbols, count)
    X = np.zeros((count, steps, symbols + 1))
    X[:, 1:, -1] = 1.0
    X[np.arange(count), 0, shown] = 1.0
    return Part(X=X, y=names[shown])


def _names(symbols: int) -> tuple[str, ...]:
    """The columns: a name for each symbol, and the blank."""
    width = len(str(symbols))
    return (*(f"s{number:0{width}d}" for number in range(1, symbols + 1)), "blank")
