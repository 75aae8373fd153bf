"""Weights of sequences, steps and classes."""

from __future__ import annotations

import numpy as np
import pytest

from kseq import DataError, RecipeError, SequenceClassifier, SequenceRegressor, SequenceTagger
from kseq.estimators.sample_weight import class_weights, read_weights
from tests.estimators.conftest import prepared

RNG = np.random.default_rng(0)
X = RNG.normal(size=(16, 5, 2))
Y = np.arange(16) % 3
W = RNG.random(16) + 0.1
ONCE = {"epochs": 1, "learning_rate": 1e-9, "batch_size": 16, "validation_fraction": 0.0}


def classifier(**params):
    return SequenceClassifier(
        model={"builder": "tiny"}, **{"training": ONCE, "random_state": 0, **params}
    )


def cross_entropy(clf) -> np.ndarray:
    chosen = clf.predict_proba(X)[np.arange(len(X)), np.searchsorted(clf.classes_, Y)]
    return -np.log(chosen.astype(float))


def test_the_loss_of_a_classifier_is_the_weighted_mean():
    clf = classifier().fit(X, Y, sample_weight=W)
    assert clf.history_["loss"][0] == pytest.approx(
        np.average(cross_entropy(clf), weights=W), rel=1e-4
    )


def test_class_weights_are_weights_of_their_sequences():
    clf = classifier(class_weight={0: 3.0, 2: 0.5}).fit(X, Y)
    of_classes = np.array([3.0, 1.0, 0.5])[Y]
    assert clf.history_["loss"][0] == pytest.approx(
        np.average(cross_entropy(clf), weights=of_classes), rel=1e-4
    )
    both = classifier(class_weight={0: 3.0, 2: 0.5}).fit(X, Y, sample_weight=W)
    assert both.history_["loss"][0] == pytest.approx(
        np.average(cross_entropy(both), weights=of_classes * W), rel=1e-4
    )


def test_balanced_classes_weigh_the_same():
    labels = np.array([0] * 12 + [1] * 4)
    assert class_weights("balanced", np.arange(2), labels).tolist() == [16 / 24, 16 / 8]


def test_the_loss_of_a_step_is_weighted():
    y, w = RNG.normal(size=(16, 5)), RNG.random((16, 5))
    y[3, 2:] = np.nan
    reg = SequenceRegressor(
        per_step=True, standardize=False, model={"builder": "tiny"}, training=ONCE, random_state=0
    ).fit(X, y, sample_weight=w)
    error = (reg.predict(X) - y) ** 2
    there = np.isfinite(y)
    expected = (error[there] * w[there]).sum() / w.mean() / there.sum()
    assert reg.history_["loss"][0] == pytest.approx(expected, rel=1e-4)
    assert reg.score(X, y, sample_weight=np.ones_like(y)) == pytest.approx(reg.score(X, y))


@pytest.mark.parametrize("weight", [7.0, np.full(16, 0.3), [2] * 16])
def test_equal_weights_weigh_nothing(weight):
    plain = classifier(training={"epochs": 2}).fit(X, Y)
    weighted = classifier(training={"epochs": 2}).fit(X, Y, sample_weight=weight)
    np.testing.assert_array_equal(plain.predict_proba(X), weighted.predict_proba(X))


def test_a_weight_of_zero_is_as_good_as_absent():
    kept = np.arange(16) % 4 != 1
    absent = classifier(training={"epochs": 3}).fit(X[kept], Y[kept])
    zero = classifier(training={"epochs": 3}).fit(X, Y, sample_weight=kept * 2.0)
    np.testing.assert_array_equal(absent.predict_proba(X), zero.predict_proba(X))


def test_validation_data_have_weights_of_their_own():
    clf = classifier().fit(X, Y, validation_data=(X, Y, W))
    assert clf.history_["val_loss"][0] == pytest.approx(
        np.average(cross_entropy(clf), weights=W), rel=1e-4
    )


TEXTS = [["Ana", "met", "Bo"], ["Bo", "left"], ["we", "met", "Ana"], ["no"]] * 4
TAGS = [["N", "V", "N"], ["N", "V"], ["P", "V", "N"], ["D"]] * 4


def tagger(decoder: str, **params):
    model = {"units": 4, "decoder": decoder, "embedding": {"width": 4}}
    return SequenceTagger(
        model=model, training=ONCE, calibrate=False, **{"random_state": 0, **params}
    )


@pytest.mark.slow
def test_tags_have_weights_where_each_is_chosen_by_itself():
    weights = [RNG.random(len(each)) for each in TAGS]
    found = tagger("softmax", class_weight={"V": 4.0}).fit(TEXTS, TAGS, sample_weight=weights)
    costs, each = [], []
    for row, tags in zip(found.predict_proba(TEXTS), TAGS, strict=True):
        costs += [-np.log(row[i, found.tags_.tolist().index(tag)]) for i, tag in enumerate(tags)]
    for row, tags in zip(weights, TAGS, strict=True):
        each += [w * (4.0 if tag == "V" else 1.0) for w, tag in zip(row, tags, strict=True)]
    # Words are hidden at random in training, so the loss is not quite that of the predictions.
    assert found.history_["loss"][0] == pytest.approx(np.average(costs, weights=each), rel=0.02)


@pytest.mark.slow
def test_a_chain_weighs_whole_texts_alone():
    tagger("crf").fit(TEXTS, TAGS, sample_weight=W)
    with pytest.raises(RecipeError, match=r"sample_weight: weighs single tags, .*to softmax"):
        tagger("crf").fit(TEXTS, TAGS, sample_weight=[np.arange(len(t)) + 1 for t in TAGS])
    with pytest.raises(RecipeError, match=r"task\.class_weight: weighs single tags"):
        tagger("crf", class_weight="balanced").fit(TEXTS, TAGS)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (W[:-1], r"sample_weight: has 15 weights for 16 sequences"),
        (np.ones((16, 5)), r"must be 1D array or scalar, got shape \(16, 5\); weights of steps"),
        (-W, r"sample_weight\[0\]: expected a finite number of at least 0, got -"),
        (np.where(np.arange(16) == 4, np.nan, W), r"sample_weight\[4\]: expected a finite"),
        (np.zeros(16), r"sample_weight: all weights are zero"),
        (["a"] * 16, r"sample_weight: not all weights are numbers"),
        ("balanced", r"sample_weight: expected numbers, got str"),
    ],
)
def test_wrong_weights_are_refused(weights, message):
    with pytest.raises(DataError, match=message):
        classifier().fit(X, Y, sample_weight=weights)


def test_weights_of_steps_fit_their_sequences():
    with pytest.raises(DataError, match=r"sample_weight\[1\]: expected 3 weights, one a step"):
        read_weights([[1, 1], [1, 1]], np.array([2, 3]), per_step=True)


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({7: 2.0}, r"task\.class_weight: '7' is no class of the data.*the classes are 0, 1, 2"),
        ({0: -1.0}, r"task\.class_weight"),
        ("even", r"task\.class_weight: expected"),
        (3, r"task\.class_weight: expected"),
    ],
)
def test_wrong_class_weights_are_refused(wish, message):
    with pytest.raises(RecipeError, match=message):
        prepared(classifier(class_weight=wish), X, Y)


def test_classes_that_do_not_occur_cannot_be_counted():
    clf = classifier(class_weight="balanced")
    with pytest.raises(RecipeError, match=r"task\.class_weight: 'balanced' counts .* none of 2;"):
        clf.partial_fit(X[:2], Y[:2], classes=[0, 1, 2])
