from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np
import pandas as pd
import pytest

from kseq import Forecaster
from kseq.data.series import fill_forward
from kseq.errors import DataError, RecipeError
from kseq.registry import builders
from kseq.spec import Spec
from tests.estimators.conftest import prepared

WINDOW, HORIZON = 6, 3
RNG = np.random.default_rng(0)
WALK = RNG.normal(size=60).cumsum()
TABLE = RNG.normal(size=(60, 3)).cumsum(axis=0)


@pytest.fixture(scope="module", autouse=True)
def straight() -> Iterator[None]:
    """Lends the registry the builder `straight`: one linear map of the window and the future."""

    @builders.register("straight")
    def straight(spec: Spec, *, zero: bool = False) -> keras.Model:
        x = keras.Input((None, spec.features), name="x")
        start = "zeros" if zero else "glorot_uniform"
        dense = keras.layers.Dense(
            spec.horizon * spec.outputs, kernel_initializer=start, name="scores"
        )
        flat = keras.layers.Reshape((spec.time * spec.features,), name="flat")(x)
        out = keras.layers.Reshape((spec.horizon, spec.outputs), name="ahead")(dense(flat))
        if not spec.future:
            return keras.Model(x, out)
        future = keras.Input((spec.horizon, spec.future), name="future")
        known = keras.layers.Dense(spec.outputs, name="known", kernel_initializer=start)(future)
        return keras.Model({"x": x, "future": future}, keras.layers.Add(name="sum")([out, known]))

    yield
    del builders._entries["straight"]


def forecaster(epochs: int = 1, zero: bool = False, **options) -> Forecaster:
    training = {"epochs": epochs, "learning_rate": 0.01, **options.pop("training", {})}
    model = {"builder": "straight", "zero": zero}
    options = {"window": WINDOW, "horizon": HORIZON, "random_state": 0, **options}
    return Forecaster(model=model, training=training, **options)


@pytest.fixture(scope="module")
def joint() -> Forecaster:
    return prepared(forecaster(), TABLE)


# --- the forms of a series ---


DAYS = pd.date_range("2020-01-01", periods=60, freq="D")


@pytest.mark.parametrize(
    ("given", "shape"),
    [
        (WALK, (HORIZON,)),
        (WALK.tolist(), (HORIZON,)),
        (WALK.astype(np.float32), (HORIZON,)),
        (WALK[:, None], (HORIZON, 1)),
        (TABLE, (HORIZON, 3)),
        (np.asfortranarray(TABLE), (HORIZON, 3)),
        (TABLE.reshape(2, 30, 3), (2, HORIZON, 3)),
        ([TABLE, TABLE[:20]], (2, HORIZON, 3)),
        ([WALK], (1, HORIZON)),
        ([WALK, WALK[:20]], (2, HORIZON)),
    ],
)
def test_arrays_are_continued_as_arrays(given, shape):
    model = prepared(forecaster(), given)
    forecast = model.predict()
    assert forecast.shape == shape
    np.testing.assert_array_equal(forecast, model.predict(given))


def test_mappings_are_continued_as_mappings():
    columns = {"a": WALK, "b": TABLE[:, 0]}
    model = prepared(forecaster(target="b"), columns)
    assert (model.columns_.targets, model.columns_.inputs) == (["b"], ["b"])
    forecast = model.predict(columns)
    assert list(forecast) == ["b"]
    assert forecast["b"].shape == (HORIZON,)
    many = model.predict([columns, {"a": WALK, "b": WALK}])
    assert [list(one) for one in many] == [["b"], ["b"]]


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        (DAYS, pd.date_range("2020-03-01", periods=3, freq="D")),
        (pd.DatetimeIndex(DAYS, freq=None), pd.date_range("2020-03-01", periods=3, freq="D")),
        (
            pd.period_range("2020-01", periods=60, freq="M"),
            pd.period_range("2025-01", periods=3, freq="M"),
        ),
        (pd.RangeIndex(60), pd.RangeIndex(60, 63)),
        (pd.Index(np.arange(0, 600, 10)), pd.RangeIndex(600, 630, 10)),
        (pd.DatetimeIndex([*DAYS[:-1], pd.Timestamp("2021-05-05")]), pd.RangeIndex(1, 4)),
        (pd.Index([f"row {i}" for i in range(60)]), pd.RangeIndex(1, 4)),
    ],
)
def test_pandas_is_continued_as_pandas_with_its_index(index, expected):
    series = pd.Series(WALK, index=index, name="sales")
    model = prepared(forecaster(), series)
    forecast = model.predict(series)
    assert isinstance(forecast, pd.Series)
    assert forecast.name == "sales"
    pd.testing.assert_index_equal(forecast.index, expected, exact="equiv", check_names=False)
    np.testing.assert_array_equal(forecast.to_numpy(), model.predict())


