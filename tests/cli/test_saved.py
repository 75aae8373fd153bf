"""`kseq evaluate`, `predict` and `export`: what is done with a saved model."""

from __future__ import annotations

import csv
import io
import json
import shutil

import numpy as np
import pytest

import kseq


def table(text):
    """The rows of a CSV text."""
    return list(csv.DictReader(io.StringIO(text)))


# --- evaluate ---


@pytest.mark.parametrize("name", ["wide", "series", "long"])
def test_evaluate_gives_the_score_of_the_training(run, folder, saved, name):
    scored = run("evaluate", saved[name], "--json").json
    report = saved[name] / "1" / "assets.extra" / "kseq" / "report" / "metrics.json"
    trained = json.loads(report.read_text("utf-8"))
    assert scored["metrics"] == pytest.approx(trained["metrics"])
    assert scored["baselines"].keys() == trained["baselines"].keys()
    shown = run("evaluate", saved[name], "--recipe", f"{name}.json")
    assert shown.code == 0
    assert "model" in shown.out


def test_evaluate_on_other_data(run, folder, saved):
    done = run("evaluate", saved["wide"], "--set", "data.split=[4, 20]", "--json")
    assert done.json["items"] == 20


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--set", "data.split=null"], 4, "no test part"),
        (["--set", "data.path=nothing.csv"], 4, "no such file"),
        (["--set", "data.target=null"], 4, "column 'label'"),
        (["--recipe", "nothing.yaml"], 3, "no such file"),
        (["--recipe", "series.json"], 4, ""),
    ],
)
def test_evaluate_refuses(refused, folder, saved, arguments, code, message):
    assert message in refused(code, "evaluate", saved["wide"], *arguments)


# --- predict ---


def test_predict_labels_with_their_probabilities(run, folder, saved):
    done = run("predict", saved["wide"], "wide.csv")
    rows = table(done.out)
    assert list(rows[0]) == ["id", "label", "p(down)", "p(up)"]
    assert [row["id"] for row in rows] == [f"s{i}" for i in range(24)]
    assert all(float(row["p(down)"]) + float(row["p(up)"]) == pytest.approx(1) for row in rows)
    from_json = run("predict", saved["wide"], "wide.csv", "--json").json
    assert [row["label"] for row in from_json] == [row["label"] for row in rows]
    assert run("predict", saved["wide"], "wide.csv", "--output", "new/p.csv").out == ""
    assert (folder / "new" / "p.csv").read_text("utf-8") == done.out


def test_the_targets_of_a_file_to_predict_are_no_steps(run, folder, saved):
    with_labels = run("predict", saved["wide"], "wide.csv").out
    rows = list(csv.reader((folder / "wide.csv").read_text("utf-8").splitlines()))
    for name, edit in {
        "without": lambda row: row[:-1],
        "unknown": lambda row: [*row[:-1], "label" if row[0] == "id" else ""],
        "numbers": lambda row: [*row[:-1], "label" if row[0] == "id" else "1"],
    }.items():
        path = folder / f"{name}.csv"
        with path.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows(edit(row) for row in rows)
        assert run("predict", saved["wide"], path).out == with_labels, name


def test_predict_other_lengths_and_without_ids(run, folder, saved):
    (folder / "x.csv").write_text("a,b,c\n0,1,2\n0,-1,\n", encoding="utf-8")
    done = run("predict", saved["wide"], "x.csv", "--set", "data.id=null")
    rows = table(done.out)
    assert [row["id"] for row in rows] == ["0", "1"], done.err


def test_predict_long_files_with_and_without_targets(run, folder, saved):
    rows = table(run("predict", saved["long"], "long.csv").out)
    assert [row["id"] for row in rows] == [f"q{i}" for i in range(24)]
    lines = (folder / "long.csv").read_text("utf-8").splitlines()
    text = "\n".join(line.rpartition(",")[0] for line in lines)
    (folder / "without.csv").write_text(text, encoding="utf-8")
    assert table(run("predict", saved["long"], "without.csv").out) == rows


def test_predict_equals_python(run, folder, saved):
    rows = run("predict", saved["wide"], "wide.csv", "--json").json
    X = np.genfromtxt(folder / "wide.csv", delimiter=",", skip_header=1, usecols=range(1, 7))
    probabilities = kseq.load(saved["wide"]).predict_proba(X)
    assert [row["p(up)"] for row in rows] == pytest.approx(probabilities[:, 1].tolist(), abs=1e-6)


