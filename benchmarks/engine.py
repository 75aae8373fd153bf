"""The speed of recurrent layers beside Keras's own and PyTorch's, in one interleaved run.

    python benchmarks/engine.py [--cases train_32 train_64 ...] [--rounds 7]

A stack of two LSTMs of 128 units over 100 steps of 32 features, and a linear output. All sides
start from the same weights, and their outputs are compared before anything is measured. kseq trains
with its own loop and predicts with `kseq.inference`; Keras by `Model.fit` and `Model.predict`;
PyTorch by a plain loop with denormal numbers flushed. *one_row* is `estimator.predict` for kseq.
*length* is kseq alone: what a training step costs as sequences become longer. *bilstm* and
*conv_lstm* are described in files of their own. *kseq on torch* is kseq on Keras's PyTorch backend.

Each side lives in a process of its own; they take turns within every round, and ratios are taken
within a round. The machine should be idle. The figures replace those in `results/engine.json`.
Without `torch`, Keras is compared alone.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import engine_bilstm
import engine_conv
import numpy as np
from scores import machine
from tagger import Line, Worker

RESULTS = Path(__file__).parent / "results" / "engine.json"
TIME, FEATURES, UNITS = 100, 32, 128
LENGTHS = (50, 100, 200, 400, 800, 1600)
CASES = ("train_32", "train_64", "predict_256", "one_row", "length", "bilstm", "conv_lstm")
ON_TORCH = ("kseq on torch", "torch")
OTHERS = {"bilstm": engine_bilstm, "conv_lstm": engine_conv}
STACKS = ("train_32", "train_64", "predict_256")
BATCHES = 8  # of training in a turn
REPEATS = 20  # of prediction in a turn


def data(rows: int, steps: int = TIME) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, steps, FEATURES)).astype(np.float32)
    return x, rng.normal(size=(rows, 1)).astype(np.float32)


# --- the sides: each gives, for a case, a sample of its outputs and a turn of work ---


def torch_side(case: str, weights: list[np.ndarray]) -> tuple[Any, Callable[[], float]]:
    import torch

    torch.set_flush_denormal(True)
    lstm = torch.nn.LSTM(FEATURES, UNITS, 2, batch_first=True)
    dense = torch.nn.Linear(UNITS, 1)
    kernels = [torch.from_numpy(each) for each in weights]
    with torch.no_grad():
        for layer in (0, 1):
            kernel, recurrent, bias = kernels[3 * layer : 3 * layer + 3]
            getattr(lstm, f"weight_ih_l{layer}").copy_(kernel.T)  # the gates stand in one order
            getattr(lstm, f"weight_hh_l{layer}").copy_(recurrent.T)
            getattr(lstm, f"bias_ih_l{layer}").copy_(bias)
            getattr(lstm, f"bias_hh_l{layer}").zero_()
        dense.weight.copy_(kernels[6].T)
        dense.bias.copy_(kernels[7])
    optimizer = torch.optim.Adam([*lstm.parameters(), *dense.parameters()], fused=True)

    def forward(x: np.ndarray) -> Any:
        return dense(lstm(torch.from_numpy(x))[0][:, -1])

    with torch.inference_mode():
        sample = forward(data(8)[0]).numpy()
    if not case.startswith("train"):
        rows = 1 if case == "one_row" else 256
        x = data(rows)[0]

        def predict() -> float:
            with torch.inference_mode():
                return timed(lambda: forward(x).numpy(), rows)

        return sample, predict
    batch = int(case.split("_")[1])
    x, y = data(batch * BATCHES)

    def train() -> float:
        def epoch() -> None:
            for start in range(0, len(x), batch):
                optimizer.zero_grad()
                target = torch.from_numpy(y[start : start + batch])
                loss = (forward(x[start : start + batch]) - target).square().mean()
                loss.backward()
                optimizer.step()

        return timed(epoch, len(x), repeats=1)

    return sample, train


def keras_side(side: str, case: str, weights: list[np.ndarray]) -> tuple[Any, Callable[[], float]]:
    import keras

    from kseq import SequenceRegressor
    from kseq.data.batches import SequenceBatches
    from kseq.data.sequences import as_sequences
    from kseq.inference import Forward
    from kseq.layers import LSTM
    from kseq.training import loop as loop_of_kseq
    from kseq.training.adam import FusedAdam

    ours = side != "keras"
    layer = LSTM if ours else keras.layers.LSTM
    loop_of_kseq._MANY = 0  # a turn is part of a longer training, where compiling pays
    steps = int([*case.split("_"), TIME][2]) if case.startswith("train") else TIME
    x = keras.Input((steps, FEATURES), name="x")
    h = layer(UNITS)(layer(UNITS, return_sequences=True)(x))
    y = {"y": keras.layers.Dense(1, name="y")(h)}
    model, named = keras.Model(x, y), keras.Model({"x": x}, y)  # over the same layers
    model.set_weights(weights)
    model.compile(FusedAdam() if ours else keras.optimizers.Adam(), "mse", jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    forward = Forward(named)
    sample = forward({"x": data(8, steps)[0]})["y"]
    if case == "one_row":
        x_one = data(1)[0]
        if not ours:
            return sample, lambda: timed(lambda: model.predict(x_one, verbose=0), 1)
        stack = {"builder": "stacked_rnn", "cell": "lstm", "units": [UNITS, UNITS]}
        regressor = SequenceRegressor(model=stack, training={"epochs": 1})
        regressor.fit(data(8)[0], data(8)[1][:, 0])
        return sample, lambda: timed(lambda: regressor.predict(x_one), 1)
    if case == "predict_256":
        rows = data(256)[0]
        work = (lambda: forward({"x": rows})) if ours else lambda: model.predict(rows, 256, 0)
        return sample, lambda: timed(work, 256)
    batch = int(case.split("_")[1])
    inputs, targets = data(batch * BATCHES, steps)
    loop = loop_of_kseq.Loop(model)
    batches = SequenceBatches(
        as_sequences(inputs), {"y": targets}, batch_size=batch, ragged=False, seed=0
    )

    def epoch() -> None:
        if ours:
            loop.run(batches, None, epochs=1, callbacks=[])
        else:
            model.fit(inputs, {"y": targets}, batch, epochs=1, verbose=0)

    return sample, lambda: timed(epoch, len(inputs), repeats=1)


def timed(work: Callable[[], Any], rows: int, repeats: int = REPEATS) -> float:
    """Rows a second, of the median of some repeats."""
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begin)
    return rows / statistics.median(seconds)


def work(side: str, job: Path) -> None:
    """Answers turn by turn: for every case its sample, then its speeds."""
    line = Line()
    given = json.loads(job.read_text())
    weights = [np.array(each, np.float32) for each in given["weights"]]
    for case in given["cases"]:
        line.wait()
        if case in OTHERS:
            sides = OTHERS[case]
            turns = sides.torch_side if side == "torch" else partial(sides.keras_side, side)
            sample, turn = turns(timed)
        elif side == "torch":
            sample, turn = torch_side(case, weights)
        else:
            sample, turn = keras_side(side, case, weights)
        turn()  # traces, and meets new sizes
        line.report(sample=np.ravel(sample).tolist())
        for _ in range(given["rounds"]):
            line.wait()
            line.report(speed=turn())


def measure(workers: dict[str, Worker], rounds: int) -> dict[str, Any]:
    """One case: the sequences a second of every side, and kseq's ratios to the others."""
    samples = {side: worker.turn()["sample"] for side, worker in workers.items()}
    for side, sample in samples.items():
        np.testing.assert_allclose(sample, samples["kseq"], atol=1e-5, err_msg=side)

    def turn(worker: Worker) -> float:
        time.sleep(0.5)  # threads of the side before may still spin
        return float(worker.turn()["speed"])

    turns = [{side: turn(worker) for side, worker in workers.items()} for _ in range(rounds)]
    result: dict[str, Any] = {
        side: round(statistics.median(each[side] for each in turns), 1) for side in workers
    }
    for one, other in itertools.permutations(workers, 2):
        # Of kseq to the others, and on PyTorch's backend to PyTorch.
        if (one == "kseq" and other in ("keras", "torch")) or (one, other) == ON_TORCH:
            ratios = sorted(each[one] / each[other] for each in turns)
            middle = statistics.median(ratios)
            result[f"{one}/{other}"] = [round(r, 2) for r in (middle, ratios[0], ratios[-1])]
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--side", help=argparse.SUPPRESS)
    parser.add_argument("job", nargs="?", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.side:
        work(given.side, given.job)
        return
    rng = np.random.default_rng(1)
    shapes = [(FEATURES, 4 * UNITS), (UNITS, 4 * UNITS), (4 * UNITS,)]
    shapes += [(UNITS, 4 * UNITS), (UNITS, 4 * UNITS), (4 * UNITS,), (UNITS, 1), (1,)]
    weights = [rng.normal(scale=0.08, size=shape).tolist() for shape in shapes]
    sides = ["kseq", "keras", *(["torch", "kseq on torch"] if find_spec("torch") else [])]
    about = {"machine": machine(), "load": round(os.getloadavg()[0], 1), "rounds": given.rounds}
    print(about)
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for case in given.cases:
        # A process serves one case, so that no case meets the threads and memory of another.
        inner = [f"train_32_{steps}" for steps in LENGTHS] if case == "length" else [case]
        job = {"weights": weights, "cases": inner, "rounds": given.rounds}
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "job.json"
            path.write_text(json.dumps(job))
            mine = sides[:1] if case == "length" else sides[: 4 if case in STACKS else 3]
            workers = {
                side: Worker(
                    ["engine.py", "--side", side],
                    path,
                    "torch" if side == "kseq on torch" else "tensorflow",
                )
                for side in mine
            }
            try:
                found = {each: measure(workers, given.rounds) for each in inner}
            finally:
                for worker in workers.values():
                    worker.end()
        if case == "length":
            cost = {each.split("_")[-1]: 32e3 / one["kseq"] for each, one in found.items()}
            found = {"length": {steps: round(ms, 1) for steps, ms in cost.items()}}
        for name, result in found.items():
            print(name, result, flush=True)
            results[name] = {**about, **result}
    RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
