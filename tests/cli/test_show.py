"""`kseq show`."""

from __future__ import annotations

import keras
import pytest

from kseq.recipe import Recipe


def test_stdout_is_the_filled_recipe(run, folder):
    done = run("show", "wide.json")
    assert done.code == 0
    (folder / "again.yaml").write_text(done.out, encoding="utf-8")
    assert Recipe.load("again.yaml") == Recipe.load("wide.json").fill()
    assert "# " in done.out
    assert "parameters" in done.out
    assert "recurrent" in done.out or "GRU" in done.out


def test_json_holds_the_recipe_and_the_layers(run, folder):
    shown = run("show", "wide.json", "--json").json
    assert Recipe.from_dict(shown["recipe"]) == Recipe.load("wide.json").fill()
    assert shown["parameters"] >= sum(layer["parameters"] for layer in shown["layers"]) > 0


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="others have other paths")
@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"cell": "lstm"}, "fast"),
        ({"cell": "lstm", "bidirectional": "true"}, "fast"),
        ({"cell": "lstm", "recurrent_dropout": "0.1"}, "Keras: of recurrent_dropout"),
        ({"cell": "gru"}, "Keras: it has less than 32 units"),
    ],
    ids=str,
)
def test_recurrent_layers_say_how_they_are_computed(run, folder, changes, path):
    options = [f"--set=model.{name}={value}" for name, value in changes.items()]
    layers = run("show", "wide.json", "--json", *options).json["layers"]
    paths = {layer["path"] for layer in layers if layer["path"]}
    assert paths == {path}
    assert path in run("show", "wide.json", *options).out


def test_values_can_be_replaced(run, folder):
    shown = run("show", "wide.json", "--json", "--set", "model.units=[5, 3]", "--set", "seed=9")
    assert shown.json["recipe"]["model"]["units"] == [5, 3]
    assert shown.json["recipe"]["seed"] == 9


def test_without_its_data_a_recipe_is_shown_alone(run, folder):
    (folder / "wide.csv").unlink()
    done = run("show", "wide.json")
    assert done.code == 0
    assert "#" not in done.out
    assert "no layer table: wide.csv: no such file" in done.err
    assert run("show", "wide.json", "--json").json["layers"] == []


def test_a_recipe_without_data_is_shown_alone(run, folder):
    (folder / "r.yaml").write_text("task: regression\n", encoding="utf-8")
    done = run("show", "r.yaml")
    assert done.code == 0
    assert "no data section" in done.err


def test_the_model_is_drawn(run, refused, folder):
    pytest.importorskip("matplotlib", reason="pictures need the extra `plot`")
    assert run("show", "series.json", "--plot", "new/model.png").code == 0
    assert (folder / "new" / "model.png").read_bytes().startswith(b"\x89PNG")
    (folder / "file").touch()
    assert "--plot file/model.png: cannot be written" in refused(
        2, "show", "wide.json", "--plot", "file/model.png"
    )
    (folder / "wide.csv").unlink()
    assert "no model to draw" in refused(4, "show", "wide.json", "--plot", "model.png")


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ("model.units", 2, "expected PATH=VALUE"),
        ("=3", 2, "expected PATH=VALUE"),
        ("modle.units=3", 3, "did you mean 'model'?"),
        ("model.unist=3", 3, "did you mean 'units'?"),
        ("model.units=[1", 3, "--set model.units=[1: line 1"),
        ("model.units=*a", 3, "anchors and aliases are not accepted"),
        ("model.units=!!python/name:os.system", 3, "tags are not accepted"),
        ("model.units=", 3, "model.units: expected integer or list, got None"),
        ("model.units='64'", 3, "got '64'"),
        ("model.units=1e400", 3, "expected a finite number"),
        ("model.units=8000000000", 3, "less than or equal to 8192"),
        ("seed=x", 3, "seed: expected an integer"),
        ("name=../../x", 3, "name: expected letters"),
        ("seed.x=3", 3, "leads through a value"),
        ("model.builder=os.system", 3, "unknown builder 'os.system'"),
        ("data.reader=pickle", 3, "unknown reader 'pickle'"),
    ],
)
def test_a_change_that_does_not_hold(refused, folder, change, code, message):
    assert message in refused(code, "show", "wide.json", "--set", change)
