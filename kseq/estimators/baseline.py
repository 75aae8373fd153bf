"""The tagger that knows each word's commonest tag and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kseq.data.vocabulary import UNKNOWN


@dataclass(frozen=True)
class WordBaseline:
    """What a tagger is compared with.

    Args:
        tags: For each word's id the id of the tag it most often has in training, and the commonest
            tag of all for words that are not known.
        seen: For each word's id whether the training texts have it.
        label: The commonest label of whole texts, where they have labels.
    """

    tags: np.ndarray
    seen: np.ndarray
    label: str | None = None

    @classmethod
    def learn(
        cls, words: np.ndarray, tags: np.ndarray, sizes: tuple[int, int], labels: list[str] | None
    ) -> WordBaseline:
        """Counts the training texts.

        Args:
            words: The word id of every token.
            tags: The tag id of every token.
            sizes: How many word ids and how many tags there are.
            labels: The label of every text, where there are labels.

        Example:
            >>> words, tags = np.array([2, 2, 2, 3]), np.array([0, 1, 1, 0])
            >>> WordBaseline.learn(words, tags, (5, 2), None).tags.tolist()
            [0, 0, 1, 0, 0]
        """
        counts = np.zeros(sizes, np.int64)
        np.add.at(counts, (words, tags), 1)
        commonest = counts.sum(axis=0).argmax()
        seen: np.ndarray = counts.sum(axis=1) > 0
        seen[UNKNOWN] = False
        best = np.where(seen, counts.argmax(axis=1), commonest)
        if not labels:
            return cls(best, seen)
        names, numbers = np.unique(labels, return_counts=True)
        return cls(best, seen, str(names[numbers.argmax()]))
