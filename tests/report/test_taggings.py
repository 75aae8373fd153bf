"""The report of a tagging: its pictures, its card, its tables."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from kseq.metrics.calibration import expected_calibration_error, reliability
from kseq.metrics.evaluation import Evaluation
from kseq.metrics.tagging import BASELINE, evaluate_tagging
from kseq.report import pictures, taggings
from kseq.report.card import model_card
from kseq.report.table import score_table, type_table
from kseq.report.wording import calibration_line, metric_name, types_by_support
from kseq.report.write import write_report

TRUTH = [["B-person", "I-person", "O"], ["O", "B-place"], ["B-place", "O", "B-person"]]
GIVEN = [["B-person", "I-person", "O"], ["O", "O"], ["B-place", "O", "B-place"]]
RECIPE = {"name": "ner", "task": {"kind": "tagging", "text": {"casing": True}}}
FACTS = {
    "texts": {"train": 30, "test": 3},
    "tokens": {"train": 300, "test": 8},
    "spans": {"train": 40, "test": 4},
    "tags": ["B-person", "B-place", "I-person", "O"],
    "vocabulary": {"words": 1200},
    "tokenizer": "words",
    "fitted_on": "tokens",
}


def sure(evaluation: Evaluation, of: str = "spans") -> Evaluation:
    """The evaluation with what a run adds to it."""
    stated, right = [0.9, 0.85, 0.95, 0.55], [True, False, True, True]
    note = {
        "of": of,
        "answers": 4,
        "expected_calibration_error": expected_calibration_error(stated, right),
        "bins": [row._asdict() for row in reliability(stated, right) if row.answers],
    }
    return replace(evaluation, notes={**evaluation.notes, "calibration": note})


@pytest.fixture
def tagged() -> Evaluation:
    """Of spans; known words and a baseline are given, so that there are many metrics."""
    baseline = [["O"] * len(tags) for tags in TRUTH]
    return evaluate_tagging(TRUTH, GIVEN, baseline=baseline, known=[1, 0, 1, 1, 0, 1, 1, 1])


@pytest.fixture
def plain() -> Callable[[int], Evaluation]:
    """Of so many plain tags, the first the commonest."""

    def make(count: int) -> Evaluation:
        names = [f"T{number:02}" for number in range(count)]
        truth = [names[: length + 1] for length in range(count)]
        return evaluate_tagging(truth, [[tags[0], *tags[:-1]] for tags in truth])

    return make


def texts(figure: Any) -> list[str]:
    return [text.get_text() for text in figure.texts]


# --- pictures ---


def test_f1_by_type(tagged: Evaluation) -> None:
    pytest.importorskip("matplotlib")
    figure = taggings.by_type(tagged)
    assert texts(figure) == [
        "Spans of each type: F1 0.5714",
        f"best baseline, {BASELINE}: F1 0",
    ]
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["person", "place"]
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([2 / 3, 0.5])
    assert [text.get_text() for text in axes.texts] == ["0.6667", "2", "0.5000", "2", "true ones"]


def test_f1_of_very_many_types(plain: Callable[[int], Evaluation]) -> None:
    pytest.importorskip("matplotlib")
    figure = taggings.by_type(plain(35))
    assert texts(figure)[0].startswith("Each tag: accuracy ")
    assert "the 30 commonest of 35 shown" in texts(figure)[1]
    assert len(figure.axes[0].patches) == 30


@pytest.mark.parametrize(("count", "rows", "last"), [(20, 20, "T19"), (24, 21, "(others)")])
def test_confusion_of_plain_tags(
    plain: Callable[[int], Evaluation], count: int, rows: int, last: str
) -> None:
    pytest.importorskip("matplotlib")
    axes = taggings.confusion(plain(count)).axes[0]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert (len(labels), labels[-1]) == (rows, last)
    assert axes.get_ylabel() == "true tag"
    assert sum(int(text.get_text()) for text in axes.texts) == count * (count + 1) / 2


def test_confusion_beside_labels() -> None:
    pytest.importorskip("matplotlib")
    scored = evaluate_tagging([["A", "B"]], [["A", "A"]], labels=["x"], predicted_labels=["x"])
    labels = taggings.confusion(scored).axes[0].get_yticklabels()
    assert [label.get_text() for label in labels] == ["A", "B"]


def test_reliability(tagged: Evaluation) -> None:
    pytest.importorskip("matplotlib")
    figure = taggings.reliability(sure(tagged))
    assert texts(figure)[0] == "How sure, and how often right: spans"
    top, bottom = figure.axes
    assert list(top.lines[1].get_ydata()) == [1.0, 0.5, 1.0]
    assert [bar.get_height() for bar in bottom.patches] == [1, 2, 1]


def test_the_learning_curve_shows_the_score(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    history = {"loss": [3.0, 1.0], "tags_loss": [2.0, 0.5], "val_loss": [3.0, 2.0],
               "val_score": [0.25, 0.5]}  # fmt: skip
    figure = pictures.learning_curve(history, best=2)
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "score"]
    assert texts(figure)[0] == "Training: validation loss 2.000 and score 0.5000 at epoch 2"


@pytest.mark.parametrize(
    ("of", "drawn"),
    [("spans", ["types.png", "reliability.png"]),
     ("tags", ["types.png", "confusion.png", "reliability.png"])],
)  # fmt: skip
def test_the_pictures_of_a_report(
    tagged: Evaluation,
    plain: Callable[[int], Evaluation],
    tmp_path: Path,
    of: str,
    drawn: list[str],
) -> None:
    pytest.importorskip("matplotlib")
    evaluation = sure(tagged if of == "spans" else plain(3), of)
    files = write_report(tmp_path, recipe=RECIPE, evaluation=evaluation, history={}, facts=FACTS)
    assert [file.name for file in files if file.suffix == ".png"] == drawn
    metrics = json.loads((tmp_path / "metrics.json").read_text("utf-8"))
    assert metrics["notes"]["calibration"]["expected_calibration_error"] == pytest.approx(0.3125)
    assert metrics["facts"]["spans"] == {"train": 40, "test": 4}


def test_nothing_found_and_nothing_there_has_no_pictures(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    empty = evaluate_tagging([["O"]], [["O"]], names=["B-x", "O"])
    files = write_report(tmp_path, recipe=RECIPE, evaluation=empty, history={}, facts={})
    assert [file.name for file in files] == [
        "metrics.json",
        "history.csv",
        "model_card.md",
        "report.html",
    ]


# --- the card ---


def test_the_card_says_how_spans_were_read(tagged: Evaluation) -> None:
    card = model_card(RECIPE, sure(tagged), facts=FACTS)
    for line in (
        "Spans of BIO tags in conlleval's reading: a stray I- begins a span.",
        "| type | precision | recall | F1 | support |",
        "| person | 1.000 | 0.5000 | 0.6667 | 2 |",
        "Probabilities of spans: expected calibration error 0.3125 over 4 spans; at 0 they are as "
        "often right as they say.",
        "- training: 30 texts, 300 tokens, 40 spans",
        "- text.casing: `true`",
        "- ids: 1,200 words, each with padding and unknown among them",
        "- Finds spans of 2 types: `person`, `place`.",
    ):
        assert line in card.splitlines(), line
    assert "Raw text is divided by the tokenizer `words`" in card
    assert "| F1 | precision |" in card


def test_the_card_of_plain_tags(plain: Callable[[int], Evaluation]) -> None:
    facts = {**FACTS, "tags": ["NOUN", "VERB"], "classes": ["a", "b"], "fitted_on": "text"}
    card = model_card(RECIPE, plain(45), facts=facts)
    assert "- Gives each token one of 2 tags: `NOUN`, `VERB`." in card
    assert "- Gives each text one of 2 labels: `a`, `b`." in card
    assert "By tag:" in card
    assert "The 40 commonest of 45; all are in `metrics.json`." in card
    assert "Raw text" not in card
    assert "reading" not in card


# --- the terminal ---


def show(table: Any, width: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(table)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_many_metrics_are_rows(tagged: Evaluation) -> None:
    lines = show(score_table(tagged))
    assert lines[0].split() == ["model", *BASELINE.split()]
    assert lines[1].split() == ["F1", "0.5714", "0"]
    assert len(lines) == 1 + len(tagged.metrics)


def test_the_table_of_types(
    tagged: Evaluation, plain: Callable[[int], Evaluation], classified: Evaluation
) -> None:
    table = type_table(tagged)
    assert show(table)[1].split() == ["person", "1.000", "0.5000", "0.6667", "2"]
    assert show(type_table(plain(45)))[-1] == "and 5 more"
    assert type_table(classified) is None


def test_the_commonest_type_comes_first(plain: Callable[[int], Evaluation]) -> None:
    assert list(types_by_support(plain(3))) == ["T00", "T01", "T02"]


def test_names_of_metrics(tagged: Evaluation) -> None:
    names = [metric_name(metric) for metric in tagged.metrics]
    assert names == ["F1", "precision", "recall", "macro F1", "boundary F1", "accuracy",
                     "unknown-word accuracy"]  # fmt: skip
    assert calibration_line(tagged) == ""