def test_a_table_keeps_the_names_of_its_targets():
    table = pd.DataFrame(TABLE, index=DAYS, columns=["a", "b", "c"])
    model = prepared(forecaster(target=["c", "a"], past_covariates=["b"]), table)
    forecast = model.predict(table[["b", "a", "c"]])
    assert list(forecast.columns) == ["c", "a"]
    assert forecast.index[0] == pd.Timestamp("2020-03-01")
    np.testing.assert_array_equal(forecast.to_numpy(), model.predict())


def test_a_list_of_named_series_is_a_list_of_series():
    table = pd.DataFrame(TABLE[:, :2], columns=["oslo", "bergen"])
    model = prepared(forecaster(), [table["oslo"], table["bergen"][:30]])
    forecast = model.predict(table["bergen"])
    assert forecast.name == "bergen"
    np.testing.assert_allclose(forecast, model.predict([TABLE[:, 1]])[0], atol=1e-6)


def test_a_lone_column_needs_no_name():
    model = prepared(forecaster(), pd.Series(WALK, name="sales"))
    np.testing.assert_array_equal(model.predict(WALK), model.predict())
    other = prepared(forecaster(), WALK).predict(pd.Series(WALK, name="sales"))
    assert other.name == "sales"


def test_targets_are_all_columns_that_are_no_covariates():
    names = [f"c{i}" for i in range(3)]
    columns = dict(zip(names, TABLE.T, strict=True))
    model = forecaster(past_covariates=["c1"])
    model._prepare(columns, None, None)
    assert (model.columns_.targets, model.columns_.inputs) == (["c0", "c2"], ["c0", "c2", "c1"])
    model = forecaster(target=2, past_covariates=[0])
    model._prepare(TABLE, None, None)
    assert (model.columns_.targets, model.columns_.inputs) == ([2], [2, 0])


@pytest.mark.parametrize(
    ("options", "data", "message"),
    [
        ({"target": "x"}, {"a": WALK}, "series: the series has no column 'x'; it has 'a'"),
        ({"target": 3}, TABLE, "has no column 3; it has 0, 1, 2"),
        ({"target": [0, 0]}, TABLE, "task: the column 0 is named twice"),
        ({"target": 0, "past_covariates": [0]}, TABLE, "the column 0 is named twice"),
        ({"past_covariates": [0, 1, 2]}, TABLE, "no column is left to forecast"),
        ({}, WALK[:8], "series: 8 rows to train on, but task.window 6 and task.horizon 3 .* 9"),
        ({"window": 100}, WALK, "60 rows to train on, but task.window 100"),
        ({}, [WALK, WALK[:5]], r"series\[1\]: has 5 rows, but task.window is 6"),
        ({}, [], "series: is empty"),
        ({}, "abc", "got str"),
        ({}, np.full(60, np.nan), "a target has no value in the training rows"),
        ({}, {"a": WALK, "b": np.full(60, np.nan)}, "a target has no value in the training rows"),
        ({"missing": "error"}, np.where(WALK > 1, np.nan, WALK), r"a value is missing in row \d+"),
        ({"future_covariates": ["z"], "target": "a"}, {"a": WALK}, "has no column 'z'"),
    ],
)
def test_what_cannot_be_fitted_is_refused(options, data, message):
    with pytest.raises(DataError, match=message):
        forecaster(**options).fit(data)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"horizon": 0}, r"task\.horizon: expected greater than 0"),
        ({"window": 0}, r"task\.window: expected greater than 0"),
        ({"window": 2.5}, r"task\.window: expected"),
        ({"normalize": "first"}, r"task\.normalize: expected 'last', 'mean' or 'none'"),
        ({"channels": "both"}, r"task\.channels: expected"),
        ({"past_covariates": "a"}, r"task\.past_covariates: expected"),
        ({"season": 0}, r"task\.season"),
    ],
)
def test_a_wrong_parameter_is_a_mistake_of_the_recipe(options, message):
    with pytest.raises(RecipeError, match=message):
        forecaster(**options).fit(WALK)


