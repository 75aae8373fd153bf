"""What the characters inside a token say about it.

This file imports TensorFlow by name: a batch of text has many tokens more than once, padding most
of all, and TensorFlow can find out which, so that each is read once.
"""

from __future__ import annotations

from typing import Any, Literal

import keras
from keras import ops

from kseq.layers.recurrent import LSTM

if keras.config.backend() == "tensorflow":
    import tensorflow as tf

_LOWEST = -1e4  # below every answer of a filter, and a number in float16


# XLA would have to know beforehand how many tokens there are.
_BY_TOKEN = keras.config.backend() == "tensorflow"


def _tokens(ids: Any) -> tuple[Any, Any]:
    """The tokens of a batch `(batch, time, characters)`, each once where that can be found out.

    Returns:
        `(tokens, characters)`, and the place among them of every token `(batch * time,)`; None
        where they stand as they were.
    """
    flat = ops.reshape(ids, (-1, ops.shape(ids)[-1]))
    if not _BY_TOKEN:
        return flat, None
    tokens, places = tf.raw_ops.UniqueV2(x=flat, axis=[0])
    return tf.ensure_shape(tokens, (None, flat.shape[1])), places


def _spread(features: Any, places: Any) -> Any:
    """Features of each token `(tokens, features)`, where the tokens stood."""
    return features if places is None else ops.take(features, places, axis=0)


@keras.saving.register_keras_serializable("kseq")
class CharacterCNN(keras.layers.Layer):
    """Embeds the characters of each token and keeps the strongest answer of each filter.

    Args:
        vocabulary: How many ids there are; 0 is padding and is never seen.
        width: Of a character's embedding.
        filters: The number of filters, and so of features of a token.
        kernel_size: The characters that a filter spans.
        dropout: The share of the embeddings' features that is dropped in training, for every
            distinct token of a batch anew.
        **options: The usual arguments of a layer.

    Example:
        >>> layer = CharacterCNN(50, width=8, filters=4)
        >>> layer(keras.ops.ones((2, 5, 7), "int32")).shape  # ids (batch, time, characters)
        TensorShape([2, 5, 4])

    Reference:
        dos Santos and Zadrozny (2014), Learning character-level representations for part-of-speech
        tagging; Ma and Hovy (2016), End-to-end sequence labeling via bi-directional LSTM-CNNs-CRF.
    """

    def __init__(
        self,
        vocabulary: int,
        *,
        width: int = 30,
        filters: int = 30,
        kernel_size: int = 3,
        dropout: float = 0.0,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.vocabulary = vocabulary
        self.width = width
        self.filters = filters
        self.kernel_size = kernel_size
        self.dropout = dropout
        self.drop = keras.layers.Dropout(dropout, dtype=self.dtype_policy, name="dropout")
        self.supports_jit = not _BY_TOKEN

    def build(self, shape: Any) -> None:
        """Makes the weights."""
        bound = (3 / self.width) ** 0.5
        self.embeddings = self.add_weight(
            name="embeddings",
            shape=(self.vocabulary, self.width),
            initializer=keras.initializers.RandomUniform(-bound, bound),
        )
        self.kernel = self.add_weight(
            name="kernel", shape=(self.kernel_size * self.width, self.filters)
        )
        self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros")

    def call(self, ids: Any, training: bool = False) -> Any:
        """Features of each token.

        Args:
            ids: Character ids, `(batch, time, characters)`, 0 after each token's end.
            training: Whether features are dropped.

        Returns:
            `(batch, time, filters)`; zeros for a token without characters.
        """
        _, time, length = ops.shape(ids)
        ids, places = _tokens(ids)
        valid = ops.expand_dims(ids > 0, -1)
        x = ops.take(self.embeddings, ids, axis=0)  # (tokens, characters, width)
        x = self.drop(x, training=training)
        x = ops.where(valid, x, ops.zeros_like(x))
        before = (self.kernel_size - 1) // 2
        x = ops.pad(x, ((0, 0), (before, self.kernel_size - 1 - before), (0, 0)))
        spans = [x[:, start : start + length] for start in range(self.kernel_size)]
        x = ops.matmul(ops.concatenate(spans, axis=-1), self.kernel)
        # The bias and tanh leave the order as it is, and of one answer they cost less than of all.
        x = ops.max(ops.where(valid, x, ops.full_like(x, _LOWEST)), axis=1)
        x = ops.tanh(x + self.bias)  # (tokens, filters)
        x = ops.where(ops.any(valid, axis=1), x, ops.zeros_like(x))
        return ops.reshape(_spread(x, places), (-1, time, self.filters))

    def compute_output_shape(self, shape: Any) -> tuple[int | None, ...]:
        """`(batch, time, filters)`."""
        return (*shape[:2], self.filters)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        names = ("vocabulary", "width", "filters", "kernel_size", "dropout")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable("kseq")
class CharacterLSTM(keras.layers.Layer):
    """Reads the characters of each token both ways and keeps both last states.

    Args:
        vocabulary: How many ids there are; 0 is padding and is never seen.
        width: Of a character's embedding.
        units: The size of each direction's state.
        dropout: The share of the embeddings' features that is dropped in training, for every
            distinct token of a batch anew.
        **options: The usual arguments of a layer.

    Example:
        >>> layer = CharacterLSTM(50, width=8, units=4)
        >>> layer(keras.ops.ones((2, 5, 7), "int32")).shape  # ids (batch, time, characters)
        TensorShape([2, 5, 8])

    Reference:
        Lample et al. (2016), Neural architectures for named entity recognition.
    """

    def __init__(
        self,
        vocabulary: int,
        *,
        width: int = 30,
        units: int = 25,
        dropout: float = 0.0,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.vocabulary = vocabulary
        self.width = width
        self.units = units
        self.dropout = dropout
        self.drop = keras.layers.Dropout(dropout, dtype=self.dtype_policy, name="dropout")
        self.supports_jit = not _BY_TOKEN
        bound = (3 / width) ** 0.5
        self.embedding = keras.layers.Embedding(
            vocabulary,
            width,
            embeddings_initializer=keras.initializers.RandomUniform(-bound, bound),
            dtype=self.dtype_policy,
            name="embedding",
        )
        lstm = LSTM(units, block=None, dtype=self.dtype_policy, name="lstm")
        self.reader = keras.layers.Bidirectional(lstm, dtype=self.dtype_policy, name="both_ways")

    def build(self, shape: Any) -> None:
        """Makes the weights."""
        self.embedding.build((None, None))
        self.reader.build((None, None, self.width))

    def call(self, ids: Any, training: bool = False) -> Any:
        """Features of each token.

        Args:
            ids: Character ids, `(batch, time, characters)`, 0 after each token's end.
            training: Whether features are dropped.

        Returns:
            `(batch, time, 2 * units)`; zeros for a token without characters.
        """
        time = ops.shape(ids)[1]
        ids, places = _tokens(ids)
        x = self.drop(self.embedding(ids), training=training)
        x = self.reader(x, mask=ids > 0, training=training)
        x = ops.where(ops.any(ids > 0, axis=1, keepdims=True), x, ops.zeros_like(x))
        return ops.reshape(_spread(x, places), (-1, time, 2 * self.units))

    def compute_output_shape(self, shape: Any) -> tuple[int | None, ...]:
        """`(batch, time, 2 * units)`."""
        return (*shape[:2], 2 * self.units)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        names = ("vocabulary", "width", "units", "dropout")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


CharacterEncoder = Literal["cnn", "lstm"]
