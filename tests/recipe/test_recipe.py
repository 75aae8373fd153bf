"""Recipes: what they refuse, and that they come back as they went."""

from __future__ import annotations

import json
import math
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kseq.errors import RecipeError
from kseq.recipe import Recipe, Training
from kseq.registry import builders
from kseq.schema import fill, parameters

SHIPPED = sorted(p for p in Path(__file__).parents[2].glob("recipes/*") if p.suffix != ".md")
FULL = {
    "name": "wave",
    "task": {"kind": "forecasting", "window": 12, "horizon": 3},
    "seed": 7,
    "data": {"reader": "csv", "layout": "series", "path": "wave.csv", "split": [0.8, 0.2]},
    "model": {"builder": "stacked_rnn", "units": [8, 4]},
    "training": {"epochs": 2, "learning_rate": 0.01},
}


def mistakes(values):
    with pytest.raises(RecipeError) as caught:
        Recipe.from_dict(values).validate()
    return caught.value.mistakes


# --- from values, and back ---


def test_a_task_may_be_a_name():
    assert Recipe.from_dict({"task": "classification"}) == Recipe.from_dict(
        {"task": {"kind": "classification"}}
    )


def test_sections_that_are_left_out_are_empty():
    recipe = Recipe.from_dict({"task": "classification", "model": None})
    assert (recipe.name, recipe.seed, recipe.data, recipe.model) == ("model", 0, {}, {})
    assert recipe.to_dict() == {"name": "model", "task": {"kind": "classification"}, "seed": 0}


def test_it_round_trips_through_values():
    assert Recipe.from_dict(FULL).to_dict() == FULL
    assert list(Recipe.from_dict(dict(reversed(FULL.items()))).to_dict()) == list(FULL)


@pytest.mark.parametrize("suffix", [".yaml", ".json"])
def test_it_round_trips_through_files(tmp_path, suffix):
    recipe = Recipe.from_dict(FULL)
    recipe.save(tmp_path / f"r{suffix}")
    assert Recipe.load(tmp_path / f"r{suffix}") == recipe
    filled = recipe.fill()
    filled.save(tmp_path / f"f{suffix}")
    assert Recipe.load(tmp_path / f"f{suffix}") == filled


def test_values_are_copied_in_and_out():
    values = json.loads(json.dumps(FULL))
    recipe = Recipe.from_dict(values)
    values["model"]["units"].append(9)
    values["task"]["window"] = 99
    assert recipe.to_dict() == FULL
    recipe.to_dict()["model"]["units"].append(9)
    assert recipe.to_dict() == FULL
    with pytest.raises(FrozenInstanceError):
        recipe.seed = 3  # type: ignore[misc]


def test_values_become_pythons_own_types(tmp_path):
    recipe = Recipe.from_dict(
        {
            "task": np.str_("classification"),
            "model": {"units": (8, 4)},
            "training": {"learning_rate": np.float64(0.5)},
        }
    )
    assert recipe.model == {"units": [8, 4]}
    assert type(recipe.training["learning_rate"]) is float
    recipe.save(tmp_path / "r.yaml")
    assert Recipe.load(tmp_path / "r.yaml") == recipe


# --- replace, fill, validate ---


def test_replace_makes_a_new_recipe():
    recipe = Recipe.from_dict(FULL)
    other = recipe.replace("model.units", 64).replace("seed", 1).replace("data.time", "day")
    assert (other.model["units"], other.seed, other.data["time"]) == (64, 1, "day")
    assert recipe.to_dict() == FULL
    assert other.replace("model.units", [8, 4]).replace("seed", 7) != recipe
    assert recipe.replace("task", "regression").task == {"kind": "regression"}


def test_replace_copies_what_it_is_given():
    units = [1]
    recipe = Recipe.from_dict(FULL).replace("model.units", units)
    units.append(2)
    assert recipe.model["units"] == [1]


def test_replace_makes_the_way():
    space = {"choice": [1, 2]}
    recipe = Recipe.from_dict({"task": "classification"}).replace("search.space.units", space)
    assert recipe.search == {"space": {"units": space}}


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("modle.units", r"modle.units: unknown section \(did you mean 'model'\?\)"),
        ("", "unknown section"),
        ("seed.x", "seed.x: leads through a value that has no parts"),
        ("model.units.x", "leads through a value that has no parts"),
        ("model.units.x.y", "leads through a value that has no parts"),
    ],
)
def test_replace_refuses_a_path_that_leads_nowhere(path, message):
    with pytest.raises(RecipeError, match=message):
        Recipe.from_dict(FULL).replace(path, 1)


def test_fill_adds_every_default_once():
    filled = Recipe.from_dict(FULL).fill()
    assert filled.task["season"] is None
    assert filled.data["delimiter"] is None
    assert list(filled.training) == list(parameters(Training))
    assert filled.model["cell"] == parameters(builders.get("stacked_rnn"))["cell"].default
    assert filled.fill() == filled
    assert filled.fill().to_dict() == filled.to_dict()


