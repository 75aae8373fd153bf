"""Probabilities that mean what they say: the temperature of classes and of labels."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

import kseq
from kseq import SequenceClassifier, SequenceTagger
from kseq.estimators.temperature import best_temperature
from tests.estimators.conftest import told

RNG = np.random.default_rng(0)


def draw(count, classes, heat, rng=RNG):
    """Scores that are `heat` times too large for the classes that were drawn by them."""
    scores = rng.normal(scale=1.5, size=(count, classes))
    codes = np.array([rng.choice(classes, p=row) for row in softmax(scores, axis=1)])
    return scores * heat, codes


def nll(scores, codes, temperature=1.0):
    return -log_softmax(scores / temperature, axis=1)[np.arange(len(codes)), codes].mean()


def smoothed(scores, codes, temperature):
    """The cross-entropy of targets to which one label of every class was added."""
    count, classes = scores.shape
    targets = (count * np.eye(classes)[codes] + 1) / (count + classes)
    return -(targets * log_softmax(scores / temperature, axis=1)).sum(axis=1).mean()


@pytest.mark.parametrize("heat", [0.3, 1.0, 3.0, 7.0])
@pytest.mark.parametrize("classes", [2, 5])
def test_the_temperature_of_overconfident_scores(heat, classes):
    scores, codes = draw(4000, classes, heat)
    found = best_temperature(scores, codes)
    assert found == pytest.approx(heat, rel=0.15)
    grid = np.exp(np.linspace(np.log(0.05), np.log(20), 800))
    assert smoothed(scores, codes, found) <= min(smoothed(scores, codes, t) for t in grid) + 1e-6
    assert nll(scores, codes, found) <= nll(scores, codes)
    np.testing.assert_array_equal((scores / found).argmax(axis=1), scores.argmax(axis=1))


def test_it_is_better_on_other_draws():
    scores, codes = draw(300, 3, 4.0)
    others, truth = draw(3000, 3, 4.0)
    assert nll(others, truth, best_temperature(scores, codes)) < nll(others, truth) - 0.1


def test_a_handful_is_too_few_and_zeros_do_not_count():
    scores, codes = draw(29, 2, 5.0)
    assert best_temperature(scores, codes) == 1.0
    scores, codes = draw(60, 2, 5.0)
    assert best_temperature(scores, codes, np.arange(60) < 29) == 1.0
    half = np.arange(60) < 30
    assert best_temperature(scores, codes, half) == pytest.approx(
        best_temperature(scores[:30], codes[:30])
    )
    plain = best_temperature(scores, codes)
    assert best_temperature(scores, codes, np.full(60, 2.0)) == pytest.approx(plain)


def test_all_right_by_chance_does_not_make_it_certain():
    sure = np.tile([3.0, 0.0], (50, 1))
    # 51 of 52 labels, with one of each class added: a probability with the odds of 51.
    assert best_temperature(sure, np.zeros(50, int)) == pytest.approx(3 / np.log(51), rel=0.01)
    assert best_temperature(sure, np.ones(50, int)) == pytest.approx(20.0, rel=0.01)


# --- classifiers ---

X = RNG.normal(size=(160, 4, 1)).astype("float32")
Y = np.where(X[:, :, 0].sum(axis=1) + RNG.normal(scale=2, size=160) > 0, "up", "down")
TRAINING = {"epochs": 12, "batch_size": 16, "learning_rate": 0.1, "validation_fraction": 0.0}


def classifier(**params):
    return SequenceClassifier(
        model={"builder": "tiny"}, **{"training": TRAINING, "random_state": 0, **params}
    )


def test_held_out_rows_set_the_temperature():
    held = {"validation_data": (X[80:], Y[80:])}
    plain = classifier(calibrate=False).fit(X[:80], Y[:80], **held)
    clf = classifier().fit(X[:80], Y[:80], **held)
    assert plain.temperature_ == 1.0
    assert clf.temperature_ != 1.0
    before = plain.predict_proba(X)
    logits = np.log(before)
    codes = np.searchsorted(clf.classes_, Y)
    assert clf.temperature_ == pytest.approx(best_temperature(logits[80:], codes[80:]), rel=0.01)
    after = clf.predict_proba(X)
    np.testing.assert_allclose(after, softmax(logits / clf.temperature_, axis=1), atol=1e-5)
    np.testing.assert_array_equal(clf.predict(X), plain.predict(X))
    assert (
        clf.evaluate(X[80:], Y[80:]).metrics["log_loss"]
        < (plain.evaluate(X[80:], Y[80:]).metrics["log_loss"])
    )
    np.testing.assert_allclose(
        clf.decision_function(X), np.log(after[:, 1] / after[:, 0]), rtol=1e-3, atol=1e-4
    )
    other = pickle.loads(pickle.dumps(clf))
    assert other.temperature_ == clf.temperature_
    np.testing.assert_array_equal(other.predict_proba(X), after)


@pytest.mark.slow
def test_the_temperature_is_saved_and_served(tmp_path):
    clf = classifier().fit(X[:80], Y[:80], validation_data=(X[80:], Y[80:]))
    loaded = kseq.load(clf.save(tmp_path / "c"))  # which compares what is served
    assert loaded.temperature_ == clf.temperature_ != 1.0
    np.testing.assert_array_equal(loaded.predict_proba(X), clf.predict_proba(X))


def without_temperature(estimator):
    """As it was saved before scores of classes and labels had a temperature."""
    state = estimator.__getstate__()
    stems = [
        (name.partition(" ")[2], array)
        for name, array in state["arrays"].items()
        if not name.startswith("_")
    ]
    older = [each for each in stems if not each[0].endswith("temperature/temperature")]
    assert len(older) == len(stems) - 1
    own = {name: array for name, array in state["arrays"].items() if name.startswith("_")}
    numbered = {f"{place:04d} {stem}": array for place, (stem, array) in enumerate(older)}
    state["arrays"] = {**numbered, **own}
    return state


def test_what_was_saved_without_a_temperature_is_read():
    clf = classifier(calibrate=False).fit(X[:80], Y[:80])
    state = without_temperature(clf)
    assert not state["params"].pop("calibrate")  # nor had it the parameter
    old = SequenceClassifier.__new__(SequenceClassifier)
    old.__setstate__(state)
    assert old.calibrate
    assert old.temperature_ == 1.0
    np.testing.assert_array_equal(old.predict_proba(X), clf.predict_proba(X))


@pytest.mark.slow
def test_labels_that_were_saved_without_a_temperature_are_read():
    texts, tags = [["Ana", "left"], ["we", "met", "Bo"]], [["B-n", "O"], ["O", "O", "B-n"]]
    tagger = SequenceTagger(
        model={"units": 4, "embedding": {"width": 4}},
        training={"epochs": 1, "validation_fraction": 0.0},
    ).fit(texts * 4, list(zip(tags * 4, ["a", "b"] * 4, strict=True)))
    old = SequenceTagger.__new__(SequenceTagger)
    old.__setstate__(without_temperature(tagger))
    assert old.label_temperature_ == 1.0
    np.testing.assert_array_equal(old.predict_label_proba(texts), tagger.predict_label_proba(texts))


def test_it_goes_where_nothing_is_held_out():
    clf = classifier(warm_start=True).fit(X[:80], Y[:80], validation_data=(X[80:], Y[80:]))
    assert clf.temperature_ != 1.0
    clf.partial_fit(X, Y)
    assert clf.temperature_ == 1.0
    clf.fit(X[:80], Y[:80], validation_data=(X[80:], Y[80:]))
    assert clf.temperature_ != 1.0
    assert clf.set_params(warm_start=False).fit(X, Y).temperature_ == 1.0
    few = classifier().fit(X[:80], Y[:80], validation_data=(X[80:100], Y[80:100]))
    assert few.temperature_ == 1.0


def test_what_an_earlier_fit_may_have_learned_calibrates_nothing():
    part = {"training__validation_fraction": 0.4}
    clf = classifier(warm_start=True).fit(X, Y).set_params(**part)
    (said,) = told(lambda: clf.fit(X, Y))
    assert "and probabilities are not calibrated; give validation_data" in said
    assert clf.temperature_ == 1.0
    clf.set_params(calibrate=False).fit(X, Y)  # nothing is lost, and nothing is said
    clf.set_params(calibrate=True).fit(X[:80], Y[:80], validation_data=(X[80:], Y[80:]))
    assert clf.temperature_ != 1.0


@pytest.mark.slow
def test_of_a_tagger_neither():
    texts = [["Ana", "left"], ["we", "met", "Bo"]] * 40
    tags = [["B-n", "O"], ["O", "O", "B-n"]] * 40
    y = list(zip(tags, ["a", "b"] * 40, strict=True))
    tagger = SequenceTagger(
        model={"units": 4, "embedding": {"width": 4}},
        training={"epochs": 1, "validation_fraction": 0.5},
        warm_start=True,
        random_state=0,
    ).fit(texts, y)
    assert tagger.temperature_ != 1.0
    (said,) = told(lambda: tagger.fit(texts, y))
    assert "and probabilities are not calibrated" in said
    assert tagger.temperature_ == tagger.label_temperature_ == 1.0
    tagger.fit(texts[:40], y[:40], validation_data=(texts[40:], y[40:]))
    assert tagger.temperature_ != 1.0
    assert tagger.label_temperature_ != 1.0


@pytest.mark.slow
def test_class_weights_do_not_count_and_sample_weights_do():
    held = (X[80:], Y[80:])
    clf = classifier(class_weight={"up": 9.0}).fit(X[:80], Y[:80], validation_data=held)
    plain = classifier(class_weight={"up": 9.0}, calibrate=False)
    plain.fit(X[:80], Y[:80], validation_data=held)
    logits = np.log(plain.predict_proba(X[80:]))
    codes = np.searchsorted(clf.classes_, Y[80:])
    assert clf.temperature_ == pytest.approx(best_temperature(logits, codes), rel=0.01)
    weights = np.where(np.arange(80) % 2, 3.0, 0.5)
    clf.fit(X[:80], Y[:80], validation_data=(*held, weights))
    plain.fit(X[:80], Y[:80], validation_data=(*held, weights))
    logits = np.log(plain.predict_proba(X[80:]))
    assert clf.temperature_ == pytest.approx(best_temperature(logits, codes, weights), rel=0.01)


# --- labels of whole texts ---


@pytest.mark.slow
def test_labels_of_texts_have_a_temperature_of_their_own(tmp_path):
    rng = np.random.default_rng(1)
    words = ["Ana", "met", "Bo", "left", "here", "now"]
    texts = [[words[i] for i in rng.integers(0, 6, 4)] for _ in range(160)]
    labels = ["met" if "met" in text and rng.random() < 0.8 else "not" for text in texts]
    tags = [["B-name" if word.istitle() else "O" for word in text] for text in texts]
    y = list(zip(tags, labels, strict=True))
    common = {
        "model": {"units": 6, "embedding": {"width": 4}},
        "text": {"characters": False},
        "training": {"epochs": 15, "batch_size": 16, "learning_rate": 0.05},
        "random_state": 0,
    }
    held = {"validation_data": (texts[80:], y[80:])}
    plain = SequenceTagger(calibrate=False, **common).fit(texts[:80], y[:80], **held)
    tagger = SequenceTagger(**common).fit(texts[:80], y[:80], **held)
    assert plain.label_temperature_ == 1.0
    assert tagger.label_temperature_ != 1.0
    logits = np.log(plain.predict_label_proba(texts))
    np.testing.assert_allclose(
        tagger.predict_label_proba(texts),
        softmax(logits / tagger.label_temperature_, axis=1),
        atol=1e-4,
    )
    codes = np.searchsorted(tagger.classes_, labels)
    assert nll(np.log(tagger.predict_label_proba(texts[80:])), codes[80:]) < (
        nll(logits[80:], codes[80:])
    )
    assert tagger.predict(texts) == plain.predict(texts)
    loaded = kseq.load(tagger.save(tmp_path / "tagger"))
    assert loaded.label_temperature_ == tagger.label_temperature_
