"""The CRF against sums over all taggings in float64, for every mask of five steps.

Runs on every backend: `KERAS_BACKEND=jax pytest tests/layers/test_crf_oracle.py`.
"""

from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest
from keras import ops

from kseq.layers.crf import CRF

TAGS, TIME = 4, 5
# Every mask: all steps, none, interior and leading gaps.
MASKS = np.array(list(itertools.product([True, False], repeat=TIME)))
BATCH = len(MASKS)
# Tag 2 goes on with tag 1 and with itself; tag 1 has to be gone on with.
FORBIDDEN = (
    [False, False, True, False],
    [
        [False, False, True, False],
        [True, True, False, True],
        [False, False, False, False],
        [False, False, True, False],
    ],
    [False, True, False, False],
)
CONTINUES = np.array(FORBIDDEN[1])[0][None] & np.array([[False], [True], [True], [False]])
CASES = pytest.mark.parametrize(
    ("forbidden", "constrained"),
    [(None, True), (FORBIDDEN, True), (FORBIDDEN, False)],
    ids=["free", "constrained", "unconstrained"],
)
# Scores so far apart that probabilities vanish in float32; its logarithms then know five digits.
SCALES = pytest.mark.parametrize(("scale", "tolerance"), [(1.0, 1e-5), (60.0, 1e-4)])
# All 32 rows at once; a tagging of a row is of its valid steps alone.
TAGGINGS = [np.array(list(itertools.product(range(TAGS), repeat=n)), int) for n in range(TIME + 1)]


def features(y):
    """How often a tagging meets each score: emissions, start, transitions, end, side by side."""
    eye = np.eye(TAGS)
    steps = eye[y].reshape(len(y), -1)
    if not y.shape[1]:
        return np.zeros((1, 2 * TAGS + TAGS**2))
    moves = np.einsum("nti,ntj->nij", eye[y[:, :-1]], eye[y[:, 1:]]).reshape(len(y), -1)
    return np.concatenate([steps, eye[y[:, 0]], moves, eye[y[:, -1]]], axis=1)


FEATURES = [features(y) for y in TAGGINGS]
NEVER = np.concatenate([np.ravel(f) for f in FORBIDDEN])


class Oracle:
    """Every tagging of every row with its probability, in float64."""

    def __init__(self, weights, emissions, forbidden, constrained, temperature):
        weights = np.concatenate([np.ravel(w) for w in weights]).astype("float64")
        self.allowed, self.log_p = [], []
        for row, mask in zip(emissions.astype("float64"), MASKS, strict=True):
            met = FEATURES[mask.sum()]
            score = met @ np.concatenate([row[mask].ravel(), weights]) / temperature
            fine = np.ones(len(met), bool)
            if forbidden is not None:
                fine = met[:, mask.sum() * TAGS :] @ NEVER == 0
            self.allowed.append(fine)
            score = np.where(fine, score, -np.inf) if constrained else score
            self.log_p.append(score - np.logaddexp.reduce(score))
        self.p = [np.exp(log_p) for log_p in self.log_p]

    def loss(self, tags, step_weight, row_weight):
        """The loss of each row and its gradient, by the chain rule over growing prefixes.

        The gradient of the logarithm of a sum over some taggings is what they meet on average.
        """
        loss, by_row, by_weights = np.zeros(BATCH), np.zeros((BATCH, TIME, TAGS)), 0.0
        for b, mask in enumerate(MASKS):
            n = mask.sum()
            gold, met, log_p = tags[b][mask], FEATURES[n], self.log_p[b]
            begins = np.cumprod(TAGGINGS[n] == gold, axis=1).astype(bool)
            before, expected, gradient = 0.0, self.p[b] @ met, np.zeros(met.shape[1])
            for t, weight in enumerate(step_weight[b][mask]):
                part = np.where(begins[:, t], log_p, -np.inf)
                now = np.logaddexp.reduce(part)
                average = np.exp(part - now) @ met
                loss[b] -= weight * (now - before)
                gradient -= weight * (average - expected)
                before, expected = now, average
            by_row[b][mask] = row_weight[b] * gradient[: n * TAGS].reshape(n, TAGS)
            by_weights = by_weights + row_weight[b] * gradient[n * TAGS :]
        start, moves, end = np.split(by_weights, [TAGS, TAGS + TAGS**2])
        return loss, (by_row, start, moves.reshape(TAGS, TAGS), end)


