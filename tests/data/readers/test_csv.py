from __future__ import annotations

import csv as stdlib_csv
import gzip
import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kseq.data.home import search_in
from kseq.data.readers.csv import csv
from kseq.errors import DataError
from kseq.registry import readers
from kseq.schema import fill

NAN = np.nan
SERIES = "day,load,wind\n2016-07-01,1,10\n2016-07-02,NA,20\n2016-07-03,3,30\n2016-07-04,4,40\n"
LONG = "id,t,a,b,kind\nu,2,2,20,x\nv,1,5,50,y\nu,1,1,10,x\nv,2,6,60,y\nu,3,3,30,x\n"
WIDE = "kind,0,1,2\nx,1,2,3\ny,4,,6\nx,7,8,\n"


@pytest.fixture
def folder(tmp_path):
    with search_in(tmp_path):
        yield tmp_path


def write(folder: Path, text: str | bytes, name: str = "a.csv") -> str:
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return name


def test_it_is_registered_and_its_signature_is_a_schema():
    assert readers.get("csv") is csv
    filled, mistakes = fill("data", csv, {"layout": "wide", "path": "x", "split": [0.8, 0.2]})
    assert mistakes == []
    assert filled["split"] == [0.8, 0.2]
    assert fill("data", csv, {"layout": "wide", "split": [5, 2]})[0]["split"] == [5, 2]
    _, mistakes = fill("data", csv, {"layout": "tall", "paht": "x", "split": [1]})
    assert len(mistakes) == 3


# --- series ---


def test_a_series_keeps_its_columns_its_missing_values_and_its_time_stamps(folder):
    name = write(folder, SERIES)
    data = csv(layout="series", path=name, time="day")
    assert data.columns == ("load", "wind")
    np.testing.assert_array_equal(data.train.X["load"], [1, NAN, 3, 4])
    np.testing.assert_array_equal(data.train.X["wind"], [10, 20, 30, 40])
    assert data.train.index == ["2016-07-01", "2016-07-02", "2016-07-03", "2016-07-04"]
    assert (data.valid, data.test, data.train.y) == (None, None, None)
    assert data.files == {name: hashlib.sha256(SERIES.encode()).hexdigest()}


def test_a_series_is_split_along_time(folder):
    name = write(folder, SERIES)
    data = csv(layout="series", path=name, columns=["wind"], time="day", split=[0.5, 0.25, 0.25])
    assert [part.X["wind"].tolist() for part in (data.train, data.valid, data.test)] == [
        [10, 20],
        [30],
        [40],
    ]
    assert data.test.index == ["2016-07-04"]


def test_an_id_column_makes_many_series_each_split_along_its_time(folder):
    name = write(folder, "shop,day,sold\na,1,1\nb,1,5\na,2,2\nb,2,6\na,3,3\nb,3,7\na,4,4\n")
    data = csv(layout="series", path=name, id="shop", time="day", split=[2, 1])
    assert data.train.ids == data.test.ids == ["a", "b"]
    assert [x["sold"].tolist() for x in data.train.X] == [[1, 2], [5, 6]]
    assert [x["sold"].tolist() for x in data.test.X] == [[3], [7]]
    assert data.test.index == [["3"], ["3"]]
    with pytest.raises(DataError, match=r"a\.csv: rows of 'b': data\.split asks for 3 \+ 1 = 4"):
        csv(layout="series", path=name, id="shop", split=[3, 1])


def test_time_that_runs_back_is_an_error(folder):
    name = write(folder, "t,x\n1,1\n3,2\n2,3\n")
    with pytest.raises(DataError, match=r"a\.csv, line 4: t 2 comes after 3; sort the file"):
        csv(layout="series", path=name, time="t")
    name = write(folder, "t,x\nMon,1\nSun,2\nMon,3\n")  # of unknown order: taken as it stands
    assert csv(layout="series", path=name, time="t").train.index == ["Mon", "Sun", "Mon"]


