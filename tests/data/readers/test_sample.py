from __future__ import annotations

import sys

import numpy as np
import pytest

from kseq.data.readers.csv import csv
from kseq.data.readers.sample import sample
from kseq.errors import MissingExtraError, RecipeError


def test_digits_are_read_row_by_row_and_split_in_order():
    data = sample(name="digits")
    assert data.train.X.shape == (1437, 8, 8)
    assert data.test.X.shape == (360, 8, 8)
    assert data.train.y[:10].tolist() == list(range(10))
    assert data.train.X[0, 0].tolist() == [0, 0, 5, 13, 9, 1, 0, 0]
    assert len(data.files["sklearn/digits"]) == 64
    shuffled = sample(name="digits", split=[100, 50, 50], shuffle=3)
    assert len(shuffled.valid.X) == 50
    assert shuffled.train.y[:10].tolist() != list(range(10))


@pytest.mark.parametrize(
    ("name", "count", "missing", "first", "last"),
    [
        ("sunspots", 309, 0, "1700", "2008"),
        ("co2", 2284, 59, "1958-03-29", "2001-12-29"),
        ("elnino", 732, 0, "1950-01", "2010-12"),
    ],
)
def test_series_have_their_counts_and_time_stamps(name, count, missing, first, last):
    pytest.importorskip("statsmodels", reason="the extra `datasets` is not installed")
    data = sample(name=name, split=[0.8, 0.2])
    whole = np.concatenate([data.train.X[name], data.test.X[name]])
    assert (len(whole), int(np.isnan(whole).sum())) == (count, missing)
    assert len(data.train.X[name]) == int(0.8 * count)
    assert (data.train.index[0], data.test.index[-1]) == (first, last)
    assert data.columns == (name,)


def test_the_samples_are_the_files_of_the_same_name(data_home):
    pytest.importorskip("statsmodels", reason="the extra `datasets` is not installed")
    folder = "statsmodels_series"
    from_file = csv(layout="series", path=f"{folder}/co2.csv.gz", time="date").train
    from_sample = sample(name="co2").train
    np.testing.assert_array_equal(from_file.X["co2"], from_sample.X["co2"])
    assert from_file.index == [stamp.replace("-", "") for stamp in from_sample.index]
    years = csv(layout="series", path=f"{folder}/elnino.csv.gz", time="YEAR").train.X
    months = np.stack(list(years.values()), axis=1).reshape(-1)
    np.testing.assert_array_equal(months, sample(name="elnino").train.X["elnino"])


def test_a_missing_library_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "statsmodels.datasets", None)
    with pytest.raises(MissingExtraError, match=r"the sample 'co2' needs .*kseq\[datasets\]"):
        sample(name="co2")


def test_a_series_is_not_shuffled():
    with pytest.raises(RecipeError, match=r"data\.shuffle: not for a series"):
        sample(name="co2", shuffle=1)
