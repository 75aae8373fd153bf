"""kseq's side of `tagger.py`, which starts this file."""

from __future__ import annotations

import json
import math
import sys
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tagger import Line, accuracy, spread

from kseq.data.batches import SequenceBatches
from kseq.estimators.tagger import SequenceTagger
from kseq.training import loop

loop._MANY = 0  # a turn is part of a longer training, where compiling pays


class Slice(SequenceBatches):
    """Some batches of each epoch."""

    def __init__(self, whole: SequenceBatches, count: int) -> None:
        self.count = count
        super().__init__(
            whole.sequences,
            whole.targets,
            batch_size=whole.batch_size,
            ragged=whole.ragged,
            seed=whole.seed,
        )

    def _plan(self) -> None:
        super()._plan()
        lengths = self.sequences.lengths
        longest = [lengths[rows].max() for rows in self._batches]
        places = spread(longest, self.count, np.random.default_rng(self.epoch))
        self._batches = [self._batches[place] for place in places]
        self.tokens = int(sum(lengths[rows].sum() for rows in self._batches))


class Tagger(SequenceTagger):
    """A tagger whose epochs are slices."""

    count: int

    def _prepare(self, *given: Any, **options: Any) -> Any:
        train, valid = super()._prepare(*given, **options)
        self.slice = Slice(train, self.count)
        return self.slice, valid


class Turns(keras.callbacks.Callback):
    """Makes every epoch a turn; the first one, which traces, belongs to the turn that builds."""

    def __init__(self, line: Line, tagger: Tagger) -> None:
        super().__init__()
        self.line = line
        self.tagger = tagger

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if epoch:
            self.line.wait()
        self.tokens = self.tagger.slice.tokens
        self.begin = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        speed = self.tokens / (time.perf_counter() - self.begin)
        parameters = sum(math.prod(weight.shape) for weight in self.model.trainable_weights)
        self.line.report(speed=speed, parameters=parameters)


def main() -> None:
    """Works through the cases, a turn at a time."""
    line = Line()
    job = json.loads(Path(sys.argv[1]).read_text())
    if job["threads"]:
        tf.config.threading.set_intra_op_parallelism_threads(job["threads"])
        tf.config.threading.set_inter_op_parallelism_threads(job["threads"])
    for case in job["cases"]:
        line.wait()
        tagger = Tagger(
            text={"vectors": case["vectors"]},
            training={
                "epochs": 1 + job["rounds"],
                "batch_size": 32,
                "clip_norm": 5.0,
                "validation_fraction": 0.0,
            },
            random_state=0,
        )
        tagger.count = job["batches"]
        tagger.fit(*case["train"], callbacks=[Turns(line, tagger)])
        texts, gold = case["test"]
        tokens = sum(map(len, texts))
        for _ in range(1 + job["rounds"]):
            line.wait()
            begin = time.perf_counter()
            found = tagger.predict(texts)
            speed = tokens / (time.perf_counter() - begin)
            line.report(speed=speed, accuracy=accuracy(found, gold))


if __name__ == "__main__":
    main()
