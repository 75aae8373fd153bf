"""What a fitted tagger answers: tags, probabilities, spans, the n best taggings, its score."""

from __future__ import annotations

from typing import Any, ClassVar

import keras
import numpy as np
from sklearn.utils.validation import check_is_fitted

from kseq.data.texts import Texts, as_texts
from kseq.errors import DataError
from kseq.estimators.baseline import WordBaseline
from kseq.estimators.emissions import emitted
from kseq.estimators.gold import Gold, read_gold
from kseq.estimators.spans import TextSpan, collect_spans, served_tags
from kseq.estimators.supervised import Encoded, SupervisedEstimator
from kseq.estimators.tag_network import TagNetwork
from kseq.metrics.evaluation import Evaluation
from kseq.metrics.tagging import evaluate_tagging
from kseq.tags import scheme_of


class TagAnswers(SupervisedEstimator):
    """The questions to a tagger."""

    whole_outputs: ClassVar[frozenset[str]] = frozenset({"label_probabilities"})

    tags_: np.ndarray
    classes_: np.ndarray | None
    baseline_: WordBaseline

    @property
    def _tags(self) -> TagNetwork:
        found: TagNetwork = self._models.parts
        return found

    @property
    def temperature_(self) -> float:
        """What scores are divided by for probabilities."""
        return float(self._tags.chain.temperature)

    @property
    def label_temperature_(self) -> float:
        """What the scores of labels are divided by; 1 where there are none."""
        layer = self._tags.label_temperature
        return 1.0 if layer is None else float(layer.temperature)

    @property
    def outside_shift_(self) -> float:
        """By how much the scores of `O` are lowered where tags are chosen; 0 for plain tags."""
        decoder = self._tags.decoder
        return 0.0 if decoder.outside is None else float(decoder.outside_shift)

    def _label_ids(self, gold: Gold) -> np.ndarray:
        assert self.classes_ is not None
        assert gold.labels is not None
        return np.searchsorted(self.classes_, gold.labels)

    def _texts(self, X: Any) -> Texts:
        return as_texts(X, self.vocabulary_.options.tokenizer)

    def predict(self, X: Any) -> list[Any]:
        """The tags of each text; with labels a pair of tags and label for each."""
        check_is_fitted(self)
        return self._tagged(self._encode(self._texts(X)))

    def _tagged(self, sequences: Encoded) -> list[Any]:
        names = ["tags"] if self.classes_ is None else ["tags", "label_probabilities"]
        answers = self._answers(sequences, names, self._tags.quick)
        tags = [self.tags_[ids].tolist() for ids in answers["tags"]]
        if self.classes_ is None:
            return tags
        best = [int(row.argmax()) for row in answers["label_probabilities"]]
        return list(zip(tags, self.classes_[best].tolist(), strict=True))

    def predict_proba(self, X: Any) -> list[np.ndarray]:
        """The probability of every tag at every token, `(tokens, tags)` a text, as in `tags_`."""
        return self._predict(X, "probabilities")

    def predict_label_proba(self, X: Any) -> np.ndarray:
        """The probability of every label of each text, `(n, labels)`, as in `classes_`.

        Raises:
            DataError: If the tagger was fitted without labels.
        """
        check_is_fitted(self)
        if self.classes_ is None:
            raise DataError("the tagger was fitted to tags alone, so texts have no label")
        return np.stack(self._predict(X, "label_probabilities"))

    def predict_nbest(self, X: Any, n: int = 10) -> list[list[tuple[list[str], float]]]:
        """The n most probable taggings of each text, with their probabilities, best first.

        Args:
            X: Texts.
            n: How many; a short text may have fewer, and none where the scheme allows none.

        Raises:
            DataError: If n is not positive.
        """
        check_is_fitted(self)
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
            raise DataError(f"n: expected a whole number above 0, got {n!r}")
        sequences = self._encode(self._texts(X))
        found: list[list[tuple[list[str], float]]] = [[] for _ in range(len(sequences))]
        decode = self._tags.decode_nbest(int(n))
        chunks = self._chunks(sequences.lengths)
        for rows, emissions, mask in emitted(self._tags.emit, sequences, chunks):
            best = decode(emissions, mask)
            tags, scores = (keras.ops.convert_to_numpy(each) for each in best)
            for place, row in enumerate(rows):
                length = sequences.lengths[row]
                found[row] = [
                    (self.tags_[ids[:length]].tolist(), float(np.exp(score)))
                    for ids, score in zip(tags[place], scores[place], strict=True)
                    if np.isfinite(score)
                ]
        return found

    def predict_spans(self, X: Any) -> list[list[TextSpan]]:
        """The spans in each text: text, label, start, end, probability.

        Starts and ends count characters where X is strings, and tokens where it is token lists.

        Raises:
            DataError: If the tags stand for no spans.
        """
        check_is_fitted(self)
        if scheme_of(self.spec_.tags) is None:
            raise DataError("the tags stand for no spans, they are plain; use predict")
        texts = self._texts(X)
        names = ["tags", "starts", "ends", "span_probabilities"]
        return collect_spans(texts, self.spec_.tags, self._answers(self._encode(texts), names))

    def score(self, X: Any, y: Any) -> float:
        """F1 of the spans, or accuracy where tags stand for none; raises what `evaluate` does."""
        found = self.evaluate(X, y)
        return found.metrics[found.primary]

    def evaluate(self, X: Any, y: Any = None) -> Evaluation:
        """Scores held-out texts, beside giving each word its commonest tag.

        Args:
            X: Texts that the tagger was not fitted to.
            y: Their tags, or pairs of tags and label.

        Raises:
            DataError: If the targets do not fit the texts, or have labels where those of the
                training had none, or none where they had.
        """
        check_is_fitted(self)
        texts = self._texts(X)
        gold = read_gold(y, texts)
        if (gold.labels is None) != (self.classes_ is None):
            had, have = ("none", "some") if self.classes_ is None else ("some", "none")
            raise DataError(
                f"y: the training texts had {had} with a label beside their tags, these have {have}"
            )
        return self._evaluate(texts, self._encode(texts), gold)

    def _evaluate(self, texts: Texts, sequences: Encoded, gold: Gold) -> Evaluation:
        predicted = self._tagged(sequences)
        options: dict[str, Any] = {}
        if self.vocabulary_.options.words:  # else no word is known
            words = self._word_ids(texts)
            ends = np.cumsum(sequences.lengths)[:-1]
            baseline = np.split(self.tags_[self.baseline_.tags[words]], ends)
            options["baseline"] = [tags.tolist() for tags in baseline]
            options["known"] = self.baseline_.seen[words]
        if self.classes_ is not None:
            predicted, labels = [tags for tags, _ in predicted], [label for _, label in predicted]
            options["labels"], options["predicted_labels"] = gold.labels, labels
            if "baseline" in options:
                options["baseline_labels"] = [self.baseline_.label] * len(labels)
        return evaluate_tagging(
            gold.tags,
            predicted,
            names=self.tags_.tolist(),
            reading=self.recipe_.task["reading"],
            **options,
        )

    def _tag_ids(self, gold: Gold) -> list[np.ndarray]:
        """The tags of each text as ids, `(tokens,)`."""
        place = {name: index for index, name in enumerate(self.tags_.tolist())}
        return [np.array([place[tag] for tag in each], np.int32) for each in gold.tags]

    def _word_ids(self, texts: Texts) -> np.ndarray:
        """The word id of every token of all texts, in one row."""
        return self.vocabulary_.word_ids([token for each in texts.tokens for token in each])

    def _served(self, texts: Texts) -> dict[str, np.ndarray]:
        answers = self._answers(self._encode(texts), list(self._models.servable.output))
        return served_tags(texts, self.tags_, self.classes_, answers)
