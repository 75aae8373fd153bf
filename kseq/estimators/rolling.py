"""Forecasts from many origins, and their scores."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from kseq.data.series import Column, Series, as_series
from kseq.data.windows import Origin, naive, origins
from kseq.errors import DataError
from kseq.estimators.columns import Columns
from kseq.estimators.intervals import IntervalEstimator
from kseq.inference import Forward
from kseq.metrics.evaluation import Evaluation
from kseq.metrics.forecasting import evaluate_forecast
from kseq.metrics.intervals import with_interval

_CHUNK = 256  # windows that are forecast together


class RollingForecaster(IntervalEstimator):
    """The scoring half of a forecaster: it forecasts from every origin of held-out rows."""

    answer = "forecast"
    columns_: Columns
    scale_: np.ndarray
    deviation_: np.ndarray

    def evaluate(self, X: Any, y: None = None, *, history: Any = None) -> Evaluation:
        """Scores the forecasts from every origin in held-out rows, beside naive forecasts.

        Args:
            X: The held-out rows, one series or many.
            y: Ignored.
            history: The rows just before them, for windows to look back into. Without it the
                first origin stands `window` rows after the start of X.

        Returns:
            An evaluation whose `truth` and `predicted` are `(windows, horizon, targets)`; where
            there are bounds for the level `interval`, `lower` and `upper` too, and
            `notes["interval"]` says what they hold and how wide they are.
        """
        check_is_fitted(self)
        task = self.recipe_.task
        window, horizon = task["window"], task["horizon"]
        given, _ = as_series(X, "X")
        rows = [self.columns_.values(one, f"X[{i}]") for i, one in enumerate(given)]
        starts = [0] * len(rows)
        if history is not None:
            before = [
                self.columns_.values(one, "history") for one in as_series(history, "history")[0]
            ]
            if len(before) != len(rows):
                raise DataError(f"history: has {len(before)} series, but X has {len(rows)}")
            starts = [len(b) for b in before]
            rows = [np.concatenate(pair) for pair in zip(before, rows, strict=True)]
        points = [
            (row, origin)
            for row, start in zip(rows, starts, strict=True)
            for origin in origins(len(row), window, horizon, start=start)
        ]
        if not points:
            raise DataError(
                f"X: is too short to score: task.window {window} and task.horizon {horizon} "
                f"need {window + horizon} rows with the history"
            )
        return self._compare(*self._forecast(points))

    def backtest(self, series: Any, folds: int = 5, *, refit: bool = True) -> Evaluation:
        """Rolls the origin over the last `folds` horizons of a series, each forecast once.

        Args:
            series: One series or many; with future covariates where the forecaster has them.
            folds: Number of origins, a horizon apart, the last one a horizon before the end.
            refit: Whether a new forecaster is fitted before every origin to what lies before it.
                False takes this fitted one, which is honest only for rows it has not seen.

        Returns:
            An evaluation with one window for each fold and series, in order of the origins.
        """
        if isinstance(folds, bool) or not isinstance(folds, (int, np.integer)) or folds < 1:
            raise DataError(f"folds: expected a positive integer, got {folds!r}")
        if not refit:
            check_is_fitted(self)
        task = (self.recipe().fill() if refit else self.recipe_).task
        window, horizon = task["window"], task["horizon"]
        given, _ = as_series(series)
        shortest = min(len(one) for one in given)
        if shortest - folds * horizon < window + (horizon if refit else 0):
            raise DataError(
                f"series: {shortest} rows are too few for {folds} folds of {horizon} steps "
                f"after a window of {window}"
            )
        parts = []
        for fold in range(folds, 0, -1):
            cut = [len(one) - fold * horizon for one in given]
            model = self
            if refit:
                model = clone(self).fit(
                    [_table(one, end) for one, end in zip(given, cut, strict=True)]
                )
            points = [
                (model.columns_.values(one, "series")[: end + horizon], end)
                for one, end in zip(given, cut, strict=True)
            ]
            parts.append(model._forecast(points))
        return model._compare(*(np.concatenate(part) for part in zip(*parts, strict=True)))

    def score(self, X: Any, y: None = None, *, history: Any = None) -> float:
        """The coefficient of determination R² of the forecasts from every origin in X."""
        return self.evaluate(X, history=history).metrics["r2"]

    def _set_quietest(self, spread: np.ndarray | None) -> None:
        super()._set_quietest(spread)
        self._bounded().get_layer("spread").set_floor(spread)

    def _asked(self) -> Forward:
        asked: Forward = self._models.parts
        return asked

    def _run(self, x: np.ndarray, future: np.ndarray | None) -> dict[str, np.ndarray]:
        """`forecast` `(n, horizon, targets)` and the `spread` of its window, `(n, 1, targets)`."""
        parts = []
        for start in range(0, len(x), _CHUNK):
            inputs = {"x": x[start : start + _CHUNK].astype(np.float32)}
            if future is not None:
                inputs["future"] = future[start : start + _CHUNK].astype(np.float32)
            parts.append(self._asked()(inputs))
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _forecast(self, points: list[Origin]) -> list[np.ndarray]:
        """Truth, forecasts, naive forecasts, and of bounds their margin and the level needed.

        Each is `(windows, horizon, targets)`.
        """
        task, f = self.recipe_.task, len(self.columns_.future)
        window, horizon, k = task["window"], task["horizon"], len(self.columns_.targets)
        parts = []
        for start in range(0, len(points), _CHUNK):
            some = points[start : start + _CHUNK]
            x = np.stack([row[o - window : o] for row, o in some])
            known = np.stack([row[o : o + horizon, -f:] for row, o in some]) if f else None
            parts.append(self._run(x, known))
        own = [(row[:, :k], o) for row, o in points]
        truth = np.stack([row[o : o + horizon] for row, o in own])
        forecast, spread = (
            np.concatenate([part[name] for part in parts]) for name in ("forecast", "spread")
        )
        return [
            truth,
            forecast,
            naive(own, horizon, season=1),
            naive(own, horizon, season=task["season"] or 1),
            *self._margin(truth, forecast, spread),
        ]

    def _compare(
        self,
        truth: np.ndarray,
        forecast: np.ndarray,
        last: np.ndarray,
        seasonal: np.ndarray,
        margin: np.ndarray,
        needed: np.ndarray,
    ) -> Evaluation:
        season = self.recipe_.task["season"]
        baselines = {"last value": last}
        if season:
            baselines[f"value {season} steps before"] = seasonal
        found = evaluate_forecast(
            truth,
            forecast,
            baselines,
            scale=self.scale_,
            deviation=self.deviation_,
            targets=[str(name) for name in self.columns_.targets],
        )
        return with_interval(found, self.recipe_.task["interval"], margin, needed)


def _table(series: Series, end: int) -> dict[Column, np.ndarray]:
    """The first `end` rows of a series under their names."""
    return {name: series.values[:end, i] for i, name in enumerate(series.columns)}
