"""Chooses tags for the best F1 of their spans."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kseq.data.sequences import Sequences
from kseq.data.text_sequences import TextSequences
from kseq.estimators.emissions import emitted
from kseq.estimators.tag_network import TagNetwork
from kseq.metrics.span_arrays import SpanReader
from kseq.tags import Reading, scheme_of

_SHIFTS = np.arange(-1.0, 3.01, 0.25)


def fit_outside_shift(
    network: TagNetwork,
    sequences: Sequences | TextSequences,
    tags: Sequence[Sequence[str]],
    names: Sequence[str],
    reading: Reading,
    chunks: Sequence[np.ndarray],
) -> None:
    """Sets by how much a decoder lowers the scores of `O` to what finds held-out spans best.

    The most probable tagging leaves out whatever is less probable than not; where spans are rare
    and hard, F1 is better where some of these are taken as well.

    Args:
        network: Gives the scores of their tags, and has the decoder.
        sequences: The held-out texts.
        tags: The true tags of each.
        names: The names of the tags, by their ids.
        reading: How spans are read from tags.
        chunks: Which of them are looked at together.

    Reference:
        Lipton, Elkan and Naryanaswamy (2014), Optimal thresholding of classifiers to maximize F1
        measure.
    """
    batches = list(emitted(network.emit, sequences, chunks))
    shifted = network.decoder.outside_shift
    every = np.concatenate(chunks)
    reader = SpanReader(names, sequences.lengths[every], scheme=scheme_of(names), reading=reading)
    true = reader.read([tags[row] for row in every])

    def f1(shift: float) -> float:
        shifted.assign(shift)
        found = []
        for _, emissions, mask in batches:
            ids = np.asarray(network.best(emissions, mask))
            found += [names[tag] for tag in ids[mask]]
        answer = reader.read([found])
        _, right = answer.found_in(true)
        return 2 * float(right.sum()) / max(1, len(answer.start) + len(true.start))

    # Of equals the smallest shift is the best.
    scores = {float(shift): f1(float(shift)) for shift in sorted(_SHIFTS, key=abs)}
    shifted.assign(max(scores, key=lambda shift: scores[shift]))
