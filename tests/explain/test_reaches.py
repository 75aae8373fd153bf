"""How far back models remember, where that is known."""

from __future__ import annotations

import json

import numpy as np
import pytest

from kseq import SequenceClassifier, SequenceRegressor, VideoPredictor
from kseq.errors import DataError
from kseq.explain import Reach, draw_reaches, reach
from tests.explain.conftest import ONE, TOKENS, WAVES, classifier, sequences


@pytest.fixture(scope="module")
def linear():
    """A recurrence that halves its state each step; at zero, tanh is the identity."""
    X = np.zeros((6, 12, 2))
    model = {"cell": "rnn", "units": 2}
    fitted = SequenceClassifier(model=model, training=ONE, standardize=False, random_state=0)
    fitted.fit(X, ["a", "b", "c"] * 2)
    network = fitted._models.network
    kernel, recurrent, bias = network.get_layer("rnn_1").weights
    kernel.assign(3 * np.eye(2))
    recurrent.assign(0.5 * np.eye(2))
    bias.assign(np.zeros(2))
    network.get_layer("scores").weights[0].assign(np.array([[1.0, 0.0, 2.0], [0.0, 4.0, 0.0]]))
    return fitted


def test_the_reach_of_a_linear_recurrence_is_known(linear):
    found = reach(linear, np.zeros((6, 12, 2)))
    # J_k = 3 * 0.5**k * head, and the head has the squared norm 1 + 4 + 16.
    np.testing.assert_allclose(found.norms, 3 * np.sqrt(21) * 0.5 ** np.arange(12), rtol=1e-5)
    assert found.counts.tolist() == [6] * 12
    assert found.exact
    assert found.lag == 7  # 0.5 ** 7 < 0.01 < 0.5 ** 6
    assert str(found).startswith("reaches 6 steps back: from 7 steps back on the input counts less")


@pytest.mark.slow
def test_in_streaming_it_is_the_same_where_the_recurrence_is(linear):
    found = reach(linear, np.zeros((6, 12, 2)), streaming=True)
    np.testing.assert_allclose(found.norms, 3 * np.sqrt(21) * 0.5 ** np.arange(12), rtol=1e-5)
    assert found.counts.tolist() == [6] * 12  # sequences, though each is asked at eight steps


@pytest.mark.slow
def test_projections_estimate_the_norm(linear, monkeypatch):
    monkeypatch.setattr("kseq.explain.reaches._EXACT", 2)
    found = reach(linear, np.zeros((6, 12, 2)), projections=200, sequences=3)
    assert not found.exact
    np.testing.assert_allclose(found.norms, 3 * np.sqrt(21) * 0.5 ** np.arange(12), rtol=0.1)
    again = reach(linear, np.zeros((6, 12, 2)), projections=200, sequences=3)
    assert found.norms.tolist() == again.norms.tolist()


@pytest.mark.slow
def test_lags_are_averaged_over_the_sequences_that_are_so_long(lstm):
    X, _ = sequences(6)
    whole = reach(lstm, X[:4])
    assert whole.counts.tolist() == [4, 4, 4, 3, 2, 1]
    each = [reach(lstm, [x]).norms for x in X[:4]]
    for lag in (0, 3, 4, 5):
        long = [norms[lag] for norms in each if len(norms) > lag]
        assert whole.norms[lag] == pytest.approx(np.sqrt(np.mean(np.square(long))), rel=1e-4)
    assert whole.to_dict()["norms"] == whole.norms.tolist()


@pytest.mark.slow
def test_of_targets_at_every_step_the_last_one_counts():
    X, _ = sequences()
    model = {"cell": "gru", "units": 3}
    fitted = SequenceRegressor(per_step=True, model=model, training=ONE, random_state=0)
    fitted.fit(X, [x[:, 0] for x in X])
    found = reach(fitted, X[:1])
    # The norm by finite differences of what `predict` says at the last step.
    layer = fitted._models.servable.get_layer("standardize")
    scale, unit = np.asarray(layer.scale), fitted._models.servable.get_layer("prediction").scale
    for lag in (0, 2):
        squares = 0.0
        for column in range(2):
            ends = []
            for step in (0.02, -0.02):
                x = X[0].copy()
                x[-1 - lag, column] += step * scale[column]
                ends.append(fitted.predict([x])[0][-1] / float(np.asarray(unit)[0]))
            squares += ((ends[0] - ends[1]) / 0.04) ** 2
        assert found.norms[lag] == pytest.approx(np.sqrt(squares), rel=2e-2)