# --- what is forecast ---


def weights(model: Forecaster) -> tuple[np.ndarray, np.ndarray]:
    """Kernel `(window, features, horizon, outputs)` and bias `(horizon, outputs)`."""
    arrays = {w.path.rsplit("/", 1)[-1]: w for w in model.model_.trainable_weights}
    spec = model.spec_
    shape = (spec.time, spec.features, spec.horizon, spec.outputs)
    kernel = keras.ops.convert_to_numpy(arrays["kernel"]).reshape(shape)
    return kernel, keras.ops.convert_to_numpy(arrays["bias"]).reshape(spec.horizon, spec.outputs)


@pytest.mark.parametrize("normalize", ["last", "mean", "none"])
@pytest.mark.parametrize("channels", ["joint", "independent"])
@pytest.mark.parametrize("standardize", [True, False])
def test_a_forecast_equals_the_arithmetic_in_numpy(normalize, channels, standardize):
    shifted = TABLE * [1.0, 5.0, 2.0] + [1e3, -50.0, 0.0]
    model = forecaster(
        normalize=normalize, channels=channels, standardize=standardize, past_covariates=[1]
    )
    prepared(model, shifted)
    for weight in model.model_.trainable_weights:
        weight.assign(RNG.normal(size=weight.shape))
    kernel, bias = weights(model)
    window = shifted[-WINDOW:][:, [0, 2, 1]]
    held = 60 - 6  # a tenth of the rows
    train = shifted[:held][:, [0, 2, 1]]
    mean, deviation = train.mean(axis=0), train.std(axis=0)
    if not standardize:
        mean, deviation = np.zeros(3), np.ones(3)
    scaled = (window - mean) / deviation
    own, rest = scaled[:, :2], scaled[:, 2:]
    level = {"last": own[-1], "mean": own.mean(axis=0), "none": np.zeros(2)}[normalize]
    own = own - level
    if channels == "joint":
        both = np.concatenate([own, rest], axis=1)
        out = np.einsum("tf,tfho->ho", both, kernel) + bias
    else:
        alone = [np.concatenate([own[:, i : i + 1], rest], axis=1) for i in range(2)]
        outs = [np.einsum("tf,tfho->ho", one, kernel) + bias for one in alone]
        out = np.concatenate(outs, axis=1)
    expected = (out + level) * deviation[:2] + mean[:2]
    np.testing.assert_allclose(model.predict(), expected, rtol=2e-5, atol=2e-4)


def test_independent_channels_forecast_each_target_as_if_it_were_alone():
    model = prepared(forecaster(channels="independent", standardize=False), TABLE)
    assert (model.spec_.features, model.spec_.outputs) == (1, 1)
    mixed = model.predict(TABLE)
    np.testing.assert_allclose(model.predict(TABLE[:, [2, 0, 1]]), mixed[:, [2, 0, 1]], atol=1e-5)


@pytest.mark.slow
def test_a_level_far_away_is_no_trouble_with_normalize_last():
    wave = np.sin(np.arange(200) / 3)
    model = forecaster(epochs=40).fit(wave[:150])
    near = model.evaluate(wave[150:]).metrics["mae"]
    far = model.evaluate(wave[150:] + 1e4).metrics["mae"]
    assert near < 0.2
    assert far < near + 0.01


