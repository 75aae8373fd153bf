"""Spaces that hold, and those that are refused with their path."""

from __future__ import annotations

import json
import re

import pytest

from kseq.errors import RecipeError
from kseq.recipe import Recipe
from kseq.search.space import with_changes
from kseq.search.space_reading import read_space

CELLS = {"choice": ["lstm", "slstm"]}


def base(**sections):
    return Recipe.from_dict({"task": "classification", "model": {"units": 8}, **sections})


def mistakes(space, **sections):
    with pytest.raises(RecipeError) as caught:
        read_space(base(**sections), space)
    return caught.value.mistakes


def test_a_space_of_every_kind_holds():
    space = read_space(
        base(),
        {
            "model.peephole": {"choice": ["diagonal", "full"], "when": {"model.cell": "slstm"}},
            "model.cell": CELLS,
            "model.units": {"length": [1, 3], "int": [8, 64], "step": 8},
            "model.dropout": {"float": [0.0, 0.5]},
            "training.learning_rate": {"log": [1e-4, 1e-2]},
            "training.clip_norm": {"choice": [None, 1.0]},
            "task.standardize": {"choice": [True, False]},
        },
    )
    order = [entry.path for entry in space.entries]
    assert order.index("model.cell") < order.index("model.peephole")
    assert len(order) == 7


@pytest.mark.parametrize(
    ("path", "entry", "said"),
    [
        ("model.unit", {"choice": [8]}, "unknown (did you mean 'units'?)"),
        ("training.epoch", {"choice": [8]}, "unknown (did you mean 'epochs'?)"),
        ("task.text.affix", {"choice": [1]}, "unknown (did you mean 'affixes'?)"),
        ("modell.units", {"choice": [8]}, "unknown path (did you mean 'model'?)"),
        ("model", {"choice": [8]}, "is a whole section"),
        ("model.units", {"choice": []}, ".choice: is empty"),
        ("model.units", {"choice": [8, 8]}, ".choice.1: 8 stands twice"),
        ("model.units", {"choice": 8}, ".choice: expected a list of values"),
        ("model.units", {"int": [64, 8]}, ".int: low is above high, got [64, 8]"),
        ("model.units", {"int": [8, 8]}, ".int: low is high"),
        ("model.units", {"int": [8, 9.5]}, ".int: expected [low, high], two whole numbers"),
        ("model.units", {"int": [8, 16], "step": 0}, ".step: expected a positive number"),
        ("model.units", {"int": [0, 16]}, ": expected greater than 0 or list, got 0"),
        ("model.units", {"length": [2, 1], "int": [8, 16]}, ".length: expected the fewest"),
        ("model.units", {"length": [0, 1], "int": [8, 16]}, ".length: expected the fewest"),
        ("model.dropout", {"float": [0.0, 1.5]}, "expected less than 1, got 1.5"),
        ("model.dropout", {"float": [0.0, "1"]}, ".float: expected [low, high], two numbers"),
        ("model.dropout", {"float": [0, True]}, ".float: expected [low, high], two numbers"),
        ("training.learning_rate", {"log": [0.0, 0.1]}, ".log: expected a low above 0"),
        ("training.learning_rate", {"log": [-1, 0.1]}, ".log: expected a low above 0"),
        ("training.learning_rate", {"log": [1e-3, 1e-2], "step": 2}, ".step: is for int and"),
        ("model.dropout", {"uniform": [0, 1]}, ": expected one of choice, int, float, log"),
        ("model.dropout", {"float": [0, 1], "int": [0, 1]}, ": expected only one of them"),
        ("model.dropout", {"float": [0, 0.5], "stepp": 1}, ".stepp: unknown (did you mean 'step'"),
        ("model.dropout", [0, 1], ": expected {choice: [a, b]}"),
        ("model.features", {"int": [1, 2]}, "features is what the data decides"),
        ("model.outputs", {"int": [1, 2]}, "outputs is what the data decides"),
        ("model.tags", {"int": [1, 2]}, "tags is what the data decides"),
        ("spec.time", {"int": [1, 2]}, "time is what the data decides"),
        ("data.split", {"choice": [[0.5, 0.5]]}, "the data is what scores are compared on"),
        ("task.kind", {"choice": ["regression"]}, "decides what is asked and scored"),
        ("model__units", {"choice": [8]}, "is no recipe path; write model.units"),
        ("seed", {"choice": [1, 2]}, "unknown path"),
        ("model.builder", {"choice": ["stacked"]}, "unknown builder 'stacked'"),
        ("model.cell", {"choice": ["lstm", "xlstm"]}, "got 'xlstm'"),
        (
            "model.peephole",
            {"choice": ["full"], "when": {"model.cell": "slstm"}},
            "when.model.cell: is not in the space",
        ),
        ("model.peephole", {"choice": ["full"], "when": "slstm"}, ".when: expected a mapping"),
        ("model.units", {"choice": [8], "when": {"model.units": 8}}, "its own condition"),
        ("model.units", {"choice": [8], "when": {}}, ".when: is empty"),
        ("task.horizon", {"choice": [8]}, "unknown"),
    ],
)
def test_a_mistake_is_named_with_its_path(path, entry, said):
    found = mistakes({path: entry})
    assert len(found) == 1, found
    assert found[0].startswith(f"search.space.{path}")
    assert said in found[0]


