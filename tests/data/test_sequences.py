from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from kseq.data.sequences import Sequences, as_sequences
from kseq.errors import DataError

CUBE = np.arange(24.0).reshape(3, 4, 2)
RAGGED = [CUBE[0], CUBE[1, :2], CUBE[2, :1]]
READ_ONLY = CUBE.copy()
READ_ONLY.setflags(write=False)


@pytest.mark.parametrize(
    "given",
    [
        CUBE,
        CUBE.astype(np.float32),
        CUBE.astype(np.int16),
        CUBE.astype(object),
        np.asfortranarray(CUBE),
        np.repeat(CUBE, 2, axis=0)[::2],
        READ_ONLY,
        memoryview(CUBE),
        CUBE.tolist(),
        list(CUBE),
        tuple(CUBE),
        (sequence for sequence in CUBE),
        pd.Series(list(CUBE)),
        [pd.DataFrame(sequence) for sequence in CUBE],
        [memoryview(sequence) for sequence in CUBE],
    ],
    ids=lambda given: type(given).__name__,
)
def test_every_rectangular_form_is_one_array(given):
    sequences = as_sequences(given)
    padded = sequences.padded(np.arange(3))
    assert padded.dtype == np.float32
    np.testing.assert_array_equal(padded, CUBE)
    assert (sequences.features, sequences.time, len(sequences)) == (2, 4, 3)
    assert sequences.lengths.tolist() == [4, 4, 4]


@pytest.mark.parametrize(
    "given",
    [
        RAGGED,
        [sequence.tolist() for sequence in RAGGED],
        np.array([*RAGGED, None], dtype=object)[:3],
        pd.Series(RAGGED),
        [pd.DataFrame(sequence) for sequence in RAGGED],
        [sequence.astype(np.float16) for sequence in RAGGED],
    ],
    ids=lambda given: type(given).__name__,
)
def test_every_ragged_form_keeps_its_lengths(given):
    sequences = as_sequences(given)
    assert sequences.lengths.tolist() == [4, 2, 1]
    assert sequences.time is None
    for value, expected in zip(sequences.values, RAGGED, strict=True):
        np.testing.assert_array_equal(value, expected)
    np.testing.assert_array_equal(sequences.steps(), np.concatenate(RAGGED))


@pytest.mark.parametrize(
    ("given", "lengths"),
    [
        (CUBE[:, :, 0], [4, 4, 4]),
        (pd.DataFrame(CUBE[:, :, 0]), [4, 4, 4]),
        (pd.DataFrame(CUBE[:, :, 0]).astype(object), [4, 4, 4]),
        (np.array([[True, False]]), [2]),
        ([[1, 2, 3], [4]], [3, 1]),
        ([np.array([1.0]), np.array([[2.0], [3.0]])], [1, 2]),
    ],
)
def test_two_dimensions_are_sequences_of_one_feature(given, lengths):
    sequences = as_sequences(given)
    assert sequences.features == 1
    assert sequences.lengths.tolist() == lengths


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, "X: expected an array or a list of arrays, got NoneType"),
        ("abc", "got str"),
        ({"a": [1]}, "got dict"),
        (5, "expected \\(n, time, features\\)"),
        ([], "X: is empty"),
        (np.zeros((0, 3, 1)), "X: is empty"),
        (np.zeros((2, 0, 3)), "0 time steps"),
        ([[], [1.0]], "X\\[0\\]: has 0 time steps"),
        (np.zeros((2, 3, 0)), "0 feature\\(s\\)"),
        ([np.zeros((2, 0)), np.zeros((3, 0))], "X\\[0\\]: has 0 features"),
        (np.zeros(3), "one sequence alone is X\\[None\\]"),
        (np.zeros((1, 2, 3, 4, 5, 6, 7)), "got an array of shape \\(1, 2, 3, 4, 5, 6, 7\\)"),
        ([np.zeros((1, 2, 3, 4, 5, 6)), np.zeros(1)], "X\\[0\\]: expected \\(time, features\\)"),
        ([{"a": 1}], "X\\[0\\]: .*got dict"),
        (sparse.csr_array(np.eye(3)), "sparse data is not supported; pass X.toarray\\(\\)"),
        ([sparse.csr_array(np.eye(3))], "X\\[0\\]: .*got csr_array"),
        (CUBE + 1j, "Complex data not supported"),
        ([CUBE[0], CUBE[1, :2] + 1j], "X\\[1\\]: Complex data not supported"),
        (np.array([["2020-01-01"]], "M8[D]"), "not all values are numbers: got datetime64"),
        (np.zeros((3, 2), [("a", "f4")]), "not all values are numbers"),
        ([[1, "a"]], "not all values are numbers"),
        ([["x"], ["y", "z"]], "X\\[0\\]: not all values are numbers"),
        (pd.DataFrame({"a": [1], "b": ["x"]}), "not all values are numbers"),
        (pd.DataFrame({"text": ["a film"]}), "'a film'; text is a list of strings"),
        ([[[1, 2], [3]]], "X\\[0\\]: its time steps differ in their number of features"),
        ([np.zeros((2, 3)), np.zeros((3, 2))], "X\\[1\\]: has 2 features .*X\\[0\\] has 3"),
        (np.where(CUBE == 3, np.nan, CUBE), "NaN in sequence 0, step 1, feature 1"),
        (np.where(CUBE == 3, -np.inf, CUBE), "-inf in sequence 0"),
        ([[1, None], [2, 3]], "NaN in sequence 0, step 1"),
        ([[1, 2], [3, np.inf, 4]], "X\\[1\\]: inf in step 1, feature 0"),
        (CUBE * 1e300, "2.3e\\+301 is too large for float32"),
        ([CUBE[0], CUBE[1, :2] * 1e300], "X\\[1\\]: .*too large for float32"),
        (np.ma.masked_array(CUBE, CUBE > 3), "has masked values"),
    ],
)
def test_what_is_no_sequence_is_refused(given, message):
    with pytest.raises(DataError, match=message):
        as_sequences(given)


