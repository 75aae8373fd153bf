from __future__ import annotations

import numpy as np
import pytest

from kseq.data.dataset import Part
from kseq.data.split import finish, hashed, roles, slices
from kseq.errors import DataError, RecipeError

NONE = {"path": None, "train": None, "valid": None, "test": None, "split": None, "shuffle": None}


def sizes(count: int, split: list[float] | None) -> dict[str, tuple[int, int]]:
    return {name: (s.start, s.stop) for name, s in slices(count, split, "x: rows").items()}


def test_counts_are_taken_in_order_and_the_rest_is_unused():
    assert sizes(10, [5, 2]) == {"train": (0, 5), "test": (5, 7)}
    assert sizes(10, [5, 2, 3]) == {"train": (0, 5), "valid": (5, 7), "test": (7, 10)}


def test_fractions_that_sum_to_one_use_every_row():
    assert sizes(10, [0.7, 0.2, 0.1]) == {"train": (0, 7), "valid": (7, 9), "test": (9, 10)}
    assert sizes(7, [0.5, 0.5]) == {"train": (0, 3), "test": (3, 7)}
    assert sizes(10, [0.5, 0.2]) == {"train": (0, 5), "test": (5, 7)}


def test_no_split_is_all_for_training():
    assert sizes(10, None) == {"train": (0, 10)}


@pytest.mark.parametrize(
    ("count", "split", "error", "message"),
    [
        (10, [8, 3], DataError, r"x: rows: data\.split asks for 8 \+ 3 = 11, there are 10"),
        (3, [0.9, 0.1], DataError, None),
        (2, [0.4, 0.6], DataError, "leaves none for train"),
        (10, [0.8, 0.3], RecipeError, "sum to at most 1"),
        (10, [5, 0], RecipeError, "above zero"),
        (10, [5, -1], RecipeError, "above zero"),
        (10, [5], RecipeError, "expected"),
    ],
)
def test_a_part_that_would_be_empty_or_absurd_is_an_error(count, split, error, message):
    if message is None:
        assert sizes(count, split) == {"train": (0, 2), "test": (2, 3)}
        return
    with pytest.raises(error, match=message):
        slices(count, split, "x: rows")


def test_files_come_alone_to_be_split_or_by_part():
    assert roles(**NONE | {"path": "a", "split": [1, 1]}) == {"path": "a"}
    assert roles(**NONE | {"train": "a", "test": "b"}) == {"train": "a", "test": "b"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, r"data\.path: missing"),
        ({"test": "b"}, r"data\.path: missing"),
        ({"path": "a", "test": "b", "split": [1, 1]}, r"data\.test: not together with data\.path"),
        ({"path": "a", "valid": "b"}, r"data\.valid: not together"),
        ({"path": "a", "train": "b"}, r"data\.train: not together"),
        ({"train": "a", "split": [1, 1]}, r"data\.split: divides one file"),
        ({"path": "a", "shuffle": 1}, r"data\.shuffle: shuffles before a split"),
    ],
)
def test_parameters_that_contradict_each_other_are_an_error(given, message):
    with pytest.raises(RecipeError, match=message):
        roles(**NONE | given)


def whole(lengths: list[int]) -> Part:
    X = [np.full((length, 1), float(i)) for i, length in enumerate(lengths)]
    count = len(lengths)
    return Part(X=X, y=np.arange(count), ids=[f"s{i}" for i in range(count)])


def test_a_shuffle_keeps_sequences_with_their_targets_and_names():
    done = finish(
        {"path": whole([2] * 20)}, split=[15, 5], shuffle=3, columns=("x",), files={}, what="x"
    )
    again = finish(
        {"path": whole([2] * 20)}, split=[15, 5], shuffle=3, columns=("x",), files={}, what="x"
    )
    seen = []
    for part in (done.train, done.test):
        assert part.X.shape[1:] == (2, 1)
        np.testing.assert_array_equal(part.X[:, 0, 0], part.y)
        assert part.ids == [f"s{i}" for i in part.y]
        seen += part.y.tolist()
    assert sorted(seen) == list(range(20))
    assert seen != list(range(20))
    np.testing.assert_array_equal(done.train.y, again.train.y)


def test_parts_are_lists_where_any_two_lengths_differ():
    parts = {"train": whole([3, 3]), "test": whole([3, 4])}
    done = finish(parts, split=None, shuffle=None, columns=("x",), files={}, what="x")
    assert isinstance(done.train.X, list)
    assert isinstance(done.test.X, list)
    parts["test"] = whole([3])
    done = finish(parts, split=None, shuffle=None, columns=("x",), files={}, what="x")
    assert done.train.X.shape == (2, 3, 1)
    assert done.valid is None


def test_a_split_by_hash_takes_texts_and_tokens_as_they_are():
    whole = Part(X=["a", "b", "e"], y=np.array([1, 2, 3]), ids=["p", "q", "r"])
    split = {"by": "hash", "shares": [1, 1]}
    done = finish(
        {"path": whole}, split=split, shuffle=None, columns=(), files={}, what="x", keys=whole.X
    )
    assert (done.train.X, done.train.y.tolist(), done.train.ids) == (["a", "b"], [1, 2], ["p", "q"])
    assert done.test.X == ["e"]
    with pytest.raises(DataError, match=r"x: texts: data\.split\.shares \[8, 1, 1\] of 2 leaves"):
        hashed(["a", "b"], [8, 1, 1], "x: texts")


def test_tokens_and_tags_are_split_in_order():
    whole = Part(X=[["a"], ["b"], []], y=[(["O"], "x"), (["O"], "y"), ([], "z")])
    done = finish({"path": whole}, split=[2, 1], shuffle=None, columns=(), files={}, what="x")
    assert done.train.X == [["a"], ["b"]]
    assert done.test.y == [([], "z")]
