"""The columns of a series by what they are for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kseq.data.series import Column, Series, as_series
from kseq.errors import DataError


@dataclass(frozen=True)
class Columns:
    """Which columns are forecast, and which help.

    Args:
        targets: What is forecast.
        inputs: The columns of a window: targets, past covariates, future covariates.
        future: The covariates that are known over the horizon; the last of the inputs.
        gaps: Whether missing values are accepted.
    """

    targets: list[Column]
    inputs: list[Column]
    future: list[Column]
    gaps: bool

    @classmethod
    def of(cls, task: Mapping[str, Any], columns: Sequence[Column]) -> Columns:
        """The roles that a filled `task` section gives to the columns of a series.

        Raises:
            DataError: If no column is left to forecast, or one is named twice.
        """
        past = list(task["past_covariates"] or [])
        future = list(task["future_covariates"] or [])
        target = task["target"]
        if target is None:
            targets = [c for c in columns if c not in past and c not in future]
        else:
            targets = list(target) if isinstance(target, list) else [target]
        if not targets:
            raise DataError("task.target: no column is left to forecast")
        inputs = targets + past + future
        for name in inputs:
            if inputs.count(name) > 1:
                raise DataError(f"task: the column {name!r} is named twice")
        return cls(targets, inputs, future, gaps=task["missing"] == "forward")

    def values(self, series: Series, name: str) -> np.ndarray:
        """The inputs of a series, `(time, inputs)`.

        Raises:
            DataError: If a column is not there, or a value is missing that must not be.
        """
        # A lone column without a name is whatever lone column the model knows.
        lone = len(self.inputs) == len(series.columns) == 1
        if lone and 0 in (series.columns[0], self.inputs[0]):
            return self._complete(series.values, name)
        return self._complete(series.select(self.inputs, name), name)

    def followed(self, rows: list[np.ndarray], later: Any, horizon: int) -> list[np.ndarray]:
        """Each series followed by the rows after it, at least a horizon of one of them."""
        name = "validation_data"
        more = [self.values(one, name) for one in as_series(later, name)[0]]
        if len(more) != len(rows):
            raise DataError(f"{name}: has {len(more)} series, but {len(rows)} were given")
        longest = max(len(row) for row in more)
        if longest < horizon:
            raise DataError(f"{name}: has {longest} rows, but task.horizon is {horizon}")
        return [np.concatenate(pair) for pair in zip(rows, more, strict=True)]

    def known(self, future: Any, count: int, horizon: int) -> np.ndarray | None:
        """The future covariates of `count` series, `(count, horizon, future)`, if there are any.

        Raises:
            DataError: If they are missing, not asked for, or of another shape.
        """
        if not self.future:
            if future is not None:
                raise DataError("future: the forecaster was fitted without future covariates")
            return None
        if future is None:
            raise DataError(f"future: the next {horizon} rows of {self.future} are needed")
        given, _ = as_series(future, "future")
        named = isinstance(given[0].columns[0], str)
        values = [one.select(self.future, "future") if named else one.values for one in given]
        if len(values) != count or any(v.shape != (horizon, len(self.future)) for v in values):
            raise DataError(
                f"future: expected {count} x {(horizon, len(self.future))}, "
                f"got {[v.shape for v in values]}"
            )
        return np.stack([self._complete(v, "future") for v in values])

    def _complete(self, values: np.ndarray, name: str) -> np.ndarray:
        """`values`, whose columns are the last of the inputs; raises if a gap is not allowed."""
        if not self.gaps and np.isnan(values).any():
            row, column = np.argwhere(np.isnan(values))[0]
            columns = self.inputs[-values.shape[1] :]
            raise DataError(
                f"{name}: a value is missing in row {row}, column {columns[column]!r}; "
                "fill it, or set task.missing to 'forward'"
            )
        return values