def test_the_tasks_builder_is_the_default():
    filled = Recipe.from_dict({"task": "classification", "model": {"units": 3}}).fill()
    assert filled.model["builder"] == "stacked_rnn"
    assert filled.model["units"] == 3
    assert filled.data == {}, "data may come from Python"


def test_validate_gives_the_recipe_back():
    recipe = Recipe.from_dict(FULL)
    assert recipe.validate() is recipe


def test_trainings_own_defaults_hold():
    assert fill("training", Training, {})[1] == []


# --- mistakes ---


def test_all_mistakes_come_in_one_go_each_with_path_value_and_wish():
    found = mistakes(
        {
            "task": {"kind": "forecasting", "horizon": 0, "windwo": 3},
            "data": {"reader": "csv", "layout": "long", "spilt": [1]},
            "model": {"builder": "stacked_rnn", "units": True, "cell": "grv"},
            "training": {"epochs": "3", "learning_rate": -1, "dropout": 0.5},
        }
    )
    assert [mistake.split(":")[0] for mistake in found] == [
        "task.windwo",
        "task.horizon",
        "model.cell",
        "model.units",
        "data.spilt",
        "training.dropout",
        "training.epochs",
        "training.learning_rate",
    ]
    assert "did you mean 'window'?" in found[0]
    assert found[1] == "task.horizon: expected greater than 0, got 0"
    assert "did you mean 'split'?" in found[4]


def test_mistakes_of_sections_come_in_one_go():
    found = mistakes(
        {"tsk": "classification", "modle": {}, "data": 3, "name": "../x", "seed": True}
    )
    assert [mistake.split(":")[0] for mistake in found] == [
        "tsk",
        "modle",
        "task",
        "data",
        "name",
        "seed",
    ]


def test_mistakes_in_a_file_have_their_line(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text(
        "task: classification\nmodel:\n  units:\n  - 8\n  - x\n  unit: 3\ndata: {path: a}\n"
        "training: {learning_rate: .inf}\n",
        encoding="utf-8",
    )
    with pytest.raises(RecipeError) as caught:
        Recipe.load(path)
    assert str(caught.value) == (
        f"{path}: line 8: training.learning_rate: expected a finite number, got inf"
    )
    path.write_text(path.read_text("utf-8").replace(".inf", "0"), encoding="utf-8")
    with pytest.raises(RecipeError) as caught:
        Recipe.load(path).fill()
    assert caught.value.source == str(path)
    assert [mistake.split(": ")[:2] for mistake in caught.value.mistakes] == [
        ["line 6", "model.unit"],
        ["line 3", "model.units.1"],
        ["line 7", "data.reader"],
        ["line 8", "training.learning_rate"],
    ]


def test_a_replaced_value_does_not_blame_the_files_line(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text("task: classification\nmodel: {units: 3, cell: x}\n", encoding="utf-8")
    recipe = Recipe.load(path).replace("model.units", 0)
    with pytest.raises(RecipeError) as caught:
        recipe.validate()
    found = sorted(caught.value.mistakes)
    assert found[0].startswith("line 2: model.cell")
    assert "line 3" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("training.epochs", True),
        ("training.epochs", "3"),
        ("training.epochs", 3.0),
        ("training.epochs", 0),
        ("training.epochs", None),
        ("training.epochs", 10**30),
        ("training.learning_rate", math.inf),
        ("training.learning_rate", math.nan),
        ("training.learning_rate", "1e-3"),
        ("training.learning_rate", False),
        ("training.early_stopping", 1),
        ("training.loss", "rmse"),
        ("training.validation_fraction", 1.0),
        ("task.window", "12"),
        ("task.horizon", 0),
        ("task.target", True),
        ("model.units", 0),
        ("model.units", 8193),
        ("model.units", [8, True]),
        ("model.builder", "keras.Sequential"),
        ("model.builder", "os:system"),
        ("model.builder", ["stacked_rnn"]),
        ("model.builder", None),
        ("data.reader", "pickle"),
        ("data.reader", "kseq.data.readers.csv"),
        ("data.layout", "broad"),
        ("data.split", "0.8"),
        ("seed", -1),
        ("seed", 2**32),
        ("seed", True),
        ("seed", 1.0),
        ("seed", "7"),
        ("seed", None),
        ("name", ""),
        ("name", "a/b"),
        ("name", ".."),
        ("name", ".hidden"),
        ("name", "x" * 129),
        ("name", 3),
        ("name", None),
        ("name", "a\n"),
        ("task", None),
        ("task", 3),
        ("task", {}),
        ("task", {"kind": 3}),
        ("task", "knitting"),
        ("model", [1]),
        ("data", "wave.csv"),
        ("training", 3),
        ("search", "x"),
    ],
)
def test_a_wrong_value_is_refused_with_its_path(path, value):
    with pytest.raises(RecipeError) as caught:
        Recipe.from_dict(FULL).replace(path, value).validate()
    (mistake,) = caught.value.mistakes
    assert mistake.startswith(path)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("training.learning_rate", 1),
        ("training.clip_norm", None),
        ("task.target", "x"),
        ("task.target", ["x", 1]),
        ("seed", 2**32 - 1),
        ("name", "a.b-c_1"),
        ("model.units", 8192),
    ],
)
def test_a_right_value_is_taken(path, value):
    Recipe.from_dict(FULL).replace(path, value).validate()