def test_text_columns_are_left_out_but_a_misspelt_number_is_not_overlooked(folder):
    name = write(folder, "name,x\na,1\nb,2\n")
    assert csv(layout="series", path=name).columns == ("x",)
    name = write(folder, "name,x\na,1\nb,2,5\n".replace("2,5", "2.5.1"))
    with pytest.raises(DataError, match=r"line 3, column 'x': .*got '2\.5\.1'; .* 1 numbers"):
        csv(layout="series", path=name)
    name = write(folder, "name,y\na,b\n")
    with pytest.raises(DataError, match="no column of numbers among: name, y"):
        csv(layout="series", path=name)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rows=st.lists(
        st.tuples(
            st.none() | st.floats(allow_nan=False, allow_infinity=False),
            st.integers(-(10**9), 10**9),
        ),
        min_size=1,
        max_size=8,
    ),
    names=st.lists(
        st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1)
        .map(str.strip)
        .filter(lambda text: text and not text[0].isdigit() and text[0] not in "\ufeff+-.٠"),
        min_size=2,
        max_size=2,
        unique=True,
    ),
    delimiter=st.sampled_from([",", ";", "\t"]),
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
    packed=st.booleans(),
    bom=st.booleans(),
)
def test_a_series_comes_back_as_it_was_written(
    folder, rows, names, delimiter, newline, packed, bom
):
    text = io.StringIO(newline="")
    writer = stdlib_csv.writer(text, delimiter=delimiter, lineterminator=newline)
    writer.writerow(names)
    writer.writerows([["" if a is None else repr(a), b] for a, b in rows])
    content = text.getvalue().encode("utf-8-sig" if bom else "utf-8")
    name = "a.csv.gz" if packed else "a.csv"
    write(folder, gzip.compress(content) if packed else content, name)
    data = csv(layout="series", path=name, columns=names, delimiter=delimiter)
    assert data.columns == tuple(names)
    expected = np.array([[NAN if a is None else a, b] for a, b in rows], dtype=float)
    np.testing.assert_array_equal(np.stack([data.train.X[n] for n in names], axis=1), expected)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_found_out(folder, delimiter):
    name = write(
        folder,
        '"a, of ""x""",b\n1,2\n'.replace(",b", f"{delimiter}b").replace("1,", f"1{delimiter}"),
    )
    assert csv(layout="series", path=name).columns == ('a, of "x"', "b")


def test_in_a_table_of_one_column_an_empty_line_is_a_missing_value(folder):
    name = write(folder, "x\n1\n\n3\n\n")
    np.testing.assert_array_equal(csv(layout="series", path=name).train.X["x"], [1, NAN, 3])


# --- long ---


def test_long_rows_are_gathered_by_id_and_sorted_by_time(folder):
    name = write(folder, LONG)
    data = csv(layout="long", path=name, id="id", time="t", target="kind")
    assert data.columns == ("a", "b")
    assert [x.tolist() for x in data.train.X] == [[[1, 10], [2, 20], [3, 30]], [[5, 50], [6, 60]]]
    assert data.train.y.tolist() == ["x", "y"]
    assert data.train.ids == ["u", "v"]
    data = csv(layout="long", path=name, id="id", columns=["b"], target="kind")
    assert data.train.X[0].tolist() == [[20], [10], [30]]


def test_long_targets_may_be_one_a_step(folder):
    name = write(folder, LONG.replace("u,1,1,10,x", "u,1,1,10,z"))
    data = csv(layout="long", path=name, id="id", time="t", target="kind", per_step=True)
    assert [y.tolist() for y in data.train.y] == [["z", "x", "x"], ["y", "y"]]
    with pytest.raises(DataError, match=r"lines 2 and 4: 'u' has the targets x and z; .*per_step"):
        csv(layout="long", path=name, id="id", target="kind")


def test_a_step_may_be_without_a_number_but_not_without_a_label(folder):
    name = write(folder, "id,a,p\nu,1,0.5\nu,2,NA\nv,3,1.5\n")
    data = csv(layout="long", path=name, id="id", target="p", per_step=True)
    assert str([y.tolist() for y in data.train.y]) == "[[0.5, nan], [1.5]]"
    name = write(folder, "id,a,p\nu,1,x\nu,2,NA\nv,3,y\n")
    with pytest.raises(DataError, match=r"line 3: column 'p' \(data\.target\) is missing"):
        csv(layout="long", path=name, id="id", target="p", per_step=True)


