"""How much each sequence, or each of its steps, counts in the loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field
from sklearn.utils.class_weight import compute_class_weight

from kseq.errors import DataError, RecipeError, shown
from kseq.registry import suggest

ClassWeight = Literal["balanced"] | Mapping[Any, Annotated[float, Field(ge=0)]] | None


@dataclass(frozen=True)
class Weights:
    """Checked weights.

    Args:
        values: One a sequence, `(n,)`, or a list of `(time,)`, one a step.
    """

    values: np.ndarray | list[np.ndarray]

    def __len__(self) -> int:
        return len(self.values)

    def per_step(self, lengths: np.ndarray) -> list[np.ndarray]:
        """A weight for each step; that of its sequence where steps have none of their own."""
        if isinstance(self.values, list):
            return self.values
        return [np.full(n, w) for n, w in zip(lengths, self.values, strict=True)]

    def take(self, rows: np.ndarray) -> Weights:
        """The weights at `rows`."""
        if isinstance(self.values, list):
            return Weights([self.values[row] for row in rows])
        return Weights(self.values[rows])

    def counted(self) -> np.ndarray:
        """The rows with a weight above 0: what has none is as good as absent."""
        if isinstance(self.values, list):
            return np.flatnonzero([bool(each.any()) for each in self.values])
        return np.flatnonzero(self.values)

    def times(self, other: np.ndarray) -> Weights:
        """Each weight times another one of the same sequence, `(n,)`."""
        if isinstance(self.values, list):
            return Weights([a * b for a, b in zip(self.values, other, strict=True)])
        return Weights(self.values * other)

    def scaled(self) -> np.ndarray | list[np.ndarray] | None:
        """The weights with a mean of 1; None where all are equal, and so weigh nothing.

        Then a loss, and what a learning rate does, are of the size that they have without weights.
        """
        flat = np.concatenate(self.values) if isinstance(self.values, list) else self.values
        if (flat == flat[0]).all():
            return None
        mean = flat.mean()
        if isinstance(self.values, list):
            return [each / mean for each in self.values]
        return self.values / mean


def read_weights(
    given: Any, lengths: np.ndarray, *, per_step: bool, name: str = "sample_weight"
) -> Weights:
    """Checks the weights that a user gives; None stands for ones.

    Args:
        given: A number; one number for each sequence, `(n,)`; or, where steps have targets, one for
            each step: `(n, time)`, or a list of `(time,)`.
        lengths: Steps of each sequence, `(n,)`.
        per_step: Whether steps have targets.
        name: What to call the weights in messages.

    Raises:
        DataError: If they are not finite and at least 0, are all 0, or do not fit the sequences.
    """
    count = len(lengths)
    if given is None:
        return Weights(np.ones(count))
    if isinstance(given, (str, bytes, Mapping)):
        raise DataError(f"{name}: expected numbers, got {type(given).__name__}")
    if not hasattr(given, "__len__") or getattr(given, "ndim", 1) == 0:
        given = np.full(count, given)
    values: np.ndarray | list[np.ndarray]
    steps = per_step and len(given) > 0 and np.asarray(_first(given)).ndim > 0
    if steps:
        values = [_numbers(each, f"{name}[{row}]") for row, each in enumerate(given)]
        sizes = [each.shape for each in values]
    else:
        values = _numbers(given, name)
        if values.ndim != 1:
            hint = "" if per_step else "; weights of steps are for targets of steps"
            raise DataError(
                f"{name}: Sample weights must be 1D array or scalar, got shape {values.shape}{hint}"
            )
        sizes = []
    if len(values) != count:
        raise DataError(f"{name}: has {len(values)} weights for {count} sequences")
    for row, (size, length) in enumerate(zip(sizes, lengths.tolist(), strict=False)):
        if size != (length,):
            raise DataError(f"{name}[{row}]: expected {length} weights, one a step, got {size}")
    weights = Weights(values)
    if not len(weights.counted()):
        raise DataError(f"{name}: all weights are zero")
    return weights


def class_weights(
    wish: ClassWeight, classes: np.ndarray, labels: np.ndarray, path: str = "task.class_weight"
) -> np.ndarray | None:
    """The weight of each class, `(classes,)`; None where nothing is wished for.

    Args:
        wish: `balanced`, for weights inverse to how often a class occurs; or weights by class,
            where one that is not named has 1.
        classes: The classes.
        labels: Those that occur, any number of times.
        path: Where the wish stands, for messages.

    Raises:
        RecipeError: If a class is unknown, or one is to be counted that does not occur.
    """
    if wish is None:
        return None
    if isinstance(wish, str):
        absent = sorted(set(classes.tolist()) - set(labels.tolist()), key=str)
        if absent:
            raise RecipeError(
                f"{path}: {wish!r} counts the classes of the data, which have none of "
                f"{absent[0]!r}; give weights by class"
            )
        return np.asarray(compute_class_weight(wish, classes=classes, y=labels))
    names = [str(each) for each in classes.tolist()]
    for key in wish:
        if str(key) not in names:
            raise RecipeError(
                f"{path}: {shown(key)} is no class of the data{suggest(str(key), names)}; "
                f"the classes are {', '.join(names[:20])}{', ...' if len(names) > 20 else ''}"
            )
    given = {str(key): float(value) for key, value in wish.items()}
    return np.array([given.get(name, 1.0) for name in names])


def _first(given: Any) -> Any:
    return given.iloc[0] if hasattr(given, "iloc") else given[0]


def _numbers(given: Any, name: str) -> np.ndarray:
    try:
        values = np.asarray(given)
        if values.dtype.kind not in "biuf":
            values = values.astype(np.float64)
        values = values.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name}: not all weights are numbers: {error}") from None
    wrong = ~(np.isfinite(values) & (values >= 0))
    if wrong.any():
        place = tuple(int(i) for i in np.argwhere(wrong)[0])
        where = ", ".join(map(str, place))
        raise DataError(
            f"{name}[{where}]: expected a finite number of at least 0, got {values[place]:g}"
        )
    return values
