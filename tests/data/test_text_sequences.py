"""Encoded texts, and what a model is given of them."""

from __future__ import annotations

import numpy as np
import pytest

from kseq.data.text_sequences import TextSequences

# Three distinct tokens, of one, two and four characters; the last but one word is rare.
TABLES = {
    "words": np.array([0, 4, 2, 3], np.int32),
    "characters": np.array([[0] * 4, [5, 0, 0, 0], [6, 7, 0, 0], [2, 3, 4, 5]], np.int32),
    "prefixes": np.array([[0, 0], [2, 0], [3, 4], [2, 1]], np.int32),
}
ROWS = [[1, 2, 1], [], [3], [2, 2]]
RARE = np.array([False, False, False, True, False])


def sequences(rate: float = 0.0) -> TextSequences:
    rows = [np.array(row, np.int32) for row in ROWS]
    return TextSequences(rows, np.array([len(row) for row in ROWS]), TABLES, rate * RARE)


@pytest.mark.parametrize("rows", [[0, 1, 2, 3], [2, 0], [1], [3], [1, 1], [2]], ids=str)
def test_inputs_are_the_tables_rows_and_padding(rows):
    inputs = sequences().inputs(np.array(rows))
    lengths = [len(ROWS[row]) for row in rows]
    time = max(1, *lengths)
    assert inputs["lengths"].tolist() == lengths
    assert inputs["words"].shape == (len(rows), time)
    assert inputs["prefixes"].shape == (len(rows), time, 2)
    longest = max([1, *((4, 1, 2, 4)[token] for row in rows for token in ROWS[row])])
    assert inputs["characters"].shape == (len(rows), time, longest)
    assert all(array.dtype == np.int32 for array in inputs.values())
    for place, row in enumerate(rows):
        for name, table in TABLES.items():
            got = inputs[name][place]
            for step in range(time):
                token = ROWS[row][step] if step < len(ROWS[row]) else 0
                expected = table[token]
                if name == "characters":
                    assert not expected[longest:].any()
                    expected = expected[:longest]
                np.testing.assert_array_equal(got[step], expected)


def test_rows_may_be_a_list():
    np.testing.assert_array_equal(
        sequences().inputs([2, 0])["words"], sequences().inputs(np.array([2, 0]))["words"]
    )


def test_rare_words_are_hidden_with_a_generator_alone():
    sequence, rows = sequences(0.99), np.array([2] * 500)
    assert (sequence.inputs(rows)["words"] == 3).all()
    shown = sequence.inputs(rows, rng=np.random.default_rng(0))["words"]
    assert 480 < (shown == 1).sum() <= 500
    assert set(shown.ravel().tolist()) <= {1, 3}
    others = sequence.inputs(np.array([0, 3] * 50), rng=np.random.default_rng(0))["words"]
    assert set(others.ravel().tolist()) == {0, 4, 2}, "padding and common words stay"
    sequences(0.0).inputs(rows, rng=None)


def test_a_rate_of_zero_draws_nothing():
    rng = np.random.default_rng(0)
    sequences(0.0).inputs(np.array([2]), rng=rng)
    assert rng.random() == np.random.default_rng(0).random()


def test_take_keeps_tables_and_lengths():
    taken = sequences(0.5).take(np.array([3, 1]))
    assert len(taken) == 2
    assert taken.lengths.tolist() == [2, 0]
    np.testing.assert_array_equal(taken.hiding, 0.5 * RARE)
    assert taken.tables is TABLES
    whole = sequences().inputs(np.array([3, 1]))
    for name, array in taken.inputs(np.array([0, 1])).items():
        np.testing.assert_array_equal(array, whole[name])


def test_text_has_no_features_and_no_length_of_its_own():
    assert (sequences().features, sequences().time) == (0, None)


def test_the_tables_are_not_changed():
    before = {name: table.copy() for name, table in TABLES.items()}
    inputs = sequences(0.9).inputs(np.arange(4), rng=np.random.default_rng(0))
    for array in inputs.values():
        array[:] = -1
    for name, table in TABLES.items():
        np.testing.assert_array_equal(table, before[name])
