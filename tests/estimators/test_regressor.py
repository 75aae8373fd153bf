from __future__ import annotations

import json
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import r2_score

from kseq import SequenceRegressor
from kseq.errors import DataError, TrainingError
from kseq.report.examples import worst_items
from kseq.report.mistakes import mistakes
from tests.estimators.conftest import prepared

RNG = np.random.default_rng(0)
N = 24
X = RNG.normal(size=(N, 5, 2))
Y = 1e4 + X.mean(axis=(1, 2))
RAGGED = [x[: 2 + i % 4] for i, x in enumerate(X)]
STEPS = [x.sum(axis=1) for x in RAGGED]


def regressor(per_step: bool = False, **training) -> SequenceRegressor:
    training = {"epochs": 1, "batch_size": 8, "learning_rate": 0.1, **training}
    return SequenceRegressor(
        per_step=per_step, model={"builder": "tiny"}, training=training, random_state=0
    )


@pytest.fixture(scope="module")
def sums() -> tuple[SequenceRegressor, list[np.ndarray], np.ndarray]:
    """A regressor of two targets, far from zero, and held-out sequences with theirs."""
    rng = np.random.default_rng(1)
    X = [rng.normal(size=(n, 2)) for n in rng.integers(2, 7, 160)]
    y = np.stack([[1e4 + x[:, 0].mean(), 5 * x[:, 1].mean()] for x in X])
    reg = regressor(epochs=40, learning_rate=0.05).fit(X[:110], y[:110])
    return reg, X[110:], y[110:]


def test_it_learns_what_is_easy_in_the_targets_own_scale(sums):
    reg, X, y = sums
    predicted = reg.predict(X)
    assert predicted.shape == y.shape
    assert np.abs(predicted[:, 0] - y[:, 0]).max() < 1.5
    assert reg.score(X, y) == pytest.approx(r2_score(y, predicted))
    assert reg.score(X, y) > 0.8
    scored = reg.evaluate(X, y)
    assert scored.better()
    assert scored.metrics["r2"] == pytest.approx(reg.score(X, y))
    assert set(scored.baselines) == {"training mean"}


def test_a_prediction_does_not_depend_on_its_company(sums):
    reg, X, _ = sums
    alone = np.concatenate([reg.predict([x]) for x in X])
    np.testing.assert_allclose(reg.predict(X), alone, rtol=1e-6)


@pytest.mark.parametrize(
    ("y", "shape"),
    [
        (Y, (N,)),
        (Y.tolist(), (N,)),
        (Y.astype(np.float32), (N,)),
        (np.arange(N), (N,)),
        (pd.Series(Y, index=range(5, 5 + N)), (N,)),
        (Y[:, None], (N, 1)),
        (np.stack([Y, -Y], axis=1), (N, 2)),
        (pd.DataFrame({"a": Y, "b": -Y}), (N, 2)),
        (np.full(N, 3.0), (N,)),
        (Y.astype(object), (N,)),
    ],
)
def test_predictions_have_the_form_of_the_targets(y, shape):
    reg = prepared(regressor(), X, y)
    assert reg.predict(X).shape == shape
    assert np.isfinite(reg.predict(X)).all()


@pytest.mark.slow
def test_a_constant_target_is_predicted():
    reg = regressor(epochs=30).fit(X, np.full(N, 3.0))
    np.testing.assert_allclose(reg.predict(X), 3.0, atol=0.3)


@pytest.mark.parametrize(
    ("X", "y", "form"),
    [
        (X, X.sum(axis=2), (N, 5)),
        (X, np.asfortranarray(X[:, :, :1]), (N, 5, 1)),
        (X, X.sum(axis=2).tolist(), (N, 5)),
        (X[:, :, 0], pd.DataFrame(X[:, :, 1]), (N, 5)),
        (RAGGED, STEPS, list),
        (RAGGED, [np.stack([s, s], axis=1) for s in STEPS], list),
        (pd.Series(RAGGED), pd.Series(STEPS), list),
    ],
)
def test_targets_of_every_step(X, y, form):
    reg = prepared(regressor(per_step=True), X, y)
    predicted = reg.predict(X)
    if form is not list:
        assert predicted.shape == form
    else:
        assert [p.shape for p in predicted] == [np.shape(t) for t in y]
    assert reg.score(X, y) == pytest.approx(reg.evaluate(X, y).metrics["r2"])


def test_sequences_without_a_target_keep_the_places_of_the_others():
    y = [step.copy() for step in STEPS]
    y[0][:] = y[3][:] = np.nan
    y[1][:-1] = np.nan
    reg = regressor(per_step=True, epochs=1).fit(RAGGED, STEPS)
    found = reg.evaluate(RAGGED, y)
    assert found.rows.tolist() == [1, 2, *range(4, N)]
    assert found.lengths.tolist() == [len(RAGGED[row]) for row in found.rows]
    assert len(found.truth[0]) == 1
    worst = max(found.rows, key=lambda row: np.nanmean(np.abs(y[row] - reg.predict(RAGGED)[row])))
    first = worst_items(found)[0]
    assert (first.item, first.steps) == (worst, len(RAGGED[worst]))
    ids = [f"name of {row}" for row in range(N)]
    page = str(mistakes(found, {}, {}, items=RAGGED, ids=ids))
    assert f"sequence {worst} of the test part, name of {worst}<" in page
    for row in (0, 3):
        assert f"name of {row}<" not in page
    assert reg.evaluate(np.stack([x[:1] for x in RAGGED]), [t[:1] for t in STEPS]).rows.size == N


