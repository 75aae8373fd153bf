"""What is compared: all combinations, checked before anything is trained."""

from __future__ import annotations

import pytest

from kseq.comparison.variants import name_of, variants
from kseq.errors import RecipeError
from kseq.recipe import Recipe

RECIPE = Recipe.from_dict({"task": "classification", "model": {"cell": "lstm", "units": 8}})


def test_every_combination_once_the_last_path_varies_fastest():
    found = variants(RECIPE, {"model.cell": ["rnn", "gru"], "model.units": [[8], [8, 4]]})
    assert [(v.number, v.changes) for v in found] == [
        (0, {"model.cell": "rnn", "model.units": [8]}),
        (1, {"model.cell": "rnn", "model.units": [8, 4]}),
        (2, {"model.cell": "gru", "model.units": [8]}),
        (3, {"model.cell": "gru", "model.units": [8, 4]}),
    ]
    assert found[1].recipe.model == {"cell": "rnn", "units": [8, 4]}


def test_another_builder_drops_what_it_has_no_parameter_for():
    recipe = RECIPE.replace("model.patch", 2)
    found = variants(recipe, {"model.builder": ["stacked_rnn", "lstm_fcn"]})
    assert [v.recipe.model.get("patch") for v in found] == [2, None]


def test_all_mistakes_at_once_each_with_a_combination_that_has_it():
    with pytest.raises(RecipeError) as caught:
        variants(RECIPE, {"model.cell": ["gru", "gur"], "model.dropout": [0.1, 1.5]})
    text = str(caught.value)
    assert "model.cell" in text
    assert "'gur'" in text
    assert "model.dropout: expected less than 1, got 1.5 (of gru, dropout 1.5)" in text
    assert len(caught.value.mistakes) == 2


@pytest.mark.parametrize(
    ("vary", "said"),
    [
        ({}, "vary: expected recipe paths"),
        (["model.cell"], "vary: expected recipe paths"),
        ({"model.cell": "gru"}, r"vary: model\.cell: expected a list of values, got 'gru'"),
        ({"model.cell": []}, r"vary: model\.cell: expected a list of values, got \[\]"),
        ({"model.units": [8, 8.0]}, "has a value twice"),
        ({"seed": [1, 2]}, "seed is what seeds are for"),
        ({"task.kind": ["regression"]}, "decides what a score is of"),
        ({"name": ["a", "b"]}, "name is the same for all"),
        ({"modle.cell": ["gru"]}, r"modle\.cell: is no recipe path \(did you mean 'model'\?\)"),
        ({"units": [2, 3]}, r"units: is no recipe path \(did you mean 'model\.units'\?\)"),
        ({"random_state": [1, 2]}, "seeds says how many trainings each has"),
        ({"model.units": list(range(1, 40)), "model.patch": list(range(1, 40))}, "1,521 comb"),
    ],
)
def test_what_cannot_vary(vary, said):
    with pytest.raises(RecipeError, match=said):
        variants(RECIPE, vary)


def test_a_path_with_one_value_tells_nothing_and_is_not_in_the_names():
    vary = {"model.builder": ["stacked_rnn"], "model.units": [[8], [8, 8]], "model.dropout": [0.1]}
    found = variants(RECIPE, vary)
    assert [v.name for v in found] == ["units [8]", "units [8, 8]"]
    assert found[0].changes == {
        "model.builder": "stacked_rnn", "model.units": [8], "model.dropout": 0.1
    }  # fmt: skip
    (alone,) = variants(RECIPE, {"model.cell": ["gru"], "model.units": [8]})
    assert alone.name == "gru, units 8"


def test_names():
    assert name_of({"model.residual": False, "model.layer_norm": False}) == (
        "not residual, not layer_norm"
    )
    assert name_of({"training.learning_rate": 0.00123456}) == "learning_rate 0.001235"
    assert name_of({"model.units": None, "data.columns": ["a", True]}) == (
        "units null, columns [a, true]"
    )
