from __future__ import annotations

import numpy as np
import pytest

from kseq.data.batches import SequenceBatches
from kseq.data.sequences import as_sequences

LENGTHS = np.random.default_rng(0).integers(1, 30, 101)
# The first feature of a sequence is its number, so that batches can be read back.
RAGGED = as_sequences([np.full((length, 1), row + 1.0) for row, length in enumerate(LENGTHS)])
EQUAL = as_sequences(np.arange(1.0, 24.0)[:, None].repeat(3, axis=1))


def batches(sequences, **options):
    options = {"batch_size": 8, "ragged": sequences.time is None, "seed": 5, **options}
    targets = options.pop("targets", np.arange(1.0, len(sequences) + 1)[:, None])
    return SequenceBatches(sequences, targets, **options)


def order(data: SequenceBatches) -> list[int]:
    return [int(row) for i in range(len(data)) for row in data[i][1][:, 0]]


@pytest.mark.parametrize("sequences", [EQUAL, RAGGED], ids=["equal", "ragged"])
def test_every_sequence_comes_once_an_epoch_with_its_target(sequences):
    data = batches(sequences)
    for _ in range(3):
        assert sorted(order(data)) == list(range(1, len(sequences) + 1))
        for i in range(len(data)):
            x, y = data[i]
            x = x["x"] if isinstance(x, dict) else x
            np.testing.assert_array_equal(x[:, 0, 0], y[:, 0])
            assert x.dtype == y.dtype == np.float32
        data.on_epoch_end()


@pytest.mark.parametrize("sequences", [EQUAL, RAGGED], ids=["equal", "ragged"])
def test_the_order_depends_on_seed_and_epoch_alone(sequences):
    one, other = batches(sequences), batches(sequences)
    first = order(one)
    assert first == order(other) != order(batches(sequences, seed=6))
    one.on_epoch_end()
    other.on_epoch_end()
    assert order(one) == order(other) != first


def test_without_a_seed_the_given_order_is_kept():
    data = batches(RAGGED, seed=None)
    data.on_epoch_end()
    assert order(data) == list(range(1, len(RAGGED) + 1))


def test_padding_is_zero_and_lengths_are_told():
    data = batches(RAGGED)
    for i in range(len(data)):
        inputs, y = data[i]
        assert inputs["lengths"].dtype == np.int32
        for sequence, length, row in zip(inputs["x"], inputs["lengths"], y[:, 0], strict=True):
            assert length == LENGTHS[int(row) - 1]
            assert (sequence[:length] == row).all()
            assert not sequence[length:].any()


def test_targets_of_every_step_are_nan_on_padding():
    targets = [np.full((length, 2), 7.0) for length in LENGTHS]
    data = batches(RAGGED, targets=targets)
    for i in range(len(data)):
        inputs, y = data[i]
        assert y.shape == (*inputs["x"].shape[:2], 2)
        padding = np.arange(y.shape[1])[None] >= inputs["lengths"][:, None]
        np.testing.assert_array_equal(np.isnan(y), np.repeat(padding[:, :, None], 2, axis=2))


def test_sequences_of_similar_length_share_a_batch():
    def padding(data):
        return sum((data[i][0]["x"][:, :, 0] == 0).sum() for i in range(len(data)))

    assert padding(batches(RAGGED)) < 0.2 * padding(batches(RAGGED, seed=None))
    # Yet the batches do not come shortest first.
    longest = [batches(RAGGED)[i][0]["lengths"].max() for i in range(13)]
    assert longest != sorted(longest)


def test_many_pools_still_hold_every_sequence():
    lengths = np.random.default_rng(1).integers(1, 4, 250)
    sequences = as_sequences([np.ones((length, 1)) for length in lengths])
    assert sorted(order(batches(sequences, batch_size=2))) == list(range(1, 251))


def test_mixup_mixes_sequences_and_targets_by_the_same_share():
    plain, mixed = batches(EQUAL), batches(EQUAL, mixup=0.5)
    changed = 0
    for i in range(len(plain)):
        x, y = mixed[i]
        np.testing.assert_allclose(x[:, 0, 0], y[:, 0], rtol=1e-5)
        assert y.min() >= plain[i][1].min() - 1e-5
        assert y.max() <= plain[i][1].max() + 1e-5
        changed += int((np.abs(y - plain[i][1]) > 1e-3).sum())
        np.testing.assert_array_equal(mixed[i][0], x)
    assert changed > len(EQUAL) / 3
    first = mixed[0][0].copy()
    mixed.on_epoch_end()
    assert not np.array_equal(mixed[0][0], first)


def test_padding_is_the_share_of_steps_that_nobody_needs():
    sequences = as_sequences([np.ones((length, 1)) for length in (1, 4, 1, 4)])
    options = {"batch_size": 2, "ragged": True, "targets": np.ones((4, 1))}
    assert batches(sequences, **options, seed=None).padding == pytest.approx(6 / 16)
    assert batches(sequences, **options, seed=0).padding == 0  # the like share a batch
    assert batches(EQUAL).padding == 0
