"""The scores that a tagger gives, for those who do something else with them than to decode."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from kseq.data.sequences import Sequences
from kseq.data.text_sequences import TextSequences
from kseq.inference import Forward


class Emitted(NamedTuple):
    """Scores of some texts.

    Args:
        rows: Which texts, `(batch,)`.
        emissions: The scores of their tags, `(batch, time, tags)`.
        mask: Which steps are theirs, `(batch, time)`.
    """

    rows: np.ndarray
    emissions: np.ndarray
    mask: np.ndarray


def emitted(
    emit: Forward, sequences: Sequences | TextSequences, chunks: Sequence[np.ndarray]
) -> Iterator[Emitted]:
    """The scores of all texts, chunk by chunk.

    Args:
        emit: Gives the `emissions` of a batch.
        sequences: The texts.
        chunks: Which of them are looked at together.
    """
    batches = (sequences.inputs(rows) for rows in chunks)
    for rows, answer in zip(chunks, emit.over(batches), strict=True):
        emissions = answer["emissions"]
        yield Emitted(
            rows, emissions, np.arange(emissions.shape[1]) < sequences.lengths[rows][:, None]
        )