@pytest.mark.parametrize("space", [None, {}, [], "model.units", {"model.units": None}])
def test_no_space_is_none(space):
    assert mistakes(space)[0].startswith("search.space")


def test_conditions_on_values_that_never_occur_and_in_a_circle():
    peephole = {"choice": ["full"], "when": {"model.cell": ["slstm", "gru"]}}
    (found,) = mistakes({"model.cell": CELLS, "model.peephole": peephole})
    assert "'gru' is no value that the space has there (choice of 2)" in found
    space = {
        "model.cell": {**CELLS, "when": {"model.skip": True}},
        "model.skip": {"choice": [True, False], "when": {"model.cell": "slstm"}},
    }
    assert "wait for each other" in mistakes(space)[0]
    # 1 is not true, and a whole number between the steps is none of them
    when = {"when": {"model.skip": 1}, "choice": ["full"]}
    assert "no value" in mistakes({"model.skip": {"choice": [True]}, "model.peephole": when})[0]
    when = {"when": {"model.patch": 2}, "choice": ["full"]}
    space = {"model.patch": {"int": [1, 5], "step": 2}, "model.peephole": when}
    assert "(int from 1 to 5)" in mistakes(space)[0]


def test_all_mistakes_come_at_once_with_their_lines(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text(
        "task: classification\nsearch:\n  space:\n"
        "    model.unit: {choice: [8]}\n    model.dropout: {float: [0, 2]}\n"
    )
    recipe = Recipe.load(path)
    with pytest.raises(RecipeError) as caught:
        read_space(recipe, recipe.search["space"])
    said = str(caught.value)
    assert re.search(r"line 4: search\.space\.model\.unit: unknown", said)
    assert re.search(r"line 5: search\.space\.model\.dropout: expected less than 1", said)


BUILDER = {"choice": ["stacked_rnn", "lstm_fcn"]}


class TestBuilders:
    def test_a_parameter_that_one_builder_lacks_needs_a_condition(self):
        patch = {"choice": [1, 2]}
        (found,) = mistakes({"model.builder": BUILDER, "model.patch": patch})
        assert found == (
            "search.space.model.patch: lstm_fcn has no such parameter; add when: "
            '{model.builder: ["stacked_rnn"]}'
        )
        when = {**patch, "when": {"model.builder": "stacked_rnn"}}
        space = read_space(base(), {"model.builder": BUILDER, "model.patch": when})
        assert space.active({"model.builder": "lstm_fcn", "model.patch": 2}) == {
            "model.builder": "lstm_fcn"
        }

    def test_a_parameter_that_no_builder_has_is_unknown(self):
        (found,) = mistakes({"model.builder": BUILDER, "model.patchs": {"choice": [1]}})
        assert "unknown (did you mean 'patch'?)" in found

    def test_what_the_new_builder_does_not_know_is_left_out(self):
        recipe = base(model={"builder": "stacked_rnn", "patch": 2, "units": 8})
        changed = with_changes(recipe, {"model.builder": "lstm_fcn", "model.units": 16})
        assert changed.model == {"builder": "lstm_fcn", "units": 16}
        assert with_changes(recipe, {"model.units": 4}).model["patch"] == 2


def test_any_json_is_a_space_or_refused():
    """Whatever stands there, the answer is a space or a `RecipeError`."""
    values = [None, True, 1, -1.5, "a", [], [1], {}, {"a": 1}, [[1, 2]], {"choice": {}}]
    for value in values:
        for key in ("choice", "int", "float", "log", "step", "length", "when"):
            for more in ({}, {"choice": [8, 16]}, {"int": [1, 2]}):
                entry = {**more, key: value}
                try:
                    read_space(base(), json.loads(json.dumps({"model.units": entry})))
                except RecipeError:
                    continue
