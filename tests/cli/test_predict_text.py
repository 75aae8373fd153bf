"""`kseq predict` with a model of text: what is said on the terminal, in JSON and in tables."""

from __future__ import annotations

import csv
import io
import json

import pytest

import kseq
from kseq.data.home import search_in
from kseq.data.readers.conll import conll
from kseq.estimators.load import restore

pytestmark = pytest.mark.slow  # a training each

QUESTION = "meet Ana Müller in Rome"
NAMES = (
    "slots",
    "intents",
    pytest.param("tags", marks=pytest.mark.slow),
    pytest.param("sizes", marks=pytest.mark.slow),
)


@pytest.fixture(scope="module")
def loaded():
    """The models that have been loaded, by path."""
    return {}


@pytest.fixture(autouse=True)
def _load_once(monkeypatch, loaded):
    """Building a model takes longer than asking it."""

    def once(saved, path):
        if path not in loaded:
            loaded[path] = restore(saved, path)
        return loaded[path]

    monkeypatch.setattr("kseq.cli.predict.restore", once)


def ask(run, saved_text, name, *texts):
    """The document of each text."""
    options = [option for text in texts for option in ("--text", text)]
    done = run("predict", saved_text(name), *options, "--json")
    assert done.code == 0, done.err
    assert done.err == ""
    return done.json


# --- in JSON ---


@pytest.mark.slow
def test_a_tagger_says_all_that_it_knows(run, saved_text):
    (answer,) = ask(run, saved_text, "slots", QUESTION)
    assert answer["text"] == QUESTION
    assert answer["tokens"] == ["meet", "Ana", "Müller", "in", "Rome"]
    assert answer["tags"] == ["O", "B-person", "I-person", "O", "B-place"]
    assert len(answer["probabilities"]) == 5
    assert all(0 < share <= 1 for share in answer["probabilities"])
    person, place = answer["spans"]
    assert {**person, "probability": 0} == {
        "text": "Ana Müller", "label": "person", "start": 5, "end": 15, "probability": 0
    }  # fmt: skip
    assert QUESTION[place["start"] : place["end"]] == place["text"] == "Rome"
    assert 0 < person["probability"] <= 1
    assert answer["label"] == "meet"
    assert answer["label_probabilities"].keys() == {"meet", "fly"}
    assert sum(answer["label_probabilities"].values()) == pytest.approx(1, abs=1e-5)


@pytest.mark.slow
def test_it_is_what_python_says(run, saved_text):
    tagger = kseq.load(saved_text("slots"))
    (answer,) = ask(run, saved_text, "slots", QUESTION)
    assert (answer["tags"], answer["label"]) == tagger.predict([QUESTION])[0]
    spans = [span._asdict() for span in tagger.predict_spans([QUESTION])[0]]
    assert answer["spans"] == spans
    classifier = kseq.load(saved_text("intents"))
    (answer,) = ask(run, saved_text, "intents", QUESTION)
    row = dict(zip(classifier.classes_, classifier.predict_proba([QUESTION])[0], strict=True))
    assert answer["probabilities"] == pytest.approx(row)


@pytest.mark.slow
def test_plain_tags_have_no_spans(run, saved_text):
    (answer,) = ask(run, saved_text, "tags", QUESTION)
    assert answer.keys() == {"id", "text", "tokens", "tags", "probabilities"}
    tokens = run("predict", saved_text("tags"), "--text", QUESTION).out.split()
    assert [token.partition("/")[0] for token in tokens] == QUESTION.split()
    assert {token.partition("/")[2] for token in tokens} <= {"NAME", "WORD"}


@pytest.mark.slow
def test_a_regressor_gives_a_number(run, folder, saved_text):
    (answer,) = ask(run, saved_text, "sizes", QUESTION)
    expected = kseq.load(saved_text("sizes")).predict([QUESTION])[0]
    assert answer["prediction"] == pytest.approx(expected)
    size = run("predict", saved_text("sizes"), "--text", QUESTION).out.splitlines()[1]
    assert float(size) == pytest.approx(expected, rel=1e-3)
    rows = run("predict", saved_text("sizes"), "texts.csv").out.splitlines()
    assert rows[0] == "id,prediction"
    assert rows[1].startswith("t0,")


