from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest

from kseq.data.home import search_in
from kseq.data.readers.csv import csv
from kseq.errors import DataError, RecipeError
from kseq.schema import fill

TEXTS = 'text,label\n" Where is, my ""card""? ",card\nNA,null\n,card\n007,x\n'
NAMES = "Ana\tSpanish\nBo\tDanish\nAna\tSpanish\nAna\tCzech\n"


@pytest.fixture
def folder(tmp_path):
    with search_in(tmp_path):
        yield tmp_path


def write(folder: Path, text: str | bytes, name: str = "a.csv") -> str:
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return name


def test_texts_are_read_as_they_stand(folder):
    name = write(folder, TEXTS.replace("null", "other"))
    data = csv(layout="text", path=name, text="text", target="label")
    assert data.train.X == [' Where is, my "card"? ', "NA", "", "007"]
    assert data.train.y.tolist() == ["card", "other", "card", "x"]
    assert data.columns == ()
    data = csv(layout="text", path=write(folder, "a;b\nx ; y \n"), text="a", target="b")
    assert (data.train.X, data.train.y.tolist()) == (["x "], ["y"])


def test_texts_may_hold_line_ends_and_be_the_only_column(folder):
    data = csv(layout="text", path=write(folder, 't\n"a\r\nb"\n\nc\u2028d\n\n'), text="t")
    assert data.train.X == ["a\r\nb", "", "c\u2028d"]
    assert data.train.y is None


def test_targets_may_be_numbers_one_or_many(folder):
    name = write(folder, "t,a,b\nx,1,0.5\ny,2,1\n")
    data = csv(layout="text", path=name, text="t", target="a", id="b")
    assert (data.train.y.tolist(), data.train.y.dtype) == ([1, 2], np.int64)
    assert data.train.ids == ["0.5", "1"]
    assert csv(layout="text", path=name, text="t", target="b").train.y.tolist() == [0.5, 1]
    y = csv(layout="text", path=name, text="t", target=["a", "b"], distinct=True).train.y
    assert y.tolist() == [[1, 0.5], [2, 1]]


def test_parts_are_files_and_share_the_type_of_targets(folder):
    train = write(folder, gzip.compress(b"t,k\na,1\n", mtime=0), "train.csv.gz")
    data = csv(layout="text", train=train, test=write(folder, "k,t\nx,b\n"), text="t", target="k")
    assert (data.train.X, data.test.X, data.valid) == (["a"], ["b"], None)
    assert data.train.y.tolist() == ["1"]
    assert set(data.files) == {"train.csv.gz", "a.csv"}


def test_a_file_without_a_header_is_given_one(folder):
    name = write(folder, NAMES)
    given = {"path": name, "header": ["name", "language"], "delimiter": "\t"}
    data = csv(layout="text", text="name", target="language", **given)
    assert data.train.X == ["Ana", "Bo", "Ana", "Ana"]
    data = csv(layout="text", text="name", target="language", distinct=True, **given)
    assert data.train.X == ["Ana", "Bo", "Ana"]
    assert data.train.y.tolist() == ["Spanish", "Danish", "Czech"]
    assert csv(layout="text", text="name", distinct=True, **given).train.X == ["Ana", "Bo"]
    name = write(folder, "1,2\n3,4\n")
    data = csv(layout="series", path=name, header=["a", "b"])
    assert data.train.X["b"].tolist() == [2, 4]
    with pytest.raises(
        DataError, match=r"a\.csv, line 1: expected 1 cells as in data\.header, got 2"
    ):
        csv(layout="series", path=name, header=["a"])


def test_quotation_marks_can_be_text(folder):
    name = write(folder, 't\tk\n"Oh" she said\tx\n"\ty\n')
    with pytest.raises(DataError, match=r"line 2: .* set data\.quotes to false"):
        csv(layout="text", path=name, text="t", target="k")
    data = csv(layout="text", path=name, text="t", target="k", quotes=False)
    assert data.train.X == ['"Oh" she said', '"']


