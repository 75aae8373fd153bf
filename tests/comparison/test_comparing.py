"""`kseq.compare`: tables, resuming, and what cannot be compared."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import kseq
from kseq.comparison import apart, comparing
from kseq.comparison.comparing import run_comparison
from kseq.comparison.result import Result
from kseq.comparison.training import run
from kseq.errors import ArtefactError, DataError, RecipeError, TrainingError

TINY = {"units": 4}
VARY = {"model.cell": ["gru", "rnn"]}


def classifier(**training):
    return kseq.SequenceClassifier(
        model=TINY, training={"epochs": 2, "batch_size": 16, **training}, random_state=0
    )


def test_a_row_for_each_combination_and_naive_answer(here, waves):
    pandas = pytest.importorskip("pandas")
    X, y = waves
    table = kseq.compare(
        classifier(), X[:32], y[:32], vary=VARY, seeds=2, test_data=(X[32:], y[32:])
    )
    assert isinstance(table, pandas.DataFrame)
    assert set(table["name"]) == {"gru", "rnn", "majority class"}
    assert table["name"].iloc[-1] == "majority class"
    row = table.set_index("name").loc["gru"]
    # The same as fitting it by hand.
    scores = []
    for seed in (0, 1):
        clf = classifier().set_params(model__cell="gru", random_state=seed)
        scores.append(clf.fit(X[:32], y[:32]).score(X[32:], y[32:]))
    assert row["accuracy"] == pytest.approx(np.mean(scores))
    assert row["spread"] == pytest.approx(np.std(scores, ddof=1))
    assert row["seeds"] == 2
    assert row["parameters"] == clf.model_.count_params()
    assert row["predict_ms"] > 0
    assert row["epoch_seconds"] > 0
    best = table["accuracy"][table["seeds"] > 0].max()
    assert row["behind"] == pytest.approx(best - row["accuracy"])


def test_without_test_data_a_fifth_is_held_out_and_said(here, waves):
    found = run_comparison(classifier(), *waves, vary={"model.units": [3]}, seeds=1)
    assert found.held_out
    assert found.compared == "8 sequences"
    assert found.folder is None


@pytest.mark.slow
def test_what_is_there_is_not_trained_again(monkeypatch, waves, tmp_path):
    ran = []

    def counted(job):
        ran.extend(number for number, _ in job.seeds)
        yield from run(job, alone=False)

    def interrupted(job):
        for result in counted(job):
            yield result
            raise KeyboardInterrupt

    how = {"vary": VARY, "seeds": 2, "folder": tmp_path / "c"}
    monkeypatch.setattr(comparing, "run_apart", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_comparison(classifier(), *waves, **how)
    monkeypatch.setattr(comparing, "run_apart", counted)
    ran.clear()
    found = run_comparison(classifier(), *waves, **how)
    assert ran == [1, 2, 3]
    assert {row.name: len(row.results) for row in found.rows if not row.naive} == {
        "gru": 2,
        "rnn": 2,
    }
    assert (tmp_path / "c" / "results.csv").read_text().startswith("name,model.cell,accuracy,")
    assert (tmp_path / "c" / "comparison.png").stat().st_size > 5000
    with pytest.raises(ArtefactError, match="holds another comparison: seeds was 2 and is 3"):
        run_comparison(classifier(), *waves, **{**how, "seeds": 3})
    X, y = waves
    with pytest.raises(ArtefactError, match="holds another comparison: data"):
        run_comparison(classifier(), X + 1, y, **how)


def test_other_test_parts_are_not_compared_with_each_other(here):
    recipe = {
        "task": "regression",
        "data": {"reader": "memory", "train": 40, "valid": 8, "test": 12},
        "model": {"cell": "rnn", "units": 3},
        "training": {"epochs": 1},
    }
    found = run_comparison(
        recipe, vary={"data.steps": [4, 6], "model.units": [2, 3]}, seeds=1, folder=None
    )
    assert [row.best for row in found.rows].count(True) == 2
    assert len({row.test for row in found.rows}) == 2
    naive = [row for row in found.rows if row.naive]
    assert [row.changes for row in naive] == [{"data.steps": 4}, {"data.steps": 6}]


def test_the_same_targets_of_other_sequences_are_another_test_part(here):
    recipe = {
        "task": "classification",
        "data": {"reader": "memory", "problem": "copy", "train": 40, "valid": 8, "test": 12},
        "model": {"cell": "rnn", "units": 3},
        "training": {"epochs": 1},
    }
    found = run_comparison(recipe, vary={"data.steps": [4, 6]}, seeds=1, folder=None)
    assert [row.best for row in found.rows] == [True, False, True, False]


def test_a_combination_that_fails_is_a_row_that_says_why(here, waves):
    found = run_comparison(classifier(), *waves, vary={"model.readout": ["last", "steps"]}, seeds=1)
    lost = found.rows[-1]
    assert lost.name == "steps"
    assert lost.score is None
    assert "readout 'steps' gives one output a time step" in lost.failed


def test_all_failed(monkeypatch, waves):
    def fails(job):
        for number, seed in job.seeds:
            yield Result(
                number=number, changes=job.changes, seed=seed, status="failed", reason="no"
            )

    monkeypatch.setattr(comparing, "run_apart", fails)
    with pytest.raises(TrainingError, match=r"no training came to a score: no$"):
        run_comparison(classifier(), *waves, vary=VARY)


@pytest.mark.parametrize(
    ("how", "error", "said"),
    [
        ({"vary": {"model.cell": ["gur"]}}, RecipeError, "model.cell"),
        ({"vary": VARY, "seeds": 0}, RecipeError, "seeds: expected a number of trainings"),
        ({"vary": VARY, "seeds": True}, RecipeError, "seeds: expected a number of trainings"),
        ({"vary": VARY, "metric": "acuracy"}, RecipeError, "did you mean 'accuracy'"),
        ({"vary": VARY, "test_data": [1]}, DataError, r"test_data: expected a pair \(X, y\)"),
    ],
)
def test_mistakes_show_before_anything_is_trained(monkeypatch, waves, how, error, said):
    monkeypatch.setattr(comparing, "run_apart", lambda job: pytest.fail("it trained"))
    with pytest.raises(error, match=said):
        run_comparison(classifier(), *waves, **how)


def test_what_is_wrong_with_the_data_shows_before_too(monkeypatch, waves):
    monkeypatch.setattr(comparing, "run_apart", lambda job: pytest.fail("it trained"))
    X, y = waves
    with pytest.raises(DataError, match="NaN"):
        run_comparison(classifier(), np.where(X > 1, np.nan, X), y, vary=VARY)
    with pytest.raises(DataError, match="an estimator brings no data"):
        run_comparison(classifier(), vary=VARY)
    with pytest.raises(DataError, match="expected a kseq estimator, a recipe"):
        run_comparison(3, vary=VARY)


def test_a_validation_part_alone_is_no_test_of_a_series():
    recipe = {
        "task": {"kind": "forecasting", "window": 4},
        "data": {"reader": "sample", "name": "sunspots", "split": [0.8, 0.1, 0.1]},
    }
    forecaster = kseq.from_recipe(recipe)
    wave = np.sin(np.arange(60) / 3)
    with pytest.raises(DataError, match="has a validation part and no test part"):
        run_comparison(forecaster, wave[:50], validation_data=wave[50:], vary=VARY)


@pytest.mark.slow
def test_a_process_each_tells_memory_and_gives_the_same_scores(waves, tmp_path, monkeypatch):
    apart = run_comparison(classifier(), *waves, vary=VARY, seeds=2)
    assert all(row.mean("memory") > 1e6 for row in apart.rows if not row.naive)
    monkeypatch.setattr(comparing, "run_apart", lambda job: run(job, alone=False))
    here = run_comparison(classifier(), *waves, vary=VARY, seeds=2)
    assert [(r.name, r.score) for r in apart.rows] == [(r.name, r.score) for r in here.rows]


@pytest.mark.slow
def test_a_process_that_dies_is_a_row_that_says_so(waves, monkeypatch):
    monkeypatch.setattr(apart, "MARK", "never printed ")
    with pytest.raises(TrainingError, match="the process ended with 0"):
        run_comparison(classifier(), *waves, vary={"model.units": [3]}, seeds=1)


@pytest.mark.slow
def test_a_killed_comparison_goes_on_with_what_is_missing(tmp_path):
    recipe = {
        "name": "add",
        "task": "regression",
        "data": {"reader": "memory", "steps": 12, "train": 300, "valid": 40, "test": 40},
        "model": {"units": 6},
        "training": {"epochs": 3},
    }
    (tmp_path / "add.json").write_text(json.dumps(recipe))
    command = [
        *(sys.executable, "-m", "kseq", "compare", "add.json"),
        *("--vary", "model.cell=gru,rnn", "--seeds", "2", "--quiet", "--json"),
    ]

    def begin():
        return subprocess.Popen(
            command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    process = begin()
    place = tmp_path / "comparisons" / "add"
    end = time.monotonic() + 120
    while not list(place.glob("training_*/outcome.json")):
        assert time.monotonic() < end, process.communicate()
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    there = {path: path.stat().st_mtime_ns for path in place.glob("training_*/outcome.json")}
    assert len(there) < 4
    done = begin()
    out, said = done.communicate(timeout=200)
    assert done.returncode == 0, said
    assert {path: path.stat().st_mtime_ns for path in there} == there
    rows = json.loads(out)["rows"]
    assert [row["seeds"] for row in rows if row["reason"] == "" and row["seeds"]] == [2, 2]
