"""Batches of text: streams, targets a step, and axes that Keras must not fix."""

from __future__ import annotations

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
    # A batch that is asked for twice is the same.
    data = batches(seed=1)
    np.testing.assert_array_equal(data[2][0]["words"], data[2][0]["words"])
    np.testing.assert_array_equal(data[0][0]["words"], data[0][0]["words"])
