"""What answers rest on: sums that have to hold, and the public answers behind them."""

from __future__ import annotations

import json
import re
import warnings

import numpy as np
import pytest

from kseq import SequenceClassifier, SequenceRegressor, VideoPredictor
from kseq.errors import DataError
from kseq.explain import Attribution, attribute
from tests.explain.conftest import ONE, TOKENS, WAVES, classifier, sequences

NUMBER = r"-?[\d.,e-]+"


def closed(found):
    """Whether the values add up to the change of the output."""
    change = found.score - found.baseline
    assert found.gap == pytest.approx(found.values.sum() - change, abs=1e-4 * max(1, abs(change)))
    return abs(found.gap) <= max(1e-2 * abs(change), 1e-3)


def test_integrated_gradients_add_up_to_the_public_answer(lstm):
    X, _ = sequences()
    found = attribute(lstm, X[0])
    scores = lstm.decision_function([X[0]])[0]
    label = lstm.classes_[scores.argmax()]
    assert found.output == f"score of class {label}"
    assert found.score == pytest.approx(scores.max(), abs=1e-5)
    mean = np.concatenate(X).mean(axis=0)
    before = lstm.decision_function([np.tile(mean, (6, 1))])[0]
    assert found.baseline == pytest.approx(before[scores.argmax()], abs=1e-5)
    assert closed(found)
    assert found.values.shape == (6, 2)
    np.testing.assert_allclose(found.by_step(), found.values.sum(axis=1))
    np.testing.assert_allclose(found.by_feature(), found.values.sum(axis=0))
    np.testing.assert_allclose(found.item, X[0], atol=1e-5)
    first, weight = found.strongest(1)[0]
    step, column = np.unravel_index(np.abs(found.values).argmax(), found.values.shape)
    assert (first, weight) == (f"step {step}, column {column}", found.values[step, column])
    json.dumps(found.to_dict())


def of_numbers(values, features):
    """An attribution of a series that is all zeros."""
    words = {"output": "forecast", "method": "occlusion", "step": "step"}
    ends = {"score": 1.0, "baseline": 0.0, "points": 1, "gap": None}
    return Attribution(values, np.zeros(values.shape), None, features, **words, **ends)


def test_columns_that_cancel_are_ranked_one_by_one():
    values = np.array([[1.0, 1.5], [4.0, -3.9], [0.0, 0.2]])
    found = of_numbers(values, ["load", "temp"])
    assert found.strongest(3) == [
        ("step 1, load", 4.0),
        ("step 1, temp", -3.9),
        ("step 0, temp", 1.5),
    ]
    assert found.by_step().argmax() == 0
    assert of_numbers(values[:, :1], ["load"]).strongest(1) == [("step 1", 4.0)]


def test_curves_and_rows_have_the_order_of_the_columns():
    figure = of_numbers(np.array([[1.0, 3.0, 2.0]] * 4), ["load", "wind", "temp"]).figure()
    *curves, rows, _ = figure.axes
    assert [axes.get_ylabel() for axes in curves] == ["load", "wind", "temp"]
    assert [label.get_text() for label in rows.get_yticklabels()] == ["load", "wind", "temp"]


@pytest.mark.slow
def test_integrated_gradients_are_the_mean_gradient_along_the_line(lstm):
    X, _ = sequences()
    found = attribute(lstm, X[2], output="b", baseline=[1.0, 5.0])
    start, end = np.array([1.0, 5.0]) + np.zeros((4, 2)), X[2]
    expected = np.zeros((4, 2))
    for place in np.ndindex(4, 2):  # by finite differences at 40 points
        step = np.zeros((4, 2))
        step[place] = 0.02
        line = [start + (i + 0.5) / 40 * (end - start) for i in range(40)]
        ends = [lstm.decision_function([x + sign * step for x in line])[:, 1] for sign in (1, -1)]
        expected[place] = (end - start)[place] * ((ends[0] - ends[1]) / 0.04).mean()
    np.testing.assert_allclose(found.values, expected, rtol=0.02, atol=1e-4)


@pytest.mark.slow
def test_occlusion_is_the_fall_of_the_public_answer(lstm):
    X, _ = sequences()
    found = attribute(lstm, X[0], method="occlusion", output="c")
    assert (found.gap, found.points) == (None, 12)
    mean = np.concatenate(X).mean(axis=0)
    for place in [(0, 0), (5, 1), (2, 0)]:
        hidden = X[0].copy()
        hidden[place] = mean[place[1]]
        fall = lstm.decision_function([X[0]])[0, 2] - lstm.decision_function([hidden])[0, 2]
        assert found.values[place] == pytest.approx(fall, abs=1e-5)
    wide = attribute(lstm, X[0], method="occlusion", output="c", size=4, baseline=0.0)
    assert wide.points == 4  # two pieces of each column
    assert (found.start, wide.start) == ("the training mean", "0 everywhere")
    hidden = X[0].copy()
    hidden[:4, 1] = 0.0
    fall = lstm.decision_function([X[0]])[0, 2] - lstm.decision_function([hidden])[0, 2]
    assert wide.values[:4, 1].sum() == pytest.approx(fall, abs=1e-5)
    assert len(set(wide.values[:4, 1])) == 1  # shared by the steps


