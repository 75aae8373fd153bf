"""Texts to tags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import keras
import numpy as np

from kseq.data.batches import SequenceBatches
from kseq.data.texts import Texts, as_texts
from kseq.data.vocabulary import FIRST
from kseq.errors import ArtefactError, DataError, RecipeError
from kseq.estimators.base import Batches
from kseq.estimators.baseline import WordBaseline
from kseq.estimators.gold import Gold, read_gold, repaired, without_unseen
from kseq.estimators.outside import fit_outside_shift
from kseq.estimators.supervised import (
    Encoded,
    TextParameters,
    held_out,
    validation_pair,
)
from kseq.estimators.tag_answers import TagAnswers
from kseq.estimators.temperature import fit_temperature
from kseq.inference import Forward
from kseq.layers.crf import CRF
from kseq.layers.masking import LengthMask
from kseq.layers.tag_decoder import TagDecoder
from kseq.losses import ChainLoss, TagCrossEntropy
from kseq.metrics.tagging import Reading
from kseq.registry import tasks
from kseq.spec import Spec
from kseq.tags import OUTSIDE, continues, forbidden, scheme_of


@tasks.register("tagging")
class SequenceTagger(TagAnswers):
    """Assigns a tag to each token: entities, parts of speech, slots.

    Tags of the form `B-person`, `I-person`, `O` (BIO), or with `E-` and `S-` (BIOES), stand for
    spans of tokens, and are decoded and scored as such; other tags stand for themselves. Where each
    target is a pair of tags and a label, the label of the whole text is learned beside them.

    Args:
        text: How text becomes numbers: the parameters of `TextOptions`.
        reading: How spans are read from tags for the score: `conlleval`, where a stray `I-` begins
            a span, or `strict`, where it is none.
        strict: Whether taggings that the scheme does not allow are an error in `fit`; otherwise
            they are repaired, with a warning that counts them.
        calibrate: Whether probabilities are made to mean what they say by a temperature that is
            fitted to the validation data (Guo et al. 2017). It does not change the tags, and labels
            of whole texts have none.
        tune_f1: Whether tags are chosen for the best F1 of their spans on the validation data, in
            place of the most probable: by a shift of the scores of `O` that is fitted to them.
            Probabilities and the n best taggings do not know of it.
        model: The recipe's `model` section: a builder's name and parameters.
        training: The recipe's `training` section.
        random_state: Seed; the same seed on the same machine gives the same weights.

    Attributes:
        tags_: The tags, sorted.
        classes_: The labels of whole texts, sorted; None where there are none.
        vocabulary_: What the training text decided.
        temperature_: What scores are divided by for probabilities.
        outside_shift_: By how much the scores of `O` are lowered where tags are chosen.
        history_: Losses and scores by epoch.
        n_iter_: Epochs that were run.
        best_epoch_: The epoch whose weights were kept, counted from 1.
        model_: The Keras model that was trained: ids to scores.
        servable_: The Keras model that predicts: ids to tags and probabilities.

    Example:
        >>> X = [["Ana", "met", "Bo"], ["Bo", "left"], ["we", "met", "Ana"]] * 8
        >>> y = [["B-name", "O", "B-name"], ["B-name", "O"], ["O", "O", "B-name"]] * 8
        >>> tagger = SequenceTagger(
        ...     model={"units": 8, "embedding": {"width": 8}},
        ...     training={"epochs": 12, "learning_rate": 0.02},
        ...     random_state=0,
        ... )
        >>> tagger.fit(X, y).predict(["Bo met Ana"])
        [['B-name', 'O', 'B-name']]
    """

    task: ClassVar[str] = "tagging"
    default_builder: ClassVar[str] = "bilstm_cnn_crf"

    def __init__(
        self,
        *,
        text: TextParameters = None,
        reading: Reading = "conlleval",
        strict: bool = False,
        calibrate: bool = True,
        tune_f1: bool = False,
        model: Mapping[str, Any] | None = None,
        training: Mapping[str, Any] | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.text = text
        self.reading = reading
        self.strict = strict
        self.calibrate = calibrate
        self.tune_f1 = tune_f1
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
    ) -> SequenceTagger:
        """Fits the tagger anew.

        Args:
            X: Token lists, or strings, which are split by `text.tokenizer`.
            y: A tag for each token of each text; or for each text a pair of its tags and its label.
            validation_data: Texts and targets to stop early by; without them,
                `training.validation_fraction` of X is held out. The epoch with the best score on
                them is kept.
            callbacks: Keras callbacks.

        Raises:
            RecipeError: If a parameter does not hold.
            DataError: If the data does not.
            TrainingError: If the loss stops being finite.
        """
        train, valid = self._prepare(X, y, validation_data)
        held = self._validation
        del self._validation
        smoothing = self._training().label_smoothing
        chain = self._crf
        if chain.trainable and smoothing:
            raise RecipeError(
                "training.label_smoothing: is for tags that are chosen each by itself; set it to "
                f"0, or model.decoder to softmax, got {smoothing}"
            )
        if chain.trainable:
            loss: Any = ChainLoss(chain.negative_log_likelihood)
        else:
            loss = TagCrossEntropy(smoothing)
        if self.classes_ is not None:
            whole = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            loss = {"tags": loss, "classes": whole}
        score = None if held is None else lambda: self._score(*held)
        if self.recipe_.task["tune_f1"] and (held is None or not scheme_of(self.spec_.tags)):
            what = "no text is held out" if held is None else "these tags are plain"
            raise RecipeError(
                f"task.tune_f1: is fitted to held-out texts with tags of spans, but {what}; "
                "leave it out"
            )
        self._fit(train, valid, loss=loss, score=score, callbacks=callbacks)
        if held is None:
            return self
        _, sequences, gold = held
        if self.recipe_.task["calibrate"]:
            ids = self._ids(gold)
            tags = ids["tags"] if isinstance(ids, dict) else ids
            chunks = self._chunks(sequences.lengths)
            fit_temperature(self._emit, chain, sequences, tags, chunks)
        if self.recipe_.task["tune_f1"]:
            self._tune(sequences, gold)  # for the weights that were kept
        return self

    def _tune(self, sequences: Encoded, gold: Gold) -> None:
        fit_outside_shift(
            self._emit,
            self._decoder,
            sequences,
            gold.tags,
            self.tags_.tolist(),
            self.recipe_.task["reading"],
            self._chunks(sequences.lengths),
        )

    def _prepare(self, X: Any, y: Any, validation_data: Any) -> Batches:
        recipe = self.recipe().fill()
        strict = recipe.task["strict"]
        texts: Any = as_texts(X, self._text_options().tokenizer)
        gold = repaired(read_gold(y, texts), strict=strict)
        valid_texts: Any = None
        valid_gold: Any = None
        if validation_data is not None:
            valid_X, valid_y = validation_pair(validation_data)
            valid_texts = self._validation_parts(valid_X, texts)
            valid_gold = read_gold(valid_y, valid_texts, "validation y")
            valid_gold = repaired(valid_gold, strict=strict, name="validation y")
        else:
            texts, gold, valid_texts, valid_gold = held_out(
                texts, gold, recipe.training["validation_fraction"], recipe.seed
            )
        self.tags_ = np.array(gold.names())
        self.classes_ = None if gold.labels is None else np.unique(gold.labels)
        if not len(self.tags_):
            raise DataError("X: no text has a token in it")
        if self.classes_ is not None and len(self.classes_) < 2:
            only = self.classes_[0].item()
            raise DataError(f"y: has the label {only!r} alone; at least 2 are needed, or none")
        if valid_texts is not None:
            name = "y, held out of it" if validation_data is None else "validation y"
            valid_texts, valid_gold = without_unseen(valid_texts, valid_gold, gold, name)
        spec = Spec(
            outputs=len(self.tags_),
            per_step=True,
            tags=self.tags_.tolist(),
            classes=0 if self.classes_ is None else len(self.classes_),
            **self._learn_inputs(texts, None),
        )
        self._build(recipe, spec)
        sequences = self._encode(texts)
        self._set_input_statistics(sequences)
        ids = self._ids(gold)
        self.baseline_ = WordBaseline.learn(
            self._word_ids(texts),
            np.concatenate(ids["tags"] if isinstance(ids, dict) else ids),
            (FIRST + len(self.vocabulary_.words), len(self.tags_)),
            gold.labels,
        )
        size = self._training().batch_size
        train = SequenceBatches(sequences, ids, batch_size=size, ragged=True, seed=recipe.seed)
        self._validation = None
        if valid_texts is None:
            return train, None
        encoded = self._encode(valid_texts)
        if not encoded.lengths.any():
            if validation_data is not None:
                raise DataError("validation X: no text has a token in it")
            return train, None
        self._validation = (valid_texts, encoded, valid_gold)
        return train, SequenceBatches(encoded, self._ids(valid_gold), batch_size=size, ragged=True)

    def _ids(self, gold: Gold) -> Any:
        """Targets as ids: a list of `(time,)`, and with labels a dict of both."""
        place = {name: index for index, name in enumerate(self.tags_.tolist())}
        tags = [np.array([place[tag] for tag in each], np.int32) for each in gold.tags]
        if self.classes_ is None or gold.labels is None:
            return tags
        return {"tags": tags, "classes": np.searchsorted(self.classes_, gold.labels)}

    def _assemble(self, network: keras.Model) -> tuple[keras.Model, keras.Model]:
        inputs, scores = self._inputs(network)
        names = self.spec_.tags
        scheme = scheme_of(names)
        emissions = scores["tags"] if self.spec_.classes else scores
        found = [layer for layer in network.layers if isinstance(layer, CRF)]
        # Without a chain of its own a network's tags are independent: a chain of zeros, which
        # still knows what the scheme forbids.
        self._crf = (
            found[0]
            if found
            else CRF(
                forbidden=forbidden(names, scheme) if scheme else None,
                constrained=False,
                initializer="zeros",
                trainable=False,
                name="crf",
            )
        )
        decoder = self._decoder = TagDecoder(
            self._crf,
            continues=continues(names) if scheme else None,
            outside=[name == OUTSIDE for name in names] if scheme else None,
            name="decoder",
        )
        mask = LengthMask(name="valid")(emissions, inputs["lengths"])
        outputs = dict(decoder(emissions, mask=mask))
        if self.spec_.classes:
            softmax = keras.layers.Softmax(name="label_probabilities", dtype="float32")
            outputs["label_probabilities"] = softmax(scores["classes"])
        raw = {"emissions": emissions}
        if self.spec_.classes:
            raw["label_probabilities"] = outputs["label_probabilities"]
        emit = keras.Model(inputs, raw, name="emissions")
        self._nbest = {}
        self._emit = Forward(emit)
        self._quick = Forward(emit, self._decode)
        return self._trainable(inputs, scores), keras.Model(inputs, outputs, name="servable")

    def _score(self, texts: Texts, sequences: Encoded, gold: Gold) -> float:
        """What the best epoch is the best in: the score, and of labels their accuracy as well."""
        if self.recipe_.task["tune_f1"]:
            self._tune(sequences, gold)
        found = self._evaluate(texts, sequences, gold)
        score = found.metrics[found.primary]
        return score if self.classes_ is None else (score + found.metrics["label_accuracy"]) / 2

    # --- persistence ---

    def _label_names(self) -> np.ndarray | None:
        return self.classes_

    def _preprocessing(self) -> dict[str, Any]:
        return {
            **super()._preprocessing(),
            "classes": None if self.classes_ is None else self.classes_.tolist(),
            "baseline_label": self.baseline_.label,
        }

    def _arrays(self) -> dict[str, np.ndarray]:
        return {"_baseline_tags": self.baseline_.tags, "_baseline_seen": self.baseline_.seen}

    def _restore_task(
        self, preprocessing: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
    ) -> None:
        super()._restore_task(preprocessing, arrays)
        try:
            self.tags_ = np.array(preprocessing["spec"]["tags"])
            classes = preprocessing["classes"]
            self.classes_ = None if classes is None else np.array(classes)
            self.baseline_ = WordBaseline(
                arrays["_baseline_tags"], arrays["_baseline_seen"], preprocessing["baseline_label"]
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ArtefactError(f"preprocessing.json: {error}") from None
