from __future__ import annotations

import numpy as np
import pytest

from kseq.data.home import search_in
from kseq.data.readers.ts import ts
from kseq.errors import DataError, RecipeError

CLASSES = """# a comment
@problemName Toy
@timestamps FALSE
@missing true
@univariate false
@dimensions 2
@equalLength true
@seriesLength 3
@classLabel true up down
@data
1,2,3:10,20,30:up

# another
4,?,6:40,50,60:down
"""
RAGGED = "@univariate true\n@equalLength false\n@classLabel true 1 2\n@data\n1,2:1\n3,4,5:2\n"
TARGETS = "@univariate true\n@targetlabel true\n@data\n1,2:0.5\n3,4:-2\n"


@pytest.fixture
def toy(tmp_path):
    def write(text: str, name: str = "a.ts") -> str:
        (tmp_path / name).write_text(text)
        return name

    with search_in(tmp_path):
        yield write


def test_sequences_of_one_length_are_an_array_with_text_labels(toy):
    data = ts(path=toy(CLASSES))
    expected = [[[1, 10], [2, 20], [3, 30]], [[4, 40], [np.nan, 50], [6, 60]]]
    np.testing.assert_array_equal(data.train.X, expected)
    assert data.train.y.tolist() == ["up", "down"]
    assert data.columns == ("x0", "x1")
    assert list(data.files) == ["a.ts"]


def test_sequences_of_unequal_length_are_a_list(toy):
    data = ts(train=toy(RAGGED), test=toy(RAGGED, "b.ts"))
    assert [x.tolist() for x in data.train.X] == [[[1], [2]], [[3], [4], [5]]]
    assert data.test.y.tolist() == ["1", "2"]


def test_targets_of_a_regression_are_numbers(toy):
    y = ts(path=toy(TARGETS)).train.y
    assert y.tolist() == [0.5, -2.0]
    assert y.dtype == np.float64


def test_a_file_without_labels_has_no_targets(toy):
    assert ts(path=toy("@univariate true\n@classLabel false\n@data\n1,2\n")).train.y is None


def test_a_single_file_can_be_split_and_shuffled(toy):
    text = CLASSES + "".join(f"{i},{i},{i}:0,0,0:up\n" for i in range(8))
    data = ts(path=toy(text), split=[0.6, 0.2, 0.2], shuffle=1)
    assert [len(p.X) for p in (data.train, data.valid, data.test)] == [6, 2, 2]
    with pytest.raises(RecipeError, match=r"data\.test: not together"):
        ts(path="a.ts", test="b.ts", split=[1, 1])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("@timestamps FALSE", "@timestamps true", "line 3: @timestamps true is not supported"),
        ("@missing true", "@mising true", "line 4: unknown header @mising.*did you mean 'missing'"),
        ("@dimensions 2", "@dimensions two", "line 6: @dimensions expected a whole number"),
        ("@equalLength true", "@equalLength yes", "line 7: @equalLength expected true or false"),
        ("@data\n", "", "line 10: expected a header line"),
        ("@dimensions 2", "@dimensions 3", "line 11: expected 3 channels, got 2"),
        ("4,?,6:", "4,x,6:", "line 14, channel 1, step 2: expected a finite number .* got 'x'"),
        ("4,?,6:", "4,,6:", "line 14, channel 1, step 2: .* got ''"),
        ("4,?,6:", "4,inf,6:", "line 14, channel 1, step 2: .* got 'inf'"),
        ("40,50,60:", "40,50:", "line 14: the channels of a sequence have different lengths"),
        ("4,?,6:40,50,60", "4,5:4,5", "line 14: expected 3 steps as @equalLength is true, got 2"),
        (":down", ":left", "line 14: the label 'left' is not in @classLabel: down, up"),
        (":down", ":?", "line 14: the class label is missing"),
        (":40,50,60:down", ":down", "line 14: expected 2 channels, got 1"),
    ],
)
def test_a_line_that_does_not_hold_is_named(toy, old, new, message):
    assert old in CLASSES
    with pytest.raises(DataError, match=message):
        ts(path=toy(CLASSES.replace(old, new)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("@univariate true\n", "no @data line"),
        ("@univariate true\n@data\n", "no sequence after @data"),
        (TARGETS.replace("0.5", "high"), "line 4: expected a finite number as target, got 'high'"),
        (
            "@classLabel true a\n@targetLabel true\n@data\n1:a\n",
            "both @classLabel and @targetLabel",
        ),
        ("@classLabel true a\n@data\na\n", "line 3: expected some channels, got 0"),
    ],
)
def test_a_file_that_does_not_hold_is_an_error(toy, text, message):
    with pytest.raises(DataError, match=message):
        ts(path=toy(text))


def test_parts_have_to_have_the_same_channels(toy):
    with pytest.raises(DataError, match=r"b\.ts: 1 channels, but a\.ts has 2"):
        ts(train=toy(CLASSES), test=toy(RAGGED, "b.ts"))
