"""The command line's frame: help, exit codes, and what a pipe or a key press does to it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import kseq
from kseq.cli import COMMANDS, cli, main
from kseq.errors import ArtefactError, DataError, RecipeError, TrainingError


def test_help_names_every_command(run):
    done = run("--help")
    assert done.code == 0
    assert all(f"\n  {name} " in done.out for name in COMMANDS)
    assert "Exit codes: 0 done" in done.out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(run, name):
    done = run(name, "-h")
    assert done.code == 0
    assert done.out.startswith(f"Usage: kseq {name}")
    assert COMMANDS[name][1].rstrip(".") in cli.get_command(None, name).short_help


def test_version(run):
    assert run("--version").out == f"kseq, version {kseq.__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["trian"],
        ["train"],
        ["train", "a.yaml", "b.yaml"],
        ["train", "a.yaml", "--epochs", "3"],
        ["list", "birds"],
        ["--nothing"],
        ["predict"],
    ],
)
def test_wrong_usage(refused, arguments):
    refused(2, *arguments)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RecipeError("model.units: wrong"), 3),
        (DataError("no such file"), 4),
        (ArtefactError("damaged"), 4),
        (TrainingError("the loss became nan"), 5),
        (KeyboardInterrupt(), 130),
    ],
)
def test_an_error_is_a_message_and_an_exit_code(refused, monkeypatch, error, code):
    def fail(**kwargs):
        raise error

    monkeypatch.setattr(cli.get_command(None, "list"), "callback", fail)
    said = "interrupted; nothing was published" if code == 130 else error
    assert refused(code, "list").strip() == f"kseq: {said}"


def test_a_defect_of_ours_shows_its_traceback(monkeypatch):
    def fail(**kwargs):
        raise KeyError("ours")

    monkeypatch.setattr(cli.get_command(None, "list"), "callback", fail)
    with pytest.raises(KeyError):
        main(["list"])


@pytest.mark.parametrize("kind", ["builders", "tasks", "readers"])
def test_list(run, kind):
    table = run("list", kind)
    names = run("list", kind, "--json").json[kind]
    assert table.code == 0
    assert all(name in table.out and summary in table.out for name, summary in names.items())
    assert run("list", "--json").json[kind] == names


@pytest.mark.slow
@pytest.mark.parametrize("command", ["list", "data list --json", "--help"])
def test_a_reader_who_leaves_early_is_no_error(command):
    # `head` closes the pipe before the command writes, so what is flushed at the end fails too.
    process = subprocess.Popen(
        [sys.executable, "-m", "kseq", *command.split()],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.close()
    _, err = process.communicate()
    assert err.decode() == ""
    assert process.returncode == 0


def test_data_list(run, folder):
    table, listed = run("data", "list"), run("data", "list", "--json").json
    assert table.code == 0
    assert listed["home"] == str(folder / "no-data-home")
    assert {"etth1", "uea_ucr"} <= {entry["name"] for entry in listed["sets"]}
    assert all(entry["there"] is False for entry in listed["sets"])
    assert all(entry["name"] in table.out for entry in listed["sets"])


def test_data_get_of_an_unknown_set(refused, folder):
    assert "etth1" in refused(4, "data", "get", "etth")


@pytest.mark.slow
def test_output_does_not_depend_on_the_terminals_encoding(folder):
    (folder / "wide.json").write_text(
        (folder / "wide.json").read_text("utf-8").replace('"id": "id"', '"id": "ïd"'), "utf-8"
    )
    done = subprocess.run(
        [sys.executable, "-m", "kseq", "show", "wide.json", "--json"],
        capture_output=True,
        env={"PATH": "", "PYTHONIOENCODING": "ascii", "TF_CPP_MIN_LOG_LEVEL": "3"},
        check=False,
    )
    assert b"Traceback" not in done.stderr
    assert done.returncode == 0
    assert json.loads(done.stdout)["recipe"]["data"]["id"] == "ïd"
