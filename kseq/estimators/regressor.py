"""Sequences to numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import keras
import numpy as np
from sklearn.base import RegressorMixin
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import check_is_fitted

from kseq.data.batches import SequenceBatches
from kseq.data.texts import Texts
from kseq.errors import ArtefactError, DataError
from kseq.estimators.base import Batches
from kseq.estimators.supervised import (
    Parts,
    SupervisedEstimator,
    TextParameters,
    same_length,
    statistics,
    validation_pair,
)
from kseq.layers.scaling import Standardize
from kseq.losses import MaskedError
from kseq.metrics.evaluation import Evaluation
from kseq.metrics.regression import evaluate_regression
from kseq.registry import tasks
from kseq.spec import Spec

Targets = np.ndarray | list[np.ndarray]


@tasks.register("regression")
class SequenceRegressor(RegressorMixin, SupervisedEstimator):
    """Predicts one or more numbers for each sequence, or for each time step.

    Args:
        text: How text becomes numbers: the parameters of `TextOptions`. Text is known as
            such when it is seen; None takes the defaults.
        per_step: Whether every time step has its own target. Then y has the form of X: `(n, time)`,
            `(n, time, targets)`, or a list of arrays; a step whose target is NaN is left out.
        standardize: Whether features and targets are scaled to mean 0 and deviation 1 over the
            training data. The scaling is part of the saved model, and undone on output.
        model: The recipe's `model` section: a builder's name and parameters.
        training: The recipe's `training` section.
        random_state: Seed; the same seed on the same machine gives the same weights.

    Attributes:
        n_features_in_: Features a time step.
        history_: Losses by epoch, on the scale of the standardised targets.
        n_iter_: Epochs that were run.
        best_epoch_: The epoch whose weights were kept, counted from 1.
        model_: The Keras model that was trained: raw sequences to scaled predictions.
        servable_: The Keras model that predicts: raw sequences to predictions.

    Example:
        >>> import numpy as np
        >>> X = np.random.default_rng(0).normal(size=(64, 6))  # (n, time)
        >>> y = X.sum(axis=1)
        >>> reg = SequenceRegressor(
        ...     model={"cell": "gru", "units": 8},
        ...     training={"epochs": 60, "learning_rate": 0.02},
        ...     random_state=0,
        ... )
        >>> bool(reg.fit(X, y).score(X, y) > 0.9)
        True
    """

    task: ClassVar[str] = "regression"

    def __init__(
        self,
        *,
        text: TextParameters = None,
        per_step: bool = False,
        standardize: bool = True,
        model: Mapping[str, Any] | None = None,
        training: Mapping[str, Any] | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.text = text
        self.per_step = per_step
        self.standardize = standardize
        self.model = model
        self.training = training
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        validation_data: tuple[Any, Any] | None = None,
        callbacks: Sequence[keras.callbacks.Callback] | None = None,
    ) -> SequenceRegressor:
        """Fits the regressor anew.

        Args:
            X: `(n, time, features)`, `(n, time)`, or a list of `(time, features)` arrays; or
                strings, or token lists.
            y: `(n,)` or `(n, targets)`; with `per_step`, a target for every step.
            validation_data: Sequences and targets to stop early by; without them,
                `training.validation_fraction` of X is held out.
            callbacks: Keras callbacks.

        Raises:
            RecipeError: If a parameter does not hold.
            DataError: If the data does not.
            TrainingError: If the loss stops being finite.
        """
        train, valid = self._prepare(X, y, validation_data)
        self._fit(train, valid, loss=MaskedError(self._training().loss), callbacks=callbacks)
        return self

    def _prepare(self, X: Any, y: Any, validation_data: Any) -> Batches:
        recipe = self.recipe().fill()
        per_step = recipe.task["per_step"]
        parts = self._training_parts(X)
        targets, self.flat_ = _targets(y, parts, per_step, "y")
        valid: Parts | None = None
        valid_targets: Targets | None = None
        if validation_data is not None:
            valid_X, valid_y = validation_pair(validation_data)
            valid = self._validation_parts(valid_X, parts)
            valid_targets, _ = _targets(valid_y, valid, per_step, "validation y")
            if valid_targets[0].shape[-1] != targets[0].shape[-1]:
                raise DataError(
                    f"validation y: has {valid_targets[0].shape[-1]} targets, "
                    f"but y has {targets[0].shape[-1]}"
                )
        else:
            count = round(recipe.training["validation_fraction"] * len(parts))
            if 0 < count < len(parts):
                rows, held = train_test_split(
                    np.arange(len(parts)), test_size=count, random_state=recipe.seed
                )
                valid, valid_targets = parts.take(held), _take(targets, held)
                parts, targets = parts.take(rows), _take(targets, rows)
        outputs = targets[0].shape[-1]
        spec = Spec(outputs=outputs, per_step=per_step, **self._learn_inputs(parts, valid))
        self._build(recipe, spec)
        sequences = self._encode(parts)
        self._set_input_statistics(sequences)
        mean, deviation = statistics(_rows(targets))
        self.target_mean_ = mean
        if recipe.task["standardize"]:
            self.servable_.get_layer("prediction").set_statistics(mean, deviation)
        else:
            mean, deviation = np.zeros(outputs), np.ones(outputs)
        training = self._training()
        batch: dict[str, Any] = {"batch_size": training.batch_size, "ragged": spec.ragged}
        train = SequenceBatches(
            sequences, _scale(targets, mean, deviation), seed=recipe.seed, **batch
        )
        if valid is None or valid_targets is None:
            return train, None
        return train, SequenceBatches(
            self._encode(valid), _scale(valid_targets, mean, deviation), **batch
        )

    def predict(self, X: Any) -> Any:
        """Predictions in the form that y had in `fit`.

        Returns:
            `(n,)` or `(n, targets)`; with `per_step`, `(n, time)` or `(n, time, targets)`, and a
            list of such arrays where lengths differ.
        """
        values = self._predict(X, "prediction")
        if self.flat_:
            values = [value[..., 0] for value in values]
        if self.spec_.per_step and len({len(value) for value in values}) > 1:
            return values
        return np.stack(values)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The coefficient of determination R², over all steps where every step has a target."""
        check_is_fitted(self)
        if not self.recipe_.task["per_step"]:
            return float(super().score(X, y, sample_weight))
        if sample_weight is not None:
            raise DataError("sample_weight: is not supported where every step has a target")
        return self.evaluate(X, y).metrics["r2"]

    def evaluate(self, X: Any, y: Any = None) -> Evaluation:
        """Scores held-out sequences, beside always saying the mean of the training targets.

        Args:
            X: Sequences that the regressor was not fitted to.
            y: Their targets. With `per_step`, a step with a target that is NaN is left out.
        """
        predicted = self._predict(X, "prediction")
        truth, _ = _targets(y, self._parts(X), self.spec_.per_step, "y")
        if self.spec_.per_step:
            # A step without a target cannot be scored.
            kept = [np.isfinite(item).all(axis=-1) for item in truth]
            pairs = [
                (t[k], p[k]) for t, p, k in zip(truth, predicted, kept, strict=True) if k.any()
            ]
            return evaluate_regression(
                [t for t, _ in pairs], [p for _, p in pairs], self.target_mean_
            )
        return evaluate_regression(np.asarray(truth), np.stack(predicted), self.target_mean_)

    def _assemble(self, network: keras.Model) -> tuple[keras.Model, keras.Model]:
        inputs, scores = self._inputs(network)
        prediction = Standardize(invert=True, name="prediction")(scores)
        return (
            self._trainable(inputs, scores),
            keras.Model(inputs, {"prediction": prediction}, name="servable"),
        )

    def _served(self, texts: Texts) -> dict[str, np.ndarray]:
        values = self._answers(self._encode(texts), ["prediction"])["prediction"]
        if not self.spec_.per_step:
            return {"prediction": np.stack(values)}
        return {}  # what stands behind a text's end is not looked at

    def _preprocessing(self) -> dict[str, Any]:
        return {
            **super()._preprocessing(),
            "flat": self.flat_,
            "target_mean": self.target_mean_.tolist(),
        }

    def _restore_task(
        self, preprocessing: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
    ) -> None:
        super()._restore_task(preprocessing, arrays)
        try:
            self.flat_ = bool(preprocessing["flat"])
            self.target_mean_ = np.array(preprocessing["target_mean"], dtype=np.float64)
        except (KeyError, TypeError, ValueError) as error:
            raise ArtefactError(f"preprocessing.json: {error}") from None


