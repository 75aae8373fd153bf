"""`build`: from a recipe's `model` section, mistakes included."""

from __future__ import annotations

import sys
import time

import pytest

import kseq.builders
from kseq.builders import build
from kseq.errors import RecipeError
from kseq.registry import builders
from kseq.spec import Spec

FIXED = Spec(features=3, outputs=2, time=12)


def test_the_package_offers_build_alone():
    assert kseq.builders.__all__ == ["build"]
    assert kseq.builders.build is build
    assert callable(build)


def test_registered():
    assert {"stacked_rnn", "cnn_lstm", "lstm_fcn", "bilstm_cnn_crf"} <= set(builders.names())


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({}, "model.builder: missing; known: bilstm_cnn_crf, cnn_lstm"),
        ({"builder": "staked_rnn"}, r"model.builder: .*did you mean 'stacked_rnn'"),
        ({"builder": 3}, "model.builder: unknown builder 3"),
        ({"builder": "stacked_rnn", "unit": 3}, "model.unit: unknown .did you mean 'units'"),
        ({"builder": "stacked_rnn", "units": 0}, "model.units: expected .*greater than 0"),
        ({"builder": "stacked_rnn", "units": [8, True]}, "model.units.1: expected integer"),
        ({"builder": "stacked_rnn", "units": [4] * 65}, "model.units: expected .*64 items"),
        ({"builder": "stacked_rnn", "units": []}, "model.units: expected .*1 item"),
        ({"builder": "stacked_rnn", "cell": "LSTM"}, "model.cell: expected 'rnn', 'gru', 'lstm'"),
        ({"builder": "cnn_lstm", "filters": [8, 9000]}, "model.filters.1: expected .*8192"),
        ({"builder": "lstm_fcn", "dropout": 1.0}, "model.dropout: expected less than 1"),
    ],
)
def test_mistakes_name_their_path(model, message):
    with pytest.raises(RecipeError, match=message):
        build(model, FIXED)


def test_all_mistakes_at_once():
    with pytest.raises(RecipeError) as caught:
        build({"builder": "stacked_rnn", "units": -1, "dropout": 2.0, "x": 1}, FIXED)
    assert len(caught.value.mistakes) == 3


def test_a_builders_refusal_is_a_recipe_error():
    with pytest.raises(RecipeError, match="model: stacked_rnn: readout 'steps' gives one output"):
        build({"builder": "stacked_rnn", "readout": "steps"}, FIXED)


@pytest.mark.parametrize(
    "model",
    [
        {"builder": "stacked_rnn", "units": [8192] * 64},
        {"builder": "stacked_rnn", "units": 8192, "cell": "slstm", "peephole": "full"},
        {"builder": "cnn_lstm", "kernel_size": 8192, "filters": [512, 512]},
        {"builder": "lstm_fcn", "units": 8192},
    ],
)
def test_too_large_is_refused_before_it_is_allocated(model):
    start = time.perf_counter()
    with pytest.raises(RecipeError, match="parameters, expected at most 200,000,000; choose fewer"):
        build(model, FIXED)
    assert time.perf_counter() - start < 1.0


def test_the_cap_can_be_chosen():
    with pytest.raises(RecipeError, match=r"model: about .* expected at most 100;"):
        build({"builder": "stacked_rnn", "units": 8}, FIXED, max_parameters=100)


def test_what_the_bound_cannot_know_is_counted_after_building(monkeypatch):
    module = sys.modules["kseq.builders.build"]  # by attribute it is the function of that name
    monkeypatch.setattr(module, "parameter_bound", lambda *_: 0)
    with pytest.raises(RecipeError, match="model: about 402 parameters, expected at most 100;"):
        build({"builder": "stacked_rnn", "units": 8}, FIXED, max_parameters=100)