def make(forbidden=None, constrained=True, scale=1.0, temperature=1.0):
    """A layer with random weights, emissions, taggings that are not forbidden, and the oracle."""
    random = np.random.default_rng(3)
    crf = CRF(forbidden=forbidden, constrained=constrained)
    crf.build((None, None, TAGS))
    start, moves, end = (
        (random.normal(size=size) * scale).astype("float32") for size in (TAGS, (TAGS, TAGS), TAGS)
    )
    crf.set_weights([moves, start, end, np.float32(temperature)])
    emissions = (random.normal(size=(BATCH, TIME, TAGS)) * scale).astype("float32")
    oracle = Oracle((start, moves, end), emissions, forbidden, constrained, temperature)
    tags = np.full((BATCH, TIME), -1)
    for b, mask in enumerate(MASKS):
        tags[b][mask] = TAGGINGS[mask.sum()][random.choice(np.flatnonzero(oracle.allowed[b]))]
    return crf, emissions, tags, oracle


def close(got, expected, tolerance=1e-5):
    got = ops.convert_to_numpy(got)
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)


def gradients(crf, emissions, loss):
    """The gradient of the summed loss for emissions, start, transitions and end."""
    variables = [crf.start, crf.transitions, crf.end]
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        x = tf.constant(emissions)
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = loss(x)
        return [g.numpy() for g in tape.gradient(value, [x, *(v.value for v in variables)])]
    if keras.backend.backend() == "jax":
        import jax

        def pure(x, *values):
            with keras.StatelessScope(state_mapping=zip(variables, values, strict=True)):
                return loss(x)

        every = jax.jit(jax.grad(pure, argnums=(0, 1, 2, 3)))
        return [np.array(g) for g in every(emissions, *(v.value for v in variables))]
    x = ops.convert_to_tensor(emissions).requires_grad_()
    for variable in variables:
        variable.value.grad = None
    loss(x).backward()
    return [t.grad.numpy() for t in (x, *(v.value for v in variables))]


@CASES
@SCALES
@pytest.mark.parametrize("weighted", [False, True])
def test_likelihood_and_gradient(forbidden, constrained, scale, tolerance, weighted):
    crf, emissions, tags, oracle = make(forbidden, constrained, scale)
    random = np.random.default_rng(4)
    row_weight = random.uniform(0.5, 2, BATCH).astype("float32")
    step_weight = random.uniform(0, 2, (BATCH, TIME)).astype("float32") if weighted else None
    every = np.ones((BATCH, TIME)) if step_weight is None else step_weight
    expected, wanted = oracle.loss(tags, every, row_weight)
    got = crf.negative_log_likelihood(emissions, tags, MASKS, step_weight=step_weight)
    close(got, expected)
    assert ops.convert_to_numpy(got)[-1] == 0, "the row without steps"

    def loss(x):
        each = crf.negative_log_likelihood(x, tags, MASKS, step_weight=step_weight)
        return ops.sum(each * ops.convert_to_tensor(row_weight))

    for got, want in zip(gradients(crf, emissions, loss), wanted, strict=True):
        close(got, want, tolerance)


@CASES
@SCALES
def test_decode_and_nbest(forbidden, constrained, scale, tolerance):
    crf, emissions, _, oracle = make(forbidden, constrained, scale, temperature=1.7)
    n = TAGS**3 + 1
    best = ops.convert_to_numpy(crf.decode(emissions, MASKS))
    tags, log_p = map(ops.convert_to_numpy, crf.decode_nbest(emissions, MASKS, n=n))
    assert best.dtype == tags.dtype == np.int32
    for b, mask in enumerate(MASKS):
        expected = np.sort(oracle.log_p[b][oracle.allowed[b]])[::-1]
        count = min(n, len(expected))
        close(log_p[b, :count], expected[:count], 1e-5)
        assert np.isneginf(log_p[b, count:]).all()
        assert not best[b][~mask].any()
        assert not tags[b][:, ~mask].any()
        places = {tuple(y): i for i, y in enumerate(TAGGINGS[mask.sum()])}
        found = [places[tuple(y[mask])] for y in tags[b, :count]]
        assert len(set(found)) == count, "no tagging twice"
        close(log_p[b, :count], oracle.log_p[b][found], 1e-5)
        close(oracle.log_p[b][places[tuple(best[b][mask])]], expected[0], 1e-5)


