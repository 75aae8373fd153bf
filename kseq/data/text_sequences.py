"""Encoded texts, and batches of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from kseq.errors import DataError


@dataclass(frozen=True)
class TextSequences:
    """Texts as ids. What `Sequences` is for numbers.

    Every distinct token is encoded once, in `tables`; a text is a row of indices into them.

    Args:
        rows: The tokens of each text, as indices into the tables; 0 is padding.
        lengths: Tokens of each text, `(n,)`.
        tables: For each stream the ids of each distinct token, `(tokens, ...)`; row 0 is padding.
        rare: For each word's id, whether it is at times shown as unknown in training.
        unknown_rate: How probably.
    """

    rows: list[np.ndarray]
    lengths: np.ndarray
    tables: dict[str, np.ndarray]
    rare: np.ndarray
    unknown_rate: float

    features: ClassVar[int] = 0
    time: ClassVar[None] = None
    # Inputs whose axes behind time are the same in all batches.
    fixed_axes: ClassVar[frozenset[str]] = frozenset({"prefixes", "suffixes"})

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, rows: np.ndarray) -> TextSequences:
        """The texts at `rows`."""
        chosen = [self.rows[row] for row in rows]
        return TextSequences(chosen, self.lengths[rows], self.tables, self.rare, self.unknown_rate)

    def inputs(self, rows: Any, *, rng: np.random.Generator | None = None) -> dict[str, np.ndarray]:
        """The inputs of a model: a stream each, `(batch, time, ...)`, and `lengths`.

        Args:
            rows: Which texts.
            rng: In training, draws which rare words are shown as unknown.
        """
        lengths = self.lengths[rows].astype(np.int32)
        time = max(1, int(lengths.max(initial=0)))
        places = np.zeros((len(lengths), time), np.int32)
        for place, row in zip(places, rows, strict=True):
            place[: self.lengths[row]] = self.rows[row]
        streams = {name: table[places] for name, table in self.tables.items()}
        if "characters" in streams:
            letters = streams["characters"]
            width = max(1, int(letters.any(axis=(0, 1)).sum())) if letters.size else 1
            streams["characters"] = letters[:, :, :width]
        if rng is not None and self.unknown_rate and "words" in streams:
            words = streams["words"]
            hidden = self.rare[words] & (rng.random(words.shape) < self.unknown_rate)
            streams["words"] = np.where(hidden, 1, words).astype(np.int32)
        return {**streams, "lengths": lengths}

    def check_not_empty(self, name: str) -> None:
        """Raises unless some text has a token.

        Raises:
            DataError: If there is none.
        """
        if not self.lengths.any():
            raise DataError(f"{name}: no text has a token in it")
