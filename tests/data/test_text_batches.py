"""Batches of text: streams, targets a step, and axes that Keras must not fix."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from kseq.data.batches import SequenceBatches
from kseq.data.sequences import as_sequences
from kseq.data.vocabulary import TextOptions, Vocabulary

LENGTHS = np.random.default_rng(0).integers(0, 9, 41)
# The number of a text is its first token, where it has one, and its label.
TEXTS = [[f"t{row}", *("ab" * 8)[1:length]][:length] for row, length in enumerate(LENGTHS)]
OPTIONS = TextOptions(affixes=2, casing=True, digits=False)
VOCABULARY = Vocabulary.learn(TEXTS, OPTIONS)
ENCODED = VOCABULARY.encode(TEXTS)
TAGS = [np.full(length, row, np.int32) for row, length in enumerate(LENGTHS)]
LABELS = np.arange(len(TEXTS))


def batches(targets=LABELS, encoded=ENCODED, **options) -> SequenceBatches:
    return SequenceBatches(encoded, targets, **{"batch_size": 4, "ragged": True, **options})


def contents(data: SequenceBatches) -> list[dict[str, np.ndarray]]:
    return [data[i][0] for i in range(len(data))]


def equal(one: SequenceBatches, other: SequenceBatches) -> bool:
    return all(
        np.array_equal(a[name], b[name])
        for a, b in zip(contents(one), contents(other), strict=True)
        for name in a
    )


@pytest.mark.parametrize("seed", [None, 3])
def test_every_text_comes_once_an_epoch_with_its_target(seed):
    data = batches(seed=seed)
    for _ in range(3):
        rows = np.concatenate([data[i][1] for i in range(len(data))])
        assert sorted(rows.tolist()) == LABELS.tolist()
        for i in range(len(data)):
            inputs, y = data[i]
            assert set(inputs) == {*VOCABULARY.streams, "lengths"}
            assert inputs["lengths"].tolist() == LENGTHS[y.astype(int)].tolist()
            for place, row in enumerate(y.astype(int)):
                alone = VOCABULARY.encode([TEXTS[row]]).inputs([0])
                for name, array in alone.items():
                    got = inputs[name][place]
                    if name != "words" or seed is None:
                        inside = tuple(slice(size) for size in array[0].shape)
                        np.testing.assert_array_equal(got[inside], array[0])
                        assert got.sum() == array.sum(), "and zeros around it"
        data.on_epoch_end()


def test_targets_of_steps_are_ids_and_minus_one_on_padding():
    data = batches(TAGS, seed=1)
    for i in range(len(data)):
        inputs, y = data[i]
        assert y.dtype == np.int32
        assert y.shape == inputs["words"].shape
        valid = np.arange(y.shape[1]) < inputs["lengths"][:, None]
        np.testing.assert_array_equal(y >= 0, valid)
        assert (y[~valid] == -1).all()
        for place, row in enumerate(y):
            assert (LENGTHS[row[valid[place]]] == inputs["lengths"][place]).all()


def test_targets_by_name_are_each_of_their_kind():
    numbers = [np.ones((length, 2)) for length in LENGTHS]
    named = {"tags": TAGS, "classes": LABELS, "numbers": numbers}
    data = batches(named, seed=1)
    for i in range(len(data)):
        y = data[i][1]
        assert list(y) == ["tags", "classes", "numbers"]
        np.testing.assert_array_equal(y["tags"], batches(TAGS, seed=1)[i][1])
        np.testing.assert_array_equal(y["classes"], batches(LABELS, seed=1)[i][1])
        assert y["numbers"].shape == (*y["tags"].shape, 2)
        np.testing.assert_array_equal(np.isnan(y["numbers"][..., 0]), y["tags"] == -1)
        assert y["numbers"].dtype == np.float32


def test_targets_by_name_for_numbers():
    sequences = as_sequences([np.full((length + 1, 1), row) for row, length in enumerate(LENGTHS)])
    tags = [np.zeros(length + 1, np.int64) for length in LENGTHS]
    inputs, y = batches({"tags": tags, "classes": LABELS}, sequences, seed=2)[0]
    assert y["tags"].shape == inputs["x"].shape[:2]
    np.testing.assert_array_equal(inputs["x"][:, 0, 0], y["classes"])


def test_order_and_hidden_words_depend_on_seed_and_epoch_alone():
    one, other = batches(seed=5), batches(seed=5)
    assert equal(one, other)
    assert not equal(one, batches(seed=6))
    first = contents(one)
    one.on_epoch_end()
    other.on_epoch_end()
    assert equal(one, other)
    assert any(
        a["words"].shape != b["words"].shape or (a["words"] != b["words"]).any()
        for a, b in zip(first, contents(one), strict=True)
    )


def test_words_are_hidden_in_training_alone():
    unknown = [sum((b["words"] == 1).sum() for b in contents(batches(seed=s))) for s in (None, 1)]
    assert unknown[0] == 0
    rare = len(VOCABULARY.rare)
    assert 0.25 * rare < unknown[1] < 0.75 * rare
    # A batch that is asked for twice is the same, as where Keras looks at the first ones.
    data = batches(seed=1)
    np.testing.assert_array_equal(data[2][0]["words"], data[2][0]["words"])
    np.testing.assert_array_equal(data[0][0]["words"], data[0][0]["words"])


ALIKE = {
    "all alike": [["aa", "bb"]] * 6,
    "alike in length": [["aa", "b"], ["bbb", "a"]] * 3,
    "alike in characters": [["aa"], ["bb"], ["aa", "bb"], ["bb", "aa"], ["aa"], ["bb"]],
    "first two alike": [["a"]] * 4 + [["abc", "a", "b"]] * 2,
    "empty first": [[], [], [], [], ["abc", "a"], ["a"]],
}


@pytest.mark.parametrize("case", ALIKE)
@pytest.mark.parametrize("seed", [None, 1])
def test_the_first_batch_differs_from_the_second_in_every_free_axis(case, seed):
    encoded = VOCABULARY.encode(ALIKE[case])
    targets = [np.zeros(len(text), np.int32) for text in ALIKE[case]]
    data = batches(targets, encoded, batch_size=2, seed=seed)
    (first, y), (second, other) = data[0], data[1]
    for name in ("words", "casing", "characters", "prefixes", "suffixes"):
        assert first[name].shape[1] != second[name].shape[1]
        assert first[name].shape[1] == y.shape[1]
    assert first["characters"].shape[2] != second["characters"].shape[2]
    assert y.shape[1] != other.shape[1]
    assert first["prefixes"].shape[2] == second["prefixes"].shape[2] == 2
    # What is added is padding.
    plain = encoded.inputs(data._batches[0])
    for name, array in first.items():
        inside = tuple(slice(size) for size in plain[name].shape)
        assert np.count_nonzero(array) == np.count_nonzero(array[inside])


@pytest.mark.parametrize("case", ALIKE)
def test_keras_fixes_no_free_axis(case):
    """A model that is traced for the first batches takes longer texts and tokens after them."""
    inputs = {
        "words": keras.Input((None,), dtype="int32", name="words"),
        "characters": keras.Input((None, None), dtype="int32", name="characters"),
        "prefixes": keras.Input((None, 2), dtype="int32", name="prefixes"),
        "suffixes": keras.Input((None, 2), dtype="int32", name="suffixes"),
        "casing": keras.Input((None,), dtype="int32", name="casing"),
        "lengths": keras.Input((), dtype="int32", name="lengths"),
    }
    flat = keras.layers.Reshape((-1, 2))(inputs["prefixes"])
    letters = keras.ops.cast(keras.ops.sum(inputs["characters"], axis=2), "float32")
    both = keras.layers.Concatenate()(
        [keras.ops.cast(flat, "float32"), keras.ops.expand_dims(letters, -1)]
    )
    model = keras.Model(inputs, keras.layers.Dense(1)(both)[:, :, 0])
    model.compile(loss="mse")
    texts = [*ALIKE[case], ["abcdefgh"] * 7, ["a"]]
    data = batches(
        [np.zeros(len(text), np.int32) for text in texts],
        VOCABULARY.encode(texts),
        batch_size=2,
    )
    history = model.fit(data, epochs=2, verbose=0, shuffle=False).history
    assert np.isfinite(history["loss"]).all()
    assert np.isfinite(model.evaluate(data, verbose=0))


def test_one_batch_is_left_as_it_is():
    data = batches(TAGS, batch_size=64)
    assert len(data) == 1
    assert data[0][0]["words"].shape == (41, LENGTHS.max())
