"""`kseq show`, `train`, `evaluate`, `export` and `list` with recipes of text."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.slow  # a training each

REPORT = "1/assets.extra/kseq/report"


def report_of(path):
    """The metrics of a report."""
    return json.loads((path / REPORT / "metrics.json").read_text("utf-8"))


def test_list_knows_tagging(run):
    assert run("list", "tasks", "--json").json["tasks"]["tagging"].startswith("Assigns a tag")
    assert {"conll", "conllu", "jsonl"} <= run("list", "readers", "--json").json["readers"].keys()


# --- show ---


def test_the_layers_of_a_tagger(run, folder):
    shown = run("show", "slots.json", "--json").json
    layers = {layer["name"].rpartition("/")[2]: layer for layer in shown["layers"]}
    assert layers["words_embedding"]["output"] == "(batch, any, 8)"
    assert layers["crf"]["output"] == "(batch, any, 5)"
    assert layers["class_scores"]["output"] == "(batch, 2)"
    assert sum(layer["parameters"] for layer in shown["layers"]) == shown["parameters"]
    table = run("show", "slots.json")
    assert f"# {shown['parameters']:,} parameters" in table.out


@pytest.mark.slow
def test_a_model_with_many_inputs_and_outputs_is_drawn(run, folder):
    pytest.importorskip("matplotlib", reason="pictures need the extra `plot`")
    changes = ["--set", "task.text={casing: true, affixes: 2}"]
    assert run("show", "slots.json", *changes, "--plot", "model.png").code == 0
    assert (folder / "model.png").read_bytes().startswith(b"\x89PNG")


def test_a_recipe_for_another_task_is_shown_without_layers(run, folder):
    done = run("show", "slots.json", "--set", "task=classification", "--set",
               "model={builder: stacked_rnn}")  # fmt: skip
    assert done.code == 0
    assert "no layer table: data: the reader gives texts with a tag for each token" in done.err


# --- train ---


@pytest.mark.parametrize(
    ("name", "changes", "code", "message"),
    [
        ("slots", ["task=classification"], 4, "use task.kind tagging"),
        ("slots", ["data.tokenizer=characters"], 3, "task.text.tokenizer: is 'words', but"),
        ("slots", ["task.text.tokenizer=words", "task.text.case=true"], 3, "task.text.case"),
        ("slots", ["task.reading=loose"], 3, "task.reading"),
        ("slots", ["training.loss=mae"], 3, "tagging always takes the likelihood of the tags"),
        ("tags", ["data.tag=3"], 4, "no column 3 (data.tag)"),
        ("intents", ["task=tagging"], 4, "or have tags read"),
        ("intents", ["task=regression"], 4, "the targets are text, such as 'meet'"),
        ("intents", ["data.target=null"], 4, "texts without targets"),
        ("wide", ["task=tagging", "model={}"], 4, "the reader gives sequences, but task.kind tagg"),
        ("series", ["task=tagging", "model={}"], 4, "the reader gives time series, but"),
        ("long", ["task.text={}"], 3, "task.text: says how text becomes numbers"),
    ],
)
def test_a_mix_up_leaves_nothing(refused, folder, assert_clean, name, changes, code, message):
    sets = [argument for change in changes for argument in ("--set", change)]
    assert message in refused(code, "train", f"{name}.json", "--quiet", *sets)
    assert_clean(folder)


@pytest.mark.filterwarnings("default::UserWarning")
def test_a_warning_is_a_message(run, folder):
    (folder / "tags.txt").write_text("in O\nRome I-place\n\nBo B-person\n\n" * 20, encoding="utf-8")
    done = run("show", "tags.json")
    assert done.code == 0
    said = [line for line in done.err.splitlines() if "warning" in line]
    assert len(said) == 1
    assert said[0].startswith("kseq: warning: tags that cannot stand where they do in bio: 20")


# --- evaluate ---


@pytest.mark.slow
def test_evaluate_a_classifier_of_text(run, folder, saved_text):
    scored = run("evaluate", saved_text("intents"), "--json").json
    trained = report_of(saved_text("intents"))
    assert scored["metrics"] == pytest.approx(trained["metrics"])
    assert trained["facts"]["texts"] == {"train": 24, "test": 12}
    assert trained["facts"]["tokens"] == {"train": 100, "test": 50}


def test_evaluate_on_data_of_another_kind(refused, folder, saved_text):
    model = saved_text("intents")
    said = refused(4, "evaluate", model, "--recipe", "wide.json")
    assert "the reader gives numbers, but the model was fitted to text" in said
    assert "use task.kind tagging" in refused(4, "evaluate", model, "--recipe", "tags.json")


@pytest.mark.slow
def test_evaluate_a_tagger(run, refused, folder, saved_text):
    model = saved_text("slots")
    scored, trained = run("evaluate", model, "--json").json, report_of(model)
    assert scored["metrics"] == pytest.approx(trained["metrics"])
    assert scored["primary"] == "f1"
    note, recorded = scored["notes"]["calibration"], trained["notes"]["calibration"]
    assert (note["of"], note["answers"]) == ("spans", recorded["answers"])
    error = "expected_calibration_error"
    assert note[error] == pytest.approx(recorded[error], abs=1e-5)
    lines = run("evaluate", model).out.splitlines()
    assert [line.split()[0] for line in lines if line][-3:] == ["place", "person", "expected"]
    assert (model / REPORT / "types.png").exists()
    assert (model / REPORT / "reliability.png").exists()
    said = refused(4, "evaluate", model, "--set", "data.label=null")
    assert "the model was fitted to tags and a label" in said


@pytest.mark.slow
def test_evaluate_plain_tags(run, folder, saved_text):
    model = saved_text("tags")
    scored = run("evaluate", model, "--json").json
    assert scored["primary"] == "accuracy"
    assert scored["notes"]["calibration"]["answers"] == 50
    assert (model / REPORT / "confusion.png").exists()
    assert "\ntag " in run("evaluate", model).out


# --- the whole way ---


@pytest.mark.slow
def test_from_the_training_to_another_folder(run, folder):
    done = run("train", "slots.json", "--output", "models")
    assert done.code == 0, done.err
    assert done.out.startswith("slots: ")
    assert "F1" in done.out
    assert "commonest tag of each word" in done.out
    assert run("export", "models/slots", "served/slots").out == "published served/slots/1\n"
    first, again = (
        run("predict", path, "--text", "meet Bo in Rome").out
        for path in ("models/slots", "served/slots")
    )
    assert first == again
    assert (folder / "served/slots" / REPORT / "model_card.md").is_file()
