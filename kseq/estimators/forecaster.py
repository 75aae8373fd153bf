"""Series to their continuation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import keras
import numpy as np
from sklearn.utils.validation import check_is_fitted

from kseq.data.series import Column, SeriesForm, as_series, fill_forward
from kseq.data.windows import WindowBatches, origins, rows_held_out
from kseq.errors import ArtefactError, DataError
from kseq.estimators.base import Batches
from kseq.estimators.columns import Columns
from kseq.estimators.conformal import Interval, around
from kseq.estimators.continuation import continuation
from kseq.estimators.forecast_network import assemble
from kseq.estimators.models import Models
from kseq.estimators.rolling import RollingForecaster
from kseq.estimators.supervised import statistics
from kseq.estimators.validation import set_apart
from kseq.losses import MaskedError
from kseq.metrics.forecasting import naive_scale
from kseq.registry import tasks
from kseq.schema import Count, Level
from kseq.spec import Spec


@tasks.register("forecasting")
class Forecaster(RollingForecaster):
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
        interval: The share of what comes that the bounds of the saved model are to hold; None
            leaves them out. `predict` gives bounds of any level.
        model: The recipe's `model` section: a builder's name and parameters.
        training: The recipe's `training` section.
        warm_start: Whether `fit` goes on from the weights of the last fit. There are intervals then
            only with `validation_data`: what is held out of series may have been learned before.
        random_state: Seed; the same seed on the same machine gives the same weights.

    Attributes:
        columns_: The columns by what they are for: targets, inputs, future covariates.
        targets_: The columns that are forecast.
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
        interval: Level | None = 0.9,
        model: Mapping[str, Any] | None = None,
        training: Mapping[str, Any] | None = None,
        warm_start: bool = False,
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
        self.interval = interval
        self.model = model
        self.training = training
        self.warm_start = warm_start
        self.random_state = random_state

    @property
    def targets_(self) -> list[Column]:
        """The columns that are forecast."""
        return self.columns_.targets

    def fit(
        self,
        series: Any,
        y: None = None,
        *,
        validation_data: Any = None,
        callbacks: Sequence[keras.callbacks.Callback] | None = None,
    ) -> Forecaster:
        """Fits the forecaster anew, or with `warm_start` from the weights that it has.

        Args:
            series: One series or a list of them: `(time,)` or `(time, columns)` arrays, pandas
                or polars tables, pandas Series, or mappings of columns to arrays. NaN is missing.
            y: Ignored; the targets are columns of the series.
            validation_data: The rows that follow the series, in the same form; training stops by
                them, and intervals are fitted to them. Without them
                `training.validation_fraction` of the rows at each series' end is held out.
            callbacks: Keras callbacks.

        Raises:
            RecipeError: If a parameter does not hold.
            DataError: If the data does not, or is too short for a window and a horizon.
            TrainingError: If the loss stops being finite.
        """
        onward = self._goes_on()
        train, valid = self._prepare(series, y, validation_data, onward=onward)
        loss = MaskedError(self._training().loss)
        apart = set_apart(valid, validation_data, onward, self.recipe_.task)
        self._fit(train, valid, apart=apart, loss=loss, callbacks=callbacks, onward=onward)
        return self

    def _prepare(self, X: Any, y: Any, validation_data: Any, *, onward: bool = False) -> Batches:
        recipe = self._onward() if onward else self.recipe().fill()
        task = recipe.task
        window, horizon = task["window"], task["horizon"]
        given, form = as_series(X)
        columns = Columns.of(task, given[0].columns)
        if onward and columns != self.columns_:
            raise DataError(
                f"series: has the columns {columns.inputs}, but the last fit had "
                f"{self.columns_.inputs}; fit with warm_start=False"
            )
        self.columns_ = columns
        names = [f"series[{i}]" if form.many else "series" for i in range(len(given))]
        rows = [columns.values(one, name) for one, name in zip(given, names, strict=True)]
        if validation_data is None:
            fraction = recipe.training["validation_fraction"]
            ends = [len(r) - rows_held_out(len(r), fraction, window, horizon) for r in rows]
        else:
            ends = [len(r) for r in rows]
            rows = columns.followed(rows, validation_data, horizon)
        trained = [r[:end] for r, end in zip(rows, ends, strict=True)]
        if max(ends) < window + horizon:
            raise DataError(
                f"series: {max(ends)} rows to train on, but task.window {window} and "
                f"task.horizon {horizon} need at least {window + horizon}"
            )
        for row, name in zip(rows, names, strict=True):
            if len(row) < window:  # nothing could continue it
                raise DataError(f"{name}: has {len(row)} rows, but task.window is {window}")
        k = len(columns.targets)
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
            features=(1 if task["channels"] == "independent" else k) + len(columns.inputs) - k,
            outputs=1 if task["channels"] == "independent" else k,
            horizon=horizon,
            future=len(columns.future),
        )
        if onward:  # the weights go with the scale that they were learned at
            layer = self._models.servable.get_layer("standardize")
            mean, deviation = (keras.ops.convert_to_numpy(w) for w in (layer.mean, layer.scale))
        else:
            self._build(recipe, spec)
            self._models.servable.get_layer("fill").set_fallback(mean)
            if columns.future:
                layer = self._models.servable.get_layer("fill_future")
                layer.set_fallback(mean[-len(columns.future) :])
            if not task["standardize"]:
                mean, deviation = np.zeros_like(mean), np.ones_like(deviation)
            self._set_statistics(mean, deviation)

        targets = (np.concatenate(rows)[:, :k] - mean[:k]) / deviation[:k]
        future = filled[:, -len(columns.future) :] if columns.future else None
        starts = np.cumsum([0, *(len(r) for r in rows[:-1])])
        first = [origins(end, window, horizon) for end in ends]
        later = [origins(len(r), window, horizon, start=e) for r, e in zip(rows, ends, strict=True)]
        held = np.concatenate([s + o for s, o in zip(starts, later, strict=True)])
        if len(held) and not np.isfinite(targets[held[:, None] + np.arange(horizon)]).any():
            raise DataError("validation: no target has a value in the held-out rows")
        shape = {"window": window, "horizon": horizon, "batch_size": self._training().batch_size}
        train = WindowBatches(
            filled,
            targets,
            future,
            np.concatenate([s + o for s, o in zip(starts, first, strict=True)]),
            seed=recipe.seed,
            epochs=self._epochs(onward),
            **shape,
        )
        valid = WindowBatches(filled, targets, future, held, **shape) if len(held) else None
        return train, valid

    def predict(
        self, history: Any = None, future: Any = None, *, interval: float | None = None
    ) -> Any:
        """Continues series.

        Args:
            history: Series to continue, at least `window` rows each; by default those of `fit`
                (followed by the validation rows).
            future: The future covariates over the horizon, `(horizon, columns)`, a table with
                their names, or a list of these for many series.
            interval: The share of what comes that bounds are to hold, between 0 and 1.

        Returns:
            `(horizon,)` for a flat series, else `(horizon, targets)`, with an axis more in front
            for many series. A pandas history is continued as pandas, a mapping or polars table as
            a mapping. With `interval` an `Interval` of three such: `prediction`, `lower`, `upper`.

        Raises:
            DataError: If a history is too short or a column is missing; or if too little was held
                out of the last training to tell bounds of that level by.
        """
        check_is_fitted(self)
        radius = None if interval is None else self._radius(interval)
        window = self.recipe_.task["window"]
        if history is None:
            tails, form, given = self._tails, self._form, None
        else:
            given, form = as_series(history, "history")
            tails = []
            for i, one in enumerate(given):
                name = f"history[{i}]" if form.many else "history"
                values = self.columns_.values(one, name)
                if len(values) < window:
                    raise DataError(f"{name}: has {len(values)} rows, but task.window is {window}")
                tails.append(values[-window:])
        x = np.stack(tails)
        known = self.columns_.known(future, len(tails), self.recipe_.task["horizon"])
        found = around(self._run(x, known), radius)
        answers = [continuation(each, form, given, self.targets_) for each in found]
        return answers[0] if radius is None else Interval(*answers)

    # --- models and persistence ---

    def _assemble(self, network: keras.Model) -> Models:
        return assemble(network, self.spec_, self.recipe_.task, len(self.columns_.inputs))

    def _architecture(self) -> dict[str, Any]:
        return {**super()._architecture(), "width": len(self.columns_.inputs)}

    def _set_statistics(self, mean: np.ndarray, deviation: np.ndarray) -> None:
        k, f = len(self.columns_.targets), len(self.columns_.future)
        layer = self._models.servable.get_layer
        layer("standardize").set_statistics(mean, deviation)
        layer("forecast").set_statistics(mean[:k], deviation[:k])
        if f:
            layer("standardize_future").set_statistics(mean[-f:], deviation[-f:])

    def _examples(self) -> list[dict[str, np.ndarray]]:
        spec = self.spec_
        layer = self._models.servable.get_layer("standardize")
        mean, scale = (keras.ops.convert_to_numpy(w) for w in (layer.mean, layer.scale))
        rng = np.random.default_rng(0)
        rows = mean + scale * rng.normal(size=(7, (spec.time or 0) + 3, len(self.columns_.inputs)))
        rows = rows.astype(np.float32)
        examples = [{"x": rows[:, 3:]}, {"x": rows[:1, 3:]}, {"x": rows}]
        if self.columns_.gaps:
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
            "targets": self.columns_.targets,
            "inputs": self.columns_.inputs,
            "future": self.columns_.future,
            "gaps": self.columns_.gaps,
            "many": self._form.many,
            "flat": self._form.flat,
            "naive_scale": [None if np.isnan(v) else float(v) for v in self.scale_],
            "deviation": self.deviation_.tolist(),
        }

    def _arrays(self) -> dict[str, np.ndarray]:
        # The last window of each training series: `predict()` goes on from there.
        return {**super()._arrays(), "_tails": np.stack(self._tails)}

    def _restore_task(
        self, preprocessing: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
    ) -> None:
        try:
            self.columns_ = Columns(
                targets=list(preprocessing["targets"]),
                inputs=list(preprocessing["inputs"]),
                future=list(preprocessing["future"]),
                gaps=bool(preprocessing["gaps"]),
            )
            self.scale_ = np.array(preprocessing["naive_scale"], dtype=np.float64)
            self.deviation_ = np.array(preprocessing["deviation"], dtype=np.float64)
            self._form = SeriesForm(
                bool(preprocessing["many"]), bool(preprocessing["flat"]), "array"
            )
            self._tails = list(arrays["_tails"])
        except (KeyError, TypeError, ValueError) as error:
            raise ArtefactError(f"preprocessing.json: {error}") from None
