"""Clips to the frames that follow."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from kseq import VideoPredictor, load
from kseq.data.clips import FrameForm
from kseq.data.moving_digits import MovingDigits
from kseq.errors import DataError, RecipeError

WINDOW, HORIZON = 4, 3


def bars(count=24, frames=9, size=16, seed=0, channels=None):
    """Bars that move to the right by a pixel a frame."""
    start = np.random.default_rng(seed).integers(0, size, count)
    clips = np.zeros((count, frames, size, size), np.uint8)
    for clip, first in zip(clips, start, strict=True):
        for t in range(frames):
            clip[t, :, (first + t) % size] = 250
    return clips if channels is None else np.repeat(clips[..., None], channels, axis=-1)


def make(**options):
    model = {"filters": [8], **options.pop("model", {})}
    training = {"epochs": 2, "batch_size": 8, "learning_rate": 0.01, **options.pop("training", {})}
    options = {"window": WINDOW, "horizon": HORIZON, "random_state": 1, **options}
    return VideoPredictor(model=model, training=training, **options)


@pytest.fixture(scope="module")
def fitted():
    return make(training={"epochs": 20}, thresholds=[128]).fit(bars())


def test_it_learns_what_moves(fitted):
    scored = fitted.evaluate(bars(seed=9))
    assert scored.metrics["mse"] < 0.3 * scored.baselines["persistence"]["mse"]
    assert scored.metrics["csi_128"] > 0.6
    assert fitted.score(bars(seed=9)) == pytest.approx(
        1 - scored.metrics["mse"] / scored.baselines["persistence"]["mse"]
    )
    assert scored.items == 24 * 3  # windows of each clip
    assert fitted.form_ == FrameForm((16, 16), 1, 255.0)


def test_where_nothing_moves_the_last_frame_is_perfect(fitted):
    still = np.repeat(bars(3, 1), WINDOW + HORIZON, axis=1)
    assert fitted.evaluate(still).baselines["persistence"]["mse"] == 0
    assert fitted.score(still) == 0


@pytest.mark.parametrize("thresholds", [[0.0], [-3], ["x"], 5])
def test_thresholds_are_above_zero(thresholds):
    with pytest.raises(RecipeError, match=r"task\.thresholds"):
        make(thresholds=thresholds).fit(bars())


def test_thresholds_are_within_the_range():
    with pytest.raises(DataError, match=r"task\.thresholds: 300 is above the largest value .* 255"):
        make(thresholds=[20, 300]).fit(bars())


def test_targets_are_not_given():
    with pytest.raises(DataError, match="validation_data: expected clips alone, got a pair"):
        make().fit(bars(), validation_data=(bars(), None))


@pytest.mark.slow
def test_filters_may_be_one_number():
    video = make(model={"filters": 4}).fit(bars())
    assert video.set_params(model__filters=[4]).fit(bars()).history_ == video.history_


def test_an_evaluation_is_shown_in_a_line(fitted):
    assert len(repr(fitted.evaluate(bars(3)))) < 3000


@pytest.mark.parametrize("form", ["bytes", "floats", "channels", "list", "longer"])
def test_frames_come_back_as_they_were_given(fitted, form):
    X = bars(5, WINDOW)
    given = {
        "bytes": X,
        "floats": X.astype(float),
        "channels": X[..., None],
        "list": list(X),
        "longer": [np.concatenate([X[0, :1] + 7, X[0]]), *X[1:]],
    }[form]
    found = fitted.predict(given)
    assert found.shape == (5, HORIZON, 16, 16, *([1] if form == "channels" else []))
    assert found.dtype == (np.float32 if form == "floats" else np.uint8)
    expected = fitted.predict(X.astype(float))
    got = found.reshape(expected.shape).astype(float)
    np.testing.assert_allclose(got, expected, atol=1e-4 if form == "floats" else 0.5001)


def test_any_number_of_frames_ahead(fitted):
    X = bars(3, WINDOW).astype(float)
    far = fitted.predict(X, horizon=9)
    assert far.shape == (3, 9, 16, 16)
    np.testing.assert_allclose(far[:, :HORIZON], fitted.predict(X), atol=1e-4)
    np.testing.assert_array_equal(fitted.predict(X, horizon=1), far[:, :1])
    for wrong in (0, -1, 2.5, True, "3"):
        with pytest.raises(DataError, match="horizon: expected a positive integer"):
            fitted.predict(X, horizon=wrong)


def test_predictions_do_not_depend_on_what_else_is_predicted(fitted):
    X = bars(13, WINDOW, seed=3).astype(float)
    together = fitted.predict(X)
    for count in (1, 2, 3, 5):
        parts = [fitted.predict(X[i : i + count]) for i in range(0, 13, count)]
        np.testing.assert_array_equal(np.concatenate(parts), together)


@pytest.mark.parametrize("form", ["encoder_forecaster", "next_frame"])
@pytest.mark.slow
def test_saved_it_is_the_same_served_and_loaded(form, tmp_path):
    video = make(model={"form": form, "filters": [4, 4], "peephole": "diagonal"}).fit(bars())
    path = video.save(tmp_path / "video")
    X = bars(5, WINDOW + 1, seed=4)
    expected = video.predict(X.astype(float))
    served = tf.saved_model.load(str(path)).signatures
    assert set(served) == {"serving_default", "serve_uint8"}
    for count in (1, 5):
        raw = X[:count, ..., None]
        answer = served["serving_default"](x=raw.astype("float32"))["frames"].numpy()
        np.testing.assert_allclose(answer[..., 0], expected[:count], rtol=0, atol=255 * 1e-5)
        answer = served["serve_uint8"](x=raw)["frames"].numpy()
        assert answer.dtype == np.uint8
        assert np.abs(answer[..., 0].astype(int) - np.rint(expected[:count])).max() <= 1
    with pytest.raises(tf.errors.InvalidArgumentError, match="at least 4 are needed"):
        served["serving_default"](x=raw[:, :3].astype("float32"))
    again = load(tmp_path / "video")
    np.testing.assert_array_equal(again.predict(X), video.predict(X))
    np.testing.assert_array_equal(again.predict(X, horizon=7), video.predict(X, horizon=7))
    assert again.form_ == video.form_


@pytest.mark.slow
def test_a_model_of_shares_serves_bytes_too(tmp_path):
    video = make().fit(bars() / 255)
    assert video.form_.maximum == 1
    path = video.save(tmp_path / "video")
    X = bars(3, WINDOW)
    served = tf.saved_model.load(str(path)).signatures
    found = served["serve_uint8"](x=X[..., None])["frames"].numpy()[..., 0].astype(float)
    np.testing.assert_allclose(found, 255 * video.predict(X / 255), atol=0.51)
    with pytest.raises(DataError, match="values above 1"):
        video.predict(X)


@pytest.mark.parametrize("channels", [1, pytest.param(2, marks=pytest.mark.slow), 3])
def test_colours(channels):
    X = bars(channels=channels)
    video = make().fit(X)
    assert video.predict(X[:2, :WINDOW]).shape == (2, HORIZON, 16, 16, channels)
    assert video.form_ == FrameForm((16, 16), channels, 255.0)


@pytest.mark.slow
@pytest.mark.parametrize(("dimensions", "sides"), [(1, (16,)), (3, (4, 6, 16))])
def test_lines_and_volumes(dimensions, sides, tmp_path):
    """A spot that moves along the last side."""
    clips = np.zeros((24, 8, *sides), np.float32)
    for number, clip in enumerate(clips):
        for t in range(8):
            clip[t, ..., (number + t) % 16] = 1.0
    video = make(dimensions=dimensions, training={"epochs": 25}, model={"patch": 1})
    video.fit(clips[:20])
    scored = video.evaluate(clips[20:])
    assert scored.metrics["mse"] < 0.5 * scored.baselines["persistence"]["mse"]
    X = clips[20:, :WINDOW]
    assert video.predict(X).shape == (4, HORIZON, *sides)
    video.save(tmp_path / "video")
    np.testing.assert_array_equal(load(tmp_path / "video").predict(X), video.predict(X))


def test_clips_of_unequal_length_and_strides():
    X = [clip[:length] for clip, length in zip(bars(), [7, 8, 9] * 8, strict=True)]
    video = make(training={"validation_fraction": 0})
    train, valid = video._prepare(X, None, None)
    assert valid is None
    assert len(train.origins) == 8 * (1 + 2 + 3)
    video = make(stride=2, training={"validation_fraction": 0})
    assert len(video._prepare(X, None, None)[0].origins) == 8 * (1 + 1 + 2)
    assert video.fit(X).predict(X).shape == (24, HORIZON, 16, 16)


def test_what_is_held_out_is_not_learned_from():
    train, valid = make(training={"validation_fraction": 0.25})._prepare(bars(), None, None)
    learned, held = set(train.origins[:, 0]), set(valid.origins[:, 0])
    assert not learned & held
    assert (len(learned), len(held)) == (18, 6)
    one = bars(1, frames=60)
    train, valid = make(training={"validation_fraction": 0.2})._prepare(one, None, None)
    assert train.origins[:, 1].max() + HORIZON <= 48
    assert valid.origins[:, 1].min() >= 48
    train, valid = make(training={"validation_fraction": 0.2})._prepare(one[:, :8], None, None)
    assert valid is None  # too short to be divided
    assert len(train.origins) == 2


def test_validation_clips_are_watched():
    watched = bars(6, seed=5)
    video = make().fit(bars(), validation_data=watched)
    mse = video.evaluate(watched).metrics["mse"]
    # Of the best epoch, whose weights it has.
    assert min(video.history_["val_loss"]) == pytest.approx(mse, rel=0.05)
    with pytest.raises(DataError, match=r"validation clips\[0\]: has frames of 12 x 12"):
        make().fit(bars(), validation_data=bars(6, size=12))


@pytest.mark.parametrize("loss", ["mse", "mae", "huber", "bce"])
@pytest.mark.slow
def test_losses(loss):
    output = "sigmoid" if loss == "bce" else "change"
    video = make(model={"output": output}, training={"loss": loss, "epochs": 8}).fit(bars())
    assert video.history_["loss"][-1] < video.history_["loss"][0]


@pytest.mark.parametrize("form", ["encoder_forecaster", "next_frame"])
@pytest.mark.slow
def test_what_is_read_teaches_too(form):
    """The loss of the training is larger by it, that of the validation is not."""
    start = {"learning_rate": 1e-9, "epochs": 1}
    plain = make(model={"form": form}, training=start).fit(bars())
    more = make(model={"form": form, "reading_loss": 1.0}, training=start).fit(bars())
    assert more.history_["val_loss"] == pytest.approx(plain.history_["val_loss"], rel=1e-4)
    # An untrained model says of every frame that it is the one before it.
    moved = np.mean(np.diff(bars().astype(float) / 255, axis=1) ** 2)
    added = more.history_["loss"][0] - plain.history_["loss"][0]
    assert added == pytest.approx(moved, rel=0.01)
    X = bars(2, WINDOW)
    np.testing.assert_array_equal(more.predict(X), plain.predict(X))


def test_cross_entropy_needs_probabilities():
    with pytest.raises(RecipeError, match=r"training\.loss: 'bce' .* set model\.output to 'sigm"):
        make(training={"loss": "bce"}).fit(bars())


@pytest.mark.slow
def test_true_frames_are_shown_in_training_alone():
    """Scheduled sampling changes what is learned, and never what is predicted."""
    options = {"teacher_forcing": 1.0, "teacher_forcing_steps": 5}
    forced, free = make(model=options).fit(bars()), make().fit(bars())
    assert forced.history_["loss"] != free.history_["loss"]
    X = bars(2, WINDOW)
    np.testing.assert_array_equal(forced.predict(X), forced.predict(X))
    (layer,) = [layer for layer in forced.model_._flatten_layers() if layer.name == "shown"]
    assert float(layer.steps.numpy()) == 2 * 9  # updates: 66 windows in batches of 8


@pytest.mark.slow
def test_digits_are_drawn_anew_in_every_epoch():
    digits = MovingDigits(np.full((5, 6, 6), 255, np.uint8), clips=20, frames=7, size=24, seed=1)
    video = make().fit(digits)
    assert np.isfinite(video.history_["val_loss"]).all()
    assert video.predict(digits[0][None, :WINDOW]).shape == (1, HORIZON, 24, 24)
    assert video.evaluate(digits).items == 20
    again = make().fit(digits)
    assert again.history_ == video.history_


def test_it_goes_on_from_the_weights_it_has():
    video = make(warm_start=True).fit(bars())
    before = video.history_["loss"]
    video.fit(bars())
    assert video.history_["loss"][:2] == before
    assert video.n_iter_ == 4
    assert video.history_["loss"][2] < before[0]
    with pytest.raises(DataError, match="the model was fitted to 16 x 16"):
        video.fit(bars(size=20))
    with pytest.raises(RecipeError, match=r"task\.window: was 4 in the last fit"):
        video.set_params(window=5).fit(bars())


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (bars(frames=6), r"clips\[0\]: has 6 frames, but at least 7 are needed"),
        (bars()[0], r"clips: expected .* if it is one clip, pass clips\[None\]"),
        ([], "clips: is empty"),
        ("no/such/folder", "no/such/folder: no such file or folder"),
    ],
)
def test_what_cannot_be_fitted_to_is_named(X, message):
    with pytest.raises(DataError, match=message):
        make().fit(X)


def test_what_cannot_be_predicted_is_named(fitted):
    with pytest.raises(DataError, match=r"frames\[0\]: has 3 frames, but at least 4 are needed"):
        fitted.predict(bars(2, 3))
    with pytest.raises(DataError, match=r"X\[0\]: has 6 frames, but at least 7 are needed"):
        fitted.evaluate(bars(2, 6))
    with pytest.raises(DataError, match="20 x 20 pixels, but the model was fitted to 16 x 16"):
        fitted.predict(bars(2, 4, size=20))


@pytest.mark.parametrize("builder", ["stacked_rnn", "conv_lstm_classifier"])
def test_other_builders_say_what_to_choose(builder):
    with pytest.raises(RecipeError, match="choose conv_lstm"):
        VideoPredictor(window=4, horizon=3, model={"builder": builder}).fit(bars())


def test_windows_too_large_for_the_memory_go_one_after_another(fitted, monkeypatch):
    X = bars(9, WINDOW).astype(float)
    expected = fitted.predict(X)
    monkeypatch.setattr("kseq.estimators.video._TOGETHER", 1)
    np.testing.assert_array_equal(fitted.predict(X), expected)


def test_the_models_are_what_they_are_said_to_be(fitted):
    assert set(fitted.model_.input) == {"x", "future"}
    assert set(fitted.servable_.input) == {"x"}
    found = fitted.servable_({"x": bars(2, WINDOW)[..., None].astype("float32")})
    assert found["frames"].shape == (2, HORIZON, 16, 16, 1)
    assert isinstance(fitted.build(bars()), keras.Model)


def test_bytes_of_zero_and_one_are_shares_and_so_is_what_is_foretold():
    X = (bars() > 0).astype(np.uint8)
    video = make(training={"epochs": 10}).fit(X)
    assert video.form_.maximum == 1
    found = video.predict(X[:3, :WINDOW])
    assert found.dtype == np.float32
    assert 0.5 < found.max() <= 1
    np.testing.assert_allclose(found, video.predict(X[:3, :WINDOW].astype(float)), atol=1e-6)


def test_of_few_long_clips_the_end_of_each_is_held_out():
    train, valid = make(training={"validation_fraction": 0.2})._prepare(bars(2, 60), None, None)
    assert set(train.origins[:, 0]) == set(valid.origins[:, 0]) == {0, 1}
    assert train.origins[:, 1].max() + HORIZON <= 48
    assert valid.origins[:, 1].min() >= 48


def test_the_further_ahead_the_fewer_clips_together(fitted, monkeypatch):
    sizes = []
    run = type(fitted)._run

    def counted(self, x, horizon):
        sizes.append(len(x))
        return run(self, x, horizon)

    monkeypatch.setattr("kseq.estimators.video._TOGETHER", 16 * 16 * 60)
    monkeypatch.setattr(type(fitted), "_run", counted)
    fitted.predict(bars(12, WINDOW))
    fitted.predict(bars(12, WINDOW), horizon=11)
    assert sizes == [8, 4, 4, 4, 4]
