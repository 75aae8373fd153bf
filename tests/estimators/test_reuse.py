"""Models on loan: what a refit reuses, and what nobody may notice of it."""

from __future__ import annotations

import gc

import numpy as np
import pytest

from kseq import SequenceClassifier, SequenceRegressor
from kseq.data.batches import SequenceBatches
from kseq.estimators import models
from tests.estimators.conftest import KINDS, answers, make_case

RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 6, 2))
Y = np.where(X.sum(axis=(1, 2)) > 0, "up", "down")


def classifier(**params):
    params = {"training": {"epochs": 2, "batch_size": 8}, "random_state": 1, **params}
    return SequenceClassifier(model={"units": 4, "dropout": 0.2}, **params)


@pytest.fixture(autouse=True)
def empty_pool():
    gc.collect()
    models.POOL.clear()


@pytest.fixture
def assembled(monkeypatch) -> list[str]:
    """A line for each time that models are assembled anew."""
    calls: list[str] = []
    original = SequenceClassifier._assemble

    def count(self, network):
        calls.append("built")
        return original(self, network)

    monkeypatch.setattr(SequenceClassifier, "_assemble", count)
    return calls


@pytest.mark.filterwarnings("ignore:y, held out of it")
@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, marks=[] if kind in ("classifier", "forecaster") else [pytest.mark.slow])
        for kind in KINDS
    ],
)
def test_a_model_that_was_used_before_is_as_good_as_new(kind):
    case = make_case(kind)
    first = answers(case.fit(), case.asked)
    other = make_case(kind)
    other.estimator.set_params(random_state=8).fit(*other.given)
    again = answers(other.estimator.set_params(random_state=3).fit(*other.given), case.asked)
    np.testing.assert_array_equal(again, first)


def test_a_refit_builds_nothing(assembled):
    clf = classifier()
    for seed, rate in ((1, 0.1), (1, 0.2), (2, 0.1)):
        clf.set_params(random_state=seed, training__learning_rate=rate).fit(X, Y)
    classifier().fit(X, Y)  # the first one still lives, and keeps its own
    assert len(assembled) == 2
    clf.set_params(model__units=5).fit(X, Y)
    assert len(assembled) == 3


@pytest.mark.parametrize("schedule", ["cosine", "constant"])
def test_learning_rates_share_one_trace(schedule):
    clf = classifier(training={"epochs": 2, "schedule": schedule, "warmup": 0.2})
    clf.fit(X, Y)
    trainer, compiled = clf._models.trainer, clf._models.trainable.optimizer
    found = []
    for rate in (0.5, 1e-6):
        clf.set_params(training__learning_rate=rate).fit(X, Y)
        found.append(clf.predict_proba(X))
        assert clf._models.trainer is trainer
        assert clf._models.trainable.optimizer is compiled
    assert np.abs(found[0] - found[1]).max() > 0.05
    clf.set_params(training__clip_norm=None).fit(X, Y)
    assert clf._models.trainable.optimizer is not compiled


def test_no_two_estimators_share_a_model():
    first = classifier().fit(X, Y)
    before = first.predict_proba(X)
    second = classifier(random_state=2).fit(X, Y)
    assert first._models is not second._models
    np.testing.assert_array_equal(first.predict_proba(X), before)


def test_a_model_that_was_looked_at_stays_as_it_is():
    clf = classifier().fit(X, Y)
    looked, before = clf.model_, clf.model_.get_weights()
    clf.set_params(random_state=5).fit(X, Y)
    assert clf.model_ is not looked
    for now, then in zip(looked.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_few_models_wait():
    for units in range(1, 8):
        reg = SequenceRegressor(model={"builder": "tiny", "units": units}, random_state=0)
        reg._prepare(X, X[:, 0, 0], None)
        del reg
    assert len(models.POOL._idle) == models._IDLE


def batches_alive() -> set[int]:
    gc.collect()
    return {id(each) for each in gc.get_objects() if isinstance(each, SequenceBatches)}


@pytest.mark.slow
def test_the_data_of_a_fit_are_not_kept():
    before = batches_alive()  # those that other tests gave to Keras themselves
    clf = classifier()
    for _ in range(2):
        clf.fit(X, Y)
    assert batches_alive() <= before


def resident() -> float:
    """Megabytes of this process."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 1e6


@pytest.mark.slow
@pytest.mark.parametrize("seed", [3, None])
def test_memory_does_not_grow_with_fits_and_predictions(seed):
    clf = classifier(random_state=seed)
    for _ in range(10):
        clf.fit(X, Y)
    gc.collect()
    before = resident()
    for _ in range(90):
        clf.fit(X, Y)
    for _ in range(1000):
        clf.predict(X[:3])
    gc.collect()
    assert resident() - before < 20
