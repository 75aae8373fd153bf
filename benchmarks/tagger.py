"""The speed of the BiLSTM-CNN-CRF tagger beside a PyTorch one: same data, machine and run.

    python benchmarks/tagger.py [--sets ewt wnut17 uner_zh] [--batches 40] [--rounds 5]

Counted are the real tokens a second of training, batches being made included and tracing left out,
and of prediction, from lists of tokens to lists of tags. kseq trains by `SequenceTagger.fit` and
predicts by `SequenceTagger.predict`. PyTorch (`tagger_torch.py`) stands there twice: *plain*, as it
is commonly written, and *best*, with what makes it fast on a CPU.

Each side lives in a process of its own, because TensorFlow and PyTorch in one process would fight
for threads. They take turns, and one waits while another works; a ratio is taken within a round,
so that both met the same machine. It should be idle: where others worked too, PyTorch with two
threads was seen at a tenth of its speed with one, which makes ratios worthless; `--threads 1` then
still gives figures to compare.

Every round trains on other batches, chosen alike for all sides: spread evenly over the lengths of
an epoch's. The models have the same sizes, which is checked, and the accuracies after the last
round stand beside, so that one sees that all of them learn. The result of each set replaces its
last one in `results/tagger.json`.

Needs the data sets (`kseq data get ud_en_ewt`, `wnut17`, `uner_zh_gsd`, `glove_twitter_25d`), and
`torch` and `pytorch-crf` beside TensorFlow; without them kseq is measured alone.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from scores import machine

from kseq.data.readers.conll import conll
from kseq.data.readers.conllu import conllu
from kseq.data.vectors import read_vectors
from kseq.data.vocabulary import Folder, TextOptions

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "tagger.json"
VECTORS = "glove_twitter_25d/glove.twitter.27B.25d.top12k.txt.gz"
SETS = ("ewt", "wnut17", "uner_zh")
SIDES = {
    "kseq": ["tagger_kseq.py"],
    "plain": ["tagger_torch.py", "plain"],
    "best": ["tagger_torch.py", "best"],
}
PACKAGES = ("tensorflow", "keras", "torch", "pytorch-crf")
# PyTorch's LSTM adds two biases to each gate, for both directions of 200 units.
SECOND_BIAS = 2 * 4 * 200


class Line:
    """A worker's end of the line to this program, which says when to go on."""

    def __init__(self) -> None:
        self._out = sys.stdout
        sys.stdout = sys.stderr  # what libraries print is no answer

    def wait(self) -> None:
        """Waits for the next turn."""
        if not sys.stdin.readline():
            raise SystemExit

    def report(self, **values: Any) -> None:
        """Ends the turn."""
        print(json.dumps(values), file=self._out, flush=True)


class Worker:
    """One side in its own process."""

    def __init__(self, command: list[str], job: Path, backend: str = "tensorflow") -> None:
        settings = {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": backend}
        settings |= {"CUDA_VISIBLE_DEVICES": "-1"}  # a matter of CPUs
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / command[0]), *command[1:], str(job)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **settings},
        )

    def turn(self) -> dict[str, Any]:
        """Lets it work until it reports."""
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write("go\n")
            stdin.flush()
            return json.loads(stdout.readline())
        except (BrokenPipeError, json.JSONDecodeError):
            raise SystemExit("a worker has ended before its time; see its message above") from None

    def end(self) -> None:
        """Closes the line, which ends it."""
        self.process.communicate()


def spread(lengths: Sequence[int], count: int, random: np.random.Generator) -> np.ndarray:
    """Places of `count` batches that are spread evenly over the lengths, in a random order."""
    order = np.argsort(lengths, kind="stable")
    places = np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int)
    return random.permutation(order[places])


def accuracy(found: list[list[str]], gold: list[list[str]]) -> float:
    """The share of tokens with the right tag."""
    right = [a == b for pair in zip(found, gold, strict=True) for a, b in zip(*pair, strict=True)]
    return sum(right) / len(right)


def read(name: str) -> dict[str, Any]:
    """The training and test part of a set, and what decides the size of its model."""
    case: dict[str, Any] = {"vectors": None, "known": [], "width": 100}
    if name == "ewt":
        data = conllu(train="ud_en_ewt/train.conllu.gz", test="ud_en_ewt/test.conllu.gz")
    elif name == "wnut17":
        data = conll(train="wnut17/train.conll.gz", test="wnut17/test.conll.gz")
        fold = Folder(TextOptions())
        words, vectors = read_vectors(
            VECTORS, [], extra=1_000_000, usable=lambda word: fold(word) == word
        )
        case = {"vectors": VECTORS, "known": words, "width": vectors.shape[1]}
    else:
        folder = "uner_zh_gsd"
        data = conll(train=f"{folder}/train.iob2.gz", test=f"{folder}/test.iob2.gz", token=1, tag=2)
    assert data.test is not None
    parts = {"train": data.train, "test": data.test}
    return {**case, **{role: [part.X, part.y] for role, part in parts.items()}}


