"""The signatures of a model that takes text: strings in, names out.

This file imports TensorFlow by name: the signatures are functions of its graphs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kseq.data.vocabulary import Vocabulary
from kseq.serving.text_graph import TextGraph
from kseq.tags import parse

DEFAULT = "serving_default"
TOKENS = "serve_tokens"
TEXT = "serve_text"

Tensors = dict[str, Any]
Signature = tuple[dict[str, tf.TensorSpec], Callable[[Tensors], Tensors]]


class TextEndpoints:
    """Signatures around a model that takes the ids of a vocabulary.

    `serve_tokens` takes `tokens` `(batch, time)` and `lengths` `(batch,)`, `serve_text` takes
    `text` `(batch,)`, and `serving_default` is one of the two. Both return the model's outputs,
    names in place of ids. Tags become `tags` and `probabilities`, `(batch, time)`, each tag's own,
    and, where they stand for spans, `span_label`, `span_start`, `span_end` and `span_probability`,
    `(batch, spans)`: tokens for `serve_tokens`, characters for `serve_text`. Rows are filled up
    with empty strings, -1 and 0.

    Args:
        vocabulary: What turns tokens into ids.
        default: Which signature is `serving_default`, `tokens` or `text`.
        tags: The names of the tags, of a tagger.
        labels: The names of the classes, of a classifier or of a tagger's whole texts.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        default: str,
        *,
        tags: Sequence[str] | None = None,
        labels: Sequence[Any] | np.ndarray | None = None,
    ) -> None:
        self.graph = TextGraph(vocabulary)
        self.default = default
        self.tags = None if tags is None else [str(tag) for tag in tags]
        self.labels = labels

    def signatures(self, servable: keras.Model) -> dict[str, Signature]:
        """Each signature's inputs and function."""
        tokens = {
            "tokens": tf.TensorSpec((None, None), tf.string, name="tokens"),
            "lengths": tf.TensorSpec((None,), tf.int32, name="lengths"),
        }
        text = {"text": tf.TensorSpec((None,), tf.string, name="text")}
        ids = {
            given.name: tf.TensorSpec(given.shape, given.dtype, name=given.name)
            for given in servable.inputs
        }
        # One graph of the model for all signatures.
        model = tf.function(
            lambda inputs: dict(servable(inputs, training=False)),
            input_signature=[ids],
            autograph=False,
        )

        def serve_tokens(inputs: Tensors) -> Tensors:
            found = {"tokens": inputs["tokens"], "lengths": inputs["lengths"]}
            outputs = self._run(model, found["tokens"], found["lengths"])
            return self._named(outputs, found, None)

        def serve_text(inputs: Tensors) -> Tensors:
            found = self.graph.tokens(inputs["text"])
            outputs = self._run(model, found["tokens"], found["lengths"])
            places = (found["starts"], found["ends"])
            answer = self._named(outputs, found, places)
            return answer if self.tags is None else {**answer, "tokens": found["tokens"]}

        both: dict[str, Signature] = {TOKENS: (tokens, serve_tokens), TEXT: (text, serve_text)}
        return {DEFAULT: both[TEXT if self.default == "text" else TOKENS], **both}

    def _run(self, model: Callable[..., Tensors], tokens: Any, lengths: Any) -> Tensors:
        # A row of no columns would leave the layers without a step to look at.
        batch, time = tf.unstack(tf.shape(tokens))
        spare = tf.fill([batch, tf.cast(time == 0, tf.int32)], "")
        lengths = tf.clip_by_value(lengths, 0, time)
        ids = self.graph.ids(tf.concat([tokens, spare], axis=1), lengths)
        return model({name: tf.cast(each, tf.int32) for name, each in ids.items()})

    def _named(self, outputs: Tensors, found: Tensors, places: Any) -> Tensors:
        if self.tags is None:
            if self.labels is None:
                return outputs
            return {**outputs, **_label(outputs["probabilities"], self.labels)}
        time = tf.shape(outputs["tags"])[1]
        valid = tf.sequence_mask(tf.minimum(found["lengths"], time), time)
        names = tf.gather(tf.constant(self.tags), outputs["tags"])
        own = tf.gather(outputs["probabilities"], outputs["tags"], batch_dims=2)
        answer = {
            "tags": tf.where(valid, names, ""),
            "probabilities": tf.where(valid, own, 0.0),
        }
        if "starts" in outputs:
            answer |= self._spans(outputs, places)
        if self.labels is not None:
            scores = outputs["label_probabilities"]
            answer |= {"label_probabilities": scores, **_label(scores, self.labels)}
        return answer

    def _spans(self, outputs: Tensors, places: Any) -> Tensors:
        kinds = tf.constant([parse(tag)[1] for tag in self.tags or []])
        step = tf.range(tf.shape(outputs["tags"])[1])[None]
        first = tf.broadcast_to(step, tf.shape(outputs["tags"]))
        behind = first + 1
        if places is not None:
            first, behind = places
        labels = tf.gather(kinds, outputs["tags"])

        def packed(values: Any, where: Any, filler: Any) -> Any:
            return tf.ragged.boolean_mask(values, where).to_tensor(filler)

        return {
            "span_label": packed(labels, outputs["starts"], ""),
            "span_start": packed(first, outputs["starts"], -1),
            "span_end": packed(behind, outputs["ends"], -1),
            "span_probability": packed(outputs["span_probabilities"], outputs["ends"], 0.0),
        }


def _label(probabilities: Any, labels: Any) -> Tensors:
    return {"label": tf.gather(tf.constant(np.asarray(labels)), tf.argmax(probabilities, axis=-1))}
