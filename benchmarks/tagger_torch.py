"""PyTorch's side of `tagger.py`, which starts this file: a BiLSTM-CNN-CRF in two forms.

*plain* is what most write: packed sequences, and a character CNN over all tokens, padding included.
*best* is for CPUs: padded sequences, with the backward direction as an LSTM of its own over
sequences that are reversed within their lengths, because only so oneDNN's fused LSTM is taken; a
character CNN over real tokens alone; Adam in one kernel; denormal numbers flushed to zero.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tagger import Line, accuracy, spread
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torchcrf import CRF

UNKNOWN, FIRST = 1, 2  # 0 is padding
BATCH, POOL = 32, 100
TOGETHER = 64  # texts that are predicted together; faster than 32, 128 and 256
CHARACTERS, UNITS = 30, 200
LONGEST = 24  # characters of a token that are read


class Words:
    """The ids of words, characters and tags."""

    def __init__(self, texts: list[list[str]], tags: list[list[str]], known: list[str]) -> None:
        counts = Counter(fold(token) for text in texts for token in text)
        listed = dict.fromkeys([*counts, *known])
        self.words = {word: place for place, word in enumerate(listed, FIRST)}
        letters = sorted({letter for text in texts for token in text for letter in token})
        self.letters = {letter: place for place, letter in enumerate(letters, FIRST)}
        self.tags = sorted({tag for each in tags for tag in each})
        self.once = np.zeros(FIRST + len(listed), bool)
        others = set(known)
        self.once[[self.words[w] for w, n in counts.items() if n == 1 and w not in others]] = True


def fold(token: str) -> str:
    """The token as it is looked up: without capitals, all digits alike."""
    return re.sub(r"\d", "0", token.lower())


class Encoded:
    """Texts as ids; every distinct token is looked up once."""

    def __init__(self, texts: list[list[str]], words: Words) -> None:
        places: dict[str, int] = {}
        self.rows = [
            np.array([places.setdefault(token, len(places) + 1) for token in text])
            for text in texts
        ]
        self.lengths = np.array([len(row) for row in self.rows])
        self.words = np.array([0, *(words.words.get(fold(token), UNKNOWN) for token in places)])
        self.letters = np.zeros((1 + len(places), LONGEST), np.int64)
        for token, place in places.items():
            ids = [words.letters.get(letter, UNKNOWN) for letter in token[:LONGEST]]
            self.letters[place, : len(ids)] = ids

    def batch(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Words `(batch, time)`, letters `(batch, time, characters)` and lengths."""
        lengths = self.lengths[rows]
        places = padded([self.rows[row] for row in rows], lengths)
        letters = self.letters[places]
        return self.words[places], letters[:, :, : letters.any((0, 1)).sum()], lengths


def padded(rows: list[np.ndarray], lengths: np.ndarray) -> np.ndarray:
    """Rows of ids as one array, with zeros behind them."""
    whole = np.zeros((len(rows), lengths.max()), np.int64)
    for place, row in zip(whole, rows, strict=True):
        place[: len(row)] = row
    return whole


class Network(nn.Module):
    """Words and letters to scores of tags, and the CRF over them."""

    def __init__(self, words: Words, width: int, best: bool) -> None:
        super().__init__()
        self.best = best
        self.words = nn.Embedding(FIRST + len(words.words), width)
        self.letters = nn.Embedding(FIRST + len(words.letters), CHARACTERS, padding_idx=0)
        for table in (self.words, self.letters):
            bound = (3 / table.embedding_dim) ** 0.5
            nn.init.uniform_(table.weight, -bound, bound)
        with torch.no_grad():
            self.letters.weight[0] = 0
        self.filters = nn.Conv1d(CHARACTERS, CHARACTERS, 3, padding=1)
        self.dropout = nn.Dropout(0.5)
        size = width + CHARACTERS
        if best:
            self.onward = nn.LSTM(size, UNITS, batch_first=True)
            self.backward_ = nn.LSTM(size, UNITS, batch_first=True)
        else:
            self.both = nn.LSTM(size, UNITS, batch_first=True, bidirectional=True)
        self.scores = nn.Linear(2 * UNITS, len(words.tags))
        self.crf = CRF(len(words.tags), batch_first=True)

    def forward(self, words: Any, letters: Any, lengths: Any, mask: Any) -> Any:
        """The scores of the tags, `(batch, time, tags)`."""
        if self.best:
            shapes = self.words.weight.new_zeros((*mask.shape, CHARACTERS))
            shapes[mask] = self.read(letters[mask])
        else:
            shapes = self.read(letters.flatten(0, 1)).view(*mask.shape, CHARACTERS)
        x = self.dropout(torch.cat([self.words(words), shapes], -1))
        if self.best:
            steps = torch.arange(mask.shape[1])
            turned = torch.where(mask, lengths[:, None] - 1 - steps, steps)[:, :, None]
            later = self.backward_(x.gather(1, turned.expand_as(x)))[0]
            states = torch.cat([self.onward(x)[0], later.gather(1, turned.expand_as(later))], -1)
        else:
            packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            states = pad_packed_sequence(self.both(packed)[0], batch_first=True)[0]
        return self.scores(self.dropout(states))

    def read(self, letters: Any) -> Any:
        """What the letters of tokens say, `(tokens, filters)`."""
        x = self.dropout(self.letters(letters))
        return self.filters(x.transpose(1, 2)).amax(-1).tanh()


