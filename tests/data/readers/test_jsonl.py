from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from kseq.data.home import search_in
from kseq.data.readers.jsonl import jsonl
from kseq.errors import DataError, RecipeError
from kseq.registry import readers
from kseq.schema import fill

FLY = {"text": "fly to New York ", "spans": [[7, 15, "city"]], "intent": "flight"}
PLAY = {"text": "play it", "spans": [], "intent": "music"}
TAGGED = {"words": ["New", "York"], "tags": ["B-x", "I-x"], "kind": "city"}


@pytest.fixture
def folder(tmp_path):
    with search_in(tmp_path):
        yield tmp_path


def write(folder: Path, *lines: object, name: str = "a.jsonl") -> str:
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    (folder / name).write_text("\n".join(texts) + "\n", encoding="utf-8", newline="")
    return name


def read(folder: Path, *lines: object, **given):
    return jsonl(path=write(folder, *lines), **given).train


def test_it_is_registered_and_its_signature_is_a_schema():
    assert readers.get("jsonl") is jsonl
    given = {"train": "x", "spans": "spans", "label": "intent", "tokenizer": "characters"}
    assert fill("data", jsonl, given)[1] == []
    assert len(fill("data", jsonl, {"train": "x", "tokenizer": "bytes", "lable": "x"})[1]) == 2


def test_texts_with_a_label_are_read_as_they_stand(folder):
    part = read(folder, FLY, PLAY, {"text": "", "intent": "music"}, label="intent")
    assert part.X == ["fly to New York ", "play it", ""]
    assert part.y.tolist() == ["flight", "music", "music"]
    assert part.y.dtype.kind == "U"
    assert read(folder, {"q": "\u2028 é", "k": "a"}, text="q", label="k").X == ["\u2028 é"]


def test_labels_may_be_numbers_all_of_them(folder):
    y = read(folder, {"text": "a", "k": 1}, {"text": "b", "k": -2}, label="k").y
    assert (y.tolist(), y.dtype) == ([1, -2], np.int64)
    y = read(folder, {"text": "a", "k": 1}, {"text": "b", "k": 0.5}, label="k").y
    assert (y.tolist(), y.dtype) == ([1, 0.5], np.float64)
    train = write(folder, {"text": "a", "k": 1}, name="train")
    test = write(folder, {"text": "b", "k": 2}, "", {"text": "b", "k": "2"}, name="test")
    with pytest.raises(DataError, match="test, line 3: the label '2' is text, others are numbers"):
        jsonl(train=train, test=test, label="k")
    write(folder, {"text": "b", "k": "x"}, name="words")
    with pytest.raises(DataError, match="train, line 1: the label 1 is a number, others are text"):
        jsonl(train="words", test=train, label="k")


def test_without_label_spans_and_tags_there_are_no_targets(folder):
    part = read(folder, FLY, PLAY)
    assert (part.X, part.y) == (["fly to New York ", "play it"], None)
    assert read(folder, TAGGED, tokens="words").X == [["New", "York"]]


def test_spans_make_tokens_with_tags(folder):
    part = read(folder, FLY, PLAY, spans="spans")
    assert part.X == [["fly", "to", "New", "York"], ["play", "it"]]
    assert part.y == [["O", "O", "B-city", "I-city"], ["O", "O"]]
    assert read(folder, FLY, spans="spans", to="bioes").y == [["O", "O", "B-city", "E-city"]]
    part = read(folder, {"text": "去北京", "spans": [{"start": 1, "end": 3, "label": "city"}]},
                spans="spans", tokenizer="characters")  # fmt: skip
    assert (part.X, part.y) == ([["去", "北", "京"]], [["O", "B-city", "I-city"]])


def test_tags_and_a_label_are_pairs(folder):
    part = read(folder, FLY, PLAY, spans="spans", label="intent")
    assert part.y == [(["O", "O", "B-city", "I-city"], "flight"), (["O", "O"], "music")]
    assert read(folder, TAGGED, tokens="words", tags="tags", label="kind").y == [
        (["B-x", "I-x"], "city")
    ]


def test_tokens_and_tags_are_read_as_they_stand(folder):
    part = read(folder, TAGGED, {"words": ["a b"], "tags": ["O"]}, tokens="words", tags="tags")
    assert (part.X, part.y) == ([["New", "York"], ["a b"]], [["B-x", "I-x"], ["O"]])
    part = read(folder, TAGGED, tokens="words", label="kind")
    assert (part.X, part.y.tolist()) == ([["New", "York"]], ["city"])
    assert read(folder, TAGGED, tokens="words", tags="tags", to="bioes").y == [["B-x", "E-x"]]
    stray = {"words": ["a", "b"], "tags": ["O", "I-x"]}
    with pytest.warns(UserWarning, match=r"in bio: 1, .* first is a\.jsonl, line 2: I-x"):
        part = read(folder, TAGGED, stray, tokens="words", tags="tags")
    assert part.y[1] == ["O", "B-x"]
    with pytest.raises(DataError, match=r"a\.jsonl, line 2: I-x cannot stand here in bio"):
        read(folder, TAGGED, stray, tokens="words", tags="tags", strict=True)


