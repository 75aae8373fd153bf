"""From the ids of text to features a token, the block in front of every builder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import keras
from keras import layers

from kseq.layers.characters import CharacterCNN, CharacterEncoder, CharacterLSTM
from kseq.schema import Count, Fraction, Section
from kseq.spec import Spec

_AFFIXES = ("prefixes", "suffixes")


def text_embedding(
    spec: Spec,
    streams: Mapping[str, Any],
    *,
    width: Count = 100,
    frozen: bool = False,
    character_encoder: CharacterEncoder = "cnn",
    character_width: Count = 30,
    character_units: Count = 30,
    kernel_size: Count = 3,
    character_dropout: Fraction | None = None,
    casing_width: Count = 8,
    affix_width: Count = 16,
) -> Any:
    """What is known of each token, side by side.

    Args:
        spec: What the data decides.
        streams: The inputs of ids, by name.
        width: Of a word's embedding. Pretrained vectors bring their own.
        frozen: Whether the words' embeddings are left as they are, for pretrained vectors.
        character_encoder: What reads the characters inside a token: a `cnn`, or an `lstm` both
            ways.
        character_width: Of a character's embedding.
        character_units: Filters of the `cnn`, or units of each direction of the `lstm`.
        kernel_size: The characters that a filter of the `cnn` spans.
        character_dropout: The share of the features of the characters that is dropped in training;
            None is the `dropout` of `bilstm_cnn_crf`, and with other builders 0.
        casing_width: Of the embedding of how a token is written.
        affix_width: Of the embedding of each prefix and suffix.

    Returns:
        `(batch, time, features)`.

    Example:
        >>> spec = Spec(features=0, outputs=2, streams={"words": 50})
        >>> ids = {"words": keras.Input((None,), dtype="int32")}
        >>> text_embedding(spec, ids, width=16).shape
        (None, None, 16)
    """
    parts = []
    for name, count in sorted(spec.streams.items()):
        ids = streams[name]
        if name == "words":
            parts.append(_embedding(name, count, spec.vectors or width, trainable=not frozen)(ids))
        elif name == "characters" and character_encoder == "cnn":
            encoder = CharacterCNN(
                count,
                width=character_width,
                filters=character_units,
                kernel_size=kernel_size,
                dropout=character_dropout or 0.0,
                name="character_cnn",
            )
            parts.append(encoder(ids))
        elif name == "characters":
            reader = CharacterLSTM(
                count,
                width=character_width,
                units=character_units,
                dropout=character_dropout or 0.0,
                name="character_lstm",
            )
            parts.append(reader(ids))
        elif name in _AFFIXES:
            embedded = _embedding(name, count, affix_width)(ids)  # (batch, time, affixes, width)
            flat = layers.Reshape((-1, spec.affixes * affix_width), name=f"{name}_flat")
            parts.append(flat(embedded))
        else:
            parts.append(_embedding(name, count, casing_width)(ids))
    return layers.Concatenate(name="tokens")(parts) if len(parts) > 1 else parts[0]


Embedding = Annotated[Mapping[str, Any] | None, Section(text_embedding)]


def stream_inputs(spec: Spec) -> dict[str, Any]:
    """The inputs of ids that a spec of text asks for.

    Example:
        >>> spec = Spec(features=0, outputs=2, streams={"characters": 50})
        >>> stream_inputs(spec)["characters"].shape
        (None, None, None)
    """
    shapes: dict[str, tuple[int | None, ...]] = {"characters": (None, None)}
    shapes |= dict.fromkeys(_AFFIXES, (None, spec.affixes))
    return {
        name: keras.Input(shapes.get(name, (None,)), dtype="int32", name=name)
        for name in sorted(spec.streams)
    }


def embedding_size(spec: Spec, given: Mapping[str, Any]) -> tuple[int, int]:
    """The features of a token, and the parameters of its embedding.

    Args:
        spec: What the data decides.
        given: The parameters of `text_embedding`, complete.
    """
    features = count = 0
    inner = given["character_width"]
    for name, ids in spec.streams.items():
        if name == "characters":
            units = given["character_units"]
            if given["character_encoder"] == "cnn":
                width, more = units, (given["kernel_size"] * inner + 1) * units
            else:
                width, more = 2 * units, 8 * units * (inner + units + 1)
            count += ids * inner + more
        elif name in _AFFIXES:
            width = spec.affixes * given["affix_width"]
            count += ids * given["affix_width"]
        else:
            width = (spec.vectors or given["width"]) if name == "words" else given["casing_width"]
            count += ids * width
        features += width
    return features, count


def _embedding(name: str, count: int, width: int, *, trainable: bool = True) -> layers.Embedding:
    # Of deviation one over the root of the width, as in Ma and Hovy (2016).
    bound = (3 / width) ** 0.5
    return layers.Embedding(
        count,
        width,
        embeddings_initializer=keras.initializers.RandomUniform(-bound, bound),
        trainable=trainable,
        name=f"{name}_embedding",
    )
