"""Makes probabilities mean what they say."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from scipy.optimize import minimize_scalar

from kseq.data.sequences import Sequences
from kseq.data.text_sequences import TextSequences
from kseq.estimators.emissions import emitted
from kseq.inference import Forward, traced
from kseq.layers.crf import CRF

# Below one half a model would be made surer than it is by held-out texts that are all too easy.
_BOUNDS = (np.log(0.5), np.log(10.0))


def fit_temperature(
    emit: Forward,
    chain: CRF,
    sequences: Sequences | TextSequences,
    tags: Sequence[np.ndarray],
    chunks: Sequence[np.ndarray],
) -> None:
    """Sets the temperature of a chain to what makes held-out taggings most probable.

    Args:
        emit: Gives the `emissions` of a batch.
        chain: The layer that they are the scores of.
        sequences: The held-out texts.
        tags: The tag ids of each.
        chunks: Which of them are looked at together.

    Reference:
        Guo et al. (2017), On calibration of modern neural networks.
    """
    batches: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for rows, emissions, mask in emitted(emit, sequences, chunks):
        ids = np.zeros(emissions.shape[:2], np.int32)
        for place, row in zip(ids, rows, strict=True):
            place[: len(tags[row])] = tags[row]
        batches.append((emissions, ids, mask))
    names = int(chain.start.shape[0])
    likelihood = traced(
        lambda *given: keras.ops.sum(chain.log_probability(*given)),
        [(None, None, names), (None, None), (None, None)],
        ["float32", "int32", "bool"],
    )

    def loss(log_temperature: float) -> float:
        chain.temperature.assign(np.exp(log_temperature))
        return -sum(float(likelihood(*batch)) for batch in batches)

    found = minimize_scalar(loss, bounds=_BOUNDS, method="bounded", options={"xatol": 0.02})
    chain.temperature.assign(np.exp(found.x))