def _targets(y: Any, sequences: Parts, per_step: bool, name: str) -> tuple[Targets, bool]:
    """Targets with a last axis of their own, and whether they came without one."""
    if y is None:
        raise DataError(f"{name}: is missing; requires y to be passed, but the target y is None")
    if hasattr(y, "columns") or not hasattr(y, "__len__"):  # of a table the rows are meant
        y = np.asarray(y)
    same_length(len(sequences), y, name)
    if not per_step:
        values = _floats(y, name)
        if values.ndim not in (1, 2):
            raise DataError(
                f"{name}: expected (n,) or (n, targets), got {values.shape}; "
                "set per_step where every time step has a target"
            )
        if np.isnan(values).any():
            raise DataError(f"{name}: Input y contains NaN")
        return (values[:, None], True) if values.ndim == 1 else (values, False)
    items = [_floats(item, f"{name}[{row}]") for row, item in enumerate(y)]
    flat = items[0].ndim == 1
    for row, (item, length) in enumerate(zip(items, sequences.lengths, strict=True)):
        if item.ndim != items[0].ndim or item.ndim not in (1, 2):
            raise DataError(f"{name}[{row}]: expected (time,) or (time, targets), got {item.shape}")
        if len(item) != length:
            raise DataError(f"{name}[{row}]: has {len(item)} targets for {length} time steps")
        if item.shape[1:] != items[0].shape[1:]:
            raise DataError(
                f"{name}[{row}]: has {item.shape[1]} targets a step, "
                f"but {name}[0] has {items[0].shape[1]}"
            )
    if not any(np.isfinite(item).any() for item in items):
        raise DataError(f"{name}: has no target that is not NaN")
    return [item[:, None] if flat else item for item in items], flat


def _floats(values: Any, name: str) -> np.ndarray:
    try:
        array = np.asarray(values)
        if array.dtype.kind == "c":
            raise DataError(f"{name}: Complex data not supported")
        array = array.astype(np.float64)
        if (np.abs(array) > np.finfo(np.float32).max).any():
            raise DataError(f"{name}: contains infinity or a value too large for float32")
        return array
    except (TypeError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{name}: not all targets are numbers: {error}") from None


def _take(targets: Targets, rows: np.ndarray) -> Targets:
    return targets[rows] if isinstance(targets, np.ndarray) else [targets[row] for row in rows]


def _rows(targets: Targets) -> np.ndarray:
    return targets if isinstance(targets, np.ndarray) else np.concatenate(targets)


def _scale(targets: Targets, mean: np.ndarray, deviation: np.ndarray) -> Targets:
    if isinstance(targets, np.ndarray):
        return (targets - mean) / deviation
    return [(item - mean) / deviation for item in targets]
