"""Series to their continuation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import keras
import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from kseq.data.series import Column, Series, SeriesForm, as_series, fill_forward
from kseq.data.windows import Origin, WindowBatches, naive, origins
from kseq.errors import ArtefactError, DataError
from kseq.estimators.base import Batches, Estimator
from kseq.estimators.continuation import continuation
from kseq.estimators.forecast_network import assemble
from kseq.estimators.supervised import statistics
from kseq.losses import MaskedError
from kseq.metrics.evaluation import Evaluation
from kseq.metrics.forecasting import evaluate_forecast, naive_scale
from kseq.registry import tasks
from kseq.schema import Count
from kseq.spec import Spec

_CHUNK = 256  # windows that are forecast together


@tasks.register("forecasting")
class Forecaster(Estimator):
    """Forecasts all steps of the horizon at once from a window of the past.

    Scaling, gap filling and normalisation are part of the saved model and undone on output, so
    that it takes and gives values in their own units.

    Args:
        window: Steps of the past that the model sees.
        horizon: Steps ahead that it forecasts.
        target: The column or columns to forecast: names, or positions for arrays. All columns that
            are no covariates by default.
        past_covariates: Columns that help and are known up to now.
        future_covariates: Columns that help and are known over the horizon as well.
        normalize: What is subtracted from the targets of a window and added to its forecast: their
            `last` value, their `mean`, or `none`.
        channels: `joint`, one model sees all targets; or `independent`, one model is shared by all
            targets and sees each of them alone (beside the covariates).
        missing: What becomes of missing values. `forward`: a gap in the window takes the last
            value before it, or the first one after it where the window starts with the gap, or the
            training mean where it has no value at all; a missing target is left out of loss and
            scores. `error`: missing values are refused.
        season: Steps after which the series is expected to repeat itself, for the seasonal naive
            forecast that scores are compared with.
        standardize: Whether each column is scaled to mean 0 and deviation 1 over the training rows.
        model: The recipe's `model` section: a builder's name and parameters.
        training: The recipe's `training` section.
        random_state: Seed; the same seed on the same machine gives the same weights.

    Attributes:
        targets_: The columns that are forecast.
        inputs_: The columns of a window: targets, past and future covariates.
        history_: Losses by epoch, on the scale of the standardised targets.
        n_iter_: Epochs that were run.
        best_epoch_: The epoch whose weights were kept, counted from 1.

    Example:
        >>> import numpy as np
        >>> wave = np.sin(np.arange(200) * 2 * np.pi / 20)
        >>> forecaster = Forecaster(
        ...     window=20,
        ...     horizon=5,
        ...     model={"cell": "gru", "units": 16},
        ...     training={"epochs": 40, "learning_rate": 0.02},
        ...     random_state=0,
        ... )
        >>> forecaster.fit(wave).predict().shape
        (5,)
    """

    task: ClassVar[str] = "forecasting"

    def __init__(
        self,
        *,
        window: Count = 24,
        horizon: Count = 1,
        target: str | int | list[str | int] | None = None,
        past_covariates: list[str | int] | None = None,
        future_covariates: list[str | int] | None = None,
        normalize: Literal["last", "mean", "none"] = "last",
        channels: Literal["joint", "independent"] = "joint",
        missing: Literal["forward", "error"] = "forward",
        season: Count | None = None,
        standardize: bool = True,
        model: Mapping[str, Any] | None = None,
        training: Mapping[str, Any] | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.window = window
        self.horizon = horizon
        self.target = target
        self.past_covariates = past_covariates
        self.future_covariates = future_covariates
        self.normalize = normalize
        self.channels = channels
        self.missing = missing
        self.season = season
        self.standardize = standardize
        self.model = model
        self.training = training
        self.random_state = random_state

    def fit(
        self,
        series: Any,
        y: None = None,
        *,
        validation_data: Any = None,
        callbacks: Sequence[keras.callbacks.Callback] | None = None,
    ) -> Forecaster:
        """Fits the forecaster anew.

        Args:
            series: One series or a list of them: `(time,)` or `(time, columns)` arrays, pandas
                Series or DataFrames, or mappings of column names to arrays. NaN is missing.
            y: Ignored; the targets are columns of the series.
            validation_data: The rows that follow the series, in the same form; training stops by
                them. Without them `training.validation_fraction` of the rows at each series' end
                is held out.
            callbacks: Keras callbacks.

        Raises:
            RecipeError: If a parameter does not hold.
            DataError: If the data does not, or is too short for a window and a horizon.
            TrainingError: If the loss stops being finite.
        """
        train, valid = self._prepare(series, y, validation_data)
        self._fit(train, valid, loss=MaskedError(self._training().loss), callbacks=callbacks)
        return self

    def _prepare(self, X: Any, y: Any, validation_data: Any) -> Batches:
        recipe = self.recipe().fill()
        task = recipe.task
        window, horizon = task["window"], task["horizon"]
        given, form = as_series(X)
        self._set_columns(task, given[0].columns)
        names = [f"series[{i}]" if form.many else "series" for i in range(len(given))]
        rows = [self._values(one, name) for one, name in zip(given, names, strict=True)]
        if validation_data is None:
            fraction = recipe.training["validation_fraction"]
            ends = [len(r) - _held_out(len(r), fraction, window, horizon) for r in rows]
        else:
            ends = [len(r) for r in rows]
            rows = self._continue(rows, validation_data, horizon)
        trained = [r[:end] for r, end in zip(rows, ends, strict=True)]
        if max(ends) < window + horizon:
            raise DataError(
                f"series: {max(ends)} rows to train on, but task.window {window} and "
                f"task.horizon {horizon} need at least {window + horizon}"
            )
        for row, name in zip(rows, names, strict=True):
            if len(row) < window:  # nothing could continue it
                raise DataError(f"{name}: has {len(row)} rows, but task.window is {window}")
        k = len(self.targets_)
        mean, deviation = statistics(np.concatenate(trained))
        if not np.isfinite(np.concatenate(trained)[:, :k]).any(axis=0).all():
            raise DataError("series: a target has no value in the training rows")
        self.scale_ = naive_scale([r[:, :k] for r in trained], season=task["season"] or 1)
        self.deviation_ = deviation[:k]
        self._tails = [fill_forward(r[-window:], mean) for r in rows]
        self._form = SeriesForm(form.many, form.flat, "array")
        filled = np.concatenate([fill_forward(r, mean) for r in rows])

        spec = Spec(
            time=window,
            features=(1 if task["channels"] == "independent" else k) + len(self.inputs_) - k,
            outputs=1 if task["channels"] == "independent" else k,
            horizon=horizon,
            future=len(self.future_),
        )
        self._build(recipe, spec)
        self.servable_.get_layer("fill").set_fallback(mean)
        if self.future_:
            self.servable_.get_layer("fill_future").set_fallback(mean[-len(self.future_) :])
        if not task["standardize"]:
            mean, deviation = np.zeros_like(mean), np.ones_like(deviation)
        self._set_statistics(mean, deviation)

        training = self._training()
        targets = (np.concatenate(rows)[:, :k] - mean[:k]) / deviation[:k]
        future = filled[:, -len(self.future_) :] if self.future_ else None
        starts = np.cumsum([0, *(len(r) for r in rows[:-1])])
        first = [origins(end, window, horizon) for end in ends]
        later = [
            origins(len(r), window, horizon, start=end) for r, end in zip(rows, ends, strict=True)
        ]
        held = np.concatenate([s + o for s, o in zip(starts, later, strict=True)])
        if len(held) and not np.isfinite(targets[held[:, None] + np.arange(horizon)]).any():
            raise DataError("validation: no target has a value in the held-out rows")
        shape = {"window": window, "horizon": horizon, "batch_size": training.batch_size}
        train = WindowBatches(
            filled,
            targets,
            future,
            np.concatenate([s + o for s, o in zip(starts, first, strict=True)]),
            seed=recipe.seed,
            **shape,
        )
        valid = WindowBatches(filled, targets, future, held, **shape) if len(held) else None
        return train, valid

    def predict(self, history: Any = None, future: Any = None) -> Any:
        """Continues series.

        Args:
            history: Series to continue, at least `window` rows each; by default those of `fit`
                (followed by the validation rows).
            future: The future covariates over the horizon, `(horizon, columns)`, a table with
                their names, or a list of these for many series.

        Returns:
            `(horizon,)` for a flat series, else `(horizon, targets)`, with an axis more in front
            for many series. A pandas history is continued as pandas, a mapping as a mapping.

        Raises:
            DataError: If a history is too short or a column is missing.
        """
        check_is_fitted(self)
        window = self.recipe_.task["window"]
        if history is None:
            tails, form, given = self._tails, self._form, None
        else:
            given, form = as_series(history, "history")
            tails = []
            for i, one in enumerate(given):
                name = f"history[{i}]" if form.many else "history"
                values = self._values(one, name)
                if len(values) < window:
                    raise DataError(f"{name}: has {len(values)} rows, but task.window is {window}")
                tails.append(values[-window:])
        x = np.stack(tails)
        forecasts = self._run(x, self._known_future(future, len(tails)))
        return continuation(forecasts, form, given, self.targets_)

    def evaluate(self, X: Any, y: None = None, *, history: Any = None) -> Evaluation:
        """Scores the forecasts from every origin in held-out rows, beside naive forecasts.

        Args:
            X: The held-out rows, one series or many.
            y: Ignored.
            history: The rows just before them, for windows to look back into. Without it the
                first origin stands `window` rows after the start of X.

        Returns:
            An evaluation whose `truth` and `predicted` are `(windows, horizon, targets)`.
        """
        check_is_fitted(self)
        task = self.recipe_.task
        window, horizon = task["window"], task["horizon"]
        given, _ = as_series(X, "X")
        rows = [self._values(one, f"X[{i}]") for i, one in enumerate(given)]
        starts = [0] * len(rows)
        if history is not None:
            before = [self._values(one, "history") for one in as_series(history, "history")[0]]
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
                (model._values(one, "series")[: end + horizon], end)
                for one, end in zip(given, cut, strict=True)
            ]
            parts.append(model._forecast(points))
        return model._compare(*(np.concatenate(part) for part in zip(*parts, strict=True)))

    def score(self, X: Any, y: None = None, *, history: Any = None) -> float:
        """The coefficient of determination R² of the forecasts from every origin in X."""
        return self.evaluate(X, history=history).metrics["r2"]

    # --- columns and rows ---

    def _set_columns(self, task: Mapping[str, Any], columns: tuple[Column, ...]) -> None:
        past = list(task["past_covariates"] or [])
        future = list(task["future_covariates"] or [])
        target = task["target"]
        if target is None:
            targets = [c for c in columns if c not in past and c not in future]
        else:
            targets = list(target) if isinstance(target, list) else [target]
        if not targets:
            raise DataError("task.target: no column is left to forecast")
        everything = targets + past + future
        for name in everything:
            if everything.count(name) > 1:
                raise DataError(f"task: the column {name!r} is named twice")
        self.targets_, self.inputs_, self.future_ = targets, everything, future
        self._missing = task["missing"]

    def _values(self, series: Series, name: str) -> np.ndarray:
        # A lone column without a name is whatever lone column the model knows.
        lone = len(self.inputs_) == len(series.columns) == 1
        if lone and 0 in (series.columns[0], self.inputs_[0]):
            return self._complete(series.values, name)
        return self._complete(series.select(self.inputs_, name), name)

    def _complete(self, values: np.ndarray, name: str) -> np.ndarray:
        """`values`, whose columns are the last of the inputs; raises if a gap is not allowed."""
        if self._missing == "error" and np.isnan(values).any():
            row, column = np.argwhere(np.isnan(values))[0]
            columns = self.inputs_[-values.shape[1] :]
            raise DataError(
                f"{name}: a value is missing in row {row}, column {columns[column]!r}; "
                "fill it, or set task.missing to 'forward'"
            )
        return values

    def _continue(self, rows: list[np.ndarray], later: Any, horizon: int) -> list[np.ndarray]:
        name = "validation_data"
        more = [self._values(one, name) for one in as_series(later, name)[0]]
        if len(more) != len(rows):
            raise DataError(f"{name}: has {len(more)} series, but {len(rows)} were given")
        longest = max(len(row) for row in more)
        if longest < horizon:
            raise DataError(f"{name}: has {longest} rows, but task.horizon is {horizon}")
        return [np.concatenate(pair) for pair in zip(rows, more, strict=True)]

    def _known_future(self, future: Any, count: int) -> np.ndarray | None:
        horizon = self.recipe_.task["horizon"]
        if not self.future_:
            if future is not None:
                raise DataError("future: the forecaster was fitted without future covariates")
            return None
        if future is None:
            raise DataError(f"future: the next {horizon} rows of {self.future_} are needed")
        given, _ = as_series(future, "future")
        named = isinstance(given[0].columns[0], str)
        values = [one.select(self.future_, "future") if named else one.values for one in given]
        if len(values) != count or any(v.shape != (horizon, len(self.future_)) for v in values):
            raise DataError(
                f"future: expected {count} x {(horizon, len(self.future_))}, "
                f"got {[v.shape for v in values]}"
            )
        return np.stack([self._complete(v, "future") for v in values])

    # --- forecasts and scores ---

    def _run(self, x: np.ndarray, future: np.ndarray | None) -> np.ndarray:
        parts = []
        for start in range(0, len(x), _CHUNK):
            inputs = {"x": x[start : start + _CHUNK].astype(np.float32)}
            if future is not None:
                inputs["future"] = future[start : start + _CHUNK].astype(np.float32)
            parts.append(self._forward(inputs)["forecast"])
        return np.concatenate(parts)

    def _forecast(self, points: list[Origin]) -> list[np.ndarray]:
        """Truth, forecasts and naive forecasts at the origins, `(windows, horizon, targets)`."""
        task, f = self.recipe_.task, len(self.future_)
        window, horizon, k = task["window"], task["horizon"], len(self.targets_)
        parts = []
        for start in range(0, len(points), _CHUNK):
            some = points[start : start + _CHUNK]
            x = np.stack([row[o - window : o] for row, o in some])
            known = np.stack([row[o : o + horizon, -f:] for row, o in some]) if f else None
            parts.append(self._run(x, known))
        own = [(row[:, :k], o) for row, o in points]
        return [
            np.stack([row[o : o + horizon] for row, o in own]),
            np.concatenate(parts),
            naive(own, horizon, season=1),
            naive(own, horizon, season=task["season"] or 1),
        ]

    def _compare(
        self, truth: np.ndarray, forecast: np.ndarray, last: np.ndarray, seasonal: np.ndarray
    ) -> Evaluation:
        season = self.recipe_.task["season"]
        baselines = {"last value": last}
        if season:
            baselines[f"value {season} steps before"] = seasonal
        return evaluate_forecast(
            truth,
            forecast,
            baselines,
            scale=self.scale_,
            deviation=self.deviation_,
            targets=[str(name) for name in self.targets_],
        )

    # --- models and persistence ---

    def _assemble(self, network: keras.Model) -> tuple[keras.Model, keras.Model]:
        return assemble(network, self.spec_, self.recipe_.task, len(self.inputs_))

    def _set_statistics(self, mean: np.ndarray, deviation: np.ndarray) -> None:
        k, f = len(self.targets_), len(self.future_)
        layer = self.servable_.get_layer
        layer("standardize").set_statistics(mean, deviation)
        layer("forecast").set_statistics(mean[:k], deviation[:k])
        if f:
            layer("standardize_future").set_statistics(mean[-f:], deviation[-f:])

    def _examples(self) -> list[dict[str, np.ndarray]]:
        spec = self.spec_
        layer = self.servable_.get_layer("standardize")
        mean, scale = (keras.ops.convert_to_numpy(w) for w in (layer.mean, layer.scale))
        rng = np.random.default_rng(0)
        rows = mean + scale * rng.normal(size=(7, (spec.time or 0) + 3, len(self.inputs_)))
        rows = rows.astype(np.float32)
        examples = [{"x": rows[:, 3:]}, {"x": rows[:1, 3:]}, {"x": rows}]
        if self._missing == "forward":
            gaps = rows[:, 3:].copy()
            gaps[rng.random(gaps.shape) < 0.2] = np.nan
            examples.append({"x": gaps})
        if spec.future:
            known = mean[-spec.future :] + rng.normal(size=(7, spec.horizon or 0, spec.future))
            for example in examples:
                example["future"] = known[: len(example["x"])].astype(np.float32)
        return examples

    def _minimum_steps(self) -> int:
        return int(self.recipe_.task["window"])

    def _preprocessing(self) -> dict[str, Any]:
        return {
            **super()._preprocessing(),
            "targets": self.targets_,
            "inputs": self.inputs_,
            "future": self.future_,
            "many": self._form.many,
            "flat": self._form.flat,
            "naive_scale": [None if np.isnan(v) else float(v) for v in self.scale_],
            "deviation": self.deviation_.tolist(),
        }

    def _arrays(self) -> dict[str, np.ndarray]:
        # The last window of each training series: `predict()` goes on from there.
        return {"_tails": np.stack(self._tails)}

    def _restore_task(
        self, preprocessing: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
    ) -> None:
        try:
            self.targets_ = list(preprocessing["targets"])
            self.inputs_ = list(preprocessing["inputs"])
            self.future_ = list(preprocessing["future"])
            self.scale_ = np.array(preprocessing["naive_scale"], dtype=np.float64)
            self.deviation_ = np.array(preprocessing["deviation"], dtype=np.float64)
            self._form = SeriesForm(
                bool(preprocessing["many"]), bool(preprocessing["flat"]), "array"
            )
            self._tails = list(arrays["_tails"])
            self._missing = self.missing
        except (KeyError, TypeError, ValueError) as error:
            raise ArtefactError(f"preprocessing.json: {error}") from None


def _held_out(rows: int, fraction: float, window: int, horizon: int) -> int:
    """Rows held out at the end of a series: at least one horizon, unless the series is short."""
    count = round(fraction * rows)
    if fraction == 0 or rows - max(count, horizon) < window + horizon:
        return 0
    return max(count, horizon)


def _table(series: Series, end: int) -> dict[Column, np.ndarray]:
    """The first `end` rows of a series under their names."""
    return {name: series.values[:end, i] for i, name in enumerate(series.columns)}
