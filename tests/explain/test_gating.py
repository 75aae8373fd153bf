"""Gates, computed anew, against the layers' own outputs."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest

from kseq import VideoPredictor
from kseq.errors import DataError
from kseq.explain import gates, gating
from tests.explain.conftest import ONE, TOKENS, WAVES, classifier, sequences


def test_each_layer_and_direction_has_its_gates(lstm):
    X, _ = sequences()
    found = gates(lstm, X[0])
    names = ["lstm_1_both_ways", "lstm_2_both_ways"]
    assert [(each.name, each.direction) for each in found.layers] == [
        (name, way) for name in names for way in ("forward", "backward")
    ]
    for each in found.layers:
        assert each.error < 1e-5
        values = each.values
        assert list(values) == ["input", "forget", "output", "candidate", "cell", "hidden"]
        assert {value.shape for value in values.values()} == {(6, len(values["cell"][0]))}
        for gate in ("input", "forget", "output"):
            assert ((values[gate] > 0) & (values[gate] < 1)).all()
        # What makes a gate a gate, from one step to the next in the order of reading.
        cell, turn = values["cell"], slice(None, None, -1 if each.direction == "backward" else 1)
        cell, i, f, c, o = (
            values[n][turn] for n in ("cell", "input", "forget", "candidate", "output")
        )
        np.testing.assert_allclose(cell[1:], f[1:] * cell[:-1] + i[1:] * c[1:], rtol=1e-10)
        np.testing.assert_allclose(values["hidden"][turn], o * np.tanh(cell), rtol=1e-10)
    json.dumps(found.to_dict())


@pytest.mark.slow
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize(
    ("model", "gate"),
    [
        ({"cell": "gru", "units": [3, 2]}, "reset"),
        ({"cell": "slstm", "units": 2}, "forget"),  # the skip is the identity
        ({"cell": "slstm", "units": 3, "peephole": "full"}, "forget"),
        ({"cell": "slstm", "units": 3, "skip": False, "readout": "mean"}, "forget"),
        ({"builder": "cnn_lstm", "filters": [3], "cell": "gru", "units": 2}, "update"),
        ({"builder": "lstm_fcn", "filters": [2, 2, 2], "units": 3}, "output"),
    ],
)
def test_the_gates_of_every_cell_are_the_layers_own(model, gate, bidirectional):
    if model.get("builder") == "lstm_fcn" and bidirectional:
        pytest.skip("lstm_fcn reads one way")
    more = {"bidirectional": True} if bidirectional else {}
    for ragged in (True, False):
        fitted = classifier(ragged, **model, **more)
        for weight in fitted._models.network.weights:
            if weight.name == "peephole_kernel":  # so that they matter
                weight.assign(np.random.default_rng(0).normal(size=weight.shape))
        found = gates(fitted, sequences(ragged=ragged)[0][0])
        assert all(each.error < 1e-5 for each in found.layers)
        assert all(gate in each.values for each in found.layers)
        assert len(found.layers) == len(np.atleast_1d(model["units"])) * (1 + bidirectional)


def test_a_mismatch_is_a_defect(lstm, monkeypatch):
    right = gating.recompute
    monkeypatch.setattr(
        gating, "recompute", lambda *given: {k: 2 * v for k, v in right(*given).items()}
    )
    with pytest.raises(AssertionError, match=r"'lstm_1_both_ways', forward.*a defect of kseq"):
        gates(lstm, sequences()[0][0])


def test_a_plain_recurrent_layer_has_no_gates(rnn):
    with pytest.raises(
        DataError, match=r"'rnn_1' is a plain recurrent layer.*train with model.cell"
    ):
        gates(rnn, np.zeros((6, 2)))


def test_a_model_without_recurrent_layers_has_no_gates(rnn, monkeypatch):
    monkeypatch.setattr("kseq.explain.gating.recurrent_layers", lambda estimator: [])
    with pytest.raises(
        DataError, match=r"'stacked_rnn' has no recurrent layer; kseq.explain.reach"
    ):
        gates(rnn, np.zeros((6, 2)))


@pytest.mark.slow
def test_convolutional_layers_have_maps():
    clips = np.random.default_rng(0).integers(0, 255, (4, 6, 8, 8), dtype=np.uint8)
    video = VideoPredictor(window=3, horizon=2, model={"filters": [2]}, training=ONE).fit(clips)
    with pytest.raises(DataError, match=r"whole maps, one for each pixel.*attribute which pixels"):
        gates(video, clips[0])


@pytest.mark.slow
def test_tokens_and_windows(tagger, forecaster):
    found = gates(tagger, " ".join(TOKENS[1]))
    assert found.tokens == TOKENS[1]
    assert found.step == "token"
    found = gates(forecaster, WAVES)
    assert list(found.layers[0].values) == ["update", "reset", "candidate", "hidden"]
    assert len(found.layers[0].values["update"]) == 10
    assert found.tokens is None


def test_a_layer_that_is_not_there_is_refused(lstm):
    found = gates(lstm, sequences()[0][0])
    assert found.layer("lstm_2_both_ways").direction == "forward"
    assert found.layer(direction="backward").name == "lstm_1_both_ways"
    with pytest.raises(DataError, match=r"expected one of lstm_1_both_ways, forward;.*; got gru"):
        found.layer("gru")
    with pytest.raises(DataError, match=r"kind: expected 'map' or 'bands', got 'heat'"):
        found.figure(kind="heat")


def test_pictures_have_a_panel_for_each_gate(lstm):
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    found = gates(lstm, sequences()[0][0])
    for kind, more in (("map", 6), ("bands", 0)):  # a bar of colours for each map
        figure = found.figure("lstm_2_both_ways", "backward", kind=kind)
        assert len(figure.axes) == 6 + more
        assert [axes.get_title(loc="left") for axes in figure.axes[:3]] == [
            "input",
            "forget",
            "output",
        ]
        assert figure.texts[0].get_text() == "Gates of lstm_2_both_ways, backward"


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("cell", ["gru", "lstm", "slstm"])
def test_in_mixed_precision_layers_may_be_as_far_off_as_that_is(cell, policy):
    keras.config.set_dtype_policy(policy)
    try:
        fitted = classifier(False, cell=cell, units=8, bidirectional=True)
        found = gates(fitted, sequences(ragged=False)[0][0])
    finally:
        keras.config.set_dtype_policy("float32")
    for each in found.layers:
        assert 0 < each.error < 0.05
        assert each.values["hidden"].dtype == np.float64
