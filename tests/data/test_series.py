from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kseq.data.series import Series, as_series, fill_forward
from kseq.errors import DataError

TABLE = np.arange(8.0).reshape(4, 2)
DAYS = pd.date_range("2020-01-01", periods=4, freq="D")


def test_a_table_of_polars_has_the_names_of_its_columns():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"v": [0, 2, None, 6], "w": TABLE[:, 1]})
    series, form = as_series([frame, frame[:2]])
    assert series[0].columns == ("v", "w")
    assert (form.many, form.flat, form.kind) == (True, False, "mapping")
    np.testing.assert_array_equal(series[0].values, [[0, 1], [2, 3], [np.nan, 5], [6, 7]])
    with pytest.raises(DataError, match=r"series\['v'\]: not all values are numbers"):
        as_series(polars.DataFrame({"v": ["a", "b"]}))


@pytest.mark.parametrize(
    ("data", "columns", "flat", "kind"),
    [
        ([0, 2, 4, 6], (0,), True, "array"),
        ((0, 2, 4, 6), (0,), True, "array"),
        (TABLE[:, 0].astype(np.int32), (0,), True, "array"),
        (TABLE, (0, 1), False, "array"),
        (memoryview(TABLE), (0, 1), False, "array"),
        (np.asfortranarray(TABLE), (0, 1), False, "array"),
        (pd.Series(TABLE[:, 0]), (0,), True, "pandas"),
        (pd.Series(TABLE[:, 0], DAYS, name="sales"), ("sales",), True, "pandas"),
        (pd.DataFrame(TABLE, columns=["a", "b"]), ("a", "b"), False, "pandas"),
        (pd.DataFrame(TABLE), (0, 1), False, "pandas"),
        ({"a": TABLE[:, 0], "b": [1, 3, 5, 7]}, ("a", "b"), False, "mapping"),
    ],
)
def test_one_series_in_every_form(data, columns, flat, kind):
    (series,), form = as_series(data)
    assert series.columns == columns
    assert (form.many, form.flat, form.kind) == (False, flat, kind)
    assert series.values.dtype == np.float64
    np.testing.assert_array_equal(series.values, TABLE[:, : len(columns)])
    assert len(series) == 4


@pytest.mark.parametrize(
    ("data", "lengths"),
    [
        (np.zeros((3, 4, 2)), [4, 4, 4]),
        ([[1.0, 2.0], [3.0]], [2, 1]),
        ([np.zeros((4, 2)), np.zeros((3, 2))], [4, 3]),
        ((np.zeros(4), np.zeros(3)), [4, 3]),
        ([pd.Series([1.0]), pd.Series([1.0, 2.0])], [1, 2]),
        ([{"a": [1, 2]}, {"a": [3]}], [2, 1]),
    ],
)
def test_many_series(data, lengths):
    series, form = as_series(data)
    assert form.many
    assert [len(one) for one in series] == lengths


def test_many_series_may_each_have_a_name_of_their_own():
    table = pd.DataFrame(TABLE, columns=["oslo", "bergen"])
    series, _ = as_series([table["oslo"], table["bergen"]])
    assert [one.columns for one in series] == [(0,), (0,)]
    series, _ = as_series([table["oslo"], table["oslo"][:2]])
    assert [one.columns for one in series] == [("oslo",), ("oslo",)]


@pytest.mark.parametrize(
    "data",
    [
        [1.0, None, 3.0],
        np.array([1, None, 3], dtype=object),
        pd.Series([1, None, 3], dtype="Int64"),
        pd.DataFrame({"a": pd.array([1, None, 3], dtype="Int64")}),
        np.ma.masked_array([1.0, 2.0, 3.0], [False, True, False]),
    ],
    ids=lambda data: type(data).__name__,
)
def test_what_is_missing_becomes_nan(data):
    (series,), _ = as_series(data)
    np.testing.assert_array_equal(series.values[:, 0], [1, np.nan, 3])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "series: expected an array or a table, got NoneType"),
        ("abc", "got str"),
        (5, "expected \\(time,\\) or \\(time, columns\\), got int"),
        ([], "series: is empty; at least one series"),
        (np.zeros(0), "series: is empty, got shape \\(0, 1\\)"),
        (np.zeros((3, 0)), "is empty"),
        ({}, "has no columns"),
        ({"a": []}, "is empty"),
        ({"a": 1.0}, "series\\['a'\\]: expected \\(time,\\)"),
        ({"a": np.zeros((3, 2))}, "series\\['a'\\]: expected \\(time,\\), got shape \\(3, 2\\)"),
        ({"a": [1, 2], "b": [1]}, "its columns differ in length: \\[1, 2\\]"),
        ([[1, 2], 5], "series\\[1\\]: .*got int"),
        (np.zeros((1, 2, 3, 4)), "got shape \\(1, 2, 3, 4\\)"),
        ([1, np.inf], "inf in row 1, column 0"),
        ({"a": [1e39]}, "1e\\+39 in row 0, column 'a' is not a finite float32 number"),
        (np.zeros(3) + 1j, "complex numbers are not supported"),
        ([1, 1j], "complex numbers are not supported"),
        ([1.0, "x"], "not all values are numbers"),
        (pd.Series(DAYS), "not all values are numbers: got datetime64"),
        (pd.DataFrame({"day": DAYS, "a": 1.0}), "series\\['day'\\]: not all values are numbers"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "more than one column 'a'"),
        (pd.DataFrame([[1, 2]], columns=[0.5, 1.5]), "named by text or a position, got 0.5"),
        (pd.Series([1.0] * 4, DAYS[::-1]), "time stamps do not increase; pass series.sort_index"),
        ([{"a": [1]}, {"b": [1]}], "series\\[1\\]: has the columns \\['b'\\]"),
    ],
)
def test_what_is_no_series_is_refused(data, message):
    with pytest.raises(DataError, match=message):
        as_series(data)


def test_select_gives_columns_in_the_order_asked_for():
    series = Series(TABLE, ("a", "b"))
    np.testing.assert_array_equal(series.select(["b", "a"], "X"), TABLE[:, ::-1])
    with pytest.raises(DataError, match="X: the series has no column 'c'; it has 'a', 'b'"):
        series.select(["c"], "X")


def slow_fill(values: np.ndarray, fallback: np.ndarray) -> np.ndarray:
    filled = values.copy()
    for column in range(values.shape[1]):
        observed = [v for v in values[:, column] if not np.isnan(v)]
        last = observed[0] if observed else fallback[column]
        for row in range(len(values)):
            if np.isnan(values[row, column]):
                filled[row, column] = last
            else:
                last = values[row, column]
    return filled


@settings(max_examples=40, deadline=None)
@given(
    arrays(
        np.float64,
        st.tuples(st.integers(1, 8), st.integers(1, 3)),
        elements=st.sampled_from([np.nan, 0.0, 1.0, -2.0]),
    )
)
def test_fill_forward_equals_a_plain_loop(values):
    before = values.copy()
    fallback = np.array([5.0, 6.0, 7.0])[: values.shape[1]]
    np.testing.assert_array_equal(fill_forward(values, fallback), slow_fill(values, fallback))
    np.testing.assert_array_equal(fill_forward(values), slow_fill(values, 0 * fallback))
    np.testing.assert_array_equal(values, before)
