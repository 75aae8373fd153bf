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
from kseq.estimators.gold import Gold, read_gold, refuse_unseen, repaired, rows_without_unseen
from kseq.estimators.models import Models
from kseq.estimators.outside import fit_outside_shift
from kseq.estimators.sample_weight import ClassWeight, Weights, class_weights, read_weights
from kseq.estimators.supervised import Encoded, TextParameters
from kseq.estimators.tag_answers import TagAnswers
from kseq.estimators.tag_network import assemble
from kseq.estimators.temperature import fit_label_temperature, fit_temperature
from kseq.estimators.validation import draw_rows, set_apart, validation_set
from kseq.losses import ChainLoss, TagCrossEntropy
from kseq.metrics.tagging import Reading
from kseq.registry import tasks
from kseq.spec import Spec
from kseq.tags import scheme_of


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
            fitted to the validation data (Guo et al. 2017); those of labels by one of their own,
            where 30 texts are held out. It changes neither the tags nor the labels.
        tune_f1: Whether tags are chosen for the best F1 of their spans on the validation data, in
            place of the most probable: by a shift of the scores of `O` that is fitted to them.
            Probabilities and the n best taggings do not know of it.
        class_weight: How much each tag counts in the loss: `balanced`, inversely to how often it
            occurs in training; or weights by tag, with 1 for one that is not named. For tags that
            are chosen each by itself: `model.decoder: softmax`.
        model: The recipe's `model` section: a builder's name and parameters.
        training: The recipe's `training` section.
        warm_start: Whether `fit` goes on from the weights of the last fit. It calibrates then only
            by `validation_data`: what is held out of X may have been learned before.
        random_state: Seed; the same seed on the same machine gives the same weights.

    Attributes:
        tags_: The tags, sorted.
        classes_: The labels of whole texts, sorted; None where there are none.
        vocabulary_: What the training text decided.
        temperature_: What scores are divided by for probabilities.
        label_temperature_: The same for the scores of labels.
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
        class_weight: ClassWeight = None,
        model: Mapping[str, Any] | None = None,
        training: Mapping[str, Any] | None = None,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.text = text
        self.reading = reading
        self.strict = strict
        self.calibrate = calibrate
        self.tune_f1 = tune_f1
        self.class_weight = class_weight
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
    ) -> SequenceTagger:
        """Fits the tagger anew, or with `warm_start` from the weights that it has.

        Args:
            X: Token lists, or strings, which are split by `text.tokenizer`.
            y: A tag for each token of each text; or for each text a pair of its tags and its label.
            sample_weight: How much each text counts in the loss, `(n,)`; or each of its tokens, a
                list of `(tokens,)`, where tags are chosen each by itself. What has 0 is left out.
                Only their proportions matter.
            validation_data: Texts and targets to stop early by, and perhaps their weights; without
                them, `training.validation_fraction` of X is held out. The epoch with the best score
                on them is kept. Temperatures are fitted to them, after a warm start to none but
                those given here.
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
        held = self.__dict__.pop("_validation")
        if self.recipe_.task["tune_f1"] and (held is None or not scheme_of(self.spec_.tags)):
            what = "no text is held out" if held is None else "these tags are plain"
            raise RecipeError(
                f"task.tune_f1: is fitted to held-out texts with tags of spans, but {what}; "
                "leave it out"
            )
        score = None if held is None else lambda: self._score(*held)
        self._tags.reset_temperatures()
        apart = set_apart(held, validation_data, onward, self.recipe_.task)
        self._train(train, valid, score=score, callbacks=callbacks, onward=onward)
        if held is None:
            return self
        _, sequences, gold = held
        if apart and self.recipe_.task["calibrate"]:
            chunks = self._chunks(sequences.lengths)
            fit_temperature(self._tags, sequences, self._tag_ids(gold), chunks)
            if self.classes_ is not None:
                fit_label_temperature(self._tags, sequences, self._label_ids(gold), chunks)
        if self.recipe_.task["tune_f1"]:
            self._tune(sequences, gold)  # for the weights that were kept
        return self

    def _train(self, train: Any, valid: Any, **how: Any) -> None:
        smoothing = self._training().label_smoothing
        if self._tags.chain.trainable and smoothing:
            raise RecipeError(
                "training.label_smoothing: is for tags that are chosen each by itself; set it to "
                f"0, or model.decoder to softmax, got {smoothing}"
            )
        loss: Any = TagCrossEntropy(smoothing)
        if self._tags.chain.trainable:
            loss = ChainLoss(self._tags.chain.negative_log_likelihood)
        if self.classes_ is not None:
            whole = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            loss = {"tags": loss, "classes": whole}
        self._fit(train, valid, loss=loss, **how)

    def _tune(self, sequences: Encoded, gold: Gold) -> None:
        fit_outside_shift(
            self._tags,
            sequences,
            gold.tags,
            self.tags_.tolist(),
            self.recipe_.task["reading"],
            self._chunks(sequences.lengths),
        )

    def _prepare(
        self,
        X: Any,
        y: Any,
        validation_data: Any,
        *,
        sample_weight: Any = None,
        onward: bool = False,
    ) -> Batches:
        recipe = self._onward() if onward else self.recipe().fill()
        strict = recipe.task["strict"]
        texts: Any = as_texts(X, self._text_options().tokenizer)
        gold = repaired(read_gold(y, texts), strict=strict)
        weights = read_weights(sample_weight, texts.lengths, per_step=True)
        counted = weights.counted()
        texts, gold, weights = texts.take(counted), gold.take(counted), weights.take(counted)
        valid: Any = None
        if validation_data is not None:
            valid_X, valid_y, valid_weight = validation_set(validation_data)
            found: Any = self._validation_parts(valid_X, texts)
            found_gold = read_gold(valid_y, found, "validation y")
            found_gold = repaired(found_gold, strict=strict, name="validation y")
            name = "validation sample_weight"
            found_weights = read_weights(valid_weight, found.lengths, per_step=True, name=name)
            valid = (found, found_gold, found_weights)
        else:
            rows, held = draw_rows(len(texts), recipe.training["validation_fraction"], recipe.seed)
            if len(held):
                valid = (texts.take(held), gold.take(held), weights.take(held))
                texts, gold, weights = texts.take(rows), gold.take(rows), weights.take(rows)
        if not onward:
            self._learn_targets(gold)
        else:
            refuse_unseen(gold, self.tags_, self.classes_)
        if valid is not None:
            name = "y, held out of it" if validation_data is None else "validation y"
            kept = rows_without_unseen(valid[0], valid[1], self.tags_, self.classes_, name)
            valid = tuple(each.take(kept) for each in valid) if len(kept) else None
        if not onward:
            self._learn_columns(None, texts)
            spec = Spec(
                outputs=len(self.tags_),
                per_step=True,
                tags=self.tags_.tolist(),
                classes=0 if self.classes_ is None else len(self.classes_),
                **self._learn_inputs(texts, None),
            )
            self._build(recipe, spec)
            self.baseline_ = WordBaseline.learn(
                self._word_ids(texts),
                np.concatenate(self._tag_ids(gold)),
                (FIRST + len(self.vocabulary_.words), len(self.tags_)),
                gold.labels,
            )
        order = {"seed": recipe.seed, "epochs": self._epochs(onward)}
        per_tag = self._tag_weights(gold, weights)
        train = self._batches(self._encode(texts), gold, weights, per_tag, **order)
        self._validation = None
        if valid is None:
            return train, None
        held_texts, held_gold, held_weights = valid
        encoded = self._encode(held_texts)
        if not encoded.lengths.any():
            if validation_data is not None:
                raise DataError("validation X: no text has a token in it")
            return train, None
        self._validation = (held_texts, encoded, held_gold)
        return train, self._batches(encoded, held_gold, held_weights, per_tag)

    def _learn_targets(self, gold: Gold) -> None:
        self.tags_ = np.array(gold.names())
        self.classes_ = None if gold.labels is None else np.unique(gold.labels)
        if not len(self.tags_):
            raise DataError("X: no text has a token in it")
        if self.classes_ is not None and len(self.classes_) < 2:
            only = self.classes_[0].item()
            raise DataError(f"y: has the label {only!r} alone; at least 2 are needed, or none")

    def _tag_weights(self, gold: Gold, weights: Weights) -> np.ndarray | None:
        """The weight of each tag, where tags have weights of their own."""
        wish = self.recipe_.task["class_weight"]
        if self._tags.chain.trainable and (wish is not None or isinstance(weights.values, list)):
            what = "sample_weight" if wish is None else "task.class_weight"
            raise RecipeError(
                f"{what}: weighs single tags, but a conditional random field learns whole taggings;"
                " weigh whole texts with sample_weight (n,), or set model.decoder to softmax"
            )
        return class_weights(wish, self.tags_, np.concatenate(gold.tags))

    def _batches(
        self,
        sequences: Encoded,
        gold: Gold,
        weights: Weights,
        per_tag: np.ndarray | None,
        **order: Any,
    ) -> SequenceBatches:
        tags = self._tag_ids(gold)
        of_tags = weights
        if per_tag is not None:
            each = zip(weights.per_step(sequences.lengths), tags, strict=True)
            of_tags = Weights([w * per_tag[ids] for w, ids in each])
        targets: Any = tags
        counts: Any = of_tags.scaled()
        if self.classes_ is not None and gold.labels is not None:
            targets = {"tags": tags, "classes": self._label_ids(gold)}
            of_texts = np.ones(len(gold)) if isinstance(weights.values, list) else weights.values
            if counts is not None:
                counts = {"tags": counts, "classes": of_texts / of_texts.mean()}
        size = self._training().batch_size
        return SequenceBatches(
            sequences, targets, weights=counts, batch_size=size, ragged=True, **order
        )

    def _assemble(self, network: keras.Model) -> Models:
        inputs, scores = self._inputs(network)
        servable, tags = assemble(network, self.spec_, inputs, scores)
        trainable = self._trainable(inputs, scores)
        return Models(network=network, trainable=trainable, servable=servable, parts=tags)

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
