"""Tiny data, recipes and saved models for the command line."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kseq.cli import main

TRAINING = {"epochs": 2, "batch_size": 8, "learning_rate": 0.01}
MODEL = {"builder": "stacked_rnn", "cell": "gru", "units": 4}


def write_wide(path: Path, count: int = 24, label: bool = True) -> Path:
    """Sequences that rise or fall, one a row."""
    rng = np.random.default_rng(0)
    names = [f"t{i}" for i in range(6)]
    lines = [",".join(["id", *names, *(["label"] if label else [])])]
    for i in range(count):
        steps = np.linspace(0, 1 if i % 2 else -1, 6) + rng.normal(scale=0.1, size=6)
        cells = [f"{value:.3f}" for value in steps]
        lines.append(",".join([f"s{i}", *cells, *(["up" if i % 2 else "down"] if label else [])]))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_series(path: Path, count: int = 60, columns: Sequence[str] = ("load",)) -> Path:
    """A daily wave for each column."""
    lines = [",".join(["day", *columns])]
    for i in range(count):
        values = [f"{np.sin(i / 3 + c):.4f}" for c in range(len(columns))]
        lines.append(",".join([f"2024-{i // 28 + 1:02d}-{i % 28 + 1:02d}", *values]))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_long(path: Path, count: int = 24, label: bool = True) -> Path:
    """Sequences of two features and of two lengths, a step a row."""
    rng = np.random.default_rng(1)
    lines = ["id,step,a,b,label" if label else "id,step,a,b"]
    for i in range(count):
        for step in range(4 + i % 2):
            a = (1 if i % 2 else -1) * step + rng.normal(scale=0.1)
            cells = [f"q{i}", str(step), f"{a:.3f}", f"{rng.normal():.3f}"]
            lines.append(",".join([*cells, *([str(i % 2)] if label else [])]))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


WIDE: dict[str, Any] = {
    "name": "slopes",
    "task": "classification",
    "seed": 3,
    "data": {"reader": "csv", "layout": "wide", "path": "wide.csv", "target": "label", "id": "id",
             "split": [16, 8]},
    "model": MODEL,
    "training": TRAINING,
}  # fmt: skip
SERIES: dict[str, Any] = {
    "name": "load",
    "task": {"kind": "forecasting", "window": 8, "horizon": 3},
    "data": {"reader": "csv", "layout": "series", "path": "series.csv", "time": "day",
             "split": [0.7, 0.3]},
    "model": MODEL,
    "training": TRAINING,
}  # fmt: skip
LONG: dict[str, Any] = {
    "name": "long",
    "task": "classification",
    "data": {"reader": "csv", "layout": "long", "path": "long.csv", "target": "label", "id": "id",
             "time": "step", "split": [16, 8]},
    "model": MODEL,
    "training": {**TRAINING, "epochs": 1},
}  # fmt: skip


PEOPLE = ("Ana Müller", "Bo", "Dora")
PLACES = ("Rome", "New York")
TEXT_MODEL = {"units": 8, "embedding": {"width": 8}}
SLOTS: dict[str, Any] = {
    "name": "slots",
    "task": {"kind": "tagging", "text": {"characters": False}},
    "data": {"reader": "jsonl", "path": "slots.jsonl", "spans": "spans", "label": "intent",
             "split": [24, 12]},
    "model": {**TEXT_MODEL, "dropout": 0.1},
    "training": {"epochs": 12, "batch_size": 8, "learning_rate": 0.03},
}  # fmt: skip
TAGS: dict[str, Any] = {
    "name": "tags",
    "task": {"kind": "tagging", "text": {"characters": False}},
    "data": {"reader": "conll", "path": "tags.txt", "split": [24, 12]},
    "model": TEXT_MODEL,
    "training": TRAINING,
}
INTENTS: dict[str, Any] = {
    "name": "intents",
    "task": "classification",
    "data": {"reader": "csv", "layout": "text", "path": "texts.csv", "text": "text",
             "target": "intent", "id": "id", "split": [24, 12]},
    "model": TEXT_MODEL,
    "training": TRAINING,
}  # fmt: skip
SIZES: dict[str, Any] = {
    **INTENTS,
    "name": "sizes",
    "task": "regression",
    "data": {**INTENTS["data"], "target": "size"},
}
TEXTS = {"slots": SLOTS, "tags": TAGS, "intents": INTENTS, "sizes": SIZES}


def write_texts(folder: Path, count: int = 36) -> None:
    """Requests with the spans of people and places, as JSON lines, columns and a table."""
    rows, columns, table = [], [], ["id,text,intent,size"]
    for number in range(count):
        who, where = PEOPLE[number % 3], PLACES[number % 2]
        meets = number % 4 < 2
        pieces = ["meet ", who, " in ", where] if meets else ["fly to ", where]
        marked = {who: "person", where: "place"}
        text, found, tags = "", [], []
        for piece in pieces:
            if piece in marked:
                found.append([len(text), len(text) + len(piece), marked[piece]])
            tags += [(token, "NAME" if piece in marked else "WORD") for token in piece.split()]
            text += piece
        intent = "meet" if meets else "fly"
        rows.append(json.dumps({"text": text, "spans": found, "intent": intent}))
        columns.append("".join(f"{token}\t{tag}\n" for token, tag in tags))
        table.append(f"t{number},{text},{intent},{len(tags)}.5")
    (folder / "slots.jsonl").write_text("\n".join(rows), encoding="utf-8")
    (folder / "tags.txt").write_text("\n".join(columns), encoding="utf-8")
    (folder / "texts.csv").write_text("\n".join(table), encoding="utf-8")
    for name, recipe in TEXTS.items():
        (folder / f"{name}.json").write_text(json.dumps(recipe), encoding="utf-8")


def fill_folder(folder: Path) -> Path:
    """A folder with data and the recipes that read them."""
    write_wide(folder / "wide.csv")
    write_series(folder / "series.csv")
    write_long(folder / "long.csv")
    write_texts(folder)
    for name, recipe in (("wide", WIDE), ("series", SERIES), ("long", LONG)):
        (folder / f"{name}.json").write_text(json.dumps(recipe), encoding="utf-8")
    return folder


@dataclass
class Outcome:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The document on stdout."""
        return json.loads(self.out)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Data and recipes, in the current folder; no other place to find data in."""
    monkeypatch.setenv("KSEQ_DATA_HOME", str(tmp_path / "no-data-home"))
    monkeypatch.chdir(fill_folder(tmp_path))
    return tmp_path


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Runs a command in this process."""

    def call(*arguments: object) -> Outcome:
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call