def test_several_id_columns_name_a_sequence_together(folder):
    name = write(folder, "y,m,a\n1,1,5\n1,1,6\n1,2,7\n")
    data = csv(layout="long", path=name, id=["y", "m"])
    assert data.train.ids == ["1-1", "1-2"]
    assert [len(x) for x in data.train.X] == [2, 1]


def test_several_targets_are_a_matrix(folder):
    name = write(folder, "id,a,p,q\nu,1,0.5,2\nu,2,0.5,2\nv,3,1.5,4\n")
    data = csv(layout="long", path=name, id="id", target=["p", "q"])
    assert data.columns == ("a",)
    assert data.train.y.tolist() == [[0.5, 2], [1.5, 4]]
    data = csv(layout="long", path=name, id="id", target=["p", "q"], per_step=True)
    assert [y.shape for y in data.train.y] == [(2, 2), (1, 2)]


def test_files_by_part_share_columns_and_the_type_of_targets(folder):
    train = write(folder, "id,note,a,k\nu,n,1,1\nv,n,2,2\n", "train.csv")
    test = write(folder, "k,a,id\nno,3,w\n", "test.csv")
    data = csv(layout="long", train=train, test=test, id="id", target="k")
    assert data.train.y.tolist() == ["1", "2"]
    assert data.test.y.tolist() == ["no"]
    assert data.train.X.shape == (2, 1, 1)
    assert set(data.files) == {"train.csv", "test.csv"}
    test = write(folder, "k,id\n3,w\n", "test.csv")
    with pytest.raises(DataError, match=r"test\.csv: no column 'a'"):
        csv(layout="long", train=train, test=test, id="id", target="k")


def test_long_time_has_to_sort_and_to_be_unique(folder):
    name = write(folder, "id,t,a\nu,1/2/2016,1\nu,2/2/2016,2\n")
    with pytest.raises(DataError, match="cannot be sorted by; expected numbers or ISO dates"):
        csv(layout="long", path=name, id="id", time="t")
    name = write(folder, "id,t,a\nu,10,1\nu,9,2\nu,10,3\n")
    with pytest.raises(DataError, match="lines 2 and 4: 'u' has two rows at t 10"):
        csv(layout="long", path=name, id="id", time="t")


# --- wide ---


def test_wide_rows_are_sequences_and_empty_cells_at_the_end_shorten_them(folder):
    data = csv(layout="wide", path=write(folder, WIDE), target="kind")
    assert data.columns == ("value",)
    for x, expected in zip(data.train.X, [[1, 2, 3], [4, NAN, 6], [7, 8]], strict=True):
        np.testing.assert_array_equal(x[:, 0], expected)
    assert data.train.y.tolist() == ["x", "y", "x"]


def test_wide_rows_of_one_length_are_an_array(folder):
    name = write(folder, "n,0,1,y\np,1,2,0.5\nq,3,4,1\n")
    data = csv(layout="wide", path=name, id="n", target="y", split=[1, 1])
    assert data.train.X.tolist() == [[[1], [2]]]
    assert data.test.y.tolist() == [1.0]
    assert data.test.ids == ["q"]
    data = csv(layout="wide", path=name, columns=["1", "0"], target="y")
    assert data.train.X[0, :, 0].tolist() == [2, 1]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [(("1", "2"), [1, 2]), (("1", "2.5"), [1.0, 2.5]), (("007", "8"), ["007", "8"])],
)
def test_targets_have_the_narrowest_type(folder, cells, expected):
    name = write(folder, f"x,y\n1,{cells[0]}\n2,{cells[1]}\n")
    y = csv(layout="wide", path=name, target="y").train.y
    assert y.tolist() == expected
    assert y.dtype.kind == {int: "i", float: "f", str: "U"}[type(expected[0])]


def test_a_wide_row_without_values_is_an_error(folder):
    with pytest.raises(DataError, match=r"a\.csv, line 3: a sequence without values"):
        csv(layout="wide", path=write(folder, "y,0,1\n1,2,3\n1,,\n"), target="y")
