"""What is tried: the same for the same seed, whatever the order in which trials end."""

from __future__ import annotations

import itertools
import random

import pytest

from kseq.recipe import Recipe
from kseq.search.proposals import DONE, WAIT, Proposals, encoded, seed_of
from kseq.search.section import read_search

SPACE = {
    "model.cell": {"choice": ["gru", "slstm"]},
    "model.units": {"length": [1, 3], "choice": [4, 8]},
    "model.peephole": {"choice": ["diagonal", "full"], "when": {"model.cell": "slstm"}},
    "model.dropout": {"float": [0.0, 0.5], "step": 0.25},
    "training.clip_norm": {"choice": [None, 0.5]},
    "training.batch_size": {"int": [8, 24], "step": 8},
}


def make(tmp_path, name="k", *, space=None, seed=0, **search):
    recipe = Recipe.from_dict(
        {
            "task": "classification",
            "seed": seed,
            "training": {"epochs": 9},
            "search": {"space": space or SPACE, **search},
        }
    )
    return Proposals(read_search(recipe), "accuracy", tmp_path / name)


def score(changes):
    """Some function of the recipe."""
    return len(repr(changes)) % 17 / 17 + changes.get("model.dropout", 0)


def run(proposals, order=None, most=200):
    """Runs trials, several at a time; those running end in a drawn order."""
    ends, running, tried = {}, [], []
    while len(tried) < most:
        answer = proposals.next(ends)
        if isinstance(answer, dict):
            running.append((len(tried), answer))
            tried.append(answer)
            if order is not None and len(running) < 4 and order.random() < 0.7:
                continue
        elif answer == DONE and not running:
            break
        elif answer == WAIT:
            assert running
        place = 0 if order is None else order.randrange(len(running))
        number, changes = running.pop(place)
        ends[number] = score(changes)
    return tried


@pytest.mark.parametrize(
    "strategy",
    ["random", pytest.param("bayesian", marks=pytest.mark.slow), "grid", "hyperband"],
)
def test_the_order_in_which_trials_end_changes_nothing(tmp_path, strategy):
    trials = {"bayesian": 13, "hyperband": 24}.get(strategy, 25)
    search = {"strategy": strategy, "trials": trials}
    alone = run(make(tmp_path, "alone", **search))
    assert len(alone) == trials
    assert alone[0] == {}
    for seed in range(3):
        together = run(make(tmp_path, f"t{seed}", **search), random.Random(seed))
        assert together == alone


@pytest.mark.parametrize("strategy", ["random", "bayesian"])
def test_another_seed_tries_others(tmp_path, strategy):
    first, second = (
        run(make(tmp_path, str(seed), seed=seed, strategy=strategy, trials=6)) for seed in (0, 1)
    )
    assert first != second


def test_a_grid_is_every_combination_once(tmp_path):
    space = {
        "model.cell": {"choice": ["gru", "slstm"]},
        "model.peephole": {"choice": ["diagonal", "full"], "when": {"model.cell": "slstm"}},
        "model.units": {"int": [4, 8], "step": 2},
        "model.dropout": {"float": [0.0, 0.4], "step": 0.2},
    }
    tried = run(make(tmp_path, space=space, strategy="grid"))
    cells = [("gru", None), ("slstm", "diagonal"), ("slstm", "full")]
    wanted = {
        (cell, peephole, units, dropout)
        for (cell, peephole), units, dropout in itertools.product(cells, (4, 6, 8), (0, 0.2, 0.4))
    }
    paths = ("model.cell", "model.peephole", "model.units", "model.dropout")
    found = [tuple(changes.get(path) for path in paths) for changes in tried[1:]]
    assert set(found) == wanted
    assert len(found) == len(wanted)


def test_values_lie_in_the_space_and_conditions_hold(tmp_path):
    lengths = set()
    for changes in run(make(tmp_path, strategy="random", trials=60))[1:]:
        assert ("model.peephole" in changes) == (changes["model.cell"] == "slstm")
        assert changes["training.clip_norm"] in (None, 0.5)
        assert changes["training.batch_size"] in (8, 16, 24)
        assert changes["model.dropout"] in (0.0, 0.25, 0.5)
        assert set(changes["model.units"]) <= {4, 8}
        lengths.add(len(changes["model.units"]))
    assert lengths == {1, 2, 3}


def test_logarithms_are_uniform(tmp_path):
    space = {"training.learning_rate": {"log": [1e-4, 1e-2]}}
    tried = run(make(tmp_path, space=space, strategy="random", trials=200))[1:]
    low = sum(changes["training.learning_rate"] < 1e-3 for changes in tried) / len(tried)
    assert 0.4 < low < 0.6


@pytest.mark.slow
def test_bayesian_finds_what_random_would_not(tmp_path):
    space = {"model.dropout": {"float": [0.0, 0.9]}}

    def best(strategy):
        proposals = make(tmp_path, strategy, space=space, strategy=strategy, trials=20, parallel=1)
        ends = {}
        while isinstance(changes := proposals.next(ends), dict):
            ends[len(ends)] = -((changes.get("model.dropout", 0.9) - 0.637) ** 2)
        return max(ends.values())

    assert best("bayesian") > -1e-4


def test_hyperband_trains_few_epochs_and_then_more(tmp_path):
    tried = run(make(tmp_path, strategy="hyperband"))
    epochs = [changes["training.epochs"] for changes in tried[1:]]
    assert {1, 3, 9} == set(epochs)
    assert epochs[0] == 1
    for changes in tried[1:]:
        if changes["training.epochs"] == 3 and "model.cell" in changes:
            break
    else:
        pytest.fail("nothing was promoted")


@pytest.mark.parametrize("strategy", ["random", "bayesian", "grid", "hyperband"])
def test_failed_trials_hold_nobody_up(tmp_path, strategy):
    proposals = make(tmp_path, strategy=strategy, trials=15)
    ends = {}
    while len(ends) < 15:
        answer = proposals.next(ends)
        if answer == DONE:
            break
        assert isinstance(answer, dict)
        ends[len(ends)] = None if len(ends) % 2 else score(answer)
    assert len(ends) > 8
    proposals.finish(ends)


def test_a_trial_waits_for_those_it_is_chosen_by(tmp_path):
    proposals = make(tmp_path, strategy="bayesian", parallel=2)
    assert isinstance(proposals.next({}), dict)
    assert isinstance(proposals.next({}), dict)
    assert proposals.next({}) == WAIT
    assert proposals.next({1: 0.5}) == WAIT  # trial 0 is the one that counts
    assert isinstance(proposals.next({0: 0.5, 1: 0.5}), dict)


def test_a_space_that_is_used_up_ends_the_search(tmp_path):
    tried = run(make(tmp_path, space={"model.units": {"choice": [4, 8]}}, strategy="random"))
    assert sorted(map(str, tried)) == ["{'model.units': 4}", "{'model.units': 8}", "{}"]


def test_seed_0_is_a_seed():
    assert seed_of(0) > 0
    assert seed_of(0) != seed_of(1)


def test_kinds_that_keras_tuner_does_not_know_keep_their_values():
    recipe = Recipe.from_dict(
        {
            "task": "classification",
            "search": {"space": {"model.units": {"choice": [8, [8, 4]]}}},
        }
    )
    space = encoded(read_search(recipe).space)
    assert space.space[0].values == ["8", "[8, 4]"]
