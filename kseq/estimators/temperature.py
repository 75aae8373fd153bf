"""Makes probabilities mean what they say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from kseq.data.sequences import Sequences
from kseq.data.text_sequences import TextSequences
from kseq.estimators.emissions import emitted
from kseq.estimators.tag_network import TagNetwork

# Below one half a model would be made surer than it is by held-out texts that are all too easy.
_BOUNDS = (np.log(0.5), np.log(10.0))
# Labels have smoothed targets against that, and models that learned smoothed labels need less.
_LABEL_BOUNDS = (np.log(0.05), np.log(20.0))
FEWEST = 30  # labels by which a temperature is fitted; of fewer it would be the draw's


def best_temperature(
    scores: np.ndarray, codes: np.ndarray, weights: np.ndarray | None = None
) -> float:
    """The temperature by which true labels are the most probable, from 0.05 to 20.

    As by Platt, each of n targets is smoothed by one label of every class among n, so that held-out
    data that is all right by chance does not make a model certain.

    Args:
        scores: The scores of the classes, `(n, classes)`.
        codes: The true classes, `(n,)`.
        weights: How much each counts, `(n,)`.

    Returns:
        1 where fewer than 30 count.

    Reference:
        Guo et al. (2017), On calibration of modern neural networks; Platt (1999), Probabilistic
        outputs for support vector machines.

    Example:
        >>> scores = np.tile([4.0, 0.0], (100, 1))  # 98 % sure, and right in three of four
        >>> round(best_temperature(scores, np.arange(100) % 4 == 3), 1)
        3.7
    """
    counted = np.ones(len(codes), bool) if weights is None else np.asarray(weights) > 0
    if counted.sum() < FEWEST:
        return 1.0
    table = np.asarray(scores, dtype=np.float64)[counted]
    places = np.asarray(codes, dtype=int)[counted]
    shares = None if weights is None else np.asarray(weights)[counted]
    count, classes = table.shape
    own = table[np.arange(count), places]
    expected = (count * own + table.sum(axis=1)) / (count + classes)  # by the smoothed targets

    def loss(log_temperature: float) -> float:
        cold = np.exp(-log_temperature)
        each = logsumexp(cold * table, axis=1) - cold * expected
        return float(np.average(each, weights=shares))

    found = minimize_scalar(loss, bounds=_LABEL_BOUNDS, method="bounded", options={"xatol": 1e-3})
    # Never worse than none at all.
    return float(np.exp(found.x)) if found.fun < loss(0.0) else 1.0


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


def fit_label_temperature(
    network: TagNetwork,
    sequences: Sequences | TextSequences,
    labels: np.ndarray,
    chunks: Sequence[np.ndarray],
) -> None:
    """Sets the temperature of the labels to what makes those of held-out texts most probable.

    Args:
        network: Gives the probabilities of the labels, and has their temperature.
        sequences: The held-out texts.
        labels: The label ids, `(texts,)`.
        chunks: Which of them are looked at together.
    """
    assert network.label_temperature is not None
    temperature = network.label_temperature.temperature
    temperature.assign(1.0)
    batches = (sequences.inputs(rows) for rows in chunks)
    found = [answer["label_probabilities"] for answer in network.emit.over(batches)]
    # Logarithms are scores, up to a constant a text.
    scores = np.log(np.maximum(np.concatenate(found), np.finfo(np.float32).tiny))
    temperature.assign(best_temperature(scores, labels[np.concatenate(chunks)]))
