"""The time of the bare matrix products of the stacks in `engine.py`: what no engine goes below.

    python benchmarks/engine_floor.py

All steps of a product are computed as one large one, which is the quickest way there is; a
recurrence has to wait for its state, and adds gates and memory traffic.
"""

from __future__ import annotations

import statistics
import time

import tensorflow as tf
from engine import FEATURES, TIME, UNITS
from scores import machine

GATES = 4 * UNITS


def products(rows: int, training: bool) -> list[tuple[int, int, int]]:
    """Sizes (rows, inner, columns) of the products of both layers for a batch."""
    steps, sizes = rows * TIME, []
    for features in (FEATURES, UNITS):
        sizes += [(steps, features, GATES), (steps, UNITS, GATES)]
        if training:
            # Through the state; weights of input and state; the input, if a layer is below.
            sizes += [(steps, GATES, UNITS), (features, steps, GATES), (UNITS, steps, GATES)]
            sizes += [(steps, GATES, features)] * (features == UNITS)
    return sizes


def milliseconds(size: tuple[int, int, int], repeats: int = 15) -> float:
    """The median time of one product."""
    rows, inner, columns = size
    a, b = tf.random.normal((rows, inner)), tf.random.normal((inner, columns))
    spent = []
    for _ in range(repeats):
        begin = time.perf_counter()
        tf.matmul(a, b)
        spent.append(1000 * (time.perf_counter() - begin))
    return statistics.median(spent)


def main() -> None:
    print(machine())
    for name, rows, training in (
        ("train_32", 32, True),
        ("train_64", 64, True),
        ("predict_256", 256, False),
        ("one_row", 1, False),
    ):
        total = sum(milliseconds(size) for size in products(rows, training))
        print(f"{name}: {total:.1f} ms a batch, {1000 * rows / total:.0f} sequences a second")


if __name__ == "__main__":
    main()
