"""Prediction intervals of estimators: their form, what they come from, and where they go."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys

import keras
import numpy as np
import pytest

import kseq
from kseq import DataError, Forecaster, RecipeError, SequenceRegressor
from kseq.estimators.conformal import Calibration, Interval
from kseq.run import evaluate, fit, read_data
from tests.estimators.conftest import told

RNG = np.random.default_rng(0)
X = RNG.normal(size=(240, 5, 2)).astype("float32")
Y = X.sum(axis=(1, 2)) + RNG.normal(size=240)
NEW = RNG.normal(size=(7, 5, 2)).astype("float32")
SERIES = RNG.normal(size=(260, 2)).cumsum(axis=0)
TRAINING = {"epochs": 2, "batch_size": 16, "learning_rate": 0.02, "validation_fraction": 0.25}


def regressor(**params):
    params = {"training": TRAINING, "random_state": 0, **params}
    return SequenceRegressor(model={"builder": "tiny"}, **params)


def forecaster(**params):
    params = {"training": TRAINING, "random_state": 0, "window": 8, "horizon": 3, **params}
    return Forecaster(model={"builder": "tiny"}, **params)


def served(estimator, **inputs):
    found = estimator.servable_({name: np.float32(x) for name, x in inputs.items()})
    return {name: keras.ops.convert_to_numpy(value) for name, value in found.items()}


# --- numbers ---


def test_the_bounds_are_those_of_the_held_out_residuals():
    reg = regressor().fit(X[:180], Y[:180], validation_data=(X[180:], Y[180:]))
    off = np.sort(np.abs(Y[180:] - reg.predict(X[180:])))
    for level in (0.5, 0.8, 0.9):
        prediction, lower, upper = reg.predict(NEW, interval=level)
        np.testing.assert_array_equal(prediction, reg.predict(NEW))
        radius = off[int(np.ceil(61 * level)) - 1]
        np.testing.assert_allclose(upper - prediction, radius, rtol=1e-5)
        np.testing.assert_allclose(prediction - lower, radius, rtol=1e-5)


def test_what_is_served_is_what_is_predicted():
    reg = regressor(interval=0.8).fit(X, Y)
    found = served(reg, x=NEW)
    for name, values in reg.predict(NEW, interval=0.8)._asdict().items():
        np.testing.assert_allclose(found[name][:, 0], values, rtol=1e-5, atol=1e-6)
    assert sorted(served(regressor(interval=None).fit(X, Y), x=NEW)) == ["prediction"]
    assert isinstance(regressor(interval=None).fit(X, Y).predict(NEW, interval=0.5), Interval)


def test_several_targets_have_widths_of_their_own():
    both = np.stack([Y, 100 * RNG.normal(size=240)], axis=1)
    found = regressor().fit(X, both).predict(NEW, interval=0.9)
    width = found.upper - found.lower
    assert width.shape == (7, 2)
    assert (width[:, 1] > 20 * width[:, 0]).all()


def test_steps_of_unequal_length():
    lists = [x[: 3 + i % 3] for i, x in enumerate(X)]
    steps = [x.sum(axis=1) + RNG.normal(size=len(x)) for x in lists]
    steps[-1][0] = np.nan
    reg = regressor(per_step=True).fit(lists, steps)
    found = reg.predict(lists[:4], interval=0.9)
    for part in found:
        assert [len(row) for row in part] == [3, 4, 5, 3]
    assert all((low < high).all() for low, high in zip(found.lower, found.upper, strict=True))
    note = reg.evaluate(lists, steps).notes["interval"]
    assert note["points"] == sum(map(len, steps)) - 1
    assert 0.75 < note["coverage"] < 1
    lengths = np.array([3, 4, 5, 3])
    padded = np.zeros((4, 5, 2))
    for place, row in zip(padded, lists, strict=False):
        place[: len(row)] = row
    answer = reg.servable_({"x": np.float32(padded), "lengths": lengths})
    upper = keras.ops.convert_to_numpy(answer["upper"])
    np.testing.assert_allclose(upper[1, :4, 0], found.upper[1], rtol=1e-5)


@pytest.mark.slow
def test_held_out_rows_that_do_not_count_are_left_out():
    wild = Y.copy()
    wild[200:] += 1000
    weights = np.where(np.arange(240) < 200, 1.0, 0.0)
    held = (X[120:], wild[120:], weights[120:])
    reg = regressor().fit(X[:120], Y[:120], validation_data=held)
    same = regressor().fit(X[:120], Y[:120], validation_data=(X[120:200], Y[120:200]))
    for name, values in reg.predict(NEW, interval=0.9)._asdict().items():
        np.testing.assert_allclose(values, getattr(same.predict(NEW, interval=0.9), name))


def test_without_held_out_targets():
    reg = regressor(training={**TRAINING, "validation_fraction": 0.0}).fit(X, Y)
    assert sorted(served(reg, x=NEW)) == ["prediction"]
    assert "interval" not in reg.evaluate(X, Y).notes
    with pytest.raises(DataError, match=r"none were held out; fit with validation_data, or raise"):
        reg.predict(NEW, interval=0.9)
    assert reg.without_interval().endswith("no training learned from, but none were held out")
    with pytest.raises(ValueError, match="not fitted"):
        regressor().predict(NEW, interval=0.9)


def test_too_few_held_out_targets():
    reg = regressor().fit(X[:32], Y[:32])  # 8 are held out
    assert sorted(served(reg, x=NEW)) == ["prediction"]
    assert "interval" not in reg.evaluate(X, Y).notes
    message = "0.9 needs at least 9 held-out targets, but there were 8, enough for 0.888"
    with pytest.raises(DataError, match=re.escape(message)):
        reg.predict(NEW, interval=0.9)
    assert reg.without_interval() == message
    assert regressor(interval=0.5).fit(X[:32], Y[:32]).without_interval() == ""
    assert regressor(interval=None).fit(X[:32], Y[:32]).without_interval() == ""
    assert np.isfinite(reg.predict(NEW, interval=0.888).upper).all()
    copied = pickle.loads(pickle.dumps(reg))
    np.testing.assert_array_equal(
        copied.predict(NEW, interval=0.8).upper, reg.predict(NEW, interval=0.8).upper
    )


def test_what_is_no_level():
    reg = regressor().fit(X[:40], Y[:40])
    for level in (0, 1, 1.5, True, "x"):
        with pytest.raises(RecipeError, match=r"task\.interval"):
            regressor(interval=level).fit(X, Y)
        with pytest.raises(DataError, match="interval: expected a level between 0 and 1"):
            reg.predict(NEW, interval=level)


# --- fitted again ---


def test_a_refit_has_bounds_of_its_own():
    reg = regressor().fit(X, 50 * Y)
    wide = np.ptp(reg.predict(NEW, interval=0.9)[1:], axis=0)
    anew = regressor().fit(X, Y).predict(NEW, interval=0.9)
    again = reg.fit(X, Y)  # takes over the models of the first fit
    for before, after in zip(anew, again.predict(NEW, interval=0.9), strict=True):
        np.testing.assert_array_equal(after, before)
    assert (wide > 20 * np.ptp(anew[1:], axis=0)).all()
    np.testing.assert_allclose(served(again, x=NEW)["lower"][:, 0], anew.lower, rtol=1e-5)
    none = reg.set_params(training__validation_fraction=0.0).fit(X, Y)
    assert sorted(served(none, x=NEW)) == ["prediction"]


def test_a_warm_start_measures_again_and_a_partial_fit_forgets():
    held = {"validation_data": (X[180:], Y[180:])}
    reg = regressor(warm_start=True).fit(X[:180], Y[:180], **held)
    before = reg.predict(NEW, interval=0.9)
    found = reg.fit(X[:180], Y[:180], **held).predict(NEW, interval=0.9)
    width = (found.upper - found.lower)[0]
    assert width != pytest.approx((before.upper - before.lower)[0], rel=1e-4)
    reg.partial_fit(X, Y)
    with pytest.raises(DataError, match="none were held out"):
        reg.predict(NEW, interval=0.9)
    assert sorted(served(reg, x=NEW)) == ["prediction"]


MAY_BE_LEARNED = (
    "warm_start: an earlier fit may have learned from the rows that this one holds out of X, so "
    "that they cannot say how far the model can be trusted, and there are no intervals; give "
    "validation_data that no fit has learned from"
)


def test_what_an_earlier_fit_may_have_learned_gives_no_bounds():
    reg = regressor(warm_start=True, training={**TRAINING, "validation_fraction": 0.0})
    reg.fit(X[:120], Y[:120]).set_params(training=TRAINING)
    assert told(lambda: reg.fit(X[:160], Y[:160])) == [MAY_BE_LEARNED]
    assert len(reg.history_["val_loss"]) == 2, "it is watched by them all the same"
    assert sorted(served(reg, x=NEW)) == ["prediction"]
    with pytest.raises(DataError, match="interval: needs targets that no training learned from"):
        reg.predict(NEW, interval=0.9)
    reg.set_params(interval=None).fit(X[:160], Y[:160])  # nothing is lost, and nothing is said
    reg.set_params(interval=0.9).fit(X[:160], Y[:160], validation_data=(X[160:], Y[160:]))
    off = np.sort(np.abs(Y[160:] - reg.predict(X[160:])))
    prediction, _, upper = reg.predict(NEW, interval=0.9)
    np.testing.assert_allclose(upper - prediction, off[int(np.ceil(81 * 0.9)) - 1], rtol=1e-5)
    series = forecaster(warm_start=True).fit(SERIES)
    assert told(lambda: series.fit(SERIES)) == [MAY_BE_LEARNED]
    with pytest.raises(DataError, match="interval: needs targets that no training learned from"):
        series.predict(interval=0.9)
    series.fit(SERIES[:200], validation_data=SERIES[200:]).predict(interval=0.9)


# --- saved ---


@pytest.mark.slow
def test_any_level_from_a_file_and_a_pickle(tmp_path):
    reg = regressor(interval=0.95).fit(X, Y)
    loaded = kseq.load(reg.save(tmp_path / "reg"))
    for other in (loaded, pickle.loads(pickle.dumps(reg)), pickle.loads(pickle.dumps(loaded))):
        for level in (0.3, 0.8, 0.95):
            for values, same in zip(
                reg.predict(NEW, interval=level), other.predict(NEW, interval=level), strict=True
            ):
                np.testing.assert_array_equal(values, same)
        np.testing.assert_array_equal(served(other, x=NEW)["upper"], served(reg, x=NEW)["upper"])
        assert other.evaluate(X, Y).notes == reg.evaluate(X, Y).notes


SERVE = """
import sys
sys.modules["keras"] = sys.modules["kseq"] = None
import numpy as np, tensorflow as tf
model = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
given = {"x": tf.constant(np.load(sys.argv[2])["x"])}
np.savez(sys.argv[3], **{name: value.numpy() for name, value in model(**given).items()})
"""


@pytest.mark.slow
@pytest.mark.parametrize("channels", ["joint", "independent"])
def test_bounds_are_served_where_neither_kseq_nor_keras_is(tmp_path, channels):
    model = forecaster(channels=channels, interval=0.8).fit(SERIES)
    path = model.save(tmp_path / "forecasts")
    x = np.stack([SERIES[i : i + 8] for i in range(20)])
    np.savez(tmp_path / "given.npz", x=x.astype("float32"))
    names = [path, tmp_path / "given.npz", tmp_path / "found.npz"]
    subprocess.run([sys.executable, "-c", SERVE, *map(str, names)], check=True, timeout=300)
    found = np.load(tmp_path / "found.npz")
    want = model.predict(list(x), interval=0.8)
    for name, values in zip(("forecast", "lower", "upper"), want, strict=True):
        np.testing.assert_allclose(found[name], values, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_bounds_of_texts_are_served_too(tmp_path):
    texts = [" ".join(["word"] * (1 + i % 9)) for i in range(120)]
    sizes = np.array([len(text) for text in texts]) + RNG.normal(size=120)
    reg = regressor(text={"characters": False}).fit(texts, sizes)
    loaded = kseq.load(reg.save(tmp_path / "sizes"))  # what is served was compared on the way
    found = loaded.predict(texts[:3], interval=0.9)
    assert (found.lower < found.upper).all()
    assert sorted(loaded.servable_.output) == ["lower", "prediction", "upper"]


# --- forecasts ---


def test_bounds_of_a_forecast_follow_the_window():
    model = forecaster(normalize="none").fit(SERIES)
    calm = SERIES[:8] - SERIES[:8].mean(axis=0)
    found = model.predict([calm, 3 * calm], interval=0.9)
    width = found.upper - found.lower
    assert width.shape == (2, 3, 2)
    np.testing.assert_allclose(width[1], 3 * width[0], rtol=1e-4)


def test_bounds_of_a_forecast_are_those_of_the_held_out_errors():
    model = forecaster().fit(SERIES[:180], validation_data=SERIES[180:])
    held = model.evaluate(SERIES[180:], history=SERIES[:180])
    deviation = SERIES[:180].std(axis=0)
    x = np.stack([SERIES[i - 8 : i] for i in range(180, 258)])
    spread = np.maximum(x.std(axis=1, keepdims=True) / deviation, 0.01)
    scores = np.sort(np.abs(held.truth - held.predicted) / spread, axis=0)
    radius = scores[int(np.ceil(79 * 0.8)) - 1]
    found = model.predict(list(x), interval=0.8)
    np.testing.assert_allclose(found.upper - found.prediction, spread * radius, rtol=1e-3)
    answer = served(model, x=x)
    bounds = model.predict(list(x), interval=0.9)
    np.testing.assert_allclose(answer["lower"], bounds.lower, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(answer["upper"], bounds.upper, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_each_member_has_the_form_of_the_history():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(SERIES, columns=["a", "b"], index=pd.date_range("2024", periods=260))
    model = forecaster().fit(frame)
    found = model.predict(frame, interval=0.9)
    for part in found:
        assert list(part.columns) == ["a", "b"]
        assert part.index[0] == frame.index[-1] + pd.Timedelta(days=1)
    assert (found.lower < found.upper).all(axis=None)
    one = forecaster(target=["a"], past_covariates=["b"]).fit(frame)
    flat = one.predict({"a": SERIES[:, 0], "b": SERIES[:, 1]}, interval=0.5)
    assert [list(part) for part in flat] == [["a"]] * 3


def test_a_forecast_says_what_its_bounds_hold():
    model = forecaster().fit(SERIES[:200])
    found = model.evaluate(SERIES[200:], history=SERIES[:200])
    note = found.notes["interval"]
    inside = (found.lower <= found.truth) & (found.truth <= found.upper)
    assert note["coverage"] == pytest.approx(inside.mean())
    assert note["width"] == pytest.approx((found.upper - found.lower).mean())
    assert note["by_step"]["coverage"] == pytest.approx(inside.mean(axis=(0, 2)))
    assert note["curve"][8] == {"level": 0.9, "coverage": note["coverage"]}
    rolled = model.backtest(SERIES, 3, refit=False).notes["interval"]
    assert rolled["points"] == 18


def test_a_target_without_a_held_out_value_has_no_bounds():
    gone = SERIES.copy()
    gone[190:, 1] = np.nan
    model = forecaster().fit(gone)
    assert sorted(served(model, x=SERIES[None, :8])) == ["forecast"]
    with pytest.raises(DataError, match="none were held out"):
        model.predict(interval=0.9)


@pytest.mark.slow
def test_a_loaded_forecaster_of_future_covariates_has_bounds(tmp_path):
    table = {"y": SERIES[:, 0], "known": SERIES[:, 1]}
    model = forecaster(target="y", future_covariates=["known"]).fit(table)
    loaded = kseq.load(model.save(tmp_path / "known"))
    future = np.zeros((3, 1))
    for values, same in zip(
        model.predict(future=future, interval=0.7),
        loaded.predict(future=future, interval=0.7),
        strict=True,
    ):
        np.testing.assert_array_equal(values, same)


# --- whether they hold ---


@pytest.mark.slow
def test_marginal_coverage_of_exchangeable_data():
    """The share of 20 draws, each of 60 held-out and 400 new sequences, is the level."""
    shares = []
    reg = regressor(training={**TRAINING, "epochs": 1})
    for draw in range(20):
        rng = np.random.default_rng(draw)
        x = rng.normal(size=(580, 5, 2))
        y = x.sum(axis=(1, 2)) * (1 + np.abs(x[:, 0, 0])) + rng.standard_t(4, size=580)
        reg.fit(x[:120], y[:120], validation_data=(x[120:180], y[120:180]))
        _, lower, upper = reg.predict(x[180:], interval=0.9)
        shares.append(((lower <= y[180:]) & (y[180:] <= upper)).mean())
    # Each share is that of a beta distribution of 55 and 6: a deviation of .038.
    assert abs(np.mean(shares) - 55 / 61) < 4 * 0.042 / np.sqrt(20)


@pytest.mark.slow
def test_coverage_of_the_shipped_recipe_co2():
    pytest.importorskip("statsmodels")
    recipe = kseq.Recipe.load("recipes/co2.yaml")
    data, model = read_data(recipe), kseq.from_recipe(recipe)
    fit(model, data)
    note = evaluate(model, data).notes["interval"]
    # 183 held-out and 457 test weeks: a deviation of .026 by chance alone.
    assert 0.85 < note["coverage"] < 0.96
    assert isinstance(model._calibration, Calibration)


def test_a_window_that_says_nothing_has_no_narrow_bounds(tmp_path):
    """Nor has one that stands still, as a stuck sensor: no narrower than the quietest held out."""
    rng = np.random.default_rng(0)
    series = np.sin(np.arange(200) / 4) + rng.normal(0, 0.2, 200)
    forecaster = kseq.Forecaster(
        window=8,
        horizon=2,
        model={"units": 3},
        training={"epochs": 1, "validation_fraction": 0.3},
        random_state=0,
    )
    forecaster.fit(series)
    usual = forecaster.predict(series[100:120], interval=0.8)
    for copy in (forecaster, pickle.loads(pickle.dumps(forecaster))):
        still = copy.predict(np.full(20, 0.5), interval=0.8)
        nothing = copy.predict(np.full(20, np.nan), interval=0.8)
        width = (usual.upper - usual.lower).mean()
        assert (still.upper - still.lower).mean() > 0.2 * width
        assert (nothing.upper - nothing.lower).mean() > 0.9 * width
    # A fit that goes on forgets it until it is measured again.
    before = forecaster._quietest
    restless = series[140:] * np.linspace(3, 4, 60)
    forecaster.set_params(warm_start=True).fit(series[:140], validation_data=restless)
    assert forecaster._quietest > 1.5 * before
