"""`kseq compare` on the command line."""

from __future__ import annotations

import json

import pytest

from kseq.cli import main
from kseq.comparison import comparing
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