@pytest.mark.parametrize("values", [None, [], "x", 3, [("task", "classification")], {1: 2}])
def test_what_is_no_mapping_of_sections_is_refused(values):
    with pytest.raises(RecipeError):
        Recipe.from_dict(values)


@pytest.mark.parametrize("value", [object(), {1}, b"x", 1j, print, np.int64(3), np.zeros(2)])
def test_a_value_that_no_document_holds_is_refused(value):
    with pytest.raises(RecipeError, match=r"model.units: .* is not a value of a recipe"):
        Recipe.from_dict({"task": "classification", "model": {"units": value}})


def test_messages_stay_short():
    found = mistakes({"task": "x" * 4000, "model": {"builder": "y" * 4000}})
    assert all(len(mistake) < 400 for mistake in found)


# --- whatever comes in, a Recipe or a RecipeError comes out ---

NAMES = st.sampled_from(
    ["name", "task", "seed", "data", "model", "training", "search", "kind", "reader", "builder",
     "units", "cell", "window", "horizon", "epochs", "learning_rate", "split", "path", "layout"]
)  # fmt: skip
WORDS = st.sampled_from(
    ["classification", "forecasting", "regression", "csv", "npz", "stacked_rnn", "lstm", "wide"]
)
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=8)
)  # fmt: skip
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES | st.text(), inner),
    max_leaves=12,
)
SECTIONS = st.fixed_dictionaries(
    {"task": WORDS | TREES},
    optional={
        name: st.dictionaries(NAMES, TREES, max_size=4) | TREES
        for name in ("name", "seed", "data", "model", "training", "search")
    },
)
YAMLISH = st.lists(
    st.sampled_from([*"[]{},:-?#&*!|>'\"%@`~ \n\t", "---", "...", "<<", "!!", "%YAML 1.1\n", "\\"])
    | NAMES
    | WORDS
    | st.text(max_size=3)
    | st.sampled_from(["1e3", "0x1F", "012", ".inf", "2001-01-01", "1:2:3", "=", "\ufeff", "\0"]),
    max_size=25,
).map("".join)


def check_values(values):
    try:
        recipe = Recipe.from_dict(values)
        filled = recipe.fill()
    except RecipeError:
        return
    assert filled.fill() == filled
    assert Recipe.from_dict(json.loads(json.dumps(filled.to_dict(), allow_nan=False))) == filled


def check_text(folder, text, suffix):
    path = folder / f"r{suffix}"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        recipe = Recipe.load(path)
        recipe.validate()
        recipe.save(folder / "again.yaml")
        assert Recipe.load(folder / "again.yaml") == recipe
    except RecipeError:
        return


FEW = settings(max_examples=150, deadline=None, derandomize=True, database=None)
MANY = settings(
    max_examples=2000,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@FEW
@given(TREES | SECTIONS)
def test_any_values_make_a_recipe_or_a_recipe_error(values):
    check_values(values)


@settings(FEW, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=YAMLISH, suffix=st.sampled_from([".yaml", ".json", ".toml"]))
def test_any_text_makes_a_recipe_or_a_recipe_error(tmp_path, text, suffix):
    check_text(tmp_path, text, suffix)


@pytest.mark.slow
@MANY
@given(TREES | SECTIONS)
def test_many_values_make_a_recipe_or_a_recipe_error(values):
    check_values(values)


@pytest.mark.slow
@MANY
@given(text=YAMLISH | st.text(), suffix=st.sampled_from([".yaml", ".json", ".toml"]))
def test_many_texts_make_a_recipe_or_a_recipe_error(tmp_path, text, suffix):
    check_text(tmp_path, text, suffix)


# --- the recipes that kseq ships ---


def test_kseq_ships_recipes():
    assert SHIPPED


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_a_shipped_recipe_loads_fills_and_round_trips(tmp_path, path):
    recipe = Recipe.load(path)
    filled = recipe.fill()
    assert filled.fill() == filled
    filled.save(tmp_path / "filled.yaml")
    assert Recipe.load(tmp_path / "filled.yaml") == filled
    assert recipe.name == path.stem


def test_a_path_goes_through_keys_that_are_paths_themselves():
    recipe = Recipe.from_dict(
        {"task": "regression", "search": {"space": {"model.units": {"int": [1, 2], "step": 1}}}}
    )
    changed = recipe.replace("search.space.model.units.int", [3, 4])
    assert changed.search["space"] == {"model.units": {"int": [3, 4], "step": 1}}
    assert recipe.replace("model.units", 3).model == {"units": 3}
