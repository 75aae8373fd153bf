"""The explanations that a report can take."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

from kseq import SequenceClassifier, VideoPredictor
from kseq.errors import MissingExtraError
from kseq.explain import (
    Attribution,
    Gates,
    LayerGates,
    Reach,
    attribute,
    pictures,
    pictures_of,
)
from kseq.report import canvas
from tests.explain.conftest import ONE, TOKENS, WAVES, sequences


def names(found):
    return [name for name, _, _ in found]


def test_without_matplotlib_numbers_are_there_and_figures_say_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    ones = np.ones((3, 2))
    text = Attribution(
        ones, None, ["a", "b", "c"], ["words"], "score", 1.0, 0.0, "occlusion", 3, None, "token"
    )
    layer = LayerGates("gru_1", "forward", {"hidden": ones}, 0.0)
    every = [Reach(ones[0], ones[0]), Gates([layer]), text, replace(text, item=ones, tokens=None)]
    for found in every:
        assert found.to_dict()
        with pytest.raises(MissingExtraError, match=r"a picture needs .*kseq\[plot\]"):
            found.figure()


def test_what_does_not_apply_is_left_out(rnn, monkeypatch):
    X, _ = sequences(ragged=False)
    assert names(pictures_of(rnn, X)) == ["reach.png", "attribution.png"]  # no gates
    assert len(pictures_of(rnn, list(X))) == 2
    monkeypatch.setattr(pictures, "_STEPS", 5)
    assert pictures_of(rnn, X) == []


@pytest.mark.slow
def test_tables_of_pandas_are_taken():
    pandas = pytest.importorskip("pandas", reason="tables need pandas")
    rng = np.random.default_rng(0)
    wide = pandas.DataFrame(rng.normal(size=(12, 6)), columns=[f"t{i}" for i in range(6)])
    long = pandas.DataFrame({"id": np.arange(48) // 4, "time": np.arange(48) % 4})
    long["load"], long["heat"] = rng.normal(size=(2, 48))
    for X in (wide, long):
        fitted = SequenceClassifier(model={"units": 2}, training=ONE).fit(X, np.arange(12) % 2)
        assert len(pictures_of(fitted, X)) == 3
    found = attribute(fitted, long[["load", "heat"]].to_numpy()[:4])
    assert found.features == ["load", "heat"]


@pytest.mark.slow
def test_every_kind_of_estimator_has_its_pictures(lstm, tagger, forecaster, tmp_path):
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    clips = np.random.default_rng(0).integers(0, 255, (4, 6, 8, 8), dtype=np.uint8)
    video = VideoPredictor(window=3, horizon=2, model={"filters": [2]}, training=ONE).fit(clips)
    every = ["reach.png", "gates.png", "attribution.png"]
    for estimator, X, expected in [
        (lstm, sequences()[0], every),
        (tagger, [[], ["we", "left"], *TOKENS], every),
        (forecaster, WAVES, every),
        (forecaster, [WAVES, WAVES[:20]], every),
        (video, clips, ["reach.png", "attribution.png"]),
    ]:
        found = pictures_of(estimator, X)
        assert names(found) == expected
        for name, caption, draw in found:
            assert caption
            canvas.write(draw(), tmp_path / name)
            assert (tmp_path / name).stat().st_size > 1000
    assert pictures_of(forecaster, WAVES[:12]) == []  # too short
    first_is_short = [WAVES[:12], WAVES]
    assert names(pictures_of(forecaster, first_is_short)) == every
    # The text in which something is found is explained.
    caption = pictures_of(tagger, [["we", "left"], *TOKENS])[-1][1]
    assert caption.startswith(
        (
            "What the score of B-name at 'Ana' (token 0)",
            "What the score of B-name at 'Bo' (token 2)",
        )
    )
