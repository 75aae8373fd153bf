"""What the estimators share that learn a target for each sequence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from sklearn.utils.validation import check_is_fitted

from kseq.data.sequences import Sequences, as_sequences
from kseq.errors import DataError
from kseq.estimators.base import Estimator
from kseq.layers.scaling import Standardize

_CHUNK = 256  # sequences that are predicted together


class SupervisedEstimator(Estimator):
    """Input scaling, prediction in chunks, and the hold-out split."""

    standardize: bool

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def _inputs(self, network: keras.Model) -> tuple[dict[str, Any], Any]:
        """Raw inputs, and the network's scores for them."""
        inputs = {"x": keras.Input((None, self.spec_.features), name="x")}
        if self.spec_.ragged:
            inputs["lengths"] = keras.Input((), name="lengths", dtype="int32")
        scaled = Standardize(name="standardize")(inputs["x"])
        if self.spec_.ragged:
            return inputs, network({"x": scaled, "lengths": inputs["lengths"]})
        return inputs, network(scaled)

    def _trainable(self, inputs: dict[str, Any], scores: Any) -> keras.Model:
        """The model that is trained; like a builder's network it takes a lone `x` bare."""
        return keras.Model(inputs if self.spec_.ragged else inputs["x"], scores, name="trainable")

    def _set_input_statistics(self, sequences: Sequences) -> None:
        self.n_features_in_ = sequences.features
        if self.recipe_.task["standardize"]:
            mean, deviation = statistics(sequences.steps())
            self.servable_.get_layer("standardize").set_statistics(mean, deviation)

    def _predict(self, X: Any, output: str) -> list[np.ndarray]:
        """One output for each sequence, per-step outputs cut to the sequence's length."""
        check_is_fitted(self)
        sequences = as_sequences(X, features=self.spec_.features)
        lengths = sequences.lengths
        order = np.argsort(lengths, kind="stable")
        cuts = set(range(_CHUNK, len(order), _CHUNK))
        if not self.spec_.ragged:  # no mask: only equal lengths may share a batch
            cuts |= set(np.flatnonzero(np.diff(lengths[order])) + 1)
        results: list[np.ndarray] = [np.empty(0)] * len(order)
        for rows in np.split(order, sorted(cuts)):
            inputs = {"x": sequences.padded(rows)}
            if self.spec_.ragged:
                inputs["lengths"] = lengths[rows].astype(np.int32)
            for row, value in zip(rows, self._forward(inputs)[output], strict=True):
                results[row] = value[: lengths[row]] if self.spec_.per_step else value
        return results

    def _restore_task(
        self, preprocessing: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
    ) -> None:
        self.n_features_in_ = int(preprocessing["spec"]["features"])

    def _examples(self) -> list[dict[str, np.ndarray]]:
        """Made-up sequences of the training data's scale: an artefact holds no training rows."""
        layer = self.servable_.get_layer("standardize")
        mean, scale = (keras.ops.convert_to_numpy(w) for w in (layer.mean, layer.scale))
        time = min(self.spec_.time or 16, 64)
        noise = np.random.default_rng(0).normal(size=(7, time, self.spec_.features))
        batch = (mean + scale * noise).astype(np.float32)
        examples = [{"x": batch}, {"x": batch[:1]}, {"x": batch[:, : max(1, time // 2)]}]
        if self.spec_.ragged:
            for example in examples:
                n, steps = example["x"].shape[:2]
                example["lengths"] = np.linspace(steps, 1, n).round().astype(np.int32)
        return examples


def statistics(steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each column, `(rows, columns)`; NaN counts as absent.

    The deviation of a column that is constant, or nearly so in float32, is 1.
    """
    count = np.maximum(np.isfinite(steps).sum(axis=0), 1)
    mean = np.nansum(steps, axis=0) / count
    deviation = np.sqrt(np.nansum((steps - mean) ** 2, axis=0) / count)
    return mean, np.where(deviation > 1e-7 * np.maximum(np.abs(mean), 1e-30), deviation, 1.0)


def same_length(count: int, y: Any, name: str = "y") -> None:
    """Raises unless `y` has a target for each of `count` sequences.

    Raises:
        DataError: If the numbers differ.
    """
    if isinstance(y, (str, bytes, Mapping)) or getattr(y, "ndim", 1) == 0:
        raise DataError(f"{name}: expected a target for each sequence, got {type(y).__name__}")
    if len(y) != count:
        raise DataError(f"{name}: has {len(y)} targets for {count} sequences")


def validation_pair(data: Any) -> tuple[Any, Any]:
    """The validation sequences and their targets.

    Raises:
        DataError: If it is no pair.
    """
    if not isinstance(data, (tuple, list)) or len(data) != 2:
        raise DataError(f"validation_data: expected a pair (X, y), got {type(data).__name__}")
    return data[0], data[1]