@pytest.mark.slow
def test_a_covariate_that_is_known_ahead_is_used():
    known = RNG.normal(size=300)
    columns = {"y": 3 * known + 0.01 * RNG.normal(size=300), "known": known}
    common = {"target": "y", "normalize": "none"}
    with_it = forecaster(epochs=25, future_covariates=["known"], **common)
    with_it.set_params(training__learning_rate=0.05)
    without = forecaster(epochs=3, past_covariates=["known"], **common)
    train, test = (
        {k: v[part] for k, v in columns.items()} for part in (slice(250), slice(250, 300))
    )
    error = [m.fit(train).evaluate(test, history=train).metrics["mae"] for m in (with_it, without)]
    assert error[0] < 0.1 * error[1]
    # The future that `predict` gets is the one that counts.
    low, high = (with_it.predict(train, np.full((HORIZON, 1), v))["y"] for v in (-1.0, 1.0))
    np.testing.assert_allclose(high - low, 6, atol=0.5)


def test_the_future_comes_in_many_forms():
    columns = {"y": WALK, "p": TABLE[:, 0], "q": TABLE[:, 1]}
    model = prepared(forecaster(target="y", future_covariates=["p", "q"]), columns)
    ahead = RNG.normal(size=(HORIZON, 2))
    expected = model.predict(columns, ahead)["y"]
    table = pd.DataFrame(ahead[:, ::-1], columns=["q", "p"])
    for future in (table, {"p": ahead[:, 0], "q": ahead[:, 1]}, ahead[None]):
        np.testing.assert_array_equal(model.predict(columns, future)["y"], expected)
    many = model.predict([columns, columns], np.stack([ahead, -ahead]))
    np.testing.assert_allclose(many[0]["y"], expected, atol=1e-5)
    assert not np.allclose(many[1]["y"], expected)
    assert model.predict(future=ahead).shape == (HORIZON, 1)


@pytest.mark.parametrize(
    ("future", "message"),
    [
        (None, r"future: the next 3 rows of \['p'\] are needed"),
        (np.zeros((2, 1)), r"future: expected 1 x \(3, 1\), got \[\(2, 1\)\]"),
        (np.zeros((3, 2)), r"future: expected 1 x \(3, 1\), got \[\(3, 2\)\]"),
        (np.zeros((2, 3, 1)), r"future: expected 1 x \(3, 1\)"),
        (pd.DataFrame({"q": np.zeros(3)}), "future: the series has no column 'p'"),
        ([0, np.nan, 0], "future: a value is missing in row 1, column 'p'"),
        (["a", "b", "c"], "future: not all values are numbers"),
    ],
)
def test_a_wrong_future_is_refused(future, message):
    model = forecaster(target="y", future_covariates=["p"], missing="error")
    columns = {"y": WALK, "p": TABLE[:, 0]}
    prepared(model, columns)
    with pytest.raises(DataError, match=message):
        model.predict(columns, future)


def test_a_future_that_nobody_asked_for_is_refused(joint):
    with pytest.raises(DataError, match="future: the forecaster was fitted without"):
        joint.predict(TABLE, np.zeros((3, 1)))


# --- histories ---


def test_only_the_last_window_of_a_history_counts(joint):
    np.testing.assert_array_equal(joint.predict(TABLE), joint.predict(TABLE[-WINDOW:]))
    assert not np.array_equal(joint.predict(TABLE[:40]), joint.predict(TABLE))


def test_forecasts_do_not_depend_on_their_company(joint):
    histories = [TABLE[: 20 + i % 30] for i in range(300)]  # more than one chunk
    together = joint.predict(histories)
    alone = np.stack([joint.predict(history) for history in histories[:30]])
    np.testing.assert_allclose(together[:30], alone, atol=1e-5)
    np.testing.assert_allclose(together[30:60], alone, atol=1e-5)


@pytest.mark.parametrize(
    ("history", "message"),
    [
        (TABLE[:5], "history: has 5 rows, but task.window is 6"),
        ([TABLE, TABLE[:5]], r"history\[1\]: has 5 rows"),
        (TABLE[:, :2], "history: the series has no column 2"),
        (WALK, "history: the series has no column 1"),
        (np.where(TABLE > 1, np.inf, TABLE), "history: inf in row"),
    ],
)
def test_a_wrong_history_is_refused(joint, history, message):
    with pytest.raises(DataError, match=message):
        joint.predict(history)


