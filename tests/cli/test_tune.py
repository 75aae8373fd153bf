"""`kseq tune` on the command line."""

from __future__ import annotations

import json

import pytest

from kseq.cli import main
from tests.cli.conftest import WIDE, write_wide

SEARCH = {
    "strategy": "random",
    "trials": 3,
    "space": {"model.units": {"choice": [3, 5]}, "training.learning_rate": {"log": [0.001, 0.1]}},
}


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_wide(tmp_path / "wide.csv")
    path = tmp_path / "slopes.json"
    path.write_text(json.dumps({**WIDE, "search": SEARCH}))
    return path


@pytest.mark.slow
def test_it_trains_and_publishes_the_best(recipe, capsys):
    assert main(["tune", str(recipe)]) == 0
    out, _ = capsys.readouterr()
    assert "majority class" in out
    assert "published saved_models/slopes/1" in out
    assert main(["train", "searches/slopes/best.yaml", "--output", "again", "--quiet"]) == 0


def test_it_searches(recipe, capsys):
    assert main(["tune", str(recipe), "--no-train"]) == 0
    out, said = capsys.readouterr()
    assert "best of 3 trials: accuracy" in out
    assert "wrote searches/slopes/best.yaml, results.csv and pictures" in out
    assert "published" not in out
    lines = said.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("trial 0 (1/3)  accuracy ")
    assert "the recipe as it stands" in lines[0]
    assert " left" in lines[1]
    assert main(["tune", str(recipe), "--no-train", "--json", "--quiet"]) == 0
    out, said = capsys.readouterr()
    found = json.loads(out)
    assert said == ""
    assert found["trials"] == 3
    assert found["path"] is None
    assert found["recipe"]["model"]["builder"] == "stacked_rnn"
    assert set(found["best"]) >= {"number", "score", "changes", "seconds"}


@pytest.mark.slow
def test_the_best_recipe_finds_files_beside_the_old_one(tmp_path, monkeypatch, capsys):
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    write_wide(there / "wide.csv")
    (there / "slopes.json").write_text(json.dumps({**WIDE, "search": {**SEARCH, "trials": 1}}))
    monkeypatch.chdir(here)
    assert main(["tune", "../there/slopes.json", "--no-train", "--quiet"]) == 0
    assert main(["train", "searches/slopes/best.yaml", "--quiet"]) == 0
    assert "path: ../../../there/wide.csv" in (here / "searches/slopes/best.yaml").read_text()


def test_groups_come_from_a_file(recipe, tmp_path, capsys):
    settings = {**SEARCH, "trials": 1, "cv": "grouped", "folds": 2, "groups": "groups.txt"}
    recipe.write_text(json.dumps({**WIDE, "search": settings}))
    assert main(["tune", str(recipe), "--no-train"]) == 4
    assert "groups.txt: no such file" in capsys.readouterr().err
    (tmp_path / "groups.txt").write_text("a\na\nb\nb\n" * 4)
    assert main(["tune", str(recipe), "--no-train", "--quiet"]) == 0
    (tmp_path / "groups.txt").write_text("a\nb\n")
    assert main(["tune", str(recipe), "--no-train", "--fresh"]) == 4
    assert "search.groups: 2 groups for 16 training sequences" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--set", "search.trials=0"], 3, "search.trials: expected greater than 0"),
        (["--set", "search={}"], 3, "search: missing"),
        (["--role", "worker"], 2, "--address: missing"),
        (["--role", "worker", "--address", "a:1", "--workers", "2"], 2, "takes no --workers"),
        (["--role", "boss"], 2, "'boss' is not one of"),
        (["--address", "here:1"], 2, "--address: is for --role chief or worker"),
        (["--role", "chief", "--address", "here"], 2, "expected HOST:PORT"),
        (["--role", "chief", "--address", "a:99999"], 2, "expected HOST:PORT"),
        (["--workers", "-1"], 2, "-1 is not in the range"),
        (["--folder", "wide.csv"], 2, "is a file"),
    ],
)
def test_mistakes(recipe, capsys, arguments, code, said):
    assert main(["tune", str(recipe), "--no-train", *arguments]) == code
    assert said in capsys.readouterr().err


@pytest.mark.slow
def test_another_search_in_the_folder(recipe, capsys):
    once = ["tune", str(recipe), "--no-train", "--quiet", "--set", "search.trials=1"]
    assert main(once) == 0
    changed = [*once, "--set", "model.cell=lstm"]
    assert main(changed) == 4
    assert "holds another search: recipe.model.cell was 'gru' and is 'lstm'" in (
        capsys.readouterr().err
    )
    assert not list(recipe.parent.glob("searches/*.old-*"))
    assert main([*(option for option in changed if option != "--quiet"), "--fresh"]) == 0
    told = "the search that was there is now in searches/slopes.old-1"
    assert told == capsys.readouterr().err.splitlines()[0]
    assert (recipe.parent / "searches/slopes.old-1/search.json").is_file()


def test_a_terminal_sees_a_table(recipe):
    from rich.console import Console

    from kseq.recipe import Recipe
    from kseq.search.board import Board
    from kseq.search.ledger import Outcome
    from kseq.search.section import read_search

    console = Console(force_terminal=True, width=100, record=True, highlight=False)
    board = Board(read_search(Recipe.load(recipe)), "accuracy", 2, console=console)
    with board:
        board.going_on(1)
        for number in range(2):
            board.begun(number, {"model.units": 3}, "here")
        board.ended(
            Outcome(number=0, changes={}, status="done", score=0.5, scores=[0.4, 0.6], spread=0.1),
            True,
        )
        board.ended(Outcome(number=1, changes={}, status="failed", reason="[/no]"), True)
        board.begun(2, {"model.units": 5, "training.learning_rate": 0.0123456}, "here")
    shown = console.export_text()
    assert "going on: 1 trial ended before" in shown
    assert "2 of 3 trials, best 0.5000 (trial 0)" in shown
    assert "0.5000 ± 0.1" in shown
    assert "failed" in shown
    assert "units 5, learning_rate 0.01235" in shown
    assert "running" in shown
