"""The sides of `engine.py` for a two-directional LSTM on sentences of real lengths.

Lengths are those of the EWT treebank's training sentences, features are random. kseq batches by
length, Keras pads to the longest sentence, PyTorch packs its sequences; each trains on 512
sentences a turn, in batches of 32, and real tokens a second are counted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kseq.data.readers.conllu import conllu

FEATURES, UNITS, TAGS = 100, 200, 17
SENTENCES, BATCH = 512, 32


def weights() -> list[np.ndarray]:
    """Those of the two directions and of the scores."""
    rng = np.random.default_rng(1)
    one = [(FEATURES, 4 * UNITS), (UNITS, 4 * UNITS), (4 * UNITS,)]
    shapes = [*one, *one, (2 * UNITS, TAGS), (TAGS,)]
    return [rng.normal(scale=0.08, size=shape).astype(np.float32) for shape in shapes]


def sentences() -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Features `(time, features)` and tags `(time,)`."""
    rng = np.random.default_rng(0)
    whole = conllu(path="ud_en_ewt/train.conllu.gz")
    lengths = [len(tokens) for tokens in whole.train.X]
    lengths = rng.choice(lengths, SENTENCES, replace=False)
    x = [rng.normal(size=(length, FEATURES)).astype(np.float32) for length in lengths]
    return x, [rng.integers(0, TAGS, length).astype(np.int32) for length in lengths]


def torch_side(timed: Any) -> tuple[Any, Callable[[], float]]:
    """PyTorch, packed."""
    import torch
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

    torch.set_flush_denormal(True)
    lstm = torch.nn.LSTM(FEATURES, UNITS, batch_first=True, bidirectional=True)
    dense = torch.nn.Linear(2 * UNITS, TAGS)
    given = [torch.from_numpy(each) for each in weights()]
    with torch.no_grad():
        for place, end in ((0, ""), (3, "_reverse")):
            getattr(lstm, f"weight_ih_l0{end}").copy_(given[place].T)
            getattr(lstm, f"weight_hh_l0{end}").copy_(given[place + 1].T)
            getattr(lstm, f"bias_ih_l0{end}").copy_(given[place + 2])
            getattr(lstm, f"bias_hh_l0{end}").zero_()
        dense.weight.copy_(given[6].T)
        dense.bias.copy_(given[7])
    optimizer = torch.optim.Adam([*lstm.parameters(), *dense.parameters()], fused=True)
    x, y = ([torch.from_numpy(each) for each in part] for part in sentences())

    def scores(rows: Any) -> Any:
        lengths = torch.tensor([len(x[row]) for row in rows])
        padded = pad_sequence([x[row] for row in rows], batch_first=True)
        packed = pack_padded_sequence(padded, lengths, batch_first=True, enforce_sorted=False)
        return dense(pad_packed_sequence(lstm(packed)[0], batch_first=True)[0])

    with torch.no_grad():
        sample = scores(range(4)).numpy()
    rng = np.random.default_rng(0)

    def epoch() -> None:
        order = rng.permutation(SENTENCES)
        for start in range(0, SENTENCES, BATCH):
            rows = order[start : start + BATCH]
            optimizer.zero_grad()
            tags = pad_sequence([y[row] for row in rows], batch_first=True, padding_value=-1)
            found = scores(rows)
            loss = torch.nn.functional.cross_entropy(
                found.reshape(-1, TAGS), tags.reshape(-1).long(), ignore_index=-1
            )
            loss.backward()
            optimizer.step()

    return valid(sample), lambda: timed(epoch, sum(map(len, x)), repeats=1)


def keras_side(side: str, timed: Any) -> tuple[Any, Callable[[], float]]:
    """Keras, with its own layers or with those of kseq."""
    import keras

    from kseq.data.batches import SequenceBatches
    from kseq.data.sequences import as_sequences
    from kseq.layers import LSTM, LengthMask
    from kseq.losses import TagCrossEntropy
    from kseq.training import loop
    from kseq.training.adam import FusedAdam

    ours = side == "kseq"
    inputs = {
        "x": keras.Input((None, FEATURES), name="x"),
        "lengths": keras.Input((), dtype="int32", name="lengths"),
    }
    mask = LengthMask()(inputs["x"], inputs["lengths"])
    layer = (LSTM if ours else keras.layers.LSTM)(UNITS, return_sequences=True)
    h = keras.layers.Bidirectional(layer)(inputs["x"], mask=mask)
    model = keras.Model(inputs, keras.layers.Dense(TAGS)(h))
    model.set_weights(weights())
    adam = FusedAdam() if ours else keras.optimizers.Adam()
    model.compile(adam, TagCrossEntropy(), jit_compile=False)
    x, y = sentences()
    batches = SequenceBatches(as_sequences(x), y, batch_size=BATCH, ragged=True, seed=0)
    longest = max(map(len, x))
    padded = np.zeros((SENTENCES, longest, FEATURES), np.float32)
    tags = np.full((SENTENCES, longest), -1, np.int32)
    for row, (one, each) in enumerate(zip(x, y, strict=True)):
        padded[row, : len(one)], tags[row, : len(one)] = one, each
    lengths = np.array([len(one) for one in x], np.int32)
    first = max(lengths[:4])
    sample = model({"x": padded[:4, :first], "lengths": lengths[:4]}).numpy()
    loop._MANY = 0  # a turn is part of a longer training, where compiling pays
    ours_loop = loop.Loop(model)

    def epoch() -> None:
        if ours:
            ours_loop.run(batches, None, epochs=1, callbacks=[])
        else:
            everything = {"x": padded, "lengths": lengths}
            model.fit(everything, tags, BATCH, epochs=1, verbose=0)

    return valid(sample), lambda: timed(epoch, sum(map(len, x)), repeats=1)


def valid(sample: np.ndarray) -> np.ndarray:
    """The scores of real tokens."""
    return np.concatenate(
        [scores[: len(one)] for scores, one in zip(sample, sentences()[0], strict=False)]
    )
