"""Counts of the real data sets, as their sources state them."""

from __future__ import annotations

import numpy as np
import pytest

from kseq.data.readers.csv import csv
from kseq.data.readers.ts import ts

pytestmark = pytest.mark.usefixtures("data_home")


@pytest.mark.slow
def test_etth1():
    data = csv(layout="series", path="etth1/ETTh1.csv.gz", time="date", split=[8640, 2880, 2880])
    assert data.columns == ("HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT")
    assert [len(p.X["OT"]) for p in (data.train, data.valid, data.test)] == [8640, 2880, 2880]
    assert data.train.index[0] == "2016-07-01 00:00:00"
    whole = csv(layout="series", path="etth1/ETTh1.csv.gz", time="date").train
    assert len(whole.index) == 17_420
    assert whole.index[-1] == "2018-06-26 19:00:00"
    assert not np.isnan(np.stack(list(whole.X.values()))).any()
    assert data.test.index[-1] == whole.index[14_399]


def test_beijing_pm25():
    columns = ["pm2.5", "DEWP", "TEMP", "PRES", "Iws", "Is", "Ir"]
    path = "beijing_pm25/pollution.csv.gz"
    X = csv(layout="series", path=path, columns=columns).train.X
    assert list(X) == columns
    assert {len(values) for values in X.values()} == {43_824}
    assert {name: int(np.isnan(X[name]).sum()) for name in columns}["pm2.5"] == 2_067
    assert sum(int(np.isnan(values).sum()) for values in X.values()) == 2_067


@pytest.mark.parametrize(
    ("name", "train", "test", "channels", "steps", "classes"),
    [
        ("GunPoint", 50, 150, 1, 150, 2),
        ("ItalyPowerDemand", 67, 1029, 1, 24, 2),
        ("BasicMotions", 40, 40, 6, 100, 4),
    ],
)
def test_uea_ucr(name, train, test, channels, steps, classes):
    data = ts(train=f"uea_ucr/{name}_TRAIN.ts.gz", test=f"uea_ucr/{name}_TEST.ts.gz")
    assert data.train.X.shape == (train, steps, channels)
    assert data.test.X.shape == (test, steps, channels)
    assert len(set(data.train.y)) == classes
    assert len(data.columns) == channels


def test_japanese_vowels():
    name = "uea_ucr/JapaneseVowels"
    data = ts(train=f"{name}_TRAIN.ts.gz", test=f"{name}_TEST.ts.gz")
    assert (len(data.train.X), len(data.test.X)) == (270, 370)
    lengths = [len(x) for part in (data.train, data.test) for x in part.X]
    assert (min(lengths), max(lengths)) == (7, 29)
    assert {x.shape[1] for x in data.train.X} == {12}
    assert len(set(data.train.y)) == 9


@pytest.mark.parametrize(
    ("path", "time", "columns", "count", "missing"),
    [
        ("statsmodels_series/co2.csv.gz", "date", ("co2",), 2_284, 59),
        ("statsmodels_series/sunspots.csv.gz", "YEAR", ("SUNACTIVITY",), 309, 0),
        ("prophet_examples/air_passengers.csv.gz", "ds", ("y",), 144, 0),
        ("prophet_examples/wp_log_peyton_manning.csv.gz", "ds", ("y",), 2_905, 0),
        ("prophet_examples/yosemite_temps.csv.gz", "ds", ("y",), 18_721, 12),
    ],
)
def test_single_series(path, time, columns, count, missing):
    data = csv(layout="series", path=path, time=time)
    assert data.columns == columns
    (values,) = data.train.X.values()
    assert (len(values), int(np.isnan(values).sum())) == (count, missing)


def test_elnino_has_a_column_a_month():
    data = csv(layout="series", path="statsmodels_series/elnino.csv.gz", time="YEAR")
    assert len(data.columns) == 12
    assert {len(values) for values in data.train.X.values()} == {61}