@pytest.fixture
def refused(run: Callable[..., Outcome]) -> Callable[..., str]:
    """Runs a command that ends in a message: one, on stderr alone, and no traceback."""

    def call(code: int, *arguments: object) -> str:
        outcome = run(*arguments)
        assert outcome.code == code, outcome.err
        assert outcome.out == ""
        assert "Traceback" not in outcome.err
        assert outcome.err.count("kseq: ") + outcome.err.count("Error: ") == 1, outcome.err
        return outcome.err

    return call


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A trained model of every kind, by the name of its recipe file; not to be changed."""
    place = fill_folder(tmp_path_factory.mktemp("saved"))
    before = Path.cwd()
    os.chdir(place)
    try:
        with pytest.MonkeyPatch.context() as patch:
            # Both are tested with the runs.
            patch.setattr("kseq.run._explained", lambda *_: ([], []))
            patch.setattr("kseq.serving.save.verify", lambda *_, **__: None)
            for name in ("wide", "series", "long"):
                assert main(["train", f"{name}.json", "--quiet", "--output", "models"]) == 0
    finally:
        os.chdir(before)
    names = {"wide": "slopes", "series": "load", "long": "long"}
    return {name: place / "models" / folder for name, folder in names.items()}


@pytest.fixture(scope="session")
def saved_text(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A model of text by its name, trained when first asked for; nothing that could be served."""
    place = fill_folder(tmp_path_factory.mktemp("texts"))

    def train(name: str) -> Path:
        path = place / "models" / name
        if not path.exists():
            before = Path.cwd()
            os.chdir(place)
            try:
                with pytest.MonkeyPatch.context() as patch:
                    # What takes most of the time, and is tested with the estimators.
                    patch.setattr("kseq.run._explained", lambda *_: ([], []))
                    patch.setattr("kseq.serving.save.export", lambda *_, **__: None)
                    patch.setattr("kseq.serving.save.write_warmup", lambda *_, **__: "left out")
                    patch.setattr("kseq.serving.save.verify", lambda *_, **__: None)
                    assert main(["train", f"{name}.json", "--quiet", "--output", "models"]) == 0
            finally:
                os.chdir(before)
        return path

    return train


@pytest.fixture
def assert_clean() -> Callable[[Path], None]:
    """Checks that no version, and nothing half-written, lies below a folder."""

    def check(folder: Path) -> None:
        for path in folder.rglob("*"):
            assert not (path.is_dir() and path.name.isdecimal()), path
            assert not path.name.startswith(".new-"), path

    return check
