"""`kseq train`: a version with its report, or one message and nothing."""

from __future__ import annotations

import gzip
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import keras
import pytest

import kseq


@pytest.fixture
def recipe(folder):
    """Writes a variant of a recipe under another name."""

    def write(base, **changes):
        values = json.loads((folder / f"{base}.json").read_text("utf-8"))
        for path, value in changes.items():
            section, _, key = path.partition("__")
            if key:
                values[section][key] = value
            else:
                values[section] = value
        (folder / "r.json").write_text(json.dumps(values), encoding="utf-8")
        return "r.json"

    return write


# --- what a training leaves behind ---


@pytest.mark.parametrize(
    ("name", "score"), [("wide", "accuracy"), ("long", "accuracy"), ("series", "mse")]
)
def test_a_version_with_its_report_is_published(saved, name, score):
    version = saved[name] / "1"
    assert (version / "saved_model.pb").is_file()
    home = version / "assets.extra" / "kseq"
    metrics = json.loads((home / "report" / "metrics.json").read_text("utf-8"))
    assert score in metrics["metrics"]
    assert metrics["baselines"]
    assert (home / "report" / "model_card.md").read_text("utf-8").startswith("#")
    assert {path.name for path in saved[name].iterdir()} <= {"1", ".lock"}


@pytest.mark.slow
def test_it_says_what_it_did(run, folder):
    done = run("train", "wide.json")
    assert done.code == 0
    assert done.out.startswith("slopes: ")
    assert "always" in done.out or "majority" in done.out or "class" in done.out
    version = Path("saved_models/slopes/1")
    page = version / "assets.extra" / "kseq" / "report" / "report.html"
    assert done.out.rstrip().endswith(f"published {version}\nreport {page}")
    assert (folder / page).read_text("utf-8").startswith("<!DOCTYPE html>")
    assert "epoch 2/2" in done.err

    quiet = run("train", "wide.json", "--quiet", "--json", "--csv-log", "logs/log.csv")
    assert quiet.err == ""
    assert quiet.json["path"] == str(Path("saved_models/slopes/2"))
    assert quiet.json["epochs"] == 2
    assert quiet.json["score"]["primary"] in quiet.json["score"]["metrics"]
    log = (folder / "logs" / "log.csv").read_text("utf-8").splitlines()
    assert len(log) == 3
    assert "loss" in log[0]


@pytest.mark.slow
def test_it_says_why_there_are_no_intervals(run, folder, monkeypatch):
    monkeypatch.setattr("kseq.run._explained", lambda *_: ([], []))
    monkeypatch.setattr("kseq.serving.save.export", lambda *_, **__: None)
    monkeypatch.setattr("kseq.serving.save.write_warmup", lambda *_, **__: "left out")
    monkeypatch.setattr("kseq.serving.save.verify", lambda *_, **__: None)
    done = run("train", "series.json", "--quiet", "--set", "training.epochs=1")
    said = (
        "There are no prediction intervals: task.interval 0.9 needs at least 9 held-out targets, "
        "but there were 2, enough for 0.666; give the data a larger validation part, or where it "
        "has none raise training.validation_fraction."
    )
    assert said in done.out.splitlines()
    report = folder / "saved_models/load/1/assets.extra/kseq/report"
    assert f"- {said}" in (report / "model_card.md").read_text("utf-8").splitlines()
    assert said in (report / "report.html").read_text("utf-8")
    enough = ("--set", "training.validation_fraction=0.4", "--set", "training.epochs=1")
    for changes in (enough, ("--set", "task.interval=null", "--set", "training.epochs=1")):
        assert "no prediction intervals" not in run("train", "series.json", *changes).out


# --- what goes wrong: one message, and nothing is left ---


