"""What the CRF does beyond small sums: long rows, large scores, padding, and pytorch-crf's answer.

Runs on every backend; `test_crf_oracle.py` compares it with sums over all taggings.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from kseq.layers.crf import CRF


def make(tags, *, scale=1.0, weights="normal", **options):
    """A layer with random weights."""
    random = np.random.default_rng(1)
    crf = CRF(**options)
    crf.build((None, None, tags))
    draw = random.normal if weights == "normal" else lambda size: random.uniform(-1, 1, size)
    sizes = ((tags, tags), (tags,), (tags,))
    crf.set_weights([*((draw(size=s) * scale).astype("float32") for s in sizes), np.float32(1)])
    return crf


def batch(rows, steps, tags, scale=1.0):
    """Emissions, taggings and a right-padded mask."""
    random = np.random.default_rng(2)
    lengths = random.integers(1, steps + 1, rows)
    lengths[0] = steps
    return (
        (random.normal(size=(rows, steps, tags)) * scale).astype("float32"),
        random.integers(0, tags, (rows, steps)),
        np.arange(steps) < lengths[:, None],
    )


def answers(crf, emissions, tags, mask):
    """All that the layer can say, as NumPy arrays."""
    spans = np.ones(emissions.shape[:2], bool)
    continues = np.eye(emissions.shape[-1], dtype=bool)
    allowed = np.ones(emissions.shape, bool)
    allowed[..., 0] = False
    weight = np.full(emissions.shape[:2], 0.5, "float32")
    found = [
        crf.negative_log_likelihood(emissions, tags, mask),
        crf.negative_log_likelihood(emissions, tags, mask, step_weight=weight),
        crf.log_probability(emissions, tags, mask),
        crf.decode(emissions, mask),
        *crf.decode_nbest(emissions, mask, n=2),
        crf.marginals(emissions, mask),
        crf.set_log_probability(emissions, allowed, mask),
        crf.span_probability(emissions, tags, mask, spans, spans, continues),
    ]
    return [ops.convert_to_numpy(ops.stop_gradient(x)) for x in found]


def compiled(function):
    """The function as the backend would train with it; eager loops are slow."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(function, autograph=False)
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    return function


def recursion(crf, emissions, tags):
    """Loss, marginals and the best score of unmasked rows, in float64."""
    moves, start, end, _ = (w.astype("float64") for w in crf.get_weights())
    x = emissions.astype("float64")
    steps = x.shape[1]
    before, after, best = np.empty_like(x), np.empty_like(x), start + x[:, 0]
    before[:, 0], after[:, -1] = start + x[:, 0], end
    for t in range(1, steps):
        before[:, t] = x[:, t] + np.logaddexp.reduce(before[:, t - 1, :, None] + moves, axis=1)
        best = x[:, t] + (best[:, :, None] + moves).max(axis=1)
    for t in range(steps - 2, -1, -1):
        ahead = x[:, t + 1] + after[:, t + 1]
        after[:, t] = np.logaddexp.reduce(moves + ahead[:, None], axis=-1)
    total = np.logaddexp.reduce(before[:, -1] + end, axis=-1)
    return (
        total - score(crf, emissions, tags),
        np.exp(before + after - total[:, None, None]),
        (best + end).max(axis=-1),
    )


def score(crf, emissions, tags):
    """The scores of taggings of unmasked rows, in float64."""
    moves, start, end, _ = (w.astype("float64") for w in crf.get_weights())
    along = np.take_along_axis(emissions.astype("float64"), tags[..., None], axis=-1)[..., 0]
    along = along.sum(axis=1) + moves[tags[:, :-1], tags[:, 1:]].sum(axis=1)
    return along + start[tags[:, 0]] + end[tags[:, -1]]


@pytest.mark.parametrize(
    ("scale", "weights"),
    [pytest.param(1.0, "normal", marks=pytest.mark.slow), (100.0, "uniform")],
)
def test_a_thousand_steps(scale, weights):
    crf = make(5, scale=scale, weights=weights)
    random = np.random.default_rng(3)
    emissions = random.uniform(-scale, scale, (3, 1000, 5)).astype("float32")
    tags = random.integers(0, 5, (3, 1000)).astype("int32")
    losses, marginals, best = recursion(crf, emissions, tags)
    decoded = ops.convert_to_numpy(compiled(crf.decode)(emissions))
    np.testing.assert_allclose(score(crf, emissions, decoded), best, rtol=1e-7)
    nll = compiled(crf.negative_log_likelihood)
    # A likely tagging too: its loss is small, and the difference of two numbers of 1e5.
    likely = losses + score(crf, emissions, tags) - score(crf, emissions, decoded)
    for gold, loss in ((tags, losses), (decoded, likely)):
        got = ops.convert_to_numpy(ops.stop_gradient(nll(emissions, gold)))
        np.testing.assert_allclose(got, loss, rtol=1e-5, atol=1e-3)
    # Scores of 100 are known to 1e-5 in float32, and so are logarithms of probabilities.
    got = compiled(crf.marginals)(emissions)
    np.testing.assert_allclose(ops.convert_to_numpy(got), marginals, atol=1e-5 * max(1, scale / 10))


def test_a_batch_is_its_rows():
    crf = make(7)
    emissions, tags, mask = batch(3, 5, 7)
    mask[1] = False
    mask[2] = [False, True, False, True, True]
    together = answers(crf, emissions, tags, mask)
    for row in range(3):
        alone = answers(crf, *(x[row : row + 1] for x in (emissions, tags, mask)))
        for one, every in zip(alone, together, strict=True):
            np.testing.assert_allclose(one[0], every[row], rtol=1e-5, atol=1e-6)


