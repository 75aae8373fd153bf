"""Data from Python as a data set: long tables are what `fit` makes of them."""

from __future__ import annotations

import numpy as np
import pytest

from kseq.errors import DataError
from kseq.recipe import Recipe
from kseq.search.given import as_dataset

pandas = pytest.importorskip("pandas")

CLASSES = Recipe.from_dict({"task": "classification"})
STEPS = Recipe.from_dict({"task": {"kind": "regression", "per_step": True}})
# The sequence 7 has two steps, of which the later one stands first; 3 has one.
FRAME = pandas.DataFrame({"id": [7, 3, 7], "time": [2, 0, 1], "a": [1.0, 2.0, 3.0], "b": 0.5})
INDEXED = FRAME.set_index(["id", "time"])


@pytest.mark.parametrize("frame", [FRAME, INDEXED])
@pytest.mark.parametrize(
    "y", [pandas.Series({3: "up", 7: "down"}), ["down", "up"], np.array(["down", "up", "down"])]
)
def test_a_long_table_with_a_label_for_each_sequence(frame, y):
    part = as_dataset(CLASSES, frame, y, None).train
    assert [x.tolist() for x in part.X] == [[[3.0, 0.5], [1.0, 0.5]], [[2.0, 0.5]]]
    assert part.y.tolist() == ["down", "up"]


def test_other_long_tables_have_the_columns_of_the_first():
    y, other = pandas.Series({3: "up", 7: "down"}), FRAME[["b", "time", "a", "id"]]
    found = as_dataset(CLASSES, FRAME, y, (other, y), (other, y))
    for part in (found.valid, found.test):
        assert [x.tolist() for x in part.X] == [x.tolist() for x in found.train.X]
        assert part.y.tolist() == ["down", "up"]
    with pytest.raises(DataError, match="test X: has no column 'a'"):
        as_dataset(CLASSES, FRAME, y, None, (FRAME.drop(columns="a"), y))
    with pytest.raises(DataError, match="validation y: has nothing for the sequence 7"):
        as_dataset(CLASSES, FRAME, y, (FRAME, {3: "up"}))


def test_targets_of_steps_go_to_their_sequences():
    part = as_dataset(STEPS, FRAME, FRAME["a"], None).train
    assert [y.tolist() for y in part.y] == [[3.0, 1.0], [2.0]]


def test_a_polars_table():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame(FRAME.to_dict("list"))
    assert as_dataset(CLASSES, frame, ["down", "up"], None).train.X[0].tolist() == [
        [3.0, 0.5],
        [1.0, 0.5],
    ]
