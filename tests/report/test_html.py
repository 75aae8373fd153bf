"""The page: what it holds of each task, that it is whole, and that nothing in it can run."""

from __future__ import annotations

import base64
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kseq.metrics.classification import evaluate_classification
from kseq.metrics.evaluation import Evaluation
from kseq.metrics.tagging import evaluate_tagging
from kseq.recipe import Recipe, document
from kseq.report import canvas
from kseq.report.html import report_page
from kseq.report.write import write_report

EVIL = "<script>alert(1)</script>"
HISTORY = {"loss": [2.0, 1.5], "val_loss": [2.5, 2.0]}
RECIPE = {
    "name": "some-model",
    "task": {"kind": "classification"},
    "seed": 3,
    "model": {"builder": "stacked_rnn", "units": [8, 4]},
    "training": {"epochs": 2, "learning_rate": 0.001},
}
FACTS = {
    "files": {"a/b.csv": "0123456789abcdef" * 4},
    "sequences": {"train": 40, "test": 4},
    "parameters": 1234,
    "epochs": 2,
    "best_epoch": 2,
    "seconds": 1.5,
    "seed": 3,
    "machine": "Linux x86_64",
    "versions": {"kseq": "0.1.0", "keras": "3.15.1"},
}
VOID = {"br", "img", "link", "meta", "source"}


