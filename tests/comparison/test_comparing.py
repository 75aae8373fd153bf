"""`kseq.compare`: tables, resuming, and what cannot be compared."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

import kseq
from kseq.comparison import apart, comparing, output
from kseq.comparison.comparing import run_comparison
from kseq.comparison.result import Result
from kseq.comparison.training import run
from kseq.errors import DataError, RecipeError, TrainingError

TINY = {"units": 4}
VARY = {"model.cell": ["gru", "rnn"]}


SHORT = {"epochs": 1, "batch_size": 16}


def _tagging():
    X = [["Ana", "met", "Bo"], ["Bo", "left"], ["we", "met", "Ana"]] * 8
    y = [["B-name", "O", "B-name"], ["B-name", "O"], ["O", "O", "B-name"]] * 8
    model = {"builder": "stacked_rnn", "units": 4, "embedding": {"width": 4}}
    recipe = {"task": "tagging", "model": model, "training": SHORT}
    return recipe, (X, y, {}), VARY


def _texts():
    X, y = ["good day", "bad night", "good night", "bad day"] * 8, ["up", "down", "up", "down"] * 8
    model = {"units": 4, "embedding": {"width": 4}}
    recipe = {"task": "classification", "model": model, "training": SHORT}
    return recipe, (X, y, {}), VARY


def _forecasts():
    rng = np.random.default_rng(0)
    series = [
        {"load": np.sin(np.arange(n) / 3) + rng.normal(0, 0.1, n), "sun": rng.normal(size=n)}
        for n in (90, 70)
    ]
    ends = [{name: rows[-25:] for name, rows in table.items()} for table in series]
    ends[0] = {name: rows[-3:] for name, rows in series[0].items()}  # less than a horizon
    task = {"kind": "forecasting", "window": 8, "horizon": 4, "target": "load",
            "future_covariates": ["sun"]}  # fmt: skip
    recipe = {"task": task, "model": TINY, "training": SHORT}
    return recipe, (series, None, {"test_data": ends}), VARY


def _numbers():
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(int(n), 2)) for n in rng.integers(4, 9, 40)]
    y = [x.sum(axis=1) for x in X]
    recipe = {"task": {"kind": "regression", "per_step": True}, "model": TINY, "training": SHORT}
    return recipe, (X, y, {}), VARY


def _video():
    clips = np.random.default_rng(0).random((12, 6, 12, 12))
    model = {"builder": "conv_lstm", "filters": [2], "patch": 4}
    task = {"kind": "video", "window": 3, "horizon": 2}
    recipe = {"task": task, "model": model, "training": {"epochs": 1}}
    return recipe, (clips, None, {}), {"model.filters": [[2], [3]]}


KINDS = {
    "tagging": _tagging,
    "texts": _texts,
    "forecasts": _forecasts,
    "numbers": _numbers,
    "video": _video,
}


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


@pytest.mark.slow
def test_long_tables_score_as_their_sequences_do(here, waves):
    pandas = pytest.importorskip("pandas")
    X, y = waves
    labels = pandas.Series(y).sample(frac=1, random_state=0)
    id, time = np.indices(X.shape)
    frame = pandas.DataFrame({"id": id.ravel(), "time": time.ravel(), "a": X.ravel()})
    learned, asked = frame[frame.id < 32], frame[frame.id >= 32]
    how = {"vary": {"model.units": [3]}, "seeds": 1}
    test = (asked.set_index(["id", "time"]), labels[labels.index >= 32])
    found = run_comparison(classifier(), learned, labels[labels.index < 32], test_data=test, **how)
    plain = run_comparison(classifier(), X[:32], y[:32], test_data=(X[32:], y[32:]), **how)
    assert [row.score for row in found.rows] == [row.score for row in plain.rows]


@pytest.mark.slow
def test_without_test_data_a_fifth_is_held_out_and_said(here, waves):
    found = run_comparison(classifier(), *waves, vary={"model.units": [3]}, seeds=1)
    assert found.held_out
    assert found.compared == "8 sequences"
    assert found.folder is None


@pytest.mark.slow
def test_what_is_there_is_not_trained_again(monkeypatch, waves, tmp_path):
    ran = []

    def counted(job):
        ran.extend((job.changes["model.cell"], seed) for _, _, seed in job.seeds)
        yield from run(job, alone=False)

    def interrupted(job):
        for result in counted(job):
            yield result
            raise KeyboardInterrupt

    def asked(X=waves[0], y=waves[1], **how):
        ran.clear()
        given = {"vary": VARY, "seeds": 2, "folder": tmp_path / "c", **how}
        return run_comparison(classifier(), X, y, **given)

    monkeypatch.setattr(comparing, "run_apart", interrupted)
    with pytest.raises(KeyboardInterrupt):
        asked()
    monkeypatch.setattr(comparing, "run_apart", counted)
    found = asked()
    assert ran == [("gru", 1), ("rnn", 0), ("rnn", 1)]
    assert {row.name: len(row.results) for row in found.rows if not row.naive} == {
        "gru": 2,
        "rnn": 2,
    }
    text = (tmp_path / "c" / "results.csv").read_text()
    assert text.startswith("name,model.cell,accuracy,")
    assert (tmp_path / "c" / "comparison.png").stat().st_size > 5000
    # Nothing is run again for another order, and only what is new for more values or seeds.
    again = asked(vary={"model.cell": ["rnn", "gru"]})
    assert ran == []
    told = [{(row.name, row.score) for row in each.rows} for each in (again, found)]
    assert told[0] == told[1]
    asked(vary={"model.cell": ["rnn", "lstm"]}, seeds=1)
    assert ran == [("lstm", 0)]
    asked(vary={**VARY, "model.units": [4]})  # what the recipe has
    assert ran == []
    asked(seeds=3)
    assert ran == [("gru", 2), ("rnn", 2)]
    asked(X=waves[0] + 1)  # other data
    assert len(ran) == 4
    asked(metric="log_loss")
    assert len(ran) == 4


def test_a_picture_that_fails_does_not_lose_the_table(here, waves, monkeypatch, tmp_path):
    pytest.importorskip("matplotlib")

    def fails(*_):
        raise TypeError("a defect")

    monkeypatch.setattr(output.comparisons, "picture", fails)
    how = {"vary": {"model.units": [3]}, "seeds": 1, "folder": tmp_path / "c"}
    with pytest.warns(UserWarning, match=r"comparison\.png was left out, .*please report it"):
        found = run_comparison(classifier(epochs=1), *waves, **how)
    assert [path.name for path in found.written] == ["results.csv", "reach.png"]
    assert found.remarks == ["comparison.png was left out, for a defect of kseq (TypeError)."]
    assert found.records()[0]["name"] == "units 3"


@pytest.mark.slow
def test_tuples_are_lists_and_failures_are_tried_again(here, waves, tmp_path):
    how = {"vary": {"model.units": [(3, 2), (2,)]}, "seeds": 1, "folder": tmp_path / "c"}
    found = run_comparison(classifier(), *waves, **how)
    again = run_comparison(classifier(), *waves, **how)
    assert [row.score for row in again.rows] == [row.score for row in found.rows]
    assert {row.name for row in found.rows if not row.naive} == {"units [3, 2]", "units [2]"}


@pytest.mark.slow
def test_other_test_parts_are_not_compared_with_each_other(here, tmp_path):
    recipe = {
        "task": "regression",
        "data": {"reader": "memory", "train": 40, "valid": 8, "test": 12},
        "model": {"cell": "rnn", "units": 3},
        "training": {"epochs": 1},
    }
    found = run_comparison(
        recipe, vary={"data.steps": [4, 6], "model.units": [2, 3]}, seeds=1, folder=tmp_path
    )
    assert [row.best for row in found.rows].count(True) == 2
    assert len({row.test for row in found.rows}) == 2
    assert found.compared == "12 sequences"
    assert list(found.parts.values()) == [
        ("steps 4", "12 sequences"),
        ("steps 6", "12 sequences"),
    ]
    naive = [row for row in found.rows if row.naive]
    assert [row.changes for row in naive] == [{"data.steps": 4}, {"data.steps": 6}]


@pytest.mark.slow
def test_the_same_targets_of_other_sequences_are_another_test_part(here, tmp_path):
    recipe = {
        "task": "classification",
        "data": {"reader": "memory", "problem": "copy", "train": 40, "valid": 8, "test": 12},
        "model": {"cell": "rnn", "units": 3},
        "training": {"epochs": 1},
    }
    found = run_comparison(recipe, vary={"data.steps": [4, 6]}, seeds=1, folder=tmp_path)
    assert [row.best for row in found.rows] == [True, False, True, False]


@pytest.mark.slow
def test_a_combination_that_fails_is_a_row_that_says_why(monkeypatch, waves):
    def fails(job):
        for result in run(job, alone=False):
            bad = job.changes["model.units"] == 2
            yield replace(result, status="failed", metrics={}, reason="no") if bad else result

    monkeypatch.setattr(comparing, "run_apart", fails)
    found = run_comparison(classifier(), *waves, vary={"model.units": [3, 2]}, seeds=1)
    lost = found.rows[-1]
    assert (lost.name, lost.score, lost.failed) == ("units 2", None, "no")


@pytest.mark.parametrize("order", [["last", "steps"], ["steps", "last"]])
def test_what_cannot_be_built_is_said_before(monkeypatch, waves, order):
    monkeypatch.setattr(comparing, "run_apart", lambda job: pytest.fail("it trained"))
    with pytest.raises(RecipeError, match=r"readout 'steps' gives one output .* \(of steps\)"):
        run_comparison(classifier(), *waves, vary={"model.readout": order}, seeds=1)


def test_all_failed(monkeypatch, waves):
    def fails(job):
        for number, key, seed in job.seeds:
            how = {"number": number, "key": key, "changes": job.changes, "seed": seed}
            yield Result(**how, status="failed", reason="no")

    monkeypatch.setattr(comparing, "run_apart", fails)
    with pytest.raises(TrainingError, match=r"no training came to a score: no$"):
        run_comparison(classifier(), *waves, vary=VARY)


@pytest.mark.parametrize(
    ("how", "error", "said"),
    [
        ({"vary": {"model.cell": ["gur"]}}, RecipeError, "model.cell"),
        ({"vary": None}, RecipeError, "vary: expected recipe paths with the values of each"),
        ({"vary": {"data.split": [[0.7, 0.3]]}}, RecipeError, "data.split cannot vary where X is"),
        ({"vary": VARY, "seeds": 0}, RecipeError, "seeds: expected how many trainings"),
        ({"vary": VARY, "seeds": True}, RecipeError, "seeds: expected how many trainings"),
        ({"vary": VARY, "metric": "acuracy"}, RecipeError, "did you mean 'accuracy'"),
        ({"vary": VARY, "metric": "csi_5"}, RecipeError, "metric: 'csi_5' is none of this task"),
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
def test_a_process_each_tells_memory_and_gives_the_same_scores(waves, monkeypatch):
    ballast = np.ones(10**8)  # what this process has is not what a training takes
    del ballast
    apart = run_comparison(classifier(), *waves, vary=VARY, seeds=2)
    for row in apart.rows:
        if not row.naive:  # of the first training alone, whatever this process has or had
            first, second = (result.memory for result in row.results)
            assert 1e6 < first < 4e8
            assert second is None
    monkeypatch.setattr(comparing, "run_apart", lambda job: run(job, alone=False))
    here = run_comparison(classifier(), *waves, vary=VARY, seeds=2)
    assert [(r.name, r.score) for r in apart.rows] == [(r.name, r.score) for r in here.rows]


@pytest.mark.slow
def test_a_process_that_dies_is_a_row_that_says_so(waves, monkeypatch):
    monkeypatch.setattr(apart, "MARK", "never printed ")
    with pytest.raises(TrainingError, match="the process ended with 0"):
        run_comparison(classifier(), *waves, vary={"model.units": [3]}, seeds=1)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["tagging", "texts", "forecasts", "numbers", "video"])
def test_every_kind_of_task(here, kind):
    recipe, given, vary = KINDS[kind]()
    found = run_comparison(kseq.from_recipe(recipe), *given[:2], vary=vary, seeds=2, **given[2])
    models = [row for row in found.rows if not row.naive]
    assert len(models) == 2
    assert all(row.failed == "" and row.score is not None for row in models)
    assert all(row.mean("predict_seconds") > 0 and row.reach is not None for row in models)
    assert [row for row in found.rows if row.naive]
    told = [row.difference for row in models if row.difference is not None]
    assert [difference.noise in (True, False) for difference in told] == [True]


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
