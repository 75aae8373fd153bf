"""What the characters inside a token say about it."""

from __future__ import annotations

from typing import Any, Literal

import keras
from keras import ops

from kseq.layers.block_lstm import BlockLSTM


@keras.saving.register_keras_serializable("kseq")
class CharacterCNN(keras.layers.Layer):
    """Embeds the characters of each token and keeps the strongest answer of each filter.

    Args:
        vocabulary: How many ids there are; 0 is padding and is never seen.
        width: Of a character's embedding.
        filters: The number of filters, and so of features of a token.
        kernel_size: The characters that a filter spans.
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
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.vocabulary = vocabulary
        self.width = width
        self.filters = filters
        self.kernel_size = kernel_size

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

    def call(self, ids: Any) -> Any:
        """Features of each token.

        Args:
            ids: Character ids, `(batch, time, characters)`, 0 after each token's end.

        Returns:
            `(batch, time, filters)`; zeros for a token without characters.
        """
        _, time, length = ops.shape(ids)
        ids = ops.reshape(ids, (-1, length))
        valid = ops.expand_dims(ops.cast(ids > 0, self.compute_dtype), -1)
        x = ops.take(self.embeddings, ids, axis=0) * valid  # (batch * time, characters, width)
        before = (self.kernel_size - 1) // 2
        x = ops.pad(x, ((0, 0), (before, self.kernel_size - 1 - before), (0, 0)))
        spans = [x[:, start : start + length] for start in range(self.kernel_size)]
        x = ops.tanh(ops.matmul(ops.concatenate(spans, axis=-1), self.kernel) + self.bias)
        # tanh lies above -1, so what is no character never is the strongest.
        x = ops.max(ops.where(valid > 0, x, -ops.ones_like(x)), axis=1)
        x = ops.where(ops.any(ids > 0, axis=1, keepdims=True), x, ops.zeros_like(x))
        return ops.reshape(x, (-1, time, self.filters))

    def compute_output_shape(self, shape: Any) -> tuple[int | None, ...]:
        """`(batch, time, filters)`."""
        return (*shape[:2], self.filters)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = {name: getattr(self, name) for name in ("vocabulary", "width", "filters")}
        return {**super().get_config(), **own, "kernel_size": self.kernel_size}


@keras.saving.register_keras_serializable("kseq")
class CharacterLSTM(keras.layers.Layer):
    """Reads the characters of each token both ways and keeps both last states.

    Args:
        vocabulary: How many ids there are; 0 is padding and is never seen.
        width: Of a character's embedding.
        units: The size of each direction's state.
        **options: The usual arguments of a layer.

    Example:
        >>> layer = CharacterLSTM(50, width=8, units=4)
        >>> layer(keras.ops.ones((2, 5, 7), "int32")).shape  # ids (batch, time, characters)
        TensorShape([2, 5, 8])

    Reference:
        Lample et al. (2016), Neural architectures for named entity recognition.
    """

    def __init__(
        self, vocabulary: int, *, width: int = 30, units: int = 25, **options: Any
    ) -> None:
        super().__init__(**options)
        self.vocabulary = vocabulary
        self.width = width
        self.units = units
        bound = (3 / width) ** 0.5
        self.embedding = keras.layers.Embedding(
            vocabulary,
            width,
            embeddings_initializer=keras.initializers.RandomUniform(-bound, bound),
            dtype=self.dtype_policy,
            name="embedding",
        )
        lstm = BlockLSTM(units, dtype=self.dtype_policy, name="lstm")
        self.reader = keras.layers.Bidirectional(lstm, dtype=self.dtype_policy, name="both_ways")

    def build(self, shape: Any) -> None:
        """Makes the weights."""
        self.embedding.build((None, None))
        self.reader.build((None, None, self.width))

    def call(self, ids: Any, training: bool = False) -> Any:
        """Features of each token.

        Args:
            ids: Character ids, `(batch, time, characters)`, 0 after each token's end.
            training: Passed on.

        Returns:
            `(batch, time, 2 * units)`; zeros for a token without characters.
        """
        _, time, length = ops.shape(ids)
        ids = ops.reshape(ids, (-1, length))
        x = self.reader(self.embedding(ids), mask=ids > 0, training=training)
        x = ops.where(ops.any(ids > 0, axis=1, keepdims=True), x, ops.zeros_like(x))
        return ops.reshape(x, (-1, time, 2 * self.units))

    def compute_output_shape(self, shape: Any) -> tuple[int | None, ...]:
        """`(batch, time, 2 * units)`."""
        return (*shape[:2], 2 * self.units)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = {name: getattr(self, name) for name in ("vocabulary", "width", "units")}
        return {**super().get_config(), **own}


CharacterEncoder = Literal["cnn", "lstm"]
