"""Counts of the real text sets, as their sources and the notes beside them state them."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from kseq.data.dataset import Dataset
from kseq.data.readers.conll import conll
from kseq.data.readers.conllu import conllu
from kseq.data.readers.csv import csv
from kseq.data.readers.jsonl import jsonl
from kseq.data.vectors import read_vectors
from kseq.tags import spans

NAMES = {
    "layout": "text", "path": "names18/names.tsv.gz", "header": ["name", "language"],
    "delimiter": "\t", "text": "name", "target": "language", "distinct": True,
}  # fmt: skip


@pytest.fixture
def of(data_home: Path) -> Callable[..., dict[str, str]]:
    """The files of a set by part; absent is a skip with a reason, but a failure in CI."""

    def find(name: str, ending: str, **parts: str) -> dict[str, str]:
        found = {role: f"{name}/{stem}.{ending}" for role, stem in parts.items()}
        for path in found.values():
            if not (data_home / path).is_file():
                missing = f"{path} is not in {data_home}"
                pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
        return found

    return find


def parts(data: Dataset) -> list:
    return [part for part in (data.train, data.valid, data.test) if part is not None]


def sizes(data: Dataset) -> list[tuple[int, int]]:
    """Sentences and tokens of each part."""
    for part in parts(data):
        assert all(len(x) == len(y) for x, y in zip(part.X, part.y, strict=True))
    return [(len(part.X), sum(map(len, part.X))) for part in parts(data)]


def entities(data: Dataset) -> list[int]:
    return [sum(len(spans(tags)) for tags in part.y) for part in parts(data)]


def test_wnut17(of):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing in it has to be repaired
        data = conll(**of("wnut17", "conll.gz", train="train", valid="dev", test="test"))
    assert sizes(data) == [(3_394, 62_730), (1_009, 15_733), (1_287, 23_394)]
    assert entities(data) == [1_975, 836, 1_079]
    assert [max(map(len, part.X)) for part in parts(data)] == [41, 82, 105]
    assert len({tag for part in parts(data) for tags in part.y for tag in tags}) == 13
    files = of("wnut17", "conll.gz", train="train", valid="dev", test="test")
    again = conll(**files, to="bioes", strict=True)
    assert entities(again) == entities(data)


@pytest.mark.parametrize(
    ("system", "repaired"), [("arcada", 0), ("mic-cis", 13), ("spinningbytes", 34)]
)
def test_wnut17_submissions(of, system, repaired):
    """Columns divided by blanks or tabs, `# O` for a token, tags that need repair."""
    files = of("wnut17/submissions", "conll.gz", path=system)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        data = conll(**files)
    assert sizes(data) == [(1_287, 23_394)]
    assert sum(token == "#" for tokens in data.train.X for token in tokens) == 247
    assert [f"in bio: {repaired}," in str(warning.message) for warning in caught] == (
        [True] if repaired else []
    )


@pytest.mark.slow
def test_uner_zh_gsd(of):
    files = of("uner_zh_gsd", "iob2.gz", train="train", valid="dev", test="test")
    data = conll(**files, token=1, tag=2, strict=True)
    assert sizes(data) == [(3_997, 98_616), (500, 12_663), (500, 12_012)]
    assert entities(data) == [6_136, 810, 767]
    by_character = conll(**files, token=1, tag=2, strict=True, unit="character")
    assert entities(by_character) == [6_136, 810, 767]
    assert sizes(by_character)[2][1] == sum(len(token) for text in data.test.X for token in text)


def test_ud_en_ewt(of):
    files = of("ud_en_ewt", "conllu.gz", train="train", valid="dev", test="test")
    data = conllu(**files)
    assert sizes(data) == [(12_544, 204_577), (2_001, 25_147), (2_077, 25_094)]
    assert len({tag for tags in data.train.y for tag in tags}) == 17
    xpos = conllu(train=files["train"], tag="xpos").train.y
    assert len({tag for tags in xpos for tag in tags}) == 49


def test_ud_en_atis(of):
    files = of("ud_en_atis", "conllu.gz", train="train", valid="dev", test="test")
    data = conllu(**files)
    assert sizes(data) == [(4_274, 48_655), (572, 6_644), (586, 6_580)]
    train, valid = ({tag for tags in part.y for tag in tags} for part in parts(data)[:2])
    assert (len(train), len(valid), len(valid - train)) == (13, 14, 1)


def test_banking77(of):
    files = of("banking77", "csv.gz", train="train", test="test")
    data = csv(layout="text", **files, text="text", target="category")
    assert [len(part.X) for part in parts(data)] == [10_003, 3_080]
    assert len(set(data.train.y)) == 77
    counts = [(data.test.y == label).sum() for label in set(data.train.y)]
    assert set(counts) == {40}


@pytest.mark.slow
def test_snips(of):
    files = of("snips", "jsonl.gz", train="train", test="valid")
    data = jsonl(**files, label="intent")
    assert [len(part.X) for part in parts(data)] == [13_784, 700]
    assert len(set(data.train.y)) == 7
    assert sum("\ufffd" in text for text in data.train.X) == 1
    data = jsonl(**files, spans="spans", label="intent")
    found = [[(spans(tags), label) for tags, label in part.y] for part in parts(data)]
    assert [sum(len(each) for each, _ in part) for part in found] == [35_748, 1_794]
    pairs = {(span.label, label) for each, label in found[0] for span in each}
    assert (len({slot for slot, _ in pairs}), len(pairs)) == (39, 53)


def test_names18(of):
    of("names18", "tsv.gz", path="names")
    assert len(csv(**NAMES | {"distinct": False}).train.X) == 20_050
    data = csv(**NAMES, split={"by": "hash", "shares": [8, 1, 1]})
    assert [len(part.X) for part in parts(data)] == [14_382, 1_810, 1_820]
    assert len(set(data.train.y)) == 18
    for part, buckets in zip(parts(data), [range(2, 10), [1], [0]], strict=True):
        for name, language in zip(part.X, part.y, strict=True):
            digest = hashlib.md5((language + name).encode()).hexdigest()
            assert int(digest, 16) % 10 in buckets


def test_glove_twitter_25d(of):
    (path,) = of("glove_twitter_25d", "25d.top12k.txt.gz", path="glove.twitter.27B").values()
    train = of("wnut17", "conll.gz", train="train")
    tokens = [token.lower() for tokens in conll(**train).train.X for token in tokens]
    words, vectors = read_vectors(path, set(tokens))
    assert vectors.shape == (len(words), 25)
    known = set(words)
    assert sum(token in known for token in tokens) == 41_599  # 66.3 %
    assert len(read_vectors(path, ["the"], extra=100_000)[0]) == 11_925
