"""Sequences to classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import keras
import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from kseq.data.batches import SequenceBatches
from kseq.data.texts import Texts
from kseq.errors import ArtefactError, DataError, RecipeError
from kseq.estimators.base import Batches
from kseq.estimators.labels import encode_labels, hold_out_labels, read_labels
from kseq.estimators.models import Models
from kseq.estimators.sample_weight import ClassWeight, Weights, class_weights, read_weights
from kseq.estimators.supervised import SupervisedEstimator, TextParameters
from kseq.estimators.temperature import best_temperature
from kseq.estimators.validation import same_length, set_apart, validation_set
from kseq.inference import Forward
from kseq.layers.temperature import Temperature
from kseq.metrics.classification import evaluate_classification
from kseq.metrics.evaluation import Evaluation
from kseq.registry import tasks
from kseq.serving.export import label_array
from kseq.spec import Spec


@tasks.register("classification")
class SequenceClassifier(ClassifierMixin, SupervisedEstimator):
    """Assigns a class to each sequence, of numbers or of text.

    Args:
        text: How text becomes numbers: the parameters of `TextOptions`. Text is known as
            such when it is seen; None takes the defaults.
        standardize: Whether each feature is scaled to mean 0 and deviation 1 over the steps of the
            training sequences, where they are numbers. The scaling is part of the saved model.
        class_weight: How much each class counts in the loss: `balanced`, inversely to how often it
            occurs in training; or weights by class, with 1 for one that is not named.
        calibrate: Whether probabilities are made to mean what they say by a temperature that is
            fitted to the validation data (Guo et al. 2017), where that has 30 sequences at least.
            The likeliest class stays. `sample_weight` counts there, and `class_weight` does not.
        model: The recipe's `model` section: a builder's name and parameters.
        training: The recipe's `training` section.
        warm_start: Whether `fit` goes on from the weights of the last fit. It calibrates then only
            by `validation_data`: what is held out of X may have been learned before.
        random_state: Seed; the same seed on the same machine gives the same weights.

    Attributes:
        n_features_in_: Features a time step; of a table with a sequence a row its columns.
        feature_names_in_: Their names, where X had names.
        classes_: The classes, sorted.
        temperature_: What scores are divided by for probabilities; 1 without calibration.
        history_: Losses and accuracies by epoch.
        n_iter_: Epochs that were run.
        best_epoch_: The epoch whose weights were kept, counted from 1.
        model_: The Keras model that was trained: raw sequences to scores.
        servable_: The Keras model that predicts: raw sequences to probabilities.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> y = np.repeat(["down", "up"], 20)
        >>> slope = np.where(y == "up", 1.0, -1.0)
        >>> X = slope[:, None] * np.arange(10) + rng.normal(size=(40, 10))  # (n, time)
        >>> clf = SequenceClassifier(
        ...     model={"cell": "gru", "units": 8},
        ...     training={"epochs": 20, "learning_rate": 0.01},
        ...     random_state=0,
        ... )
        >>> print(clf.fit(X, y).predict([[0, 1, 2, 3, 4, 5, 6, 7]])[0])
        up
    """

    task: ClassVar[str] = "classification"

    def __init__(
        self,
        *,
        text: TextParameters = None,
        standardize: bool = True,
        class_weight: ClassWeight = None,
        calibrate: bool = True,
        model: Mapping[str, Any] | None = None,
        training: Mapping[str, Any] | None = None,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.text = text
        self.standardize = standardize
        self.class_weight = class_weight
        self.calibrate = calibrate
        self.model = model
        self.training = training
        self.warm_start = warm_start
        self.random_state = random_state

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        sample_weight: Any = None,
        validation_data: tuple[Any, ...] | None = None,
        callbacks: Sequence[keras.callbacks.Callback] | None = None,
    ) -> SequenceClassifier:
        """Fits the classifier anew, or with `warm_start` from the weights that it has.

        Args:
            X: `(n, time, features)`, `(n, time)`, or a list of `(time, features)` arrays; a table
                with a row a step and the columns `id` and `time`; strings, or token lists; or, for
                the builder `conv_lstm_classifier`, clips `(n, time, height, width[, channels])`.
            y: A class for each sequence: text or numbers.
            sample_weight: How much each sequence counts in the loss, `(n,)`; one with 0 is left
                out. Only their proportions matter.
            validation_data: Sequences and classes to stop early and to calibrate by, and perhaps
                their weights; without them, `training.validation_fraction` of X is held out, which
                does not calibrate after a warm start.
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

    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, *, sample_weight: Any = None
    ) -> SequenceClassifier:
        """Trains one pass over X, from the weights and the optimizer's state as they are.

        The first call decides what later ones go by: the scaling, and of text the vocabulary.
        Nothing is held out, and a learning rate schedule is left aside.

        Args:
            X: What `fit` takes.
            y: A class for each sequence.
            classes: All classes that will ever occur; needed in the first call.
            sample_weight: What `fit` takes.

        Raises:
            RecipeError: If a parameter does not hold.
            DataError: If the data does not, or has a class that is none of `classes`.
            TrainingError: If the loss stops being finite.
        """
        onward = self.__sklearn_is_fitted__()
        known = None if classes is None else np.unique(read_labels(classes, "classes"))
        if not onward and known is None:
            raise DataError("classes: must be passed on the first call to partial_fit")
        if onward and known is not None and not np.array_equal(known, self.classes_):
            raise DataError(
                f"classes: {known.tolist()} is not what the first call had: "
                f"{self.classes_.tolist()}"
            )
        train, _ = self._prepare(
            X, y, None, sample_weight=sample_weight, classes=known, onward=onward, partial=True
        )
        self._train(train, None, onward=onward, partial=True)
        return self

    def _train(self, train: Any, valid: Any, *, apart: bool = False, **how: Any) -> None:
        smoothing = self._training().label_smoothing
        loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)
        weights = self.__dict__.pop("_held_out_weights")
        temperature = self._models.servable.get_layer("temperature").temperature
        temperature.assign(1.0)
        self._fit(train, valid, loss=loss, metrics=["accuracy"], **how)
        if apart and self.recipe_.task["calibrate"]:
            scores = np.stack(
                self._answers(valid.sequences, ["scores"], self._models.parts)["scores"]
            )
            temperature.assign(best_temperature(scores, valid.targets.argmax(axis=1), weights))

    @property
    def temperature_(self) -> float:
        """What scores are divided by for probabilities."""
        return float(self._models.servable.get_layer("temperature").temperature)

    def _prepare(
        self,
        X: Any,
        y: Any,
        validation_data: Any,
        *,
        sample_weight: Any = None,
        classes: np.ndarray | None = None,
        onward: bool = False,
        partial: bool = False,
    ) -> Batches:
        recipe = self._onward() if onward else self.recipe().fill()
        given = X
        X, y, sample_weight = self._read(X, y, sample_weight, anew=not onward)
        parts = self._known_parts(X) if onward else self._training_parts(X)
        labels = read_labels(y)
        same_length(len(parts), labels)
        weights = read_weights(sample_weight, parts.lengths, per_step=False)
        counted = weights.counted()
        parts, labels, weights = parts.take(counted), labels[counted], weights.take(counted)
        if not onward:
            self._learn_columns(given, parts)
            self.classes_ = np.unique(labels) if classes is None else classes
            if len(self.classes_) < 2:
                raise DataError(
                    f"y: has 1 class, {labels[0].item()!r} alone; at least 2 are needed"
                )
        codes = encode_labels(labels, self.classes_, "y")
        valid: Any = None
        if validation_data is not None:
            valid_X, valid_y, valid_weight = self._read(
                *validation_set(validation_data), name="validation "
            )
            found = self._validation_parts(valid_X, parts)
            valid_labels = read_labels(valid_y, "validation y")
            valid_codes = encode_labels(valid_labels, self.classes_, "validation y")
            same_length(len(found), valid_codes, "validation y")
            name = "validation sample_weight"
            valid_weights = read_weights(valid_weight, found.lengths, per_step=False, name=name)
            valid = (found, valid_codes, valid_weights)
        elif not partial:
            rows, held = hold_out_labels(codes, recipe.training["validation_fraction"], recipe.seed)
            if len(held):
                valid = (parts.take(held), codes[held], weights.take(held))
                parts, codes, weights = parts.take(rows), codes[rows], weights.take(rows)
        if not onward:
            self.class_counts_ = np.bincount(codes, minlength=len(self.classes_))
            learned = self._learn_inputs(parts, valid[0] if valid else None)
            self._build(recipe, Spec(outputs=len(self.classes_), **learned))
            self._set_input_statistics(self._encode(parts))
        training = self._training()
        ragged = self.spec_.ragged
        if training.mixup and ragged:
            raise RecipeError(
                "training.mixup: mixes sequences of equal length, but here lengths differ; "
                f"set it to 0, got {training.mixup}"
            )
        per_class = class_weights(recipe.task["class_weight"], self.classes_, self.classes_[codes])

        def batches(found: Any, codes: np.ndarray, weights: Weights, **order: Any) -> Any:
            if per_class is not None:
                weights = weights.times(per_class[codes])
            one_hot = np.eye(len(self.classes_), dtype=np.float32)[codes]
            return SequenceBatches(
                self._encode(found),
                one_hot,
                weights=weights.scaled(),
                batch_size=training.batch_size,
                ragged=ragged,
                **order,
            )

        order = {"seed": recipe.seed, "epochs": self._epochs(onward), "mixup": training.mixup}
        train = batches(parts, codes, weights, **order)
        self._held_out_weights = None if valid is None else valid[2].values
        return train, None if valid is None else batches(*valid)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Class probabilities, `(n, classes)`, in the order of `classes_`."""
        return np.stack(self._predict(X, "probabilities"))

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class of each sequence, `(n,)`."""
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def decision_function(self, X: Any) -> np.ndarray:
        """The scores behind the probabilities: their logarithms up to a constant a sequence.

        Returns:
            `(n, classes)`; of two classes `(n,)`, how much the second one outdoes the first.
        """
        check_is_fitted(self)
        found = np.stack(self._predict(X, "scores", self._models.parts))
        return found[:, 1] - found[:, 0] if found.shape[1] == 2 else found

    def evaluate(self, X: Any, y: Any = None) -> Evaluation:
        """Scores held-out sequences, beside always saying the commonest class.

        Args:
            X: Sequences that the classifier was not fitted to.
            y: Their classes.
        """
        check_is_fitted(self)
        X, y, _ = self._read(X, y)
        truth = read_labels(y)
        probabilities = self.predict_proba(X)
        same_length(len(probabilities), truth)
        return evaluate_classification(
            truth,
            self.classes_[probabilities.argmax(axis=1)],
            probabilities,
            self.classes_,
            self.classes_[self.class_counts_.argmax()],
        )

    def _assemble(self, network: keras.Model) -> Models:
        inputs, scores = self._inputs(network)
        tempered = Temperature(name="temperature")(scores)
        probabilities = keras.layers.Softmax(name="probabilities", dtype="float32")(tempered)
        raw = keras.Model(inputs, {"scores": tempered}, name="raw")
        return Models(
            network=network,
            trainable=self._trainable(inputs, scores),
            servable=keras.Model(inputs, {"probabilities": probabilities}, name="servable"),
            parts=Forward(raw),
        )

    def _preprocessing(self) -> dict[str, Any]:
        return {
            **super()._preprocessing(),
            "classes": self.classes_.tolist(),
            "classes_dtype": self.classes_.dtype.str,
            "class_counts": self.class_counts_.tolist(),
        }

    def _restore_task(
        self, preprocessing: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
    ) -> None:
        super()._restore_task(preprocessing, arrays)
        try:
            dtype = np.dtype(preprocessing["classes_dtype"])
            if dtype.kind not in "biufU":
                raise ValueError(f"classes of type {dtype}")
            self.classes_ = np.array(preprocessing["classes"], dtype=dtype)
            self.class_counts_ = np.array(preprocessing["class_counts"], dtype=int)
        except (KeyError, TypeError, ValueError) as error:
            raise ArtefactError(f"preprocessing.json: {error}") from None

    def _label_names(self) -> np.ndarray:
        return self.classes_

    def _served(self, texts: Texts) -> dict[str, np.ndarray]:
        scores = np.stack(self._answers(self._encode(texts), ["probabilities"])["probabilities"])
        return {"probabilities": scores, "label": label_array(self.classes_)[scores.argmax(axis=1)]}