@pytest.mark.slow
def test_of_a_tagger_the_surest_span_is_explained(tagger):
    found = attribute(tagger, TOKENS[1])
    spans = tagger.predict_spans([TOKENS[1]])[0]
    start = max(spans, key=lambda span: span.probability).start
    assert found.output == f"score of B-name at {TOKENS[1][start]!r} (token {start})"
    assert closed(found)
    assert found.tokens == TOKENS[1]
    assert found.features == ["casing", "words"]
    assert found.values.shape == (5, 2)
    assert found.strongest(1)[0][0] == TOKENS[1][start]
    other = attribute(tagger, " ".join(TOKENS[1]), output=(1, "O"), baseline="met")
    assert other.output == "score of O at 'left' (token 1)"
    assert closed(other)
    again = attribute(tagger, TOKENS[1], output=1, baseline=["met"] * 5)
    assert again.values.tolist() == other.values.tolist()
    label = attribute(tagger, TOKENS[1], output="one")
    assert label.output == "score of label one"
    assert closed(label)
    hidden = attribute(tagger, TOKENS[1], output=start, method="occlusion")
    assert hidden.values.shape == (5, 1)
    assert hidden.features == ["token"]
    assert hidden.points == 5
    assert (hidden.start, other.start) == ("zero embeddings", "the token 'met'")
    assert hidden.strongest(1)[0][0] == TOKENS[1][start]


@pytest.mark.slow
def test_of_a_forecast_it_is_in_the_targets_units(forecaster):
    future = WAVES[60:63, 2:]
    found = attribute(forecaster, WAVES[:60], future=future)
    forecast = forecaster.predict(WAVES[:60], future)
    assert found.output == "forecast of 0, mean of 3 steps ahead"
    assert found.score == pytest.approx(forecast[:, 0].mean(), rel=1e-5)
    change = found.score - found.baseline
    assert abs(found.gap) <= max(0.01 * abs(change), 1e-3 * forecaster.deviation_[0])
    # With normalize: last the level comes from the last step.
    assert found.by_step().argmax() == 9 or found.by_step().argmin() == 9
    one = attribute(forecaster, WAVES[:60], output=(1, 3), future=future, method="occlusion")
    assert one.output == "forecast of 1, 3 steps ahead"
    assert one.score == pytest.approx(forecast[2, 1], abs=1e-4)
    assert (one.held, one.to_dict()["held"]) == (("column 2",), ["column 2"])
    label = one.figure().axes[-2].get_xlabel()
    assert label == "step (known future values of column 2 are left as they are)"
    for output, words in [
        (
            7,
            r"expected a target out of \[0, 1\], or a pair of it and a step ahead from 1 on, got 7",
        ),
        ((0, 4), "expected a step ahead from 1 to 3, got 4"),
    ]:
        with pytest.raises(DataError, match=words):
            attribute(forecaster, WAVES[:60], output=output, future=future)
    with pytest.raises(DataError, match=r"the next 3 rows of"):
        attribute(forecaster, WAVES[:60])


@pytest.mark.slow
def test_of_numbers_at_every_step():
    X, _ = sequences()
    model = {"cell": "slstm", "units": 3, "bidirectional": True}
    y = [np.cumsum(100 * x, axis=0) for x in X]
    fitted = SequenceRegressor(per_step=True, model=model, training=ONE, random_state=0).fit(X, y)
    found = attribute(fitted, X[0], output=(2, 1))
    assert found.output == "prediction of target 1 at step 2"
    assert found.score == pytest.approx(fitted.predict([X[0]])[0][2, 1], rel=1e-4)
    assert closed(found)
    assert attribute(fitted, X[0]).output == "prediction of target 0 at step 5"
    with pytest.raises(DataError, match=r"expected a step from 0 on.*from 0 to 5, got 6"):
        attribute(fitted, X[0], output=6)
    with pytest.raises(DataError, match=r"a target's place from 0 on; here they go from 0 to 1"):
        attribute(fitted, X[0], output=(0, 2))