@pytest.mark.slow
def test_every_step_is_learned_and_nan_steps_are_left_out():
    y = [step.copy() for step in STEPS]
    for row in range(0, N, 2):
        y[row][-1] = np.nan
    y[1][:] = np.nan
    reg = regressor(per_step=True, epochs=60).fit(RAGGED, y)
    assert reg.score(RAGGED, STEPS) > 0.8
    assert reg.score(RAGGED, y) > 0.8
    steps = np.concatenate(y)
    # Whatever was held out, the mean is one of the observed targets of the rest.
    assert np.isfinite(reg.target_mean_).all()
    assert abs(reg.target_mean_[0] - np.nanmean(steps)) < 1
    assert reg.evaluate(RAGGED, y).items == np.isfinite(steps).sum()
    assert reg.score(RAGGED, y, np.full(N, 2.0)) == pytest.approx(reg.score(RAGGED, y))
    first = np.where(np.arange(N) < 6, 1.0, 0.0)
    assert reg.score(RAGGED, y, first) == pytest.approx(reg.score(RAGGED[:6], y[:6]))
    with pytest.raises(DataError, match="sample_weight: has 23 weights for 24 sequences"):
        reg.score(RAGGED, y, np.ones(N - 1))


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "requires y to be passed"),
        (Y[:-1], "y: has 23 targets for 24 sequences"),
        (3.0, "y: expected a target for each sequence, got"),
        ("abc", "y: expected a target for each sequence, got str"),
        ({"a": Y}, "y: expected a target for each sequence, got dict"),
        (Y + 1j, "Complex data not supported"),
        (["x"] * N, "not all targets are numbers"),
        (np.where(Y > 1e4, np.nan, Y), "y: Input y contains NaN"),
        (np.where(Y > 1e4, np.inf, Y), "contains infinity or a value too large"),
        (Y * 1e300, "contains infinity or a value too large for float32"),
        (X, r"expected \(n,\) or \(n, targets\), got \(24, 5, 2\); set per_step"),
        (list(STEPS), "not all targets are numbers"),
    ],
)
def test_what_are_no_targets_is_refused(y, message):
    with pytest.raises(DataError, match=message):
        regressor().fit(X, y)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (Y, r"y\[0\]: expected \(time,\) or \(time, targets\), got \(\)"),
        (STEPS[:-1], "y: has 23 targets for 24 sequences"),
        ([*STEPS[:-1], STEPS[-1][:-1]], r"y\[23\]: has 4 targets for 5 time steps"),
        ([STEPS[0], STEPS[1][:, None], *STEPS[2:]], r"y\[1\]: expected"),
        ([STEPS[0], np.inf * STEPS[1], *STEPS[2:]], r"y\[1\]: contains infinity"),
        ([np.nan * s for s in STEPS], "y: has no target that is not NaN"),
    ],
)
def test_what_are_no_targets_of_steps_is_refused(y, message):
    with pytest.raises(DataError, match=message):
        regressor(per_step=True).fit(RAGGED, y)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ((X, np.stack([Y, Y], axis=1)), "validation y: has 2 targets, but y has 1"),
        ((X, Y[:2]), "validation y: has 2 targets for 24 sequences"),
        ((X[:, :, :1], Y), "validation X: has 1 features"),
        (X, "validation_data: expected a pair"),
    ],
)
def test_wrong_validation_data_is_refused(data, message):
    with pytest.raises(DataError, match=message):
        regressor().fit(X, Y, validation_data=data)


@pytest.mark.parametrize("given", [True, False], ids=["validation_data", "hold-out"])
def test_statistics_come_from_the_training_rows_alone(given):
    reg = regressor(validation_fraction=0.25)
    if given:
        reg._prepare(X, Y, (1e6 * X[:6], 1e6 * Y[:6]))
        rows, targets = X.reshape(-1, 2), Y
    else:
        _, valid = reg._prepare(X, Y, None)
        held = np.isin(X[:, 0, 0], valid.sequences.values[:, 0, 0])
        assert held.sum() == 6
        spoiled, spoiled_y = X.copy(), Y.copy()
        spoiled[held] *= 1e6
        spoiled_y[held] *= 1e6
        reg._prepare(spoiled, spoiled_y, None)
        rows, targets = X[~held].reshape(-1, 2), Y[~held]
    layer, output = (reg.servable_.get_layer(n) for n in ("standardize", "prediction"))
    np.testing.assert_allclose(layer.mean, rows.mean(axis=0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(layer.scale, rows.std(axis=0), rtol=1e-4)
    np.testing.assert_allclose(output.mean, [targets.mean()], rtol=1e-6)
    np.testing.assert_allclose(output.scale, [targets.std()], rtol=1e-4)
    np.testing.assert_allclose(reg.target_mean_, [targets.mean()])


def test_without_standardizing_nothing_is_scaled():
    reg = prepared(regressor().set_params(standardize=False), X, X.mean(axis=(1, 2)))
    scores = reg.model_(X.astype("float32"), training=False)
    np.testing.assert_allclose(reg.predict(X), scores[:, 0], atol=1e-6)


def test_a_training_that_failed_leaves_a_usable_regressor():
    reg = regressor(epochs=40, learning_rate=1e30, clip_norm=None)
    with pytest.raises(TrainingError, match=r"the loss became .* keeps the weights of epoch"):
        reg.fit(X, Y)
    assert not np.isfinite(reg.history_["loss"][-1])
    assert reg.predict(X).shape == (N,)
    json.dumps(reg._preprocessing(), allow_nan=False)
    copied = pickle.loads(pickle.dumps(reg))
    np.testing.assert_array_equal(copied.predict(X), reg.predict(X))
    assert np.isnan(copied.history_["loss"][-1])
