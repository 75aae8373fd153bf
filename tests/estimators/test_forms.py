"""The same sequences in every form that users have them in, and what scikit-learn does to them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.ensemble import StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import kseq
from kseq import DataError, SequenceClassifier, SequenceRegressor
from kseq.data.frames import read_long

polars = pytest.importorskip("polars")

RNG = np.random.default_rng(0)
N, TIME = 18, 6
X = RNG.integers(-40, 40, size=(N, TIME, 2)) / 8  # exact in float32
Y = np.where(X[:, :, 0].sum(axis=1) > 0, "up", "down")
IDS = RNG.permutation(N) + 100


def long_table() -> dict[str, np.ndarray]:
    """A row a step, in any order; its ids first appear in the order of X."""
    table = {
        "id": np.repeat(IDS, TIME),
        "time": np.tile(np.arange(TIME), N),
        "a": X[:, :, 0].ravel(),
        "b": X[:, :, 1].ravel(),
    }
    within = np.concatenate([RNG.permutation(TIME) + TIME * row for row in range(N)])
    return {name: values[within] for name, values in table.items()}


def classifier(**params):
    return SequenceClassifier(
        model={"builder": "tiny"}, training={"epochs": 2, "batch_size": 8}, random_state=0, **params
    )


def test_the_same_fit_from_every_form_is_the_same_to_the_last_bit(tmp_path):
    np.save(tmp_path / "x.npy", X)
    table = long_table()
    frame = pd.DataFrame(table)
    forms = {
        "float32": X.astype(np.float32),
        "fortran": np.asfortranarray(X),
        "object": X.astype(object),
        "memory map": np.load(tmp_path / "x.npy", mmap_mode="r"),
        "arrays": list(X),
        "lists": X.tolist(),
        "pandas": frame,
        "pandas, two levels": frame.set_index(["id", "time"]),
        "pandas' own types": frame.convert_dtypes(),
        "polars": polars.DataFrame(table),
        "channels first": kseq.compat.time_first(np.swapaxes(X, 1, 2)),
    }
    expected = classifier().fit(X, Y).predict_proba(X)
    for name, form in forms.items():
        found = classifier().fit(form, Y).predict_proba(form)
        np.testing.assert_array_equal(found, expected, err_msg=name)


def test_wide_tables_are_sequences_of_one_feature():
    flat = X[:, :, 0]
    names = [f"t{i}" for i in range(TIME)]
    frame = pd.DataFrame(flat, columns=names)
    expected = classifier().fit(flat[:, :, None], Y).predict_proba(flat[:, :, None])
    for form in (flat, flat.tolist(), frame, polars.DataFrame(flat, schema=names)):
        clf = classifier().fit(form, Y)
        np.testing.assert_array_equal(clf.predict_proba(form), expected)
        assert clf.n_features_in_ == TIME
    assert clf.feature_names_in_.tolist() == names
    with pytest.raises(DataError, match=r"X: X has 4 features, but Seq.* pass X\[:, :, None\]"):
        classifier().fit(flat, Y).predict(flat[:, :4])
    with pytest.raises(DataError, match="The feature names should match"):
        clf.predict(frame[names[::-1]])
    assert clf.predict([[1.0, 2.0], [3.0]]).shape == (2,)


@pytest.mark.slow
def test_the_features_of_a_long_table_go_by_name(tmp_path):
    frame = pd.DataFrame(long_table())
    clf = classifier().fit(frame, pd.Series(Y, index=IDS))
    assert clf.feature_names_in_.tolist() == ["a", "b"]
    assert clf.n_features_in_ == 2
    expected = clf.predict_proba(frame)
    np.testing.assert_array_equal(clf.predict_proba(frame[["b", "time", "a", "id"]]), expected)
    np.testing.assert_array_equal(clf.predict_proba(X), expected)
    loaded = kseq.load(clf.save(tmp_path / "long"))
    assert loaded.feature_names_in_.tolist() == ["a", "b"]
    with pytest.raises(DataError, match=r"X: has no column 'a', which the model was fitted to"):
        clf.predict(frame.drop(columns="a"))


def test_targets_of_a_long_table_come_by_sequence_id_or_row():
    table = pd.DataFrame(long_table())
    of_rows = pd.Series(np.repeat(Y, TIME))  # rows of a sequence stand together
    by_id = dict(zip(IDS.tolist(), Y.tolist(), strict=True))
    shuffled = pd.Series(by_id).sample(frac=1, random_state=0)
    expected = classifier().fit(X, Y).predict_proba(X)
    for y in (Y, of_rows, by_id, shuffled):
        np.testing.assert_array_equal(classifier().fit(table, y).predict_proba(X), expected)
    reg = SequenceRegressor(per_step=True, model={"builder": "tiny"}, training={"epochs": 1})
    assert reg.fit(table, table["a"]).predict(table).shape == (N, TIME)
    assert reg.score(table, table["a"]) <= 1


def test_a_fit_anew_forgets_the_columns_of_the_last():
    frame = pd.DataFrame(long_table())
    clf = classifier().fit(frame, Y).fit(frame.rename(columns={"a": "c"}), Y)
    assert clf.feature_names_in_.tolist() == ["c", "b"]
    assert not hasattr(clf.fit(X, Y), "feature_names_in_")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns=["a", "b"]), "X: has no column of numbers beside 'id' and"),
        (lambda t: t.assign(a="x"), r"X: column 'a' is not numeric, but (str|object)"),
        (lambda t: t.assign(time=0), r"X: the sequence 1.. has the time 0 twice, in rows . and"),
        (lambda t: t.assign(time=t.time.where(t.time > 0)), "X: row .: 'time' is missing"),
        (lambda t: t.iloc[:0], "X: is empty"),
        (lambda t: t.assign(a=np.nan), "X: NaN in sequence 0, step 0, feature 0"),
    ],
)
def test_wrong_long_tables_are_refused(change, message):
    with pytest.raises(DataError, match=message):
        classifier().fit(change(pd.DataFrame(long_table())), Y)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (Y[:-1], r"y: has 17 values, but X has 18 sequences in 108 rows"),
        (pd.Series(Y), r"y: its index does not hold the ids of X"),
        ({100: "up"}, r"y: has nothing for the sequence 1"),
        (np.arange(N * TIME), r"y: the rows of the sequence 1.. differ in their value"),
    ],
)
def test_targets_that_fit_no_long_table_are_refused(y, message):
    with pytest.raises(DataError, match=message):
        classifier().fit(pd.DataFrame(long_table()), y)


def test_other_names_are_given():
    frame = pd.DataFrame(long_table()).rename(columns={"id": "who", "time": "hour"})
    found, ids = kseq.compat.from_long(frame, id="who", time="hour", columns=["b"])
    assert ids.tolist() == IDS.tolist()
    np.testing.assert_array_equal(np.stack(found), X[:, :, 1:])
    with pytest.raises(DataError, match=r"frame: has no column 'id'; it has 'who'"):
        kseq.compat.from_long(frame)
    with pytest.raises(DataError, match="X: expected a table of pandas or polars, got list"):
        read_long([1])


def test_channels_first_is_turned_or_named():
    ragged = [x[: 3 + row % 3].T for row, x in enumerate(X)]
    assert [x.shape for x in kseq.compat.time_first(ragged)[:3]] == [(3, 2), (4, 2), (5, 2)]
    clf = classifier().fit(X, Y)
    with pytest.raises(DataError, match=r"X: has 6 features .* \(n, channels, time\).*time_first"):
        clf.predict(np.swapaxes(X, 1, 2))
    with pytest.raises(DataError, match=r"X\[1\]: has 4 features .*time_first"):
        clf.fit(ragged, Y)
    with pytest.raises(DataError, match=r"X\[0\]: expected \(channels, time\), got shape \(3,\)"):
        kseq.compat.time_first([np.zeros(3)])
    with pytest.raises(DataError, match=r"expected \(n, channels, time\) .* got shape \(3,\)"):
        kseq.compat.time_first(np.zeros(3))


@pytest.mark.slow
def test_pipelines_searches_and_stacks():
    flat = X[:, :, 0]
    pipe = make_pipeline(StandardScaler(), FunctionTransformer(np.cumsum, kw_args={"axis": 1}))
    pipe.steps.append(("clf", classifier()))
    grid = {"clf__model__units": [2, 3], "clf__training__learning_rate": [0.1, 0.01]}
    search = GridSearchCV(pipe, grid, cv=3).fit(flat, Y)
    assert search.best_estimator_[-1].model["units"] == search.best_params_["clf__model__units"]
    assert len(search.cv_results_["params"]) == 4
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    ragged = [x[: 3 + row % 3] for row, x in enumerate(X)]
    scores = cross_val_score(classifier(), ragged, Y, cv=3, params={"sample_weight": np.ones(N)})
    assert scores.shape == (3,)
    with config_context(enable_metadata_routing=True):
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        routed = make_pipeline(scaler, classifier().set_fit_request(sample_weight=True))
        weights = np.where(Y == "up", 1.0, 0.0)  # so that one class alone is left to learn
        with pytest.raises(DataError, match="y: has 1 class, 'up' alone"):
            routed.fit(flat, Y, sample_weight=weights)
    stack = StackingClassifier(
        [("a", classifier()), ("b", classifier(class_weight="balanced"))],
        LogisticRegression(),
        cv=3,
    ).fit(X, Y)
    assert stack.predict(X).shape == (N,)


@pytest.mark.slow
def test_a_search_over_processes():
    grid = {"model__units": [2, 3], "model__cell": ["gru", "lstm"]}
    common = {"training": {"epochs": 1}, "random_state": 0}
    alone = GridSearchCV(SequenceClassifier(**common), grid, cv=2).fit(X, Y)
    spread = GridSearchCV(SequenceClassifier(**common), grid, cv=2, n_jobs=2).fit(X, Y)
    np.testing.assert_allclose(
        spread.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"]
    )


def test_the_decision_goes_with_the_probabilities():
    clf = classifier().fit(X, Y)
    scores, chances = clf.decision_function(X), clf.predict_proba(X)
    assert scores.shape == (N,)
    np.testing.assert_allclose(1 / (1 + np.exp(-scores)), chances[:, 1], rtol=1e-5)
    clf.fit(X, np.arange(N) % 3)
    assert clf.decision_function(X).shape == (N, 3)
    assert (clf.decision_function(X).argmax(axis=1) == clf.predict(X)).all()
