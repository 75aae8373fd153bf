"""The search section: what it takes, and what contradicts itself."""

from __future__ import annotations

import pytest

from kseq.errors import RecipeError
from kseq.metrics.evaluation import METRICS
from kseq.recipe import Recipe
from kseq.search.section import read_search

SPACE = {"model.units": {"choice": [4, 8]}}


def base(task="classification", **search):
    return Recipe.from_dict({"task": task, "search": {"space": SPACE, **search}})


def refused(recipe, **how):
    with pytest.raises(RecipeError) as caught:
        read_search(recipe, **how)
    return str(caught.value)


def test_the_defaults():
    plan = read_search(base())
    assert plan.settings.strategy == "bayesian"
    assert plan.trials == 20
    assert plan.recipe.search == {}
    assert read_search(base(strategy="grid")).trials is None
    assert read_search(base(minutes=1.0)).trials is None
    assert read_search(base(minutes=1.0, trials=7)).trials == 7


@pytest.mark.parametrize(
    ("search", "said"),
    [
        ({"trials": 0}, "search.trials: expected greater than 0"),
        ({"trials": True}, "search.trials: expected integer, got True"),
        ({"minutes": -1}, "search.minutes: expected greater than 0"),
        ({"strategy": "evolution"}, "search.strategy: expected 'bayesian', 'random', 'grid' or"),
        ({"trails": 3}, "search.trails: unknown (did you mean 'trials'?)"),
        ({"metric": "acuracy"}, "search.metric: classification has no 'acuracy' (did you mean"),
        ({"metric": "mase"}, "search.metric: classification has no 'mase'"),
        ({"folds": 1}, "search.folds: expected greater than or equal to 2"),
        ({"cv": "grouped"}, "search.groups: missing"),
        ({"groups": "g.txt"}, "search.groups: is for cv grouped, got cv holdout"),
        ({"holdout": 0}, "search.holdout: expected greater than 0"),
        ({"max_parameters": 10**12}, "search.max_parameters: expected less than or equal to"),
    ],
)
def test_mistakes_have_their_path(search, said):
    assert said in refused(base(**search))


def test_mistakes_in_section_and_space_come_together():
    said = refused(base(trials=0, space={"model.unit": {"choice": [1]}}))
    assert "search.trials" in said
    assert "search.space.model.unit" in said


def test_a_missing_section_says_what_one_looks_like():
    assert "search: {space: {model.units" in refused(Recipe.from_dict({"task": "regression"}))


def test_a_section_from_elsewhere_takes_the_place_of_the_recipes_own():
    plan = read_search(base(trials=3), {"space": SPACE, "trials": 5})
    assert plan.trials == 5


def test_forecasts_are_never_scored_on_the_past():
    assert "choose time_series" in refused(base("forecasting", cv="kfold"))


def test_a_grid_needs_values_that_end():
    said = refused(base(strategy="grid", space={"training.learning_rate": {"log": [0.1, 0.2]}}))
    assert "search.space.training.learning_rate: a grid has no end of log values" in said
    steps = {"model.dropout": {"float": [0.0, 0.4], "step": 0.2}}
    assert read_search(base(strategy="grid", space=steps)).trials is None


def test_hyperband_decides_on_the_epochs():
    space = {"training.epochs": {"choice": [1, 2]}}
    assert "hyperband itself" in refused(base(strategy="hyperband", space=space))


def test_losses_of_different_kinds_cannot_prune():
    recipe = base("regression", prune=True, space={"training.loss": {"choice": ["mse", "mae"]}})
    assert "search.prune: compares trials by their validation loss" in refused(recipe)


def test_groups_from_python_stand_for_the_file():
    assert read_search(base(cv="grouped"), grouped=True).settings.cv == "grouped"
    assert "got cv holdout" in refused(base(), grouped=True)


def test_the_thresholds_of_a_video_make_metrics():
    how = {"space": {"model.filters": {"choice": [2, 4]}}, "metric": "csi_0.5"}
    assert read_search(base({"kind": "video", "thresholds": [0.5]}, **how))
    assert "video has no 'csi_0.5'" in refused(base("video", **how))


@pytest.mark.parametrize("kind", sorted(METRICS))
def test_every_task_has_metrics(kind):
    assert METRICS[kind]
