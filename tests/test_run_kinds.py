"""What a reader gives and what a task takes: a mix-up is one message, before any training."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

from kseq.data.dataset import Dataset, Part
from kseq.data.moving_digits import MovingDigits
from kseq.errors import DataError, RecipeError
from kseq.estimators.load import from_recipe
from kseq.parts import check_parts
from kseq.report.facts import facts
from kseq.run import train

TOKENS = [["in", "Rome"], ["yes"]]
TAGS = [["O", "B-place"], ["O"]]
GIVEN: dict[str, tuple[Any, Any]] = {
    "series": ({"load": np.zeros(20)}, None),
    "many series": ([{"load": np.zeros(20)}], None),
    "numbers": (np.zeros((2, 5, 1)), np.array(["a", "b"])),
    "uneven numbers": ([np.zeros((5, 1)), np.zeros((3, 1))], np.array([1.0, 2.0])),
    "steps": ([np.zeros((5, 1)), np.zeros((3, 1))], [np.zeros(5), np.zeros(3)]),
    "texts": (["in Rome", ""], np.array(["a", "b"])),
    "tokens": ([[], *TOKENS], np.array([1.0, 2.0, 3.0])),
    "bare": (TOKENS, None),
    "tags": (TOKENS, TAGS),
    "clips": ([np.zeros((5, 8, 8)), np.zeros((3, 8, 8))], None),
    "clips with classes": (np.zeros((2, 5, 8, 8)), np.array(["a", "b"])),
    "moving digits": (MovingDigits(np.ones((1, 4, 4), np.uint8), clips=2, size=8), None),
    "pairs": (TOKENS, [(tags, "a") for tags in TAGS]),
}
TASKS = {
    "forecasting": {"kind": "forecasting", "window": 4, "horizon": 2},
    "per step": {"kind": "regression", "per_step": True},
}


def check(task, given, **more):
    X, y = GIVEN[given]
    kind = {**TASKS.get(task, {"kind": task}), **more}
    check_parts(from_recipe({"task": kind}), Dataset(train=Part(X=X, y=y)))


@pytest.mark.parametrize(
    ("task", "given"),
    [
        ("forecasting", "series"),
        ("forecasting", "many series"),
        ("classification", "numbers"),
        ("classification", "texts"),
        ("regression", "uneven numbers"),
        ("regression", "tokens"),
        ("per step", "steps"),
        ("tagging", "tags"),
        ("tagging", "pairs"),
        ("video", "clips"),
        ("video", "moving digits"),
        ("classification", "clips with classes"),
    ],
)
def test_what_goes_together(task, given):
    check(task, given)


@pytest.mark.parametrize(
    ("task", "given", "gives", "advice"),
    [
        ("forecasting", "numbers", "sequences", "task.kind classification or regression"),
        ("forecasting", "texts", "texts", "task.kind classification or regression"),
        ("forecasting", "tags", "texts with a tag for each token", "task.kind tagging"),
        ("classification", "series", "time series", "task.kind forecasting"),
        ("classification", "tags", "texts with a tag for each token", "task.kind tagging"),
        ("regression", "many series", "time series", "task.kind forecasting"),
        ("regression", "pairs", "texts with a tag for each token", "task.kind tagging"),
        ("tagging", "series", "time series", "have tags read"),
        ("tagging", "clips", "clips", "task.kind video"),
        ("forecasting", "moving digits", "clips", "task.kind video"),
        ("video", "series", "time series", "task.kind forecasting"),
        ("video", "texts", "texts", "data.reader clips"),
        ("tagging", "uneven numbers", "sequences", "have tags read"),
        ("tagging", "texts", "texts", "have tags read"),
        ("tagging", "tokens", "texts", "classification or regression"),
        ("tagging", "bare", "texts", "have tags read"),
    ],
)
def test_what_does_not(task, given, gives, advice):
    with pytest.raises(DataError, match=f"gives {gives}, but task.kind {task} takes") as error:
        check(task, given)
    assert advice in str(error.value)


def test_targets_that_are_missing_or_of_the_wrong_kind():
    with pytest.raises(DataError, match=r"texts without targets, but .* data.label \(jsonl\)"):
        check("classification", "bare")
    with pytest.raises(DataError, match="clips without targets, but"):
        check("classification", "clips")
    with pytest.raises(DataError, match="the targets are text, such as 'a', but"):
        check("regression", "texts")
    with pytest.raises(DataError, match=r"a target for each sequence, but task\.per_step asks"):
        check("regression", "uneven numbers", per_step=True)
    for task in ("classification", "regression"):
        with pytest.raises(DataError, match="a target at every step, but the task takes one a"):
            check(task, "steps")
    X, y = GIVEN["tags"]
    with pytest.raises(DataError, match="the test part has no targets"):
        check_parts(from_recipe({"task": "tagging"}), Dataset(Part(X=X, y=y), test=Part(X=X)))


def test_options_of_text_for_numbers():
    with pytest.raises(RecipeError, match=r"task\.text: says how text becomes numbers, but"):
        check("classification", "numbers", text={"casing": True})


@pytest.mark.parametrize(
    ("task", "given", "streams", "message"),
    [
        ("classification", "texts", {}, "gives texts, but the model was fitted to numbers"),
        ("classification", "numbers", {"words": 9}, "gives numbers, but the model was fitted to"),
        ("classification", "clips with classes", {"words": 9}, "gives numbers, but the model was"),
        ("tagging", "tags", {"words": 9}, "fitted to tags and a label"),
    ],
)
def test_a_fitted_model_and_other_data(task, given, streams, message):
    X, y = GIVEN[given]
    estimator = from_recipe({"task": task})
    estimator.spec_ = SimpleNamespace(streams=streams, classes=2)
    with pytest.raises(DataError, match=message):
        check_parts(estimator, Dataset(train=Part(X=X, y=y)))


# --- whole recipes: nothing is trained ---


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KSEQ_DATA_HOME", str(tmp_path / "none"))
    monkeypatch.setattr(keras.Model, "fit", lambda *_, **__: pytest.fail("it was trained"))
    rows = [{"text": "in Rome", "spans": [[3, 7, "place"]], "label": "a"}] * 4
    lines = "\n".join(map(json.dumps, rows))
    (tmp_path / "x.jsonl").write_text(lines, encoding="utf-8")
    (tmp_path / "x.conll").write_text("in O\nRome B-place\n", encoding="utf-8")
    (tmp_path / "x.csv").write_text("text,label\nin Rome,a\n", encoding="utf-8")
    return tmp_path


JSONL = {"reader": "jsonl", "path": "x.jsonl"}


@pytest.mark.parametrize(
    ("task", "data", "error", "message"),
    [
        ("classification", {"reader": "conll", "path": "x.conll"}, DataError, "use task.kind tagg"),
        ("tagging", {**JSONL, "label": "label"}, DataError, "or have tags read"),
        ("classification", {**JSONL, "spans": "spans", "label": "label"}, DataError, "a tag for"),
        ("classification", JSONL, DataError, "texts without targets"),
        ("tagging", {"reader": "sample", "name": "digits"}, DataError, "gives sequences, but"),
        (
            "forecasting",
            {"reader": "csv", "layout": "text", "path": "x.csv", "text": "text"},
            DataError,
            "takes time series",
        ),
        (
            "tagging",
            {**JSONL, "spans": "spans", "tokenizer": "characters"},
            RecipeError,
            r"task\.text\.tokenizer: is 'words', but data\.tokenizer divides .* 'characters'",
        ),
    ],
)
def test_a_mix_up_is_known_before_the_training(here, task, data, error, message):
    with pytest.raises(error, match=message):
        train({"task": TASKS.get(task, task), "data": data})
    assert not (here / "saved_models").exists()


# --- what a report says of texts ---


def test_texts_tokens_and_spans_are_counted():
    train_part = Part(X=TOKENS * 4, y=[(tags, "a") for tags in TAGS] * 4)
    test_part = Part(X=TOKENS, y=[(tags, "a") for tags in TAGS])
    estimator = SimpleNamespace(
        spec_=SimpleNamespace(streams={"words": 9}, tags=["B-place", "O"]),
        vocabulary_=SimpleNamespace(options=SimpleNamespace(tokenizer="words")),
        recipe_=SimpleNamespace(task={"reading": "strict"}, seed=3),
        model_=SimpleNamespace(count_params=lambda: 12),
        fitted_on_="tokens", n_iter_=1, best_epoch_=1, fit_seconds_=0.5, classes_=np.array(["a"]),
    )  # fmt: skip
    known = facts(estimator, Dataset(train=train_part, test=test_part))
    assert known["texts"] == {"train": 8, "test": 2}
    assert known["tokens"] == {"train": 12, "test": 3}
    assert known["spans"] == {"train": 4, "test": 1}
    assert known["tags"] == ["B-place", "O"]
    assert known["classes"] == ["a"]
    assert "steps" not in known
    assert "sequences" not in known