def test_a_regressor_gives_bounds(run, folder, saved_text):
    path = saved_text("sizes")  # of 24 texts 2 were held out
    found = kseq.load(path).predict([QUESTION], interval=0.5)
    asked = ("predict", path, "--interval", "0.5")
    (answer,) = run(*asked, "--text", QUESTION, "--json").json
    assert [answer[name] for name in found._fields] == pytest.approx([x[0] for x in found])
    assert run(*asked, "texts.csv").out.splitlines()[0] == "id,prediction,lower,upper"
    shown = run(*asked, "--text", QUESTION).out.splitlines()[1]
    assert float(shown.split(" to ")[1].rstrip(")")) == pytest.approx(found.upper[0], rel=1e-3)
    assert "there were 2" in run("predict", path, "--interval", "0.9", "texts.csv").err


def test_the_best_taggings(run, saved_text):
    done = run("predict", saved_text("slots"), "--text", "meet Bo", "--json", "--nbest", 3)
    best = done.json[0]["nbest"]
    assert len(best) == 3
    assert best[0]["tags"] == done.json[0]["tags"]
    shares = [tagging["probability"] for tagging in best]
    assert shares == sorted(shares, reverse=True)
    assert best[0]["spans"] == [{"text": "Bo", "label": "person", "start": 5, "end": 7}]


@pytest.mark.parametrize("name", NAMES)
def test_any_text_is_answered(run, saved_text, name):
    odd = ["", "   ", "a" * 3000, "北京 👨‍👩‍👧 \x1b[1m [bold]x[/bold]", "two\nlines", "\udcff"]
    found = ask(run, saved_text, name, *odd)
    assert [answer["id"] for answer in found] == list(range(6))
    shown = run("predict", saved_text(name), *[a for text in odd for a in ("--text", text)])
    assert shown.code == 0, shown.err
    assert shown.out.startswith("(empty)\n")
    if name in ("slots", "tags"):
        assert found[0]["tokens"] == found[0]["tags"] == []


# --- on the terminal ---


def test_entities_stand_in_brackets_where_there_is_no_colour(run, saved_text):
    lines = run("predict", saved_text("slots"), "--text", QUESTION).out.splitlines()
    assert len(lines) == 2
    words = lines[0].replace("1.0", ".99")
    assert words.startswith("meet [Ana Müller person .")
    assert "] in [Rome place ." in words
    assert lines[1].startswith("  meet ")
    assert "  fly ." in lines[1]


def test_a_classifier_says_its_best_labels(run, saved_text):
    lines = run("predict", saved_text("intents"), "--text", QUESTION, "--text", "fly").out
    assert lines.splitlines()[0::2] == [QUESTION, "fly"]
    assert all(line.startswith("  ") for line in lines.splitlines()[1::2])


def test_the_best_taggings_stand_below(run, saved_text):
    done = run("predict", saved_text("slots"), "--text", "meet Bo", "--nbest", 2)
    lines = done.out.splitlines()
    assert len(lines) == 4
    assert lines[2].endswith("meet [Bo person]")


def test_lines_of_standard_input(run, saved_text, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("fly to Rome\n\nmeet Bo\n"))
    found = ask(run, saved_text, "slots", "first", "-", "last")
    assert [answer["text"] for answer in found] == ["first", "fly to Rome", "", "meet Bo", "last"]


def test_standard_input_that_is_no_text(refused, saved_text, monkeypatch):
    model = saved_text("intents")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a\xff\n"), encoding="utf-8"))
    assert "standard input: not UTF-8" in refused(4, "predict", model, "--text", "-")
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert "there is no text in it" in refused(4, "predict", model, "--text", "-")


# --- from files ---


def read_back(text, folder):
    """Tokens and tags of columns."""
    (folder / "back.conll").write_text(text, encoding="utf-8")
    with search_in(folder):
        part = conll(path="back.conll").train
    return part.X, part.y


def test_a_tagger_writes_columns_that_can_be_read_again(run, folder, saved_text):
    (folder / "lines.txt").write_text(f"{QUESTION}\nfly to Rome\n", encoding="utf-8")
    done = run("predict", saved_text("slots"), "lines.txt")
    assert done.out.startswith("# label = meet\nmeet\tO\nAna\tB-person\n")
    tokens, tags = read_back(done.out, folder)
    assert tokens == [QUESTION.split(), ["fly", "to", "Rome"]]
    assert tags[1] == ["O", "O", "B-place"]
    assert run("predict", saved_text("slots"), "lines.txt", "--output", "out.conll").out == ""
    assert (folder / "out.conll").read_text("utf-8") == done.out