# --- gaps ---


def test_a_gap_is_filled_as_fill_forward_fills_it():
    gaps = TABLE.copy()
    gaps[RNG.random(gaps.shape) < 0.3] = np.nan
    gaps[-WINDOW:, 1] = np.nan
    model = prepared(forecaster(training={"validation_fraction": 0.0}), gaps)
    mean = np.nanmean(gaps, axis=0)
    filled = fill_forward(gaps[-WINDOW:], mean)
    np.testing.assert_allclose(model.predict(gaps), model.predict(filled), atol=1e-5)
    np.testing.assert_allclose(model.predict(), model.predict(gaps), atol=1e-5)
    assert np.isfinite(model.predict()).all()


def test_a_missing_target_bears_no_loss_and_no_score():
    gaps = WALK.copy()
    gaps[::5] = np.nan
    model = forecaster(zero=True, normalize="none", standardize=False)
    model.set_params(training={"epochs": 1, "learning_rate": 1e-12, "validation_fraction": 0.0})
    model.set_params(training__batch_size=1000)
    model.fit(gaps)
    windows = np.stack([gaps[i : i + HORIZON] for i in range(WINDOW, 60 - HORIZON + 1)])
    assert model.history_["loss"][0] == pytest.approx(np.nanmean(windows**2), rel=1e-5)
    scored = model.evaluate(gaps)
    assert scored.metrics["mse"] < np.nanmean(windows**2) * 1.5


def test_validation_rows_without_a_value_are_refused():
    with pytest.raises(DataError, match="no target has a value in the held-out rows"):
        forecaster().fit(WALK, validation_data=np.full(20, np.nan))


# --- validation ---


def test_the_last_rows_are_held_out_and_every_window_is_in_one_part():
    model = forecaster(training={"validation_fraction": 0.2})
    train, valid = model._prepare(WALK, None, None)
    assert train.origins.max() + HORIZON == 48
    assert valid.origins.min() == 48
    assert valid.origins.max() + HORIZON == 60


def test_validation_data_follow_the_series():
    model = forecaster()
    train, valid = model._prepare(WALK[:50], None, WALK[50:])
    assert train.origins.max() + HORIZON == 50
    assert valid.origins.tolist() == list(range(50, 58))
    assert model.fit(WALK[:50], validation_data=WALK[50:]).predict().shape == (HORIZON,)
    # `predict` goes on from the last row that `fit` saw.
    np.testing.assert_array_equal(model.predict(), model.predict(WALK))


@pytest.mark.parametrize(
    ("later", "message"),
    [
        ([WALK, WALK], "validation_data: has 2 series, but 1 were given"),
        (WALK[:2], "validation_data: has 2 rows, but task.horizon is 3"),
        ({"z": WALK, "y": WALK}, "validation_data: the series has no column 0"),
    ],
)
def test_wrong_validation_data_is_refused(later, message):
    with pytest.raises(DataError, match=message):
        forecaster().fit(WALK, validation_data=later)


