"""Words and their characters, read both ways, and tagged as a chain."""

from __future__ import annotations

from typing import Any, Literal

import keras
from keras import layers

from kseq.builders.embedding import Embedding
from kseq.builders.heads import head
from kseq.builders.inputs import sequence_inputs
from kseq.builders.recurrence import Widths
from kseq.layers.crf import CRF
from kseq.layers.recurrent import LSTM
from kseq.registry import builders
from kseq.schema import Count, Fraction
from kseq.spec import Spec
from kseq.tags import forbidden, scheme_of


@builders.register("bilstm_cnn_crf")
def bilstm_cnn_crf(
    spec: Spec,
    *,
    units: Count | Widths = 200,
    dropout: Fraction = 0.5,
    variational: bool = False,
    decoder: Literal["crf", "softmax"] = "crf",
    constrained: bool = True,
    embedding: Embedding = None,
) -> keras.Model:
    """BiLSTM-CNN-CRF: words and their characters, read both ways, and a conditional random field.

    Sequences of numbers with a tag a step are taken as well; they have no embedding.

    Args:
        spec: What the data decides.
        units: The size of each direction of the LSTM, or of each layer's.
        dropout: The share of the features of the characters, of the tokens, and of each layer's
            outputs, that is dropped in training.
        variational: Whether a feature that is dropped is dropped at all steps of its sequence.
        decoder: How tags are chosen: together by a `crf`, or each by itself by a `softmax`.
        constrained: Whether the `crf` gives no probability to what the tags' scheme forbids, such
            as an `I-` after `O`. Forbidden tags are never decoded either way.
        embedding: How tokens are embedded: the parameters of `text_embedding`.

    Raises:
        ValueError: If there is not one target a step.

    Example:
        >>> spec = Spec(
        ...     features=0, outputs=3, per_step=True, streams={"words": 50, "characters": 30}
        ... )
        >>> bilstm_cnn_crf(spec, units=8).output_shape  # (batch, time, tags)
        (None, None, 3)

    Reference:
        Ma and Hovy (2016), End-to-end sequence labeling via bi-directional LSTM-CNNs-CRF.
    """
    if not spec.per_step:
        raise ValueError(
            "gives one tag a time step, but the targets are one a sequence; choose stacked_rnn, "
            "cnn_lstm or lstm_fcn"
        )
    if spec.streams:
        embedding = dict(embedding or {})
        if embedding.get("character_dropout") is None:
            embedding["character_dropout"] = dropout
    inputs = sequence_inputs(spec, embedding)
    drop: Any = layers.SpatialDropout1D if variational else layers.Dropout
    x = drop(dropout, name="tokens_dropout")(inputs.x) if dropout else inputs.x
    for number, size in enumerate([units] if isinstance(units, int) else units, start=1):
        lstm = LSTM(size, block=None, return_sequences=True, name=f"lstm_{number}")
        x = layers.Bidirectional(lstm, name=f"lstm_{number}_both_ways")(x, mask=inputs.mask)
        if dropout:
            x = drop(dropout, name=f"lstm_{number}_dropout")(x)
    scores = head(x, inputs.future, spec, inputs.mask)
    if decoder == "crf":
        scheme = scheme_of(spec.tags)
        crf = CRF(
            forbidden=forbidden(spec.tags, scheme) if scheme else None,
            constrained=constrained,
            name="crf",
        )
        if isinstance(scores, dict):
            scores = {**scores, "tags": crf(scores["tags"])}
        else:
            scores = crf(scores)
    return inputs.model(scores, name="bilstm_cnn_crf")