class Page(HTMLParser):
    """Reads a page and fails where an element is not closed by its own end."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.ids: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []
        assert len(self.ids) == len(set(self.ids))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        assert len(given) == len(attrs), f"{tag} has an attribute twice"
        self.seen.append((tag, given))
        if given.get("id"):
            self.ids.append(str(given["id"]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self.open):
            self.words.append(data)

    @property
    def text(self) -> str:
        return "".join(self.words)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [given for name, given in self.seen if name == tag]


def page_of(evaluation: Evaluation | None, **more: Any) -> Page:
    """The page without pictures, which take their time."""
    given = {"recipe": RECIPE, "facts": FACTS, **more}
    return Page(report_page(evaluation=evaluation, **given))


def written(folder: Path, evaluation: Evaluation | None, **more: Any) -> Page:
    given = {"recipe": RECIPE, "history": {}, "facts": FACTS, **more}
    write_report(folder, evaluation=evaluation, **given)
    return Page((folder / "report.html").read_text("utf-8"))


def titles(page: Page) -> list[str]:
    return re.findall(r"#([a-z]+)", " ".join(str(link["href"]) for link in page.all("a")))


ALWAYS = ["limits", "data", "model", "training", "recipe", "versions"]


@pytest.mark.parametrize(
    ("task", "wrong"),
    [
        ("classified", "The wrong answers that the model was surest of"),
        ("regressed", "The numbers that were missed most"),
        ("stepwise", "The sequences that were missed most"),
        ("forecasted", "The forecasts that were furthest from the truth"),
    ],
)
def test_each_task_is_told_whole(task: str, wrong: str, request: pytest.FixtureRequest) -> None:
    evaluation = request.getfixturevalue(task)
    page = page_of(evaluation)
    assert titles(page) == ["score", "mistakes", *ALWAYS]
    assert wrong in page.text
    for baseline in evaluation.baselines:
        assert baseline in page.text
    for said in ("1,234 numbers", "0123456789ab", "1.500 s", "Linux x86_64", "3.15.1", "40 seq"):
        assert said in page.text


def test_pictures_stand_in_the_page_in_two_themes(classified: Evaluation, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    page = written(tmp_path, classified, history=HISTORY)
    assert titles(page) == ["score", "results", "mistakes", *ALWAYS]
    assert len(page.all("img")) == 2
    for image in page.all("img"):
        assert str(image["src"]).startswith("data:image/png;base64,")
        assert len(str(image["alt"])) > 20
        assert image["width"]
        assert image["height"]
    dark = [source for source in page.all("source") if "dark" in str(source["media"])]
    assert len(dark) == 2
    assert all(str(source["media"]).startswith("screen and") for source in dark)
    shown = {str(image["src"]) for image in page.all("img")}
    for name in ("learning_curve.png", "confusion.png"):
        content = base64.b64encode((tmp_path / name).read_bytes()).decode()
        assert f"data:image/png;base64,{content}" in shown, "as it lies on the disk"


def test_the_verdict_comes_first(regressed: Evaluation) -> None:
    page = page_of(regressed)
    said = page.text
    assert said.index("The model beats the best baseline, training mean") < said.index("Score")
    worse = replace(regressed, baselines={"training mean": {"mse": 0.01}})
    page = page_of(worse)
    assert "does not beat the best baseline" in page.text
    assert any(block.get("class") == "glance worse" for block in page.all("div"))


def test_bars_are_as_long_as_their_values(regressed: Evaluation) -> None:
    page = Page(report_page(RECIPE, regressed, facts={}))
    wide = [span["style"] for span in page.all("span") if span.get("class") == "fill"]
    assert wide == ["width:22.2%", "width:100.0%"]  # MSE 1 and 4.5
    below = replace(regressed, primary="r2", metrics={"r2": 0.5}, baselines={"b": {"r2": -0.2}})
    assert 'class="bars"' not in report_page(RECIPE, below, facts={})


def test_without_test_data_no_score_is_shown() -> None:
    page = page_of(None)
    assert "Not tested: no test data was given." in page.text
    assert titles(page) == ["score", *ALWAYS]


def test_without_matplotlib_there_are_tables_and_the_reason(
    monkeypatch: pytest.MonkeyPatch, classified: Evaluation, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    page = written(tmp_path, classified, items=[np.arange(5.0)[:, None]] * 4)
    assert "The pictures were left out: a picture needs an optional library" in page.text
    assert page.all("img") == []
    assert page.all("table")
    assert page.all("svg"), "small drawings need no library"


def test_the_same_input_gives_the_same_bytes(classified: Evaluation, tmp_path: Path) -> None:
    written(tmp_path / "a", classified)
    written(tmp_path / "b", classified)
    one, two = ((tmp_path / where / "report.html").read_bytes() for where in "ab")
    assert one == two


def test_the_recipe_reads_back(tmp_path: Path) -> None:
    filled = Recipe.from_dict(
        {"name": "x", "task": "classification", "model": {"builder": "stacked_rnn"}}
    ).fill()
    text = report_page(filled.to_dict(), None, facts={})
    page = Page(text)
    (said,) = re.findall("<pre><code>(.*?)</code></pre>", text, flags=re.S)
    path = tmp_path / "again.yaml"
    path.write_text(said.replace("&#x27;", "'").replace("&quot;", '"'), encoding="utf-8")
    assert Recipe.load(path).fill() == filled
    assert page.all("html") == [{"lang": "en"}]


# --- taggings ---

TRUTH = [["B-person", "I-person", "O"], ["O", "B-place"], ["B-place", "O", "O", "B-person"]]
GIVEN = [["B-person", "I-person", "O"], ["O", "O"], ["B-place", "O", "O", "B-place"]]
TOKENS = [["Ana", "Ruiz", "left"], ["in", "Rome"], ["Oslo", "likes", "old", "Bo"]]


def test_a_text_is_shown_with_its_true_and_its_found_spans() -> None:
    recipe = {**RECIPE, "task": {"kind": "tagging", "reading": "strict"}}
    tags = sorted({tag for row in TRUTH for tag in row})
    scored = evaluate_tagging(TRUTH, GIVEN)
    text = report_page(recipe, scored, items=TOKENS, facts={"tags": tags})
    page = Page(text)
    assert "person taken for place" in page.text
    assert "1 time; here in text 2 of the test part" in page.text
    both = '<mark>Oslo<span class="label">place</span></mark> likes old '
    for label in ("person", "place"):
        assert f'{both}<mark class="off">Bo<span class="label">{label}</span></mark>' in text
    assert 'in <mark class="off">Rome<span class="label">place</span></mark>' in text
    assert "Ana" not in page.text, "nothing is wrong there"


def test_a_wrong_label_is_shown_with_its_text() -> None:
    scored = evaluate_tagging([["O", "B-x"]], [["O", "B-x"]], labels=[""], predicted_labels=["buy"])
    page = page_of(scored, items=[["two", "apples"]], facts={})
    assert "Label of the text:  taken for buy" in page.text
    assert "two applesx" in page.text


def test_a_long_text_is_cut_around_the_mistake_and_through_no_span() -> None:
    truth = [["B-x", *["I-x"] * 30, "O", "B-y", *["O"] * 40]]
    given = [["B-x", *["I-x"] * 30, "O", "O", *["O"] * 40]]
    tokens = [[f"w{place}" for place in range(len(truth[0]))]]
    page = page_of(evaluate_tagging(truth, given), items=tokens, facts={})
    shown = page.text[page.text.index("What went wrong", 200) :]
    assert "w0 w1 " in shown
    assert "w45 w46 …" in shown
    assert "w47" not in shown


def test_scripts_without_blanks_are_written_without() -> None:
    truth, given = [["O", "B-x", "I-x", "O"]], [["O", "O", "O", "O"]]
    scored = evaluate_tagging(truth, given)
    page = page_of(scored, items=[["我", "北", "京", "Olympic"]], facts={})
    assert "我北京x Olympic" in page.text
    characters = page_of(scored, items=[list("abcd")], facts={"tokenizer": "characters"})
    assert "abcxd" in characters.text


# --- explanations ---


def test_explanations_have_files_and_a_section(classified: Evaluation, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")

    def draw() -> Any:
        figure = canvas.new_figure(5, 2)
        figure.subplots().plot([1, 2], color=canvas.MODEL)
        canvas.heading(figure, "Gates", "of one text")
        return figure

    explained = [("gates.png", "How the gates open", draw)]
    page = written(tmp_path, classified, explained=explained)
    assert (tmp_path / "gates.png").is_file()
    assert "![How the gates open](gates.png)" in (tmp_path / "model_card.md").read_text("utf-8")
    assert titles(page)[:4] == ["score", "results", "mistakes", "explained"]
    assert page.all("img")[-1]["alt"] == "How the gates open. Gates; of one text."


# --- nothing runs ---


def hostile() -> list[tuple[str, Evaluation, dict[str, Any]]]:
    classes = [EVIL, "\"'>&<b>", "`x` **y**"]
    scored = evaluate_classification(
        classes, [classes[1], classes[2], classes[0]], np.full((3, 3), 1 / 3), classes, EVIL
    )
    texts = {"items": [EVIL, "</p>" * 3, "<!--"], "ids": [EVIL, "'", '"']}
    tags = ["O", f"B-{EVIL}", "B-</style>"]
    tagged = evaluate_tagging([tags], [["O", tags[2], tags[1]]])
    return [
        ("classes", scored, texts),
        ("tags", tagged, {"items": [["<!--", EVIL, "]]>"]]}),
        ("plain", evaluate_tagging([[EVIL]], [["<b>"]]), {"items": [["<i>"]]}),
    ]


@pytest.mark.parametrize(("name", "evaluation", "more"), hostile(), ids=lambda x: str(x)[:7])
def test_nothing_of_a_user_is_markup(
    name: str, evaluation: Evaluation, more: dict[str, Any]
) -> None:
    recipe = {
        "name": EVIL,
        "task": {"kind": "tagging" if name != "classes" else "classification"},
        "model": {"builder": EVIL, EVIL: EVIL},
        "data": {"path": f"{EVIL}.csv"},
    }
    facts = {
        "files": {EVIL: "0" * 64},
        "classes": [EVIL],
        "tags": [EVIL],
        "limits": [EVIL],
        "versions": {EVIL: EVIL},
        "tokenizer": EVIL,
        "fitted_on": "tokens",
        "vocabulary": {EVIL: 3},
    }
    text = report_page(recipe, evaluation, facts=facts, remarks=[EVIL], **more)
    page = Page(text)
    assert page.text.count(EVIL) > 8
    assert "<script" not in text
    assert text.count("</style>") == 1
    assert "<!--" not in text
    made = {tag for tag, _ in page.seen}
    assert made.isdisjoint({"script", "b", "i", "iframe", "object", "form"})
    for tag, given in page.seen:
        for attribute, value in given.items():
            assert not attribute.startswith("on"), (tag, attribute)
            if attribute in ("href", "src", "srcset"):
                assert str(value).startswith(("#", "data:")), (tag, value)


def test_a_policy_forbids_what_the_page_does_not_need() -> None:
    text = report_page(RECIPE, None, facts={})
    page = Page(text)
    (policy,) = [meta for meta in page.all("meta") if meta.get("http-equiv")]
    assert policy["content"] == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert "url(" not in text


def test_a_short_recipe_is_written_in_short_lines() -> None:
    values = {"a": [1, 2], "b": {"c": 1}}
    assert document.to_yaml(values) == "a: [1, 2]\nb: {c: 1}\n"
    assert document.to_yaml(values, short=False) == "a:\n- 1\n- 2\nb:\n  c: 1\n"


def test_a_forecast_without_truth_has_no_mistakes(
    forecast_of: Callable[[int, int, int], Evaluation],
) -> None:
    assert "mistakes" not in titles(page_of(forecast_of(1, 1, 1)))  # its only value is missing
