"""`kseq explain`."""

from __future__ import annotations

import numpy as np
import pytest

from kseq.cli import main


@pytest.fixture(scope="module")
def long(saved_text):
    """A small classifier of numbers, at a place with its data."""
    return saved_text("long")


def test_the_reach_of_the_test_part(run, folder, long):
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    done = run("explain", long, "--what", "reach")
    assert done.code == 0, done.err
    assert done.out.startswith("long reaches ")
    assert "picture: long_reach.png" in done.err
    assert (folder / "long_reach.png").stat().st_size > 1000


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


def test_what_does_not_go_together_is_refused(refused, folder, long):
    for options, words in [
        (["--of", "1", "--what", "gates"], "--of is for --what attribution, but --what is gates"),
        (["--layer", "gru_1"], "--layer is for --what gates"),
        (["--streaming"], "--streaming is for --what reach"),
        (["--text", "x"], "--text: the model was fitted to numbers"),
        (["--item", "99"], "--item 99: there are 8, numbered from 0"),
        (["--picture", "a.gif"], "--picture a.gif: expected a name ending in .png"),
    ]:
        assert words in refused(2, "explain", long, *options)
    assert "expected a class out of" in refused(4, "explain", long, "--of", "7")
    gates = ["--what", "gates", "--layer", "lstm_9"]
    assert main(["explain", str(long), *gates]) == 4


@pytest.mark.slow
def test_a_text_is_explained(run, folder, saved_text):
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
