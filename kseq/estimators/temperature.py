"""Makes probabilities mean what they say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize_scalar

from kseq.data.sequences import Sequences
from kseq.data.text_sequences import TextSequences
from kseq.estimators.emissions import emitted
from kseq.estimators.tag_network import TagNetwork

# Below one half a model would be made surer than it is by held-out texts that are all too easy.
_BOUNDS = (np.log(0.5), np.log(10.0))


def fit_temperature(
    network: TagNetwork,
    sequences: Sequences | TextSequences,
    tags: Sequence[np.ndarray],
    chunks: Sequence[np.ndarray],
) -> None:
    """Sets the temperature of a chain to what makes held-out taggings most probable.

    Args:
        network: Gives the scores of their tags, and has the chain.
        sequences: The held-out texts.
        tags: The tag ids of each.
        chunks: Which of them are looked at together.

    Reference:
        Guo et al. (2017), On calibration of modern neural networks.
    """
    batches: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for rows, emissions, mask in emitted(network.emit, sequences, chunks):
        ids = np.zeros(emissions.shape[:2], np.int32)
        for place, row in zip(ids, rows, strict=True):
            place[: len(tags[row])] = tags[row]
        batches.append((emissions, ids, mask))
    temperature = network.chain.temperature

    def loss(log_temperature: float) -> float:
        temperature.assign(np.exp(log_temperature))
        return -sum(float(network.likelihood(*batch)) for batch in batches)

    found = minimize_scalar(loss, bounds=_BOUNDS, method="bounded", options={"xatol": 0.02})
    temperature.assign(np.exp(found.x))