@CASES
@pytest.mark.parametrize(
    ("scale", "tolerance", "temperature"), [(1.0, 1e-5, 1.0), (1.0, 1e-5, 2.5), (60.0, 1e-4, 1.0)]
)
def test_probabilities(forbidden, constrained, scale, tolerance, temperature):
    crf, emissions, tags, oracle = make(forbidden, constrained, scale, temperature)
    allowed = np.random.default_rng(9).random((BATCH, TIME, TAGS)) < 0.7
    allowed[3] = False
    marginals = np.zeros((BATCH, TIME, TAGS))
    inside, log_p = np.zeros(BATCH), np.zeros(BATCH)
    for b, mask in enumerate(MASKS):
        y = TAGGINGS[mask.sum()]
        for tag in range(TAGS):
            marginals[b, mask, tag] = oracle.p[b] @ (y == tag)
        fine = allowed[b][mask][np.arange(mask.sum()), y].all(axis=1)
        inside[b] = np.logaddexp.reduce(oracle.log_p[b][fine], initial=-np.inf)
        log_p[b] = oracle.log_p[b][(y == tags[b][mask]).all(axis=1)].item()
    got = crf.marginals(emissions, MASKS)
    close(got, marginals, tolerance)
    close(ops.sum(got, axis=-1), MASKS.astype(float))
    close(crf.log_probability(emissions, tags, MASKS), log_p)
    got = crf.set_log_probability(emissions, allowed, MASKS)
    assert np.isneginf(inside[3])
    close(got, inside)
    everything = crf.set_log_probability(emissions, np.ones_like(allowed), MASKS)
    close(everything, np.zeros(BATCH), 1e-6)


@CASES
@SCALES
def test_span_probability(forbidden, constrained, scale, tolerance):
    crf, emissions, tags, oracle = make(forbidden, constrained, scale, temperature=0.8)
    starts, ends = np.zeros((2, BATCH, TIME), bool)
    expected = np.zeros((BATCH, TIME))
    for b, mask in enumerate(MASKS):
        steps, y = np.flatnonzero(mask), TAGGINGS[mask.sum()]
        gold = tags[b][mask]
        begin = 0
        for end in range(len(gold)):
            if end + 1 < len(gold) and CONTINUES[gold[end], gold[end + 1]]:
                continue
            starts[b, steps[begin]] = ends[b, steps[end]] = True
            holds = (y[:, begin : end + 1] == gold[begin : end + 1]).all(axis=1)
            if end + 1 < len(gold):
                holds &= ~CONTINUES[gold[end], y[:, end + 1]]
            expected[b, steps[end]] = oracle.p[b][holds].sum()
            begin = end + 1
    got = crf.span_probability(emissions, tags, MASKS, starts, ends, CONTINUES)
    close(got, expected, tolerance)


def test_no_mask_is_a_full_mask():
    crf, emissions, tags, _ = make(FORBIDDEN)
    tags, full = np.maximum(tags, 0), np.ones_like(MASKS)
    weight = np.linspace(0, 1, TIME, dtype="float32") * np.ones((BATCH, 1), "float32")
    allowed = np.ones((BATCH, TIME, TAGS), bool)
    for ask in (
        lambda m: crf.marginals(emissions, m),
        lambda m: crf.decode(emissions, m),
        lambda m: crf.decode_nbest(emissions, m, n=3)[0],
        lambda m: crf.decode_nbest(emissions, m, n=3)[1],
        lambda m: crf.set_log_probability(emissions, allowed, m),
        lambda m: crf.negative_log_likelihood(emissions, tags, m),
        lambda m: crf.negative_log_likelihood(emissions, tags, m, step_weight=weight),
        lambda m: crf.log_probability(emissions, tags, m),
        lambda m: crf.span_probability(emissions, tags, m, full, full, CONTINUES),
    ):
        np.testing.assert_array_equal(*(ops.convert_to_numpy(ask(m)) for m in (None, full)))