def test_a_forecaster_goes_on_from_its_training_series(run, folder, saved):
    rows = table(run("predict", saved["series"]).out)
    assert [row["step"] for row in rows] == ["1", "2", "3"]
    expected = kseq.load(saved["series"]).predict()
    assert [float(row["load"]) for row in rows] == pytest.approx(np.ravel(expected), abs=1e-5)


def test_a_forecaster_goes_on_from_a_file(run, folder, saved):
    rows = run("predict", saved["series"], "series.csv", "--json").json
    values = np.genfromtxt(folder / "series.csv", delimiter=",", skip_header=1, usecols=1)
    expected = kseq.load(saved["series"]).predict({"load": values})["load"]
    assert [row["load"] for row in rows] == pytest.approx(expected.tolist(), abs=1e-5)


def test_bounds_of_a_forecast_are_columns(run, refused, folder, saved):
    rows = table(run("predict", saved["series"], "--interval", "0.5").out)
    assert list(rows[0]) == ["step", "load", "load lower", "load upper"]
    found = kseq.load(saved["series"]).predict(interval=0.5)
    for name, values in zip(("load", "load lower", "load upper"), found, strict=True):
        assert [float(row[name]) for row in rows] == pytest.approx(np.ravel(values), abs=1e-5)
    message = refused(4, "predict", saved["series"], "--interval", "0.9")
    assert "0.9 needs at least 9 held-out targets, but there were 2" in message


@pytest.mark.slow
def test_a_forecaster_with_future_covariates(run, refused, folder):
    lines = [f"{i},{np.sin(i / 3):.4f},{i % 7}" for i in range(60)]
    for name, rows in {"calendar": lines, "next": ["60,,4", "61,,5", "62,,6"]}.items():
        text = "\n".join(["day,load,weekday", *rows])
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    recipe = json.loads((folder / "series.json").read_text("utf-8"))
    recipe["task"]["future_covariates"] = ["weekday"]
    recipe["data"] |= {"path": "calendar.csv", "split": None}
    recipe["training"]["epochs"] = 1
    (folder / "r.json").write_text(json.dumps(recipe), encoding="utf-8")
    assert run("train", "r.json", "--quiet", "--output", "out").code == 0
    model = "out/load"
    assert "the next 3 rows of weekday" in refused(2, "predict", model)
    assert "the next 3 rows of weekday" in refused(2, "predict", model, "calendar.csv")
    assert "no such file" in refused(4, "predict", model, "--future", "nxt.csv")
    assert "future" in refused(4, "predict", model, "--future", "calendar.csv")
    expected = kseq.load(model).predict(future=np.array([[4.0], [5.0], [6.0]]))
    for arguments in ([], ["calendar.csv"]):
        rows = table(run("predict", model, *arguments, "--future", "next.csv").out)
        assert [float(row["load"]) for row in rows] == pytest.approx(np.ravel(expected), abs=1e-5)
    # What is explained is a forecast of the last rows of a file.
    done = run("explain", model, "calendar.csv", "--method", "occlusion")
    assert done.out.splitlines()[-1] == "known future values of weekday are left as they are"
    (folder / "few.csv").write_text("\n".join(["day,load,weekday", *lines[:10]]), encoding="utf-8")
    message = refused(4, "explain", model, "few.csv")
    assert "has 10 rows, but a window takes 8 rows, and the future covariates after it 3" in message


def test_other_formats_than_the_training_files(run, folder, saved):
    steps = np.linspace(0, 1, 6)
    np.savez(folder / "x.npz", X=np.stack([steps, -steps]))
    text = "@problemName x\n@univariate true\n@classLabel false\n@data\n0,1,2,3\n0,-1,-2,-3\n"
    (folder / "x.ts").write_text(text, encoding="utf-8")
    for name in ("x.npz", "x.ts"):
        done = run("predict", saved["wide"], name)
        assert done.code == 0, done.err
        assert len(table(done.out)) == 2
    np.savez(folder / "s.npz", series=np.arange(20.0)[:, None], columns=np.array(["load"]))
    assert len(table(run("predict", saved["series"], "s.npz").out)) == 3


@pytest.mark.slow
def test_a_model_trained_on_a_sample_reads_a_file(run, folder):
    changes = ["model.units=4", "training.epochs=1", "data.split=[60, 20]"]
    (folder / "r.yaml").write_text(
        "name: digits\ntask: classification\ndata: {reader: sample, name: digits}\n", "utf-8"
    )
    sets = [argument for change in changes for argument in ("--set", change)]
    assert run("train", "r.yaml", "--quiet", "--output", "out", *sets).code == 0
    np.savez(folder / "x.npz", X=np.zeros((2, 8, 8)))
    assert len(table(run("predict", "out/digits", "x.npz").out)) == 2
    done = run("predict", "out/digits", "wide.csv", "--set", "data.target=label",
               "--set", "data.id=id")  # fmt: skip
    assert done.code == 4
    assert "feature" in done.err


