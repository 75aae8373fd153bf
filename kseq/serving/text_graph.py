"""Text to ids inside a TensorFlow graph, exactly as the estimator does it in Python.

This file imports TensorFlow by name: strings and tables are operations of its graphs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from kseq.data.codepoints import Kind, folding, kinds
from kseq.data.tokenizers import joins
from kseq.data.vocabulary import FIRST, PADDING, UNKNOWN, Vocabulary

Tensors = dict[str, Any]


class _Arrays:
    """The two functions of NumPy that `joins` needs, of TensorFlow."""

    zeros_like = staticmethod(tf.zeros_like)
    concatenate = staticmethod(tf.concat)


class TextGraph(tf.Module):
    """A vocabulary as tables of a graph.

    Args:
        vocabulary: What turns tokens into ids.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__()
        self._options = vocabulary.options
        self._streams = vocabulary.streams
        self._words = _table(vocabulary.words)
        self._affixes = {
            name: _table(entries)
            for name, entries in (
                ("prefixes", vocabulary.prefixes),
                ("suffixes", vocabulary.suffixes),
            )
        }
        # Ascending, as `_find` wants them; ids in the order of the vocabulary.
        codes = np.array([ord(letter) for letter in vocabulary.characters], np.int32)
        order = np.argsort(codes)
        self._letters = codes[order], (order + FIRST).astype(np.int32)

    def ids(self, tokens: Any, lengths: Any) -> Tensors:
        """The inputs of the model.

        Args:
            tokens: `(batch, time)` strings.
            lengths: How many of each row count, `(batch,)`.
        """
        batch, time = tf.unstack(tf.shape(tokens))
        valid = tf.reshape(tf.sequence_mask(lengths, time), [-1])
        flat = tf.where(valid, tf.reshape(tokens, [-1]), "")
        ragged = tf.strings.unicode_decode(flat, "UTF-8")
        folded_codes = ragged.with_flat_values(self._fold(ragged.flat_values))
        folded = tf.strings.unicode_encode(folded_codes, "UTF-8")
        sizes = tf.cast(ragged.row_lengths(), tf.int32)
        # One more column than the longest token has: there is always one.
        codes = tf.pad(ragged.to_tensor(-1), [[0, 0], [0, 1]], constant_values=-1)
        streams: Tensors = {}
        for name in self._streams:
            if name == "words":
                streams[name] = _masked(_lookup(self._words, folded), valid)
            elif name == "characters":
                streams[name] = self._characters(codes)
            elif name == "casing":
                streams[name] = _masked(_casing(codes), valid)
            else:
                streams[name] = self._affix_ids(name, folded, sizes)
        shaped = {
            name: tf.reshape(each, tf.concat([[batch, time], tf.shape(each)[1:]], axis=0))
            for name, each in streams.items()
        }
        return {**shaped, "lengths": tf.cast(lengths, tf.int32)}

    def tokens(self, text: Any) -> Tensors:
        """Splits texts into tokens.

        Args:
            text: `(batch,)` strings.

        Returns:
            `tokens` `(batch, time)`, empty behind each text's last; `lengths` `(batch,)`; and
            `starts` and `ends`, the characters where the tokens stand, `(batch, time)`.
        """
        ragged, offsets = tf.strings.unicode_decode_with_offsets(text, "UTF-8")
        codes = tf.pad(ragged.to_tensor(-1), [[0, 0], [0, 1]], constant_values=-1)
        sizes = tf.strings.length(text)
        places = offsets.to_tensor(-1)
        places = tf.pad(tf.cast(places, tf.int32), [[0, 0], [0, 1]], constant_values=-1)
        places = tf.where(places < 0, sizes[:, None], places)  # behind the end: the end
        found = _kinds_of(codes)
        filled = found != int(Kind.SPACE)
        joined = joins(_Arrays, found, self._options.tokenizer) & filled
        begins = filled & ~joined
        # The last column is never part of a token, so what follows may wrap around.
        last = filled & ~tf.roll(joined, -1, axis=1)
        position = tf.broadcast_to(tf.range(tf.shape(codes)[1])[None], tf.shape(codes))
        starts = tf.ragged.boolean_mask(position, begins)
        ends = tf.ragged.boolean_mask(position, last) + 1
        first_byte = tf.ragged.boolean_mask(places, begins)
        end_byte = tf.ragged.boolean_mask(tf.roll(places, -1, axis=1), last)
        row = tf.gather(text, starts.value_rowids())
        pieces = tf.strings.substr(
            row, first_byte.flat_values, end_byte.flat_values - first_byte.flat_values
        )
        tokens = starts.with_flat_values(pieces).to_tensor("")
        # A batch without any token still has one step, which no length reaches.
        missing = tf.cast(tf.shape(tokens)[1] == 0, tf.int32)
        shape = [tf.shape(tokens)[0], missing]
        return {
            "tokens": tf.concat([tokens, tf.fill(shape, "")], axis=1),
            "lengths": tf.cast(starts.row_lengths(), tf.int32),
            "starts": tf.concat([starts.to_tensor(-1), tf.fill(shape, -1)], axis=1),
            "ends": tf.concat([ends.to_tensor(-1), tf.fill(shape, -1)], axis=1),
        }

    def _fold(self, codes: Any) -> Any:
        keys, values = folding(self._options.lowercase, self._options.digits)
        return _find(codes, keys, values, codes)

    def _characters(self, codes: Any) -> Any:
        codes = codes[:, : self._options.max_characters]
        keys, ids = self._letters
        found = _find(codes, keys, ids, tf.fill(tf.shape(codes), UNKNOWN))
        return tf.where(codes < 0, PADDING, found)

    def _affix_ids(self, name: str, folded: Any, sizes: Any) -> Any:
        columns = []
        for length in range(1, self._options.affixes + 1):
            start = tf.maximum(sizes - length, 0) if name == "suffixes" else tf.zeros_like(sizes)
            wanted = tf.fill(tf.shape(sizes), length)
            affix = tf.strings.substr(folded, start, wanted, unit="UTF8_CHAR")
            columns.append(_masked(_lookup(self._affixes[name], affix), sizes >= length))
        return tf.stack(columns, axis=1)