def test_a_split_by_hash_looks_at_target_and_text_alone(folder):
    rows = [(f"name{i}", "ab"[i % 2]) for i in range(200)]
    split = {"by": "hash", "shares": [5, 2, 3]}

    def parts(rows: list[tuple[str, str]], **given):
        name = write(folder, "n,k\n" + "".join(f"{n},{k}\n" for n, k in rows))
        data = csv(layout="text", path=name, text="n", target="k", **given)
        return {
            role: set(zip(part.X, part.y.tolist(), strict=True))
            for role, part in (("train", data.train), ("valid", data.valid), ("test", data.test))
            if part
        }

    found = parts(rows, split=split)

    def bucket(name: str, kind: str) -> int:
        return int(hashlib.md5((kind + name).encode()).hexdigest(), 16) % 10

    for role, buckets in (("test", range(3)), ("valid", range(3, 5)), ("train", range(5, 10))):
        assert found[role] == {row for row in rows if bucket(*row) in buckets}
    assert set().union(*found.values()) == set(rows)
    later = parts([("new", "a"), *rows[::-1]], split=split)
    assert all(found[role] <= later[role] for role in found)
    two = parts(rows, split={"by": "hash", "shares": [7, 3]})
    assert two["test"] == found["test"]
    tenths = parts(rows, split={"by": "hash"})
    assert tenths["test"] < found["test"]
    with pytest.raises(
        DataError, match=r"a\.csv: texts: data\.split\.shares \[8, 1, 1\] of 1 leaves"
    ):
        parts(rows[:1], split={"by": "hash"})


def test_a_recipe_can_ask_for_a_split_by_hash():
    given = {"layout": "text", "path": "x", "text": "t", "split": {"by": "hash"}}
    filled, mistakes = fill("data", csv, given)
    assert (filled["split"], mistakes) == ({"by": "hash"}, [])
    for wrong in ({"by": "md5"}, {"by": "hash", "shares": [1]}, {"by": "hash", "share": [8, 1]}):
        assert len(fill("data", csv, {**given, "split": wrong})[1]) == 1
    for wrong in ({"shares": [8, 1]}, {"by": "hash", "shares": [8, 0]}, "hash"):
        assert len(fill("data", csv, {**given, "split": wrong})[1]) == 1


@pytest.mark.parametrize(
    ("content", "given", "message"),
    [
        (TEXTS, {"target": "label"}, r"a\.csv, line 3: column 'label' .* is missing \('null'\)"),
        (TEXTS, {"text": "txt"}, r"a\.csv: no column 'txt' \(asked for by data\.text\)"),
        (TEXTS, {"target": "lable"}, r"a\.csv: no column 'lable' \(asked for by data\.target\)"),
        ("text,label\na\n", {}, r"a\.csv, line 2: expected 2 cells as in the header, got 1"),
        (b"text,label\n\xe9,x\n", {}, r"a\.csv, line 2: not UTF-8 text"),
    ],
    ids=range(5),
)
def test_a_file_that_does_not_hold_is_an_error_that_says_where(folder, content, given, message):
    with pytest.raises(DataError, match=message):
        csv(**{"layout": "text", "path": write(folder, content), "text": "text", **given})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"text": None}, r"data\.text: missing; name the column of the texts"),
        ({"columns": ["a"]}, r"data\.columns: not in the layout 'text'"),
        ({"time": "a"}, r"data\.time: not in the layout 'text'"),
        ({"per_step": True, "target": "k"}, r"data\.per_step: not in the layout 'text'"),
        ({"layout": "wide"}, r"data\.text: not in the layout 'wide'"),
        (
            {"layout": "series", "text": None, "distinct": True},
            r"data\.distinct: not in the layout",
        ),
        ({"target": "t"}, r"data\.text: 't' is in data\.target already"),
        ({"header": ["t", "t"]}, r"data\.header: expected a name for each column, no two alike"),
        ({"header": ["t", " "]}, r"data\.header: expected a name for each column"),
        ({"split": {"by": "hash"}, "shuffle": 1}, r"data\.shuffle: a split by hash does not"),
        ({"split": {"by": "hash"}, "path": None, "train": "x"}, r"data\.split: divides one file"),
        (
            {"split": {"by": "hash"}, "layout": "wide", "text": None},
            r"data\.split: only texts are split by hash",
        ),
    ],
    ids=range(12),
)
def test_parameters_that_make_no_sense_together_are_an_error(given, message):
    with pytest.raises(RecipeError, match=message):
        csv(**{"layout": "text", "path": "a.csv", "text": "t", **given})
