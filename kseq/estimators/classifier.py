"""Sequences to classes."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import keras
import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.exceptions import DataConversionWarning
from sklearn.model_selection import train_test_split

from kseq.data.batches import SequenceBatches
from kseq.data.texts import Texts
from kseq.errors import ArtefactError, DataError, RecipeError
from kseq.estimators.base import Batches
from kseq.estimators.supervised import (
    Parts,
    SupervisedEstimator,
    TextParameters,
    same_length,
    validation_pair,
)
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
        model: The recipe's `model` section: a builder's name and parameters.
        training: The recipe's `training` section.
        random_state: Seed; the same seed on the same machine gives the same weights.

    Attributes:
        n_features_in_: Features a time step.
        classes_: The classes, sorted.
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
        model: Mapping[str, Any] | None = None,
        training: Mapping[str, Any] | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.text = text
        self.standardize = standardize
        self.model = model
        self.training = training
        self.random_state = random_state

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        validation_data: tuple[Any, Any] | None = None,
        callbacks: Sequence[keras.callbacks.Callback] | None = None,
    ) -> SequenceClassifier:
        """Fits the classifier anew.

        Args:
            X: `(n, time, features)`, `(n, time)`, or a list of `(time, features)` arrays; or
                strings, or token lists.
            y: A class for each sequence: text or numbers.
            validation_data: Sequences and classes to stop early by; without them,
                `training.validation_fraction` of X is held out.
            callbacks: Keras callbacks.

        Raises:
            RecipeError: If a parameter does not hold.
            DataError: If the data does not.
            TrainingError: If the loss stops being finite.
        """
        train, valid = self._prepare(X, y, validation_data)
        loss = keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=self._training().label_smoothing
        )
        self._fit(train, valid, loss=loss, metrics=["accuracy"], callbacks=callbacks)
        return self

    def _prepare(self, X: Any, y: Any, validation_data: Any) -> Batches:
        recipe = self.recipe().fill()
        parts = self._training_parts(X)
        valid: Parts | None
        valid_codes: np.ndarray | None
        labels = _labels(y, "y")
        same_length(len(parts), labels)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise DataError(f"y: has the class {labels[0].item()!r} alone; at least 2 are needed")
        if validation_data is not None:
            valid_X, valid_y = validation_pair(validation_data)
            valid = self._validation_parts(valid_X, parts)
            valid_codes = self._encode_labels(_labels(valid_y, "validation y"))
            same_length(len(valid), valid_codes, "validation y")
        else:
            parts, codes, valid, valid_codes = _hold_out(
                parts, codes, recipe.training["validation_fraction"], recipe.seed
            )
        self.class_counts_ = np.bincount(codes, minlength=len(self.classes_))
        spec = Spec(outputs=len(self.classes_), **self._learn_inputs(parts, valid))
        self._build(recipe, spec)
        sequences = self._encode(parts)
        self._set_input_statistics(sequences)
        training = self._training()
        if training.mixup and spec.ragged:
            raise RecipeError(
                "training.mixup: mixes sequences of equal length, but here lengths differ; "
                f"set it to 0, got {training.mixup}"
            )
        one_hot = np.eye(len(self.classes_), dtype=np.float32)
        batch: dict[str, Any] = {"batch_size": training.batch_size, "ragged": spec.ragged}
        train = SequenceBatches(
            sequences, one_hot[codes], seed=recipe.seed, mixup=training.mixup, **batch
        )
        if valid is None or valid_codes is None:
            return train, None
        return train, SequenceBatches(self._encode(valid), one_hot[valid_codes], **batch)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Class probabilities, `(n, classes)`, in the order of `classes_`."""
        return np.stack(self._predict(X, "probabilities"))

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class of each sequence, `(n,)`."""
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def evaluate(self, X: Any, y: Any = None) -> Evaluation:
        """Scores held-out sequences, beside always saying the commonest class.

        Args:
            X: Sequences that the classifier was not fitted to.
            y: Their classes.
        """
        truth = _labels(y, "y")
        probabilities = self.predict_proba(X)
        same_length(len(probabilities), truth)
        return evaluate_classification(
            truth,
            self.classes_[probabilities.argmax(axis=1)],
            probabilities,
            self.classes_,
            self.classes_[self.class_counts_.argmax()],
        )

    def _encode_labels(self, labels: np.ndarray) -> np.ndarray:
        unseen = sorted(set(labels.tolist()) - set(self.classes_.tolist()), key=str)
        if unseen:
            raise DataError(
                f"validation y: the class {unseen[0]!r} does not occur in y; "
                f"the classes are {self.classes_.tolist()}"
            )
        return np.searchsorted(self.classes_, labels)

    def _assemble(self, network: keras.Model) -> tuple[keras.Model, keras.Model]:
        inputs, scores = self._inputs(network)
        probabilities = keras.layers.Softmax(name="probabilities", dtype="float32")(scores)
        return (
            self._trainable(inputs, scores),
            keras.Model(inputs, {"probabilities": probabilities}, name="servable"),
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


def _labels(y: Any, name: str) -> np.ndarray:
    """Labels as a one-dimensional array of text or numbers."""
    if y is None:
        raise DataError(f"{name}: is missing; requires y to be passed, but the target y is None")
    try:
        labels = np.asarray(y)
    except ValueError:  # rows of unequal length
        raise DataError(f"{name}: expected one class a sequence, got a list for each") from None
    if labels.dtype.kind == "U" and not hasattr(y, "dtype"):
        labels = np.asarray(y, dtype=object)  # numbers and None among text became text
    if labels.ndim == 2 and labels.shape[1] == 1:
        warnings.warn(
            f"A column-vector y was passed when a 1d array was expected: use {name}.ravel()",
            DataConversionWarning,
            stacklevel=4,
        )
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise DataError(f"{name}: expected one class a sequence, got an array of {labels.shape}")
    if labels.dtype == object:
        kinds = sorted({"text" if isinstance(v, str) else type(v).__name__ for v in labels})
        if len(kinds) > 1 or kinds[0] not in ("text", "bool", "int", "float"):
            raise DataError(f"{name}: expected labels of one kind, got {' and '.join(kinds)}")
        labels = np.array(labels.tolist())
    if labels.dtype.kind not in "biufU":
        raise DataError(f"{name}: labels of type {labels.dtype} are not supported")
    if labels.dtype.kind == "f":
        if not np.isfinite(labels).all():
            raise DataError(f"{name}: contains NaN or infinity")
        if (labels != labels.round()).any():
            raise DataError(
                f"{name}: Unknown label type: continuous. Classes are text or whole numbers; "
                "for numbers as targets use SequenceRegressor"
            )
    return labels


def _hold_out(
    sequences: Parts, codes: np.ndarray, fraction: float, seed: int
) -> tuple[Parts, np.ndarray, Parts | None, np.ndarray | None]:
    """Holds out a share of the sequences, the classes in proportion where they suffice."""
    count = round(fraction * len(codes))
    if count == 0 or count == len(codes):
        return sequences, codes, None, None
    sizes = np.bincount(codes)
    enough = min(count, len(codes) - count) >= len(sizes)
    stratify = codes if sizes.min() > 1 and enough else None
    rows, held = train_test_split(
        np.arange(len(codes)), test_size=count, random_state=seed, stratify=stratify
    )
    # Every class must be learned from: a class that was held out whole goes back.
    lost = ~np.isin(codes[held], codes[rows])
    rows, held = np.concatenate([rows, held[lost]]), held[~lost]
    if not len(held):
        return sequences, codes, None, None
    return sequences.take(rows), codes[rows], sequences.take(held), codes[held]
