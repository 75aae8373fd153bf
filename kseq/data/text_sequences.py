"""Encoded texts, and batches of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np


@dataclass(frozen=True)
class TextSequences:
    """Texts as ids. What `Sequences` is for numbers.

    Every distinct token is encoded once, in `tables`; a text is a row of indices into them.

    Args:
        rows: The tokens of each text, as indices into the tables; 0 is padding.
        lengths: Tokens of each text, `(n,)`.
        tables: For each stream the ids of each distinct token, `(tokens, ...)`; row 0 is padding.
        hiding: For each word's id, how probably it is shown as unknown in training, `(words,)`.
    """

    rows: list[np.ndarray]
    lengths: np.ndarray
    tables: dict[str, np.ndarray]
    hiding: np.ndarray

    features: ClassVar[int] = 0
    time: ClassVar[None] = None

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, rows: np.ndarray) -> TextSequences:
        """The texts at `rows`."""
        chosen = [self.rows[row] for row in rows]
        return TextSequences(chosen, self.lengths[rows], self.tables, self.hiding)

    def inputs(self, rows: Any, *, rng: np.random.Generator | None = None) -> dict[str, np.ndarray]:
        """The inputs of a model: a stream each, `(batch, time, ...)`, and `lengths`.

        Args:
            rows: Which texts.
            rng: In training, draws which words are shown as unknown.
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
        if rng is not None and "words" in streams and self.hiding.any():
            words = streams["words"]
            hidden = rng.random(words.shape) < self.hiding[words]
            streams["words"] = np.where(hidden, 1, words).astype(np.int32)
        return {**streams, "lengths": lengths}