def test_masked_steps_are_never_seen():
    crf = make(4)
    emissions, tags, mask = batch(4, 6, 4)
    mask[1, 1], mask[2] = False, False
    weight = np.where(mask, np.float32(0.5), np.float32(np.nan))
    heavy = crf.negative_log_likelihood(emissions, tags, mask, step_weight=weight)
    garbage = np.resize(np.float32([1e30, -1e30, np.nan, np.inf]), emissions.shape)
    dirty, wrong = np.where(mask[..., None], emissions, garbage), np.where(mask, tags, -1)
    clean = answers(crf, emissions, tags, mask)
    np.testing.assert_array_equal(ops.convert_to_numpy(ops.stop_gradient(heavy)), clean[1])
    for got, expected in zip(answers(crf, dirty, wrong, mask), clean, strict=True):
        np.testing.assert_array_equal(got, expected)
    longer = [np.concatenate([x, x[:, :3]], axis=1) for x in (dirty, wrong, mask)]
    longer[2][:, 6:] = False
    for got, expected in zip(answers(crf, *longer), clean, strict=True):
        steps = [slice(0, n) for n in expected.shape]
        np.testing.assert_allclose(got[tuple(steps)], expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("rows", "steps"), [(0, 0), (0, 3), (2, 0), (2, 1)])
def test_the_smallest_batches(rows, steps):
    crf = make(3)
    emissions, tags = np.ones((rows, steps, 3), "float32"), np.zeros((rows, steps), int)
    shapes = [(rows,)] * 3 + [(rows, steps), (rows, 2, steps), (rows, 2), (rows, steps, 3), (rows,)]
    found = answers(crf, emissions, tags, np.ones((rows, steps), bool) if rows else None)
    assert [x.shape for x in found] == [*shapes, (rows, steps)]
    if steps == 0:
        np.testing.assert_array_equal(found[0], np.zeros(rows))
        np.testing.assert_array_equal(found[5], np.tile([0, -np.inf], (rows, 1)))


def test_impossible_taggings():
    nothing, never = [False, False], [[False, True], [True, False]]
    emissions = np.random.default_rng(0).normal(size=(2, 4, 2)).astype("float32")
    gold = np.array([[0, 0, 0, 0], [0, 1, 1, 1]])
    crf = CRF(forbidden=(nothing, never, nothing))
    loss = ops.convert_to_numpy(ops.stop_gradient(crf.negative_log_likelihood(emissions, gold)))
    assert loss[0] < 20
    assert 1e29 < loss[1] < np.inf
    assert np.isneginf(ops.convert_to_numpy(crf.log_probability(emissions, gold)))[1]
    tags, log_p = map(ops.convert_to_numpy, crf.decode_nbest(emissions, n=4))
    assert np.isfinite(log_p[:, :2]).all()
    assert np.isneginf(log_p[:, 2:]).all()
    assert not tags[:, 2:].any()
    # Where no tagging at all is left there is an answer of the right shape, and no NaN.
    crf = CRF(forbidden=([True, True], never, nothing))
    for answer in answers(crf, emissions, gold, None):
        assert not np.isnan(answer).any()
    _, log_p = crf.decode_nbest(emissions, n=2)
    assert np.isneginf(ops.convert_to_numpy(log_p)).all()


def test_minus_infinity_is_a_score():
    crf = make(4)
    emissions, tags, mask = batch(4, 6, 4)
    emissions[..., 1], tags[tags == 1] = -np.inf, 0
    low = np.where(np.isinf(emissions), np.float32(-1e5), emissions)
    for got, expected in zip(
        answers(crf, emissions, tags, mask), answers(crf, low, tags, mask), strict=True
    ):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def test_the_temperature_is_for_probabilities_alone():
    crf = make(4)
    emissions, tags, mask = batch(4, 6, 4)
    before = answers(crf, emissions, tags, mask)
    assert "temperature" not in [w.name for w in crf.trainable_weights]
    crf.temperature.assign(2.0)
    after = answers(crf, emissions, tags, mask)
    same = [np.array_equal(*pair) for pair in zip(before, after, strict=True)]
    # Losses, the best tagging and the n best stay as they are.
    assert same == [True, True, False, True, True, False, False, False, False]


def test_pytorch_crf():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    torchcrf = pytest.importorskip("torchcrf", reason="pytorch-crf is not installed")
    crf = make(30)
    emissions, tags, mask = batch(8, 40, 30)
    theirs = torchcrf.CRF(30, batch_first=True)
    names = ("transitions", "start_transitions", "end_transitions")
    with torch.no_grad():
        for name, weight in zip(names, crf.get_weights()[:3], strict=True):
            getattr(theirs, name).copy_(torch.tensor(weight))
        tensors = (torch.tensor(emissions), torch.tensor(tags), torch.tensor(mask))
        expected = -theirs(*tensors, reduction="none").numpy()
        best = theirs.decode(tensors[0], tensors[2])
    got = ops.stop_gradient(crf.negative_log_likelihood(emissions, tags, mask))
    np.testing.assert_allclose(ops.convert_to_numpy(got), expected, rtol=1e-5)
    decoded = ops.convert_to_numpy(crf.decode(emissions, mask))
    assert [row[valid].tolist() for row, valid in zip(decoded, mask, strict=True)] == best


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("asked on TensorFlow, of the others")
    here = Path(__file__).parent
    files = [str(here / "test_crf_oracle.py"), f"{__file__}::test_a_thousand_steps"]
    subprocess.run(
        [sys.executable, "-m", "pytest", "-n0", "-q", *files],
        check=True,
        env={**os.environ, "KERAS_BACKEND": backend},
        cwd=here.parents[1],
    )