def _table(entries: list[str]) -> tf.lookup.StaticHashTable:
    # A table cannot be empty; no token is this string, which is not valid UTF-8.
    keys = tf.constant([entry.encode() for entry in entries] or [b"\xff"])
    ids = tf.range(FIRST, FIRST + tf.size(keys, out_type=tf.int64), dtype=tf.int64)
    return tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, ids), UNKNOWN)


def _lookup(table: tf.lookup.StaticHashTable, keys: Any) -> Any:
    return tf.cast(table.lookup(keys), tf.int32)


def _masked(ids: Any, valid: Any) -> Any:
    return tf.where(valid, ids, PADDING)


def _find(codes: Any, keys: np.ndarray, values: np.ndarray, otherwise: Any) -> Any:
    """The value beside each code in a table sorted by key, or `otherwise`."""
    if not len(keys):
        return otherwise
    flat = tf.reshape(codes, [-1])
    place = tf.minimum(tf.searchsorted(tf.constant(keys), flat), len(keys) - 1)
    hit = tf.reshape(tf.gather(keys, place) == flat, tf.shape(codes))
    return tf.where(hit, tf.reshape(tf.gather(values, place), tf.shape(codes)), otherwise)


def _kinds_of(codes: Any) -> Any:
    """The `Kind` of each code point; -1 is a space."""
    starts, values = kinds()
    flat = tf.reshape(tf.maximum(codes, 0), [-1])
    place = tf.searchsorted(tf.constant(starts), flat, side="right") - 1
    found = tf.reshape(tf.gather(values, place), tf.shape(codes))
    return tf.where(codes < 0, int(Kind.SPACE), found)


def _casing(codes: Any) -> Any:
    """What `casing_of` says of each token, `(tokens,)`."""
    found = _kinds_of(codes)

    def count(kind: Kind) -> Any:
        return tf.reduce_sum(tf.cast(found == int(kind), tf.int32), axis=1)

    upper, lower, digits = count(Kind.UPPER), count(Kind.LETTER), count(Kind.DIGIT)
    initial = (upper == 1) & (found[:, 0] == int(Kind.UPPER))
    letters = tf.where(
        upper == 0,
        1,
        tf.where(lower == 0, tf.where(upper > 1, 2, 3), tf.where(initial, 3, 4)),
    )
    without = tf.where(digits > 0, 5, 7)
    return tf.where(upper + lower == 0, without, tf.where(digits > 0, 6, letters))