def test_the_number_of_features_must_be_that_of_the_fit():
    with pytest.raises(DataError, match=r"history: has 2 features .* fitted with 3"):
        as_sequences(CUBE, features=3, name="history")


def test_rows_are_padded_with_zeros_to_their_longest():
    sequences = as_sequences(RAGGED)
    padded = sequences.padded(np.array([2, 1, 0]))
    assert padded.shape == (3, 4, 2)
    for given, row in zip(padded, [2, 1, 0], strict=True):
        np.testing.assert_array_equal(given[: len(RAGGED[row])], RAGGED[row])
        assert not given[len(RAGGED[row]) :].any()
    assert sequences.padded(np.array([2, 1])).shape == (2, 2, 2)
    assert as_sequences(CUBE).padded(np.array([0])).shape == (1, 4, 2)


@pytest.mark.parametrize("given", [CUBE, RAGGED], ids=["equal", "ragged"])
def test_inputs_are_the_padded_rows_and_their_lengths(given):
    sequences, rows = as_sequences(given), np.array([2, 1])
    inputs = sequences.inputs(rows, rng=np.random.default_rng(0))
    assert set(inputs) == {"x", "lengths"}
    np.testing.assert_array_equal(inputs["x"], sequences.padded(rows))
    assert inputs["x"].dtype == np.float32
    assert inputs["lengths"].dtype == np.int32
    assert inputs["lengths"].tolist() == [len(given[2]), len(given[1])]


@pytest.mark.parametrize("given", [CUBE, RAGGED], ids=["equal", "ragged"])
def test_take_picks_rows_in_the_order_asked_for(given):
    taken = as_sequences(given).take(np.array([2, 0]))
    assert isinstance(taken, Sequences)
    np.testing.assert_array_equal(taken.values[0], given[2])
    np.testing.assert_array_equal(taken.values[1], given[0])


def test_the_given_array_is_not_changed():
    given = CUBE.copy()
    as_sequences(given).padded(np.array([0]))[:] = -1
    np.testing.assert_array_equal(given, CUBE)


@pytest.mark.parametrize(
    ("shape", "form"),
    [
        ((4, 3, 6, 5), [6, 5, 1]),
        ((4, 3, 6, 5, 2), [6, 5, 2]),
        ((4, 3, 2, 6, 5, 2), [2, 6, 5, 2]),
    ],
)
@pytest.mark.parametrize("ragged", [False, True])
def test_clips_are_sequences_too(shape, form, ragged):
    X = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    given = [clip[: 1 + n % 3] for n, clip in enumerate(X)] if ragged else X
    found = as_sequences(given)
    assert [*found.frame, found.features] == form
    assert found.values[0].dtype == np.float32
    batch = found.inputs(np.array([1, 0]))
    assert batch["x"].shape == (2, 2 if ragged else 3, *form)
    np.testing.assert_array_equal(batch["x"][0, :2].reshape(X[1, :2].shape), X[1, :2])
    assert found.steps().shape == (sum(map(len, given)) * np.prod(form[:-1]), form[-1])


@pytest.mark.parametrize(
    ("X", "frame", "message"),
    [
        (np.zeros((2, 3, 4, 4)), [4, 5], "has frames of 4 x 4 pixels, but the model was fitted to"),
        (np.zeros((2, 3, 1)), [4, 5], "has features and no frames, but .* frames of 4 x 5 pixels"),
        (np.zeros((2, 3, 4, 4)), [], "has frames of 4 x 4 pixels, but .* features and no frames"),
    ],
)
def test_clips_are_like_those_of_the_fit(X, frame, message):
    with pytest.raises(DataError, match=message):
        as_sequences(X, features=1, frame=frame)


def test_frames_that_differ_are_named():
    message = r"X\[1\]: has frames of 4 x 5 pixels, but X\[0\] has frames of 4 x 4 pixels"
    with pytest.raises(DataError, match=message):
        as_sequences([np.zeros((2, 4, 4)), np.zeros((3, 4, 5))])
    bad = np.zeros((1, 2, 4, 4))
    bad[0, 1, 2, 3] = np.nan
    with pytest.raises(DataError, match=r"NaN in sequence 0, frame 1, pixel \(2, 3\), channel 0"):
        as_sequences(bad)
