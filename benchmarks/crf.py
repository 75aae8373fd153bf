"""The CRF beside pytorch-crf, on the same scores: time, and whether they agree.

    python benchmarks/crf.py [--repeat 30] [--threads 1]

Training is the loss and its gradient for emissions and weights, decoding the best tagging of every
row; both with a mask. The two are run in turn, so that both meet the same machine; where others
work on it too, one thread each gives the steadier figures. Needs `torch` and `pytorch-crf` beside
TensorFlow; without them kseq is measured alone.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from kseq.layers.crf import CRF

try:
    import torch
    import torchcrf
except ImportError:
    torch = None

BATCH = 32
Task = Callable[[], tuple[np.ndarray, ...]]


def data(steps: int, tags: int) -> dict[str, np.ndarray]:
    """Random emissions, tags, a right-padded mask and weights."""
    random = np.random.default_rng(0)
    lengths = random.integers(steps // 2, steps + 1, BATCH)
    lengths[0] = steps
    return {
        "emissions": random.normal(size=(BATCH, steps, tags)).astype("float32"),
        "tags": random.integers(0, tags, (BATCH, steps)),
        "mask": np.arange(steps) < lengths[:, None],
        "transitions": random.uniform(-0.1, 0.1, (tags, tags)).astype("float32"),
        "start": random.uniform(-0.1, 0.1, tags).astype("float32"),
        "end": random.uniform(-0.1, 0.1, tags).astype("float32"),
    }


def ours(case: dict[str, np.ndarray]) -> tuple[Task, Task]:
    """The training step and decoding of kseq, each in a `tf.function` of any batch and time."""
    tags = case["transitions"].shape[0]
    crf = CRF()
    crf.build((None, None, tags))
    for name in ("transitions", "start", "end"):
        getattr(crf, name).assign(case[name])
    signature = [
        tf.TensorSpec((None, None, tags)),
        tf.TensorSpec((None, None), tf.int32),
        tf.TensorSpec((None, None), tf.bool),
    ]
    variables = [crf.transitions.value, crf.start.value, crf.end.value]

    @tf.function(input_signature=signature)
    def step(emissions: tf.Tensor, tags: tf.Tensor, mask: tf.Tensor) -> tuple[tf.Tensor, ...]:
        with tf.GradientTape() as tape:
            tape.watch(emissions)
            loss = tf.reduce_sum(crf.negative_log_likelihood(emissions, tags, mask))
        return loss, *tape.gradient(loss, [emissions, *variables])

    @tf.function(input_signature=[signature[0], signature[2]])
    def decode(emissions: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        return crf.decode(emissions, mask)

    emissions, mask = tf.constant(case["emissions"]), tf.constant(case["mask"])
    gold = tf.constant(case["tags"].astype("int32"))
    return (
        lambda: tuple(x.numpy() for x in step(emissions, gold, mask)),
        lambda: (decode(emissions, mask).numpy(),),
    )


def theirs(case: dict[str, np.ndarray]) -> tuple[Task, Task]:
    """The same by pytorch-crf."""
    crf = torchcrf.CRF(case["transitions"].shape[0], batch_first=True)
    weights = (crf.transitions, crf.start_transitions, crf.end_transitions)
    with torch.no_grad():
        for weight, name in zip(weights, ("transitions", "start", "end"), strict=True):
            weight.copy_(torch.tensor(case[name]))
    emissions = torch.tensor(case["emissions"], requires_grad=True)
    gold, mask = torch.tensor(case["tags"]), torch.tensor(case["mask"])

    def step() -> tuple[np.ndarray, ...]:
        for tensor in (emissions, *weights):
            tensor.grad = None
        loss = -crf(emissions, gold, mask)
        loss.backward()
        return loss.detach().numpy(), *(t.grad.numpy() for t in (emissions, *weights))

    def decode() -> tuple[np.ndarray, ...]:
        with torch.no_grad():
            found = crf.decode(emissions, mask)
        padded = np.zeros(case["mask"].shape, "int32")
        padded[case["mask"]] = np.concatenate(found)
        return (padded,)

    return step, decode


def timed(tasks: list[Task], repeat: int) -> list[float]:
    """The median milliseconds of each task, run in turn."""
    for task in tasks:
        task()
    times: list[list[float]] = [[] for _ in tasks]
    for _ in range(repeat):
        for task, spent in zip(tasks, times, strict=True):
            begin = time.perf_counter()
            task()
            spent.append(1000 * (time.perf_counter() - begin))
    return [float(np.median(spent)) for spent in times]


def main() -> None:
    """Prints a table of medians, and fails where the two do not agree."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeat", type=int, default=30)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--threads", type=int, help="of each library; default: its own choice")
    arguments = parser.parse_args()
    if keras.backend.backend() != "tensorflow":
        raise SystemExit("benchmarks/crf.py measures kseq on TensorFlow: unset KERAS_BACKEND")
    if arguments.threads:
        tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
        tf.config.threading.set_inter_op_parallelism_threads(arguments.threads)
        if torch is not None:
            torch.set_num_threads(arguments.threads)
    if torch is None:
        print("torch or pytorch-crf is not installed: kseq alone")
    threads = arguments.threads or "their own"
    print(f"batch {BATCH}, {arguments.steps} steps, {threads} threads, {arguments.repeat} runs")
    print(f"{'tags':>4} {'':10} {'kseq ms':>9} {'pytorch-crf ms':>15} {'ratio':>6}")
    for tags in (20, 100):
        case = data(arguments.steps, tags)
        pairs = [ours(case)] if torch is None else [ours(case), theirs(case)]
        for name, tasks in zip(("training", "decoding"), zip(*pairs, strict=True), strict=True):
            answers = [task() for task in tasks]
            for ours_, theirs_ in zip(answers[0], answers[-1], strict=True):
                np.testing.assert_allclose(ours_, theirs_, rtol=1e-4, atol=1e-4)
            spent = timed(list(tasks), arguments.repeat)
            print(f"{tags:4} {name:10} {spent[0]:9.2f}", end="")
            print(f" {spent[1]:15.2f} {spent[0] / spent[1]:6.2f}" if len(spent) == 2 else "")


if __name__ == "__main__":
    main()