@pytest.mark.slow
def test_it_is_found_for_text_series_and_clips(tagger, forecaster):
    found = reach(tagger, TOKENS)
    assert (found.step, len(found.norms), found.exact) == ("token", 5, True)
    found = reach(forecaster, WAVES)
    assert (found.step, len(found.norms)) == ("step", 10)
    assert found.counts.tolist() == [64] * 10  # 32 windows of each target
    clips = np.random.default_rng(0).integers(0, 255, (4, 6, 8, 8), dtype=np.uint8)
    video = VideoPredictor(window=3, horizon=2, model={"filters": [2]}, training=ONE)
    found = reach(video.fit(clips), clips)
    assert (found.step, len(found.norms), found.exact) == ("frame", 3, False)
    assert found.norms[0] > found.norms[2] > 0


def test_a_model_that_reads_the_future_has_no_reach_in_streaming(lstm):
    with pytest.raises(DataError, match=r"'lstm_1_both_ways' reads backwards too.*read what comes"):
        reach(lstm, sequences()[0], streaming=True)


@pytest.mark.slow
def test_convolutions_and_windows_do_not_stream(forecaster):
    fitted = classifier(builder="cnn_lstm", filters=[2], units=2)
    with pytest.raises(DataError, match=r"filters of 'conv_1' span steps on both sides"):
        reach(fitted, sequences()[0], streaming=True)
    with pytest.raises(DataError, match=r"a window of a fixed number of steps anew"):
        reach(forecaster, WAVES, streaming=True)


@pytest.mark.parametrize("name", ["sequences", "projections"])
@pytest.mark.parametrize("value", [0, True, 2.0])
def test_counts_have_to_be_positive(rnn, name, value):
    with pytest.raises(DataError, match=f"{name}: expected a positive integer, got {value}"):
        reach(rnn, np.zeros((1, 6, 2)), **{name: value})


ONES = np.full(4, 5)


@pytest.mark.parametrize(
    ("norms", "lag", "words"),
    [
        ([1.0, 0.5, 0.2, 0.1], None, "further than these sequences: at their longest, 4 steps"),
        ([1.0, 0.001, 0.5, 0.001], 3, "reaches 2 steps back: from 3 steps back on"),
        ([0.1, 1.0, 0.001, 0.0], 2, "its strongest, 1 step back"),
        ([0.0, 0.0, 0.0, 0.0], 0, "does not depend on its input"),
    ],
)
def test_the_lag_in_words(norms, lag, words):
    found = Reach(np.array(norms), ONES)
    assert found.lag == lag
    assert words in str(found)


def test_pictures_say_the_lag():
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    short, long = Reach(np.array([1, 0.1, 1e-3, 1e-9]), ONES), Reach(np.ones(4), ONES)
    figure = draw_reaches({"rnn": short, "lstm": long})
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["rnn (2)", "lstm (beyond)"]
    assert short.figure().texts[0].get_text() == "Reach: 1 step"
    assert long.figure().texts[0].get_text() == "Reach: beyond 4 steps"
    labels = [tick.get_text() for tick in short.figure().axes[0].get_yticklabels()]
    assert labels[-1] == "100 %"
    with pytest.raises(DataError, match=r"expected at least one"):
        draw_reaches({})


def test_a_derivative_that_is_not_finite_is_told():
    """As of a network that diverged."""
    found = Reach(np.array([1.0, np.nan, np.inf, 0.001]), ONES)
    assert found.lag is None
    assert str(found) == (
        "has a reach that cannot be told: the derivative of its output by its input is not finite "
        "at 2 of 4 lags"
    )
    assert found.to_dict()["norms"] == [1.0, None, None, 0.001]
    json.dumps(found.to_dict(), allow_nan=False)
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    nothing = Reach(np.full(4, np.nan), ONES)
    for each in (found, nothing):
        assert each.figure().texts[0].get_text() == "Reach: the derivative is not finite"
    figure = draw_reaches({"rnn": found, "lstm": nothing, "gru": Reach(np.ones(4), ONES)})
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["rnn (not finite)", "lstm (not finite)", "gru (beyond)"]
