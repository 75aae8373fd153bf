"""What the estimators share that learn a target for each sequence."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

import keras
import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import check_is_fitted

from kseq.data.sequences import Sequences, as_sequences
from kseq.data.text_sequences import TextSequences
from kseq.data.texts import Texts, as_texts, is_text
from kseq.data.vectors import read_vectors
from kseq.data.vocabulary import Folder, TextOptions, Vocabulary
from kseq.errors import ArtefactError, DataError, RecipeError
from kseq.estimators.base import Estimator
from kseq.estimators.text_serving import text_cases
from kseq.inference import Forward
from kseq.layers.scaling import Standardize
from kseq.schema import Section, fill
from kseq.serving.text_endpoints import TextEndpoints

_CHUNK = 256  # sequences that are predicted together
_STEPS = 16_384  # and steps of theirs, padding included
_ALIKE = 32  # and so many at least, before a longer one is not put with them to save padding
TextParameters = Annotated[Mapping[str, Any] | None, Section(TextOptions)]
Parts = Sequences | Texts
Encoded = Sequences | TextSequences


class SupervisedEstimator(Estimator):
    """Text or numbers as input, input scaling, and prediction in chunks."""

    standardize: bool
    text: Mapping[str, Any] | None
    whole_outputs: ClassVar[frozenset[str]] = frozenset()  # one a sequence, where others are a step

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    # --- what goes in ---

    def _training_parts(self, X: Any) -> Parts:
        """What `fit` is given, checked: texts, or sequences of numbers."""
        if self.text is not None or is_text(X):
            return as_texts(X, self._text_options().tokenizer)
        return as_sequences(X)

    def _validation_parts(self, X: Any, train: Parts) -> Parts:
        """Validation data of the training data's kind, checked."""
        if isinstance(train, Texts):
            return as_texts(X, self._text_options().tokenizer, "validation X")
        return self._numbers(X, train.features, "validation X")

    def _parts(self, X: Any) -> Parts:
        """What is to be predicted, checked."""
        if self.spec_.streams:
            return as_texts(X, self.vocabulary_.options.tokenizer)
        return self._numbers(X, self.spec_.features, "X")

    def _numbers(self, X: Any, features: int, name: str) -> Sequences:
        if is_text(X):
            raise DataError(f"{name}: is text, but the model was fitted to numbers")
        return as_sequences(X, features=features, name=name)

    def _text_options(self) -> TextOptions:
        values, mistakes = fill("task.text", TextOptions, self.text or {})
        if mistakes:
            raise RecipeError(mistakes)
        return TextOptions(**values)

    def _learn_inputs(self, parts: Parts, valid: Parts | None) -> dict[str, Any]:
        """What the spec has to say of the inputs; of text, the vocabulary is learned here.

        Args:
            parts: The training sequences, without what is held out.
            valid: The validation sequences.
        """
        if isinstance(parts, Texts):
            return {"features": 0, **self._learn_text(parts)}
        alike = not isinstance(valid, Sequences) or valid.time == parts.time
        return {"features": parts.features, "time": parts.time if alike else None}

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

    def _set_vectors(self, network: keras.Model) -> None:
        """Puts the pretrained vectors in their rows of the word embedding."""
        if self._vectors is not None:
            words, vectors = self._vectors
            layer = network.get_layer("words_embedding")
            table = keras.ops.convert_to_numpy(layer.embeddings).copy()
            table[self.vocabulary_.places(words)] = vectors
            layer.embeddings.assign(table)
            self._vectors = None

    def _encode(self, parts: Parts) -> Encoded:
        return self.vocabulary_.encode(parts.tokens) if isinstance(parts, Texts) else parts

    def _inputs(self, network: keras.Model) -> tuple[dict[str, Any], Any]:
        """Raw inputs, and the network's scores for them."""
        if self.spec_.streams:
            self._set_vectors(network)
            inputs = {
                given.name: keras.Input(given.shape[1:], dtype=given.dtype, name=given.name)
                for given in network.inputs
            }
            return inputs, network(inputs)
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

    def _set_input_statistics(self, sequences: Encoded) -> None:
        self.n_features_in_ = 1 if isinstance(sequences, TextSequences) else sequences.features
        if isinstance(sequences, Sequences) and self.recipe_.task["standardize"]:
            mean, deviation = statistics(sequences.steps())
            self.servable_.get_layer("standardize").set_statistics(mean, deviation)

    # --- what comes out ---

    def _predict(self, X: Any, output: str) -> list[np.ndarray]:
        """One output for each sequence, per-step outputs cut to the sequence's length."""
        check_is_fitted(self)
        return self._answers(self._encode(self._parts(X)), [output])[output]

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
        for rows, answer in zip(chunks, (forward or self._forward).over(batches), strict=True):
            for name in outputs:
                cut = self.spec_.per_step and name not in self.whole_outputs
                for row, value in zip(rows, answer[name], strict=True):
                    results[name][row] = value[: lengths[row]] if cut else value
        return results

    def _chunks(self, lengths: np.ndarray) -> list[np.ndarray]:
        """Rows of similar length, to be predicted together."""
        order = np.argsort(lengths, kind="stable")
        chunks: list[list[int]] = [[]]
        for row in order.tolist():
            chunk = chunks[-1]
            full = len(chunk) >= _CHUNK or (len(chunk) + 1) * lengths[row] > _STEPS
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
        if not self.spec_.streams:
            return super()._preprocessing()
        text = {"vocabulary": self.vocabulary_.to_dict(), "fitted_on": self.fitted_on_}
        return {**super()._preprocessing(), "text": text}

    def _restore_task(
        self, preprocessing: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
    ) -> None:
        features = int(preprocessing["spec"]["features"])
        self.n_features_in_ = features or 1
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


def held_out(
    parts: Parts, targets: Any, fraction: float, seed: int
) -> tuple[Parts, Any, Parts | None, Any]:
    """Holds out a share of the sequences, drawn at random.

    Args:
        parts: The sequences.
        targets: What belongs to them; has `take(rows)`.
        fraction: The share.
        seed: Of the draw.

    Returns:
        The rest and its targets, and what was held out and its targets, or None twice.
    """
    count = round(fraction * len(parts))
    if not 0 < count < len(parts):
        return parts, targets, None, None
    rows, held = train_test_split(np.arange(len(parts)), test_size=count, random_state=seed)
    return parts.take(rows), targets.take(rows), parts.take(held), targets.take(held)


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
