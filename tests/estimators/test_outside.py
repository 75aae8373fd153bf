"""Tags chosen for the best F1 of their spans."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import kseq
from kseq import SequenceTagger
from kseq.errors import RecipeError

RANDOM = np.random.default_rng(4)
NAMES = ["Ana", "Bo", "Cy"]


def texts(count: int) -> tuple[list[list[str]], list[list[str]]]:
    """A name is one by chance alone, so that no single one is more probable than not."""
    X = [[str(word) for word in RANDOM.choice([*NAMES, "we", "met"], 6)] for _ in range(count)]
    y = [["B-x" if w in NAMES and RANDOM.random() < 0.4 else "O" for w in text] for text in X]
    return X, y


TRAIN, HELD, TEST = texts(200), texts(100), texts(100)


def tagger(**params) -> SequenceTagger:
    given = {
        "text": {"characters": False},
        "model": {"units": 4, "dropout": 0.0, "embedding": {"width": 4}},
        "training": {"epochs": 6, "batch_size": 32, "learning_rate": 0.05},
        "random_state": 1,
    }
    return SequenceTagger(**{**given, **params})


@pytest.fixture(scope="module")
def both() -> tuple[SequenceTagger, SequenceTagger]:
    fitted = [tagger(tune_f1=on).fit(*TRAIN, validation_data=HELD) for on in (False, True)]
    return fitted[0], fitted[1]


def test_more_is_found_and_probabilities_stay_as_they_are(both):
    plain, tuned = both
    assert plain.outside_shift_ == 0.0
    assert tuned.outside_shift_ > 0.0
    assert tuned.score(*TEST) > plain.score(*TEST) + 0.1
    said = [np.concatenate(each.predict_proba(TEST[0])) for each in both]
    name = np.array([word in NAMES for text in TEST[0] for word in text])
    for each, fitted in zip(said, both, strict=True):
        share = each[name][:, fitted.tags_.tolist().index("B-x")].mean()
        assert share == pytest.approx(0.4, abs=0.06)
    spans = [span for text in tuned.predict_spans(TEST[0]) for span in text]
    assert np.mean([span.probability for span in spans]) == pytest.approx(0.4, abs=0.06)


def test_the_shift_is_the_best_on_what_was_held_out(both):
    tuned = both[1]
    best, shift = tuned.score(*HELD), tuned.outside_shift_
    try:
        for other in np.arange(-1, 3.01, 0.5):
            tuned._tags.decoder.outside_shift.assign(other)
            assert tuned.score(*HELD) <= best
    finally:
        tuned._tags.decoder.outside_shift.assign(shift)


@pytest.mark.slow
def test_it_travels(both, tmp_path):
    tuned = both[1]
    copy, loaded = pickle.loads(pickle.dumps(tuned)), kseq.load(tuned.save(tmp_path / "tagger"))
    for other in (copy, loaded):
        assert other.outside_shift_ == tuned.outside_shift_
        assert other.predict(TEST[0]) == tuned.predict(TEST[0])


@pytest.mark.parametrize(
    ("y", "training", "what"),
    [
        (TRAIN[1], {"validation_fraction": 0.0}, "no text is held out"),
        ([["NOUN"] * 6] * 200, {}, "these tags are plain"),
    ],
    ids=["nothing held out", "plain tags"],
)
def test_where_it_cannot_be_fitted(y, training, what):
    with pytest.raises(RecipeError, match=rf"task\.tune_f1: .*{what}"):
        tagger(tune_f1=True, training=training).fit(TRAIN[0], y)