def measure(workers: dict[str, Worker], rounds: int) -> dict[str, Any]:
    """One set: the tokens a second of every side in every round."""

    def turns() -> dict[str, dict[str, Any]]:
        return {side: worker.turn() for side, worker in workers.items()}

    built = turns()
    parameters = {side: each["parameters"] for side, each in built.items()}
    for side, count in parameters.items():
        expected = parameters["kseq"] + (0 if side == "kseq" else SECOND_BIAS)
        if count != expected:
            raise SystemExit(f"{side} has {count:,} parameters where {expected:,} were expected")
    trained = [turns() for _ in range(rounds)]
    turns()  # kseq traces, PyTorch meets new sizes
    predicted = [turns() for _ in range(rounds)]
    speeds = {
        work: {side: [round(turn[side]["speed"], 1) for turn in done] for side in workers}
        for work, done in (("train", trained), ("predict", predicted))
    }
    right = {side: round(each["accuracy"], 4) for side, each in predicted[-1].items()}
    return {**speeds, "parameters": parameters, "accuracy": right}


def ratios(speeds: dict[str, list[float]]) -> dict[str, list[float]]:
    """How many times as fast as each peer kseq was, round by round."""
    return {
        f"kseq/{side}": [round(a / b, 3) for a, b in zip(speeds["kseq"], theirs, strict=True)]
        for side, theirs in speeds.items()
        if side != "kseq"
    }


def table(name: str, result: dict[str, Any]) -> str:
    """Medians, with the least and the most."""
    lines = []
    for work in ("train", "predict"):
        cells = [f"{name:8} {work:8}"]
        for label, values in result[work].items():
            middle, least, most = statistics.median(values), min(values), max(values)
            cells.append(f"{label} {middle:,.0f} ({least:,.0f}-{most:,.0f})")
        for label, values in ratios(result[work]).items():
            middle, least, most = statistics.median(values), min(values), max(values)
            cells.append(f"{label} {middle:.2f} ({least:.2f}-{most:.2f})")
        lines.append("  ".join(cells))
    for title in ("parameters", "accuracy"):
        lines.append(f"{name:8} {title}: {result[title]}")
    return "\n".join(lines)


def keep(name: str, result: dict[str, Any], path: Path) -> None:
    """Puts the result of a set into the file."""
    results = json.loads(path.read_text()) if path.exists() else {}
    for work in ("train", "predict"):
        result = {**result, work: {**result[work], **ratios(result[work])}}
    results[name] = result
    path.parent.mkdir(exist_ok=True)
    staged = path.with_suffix(".tmp")
    staged.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
    os.replace(staged, path)


def main() -> None:
    """Measures the sets one after the other, and prints and keeps the results."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--batches", type=int, default=40, help="of training in a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--threads", type=int, help="of each library's operations; default: its own"
    )
    parser.add_argument("--output", type=Path, default=RESULTS, help="the file of the results")
    given = parser.parse_args()
    sides = dict(SIDES)
    if find_spec("torch") is None or find_spec("torchcrf") is None:
        print("torch or pytorch-crf is not installed: kseq alone")
        sides = {"kseq": SIDES["kseq"]}
    about = {
        "machine": machine(),
        "versions": {name: version(name) for name in PACKAGES[: 2 if len(sides) == 1 else None]},
        "threads": given.threads,
        "load": round(os.getloadavg()[0], 1),  # of others: nothing runs here yet
        "batches": given.batches,
        "rounds": given.rounds,
    }
    print(f"{about['machine']}; load of others {about['load']}; {about['versions']}")
    print(
        f"{given.threads or 'their own'} threads, {given.rounds} rounds of {given.batches} batches"
    )
    if about["load"] > 0.5 and given.threads != 1:
        print("others are at work on this machine: take the ratios only from --threads 1")
    print("tokens a second, and how many times as fast kseq is: median (least-most)")
    with tempfile.TemporaryDirectory() as folder:
        job = Path(folder) / "job.json"
        cases = [read(name) for name in given.sets]
        job.write_text(json.dumps({**about, "cases": cases}))
        workers = {side: Worker(command, job) for side, command in sides.items()}
        try:
            for name in given.sets:
                result = {**about, **measure(workers, given.rounds)}
                print(table(name, result), flush=True)
                keep(name, result, given.output)
        finally:
            for worker in workers.values():
                worker.end()


if __name__ == "__main__":
    main()
