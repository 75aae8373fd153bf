"""What the estimators share that learn a target for each sequence."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

import keras
import numpy as np
from sklearn.utils.validation import check_is_fitted

from kseq.data.frames import is_long, read_long
from kseq.data.sequences import Sequences, as_sequences
from kseq.data.text_sequences import TextSequences
from kseq.data.texts import Texts, as_texts, is_text
from kseq.data.vectors import read_vectors
from kseq.data.vocabulary import Folder, TextOptions, Vocabulary
from kseq.errors import ArtefactError, DataError, RecipeError
from kseq.estimators.base import Estimator
from kseq.estimators.table_columns import check_columns, learn_columns
from kseq.estimators.text_serving import text_cases
from kseq.inference import Forward
from kseq.layers.scaling import Standardize
from kseq.recipe import Recipe
from kseq.schema import Section, fill
from kseq.serving.text_endpoints import TextEndpoints
from kseq.spec import Spec

_CHUNK = 256  # sequences that are predicted together
_STEPS = 16_384  # and steps of theirs, padding included
_PIXELS = 2**21  # or of clips so many pixels
_ALIKE = 32  # and so many at least, before a longer one is not put with them to save padding
TextParameters = Annotated[Mapping[str, Any] | None, Section(TextOptions)]
Parts = Sequences | Texts
Encoded = Sequences | TextSequences


class SupervisedEstimator(Estimator):
    """Text or numbers as input, input scaling, and prediction in chunks."""

    standardize: bool
    text: Mapping[str, Any] | None
    _wide: bool  # whether the training data was a table with a sequence a row
    whole_outputs: ClassVar[frozenset[str]] = frozenset()  # one a sequence, where others are a step

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    # --- what goes in ---

    def _read(
        self, X: Any, y: Any = None, weights: Any = None, *, name: str = "", anew: bool = False
    ) -> Any:
        """X, y and weights as they are; or of a long table as lists, one item a sequence.

        Args:
            X: Sequences.
            y: Their targets.
            weights: Their weights.
            name: What stands before their names in messages.
            anew: Whether the features are to be learned, in place of those of the last fit.
        """
        if not is_long(X):
            return X, y, weights
        # Those of a wide table are not features.
        wide = anew or self._wide
        names = None if wide else getattr(self, "feature_names_in_", None)
        frame = read_long(X, columns=names, name=f"{name}X")
        steps = bool(getattr(self, "per_step", False))
        return (
            frame.sequences,
            frame.aligned(y, per_step=steps, name=f"{name}y"),
            frame.aligned(weights, per_step=steps, name=f"{name}sample_weight"),
        )

    def _training_parts(self, X: Any) -> Parts:
        """What `fit` is given, checked: texts, or sequences of numbers."""
        if self.text is not None or is_text(X):
            return as_texts(X, self._text_options().tokenizer)
        return as_sequences(X)

    def _validation_parts(self, X: Any, train: Parts) -> Parts:
        """Validation data of the training data's kind, checked."""
        if isinstance(train, Texts):
            return as_texts(X, self._text_options().tokenizer, "validation X")
        return self._numbers(X, train.features, train.frame, "validation X")

    def _parts(self, X: Any) -> Parts:
        """What is to be predicted, checked."""
        if self.spec_.streams:
            return as_texts(X, self.vocabulary_.options.tokenizer)
        return self._numbers(X, self.spec_.features, self.spec_.frame, "X")

    def _known_parts(self, X: Any) -> Parts:
        """What a training goes on with, checked."""
        parts = self._parts(X)
        if not self.spec_.ragged and isinstance(parts, Sequences) and parts.time is None:
            raise DataError(
                "X: its sequences differ in length, but those of the first fit did not; fit anew, "
                "or begin with sequences of unequal length"
            )
        return parts

    def _numbers(self, X: Any, features: int, frame: Sequence[int], name: str) -> Sequences:
        if is_text(X):
            raise DataError(f"{name}: is text, but the model was fitted to numbers")
        if self._wide:
            check_columns(self, X, name)
        return as_sequences(X, features=features, frame=frame, name=name)

    def _text_options(self) -> TextOptions:
        values, mistakes = fill("task.text", TextOptions, self.text or {})
        if mistakes:
            raise RecipeError(mistakes)
        return TextOptions(**values)

    def _learn_columns(self, X: Any, parts: Parts) -> None:
        features = 1 if isinstance(parts, Texts) else parts.features
        self._wide = learn_columns(self, None if isinstance(parts, Texts) else X, features)

    def _learn_inputs(self, parts: Parts, valid: Parts | None) -> dict[str, Any]:
        """What the spec has to say of the inputs; of text, the vocabulary is learned here.

        Args:
            parts: The training sequences, without what is held out.
            valid: The validation sequences.
        """
        if isinstance(parts, Texts):
            return {"features": 0, **self._learn_text(parts)}
        alike = not isinstance(valid, Sequences) or valid.time == parts.time
        time = parts.time if alike else None
        return {"features": parts.features, "time": time, "frame": parts.frame}

    def _learn_text(self, texts: Texts) -> dict[str, Any]:
        """Learns the vocabulary of the training texts.

        Returns:
            What the spec has to say of it.
        """
        options = self._text_options()
        self.fitted_on_ = "tokens" if texts.raw is None else "text"
        vectors = None
        if options.vectors is not None:
            if not options.words:
                raise RecipeError(
                    "task.text.vectors: are those of words; set task.text.words to true, or leave "
                    "vectors out"
                )
            fold = Folder(options)
            words = {fold(token) for tokens in texts.tokens for token in tokens}
            vectors = read_vectors(
                options.vectors,
                words,
                extra=options.extra_vectors,
                usable=lambda word: fold(word) == word,
            )
        self.vocabulary_ = Vocabulary.learn(texts.tokens, options, vectors[0] if vectors else ())
        self._vectors = vectors
        if not self.vocabulary_.streams:
            raise RecipeError("task.text: nothing is left of the text; set words or characters")
        return {
            "streams": self.vocabulary_.streams,
            "affixes": options.affixes,
            "vectors": vectors[1].shape[1] if vectors else 0,
        }

    def _build(self, recipe: Recipe, spec: Spec) -> None:
        super()._build(recipe, spec)
        if spec.streams and self._vectors is not None:
            # The pretrained vectors go to their rows of the word embedding.
            words, vectors = self._vectors
            layer = self._models.network.get_layer("words_embedding")
            table = keras.ops.convert_to_numpy(layer.embeddings).copy()
            table[self.vocabulary_.places(words)] = vectors
            layer.embeddings.assign(table)
            self._vectors = None

    def _encode(self, parts: Parts) -> Encoded:
        return self.vocabulary_.encode(parts.tokens) if isinstance(parts, Texts) else parts

    def _inputs(self, network: keras.Model) -> tuple[dict[str, Any], Any]:
        """Raw inputs, and the network's scores for them."""
        if self.spec_.streams:
            inputs = {
                given.name: keras.Input(given.shape[1:], dtype=given.dtype, name=given.name)
                for given in network.inputs
            }
            return inputs, network(inputs)
        step = (*self.spec_.frame, self.spec_.features)
        inputs = {"x": keras.Input((None, *step), name="x")}
        if self.spec_.ragged:
            inputs["lengths"] = keras.Input((), name="lengths", dtype="int32")
        scaled = Standardize(name="standardize")(inputs["x"])
        if self.spec_.ragged:
            return inputs, network({"x": scaled, "lengths": inputs["lengths"]})
        return inputs, network(scaled)

    def _trainable(self, inputs: dict[str, Any], scores: Any) -> keras.Model:
        """The model that is trained; like a builder's network it takes a lone `x` bare."""
        return keras.Model(inputs if self.spec_.ragged else inputs["x"], scores, name="trainable")

    def _set_input_statistics(self, sequences: Encoded) -> None:
        if isinstance(sequences, Sequences) and self.recipe_.task["standardize"]:
            mean, deviation = statistics(sequences.steps())
            self._models.servable.get_layer("standardize").set_statistics(mean, deviation)

    # --- what comes out ---

    def _predict(self, X: Any, output: str, forward: Forward | None = None) -> list[np.ndarray]:
        """One output for each sequence, per-step outputs cut to the sequence's length."""
        check_is_fitted(self)
        X, _, _ = self._read(X)
        return self._answers(self._encode(self._parts(X)), [output], forward)[output]

    def _answers(
        self, sequences: Encoded, outputs: Sequence[str], forward: Forward | None = None
    ) -> dict[str, list[np.ndarray]]:
        """Outputs for each sequence, per-step outputs cut to the sequence's length.

        Args:
            sequences: What to ask about.
            outputs: Their names.
            forward: What to run, for a part of the outputs; else what is served.
        """
        lengths = sequences.lengths
        results = {name: [np.empty(0)] * len(lengths) for name in outputs}
        chunks = self._chunks(lengths)
        batches = (sequences.inputs(rows) for rows in chunks)
        for rows, answer in zip(
            chunks, (forward or self._models.forward).over(batches), strict=True
        ):
            for name in outputs:
                cut = self.spec_.per_step and name not in self.whole_outputs
                for row, value in zip(rows, answer[name], strict=True):
                    results[name][row] = value[: lengths[row]] if cut else value
        return results

    def _chunks(self, lengths: np.ndarray) -> list[np.ndarray]:
        """Rows of similar length, to be predicted together."""
        order = np.argsort(lengths, kind="stable")
        chunks: list[list[int]] = [[]]
        most = max(1, _PIXELS // math.prod(self.spec_.frame)) if self.spec_.frame else _STEPS
        for row in order.tolist():
            chunk = chunks[-1]
            full = len(chunk) >= _CHUNK or (len(chunk) + 1) * lengths[row] > most
            full |= len(chunk) >= _ALIKE and lengths[row] > 1.1 * lengths[chunk[0]]
            # Without a mask only equal lengths may share a batch.
            other = not self.spec_.ragged and lengths[row] != lengths[chunk[-1]] if chunk else False
            if chunk and (full or other):
                chunks.append([])
            chunks[-1].append(row)
        return [np.array(chunk) for chunk in chunks]

    # --- persistence ---

    def _endpoints(self) -> dict[str, Any]:
        if not self.spec_.streams:
            return super()._endpoints()
        labels = self._label_names()
        names = self.spec_.tags or None
        endpoints = TextEndpoints(self.vocabulary_, self.fitted_on_, tags=names, labels=labels)
        return {"text": endpoints, "cases": text_cases(self.vocabulary_, self._served)}

    @abstractmethod
    def _served(self, texts: Texts) -> dict[str, np.ndarray]:
        """What the saved model should answer to texts."""

    def _preprocessing(self) -> dict[str, Any]:
        columns: dict[str, Any] = {"wide": self._wide, "count": self.n_features_in_}
        if hasattr(self, "feature_names_in_"):
            columns["names"] = self.feature_names_in_.tolist()
        found = {**super()._preprocessing(), "columns": columns}
        if self.spec_.streams:
            found["text"] = {"vocabulary": self.vocabulary_.to_dict(), "fitted_on": self.fitted_on_}
        return found

    def _restore_task(
        self, preprocessing: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
    ) -> None:
        features = int(preprocessing["spec"]["features"])
        try:
            columns = preprocessing.get("columns", {})
            self._wide = bool(columns.get("wide", False))
            self.n_features_in_ = int(columns.get("count", features or 1))
            if "names" in columns:
                self.feature_names_in_ = np.array(columns["names"], dtype=object)
        except (AttributeError, TypeError, ValueError) as error:
            raise ArtefactError(f"preprocessing.json: columns: {error}") from None
        if features:
            return
        try:
            text = preprocessing["text"]
            self.vocabulary_ = Vocabulary.from_dict(text["vocabulary"])
            self.fitted_on_ = str(text["fitted_on"])
            self._vectors = None
        except (DataError, KeyError, TypeError) as error:
            raise ArtefactError(f"preprocessing.json: text: {error}") from None

    def _examples(self) -> list[dict[str, np.ndarray]]:
        """Made-up sequences of the training data's scale: an artefact holds no training rows."""
        layer = self._models.servable.get_layer("standardize")
        mean, scale = (keras.ops.convert_to_numpy(w) for w in (layer.mean, layer.scale))
        time = min(self.spec_.time or 16, 64)
        step = (*self.spec_.frame, self.spec_.features)
        noise = np.random.default_rng(0).normal(size=(7, time, *step))
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
