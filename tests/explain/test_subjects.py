"""Sequences as networks are shown them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from kseq import Forecaster, SequenceClassifier, VideoPredictor
from kseq.errors import DataError
from kseq.explain.subjects import (
    Row,
    batches,
    check_estimator,
    check_one,
    differentiable,
    evenly,
    one_row,
    rows_of,
    stream_widths,
    together,
)
from tests.explain.conftest import ONE, TOKENS, WAVES, sequences


@pytest.mark.slow
def test_the_network_says_of_rows_what_the_estimator_says(lstm):
    X = sequences()[0][:3]
    rows = rows_of(lstm, X)
    network = differentiable(lstm)
    found = np.concatenate([network(together([row])) for row in rows])
    np.testing.assert_allclose(found, lstm.decision_function(X), atol=1e-5)


@pytest.mark.slow
def test_text_is_shown_as_embedded_tokens(tagger):
    assert stream_widths(tagger) == {"casing": 8, "words": 8}
    rows = rows_of(tagger, [*TOKENS, []])  # an empty text has nothing to show
    assert [row.x.shape for row in rows] == [(3, 16), (5, 16), (3, 16)]
    network = differentiable(tagger)
    scores = network(together(rows))
    emitted = tagger._tags.emit({**tagger._encode(tagger._texts(TOKENS)).inputs([0, 1, 2])})
    for row, mine in enumerate(scores):
        np.testing.assert_allclose(
            mine[: len(TOKENS[row])], emitted["emissions"][row][: len(TOKENS[row])], atol=1e-5
        )


@pytest.mark.slow
@pytest.mark.parametrize("channels", ["joint", "independent"])
@pytest.mark.parametrize("normalize", ["last", "mean", "none"])
def test_windows_have_the_level_that_the_network_sees(channels, normalize):
    model = {"cell": "gru", "units": 3}
    fitted = Forecaster(
        window=10, horizon=3, channels=channels, normalize=normalize, model=model, training=ONE
    ).fit(WAVES)
    rows = rows_of(fitted, WAVES[:12])  # three windows
    scores = differentiable(fitted)(together(rows))
    layer = fitted._models.servable.get_layer("standardize")
    mean, scale = np.asarray(layer.mean), np.asarray(layer.scale)
    for window in range(3):
        seen = (WAVES[window : window + 10] - mean) / scale
        level = {"last": seen[-1], "mean": seen.mean(axis=0), "none": np.zeros(3)}[normalize]
        mine = scores[window]
        if channels == "independent":  # one target after another
            mine = np.stack([scores[3 * target + window, :, 0] for target in range(3)], axis=-1)
        expected = fitted.predict(WAVES[: window + 10])
        np.testing.assert_allclose((mine + level) * scale + mean, expected, rtol=1e-4, atol=1e-3)


def test_rows_of_similar_length_share_a_batch_and_only_equal_ones_without_lengths():
    rows = [Row(np.ones((length, 2)), (np.int32(length),)) for length in (3, 1, 3, 2)]
    ((chosen, (x, lengths)),) = batches(rows, ragged=True)
    assert (chosen, lengths.tolist(), x.shape) == ([1, 3, 0, 2], [1, 2, 3, 3], (4, 3, 2))
    assert x[0].tolist() == [[1, 1], [0, 0], [0, 0]]
    found = [chosen for chosen, _ in batches([Row(row.x) for row in rows], ragged=False)]
    assert found == [[1], [3], [0, 2]]


def test_many_steps_are_not_worked_on_at_once():
    rows = [Row(np.ones((5000, 1)))] * 3
    assert [chosen for chosen, _ in batches(rows, ragged=False)] == [[0], [1], [2]]
    clips = [Row(np.ones((4, 512, 512, 1)))] * 2
    assert [chosen for chosen, _ in batches(clips, ragged=False)] == [[0], [1]]


def test_places_are_spread():
    assert evenly(10, 4).tolist() == [0, 3, 6, 9]
    assert evenly(3, 4).tolist() == [0, 1, 2]
    assert evenly(3, None).tolist() == [0, 1, 2]


def test_what_is_no_fitted_estimator_is_refused():
    with pytest.raises(DataError, match=r"expected a fitted estimator of kseq, got 3; a saved"):
        check_estimator(3)
    with pytest.raises(NotFittedError):
        check_estimator(SequenceClassifier())


@pytest.mark.slow
def test_several_texts_are_refused_where_one_is_asked_for(tagger):
    with pytest.raises(DataError, match=r"expected one sequence, got a list of several.*X\[0\]"):
        check_one(tagger, TOKENS)


def test_several_sequences_are_refused_where_one_is_asked_for(lstm):
    with pytest.raises(DataError, match=r"expected one sequence, got an array of several"):
        one_row(lstm, np.zeros((3, 4, 2)))


def test_rows_and_time_are_no_sequence_of_one_feature():
    pulses = np.random.default_rng(0).normal(size=(12, 4))
    quick = {"training": {"epochs": 1}, "random_state": 0}
    classifier = SequenceClassifier(model={"units": 2}, **quick).fit(pulses, [0, 1] * 6)
    with pytest.raises(DataError, match="got an array of several"):
        check_one(classifier, pulses)
    check_one(classifier, pulses[0])
    check_one(classifier, pulses[0][:, None])


@pytest.mark.slow
def test_a_clip_of_lines_is_one_sequence():
    clips = np.random.default_rng(0).uniform(size=(6, 4, 8, 1))
    quick = {"model": {"filters": 2}, "training": {"epochs": 1}, "random_state": 0}
    predictor = VideoPredictor(window=3, horizon=1, dimensions=1, **quick).fit(clips[..., 0])
    assert predictor.spec_.frame == [8]
    check_one(predictor, clips[0, ..., 0])


@pytest.mark.slow
def test_a_series_that_is_too_short_is_refused(forecaster):
    with pytest.raises(
        DataError, match=r"longest series has 11 rows, but a window takes 10 rows and 3 more"
    ):
        rows_of(forecaster, WAVES[:11])


@pytest.mark.slow
def test_texts_without_a_token_are_refused(tagger):
    with pytest.raises(DataError, match=r"there is no token"):
        rows_of(tagger, [[], []])
