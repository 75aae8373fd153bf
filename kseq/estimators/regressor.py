"""Sequences to numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import keras
import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_is_fitted

from kseq.data.batches import SequenceBatches
from kseq.data.texts import Texts
from kseq.errors import ArtefactError, DataError
from kseq.estimators.base import Batches
from kseq.estimators.conformal import Interval
from kseq.estimators.intervals import IntervalEstimator
from kseq.estimators.models import Models
from kseq.estimators.number_targets import (
    Targets,
    all_rows,
    formed,
    observed,
    read_numbers,
    scale,
    take,
)
from kseq.estimators.sample_weight import Weights, read_weights
from kseq.estimators.supervised import SupervisedEstimator, TextParameters, statistics
from kseq.estimators.validation import draw_rows, set_apart, validation_set
from kseq.layers.intervals import PredictionInterval
from kseq.layers.scaling import Standardize
from kseq.losses import MaskedError
from kseq.metrics.evaluation import Evaluation
from kseq.metrics.intervals import with_interval
from kseq.metrics.regression import evaluate_regression
from kseq.registry import tasks
from kseq.schema import Level
from kseq.spec import Spec


@tasks.register("regression")
class SequenceRegressor(RegressorMixin, IntervalEstimator, SupervisedEstimator):
    """Predicts one or more numbers for each sequence, or for each time step.

    Args:
        text: How text becomes numbers: the parameters of `TextOptions`. Text is known as
            such when it is seen; None takes the defaults.
        per_step: Whether every time step has its own target. Then y has the form of X: `(n, time)`,
            `(n, time, targets)`, or a list of arrays; a step whose target is NaN is left out.
        standardize: Whether features and targets are scaled to mean 0 and deviation 1 over the
            training data. The scaling is part of the saved model, and undone on output.
        interval: The share of what is predicted that the bounds of the saved model are to hold;
            None leaves them out. `predict` gives bounds of any level.
        model: The recipe's `model` section: a builder's name and parameters.
        training: The recipe's `training` section.
        warm_start: Whether `fit` goes on from the weights of the last fit. There are intervals then
            only with `validation_data`: what is held out of X may have been learned before.
        random_state: Seed; the same seed on the same machine gives the same weights.

    Attributes:
        n_features_in_: Features a time step; of a table with a sequence a row its columns.
        feature_names_in_: Their names, where X had names.
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
    answer: ClassVar[str] = "prediction"

    def __init__(
        self,
        *,
        text: TextParameters = None,
        per_step: bool = False,
        standardize: bool = True,
        interval: Level | None = 0.9,
        model: Mapping[str, Any] | None = None,
        training: Mapping[str, Any] | None = None,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.text = text
        self.per_step = per_step
        self.standardize = standardize
        self.interval = interval
        self.model = model
        self.training = training
        self.warm_start = warm_start
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
        sample_weight: Any = None,
        validation_data: tuple[Any, ...] | None = None,
        callbacks: Sequence[keras.callbacks.Callback] | None = None,
    ) -> SequenceRegressor:
        """Fits the regressor anew, or with `warm_start` from the weights that it has.

        Args:
            X: `(n, time, features)`, `(n, time)`, or a list of `(time, features)` arrays; a table
                with a row a step and the columns `id` and `time`; or strings, or token lists.
            y: `(n,)` or `(n, targets)`; with `per_step`, a target for every step.
            sample_weight: How much each sequence counts in the loss, `(n,)`, or with `per_step`
                perhaps each step, in the form of y; what has 0 is left out. Only shares matter.
            validation_data: Sequences and targets to stop early and to fit intervals by, and
                perhaps their weights; else `training.validation_fraction` of X is held out.
            callbacks: Keras callbacks.

        Raises:
            RecipeError: If a parameter does not hold.
            DataError: If the data does not.
            TrainingError: If the loss stops being finite.
        """
        onward = self._goes_on()
        train, valid = self._prepare(
            X, y, validation_data, sample_weight=sample_weight, onward=onward
        )
        apart = set_apart(valid, validation_data, onward, self.recipe_.task)
        self._train(train, valid, apart=apart, callbacks=callbacks, onward=onward)
        return self

    def partial_fit(self, X: Any, y: Any, *, sample_weight: Any = None) -> SequenceRegressor:
        """Trains one pass over X, from the weights and the optimizer's state as they are.

        The first call decides what later ones go by: the scaling, and of text the vocabulary.
        Nothing is held out, and a learning rate schedule is left aside.

        Args:
            X: What `fit` takes.
            y: What `fit` takes.
            sample_weight: What `fit` takes.

        Raises:
            RecipeError: If a parameter does not hold.
            DataError: If the data does not.
            TrainingError: If the loss stops being finite.
        """
        onward = self.__sklearn_is_fitted__()
        train, _ = self._prepare(
            X, y, None, sample_weight=sample_weight, onward=onward, partial=True
        )
        self._train(train, None, onward=onward, partial=True)
        return self

    def _train(self, train: Any, valid: Any, **how: Any) -> None:
        self._fit(train, valid, loss=MaskedError(self._training().loss), **how)

    def _prepare(
        self,
        X: Any,
        y: Any,
        validation_data: Any,
        *,
        sample_weight: Any = None,
        onward: bool = False,
        partial: bool = False,
    ) -> Batches:
        recipe = self._onward() if onward else self.recipe().fill()
        per_step = recipe.task["per_step"]
        given = X
        X, y, sample_weight = self._read(X, y, sample_weight, anew=not onward)
        parts = self._known_parts(X) if onward else self._training_parts(X)
        targets, flat = read_numbers(y, parts, per_step, "y")
        outputs = targets[0].shape[-1]
        if not onward:
            self._learn_columns(given, parts)
            self.flat_ = flat
        elif outputs != self.spec_.outputs:
            raise DataError(f"y: has {outputs} targets, but the first fit had {self.spec_.outputs}")
        weights = read_weights(sample_weight, parts.lengths, per_step=per_step)
        counted = weights.counted()
        parts, targets, weights = parts.take(counted), take(targets, counted), weights.take(counted)
        valid: Any = None
        if validation_data is not None:
            valid_X, valid_y, valid_weight = self._read(
                *validation_set(validation_data), name="validation "
            )
            found = self._validation_parts(valid_X, parts)
            valid_targets, _ = read_numbers(valid_y, found, per_step, "validation y")
            if valid_targets[0].shape[-1] != outputs:
                raise DataError(
                    f"validation y: has {valid_targets[0].shape[-1]} targets, but y has {outputs}"
                )
            name = "validation sample_weight"
            valid_weights = read_weights(valid_weight, found.lengths, per_step=per_step, name=name)
            valid = (found, valid_targets, valid_weights)
        elif not partial:
            rows, held = draw_rows(len(parts), recipe.training["validation_fraction"], recipe.seed)
            if len(held):
                valid = (parts.take(held), take(targets, held), weights.take(held))
                parts, targets, weights = parts.take(rows), take(targets, rows), weights.take(rows)
        if not onward:
            learned = self._learn_inputs(parts, valid[0] if valid else None)
            self._build(recipe, Spec(outputs=outputs, per_step=per_step, **learned))
            self._set_input_statistics(self._encode(parts))
            mean, deviation = self._set_target_statistics(targets)
        else:
            mean, deviation = self._target_statistics()
        training = self._training()

        def batches(found: Any, targets: Targets, weights: Weights, **order: Any) -> Any:
            return SequenceBatches(
                self._encode(found),
                scale(targets, mean, deviation),
                weights=weights.scaled(),
                batch_size=training.batch_size,
                ragged=self.spec_.ragged,
                **order,
            )

        order = {"seed": recipe.seed, "epochs": self._epochs(onward)}
        train = batches(parts, targets, weights, **order)
        return train, None if valid is None else batches(*valid)

    def _set_target_statistics(self, targets: Targets) -> tuple[np.ndarray, np.ndarray]:
        """Takes the scale of the targets from them, and gives what they are to be scaled by."""
        mean, deviation = statistics(all_rows(targets))
        self.target_mean_ = mean
        if not self.recipe_.task["standardize"]:
            return np.zeros_like(mean), np.ones_like(deviation)
        self._models.servable.get_layer("prediction").set_statistics(mean, deviation)
        return mean, deviation

    def predict(self, X: Any, *, interval: float | None = None) -> Any:
        """Predictions in the form that y had in `fit`.

        Args:
            X: Sequences.
            interval: The share of the targets that bounds are to hold, between 0 and 1.

        Returns:
            `(n,)` or `(n, targets)`; with `per_step`, `(n, time)` or `(n, time, targets)`, and a
            list of such arrays where lengths differ. With `interval` an `Interval` of three such:
            `prediction`, `lower` and `upper`.

        Raises:
            DataError: If the last training held out nothing, or too little, to tell bounds of that
                level by.
        """
        check_is_fitted(self)
        radius = None if interval is None else self._radius(interval)
        values = [value.astype(np.float64) for value in self._predict(X, "prediction")]
        moves: tuple[Any, ...] = (0.0,) if radius is None else (0.0, -radius, radius)
        answers = [
            formed([value + move for value in values], self.flat_, self.spec_.per_step)
            for move in moves
        ]
        return answers[0] if radius is None else Interval(*answers)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The coefficient of determination R², over all steps where every step has a target.

        Args:
            X: Sequences that the regressor was not fitted to.
            y: Their targets.
            sample_weight: How much each sequence counts, or with `per_step` each step.
        """
        check_is_fitted(self)
        X, y, sample_weight = self._read(X, y, sample_weight)
        if not self.spec_.per_step:
            return float(super().score(X, y, sample_weight))
        if sample_weight is None:
            return self.evaluate(X, y).metrics["r2"]
        parts = self._parts(X)
        truth, _ = read_numbers(y, parts, True, "y")
        weights = read_weights(sample_weight, parts.lengths, per_step=True).per_step(parts.lengths)
        true, predicted = np.concatenate(truth), np.concatenate(self._predict(X, "prediction"))
        kept = np.isfinite(true).all(axis=-1)  # a step without a target cannot be scored
        each = np.concatenate(weights)[kept]
        return float(r2_score(true[kept], predicted[kept], sample_weight=each))

    def evaluate(self, X: Any, y: Any = None) -> Evaluation:
        """Scores held-out sequences and bounds, beside always saying the training targets' mean.

        Args:
            X: Sequences that the regressor was not fitted to.
            y: Their targets. With `per_step`, a step with a target that is NaN is left out.
        """
        check_is_fitted(self)
        X, y, _ = self._read(X, y)
        predicted: Any = self._predict(X, "prediction")
        truth, _ = read_numbers(y, self._parts(X), self.spec_.per_step, "y")
        truth, predicted, which = observed(truth, predicted)
        found = replace(evaluate_regression(truth, predicted, self.target_mean_), **which)
        margin, needed = self._margin(all_rows(truth), all_rows(predicted))
        return with_interval(found, self.recipe_.task["interval"], margin, needed)

    def _assemble(self, network: keras.Model) -> Models:
        inputs, scores = self._inputs(network)
        answer = {"prediction": Standardize(invert=True, name="prediction")(scores)}
        bounds = PredictionInterval(name="interval")(answer["prediction"])
        return Models(
            network=network,
            trainable=self._trainable(inputs, scores),
            servable=keras.Model(inputs, answer, name="servable"),
            bounded=keras.Model(inputs, {**answer, **bounds}, name="servable"),
        )

    def _served(self, texts: Texts) -> dict[str, np.ndarray]:
        if self.spec_.per_step:
            return {}  # what stands behind a text's end is not looked at
        values = np.stack(self._answers(self._encode(texts), ["prediction"])["prediction"])
        margin, _ = self._margin(values, values)
        if np.isnan(margin).any():
            return {"prediction": values}
        return {"prediction": values, "lower": values - margin, "upper": values + margin}

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
