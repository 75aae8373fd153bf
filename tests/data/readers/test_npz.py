from __future__ import annotations

import numpy as np
import pytest

from kseq.data.home import search_in
from kseq.data.readers.npz import npz
from kseq.errors import DataError, RecipeError

X = np.arange(24.0).reshape(4, 3, 2)
Y = np.array(["a", "b", "a", "b"])


@pytest.fixture
def save(tmp_path):
    def write(**arrays) -> str:
        np.savez_compressed(tmp_path / "a.npz", **arrays)
        return "a.npz"

    with search_in(tmp_path):
        yield write


def test_parts_are_read_by_their_names(save):
    name = save(
        X_train=X, y_train=Y, X_valid=X[:1], y_valid=Y[:1], X_test=X[:2], y_test=Y[:2],
        columns=np.array(["p", "q"]),
    )  # fmt: skip
    data = npz(path=name)
    np.testing.assert_array_equal(data.train.X, X)
    assert data.train.y.tolist() == Y.tolist()
    assert (len(data.valid.X), len(data.test.X)) == (1, 2)
    assert data.columns == ("p", "q")
    assert list(data.files) == ["a.npz"]
    chosen = npz(path=name, columns=["q"])
    np.testing.assert_array_equal(chosen.train.X, X[:, :, 1:])
    assert chosen.columns == ("q",)


def test_a_whole_is_split(save):
    data = npz(
        path=save(X=X[:, :, 0].astype(np.int8), y=np.arange(4, dtype=np.uint8)), split=[3, 1]
    )
    assert data.train.X.shape == (3, 3, 1)
    assert data.train.X.dtype == np.float64
    assert data.test.y.tolist() == [3]
    assert data.test.y.dtype == np.int64


def test_sequences_of_unequal_length_are_cut_by_their_lengths(save):
    data = npz(path=save(X_train=X[:, 0], lengths_train=[1, 3], y_train=[0.5, 1.5]))
    assert [x.tolist() for x in data.train.X] == [X[:1, 0].tolist(), X[1:, 0].tolist()]
    assert data.train.y.tolist() == [0.5, 1.5]
    data = npz(path=save(X=np.arange(5), lengths=[2, 3], y=np.arange(5)), per_step=True)
    assert [y.tolist() for y in data.train.y] == [[0, 1], [2, 3, 4]]
    assert data.train.X[0].shape == (2, 1)


def test_targets_at_every_step_and_several_targets(save):
    data = npz(path=save(X=X, y=np.zeros((4, 3))), per_step=True)
    assert [y.shape for y in data.train.y] == [(3,)] * 4
    assert npz(path=save(X=X, y=np.zeros((4, 2)))).train.y.shape == (4, 2)
    assert npz(path=save(X=X)).train.y is None


def test_a_series_has_columns_and_time_stamps(save):
    series = np.array([[1.0, 10], [np.nan, 20], [3, 30]])
    stamps = np.array(["2020-01-01", "2020-01-02", "2020-01-03"], dtype="M8[D]")
    name = save(series=series, columns=np.array(["a", "b"]), index=stamps)
    data = npz(path=name, split=[2, 1])
    np.testing.assert_array_equal(data.train.X["a"], [1, np.nan])
    assert data.test.X["b"].tolist() == [30]
    assert data.test.index == ["2020-01-03"]
    assert npz(path=name, columns=["b"]).columns == ("b",)
    assert npz(path=save(series=np.arange(3))).train.X["x0"].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"Z": X}, "expected X_train, X or series; it holds Z"),
        ({"X": np.array([[1, "a"]], dtype=object)}, "'X' holds Python objects"),
        ({"X": X, "y": np.array([{}, 1, 2, 3])}, "'y' holds Python objects"),
        ({"X": np.array([["a"]])}, "'X' expected numbers, got <U1"),
        ({"X": X.astype(complex)}, "'X' expected numbers"),
        ({"X": X[0, 0]}, r"'X' expected \(batch, time\[, features\]\), got the shape \(2,\)"),
        ({"X": X[:0]}, "'X' is empty"),
        ({"X": X + np.inf}, "infinite"),
        ({"X": X, "y": Y[:3]}, r"'y' expected the shape \(4\[, targets\]\), got \(3,\)"),
        ({"X": X, "y": [1.0, np.nan, 0, 0]}, r"'y' has missing targets \(NaN\)"),
        ({"X": X[:, 0], "lengths": [1, 2]}, "'lengths' sums to 3, there are 4"),
        ({"X": X[:, 0], "lengths": [4, 0]}, "'lengths' expected whole numbers above zero"),
        ({"X": X[:, 0], "lengths": [4.0]}, "'lengths' expected whole numbers above zero"),
        ({"X_train": X, "X_test": X[:, :, :1]}, "the parts differ in their features"),
        ({"X": X, "columns": np.array(["a"])}, "'columns' expected 2 names"),
        ({"series": X}, r"'series' expected \(time, columns\)"),
        ({"series": [1.0, 2], "index": ["a"]}, "'index' expected 2 time stamps"),
    ],
)
def test_an_array_that_does_not_hold_is_named(save, arrays, message):
    with pytest.raises(DataError, match=message):
        npz(path=save(**arrays))


def test_objects_are_refused_before_anything_is_unpickled(save):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    bomb = np.empty(1, dtype=object)
    bomb[0] = Bomb()
    with pytest.raises(DataError, match="Python objects"):
        npz(path=save(X=bomb))


def test_a_file_cut_anywhere_is_an_error(save, tmp_path):
    content = (tmp_path / save(X=X, y=Y)).read_bytes()
    for cut in range(0, len(content), 23):
        (tmp_path / "a.npz").write_bytes(content[:cut])
        with pytest.raises(DataError, match=r"a\.npz: (not an \.npz|the \.npz file is damaged)"):
            npz(path="a.npz")
    damaged = bytearray(content)
    damaged[80:90] = b"\xaa" * 10
    (tmp_path / "a.npz").write_bytes(damaged)
    with pytest.raises(DataError, match="damaged"):
        npz(path="a.npz")


def test_another_format_is_named(save, tmp_path):
    np.save(tmp_path / "b.npy", X)
    with pytest.raises(DataError, match=r"a single array \(\.npy\)"):
        npz(path="b.npy")
    (tmp_path / "c.npz").write_text("text")
    with pytest.raises(DataError, match=r"not an \.npz file"):
        npz(path="c.npz")


def test_parameters_have_to_fit_the_file(save):
    name = save(X_train=X, y_train=Y)
    with pytest.raises(RecipeError, match=r"data\.split: a\.npz holds its parts"):
        npz(path=name, split=[1, 1])
    with pytest.raises(DataError, match=r"no column 'x10' .*did you mean 'x1'"):
        npz(path=name, columns=["x10"])
    with pytest.raises(RecipeError, match=r"data\.shuffle"):
        npz(path=name, shuffle=1)
    with pytest.raises(RecipeError, match=r"data\.per_step: not for a series"):
        npz(path=save(series=X[0]), per_step=True)
