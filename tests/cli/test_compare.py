"""`kseq compare` on the command line."""

from __future__ import annotations

import json

import pytest
from rich.console import Console

from kseq.cli import compare, main
from kseq.comparison import comparing
from kseq.comparison.comparing import Comparison
from kseq.comparison.noise import Difference
from kseq.comparison.result import Result
from kseq.comparison.table import Row
from kseq.comparison.training import run
from tests.cli.conftest import WIDE, write_wide


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(comparing, "run_apart", lambda job: run(job, alone=False))
    write_wide(tmp_path / "wide.csv")
    path = tmp_path / "slopes.json"
    path.write_text(json.dumps(WIDE))
    return str(path)


@pytest.mark.slow
def test_a_table_then_json_of_what_is_there(recipe, capsys):
    command = ["compare", recipe, "--vary", "model.units=[3],[2, 2]", "--seeds", "2"]
    assert main(command) == 0
    out, said = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0] == "accuracy of 8 sequences, 2 seeds"
    assert lines[1].split() == [
        *(
            "accuracy",
            "behind",
            "the",
            "best",
            "parameters",
            "s/epoch",
            "s",
            "ms/prediction",
            "MB",
            "reach",
        )
    ]
    assert "majority class" in out
    assert "wrote results.csv and comparison.png and reach.png in comparisons/slopes" in out
    assert said.splitlines()[0].startswith("1/4  units [3]  seed 3  accuracy ")
    assert main([*command, "--json", "--quiet"]) == 0
    out, said = capsys.readouterr()
    found = json.loads(out)
    assert said == ""
    assert found["metric"] == "accuracy"
    assert {row["name"] for row in found["rows"]} == {"units [3]", "units [2, 2]", "majority class"}


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ([], 2, "Missing option '--vary'"),
        (["--vary", "model.cell"], 2, "expected PATH=A,B,..."),
        (["--vary", "model.cell="], 2, "expected PATH=A,B,..."),
        (["--vary", "model.cell=gru", "--vary", "model.cell=rnn"], 2, "is varied twice"),
        (["--vary", "model.cell=gru,["], 3, "--vary model.cell=gru,["),
        (["--vary", "model.cel=gru"], 3, "did you mean 'cell'"),
        (["--vary", "model.cell=gru", "--set", "model.cell=rnn"], 2, "model.cell varies, so that"),
        (["--vary", "model.units=[3]", "--set", "model.units.0=2"], 2, "model.units varies"),
        (["--vary", "model.cell=gru", "--seeds", "0"], 2, "0 is not in the range"),
        (["--vary", "model.cell=gru", "--metric", "mse"], 3, "metric: 'mse' is none of this task"),
    ],
)
def test_mistakes(recipe, capsys, options, code, said):
    assert main(["compare", recipe, *options]) == code
    out, error = capsys.readouterr()
    assert out == ""
    assert said in error
    assert "Traceback" not in error


def test_interrupted_and_begun_anew(recipe, capsys, monkeypatch, tmp_path):
    def stop(job):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(comparing, "run_apart", stop)
    assert main(["compare", recipe, "--vary", "model.cell=gru"]) == 130
    said = capsys.readouterr().err
    assert "is now in" not in said
    assert "interrupted; the trainings that ended are kept in comparisons/slopes" in said
    kept = tmp_path / "comparisons/slopes"
    assert main(["compare", recipe, "--vary", "model.cell=gru", "--fresh"]) == 130
    said = capsys.readouterr().err
    assert said.startswith("the comparison that was there is now in comparisons/slopes.old-1\n")
    assert (kept.with_name("slopes.old-1") / "comparison.json").is_file()


def made(names, horizons, compared):
    """A comparison of made-up rows, a naive answer for each horizon."""
    table = []
    for horizon in horizons:
        result = Result(number=0, key="", changes={}, seed=0, status="done", metric="mae",
                        metrics={"mae": 2.0}, parameters=1234567, seconds=1.0, epoch_seconds=0.5,
                        predict_seconds=0.01, memory=10**8, test=str(horizon),
                        compared=compared[horizon], reach={"norms": [1.0], "counts": [1],
                                                           "step": "step"})  # fmt: skip
        for place, name in enumerate(names):
            changes = {"task.horizon": horizon, "model.cell": name}
            difference = Difference(0.1, 0.0, 1.0) if place else None
            table.append(Row(name, changes, str(horizon), 2.0, 0.1, difference, not place,
                             results=(result,)))  # fmt: skip
        table.append(Row("last value", {}, str(horizon), 1.0, naive=True))
    return Comparison("mae", ("task.horizon", "model.cell"), table, "", False)


def shown(found, width, capsys, monkeypatch):
    monkeypatch.setattr(compare, "console", lambda: Console(width=width, soft_wrap=True))
    compare._show(found, 2)
    return capsys.readouterr().out.splitlines()


def test_test_parts_are_named(capsys, monkeypatch):
    compared = {3: "174 pairs in 58 windows", 6: "330 pairs in 55 windows"}
    lines = shown(made(["gru", "rnn"], [3, 6], compared), 160, capsys, monkeypatch)
    assert lines[:4] == [
        "MAE, 2 seeds",
        "2 test parts, each with its own best",
        "horizon 3: 174 pairs in 58 windows",
        "horizon 6: 330 pairs in 55 windows",
    ]
    assert "nothing beats the naive answer last value (horizon 3): 1.000" in lines
    assert "nothing beats the naive answer last value (horizon 6): 1.000" in lines
    assert [line.split("  ")[0] for line in lines[5:11] if "last" in line] == [
        "last value (horizon 3)", "last value (horizon 6)"
    ]  # fmt: skip


def test_a_narrow_terminal_does_without_some_columns(capsys, monkeypatch):
    long = "units [8, 8, 16], recurrent_dropout 0.1235, layer_norm"
    found = made([long, "gru"], [3], {3: "58 windows"})
    lines = shown(found, 80, capsys, monkeypatch)
    assert all(len(line) <= 80 for line in lines[1:6])
    assert lines[1].split() == ["MAE", "behind", "the", "best", "parameters", "s", "reach"]
    assert "1,234,567" in "".join(lines[2:5])
    said = "the terminal has no room for MB, s/epoch, ms/prediction; results.csv has all"
    assert said in lines
    wide = shown(found, 160, capsys, monkeypatch)
    assert wide[2].startswith(long)
    assert not [line for line in wide if "no room" in line]
