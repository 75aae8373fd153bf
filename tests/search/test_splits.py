"""Cross-validation: nothing is scored that was learned from, and time goes forward."""

from __future__ import annotations

import numpy as np
import pytest

from kseq.data.dataset import Dataset, Part
from kseq.errors import DataError, RecipeError
from kseq.recipe import Recipe
from kseq.search.section import Search
from kseq.search.splits import splits


def of(kind, data, groups=None, *, task=None, training=None, **search):
    recipe = Recipe.from_dict({"task": {"kind": kind, **(task or {})}, "training": training or {}})
    return splits(recipe.fill(), Search(space={}, **search), data, groups)


def items(count=30, kind="array"):
    X = np.arange(count, dtype=float)[:, None, None] + np.zeros((count, 4, 1))
    y = np.array(["a", "b", "c"])[np.arange(count) % 3]
    return Part(X=X if kind == "array" else list(X), y=y)


def numbers(part):
    return [int(item[0, 0]) for item in part.X]


@pytest.mark.parametrize("kind", ["array", "list"])
def test_folds_score_every_sequence_once(kind):
    found = of("classification", Dataset(train=items(kind=kind)), cv="kfold", folds=5)
    scored = [number for split in found for number in numbers(split.scored)]
    assert sorted(scored) == list(range(30))
    for split in found:
        assert not set(numbers(split.train)) & set(numbers(split.scored))
        assert len(split.train.X) + len(split.scored.X) == 30
        assert np.unique(split.scored.y, return_counts=True)[1].tolist() == [2, 2, 2]
        assert [("a", "b", "c")[n % 3] for n in numbers(split.train)] == list(split.train.y)


def test_groups_are_kept_together():
    groups = [number // 4 for number in range(30)]
    found = of("classification", Dataset(train=items()), groups, cv="grouped", folds=3)
    for split in found:
        inside = {groups[number] for number in numbers(split.train)}
        assert not inside & {groups[number] for number in numbers(split.scored)}
    assert sorted(n for split in found for n in numbers(split.scored)) == list(range(30))


def test_time_goes_forward():
    data = Dataset(train=Part(X=items().X, y=np.arange(30.0)))
    for split in of("regression", data, cv="time_series", folds=4):
        assert max(numbers(split.train)) < min(numbers(split.scored))


def test_the_validation_part_is_scored_on_where_there_is_one():
    data = Dataset(train=items(), valid=items(9))
    (split,) = of("classification", data)
    assert split.scored is data.valid
    assert split.valid is data.valid
    folds = of("classification", data, cv="kfold", folds=3)
    assert all(split.valid is data.valid for split in folds)


def test_without_one_a_share_is_held_out_in_proportion():
    (split,) = of("classification", Dataset(train=items()), holdout=0.3)
    assert len(split.scored.X) == 9
    assert np.unique(split.scored.y, return_counts=True)[1].tolist() == [3, 3, 3]
    assert not set(numbers(split.train)) & set(numbers(split.scored))


def test_the_test_part_is_never_touched():
    test = items(6)
    for split in of("classification", Dataset(train=items(), test=test), cv="kfold"):
        assert split.scored is not test


TASK = {"window": 8, "horizon": 2}


class TestSeries:
    def data(self, many=False):
        one = {"y": np.arange(100.0), "x": -np.arange(100.0)}
        return Dataset(train=Part(X=[one, {n: c[:50] for n, c in one.items()}] if many else one))

    def test_the_last_rows_are_held_out(self):
        (split,) = of("forecasting", self.data(), task=TASK, holdout=0.25)
        assert split.train.X["y"].tolist() == list(range(75))
        assert split.scored.X["x"].tolist() == [-number for number in range(75, 100)]

    def test_folds_grow(self):
        found = of("forecasting", self.data(), task=TASK, cv="time_series", folds=4)
        assert [len(split.train.X["y"]) for split in found] == [20, 40, 60, 80]
        assert [split.scored.X["y"][0] for split in found] == [20, 40, 60, 80]
        assert all(len(split.scored.X["y"]) == 20 for split in found)

    def test_many_series_are_cut_at_the_same_share(self):
        (split,) = of("forecasting", self.data(many=True), task=TASK, holdout=0.2)
        assert [len(table["y"]) for table in split.train.X] == [80, 40]
        assert [len(table["y"]) for table in split.scored.X] == [20, 10]

    def test_too_few_rows_are_counted(self):
        with pytest.raises(DataError, match=r"100 rows leave 5 to learn from .* need 10 and 2"):
            of("forecasting", self.data(), task=TASK, cv="time_series", folds=19)


@pytest.mark.parametrize(
    ("search", "groups", "said"),
    [
        ({"cv": "kfold", "folds": 40}, None, "search.folds 40 of cv kfold need 40"),
        ({"cv": "time_series", "folds": 30}, None, "search.folds 30 of cv time_series need 31"),
        ({"cv": "grouped"}, [1, 2], "search.groups: 2 groups for 30 training sequences"),
        ({"cv": "grouped"}, [1] * 30, "search.groups: 1 groups for search.folds 5"),
        ({"holdout": 0.001}, None, r"search\.holdout 0\.001 of 30 leaves nothing"),
    ],
)
def test_divisions_that_do_not_work(search, groups, said):
    with pytest.raises(DataError, match=said):
        of("classification", Dataset(train=items()), groups, **search)


def test_pruning_needs_something_to_watch():
    data = Dataset(train=items())
    with pytest.raises(RecipeError, match=r"search\.prune: .* nothing is held out"):
        of("classification", data, prune=True, training={"validation_fraction": 0.0})


def test_clips_that_are_made_on_the_fly_cannot_be_divided():
    from kseq.data.moving_digits import MovingDigits

    clips = MovingDigits(np.zeros((1, 8, 8), np.uint8), clips=3, size=16)
    with pytest.raises(DataError, match="made on the fly"):
        of("video", Dataset(train=Part(X=clips)), cv="kfold")