@pytest.mark.parametrize(
    ("name", "arguments", "code", "message"),
    [
        ("wide", [], 2, "FILE is missing"),
        ("wide", ["wide.json"], 4, "expected a name ending in .csv, .tsv, .ts, .npz"),
        ("wide", ["nothing.csv"], 4, "no such file"),
        ("wide", ["series.csv"], 4, ""),
        ("wide", ["--text", "x"], 2, "--text: the model was fitted to numbers, not to text"),
        ("series", ["--text", "x"], 2, "not to text; give FILE"),
        ("wide", ["wide.csv", "--nbest", "2"], 2, "this model is for classification"),
        ("wide", ["wide.csv", "--future", "x.csv"], 2, "--future is for forecasters"),
        ("wide", ["slots.jsonl"], 4, "expected a name ending in"),
        ("wide", ["."], 2, "is a directory"),
        ("wide", ["wide.csv", "--interval", "0.9"], 2, "is for numbers and forecasts"),
        ("series", ["--interval", "1"], 2, "--interval"),
        ("series", ["--interval", "x"], 2, "--interval"),
        ("wide", ["wide.csv", "--json", "--output", "x.csv"], 2, "choose one"),
        ("wide", ["wide.csv", "--output", "wide.json/x"], 2, "--output wide.json/x: cannot be"),
        ("wide", ["wide.csv", "--output", "."], 2, "is a directory"),
        ("wide", ["wide.csv", "--set", "data.id"], 2, "expected PATH=VALUE"),
        ("wide", ["empty.csv"], 4, "the file is empty"),
        ("long", ["wide.csv"], 4, "no column"),
        ("series", ["wide.csv"], 4, "no column"),
        ("series", ["short.csv"], 4, "has 4 rows, but task.window is 8"),
        ("series", ["huge.csv"], 4, "float32"),
    ],
)
def test_predict_refuses(refused, folder, saved, name, arguments, code, message):
    (folder / "empty.csv").touch()
    lines = (folder / "series.csv").read_text("utf-8").splitlines()
    (folder / "short.csv").write_text("\n".join(lines[:5]), encoding="utf-8")
    text = "\n".join([*lines[:9], "2025-01-01,1e300"])
    (folder / "huge.csv").write_text(text, encoding="utf-8")
    assert message in refused(code, "predict", saved[name], *arguments)


# --- export ---


@pytest.mark.slow
def test_export_publishes_the_next_version_elsewhere(run, folder, saved):
    done = run("export", saved["wide"], "served/slopes", "--json")
    assert done.json == {"path": "served/slopes/1"}
    assert run("export", saved["wide"] / "1", "served/slopes").out == (
        "published served/slopes/2\n"
    )
    again, first = run("predict", "served/slopes", "wide.csv"), saved["wide"]
    assert again.out == run("predict", first, "wide.csv").out
    report = "assets.extra/kseq/report/metrics.json"
    assert (folder / "served/slopes/2" / report).read_bytes() == (first / "1" / report).read_bytes()


def test_export_refuses_a_file_as_destination(refused, folder, saved, assert_clean):
    refused(2, "export", saved["wide"], "wide.csv")
    assert "cannot be written" in refused(4, "export", saved["wide"], "wide.csv/below")
    assert_clean(folder)


# --- what is no saved model ---


@pytest.mark.parametrize("command", ["evaluate", "predict", "export"])
def test_what_is_no_artefact(refused, folder, command):
    more = {"evaluate": [], "predict": ["wide.csv"], "export": ["out"]}[command]
    assert "does not exist" in refused(4, command, "nothing", *more)
    assert "is a file" in refused(4, command, "wide.csv", *more)
    refused(4, command, ".", *more)


@pytest.mark.parametrize("file", ["recipe.json", "preprocessing.json", "weights.safetensors"])
def test_a_damaged_artefact(refused, folder, saved, file):
    shutil.copytree(saved["wide"], folder / "broken")
    path = folder / "broken" / "1" / "assets.extra" / "kseq" / file
    path.write_bytes(path.read_bytes()[:-3] + b"xyz")
    assert file in refused(4, "predict", "broken", "wide.csv")
    path.unlink()
    assert file in refused(4, "evaluate", "broken")
