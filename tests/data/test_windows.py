from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kseq.data.windows import WindowBatches, naive, origins

WINDOW, HORIZON = 4, 3
LENGTHS = [12, 7, 9]


@pytest.fixture
def data() -> WindowBatches:
    # Series s has the values 100 s, 100 s + 1, ...: a window that left its series would show it.
    rows = np.concatenate([100 * s + np.arange(n) for s, n in enumerate(LENGTHS)])[:, None] * 1.0
    starts = np.cumsum([0, *LENGTHS[:-1]])
    points = np.concatenate(
        [s + origins(n, WINDOW, HORIZON) for s, n in zip(starts, LENGTHS, strict=True)]
    )
    return WindowBatches(
        rows, rows, -rows, points, window=WINDOW, horizon=HORIZON, batch_size=4, seed=1
    )


def test_a_window_its_targets_and_its_future_lie_in_one_series_and_touch(data):
    seen = []
    for i in range(len(data)):
        inputs, y = data[i]
        for window, future, target in zip(inputs["x"], inputs["future"], y, strict=True):
            together = np.concatenate([window, target])[:, 0]
            assert (np.diff(together) == 1).all()
            assert len(set(together // 100)) == 1
            np.testing.assert_array_equal(future, -target)
            seen.append(target[0, 0])
    expected = [100 * s + o for s, n in enumerate(LENGTHS) for o in origins(n, WINDOW, HORIZON)]
    assert sorted(seen) == expected
    assert len(data) == data.num_batches == -(-len(expected) // 4)


def test_the_order_is_drawn_anew_each_epoch_from_the_seed(data):
    def order(batches):
        return [float(v) for i in range(len(batches)) for v in batches[i][1][:, 0, 0]]

    again = WindowBatches(
        data.inputs, data.targets, None, data.origins, window=4, horizon=3, batch_size=4, seed=1
    )
    first = order(data)
    assert order(again) == first
    data.on_epoch_end()
    again.on_epoch_end()
    assert order(again) == order(data) != first
    assert sorted(order(data)) == sorted(first)
    assert isinstance(again[0][0], np.ndarray)


def test_without_a_seed_the_origins_come_in_order(data):
    plain = WindowBatches(
        data.inputs, data.targets, None, data.origins, window=4, horizon=3, batch_size=4
    )
    plain.on_epoch_end()
    np.testing.assert_array_equal(plain[0][1][:, 0, 0], data.inputs[data.origins[:4], 0])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 14), st.integers(1, 5), st.integers(1, 5), st.integers(0, 16))
def test_origins_equal_a_loop(length, window, horizon, start):
    expected = [
        row
        for row in range(start, length)
        if row - window >= 0 and all(row + step < length for step in range(horizon))
    ]
    assert origins(length, window, horizon, start=start).tolist() == expected


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9), st.integers(1, 7), st.integers(1, 5))
def test_naive_equals_a_loop(origin, horizon, season):
    rows = np.arange(20.0).reshape(10, 2)
    rows[3, 1] = np.nan
    expected = np.full((horizon, 2), np.nan)
    if origin >= season:
        for step in range(horizon):
            row = origin + step
            while row >= origin:
                row -= season
            expected[step] = rows[row]
    np.testing.assert_array_equal(
        naive([(rows, origin), (rows, origin)], horizon, season=season), [expected, expected]
    )
