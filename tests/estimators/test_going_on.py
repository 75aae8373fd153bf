"""Warm starts and partial fits."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from kseq import DataError, Forecaster, RecipeError, SequenceClassifier, SequenceRegressor

RNG = np.random.default_rng(0)
X = RNG.normal(size=(32, 5, 2))
Y = np.where(X[:, :, 0].sum(axis=1) > 0, 4, 2)
ALL = {"epochs": 2, "batch_size": 8, "validation_fraction": 0.0, "learning_rate": 0.05}


def classifier(**params):
    return SequenceClassifier(
        model={"builder": "tiny"}, training=ALL, **{"random_state": 0, **params}
    )


def test_passes_one_by_one_are_a_training():
    whole = classifier().fit(X, Y)
    steps = classifier().partial_fit(X, Y, classes=[2, 4]).partial_fit(X, Y)
    np.testing.assert_array_equal(whole.predict_proba(X), steps.predict_proba(X))
    assert steps.n_iter_ == 2
    np.testing.assert_allclose(steps.history_["loss"], whole.history_["loss"], rtol=1e-6)


def test_numbers_are_learned_in_parts_too():
    y = X.sum(axis=(1, 2))
    reg = SequenceRegressor(model={"builder": "tiny"}, training=ALL, random_state=0)
    for _ in range(60):
        reg.partial_fit(X, y)
    assert reg.score(X, y) > 0.8
    with pytest.raises(DataError, match=r"y: has 2 targets, but the first fit had 1"):
        reg.partial_fit(X, np.stack([y, y], axis=1))


def test_a_part_may_lack_a_class_but_not_bring_one():
    clf = classifier().partial_fit(X[:4], np.full(4, 2), classes=[2, 3, 4])
    clf.partial_fit(X[:4], np.full(4, 4), classes=[4, 3, 2])
    assert clf.classes_.tolist() == [2, 3, 4]
    with pytest.raises(DataError, match=r"y: the class 5 does not occur in classes"):
        clf.partial_fit(X[:4], np.full(4, 5))
    with pytest.raises(DataError, match=r"classes: \[2, 4\] is not what the first call had"):
        clf.partial_fit(X, Y, classes=[2, 4])
    with pytest.raises(DataError, match="classes: must be passed on the first call"):
        classifier().partial_fit(X, Y)


def test_a_warm_start_keeps_the_weights_and_the_scale():
    clf = classifier(warm_start=True).fit(X, Y)
    mean = clf._models.servable.get_layer("standardize").mean.numpy()
    before = clf.predict_proba(X)
    clf.set_params(training__learning_rate=1e-9).fit(X + 1, Y)
    np.testing.assert_allclose(clf.predict_proba(X), before, atol=1e-5)
    kept = clf._models.servable.get_layer("standardize").mean.numpy()
    np.testing.assert_array_equal(kept, mean)
    assert clf.n_iter_ == 4
    assert len(clf.history_["loss"]) == 4
    cold = clf.set_params(warm_start=False).fit(X, Y)
    assert cold.n_iter_ == 2


def test_a_warm_start_goes_on_after_a_pickle():
    clf = classifier(warm_start=True).fit(X, Y)
    copied = pickle.loads(pickle.dumps(clf)).fit(X, Y)
    assert copied.n_iter_ == 4
    assert "warm_start" not in clf.recipe().task


def test_another_architecture_cannot_go_on():
    clf = classifier(warm_start=True).fit(X, Y)
    with pytest.raises(RecipeError, match=r"model\.units: was 4 in the last fit and is 7 now"):
        clf.set_params(model__units=7).fit(X, Y)
    clf = classifier(warm_start=True).fit(X, Y)
    with pytest.raises(DataError, match="X: its sequences differ in length, but those of the fir"):
        clf.fit([x[: 3 + i % 2] for i, x in enumerate(X)], Y)
    with pytest.raises(DataError, match="X: has 1 features a time step"):
        clf.fit(X[:, :, :1], Y)


def test_what_is_made_of_the_weights_may_change():
    clf = classifier(warm_start=True).fit(X, Y)
    clf.set_params(calibrate=False).fit(X, Y).set_params(calibrate=True).fit(X, Y)
    assert clf.n_iter_ == 6
    y = X.sum(axis=(1, 2))
    reg = SequenceRegressor(model={"builder": "tiny"}, training=ALL, warm_start=True, interval=None)
    held = {"validation_data": (X[20:], y[20:])}
    reg.fit(X[:20], y[:20], **held)
    assert sorted(reg.servable_.output) == ["prediction"]
    reg.set_params(interval=0.8).fit(X[:20], y[:20], **held)
    assert sorted(reg.servable_.output) == ["lower", "prediction", "upper"]
    assert reg.evaluate(X, y).notes["interval"]["level"] == 0.8


def test_a_forecaster_goes_on_with_its_columns():
    series = {"a": RNG.normal(size=60), "b": RNG.normal(size=60)}
    model = Forecaster(
        window=6, horizon=2, warm_start=True, model={"builder": "tiny"}, training=ALL
    )
    model.fit(series).fit(series)
    assert model.n_iter_ == 4
    with pytest.raises(DataError, match=r"series: has the columns \['a'\], but the last fit had"):
        model.fit({"a": series["a"]})


def test_a_pass_goes_by_the_learning_rate_of_its_time():
    clf = classifier().partial_fit(X, Y, classes=[2, 4])
    before = clf.predict_proba(X)
    clf.set_params(training__learning_rate=1e-12).partial_fit(X, Y)
    np.testing.assert_allclose(clf.predict_proba(X), before, atol=1e-6)
