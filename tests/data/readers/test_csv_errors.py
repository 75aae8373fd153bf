from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from kseq.data.home import search_in
from kseq.data.readers.csv import csv
from kseq.errors import DataError, RecipeError

SERIES = "day,load,wind\n2016-07-01,1,10\n2016-07-02,NA,20\n2016-07-03,3,30\n2016-07-04,4,40\n"


# Without mtime=0 gzip writes the time of day into the bytes, and with it into the tests' names.
PACKED = gzip.compress(SERIES.encode(), mtime=0)


@pytest.fixture
def folder(tmp_path):
    with search_in(tmp_path):
        yield tmp_path


def write(folder: Path, text: str | bytes, name: str = "a.csv") -> str:
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return name


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"\n \n", "the file is empty"),
        (b"\xef\xbb\xbf", "the file is empty"),
        (b"day,load\n", "a header and no rows"),
        (b"day,load\n1,2\n1,2,3\n", "line 3: expected 2 cells as in the header, got 3"),
        (b"day,load\n1\n", "line 2: expected 2 cells as in the header, got 1"),
        (b"x,load\n1,2\n1,high\n", "line 3, column 'load': expected a finite number, got 'high'"),
        (b"x;load\n1;2,5\n", "got '2,5'; write a decimal point"),
        (b"x,load\n1,inf\n", "got 'inf'"),
        (b"x,load\n1,1_000\n", "got '1_000'"),
        (b"x,laod\n1,2\n", r"no column 'load' .*data\.columns.*did you mean 'laod'"),
        (b"x,x\n1,2\n", "'x' stands twice in the header"),
        (b"1.5,2\n1,2\n", r"line 1: expected the names of the columns, got numbers \(1\.5, 2\)"),
        (b'x,load\n1,"2\n3,4\n', "line 2: unexpected end of data"),
        (b'x,load\n1,2\n"a\nb",high\n', "line 3, column 'load'"),
        (b"x,load\n1,2\n\xff\xfe\n", "line 3: not UTF-8 text \\(byte 0xff\\)"),
        ("x,load\n1,2\n".encode("utf-16"), "UTF-16 text; save it as UTF-8"),
        (b"PK\x03\x04\x00\x00\x01", "not a text file"),
        (PACKED[:-12], "the gzip file is cut off"),
        (PACKED[:-12] + b"\0" * 12, "damaged|cut off"),
        (gzip.compress(b"", mtime=0), "the file is empty"),
        (b"\x1f\x8b\x08garbage and more of it", "damaged|cut off"),
    ],
)
def test_a_file_that_does_not_hold_is_an_error_that_says_where(folder, content, message):
    with pytest.raises(DataError, match=message) as caught:
        csv(layout="series", path=write(folder, content), columns=["load"])
    assert str(caught.value).startswith("a.csv")


def test_a_gz_name_on_plain_text_a_folder_and_no_file_are_errors(folder):
    with pytest.raises(DataError, match="not a gzip file, though its name ends in"):
        csv(layout="series", path=write(folder, SERIES, "a.csv.gz"))
    (folder / "sub").mkdir()
    with pytest.raises(DataError, match="sub is a folder"):
        csv(layout="series", path="sub")
    with pytest.raises(DataError, match="no such file"):
        csv(layout="series", path="b.csv")


def test_a_missing_target_id_or_time_names_its_line(folder):
    name = write(folder, "id,t,a,k\nu,1,1,x\n,2,2,x\n")
    with pytest.raises(DataError, match=r"line 3: column 'id' \(data\.id\) is missing \(''\)"):
        csv(layout="long", path=name, id="id", target="k")
    name = write(folder, "t,k,a\n1,NA,1\n?,x,2\n")
    with pytest.raises(DataError, match=r"line 2: column 'k' \(data\.target\)"):
        csv(layout="wide", path=name, target="k")
    with pytest.raises(DataError, match=r"line 3: column 't' \(data\.time\)"):
        csv(layout="series", path=name, time="t")
    # A label that looks like a missing value can be told apart.
    assert csv(
        layout="wide", path=name, columns=["a"], target="k", missing=["-"]
    ).train.y.tolist() == ["NA", "x"]


def test_digests_hold_no_path_of_this_machine(folder):
    write(folder, SERIES)
    data = csv(layout="series", path=str(folder / "a.csv"))
    assert list(data.files) == ["a.csv"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"layout": "series", "train": "a.csv"}, r"data\.train: not in the layout 'series'"),
        ({"layout": "series", "path": "a.csv", "target": "y"}, r"data\.target: not in the layout"),
        ({"layout": "series", "path": "a.csv", "shuffle": 1}, r"data\.shuffle: not in the layout"),
        ({"layout": "wide", "path": "a.csv", "time": "t"}, r"data\.time: not in the layout"),
        ({"layout": "long", "path": "a.csv"}, r"data\.id: missing"),
        (
            {"layout": "long", "path": "a.csv", "id": "i", "per_step": True},
            r"data\.target: missing",
        ),
        (
            {"layout": "long", "path": "a.csv", "id": "i", "target": "i"},
            r"data\.id: 'i' is in data\.target already",
        ),
        ({"layout": "wide", "path": "a.csv", "columns": []}, r"data\.columns: expected at least"),
        ({"layout": "wide", "path": "a.csv", "columns": ["a", "a"]}, r"'a' is in data\.columns"),
    ],
)
def test_parameters_that_make_no_sense_together_are_an_error(folder, given, message):
    with pytest.raises(RecipeError, match=message):
        csv(**given)
