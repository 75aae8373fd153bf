"""`kseq explain`."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture(scope="module")
def long(saved_text):
    """A small classifier of numbers, at a place with its data."""
    return saved_text("long")


@pytest.mark.slow
def test_the_reach_of_the_test_part(run, folder, long):
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    done = run("explain", long, "--what", "reach")
    assert done.code == 0, done.err
    assert done.out.startswith("long reaches ")
    assert "picture: long_reach.png" in done.err
    assert (folder / "long_reach.png").stat().st_size > 1000


@pytest.mark.slow
def test_numbers_stand_alone_on_stdout(run, folder, long):
    found = run("explain", long, "long.csv", "--item", "1", "--json").json
    assert len(found["values"]) == 5
    assert len(found["values"][0]) == 2
    assert found["features"] == ["0", "1"]
    assert abs(found["gap"]) <= max(0.01 * abs(found["score"] - found["baseline"]), 1e-3)
    assert not list(folder.glob("*.png"))
    found = run("explain", long, "--what", "gates", "--json").json
    assert [each["name"] for each in found["layers"]] == ["gru_1"]
    found = run("explain", long, "--of", "1", "--method", "occlusion", "--json").json
    assert (found["output"], found["method"]) == ("score of class 1", "occlusion")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--of", "1", "--what", "gates"], "--of is for --what attribution, but --what is gates"),
        (["--method", "occlusion", "--what", "reach"], "--method is for --what attribution"),
        (["--layer", "gru_1"], "--layer is for --what gates, but --what is attribution"),
        (["--streaming"], "--streaming is for --what reach"),
        (["--picture", "a.gif"], "--picture a.gif: expected a name ending in .png"),
    ],
)
def test_options_that_do_not_go_together_are_refused(refused, folder, options, words):
    assert words in refused(2, "explain", "models/any", *options)


def test_a_model_that_is_not_there_is_refused(refused, folder):
    assert "models/none" in refused(4, "explain", "models/none")


@pytest.mark.slow
def test_what_the_model_does_not_have_is_refused(refused, run, folder, long):
    assert "--text: the model was fitted to numbers" in refused(2, "explain", long, "--text", "x")
    assert "--item 99: there are 8, numbered from 0" in refused(2, "explain", long, "--item", "99")
    assert "--of: '7' is no class here; there are" in refused(4, "explain", long, "--of", "7")
    for more in [], ["--json"]:
        done = run("explain", long, "--what", "gates", "--layer", "lstm_9", *more)
        assert (done.code, done.out) == (4, "")
        assert "--layer: expected one of gru_1, forward; got lstm_9" in done.err
    done = run("explain", long, "--picture", "long.csv/why.png")
    assert (done.code, done.out) == (2, "")


@pytest.mark.slow
def test_a_text_is_explained(run, refused, folder, saved_text):
    slots = saved_text("slots")
    text = ["--text", "meet Ana Müller in Rome"]
    done = run("explain", slots, *text, "--picture", "why.png")
    assert done.code == 0, done.err
    assert done.out.startswith("score of B-")
    assert len(done.out.splitlines()) == 6  # and the strongest five tokens
    assert (folder / "why.png").is_file()
    found = run("explain", slots, *text, "--of", "1:B-person", "--json").json
    assert found["tokens"] == ["meet", "Ana", "Müller", "in", "Rome"]
    assert found["output"] == "score of B-person at 'Ana' (token 1)"
    found = run("explain", slots, *text, "--of", "fly", "--json").json
    assert found["output"] == "score of label fly"
    found = run("explain", slots, *text, "--of", "Rome", "--json").json
    assert found["output"].endswith("at 'Rome' (token 4)")
    assert "got 'Rom'\n" in refused(4, "explain", slots, *text, "--of", "Rom")
    done = run("explain", slots, *text, "--what", "gates")
    assert "lstm_1_both_ways, backward: gates open on average: input" in done.out
    done = run("explain", slots, "--what", "reach", "--streaming")
    assert done.code == 4
    assert "has no meaning" in done.err


@pytest.mark.slow
def test_a_forecast_is_explained(run, folder, saved_text):
    load = saved_text("series").parent / "load"
    found = run("explain", load, "--of", "load:2", "--json").json
    assert found["output"] == "forecast of load, 2 steps ahead"
    assert np.shape(found["values"]) == (8, 1)
    assert run("explain", load, "--what", "reach", "--json").json["step"] == "step"