def test_parts_are_files_packed_or_not_and_one_file_can_be_split(folder):
    (folder / "train.gz").write_bytes(gzip.compress(json.dumps(FLY).encode(), mtime=0))
    data = jsonl(train="train.gz", valid=write(folder, PLAY, "", PLAY), label="intent")
    assert (len(data.train.X), len(data.valid.X), data.test) == (1, 2, None)
    assert list(data.files) == ["train.gz", "a.jsonl"]
    lines = [{"text": f"t{i}", "k": f"k{i}"} for i in range(10)]
    data = jsonl(path=write(folder, *lines), label="k", split=[0.7, 0.3], shuffle=1)
    assert [text.replace("t", "k") for text in data.train.X] == data.train.y.tolist()
    assert (len(data.train.X), len(data.test.X)) == (7, 3)


@pytest.mark.parametrize(
    ("line", "given", "message"),
    [
        ("{", {}, r", line 3, column 2: not JSON: Expecting property name .*one object a line"),
        ("text", {}, r", line 3, column 1: not JSON: Expecting value$"),
        ('{"text": NaN}', {}, r", line 3: not JSON that can be read: NaN is no number of JSON"),
        ("[" * 100_000, {}, r", line 3: not JSON that can be read: .*recursion"),
        ("[1]", {}, r", line 3: expected an object, \{\.\.\.\}, got \[1\]"),
        ({"txt": "a"}, {}, r", line 3: no 'text' \(asked for by data\.text\) \(did you mean 'txt'"),
        ("{}", {}, r", line 3: no 'text' \(asked for by data\.text\); there are: nothing"),
        ({"text": 1}, {}, r", line 3, 'text': expected a text, got 1"),
        ('{"text": "\\ud800"}', {}, r", line 3, 'text': half of a surrogate pair at character 0"),
        ({"text": "a"}, {"label": "k"}, r", line 3: no 'k' \(asked for by data\.label\)"),
        ({"text": "a", "k": None}, {"label": "k"}, r", line 3, 'k': expected a text or a number"),
        ({"text": "a", "k": True}, {"label": "k"}, r", line 3, 'k': .* got True"),
        ({"text": "a", "k": ""}, {"label": "k"}, r", line 3, 'k': the label is empty"),
        ('{"text": "a", "k": 1e999}', {"label": "k"}, r", line 3, 'k': inf is too large"),
        ({"text": "a", "k": 2**63}, {"label": "k"}, r", line 3, 'k': 9223372036854775808 is too"),
        ({"text": "a"}, {"spans": "s"}, r", line 3: no 's' \(asked for by data\.spans\)"),
        ({"text": "a", "s": [[0, 2, "x"]]}, {"spans": "s"}, r", line 3, 's': the span \[0, 2, x\]"),
        ({"text": "a", "s": [], "k": 1}, {"spans": "s", "label": "k"}, r", line 3, 'k': .* got 1"),
        ({"w": "a b"}, {"tokens": "w"}, r", line 3, 'w': expected a list of texts, got 'a b'"),
        ({"w": ["a", 1]}, {"tokens": "w"}, r", line 3, 'w': expected a text, got 1"),
        ({"w": ["a", ""]}, {"tokens": "w"}, r", line 3, 'w': entry 1 is an empty text"),
        ({"w": ["a"], "t": []}, {"tokens": "w", "tags": "t"}, r", line 3: 1 tokens \('w'\) and 0"),
    ],
    ids=range(22),
)  # fmt: skip
def test_a_line_that_does_not_hold_is_named(folder, line, given, message):
    good = {"text": "a", "k": "x", "s": [], "w": ["a"], "t": ["O"]}
    with pytest.raises(DataError, match=rf"^a\.jsonl{message}"):
        read(folder, good, "", line, **given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"tags": "t"}, r"data\.tags: tags are of tokens; give data\.tokens too"),
        ({"tokens": "w", "spans": "s"}, r"data\.spans: not together with data\.tokens"),
        ({"label": "k", "to": "bio"}, r"data\.to: says something of tags; give data\.tags too"),
        ({"spans": "s", "scheme": "bio"}, r"data\.scheme: says something of tags"),
        ({"spans": "s", "strict": True}, r"data\.strict: says something of tags"),
        ({"split": [1, 1], "train": "a", "path": None}, r"data\.split: divides one file"),
    ],
)
def test_parameters_that_contradict_each_other_are_an_error(folder, given, message):
    with pytest.raises(RecipeError, match=message):
        jsonl(**{"path": write(folder, FLY), **given})


def test_an_empty_file_is_an_error(folder):
    with pytest.raises(DataError, match=r"a\.jsonl: the file is empty"):
        read(folder, "")