@pytest.mark.parametrize("given", [True, False], ids=["validation_data", "hold-out"])
def test_statistics_come_from_the_training_rows_alone(given):
    spoiled = TABLE.copy()
    spoiled[48:] *= 1e6
    model = forecaster(training={"validation_fraction": 0.2})
    if given:
        model._prepare(spoiled[:48], None, spoiled[48:])
    else:
        model._prepare(spoiled, None, None)
    rows = TABLE[:48]
    for name in ("standardize", "forecast"):
        layer = model.servable_.get_layer(name)
        np.testing.assert_allclose(layer.mean, rows.mean(axis=0), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(layer.scale, rows.std(axis=0), rtol=1e-5)
    fill = model.servable_.get_layer("fill")
    np.testing.assert_allclose(fill.fallback, rows.mean(axis=0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.deviation_, rows.std(axis=0))
    np.testing.assert_allclose(model.scale_, np.abs(np.diff(rows, axis=0)).mean(axis=0))


def test_series_of_different_lengths_never_mix():
    series = [1000 * i + np.arange(n) for i, n in enumerate([30, 8, 45])]
    model = forecaster(normalize="none", standardize=False)
    for data in filter(None, model._prepare(series, None, None)):
        for i in range(len(data)):
            x, y = data[i]
            together = np.concatenate([x, y], axis=1)[:, :, 0]
            np.testing.assert_array_equal(np.diff(together, axis=1), 1)


# --- scores ---


def test_scores_stand_beside_hand_made_naive_forecasts():
    model = prepared(forecaster(season=4), WALK[:45])
    test, history = WALK[45:], WALK[:45]
    scored = model.evaluate(test, history=history)
    origins = range(45, 58)
    truth = np.stack([WALK[o : o + HORIZON] for o in origins])
    np.testing.assert_array_equal(scored.truth[..., 0], truth)
    last = np.stack([np.full(HORIZON, WALK[o - 1]) for o in origins])
    before = np.stack([WALK[o - 4 : o - 4 + HORIZON] for o in origins])
    assert scored.baselines["last value"]["mae"] == pytest.approx(np.abs(truth - last).mean())
    name = "value 4 steps before"
    assert scored.baselines[name]["mae"] == pytest.approx(np.abs(truth - before).mean())
    forecasts = np.stack([model.predict(WALK[:o]) for o in origins])
    np.testing.assert_allclose(scored.predicted[..., 0], forecasts, atol=1e-5)
    assert scored.metrics["mae"] == pytest.approx(np.abs(truth - forecasts).mean(), rel=1e-4)
    assert model.score(test, history=history) == scored.metrics["r2"]
    # Without a history the first window is looked for in the test rows.
    assert len(model.evaluate(test).truth) == 15 - WINDOW - HORIZON + 1


@pytest.mark.parametrize(
    ("rows", "history", "message"),
    [
        (TABLE[:8], None, "X: is too short to score: .* 9 rows"),
        (TABLE[:2], TABLE, "X: is too short to score"),
        ([TABLE, TABLE], TABLE, "history: has 1 series, but X has 2"),
    ],
)
def test_rows_that_cannot_be_scored_are_refused(joint, rows, history, message):
    with pytest.raises(DataError, match=message):
        joint.evaluate(rows, history=history)


def test_many_series_are_scored_together(joint):
    scored = joint.evaluate([TABLE, TABLE[:20]])
    assert len(scored.truth) == (60 - 8) + (20 - 8)


def test_a_backtest_rolls_the_origin_without_a_refit(joint):
    scored = joint.backtest(TABLE, folds=3, refit=False)
    cuts = [60 - fold * HORIZON for fold in (3, 2, 1)]
    np.testing.assert_array_equal(scored.truth, [TABLE[c : c + HORIZON] for c in cuts])
    expected = np.stack([joint.predict(TABLE[:c]) for c in cuts])
    np.testing.assert_allclose(scored.predicted, expected, atol=1e-5)


@pytest.mark.slow
def test_a_backtest_refits_before_every_origin():
    model = forecaster(target="a", past_covariates=["b"])
    columns = {"a": TABLE[:, 0], "b": TABLE[:, 1]}
    scored = model.backtest(columns, folds=2)
    for fold, forecast in zip((2, 1), scored.predicted, strict=True):
        before = {name: values[: 60 - fold * HORIZON] for name, values in columns.items()}
        alone = forecaster(target="a", past_covariates=["b"]).fit(before)
        np.testing.assert_allclose(forecast[:, 0], alone.predict(before)["a"], atol=1e-5)
    assert not hasattr(model, "history_")


@pytest.mark.parametrize("folds", [0, -1, 2.0, True, "2"])
def test_folds_are_a_positive_number(joint, folds):
    with pytest.raises(DataError, match="folds: expected a positive integer"):
        joint.backtest(TABLE, folds=folds)


def test_a_backtest_needs_enough_rows(joint):
    with pytest.raises(DataError, match="60 rows are too few for 20 folds of 3 steps"):
        joint.backtest(TABLE, folds=20)
    with pytest.raises(DataError, match="rows are too few"):
        joint.backtest(TABLE, folds=19, refit=False)