@pytest.mark.parametrize(
    ("base", "changes", "code", "message"),
    [
        ("wide", {"data__target": "lable"}, 4, "did you mean 'label'?"),
        ("wide", {"data__path": "wid.csv"}, 4, "did you mean 'wide.csv'?"),
        ("wide", {"data__path": "."}, 4, "folder"),
        ("wide", {"data__target": None}, 4, ""),
        ("wide", {"data__split": [16, 80]}, 4, "there are 24"),
        ("wide", {"data__layout": "broad"}, 3, "data.layout"),
        ("wide", {"data": {}}, 3, "data: missing"),
        ("wide", {"model__builder": "transformer"}, 3, "unknown builder 'transformer'"),
        ("wide", {"model__units": 0}, 3, "model.units"),
        ("wide", {"model__units": [8192] * 8}, 3, "parameters"),
        ("wide", {"task": "forecasting"}, 4, ""),
        ("series", {"task": "classification"}, 4, ""),
        ("series", {"task__horizon": 0}, 3, "task.horizon: expected greater than 0, got 0"),
        ("series", {"task__window": 500}, 4, "task.window 500"),
        ("series", {"task__target": "laod"}, 4, "laod"),
        ("series", {"task__missing": "error", "data__path": "gap.csv"}, 4, "missing in row 4"),
        ("series", {"data__columns": ["nothing"]}, 4, "no column 'nothing'"),
        ("series", {"data__time": "dya"}, 4, "did you mean 'day'?"),
        ("series", {"training__learning_rate": 1e38, "training__clip_norm": None}, 5, "the loss"),
        ("wide", {"data__path": "text.csv", "data__target": None}, 4, "text.csv, line 2"),
        ("wide", {"data__path": "cut.csv.gz"}, 4, "cut off"),
        ("wide", {"data__path": "latin.csv"}, 4, "not UTF-8 text"),
        ("wide", {"data__path": "empty.csv"}, 4, "the file is empty"),
        ("wide", {"data__path": "header.csv"}, 4, "header.csv"),
        ("wide", {"data": {"reader": "npz", "path": "wide.csv"}}, 4, "wide.csv"),
        ("wide", {"data": {"reader": "ts", "path": "wide.csv"}}, 4, "wide.csv"),
    ],
)
def test_a_mistake_leaves_nothing(
    refused, folder, recipe, assert_clean, base, changes, code, message
):
    text = (folder / "wide.csv").read_bytes()
    (folder / "cut.csv.gz").write_bytes(gzip.compress(text)[:-20])
    (folder / "latin.csv").write_bytes(text + "é".encode("latin-1"))
    (folder / "empty.csv").touch()
    (folder / "header.csv").write_bytes(text.splitlines(keepends=True)[0])
    (folder / "text.csv").write_bytes(text)
    lines = (folder / "series.csv").read_text("utf-8").splitlines()
    lines[5] = lines[5].split(",")[0] + ",NA"
    (folder / "gap.csv").write_text("\n".join(lines), encoding="utf-8")
    said = refused(code, "train", recipe(base, **changes), "--quiet", "--output", "out")
    assert message in said
    assert not (folder / "out").exists() or not list((folder / "out").iterdir())
    assert_clean(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("task: classification\nmodel: !!python/object/apply:os.system [id]", "tags are not"),
        ("a: &a [x]\nb: &b [*a, *a]\ntask: *b", "anchors and aliases"),
        ("task: " + "[" * 5000, "nested deeper"),
        ("task: {kind: classification, kind: regression}", "duplicate key"),
        ("task: [", "line 1"),
        ("", "a recipe is a mapping of sections"),
    ],
)
def test_a_hostile_recipe(refused, folder, text, message):
    (folder / "r.yaml").write_text(text, encoding="utf-8")
    said = refused(3, "train", "r.yaml")
    assert message in said
    assert "r.yaml" in said


def test_a_recipe_that_is_not_there(refused, folder):
    assert "nothing.yaml: no such file" in refused(3, "train", "nothing.yaml")
    assert "expected a name ending in" in refused(3, "train", "wide.csv")
    refused(2, "train", ".")


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_an_output_that_is_a_file_is_known_before_the_training(refused, folder, monkeypatch, place):
    monkeypatch.setattr(keras.Model, "fit", lambda *_, **__: pytest.fail("it was trained"))
    (folder / "file").touch()
    (folder / "out").mkdir()
    (folder / "out" / "slopes").touch()
    if place == "file":
        refused(2, "train", "wide.json", "--output", "file")
    assert "is a file" in refused(4, "train", "wide.json", "--output", "file/below")
    assert "is a file" in refused(4, "train", "wide.json", "--output", "out")


def test_an_output_that_cannot_be_written_is_known_before_the_training(
    refused, folder, monkeypatch
):
    monkeypatch.setattr(keras.Model, "fit", lambda *_, **__: pytest.fail("it was trained"))
    monkeypatch.setattr(os, "access", lambda _, mode: not mode & os.W_OK)
    assert "cannot be written" in refused(4, "train", "wide.json", "--output", "out")


@pytest.mark.slow
def test_a_disk_that_is_full_leaves_nothing(refused, folder, monkeypatch, assert_clean):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("kseq.serving.save.write", full)
    assert "No space left on device" in refused(4, "train", "wide.json", "--quiet")
    assert_clean(folder)


@pytest.mark.parametrize("option", ["--csv-log", "--tensorboard"])
def test_a_log_that_cannot_be_written(refused, folder, option):
    if option == "--tensorboard":
        pytest.importorskip("tensorboard", reason="needs the extra `tune`")
    (folder / "file").touch()
    said = refused(2, "train", "wide.json", option, "file/log")
    assert f"{option} file/log: cannot be written" in said


@pytest.mark.slow
def test_ctrl_c_publishes_nothing(run, folder, monkeypatch, assert_clean):
    def pressed(*_, **__):
        raise KeyboardInterrupt

    for place in ("kseq.training.loop.Loop.run", "kseq.serving.save.verify"):
        with monkeypatch.context() as patch:
            patch.setattr(place, pressed)
            done = run("train", "wide.json", "--quiet")
        assert done.code == 130
        assert done.out == ""
        assert done.err.strip() == "kseq: interrupted; nothing was published"
        assert_clean(folder)


@pytest.mark.slow
def test_a_killed_training_leaves_a_whole_version_or_none(folder, tmp_path):
    command = [sys.executable, "-m", "kseq", "train", "wide.json", "--quiet", "--output", "out"]
    started = time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    whole = time.monotonic() - started
    base = folder / "out" / "slopes"
    chance = random.Random(0)
    # Most of the moments lie in the last part, where the version is written and checked.
    for moment in [*(chance.uniform(0.1, 0.5) for _ in range(2)),
                   *(chance.uniform(0.5, 1.05) for _ in range(8))]:  # fmt: skip
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(moment * whole)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for version in base.iterdir():
            if version.name.isdecimal():
                kseq.load(version)
    subprocess.run(command, check=True, capture_output=True)
    assert not list(base.glob(".new-*")), "the next training removes what the dead one left"
    assert kseq.load(base).predict([[0, 1, 2, 3, 4, 5]]).shape == (1,)