def test_the_training_file_is_read_without_its_targets(run, folder, saved_text):
    answers = run("predict", saved_text("slots"), "slots.jsonl", "--json").json
    lines = (folder / "slots.jsonl").read_text("utf-8").splitlines()
    assert [answer["text"] for answer in answers] == [json.loads(line)["text"] for line in lines]


@pytest.mark.slow
def test_a_name_that_ends_as_the_training_file(run, folder, saved_text):
    # That was one of columns, so this is no text a line.
    X, y = read_back(run("predict", saved_text("tags"), "tags.txt").out, folder)
    assert (X[0], len(y[0])) == (QUESTION.split(), 5)
    answer = run("predict", saved_text("tags"), "tags.txt", "--json").json[0]
    assert answer["tokens"] == X[0]
    assert "text" not in answer
    changed = run("predict", saved_text("tags"), "tags.txt", "--set", "data.token=1", "--json")
    assert set(changed.json[0]["tokens"]) == {"NAME", "WORD"}


def test_tokens_without_tags(run, folder, saved_text):
    (folder / "x.conll").write_text("meet\nBo\n\nfly\n", encoding="utf-8")
    X, _ = read_back(run("predict", saved_text("slots"), "x.conll").out, folder)
    assert X == [["meet", "Bo"], ["fly"]]
    (answer, _) = run("predict", saved_text("slots"), "x.conll", "--json").json
    assert answer["spans"][0] | {"probability": 0} == {
        "text": "Bo", "label": "person", "start": 1, "end": 2, "probability": 0
    }  # fmt: skip
    row = "1\tmeet\tmeet\tVERB\t_\t_\t0\troot\t_\t_\n"
    (folder / "x.conllu").write_text(row, encoding="utf-8")
    assert run("predict", saved_text("slots"), "x.conllu", "--json").json[0]["tokens"] == ["meet"]


def test_a_classifier_writes_a_table(run, folder, saved_text):
    rows = list(csv.DictReader(io.StringIO(run("predict", saved_text("intents"), "texts.csv").out)))
    assert list(rows[0]) == ["id", "label", "p(fly)", "p(meet)"]
    assert [row["id"] for row in rows] == [f"t{i}" for i in range(36)]
    (folder / "new.csv").write_text("id,text\na,fly to Rome\n", encoding="utf-8")
    assert run("predict", saved_text("intents"), "new.csv").out.splitlines()[1].startswith("a,")
    (folder / "lines.txt").write_text("fly to Rome\r\n\r\nmeet Bo", encoding="utf-8")
    found = run("predict", saved_text("intents"), "lines.txt", "--json").json
    assert [answer["text"] for answer in found] == ["fly to Rome", "", "meet Bo"]


def test_a_column_of_another_file(run, refused, folder, saved_text):
    assert "data.text: missing" in refused(3, "predict", saved_text("slots"), "texts.csv")
    done = run("predict", saved_text("slots"), "texts.csv", "--set", "data.text=text", "--json")
    assert done.json[0]["text"] == QUESTION


# --- what goes wrong ---


@pytest.mark.parametrize(
    ("name", "arguments", "code", "message"),
    [
        ("slots", [], 2, "FILE or --text is missing"),
        ("slots", ["slots.jsonl", "--text", "x"], 2, "choose one"),
        ("slots", ["--text", "x", "--set", "data.text=y"], 2, "--text comes without one"),
        ("slots", ["--text", "x", "--nbest", "0"], 2, "0 is not in the range"),
        ("slots", ["slots.jsonl", "--nbest", "2"], 2, "give --json too"),
        ("slots", ["--text", "x", "--future", "x.csv"], 2, "--future is for forecasters"),
        ("slots", ["wide.npz"], 4, "or a line of text each"),
        ("slots", ["nothing.txt"], 4, "no such file"),
        ("slots", ["other.jsonl"], 4, "no 'text' (asked for by data.text)"),
        ("slots", ["empty.txt"], 4, "the file is empty"),
        ("slots", ["bytes.txt"], 4, "not UTF-8 text"),
        ("intents", ["--text", "x", "--nbest", "2"], 2, "this model is for classification"),
        ("intents", ["--text", "x", "--json", "--output", "y"], 2, "choose one"),
        ("intents", ["wide.csv"], 4, "no column 'text'"),
    ],
)
def test_refused(refused, folder, saved_text, name, arguments, code, message):
    (folder / "other.jsonl").write_text('{"words": "a"}\n', encoding="utf-8")
    (folder / "empty.txt").touch()
    (folder / "bytes.txt").write_bytes(b"a\xff\n")
    assert message in refused(code, "predict", saved_text(name), *arguments)