@pytest.mark.slow
def test_of_clips():
    clips = np.random.default_rng(0).integers(0, 255, (6, 6, 8, 8), dtype=np.uint8)
    video = VideoPredictor(window=3, horizon=2, model={"filters": [2]}, training=ONE).fit(clips)
    found = attribute(video, clips[0], output=(2, ((0, 4), (2, 6))))
    assert found.output == "mean of frame 2 ahead, pixels 0:4 x 2:6"
    assert found.values.shape == (3, 8, 8, 1)
    assert abs(found.gap) <= max(0.01 * abs(found.score - found.baseline), 1e-3 * 255)
    mean = video.predict(clips[:1])[0, 1, 0:4, 2:6].mean()
    assert found.score == pytest.approx(mean, abs=1.0)  # bytes are rounded
    hidden = attribute(video, clips[0], method="occlusion")
    assert hidden.points == 3 * 4 * 4
    assert (hidden.start, found.start) == ("black frames", "black frames")
    for output, words in [
        (3, "expected a frame ahead from 1 to 2"),
        ((1, ((0, 9), (0, 8))), "a region as a pair .* of a frame of 8 x 8 pixels"),
    ]:
        with pytest.raises(DataError, match=words):
            attribute(video, clips[0], output=output)
    model = {"builder": "conv_lstm_classifier", "filters": [2]}
    fitted = SequenceClassifier(model=model, training=ONE).fit(clips, ["a", "b"] * 3)
    found = attribute(fitted, clips[0], output="b")
    assert found.values.shape == (6, 8, 8, 1)
    assert closed(found)
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    assert len(found.figure().axes) == 7  # six frames and a bar of colours
    beside = hidden.figure().texts[1].get_text()
    assert re.fullmatch(
        rf"occlusion by black frames: {NUMBER} here, {NUMBER} with all hidden", beside
    )


@pytest.mark.slow
@pytest.mark.parametrize("ragged", [True, False])
def test_networks_with_kinks_close_the_gap_too(ragged):
    fitted = classifier(ragged, builder="cnn_lstm", filters=[4], units=3)
    assert closed(attribute(fitted, sequences(ragged=ragged)[0][0]))


def test_a_gap_that_is_not_closed_is_said(lstm):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always", UserWarning)
        found = attribute(lstm, 50 * sequences()[0][0], limit=1)
    assert found.points == 1
    (said,) = (str(each.message) for each in seen if each.category is UserWarning)
    assert "with 1 point the values add up to" in said
    assert "raise limit" in said


def test_what_does_not_hold_is_refused(lstm):
    x = sequences()[0][0]
    for options, words in [
        ({"method": "saliency"}, "expected one of integrated_gradients, occlusion, got 'saliency'"),
        ({"output": "d"}, "'d' is no class here; there are a, b, c"),
        ({"baseline": np.zeros(3)}, r"expected numbers of the shape \(6, 2\)"),
        ({"baseline": np.nan}, "no finite number"),
        ({"size": 2}, "size: is what occlusion hides together"),
        ({"limit": 0}, "limit: expected a positive integer, got 0"),
        ({"future": x}, "future: is for forecasters"),
    ]:
        with pytest.raises(DataError, match=words):
            attribute(lstm, x, **options)


def test_what_stands_for_nothing_is_named(lstm):
    x, plain = sequences()[0][0], SequenceClassifier(standardize=False, training=ONE)
    for model, baseline, words in [
        (lstm, None, "the training mean"),
        (lstm, 0.5, "0.5 everywhere"),
        (lstm, np.zeros(2), "what was given"),
        (plain.fit(*sequences()), None, "zeros"),
    ]:
        found = attribute(model, x, method="occlusion", baseline=baseline)
        assert found.start == found.to_dict()["start"] == words


@pytest.mark.slow
def test_what_does_not_hold_of_text_is_refused(tagger):
    for options, words in [
        ({"output": 5}, "or its place from 0 on.*here they go from 0 to 4, got 5"),
        (
            {"output": (0, "B-place")},
            r"'B-place' is no tag here \(did you mean 'B-name'\?\); there are B-name, O",
        ),
        ({"output": "three"}, "'three' is no label here; there are one, two"),
        ({"baseline": ["met"]}, "a token, or as many as the text has, 5, got 1"),
    ]:
        with pytest.raises(DataError, match=words):
            attribute(tagger, TOKENS[1], **options)


@pytest.mark.slow
def test_pictures_of_series_and_text(lstm):
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    figure = attribute(lstm, sequences()[0][0], output="a").figure()
    assert figure.texts[0].get_text() == "Score of class a"
    beside, ends = figure.texts[1].get_text(), f"{NUMBER} here, {NUMBER} there"
    assert re.fullmatch(f"integrated gradients from the training mean: {ends}", beside)
    assert len(figure.axes) == 4  # two columns, the map, the bar of colours
    assert figure.axes[0].lines[0].get_xdata().tolist() == [0, 1, 2, 3, 4, 5]  # as `--of` counts
    heat = figure.axes[2].images[0].get_array()
    assert heat.shape == (2, 6)


@pytest.mark.slow
def test_a_text_is_drawn_token_by_token(tagger):
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    figure = attribute(tagger, TOKENS[1] * 6, output=0).figure()
    texts = figure.axes[0].texts
    assert [text.get_text() for text in texts] == TOKENS[1] * 6
    lines = {round(text.get_position()[1], 3) for text in texts}
    assert len(lines) > 1  # broken into lines
    assert all(0 < text.get_position()[0] < 5.2 for text in texts)