class Tagger:
    """Trains on slices of epochs, and predicts."""

    def __init__(self, case: dict[str, Any], best: bool) -> None:
        texts, tags = case["train"]
        self.vocabulary = Words(texts, tags, case["known"])
        self.encoded = Encoded(texts, self.vocabulary)
        place = {tag: index for index, tag in enumerate(self.vocabulary.tags)}
        self.tags = [np.array([place[tag] for tag in each]) for each in tags]
        self.network = Network(self.vocabulary, case["width"], best)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=1e-3, fused=best or None)
        self.random = np.random.default_rng(0)

    def train(self, count: int) -> float:
        """Trains on `count` batches of an epoch; gives the tokens a second."""
        begin = time.perf_counter()
        self.network.train()
        order = self.random.permutation(len(self.tags))
        lengths = self.encoded.lengths
        batches = []
        for start in range(0, len(order), BATCH * POOL):
            pool = order[start : start + BATCH * POOL]
            pool = pool[np.argsort(lengths[pool], kind="stable")]
            batches += [pool[cut : cut + BATCH] for cut in range(0, len(pool), BATCH)]
        tokens = 0
        for place in spread([lengths[rows].max() for rows in batches], count, self.random):
            self.update(batches[place])
            tokens += int(lengths[batches[place]].sum())
        return tokens / (time.perf_counter() - begin)

    def update(self, rows: np.ndarray) -> None:
        """One step of the optimizer."""
        words, letters, lengths = self.encoded.batch(rows)
        hidden = self.vocabulary.once[words] & (self.random.random(words.shape) < 0.5)
        inputs, mask = tensors(np.where(hidden, UNKNOWN, words), letters, lengths)
        tags = torch.from_numpy(padded([self.tags[row] for row in rows], lengths))
        self.optimizer.zero_grad()
        emissions = self.network(*inputs, mask)
        loss = -self.network.crf(emissions, tags, mask, reduction="mean")
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimizer.step()

    @torch.inference_mode()
    def predict(self, texts: list[list[str]]) -> list[list[str]]:
        """The tags of texts."""
        self.network.eval()
        encoded = Encoded(texts, self.vocabulary)
        order = np.argsort(encoded.lengths, kind="stable")
        found: list[list[str]] = [[]] * len(texts)
        for start in range(0, len(order), TOGETHER):
            rows = order[start : start + TOGETHER]
            inputs, mask = tensors(*encoded.batch(rows))
            best = self.network.crf.decode(self.network(*inputs, mask), mask)
            for row, ids in zip(rows, best, strict=True):
                found[row] = [self.vocabulary.tags[place] for place in ids]
        return found


def tensors(words: np.ndarray, letters: np.ndarray, lengths: np.ndarray) -> tuple[list[Any], Any]:
    """The inputs of the network, and which of their steps are real."""
    mask = np.arange(words.shape[1]) < lengths[:, None]
    return [torch.from_numpy(each) for each in (words, letters, lengths)], torch.from_numpy(mask)


def main() -> None:
    """Works through the cases, a turn at a time."""
    line = Line()
    best = sys.argv[1] == "best"
    job = json.loads(Path(sys.argv[2]).read_text())
    if best:
        torch.set_flush_denormal(True)  # before there are threads, which take it over
    if job["threads"]:
        torch.set_num_threads(job["threads"])
        torch.set_num_interop_threads(job["threads"])
    torch.manual_seed(0)
    for case in job["cases"]:
        line.wait()
        tagger = Tagger(case, best)
        parameters = sum(weight.numel() for weight in tagger.network.parameters())
        line.report(speed=tagger.train(job["batches"]), parameters=parameters)
        for _ in range(job["rounds"]):
            line.wait()
            line.report(speed=tagger.train(job["batches"]))
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
