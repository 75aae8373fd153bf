from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import DataConversionWarning
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from kseq import SequenceClassifier
from kseq.errors import DataError, RecipeError
from tests.estimators.conftest import prepared

RNG = np.random.default_rng(0)
N = 24
X = RNG.normal(size=(N, 5, 2)) + 3 * (np.arange(N) % 2)[:, None, None]
Y = np.arange(N) % 2
RAGGED = [x[: 2 + i % 4] for i, x in enumerate(X)]


def classifier(**training) -> SequenceClassifier:
    training = {"epochs": 1, "batch_size": 8, "learning_rate": 0.1, **training}
    return SequenceClassifier(model={"builder": "tiny"}, training=training, random_state=0)


def slopes(count: int, seed: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Noisy lines of unequal length and any level that rise or fall."""
    rng = np.random.default_rng(seed)
    y = np.where(rng.random(count) < 0.5, "falls", "rises")
    lengths = rng.integers(6, 14, count)
    X = [
        rng.normal()
        + np.linspace(-1, 1, n) * (1 if label == "rises" else -1)
        + 0.3 * rng.normal(size=n)
        for n, label in zip(lengths, y, strict=True)
    ]
    return X, y


@pytest.fixture(scope="module")
def learned() -> SequenceClassifier:
    clf = SequenceClassifier(
        model={"cell": "gru", "units": 8},
        training={"epochs": 12, "batch_size": 16, "learning_rate": 0.02},
        random_state=1,
    )
    return clf.fit(*slopes(96, 0))


def test_the_best_epoch_has_the_best_accuracy_where_that_is_asked_for():
    clf = SequenceClassifier(
        model={"cell": "gru", "units": 4},
        training={"epochs": 8, "batch_size": 8, "learning_rate": 0.1, "monitor": "score"},
        random_state=1,
    )
    clf.fit(*slopes(48, 0), validation_data=slopes(40, 1))
    accuracy = np.array(clf.history_["val_accuracy"])
    best = np.flatnonzero(accuracy == accuracy.max())
    losses = np.array(clf.history_["val_loss"])
    assert clf.best_epoch_ == 1 + best[losses[best].argmin()]
    assert clf.score(*slopes(40, 1)) == pytest.approx(accuracy.max())


def test_it_learns_what_is_easy(learned):
    held_X, held_y = slopes(60, 1)
    assert learned.score(held_X, held_y) > 0.9
    scored = learned.evaluate(held_X, held_y)
    assert scored.better()
    assert scored.metrics["accuracy"] == learned.score(held_X, held_y)
    assert set(scored.baselines) == {"majority class"}


def test_probabilities_sum_to_one_and_agree_with_the_classes(learned):
    held_X, _ = slopes(20, 2)
    probabilities = learned.predict_proba(held_X)
    assert probabilities.shape == (20, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert (learned.classes_[probabilities.argmax(axis=1)] == learned.predict(held_X)).all()


def test_a_prediction_does_not_depend_on_its_company(learned):
    held_X, _ = slopes(20, 3)
    together = learned.predict_proba(held_X)
    alone = np.concatenate([learned.predict_proba([x]) for x in held_X])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(learned.predict_proba(held_X[::-1])[::-1], together, atol=1e-5)
    # More than one chunk.
    many = learned.predict_proba(held_X * 30)
    np.testing.assert_allclose(many, np.tile(together, (30, 1)), atol=1e-5)


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (Y, [0, 1]),
        (Y.astype(bool), [False, True]),
        (Y * 2.0 - 1, [-1.0, 1.0]),
        (Y.astype(np.uint8), [0, 1]),
        (Y.tolist(), [0, 1]),
        (np.where(Y, "b", "a"), ["a", "b"]),
        (np.where(Y, "b", "a").tolist(), ["a", "b"]),
        (np.where(Y, "b", "a").astype(object), ["a", "b"]),
        (pd.Series(np.where(Y, "b", "a"), index=range(100, 100 + N)), ["a", "b"]),
        (pd.Series(np.where(Y, "b", "a")).astype("category"), ["a", "b"]),
        (np.arange(N) % 3, [0, 1, 2]),
    ],
)
def test_labels_of_every_kind(y, classes):
    clf = prepared(classifier(), X, y)
    assert clf.classes_.tolist() == classes
    predicted = clf.predict(X)
    assert predicted.shape == (N,)
    assert predicted.dtype == clf.classes_.dtype
    assert clf.score(X, y) == pytest.approx(np.mean(predicted == np.asarray(y)))


def test_a_column_of_labels_is_taken_with_a_warning():
    with pytest.warns(DataConversionWarning, match="A column-vector y"):
        clf = prepared(classifier(), X, Y[:, None])
    assert clf.predict(X).shape == (N,)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "requires y to be passed"),
        (Y[:-1], "y: has 23 targets for 24 sequences"),
        (3, "y: expected one class a sequence"),
        ("abc", "y: expected one class a sequence"),
        (np.linspace(0, 1, N), "Unknown label type: continuous.*SequenceRegressor"),
        (np.where(Y, np.nan, 1.0), "y: contains NaN"),
        (["a"] * 23 + [None], "labels of one kind, got NoneType and text"),
        (["a"] * 23 + [np.nan], "labels of one kind, got float and text"),
        (["a"] * 23 + [1], "labels of one kind, got int and text"),
        (pd.Series(["a"] * 23 + [None]), "labels of one kind"),
        ([None] * N, "labels of one kind, got NoneType"),
        (Y + 1j, "labels of type complex128"),
        (np.array(["2020-01-01"] * N, "M8[D]"), "labels of type datetime64"),
        (np.stack([Y, Y], axis=1), "expected one class a sequence"),
        ([{"a": 1}] * N, "labels of one kind, got dict"),
        (["only"] * N, "y: has 1 class, 'only' alone; at least 2 are needed"),
    ],
)
def test_what_are_no_labels_is_refused(y, message):
    with pytest.raises(DataError, match=message):
        classifier().fit(X, y)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ((X, np.full(N, 7)), r"validation y: the class 7 does not occur in y; .*\[0, 1\]"),
        ((X, np.where(Y, "b", "a")), "validation y: the class 'a' does not occur in y"),
        ((X[:, :, :1], Y), "validation X: has 1 features .* fitted with 2"),
        ((X, Y[:3]), "validation y: has 3 targets for 24 sequences"),
        ((X,), r"validation_data: expected a pair \(X, y\)"),
        (X, r"validation_data: expected a pair \(X, y\), or \(X, y, sample_weight\), got ndarray"),
        ((X[:0], Y[:0]), "validation X: is empty"),
    ],
)
def test_wrong_validation_data_is_refused(data, message):
    with pytest.raises(DataError, match=message):
        classifier().fit(X, Y, validation_data=data)


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        (X, X[:3]),
        (X.astype(np.float32), X[:3]),
        (X[:, :, 0], X[:3, :, 0]),
        (pd.DataFrame(X[:, :, 0]), pd.DataFrame(X[:3, :, 0])),
        (RAGGED, RAGGED[:3]),
        (RAGGED, X[:3]),
        (X, RAGGED[:3]),
        (X, X[:3, :2]),
        (pd.Series(RAGGED), [x.tolist() for x in RAGGED[:3]]),
        ([x[:, 0] for x in RAGGED], RAGGED[0][None, :, 0]),
    ],
)
def test_sequences_of_every_form(given, asked):
    clf = prepared(classifier(), given, Y)
    assert clf.predict(asked).shape == (len(asked),)
    wide = hasattr(given, "shape") and len(given.shape) == 2  # then as any table of scikit-learn
    assert clf.n_features_in_ == (given.shape[1] if wide else clf.spec_.features)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (X[:, :, :1], "has 1 features a time step, but the model was fitted with 2"),
        (X[0], r"has 1 features a time step"),
        (X[:0], "is empty"),
        ([], "is empty"),
        (np.where(X > 2, np.nan, X), "NaN in sequence"),
    ],
)
def test_what_cannot_be_predicted_is_refused(asked, message):
    clf = prepared(classifier(), X, Y)
    with pytest.raises(DataError, match=message):
        clf.predict(asked)


def test_the_data_are_not_changed():
    before, labels = X.copy(), Y.copy()
    given = X.copy()
    given.setflags(write=False)
    labels.setflags(write=False)
    classifier(mixup=0.5).fit(given, labels)
    np.testing.assert_array_equal(given, before)


def test_validation_data_take_the_place_of_the_hold_out():
    clf = classifier()
    train, valid = clf._prepare(X, Y, (RAGGED[:5], Y[:5]))
    assert (len(train.sequences), len(valid.sequences)) == (N, 5)
    assert clf.spec_.ragged
    train, valid = clf._prepare(X, Y, None)
    assert (len(train.sequences), len(valid.sequences)) == (22, 2)
    train, valid = classifier(validation_fraction=0.0)._prepare(X, Y, None)
    assert (len(train.sequences), valid) == (N, None)


def test_every_class_is_learned_from_however_small_it_is():
    y = np.array(["common"] * 18 + ["rare"] * 2 + ["a", "b", "c", "d"])
    for seed in range(5):
        clf = classifier(validation_fraction=0.25).set_params(random_state=seed)
        clf._prepare(X, y, None)
        assert (clf.class_counts_ > 0).all()
    # All are classes of their own: nothing can be held out.
    train, valid = classifier()._prepare(X[:10], [f"class {i}" for i in range(10)], None)
    assert (len(train.sequences), valid) == (10, None)


def test_the_hold_out_has_the_classes_in_proportion():
    y = np.repeat(["a", "b"], [18, 6])
    clf = classifier(validation_fraction=1 / 3)
    _, valid = clf._prepare(X, y, None)
    assert valid.targets.sum(axis=0).tolist() == [6, 2]
    assert clf.class_counts_.tolist() == [12, 4]
    # As many training rows as classes are left: no stratum can be kept.
    classifier(validation_fraction=0.95)._prepare(X, y, None)


def test_scaling_is_learned_from_the_training_rows_alone():
    valid = X[:4] * 1e6
    clf = classifier()
    clf._prepare(X, Y, (valid, Y[:4]))
    layer = clf.servable_.get_layer("standardize")
    rows = X.reshape(-1, 2)
    np.testing.assert_allclose(layer.mean, rows.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(layer.scale, rows.std(axis=0), rtol=1e-5)
    clf.set_params(standardize=False)._prepare(X, Y, None)
    np.testing.assert_array_equal(clf.servable_.get_layer("standardize").scale, [1, 1])


def test_a_constant_feature_and_a_huge_one_are_no_trouble():
    given = np.stack([np.full((N, 5), 7.0), 1e30 * X[:, :, 0]], axis=-1)
    clf = classifier(epochs=3).fit(given, Y)
    assert np.isfinite(clf.predict_proba(given)).all()


def test_mixup_needs_equal_lengths():
    with pytest.raises(RecipeError, match=r"training\.mixup: .* lengths differ"):
        classifier(mixup=0.2).fit(RAGGED, Y)
    assert classifier(mixup=0.2, label_smoothing=0.1).fit(X, Y).n_iter_ == 1


@pytest.mark.slow
def test_it_works_in_scikit_learn_s_tools():
    double = FunctionTransformer(lambda X: [2 * x for x in X])
    pipe = make_pipeline(double, classifier(epochs=4)).fit(RAGGED, Y)
    assert pipe.score(RAGGED, Y) > 0.9
    assert clone(pipe).get_params()["sequenceclassifier__training__epochs"] == 4
    assert cross_val_score(classifier(), RAGGED, Y, cv=2).shape == (2,)
    grid = {"model__units": [1, 4], "training__epochs": [1]}
    search = GridSearchCV(classifier(), grid, cv=2, error_score="raise").fit(RAGGED, Y)
    assert search.best_params_["model__units"] in (1, 4)
    assert search.best_estimator_.recipe_.model["units"] == search.best_params_["model__units"]
    assert search.best_estimator_.n_iter_ == 1
    assert search.predict(RAGGED).shape == (N,)


def test_labels_that_training_did_not_have_are_mistakes_in_a_score():
    clf = prepared(classifier(), X, Y)
    assert clf.score(X[:2], [5, 6]) == 0
    scored = clf.evaluate(X[:4], [0, 1, 5, 5])
    assert scored.metrics["accuracy"] <= 0.5
    with pytest.raises(DataError, match="has 2 targets for 3 sequences"):
        clf.evaluate(X[:3], [0, 1])
